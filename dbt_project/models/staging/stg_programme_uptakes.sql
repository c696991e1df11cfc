with records as (
    select * from {{ source('store', 'programme_uptakes') }}
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
    {{ record_id('records', 'programme_uptakes') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.org_code,
    records.document,
    records.plan_on,
    records.in_inspection_programme
from records
inner join submissions on records.source_hash = submissions.source_hash
