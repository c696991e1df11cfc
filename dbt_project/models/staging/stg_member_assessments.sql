with records as (
    select * from {{ source('store', 'member_assessments') }}
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
    {{ record_id('records', 'member_assessments') }} as record_id,
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
    records.self_level,
    records.proposed_level,
    records.final_level,
    records.decided_on,
    records.score,
    records.state_level,
    records.not_rated_reason
from records
inner join submissions on records.source_hash = submissions.source_hash
{{ join_member_identities('records.member_key') }}
