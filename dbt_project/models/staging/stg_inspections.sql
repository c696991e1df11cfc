with records as (
    select * from {{ source('store', 'inspections') }}
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
    {{ record_id('records', 'inspections') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.unit_code,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.conductor_code,
    records.conductor,
    cast(records.article as integer) as article,
    records.kind,
    records.subject,
    records.subject_org_code,
    {{ canonical_member_key('records.subject_member_key') }} as subject_member_key,
    records.subject_member_key as subject_member_key_as_sent,
    records.concluded_on,
    records.violation_found,
    records.planned as is_planned
from records
inner join submissions on records.source_hash = submissions.source_hash
{{ join_member_identities('records.subject_member_key') }}
