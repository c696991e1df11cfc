with records as (
    select * from {{ source('store', 'admissions') }}
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
    {{ record_id('records', 'admissions') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    {{ canonical_member_key('records.member_key') }} as member_key,
    records.member_key as member_key_as_sent,
    records.cell_code,
    records.admitted_on,
    cast(records.birth_year as integer) as birth_year,
    records.gender,
    records.ethnicity,
    records.admission_group,
    records.local as is_local
from records
inner join submissions on records.source_hash = submissions.source_hash
{{ join_member_identities('records.member_key') }}
