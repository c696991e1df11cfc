with records as (
    select * from {{ source('store', 'field_checks') }}
),

submissions as (
    select
        source_hash,
        year,
        is_in_force
    from {{ ref('stg_submissions') }}
),

covers as (
    select
        source_hash,
        draw_id
    from {{ source('store', 'submissions') }}
)

select
    {{ record_id('records', 'field_checks') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    covers.draw_id,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    cast(records.number as integer) as number,
    records.unit_code,
    records.org_code,
    records.cell_code,
    records.member,
    records.level,
    records.checked_on,
    records.checked_by
from records
inner join submissions on records.source_hash = submissions.source_hash
inner join covers on records.source_hash = covers.source_hash
