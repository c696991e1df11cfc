-- A case of the register counts as mentioned when a reported row of the same year, loaded or held back, agrees with it
-- in at least two of: whom it concerns, the number of the decision, the date of the decision.
with cases as (
    select
        record_id,
        year,
        unit_code,
        subject,
        subject_org_code,
        subject_member_key,
        coalesce(subject_member_key, subject_org_code) as subject_key,
        upper(replace(decision_no, ' ', '')) as number_key,
        decision_no,
        decided_on
    from {{ ref('fct_discipline_register') }}
),

reported as (
    select
        record_id,
        year,
        coalesce(subject_member_key, subject_org_code) as subject_key,
        upper(replace(decision_no, ' ', '')) as number_key,
        decided_on,
        is_held_back
    from {{ ref('stg_disciplines') }}
    where is_in_force
),

pairs as (
    select
        cases.record_id,
        reported.record_id as matched_record_id
    from cases
    inner join reported
        on
            cases.year = reported.year
            and cases.subject_key = reported.subject_key
            and cases.number_key = reported.number_key
    union
    select
        cases.record_id,
        reported.record_id as matched_record_id
    from cases
    inner join reported
        on
            cases.year = reported.year
            and cases.subject_key = reported.subject_key
            and cases.decided_on = reported.decided_on
    union
    select
        cases.record_id,
        reported.record_id as matched_record_id
    from cases
    inner join reported
        on
            cases.year = reported.year
            and cases.number_key = reported.number_key
            and cases.decided_on = reported.decided_on
),

ranked as (
    select
        pairs.record_id,
        pairs.matched_record_id,
        reported.is_held_back as is_match_held_back,
        row_number() over (
            partition by pairs.record_id
            order by
                case when cases.subject_key = reported.subject_key then 0 else 1 end,
                case when cases.number_key = reported.number_key then 0 else 1 end,
                reported.is_held_back,
                pairs.matched_record_id
        ) as choice
    from pairs
    inner join cases on pairs.record_id = cases.record_id
    inner join reported on pairs.matched_record_id = reported.record_id
),

received as (
    select distinct
        year,
        unit_code
    from {{ ref('fct_submission') }}
    where is_in_force and source_kind = 'unit'
)

select
    cases.record_id,
    cases.year,
    cases.unit_code,
    cases.subject,
    cases.subject_org_code,
    cases.subject_member_key,
    cases.decision_no,
    cases.decided_on,
    received.unit_code is not null as unit_received,
    ranked.record_id is not null as is_mentioned,
    ranked.matched_record_id,
    coalesce(ranked.is_match_held_back, false) as is_match_held_back
from cases
left join ranked on cases.record_id = ranked.record_id and ranked.choice = 1
left join received on cases.year = received.year and cases.unit_code = received.unit_code
