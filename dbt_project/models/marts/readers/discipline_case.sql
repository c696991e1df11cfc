-- One case, however many books it stands in: the register's row with the reported row that mentions it, and reported
-- rows that no case of the register matches. Where both speak, the register decides whether duty was involved; a mark
-- that nobody wrote lawfully stays unknown.
with register as (
    select * from {{ ref('fct_discipline_register') }}
),

reported as (
    select * from {{ ref('fct_discipline') }}
),

statements as (
    select
        record_id,
        self_reported,
        duty_related,
        corruption
    from {{ ref('stg_disciplines') }}
    where is_in_force
),

matches as (
    select
        record_id,
        matched_record_id
    from {{ ref('discipline_match') }}
    where matched_record_id is not null
),

matched as (
    select distinct matched_record_id as record_id
    from matches
),

registered as (
    select
        coalesce(cast(extract(year from register.decided_on) as integer), register.year) as year,
        coalesce(reported.unit_code, register.unit_code) as unit_code,
        register.subject,
        coalesce(register.subject_member_key, reported.subject_member_key) as subject_member_key,
        coalesce(register.subject_org_code, reported.subject_org_code) as subject_org_code,
        coalesce(reported.org_code, register.org_code) as org_code,
        register.form,
        coalesce(register.duty_related, statements.duty_related) as duty_related,
        case
            when register.corruption or statements.corruption then true
            else coalesce(register.corruption, statements.corruption)
        end as corruption,
        statements.self_reported,
        register.decided_on,
        register.decision_no,
        matches.matched_record_id is not null as in_report,
        true as in_register,
        matches.matched_record_id as record_id,
        register.record_id as register_record_id
    from register
    left join matches on register.record_id = matches.record_id
    left join reported on matches.matched_record_id = reported.record_id
    left join statements on matches.matched_record_id = statements.record_id
),

only_reported as (
    select
        coalesce(cast(extract(year from reported.decided_on) as integer), reported.year) as year,
        reported.unit_code,
        reported.subject,
        reported.subject_member_key,
        reported.subject_org_code,
        reported.org_code,
        reported.form,
        reported.duty_related,
        reported.corruption,
        reported.self_reported,
        reported.decided_on,
        reported.decision_no,
        true as in_report,
        false as in_register,
        reported.record_id,
        cast(null as varchar) as register_record_id
    from reported
    left join matched on reported.record_id = matched.record_id
    where matched.record_id is null
),

cases as (
    select * from registered
    union all
    select * from only_reported
)

select
    coalesce(cases.register_record_id, cases.record_id) as case_id,
    cases.year,
    cases.unit_code,
    cases.subject,
    cases.subject_member_key,
    cases.subject_org_code,
    cases.org_code,
    cases.form,
    cast(coalesce(forms.gravity, 0) as integer) as gravity,
    cases.duty_related,
    cases.corruption,
    cases.self_reported,
    cases.decided_on,
    cases.decision_no,
    cases.in_report,
    cases.in_register,
    cases.record_id,
    cases.register_record_id
from cases
left join {{ ref('discipline_forms') }} as forms on cases.form = forms.form
