with records as (
    select * from {{ source('store', 'cell_meetings') }}
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
    {{ record_id('records', 'cell_meetings') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.cell_code,
    cast(records.month as integer) as month,
    records.held_on,
    cast(records.expected as bigint) as expected,
    cast(records.attended as bigint) as attended,
    records.thematic as is_thematic,
    records.points,
    records.band,
    records.superior_attended
from records
inner join submissions on records.source_hash = submissions.source_hash
