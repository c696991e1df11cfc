with records as (
    select * from {{ source('store', 'membership_movements') }}
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
    {{ record_id('records', 'membership_movements') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.line,
    records.label,
    cast(records.count as bigint) as count,
    cast(records.count_previous as bigint) as count_previous
from records
inner join submissions on records.source_hash = submissions.source_hash
