select
    counts.source_hash,
    counts.form,
    counts.form_title,
    counts.rows_in,
    counts.loaded,
    counts.held_back,
    submissions.organisation_version_key
from {{ ref('stg_counts') }} as counts
inner join {{ ref('fct_submission') }} as submissions on counts.source_hash = submissions.source_hash
