with records as (
    select * from {{ source('store', 'trainings') }}
),

submissions as (
    select
        source_hash,
        unit_code,
        year,
        is_in_force
    from {{ ref('stg_submissions') }}
)

select
    {{ record_id('records', 'trainings') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.org_code,
    records.topic,
    records.held_on,
    cast(records.invited as bigint) as invited,
    cast(records.attended as bigint) as attended
from records
inner join submissions on records.source_hash = submissions.source_hash
