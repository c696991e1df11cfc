select
    sendings.source_hash,
    sendings.copy_no,
    sendings.source_kind,
    sendings.unit_code,
    sendings.year,
    sendings.number,
    sendings.sent_no,
    sendings.form_version,
    sendings.state,
    sendings.state_reason_code,
    sendings.replaced_by,
    sendings.days_late,
    sendings.is_in_force,
    submissions.errors,
    submissions.queries
from {{ ref('stg_sendings') }} as sendings
left join {{ ref('fct_submission') }} as submissions on sendings.source_hash = submissions.source_hash
