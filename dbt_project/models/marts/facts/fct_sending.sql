with facts as (
    select
        *,
        {{ version_days() }}
    from {{ ref('stg_sendings') }}
)

select
    facts.source_hash,
    facts.copy_no,
    facts.source_kind,
    facts.unit_code,
    facts.year,
    facts.number,
    facts.sent_no,
    facts.form_version,
    facts.state,
    facts.state_reason_code,
    facts.replaced_by,
    facts.days_late,
    facts.is_in_force,
    submissions.errors,
    submissions.queries,
    organisation_versions.organisation_version_key
from facts
left join {{ ref('fct_submission') }} as submissions on facts.source_hash = submissions.source_hash
{{ join_organisation_version('facts.unit_code', 'facts.unit_code') }}
