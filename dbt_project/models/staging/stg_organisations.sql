with records as (
    select * from {{ source('store', 'organisations') }}
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
    {{ record_id('records', 'organisations') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.org_code,
    records.org_name,
    records.org_kind,
    records.org_sector,
    records.parent_code,
    records.commune,
    records.founded_on,
    records.closed_on,
    cast(records.member_count as bigint) as member_count
from records
inner join submissions on records.source_hash = submissions.source_hash
