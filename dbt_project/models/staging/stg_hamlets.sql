with records as (
    select * from {{ source('store', 'hamlets') }}
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
    {{ record_id('records', 'hamlets') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.hamlet_code,
    records.hamlet_name,
    records.commune,
    records.cell_code,
    cast(records.members as bigint) as members,
    cast(records.local_members as bigint) as local_members
from records
inner join submissions on records.source_hash = submissions.source_hash
