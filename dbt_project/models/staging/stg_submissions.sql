-- The register says what became of a file. One that it was not told of yet, because intake was killed, waits.
with told as (
    select
        source_hash,
        -- What a later sending replaced was accepted all the same.
        case when state = 'replaced' then 'accepted' else state end as state,
        is_in_force
    from {{ ref('stg_sendings') }}
    where copy_no = 1
)

select
    submissions.source_hash,
    submissions.source_kind,
    submissions.form_version,
    submissions.unit_code,
    submissions.unit_name,
    cast(submissions.year as integer) as year,
    cast(submissions.sent_no as integer) as sent_no,
    submissions.prepared_on,
    coalesce(told.state, 'received') as state,
    coalesce(told.is_in_force, false) as is_in_force
from {{ source('store', 'submissions') }} as submissions
left join told on submissions.source_hash = told.source_hash
