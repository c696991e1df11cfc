with records as (
    select * from {{ source('store', 'discipline_register') }}
),

submissions as (
    select
        source_hash,
        year,
        is_in_force
    from {{ ref('stg_submissions') }}
)

select
    {{ record_id('records', 'discipline_register') }} as record_id,
    records.source_hash,
    records.sheet,
    cast(records.row as integer) as row,
    submissions.year,
    submissions.is_in_force,
    records.is_held_back,
    records.decision_no,
    records.decided_on,
    records.subject,
    records.subject_org_code,
    {{ canonical_member_key('records.subject_member_key') }} as subject_member_key,
    records.subject_member_key as subject_member_key_as_sent,
    records.org_code,
    records.form,
    records.duty_related,
    records.corruption
from records
inner join submissions on records.source_hash = submissions.source_hash
{{ join_member_identities('records.subject_member_key') }}
