-- One row per member and year: the gravest case speaks for the form. Where any case involves duty, only those cases can
-- be excused by the member having reported himself.
with cases as (
    select
        *,
        row_number() over (
            partition by year, subject_member_key
            order by gravity desc, in_register desc, in_report desc, case_id
        ) as choice
    from {{ ref('discipline_case') }}
    where subject_member_key is not null
),

members as (
    select
        year,
        subject_member_key as member_key,
        case
            when max(case when duty_related then 1 else 0 end) = 1 then true
            when count(duty_related) = count(*) then false
        end as duty_related,
        case
            when max(case when corruption then 1 else 0 end) = 1 then true
            when count(corruption) = count(*) then false
        end as corruption,
        max(case when in_report then 1 else 0 end) = 1 as in_report,
        max(case when in_register then 1 else 0 end) = 1 as in_register,
        min(case when duty_related and self_reported then 1 when duty_related then 0 end) = 1 as duty_self_reported,
        min(case when self_reported then 1 else 0 end) = 1 as all_self_reported,
        count(*) as cases
    from cases
    group by year, subject_member_key
),

-- The books a member's cases stand in, each at its gravest case.
report_rows as (
    select
        year,
        subject_member_key as member_key,
        record_id,
        row_number() over (
            partition by year, subject_member_key
            order by gravity desc, record_id
        ) as choice
    from cases
    where record_id is not null
),

register_rows as (
    select
        year,
        subject_member_key as member_key,
        register_record_id,
        row_number() over (
            partition by year, subject_member_key
            order by gravity desc, register_record_id
        ) as choice
    from cases
    where register_record_id is not null
),

reported as (
    select
        record_id,
        source_hash,
        sheet,
        row
    from {{ ref('stg_disciplines') }}
),

register as (
    select
        record_id,
        source_hash,
        sheet,
        row
    from {{ ref('fct_discipline_register') }}
),

roll as (
    select
        facts.year,
        facts.unit_code,
        facts.member_key,
        facts.cell_code,
        facts.is_present,
        facts.is_head,
        row_number() over (
            partition by facts.year, facts.unit_code, facts.member_key
            order by facts.is_present desc nulls last, facts.record_id
        ) as choice,
        row_number() over (
            partition by facts.year, facts.member_key
            order by facts.is_present desc nulls last, facts.record_id
        ) as choice_anywhere
    from {{ ref('fct_member') }} as facts
    inner join members on facts.year = members.year and facts.member_key = members.member_key
),

assessments as (
    select
        facts.year,
        facts.member_key,
        facts.record_id,
        facts.final_level,
        facts.not_rated_reason,
        row_number() over (
            partition by facts.year, facts.member_key
            order by facts.is_rated desc, facts.record_id
        ) as choice
    from {{ ref('fct_member_assessment') }} as facts
    inner join members on facts.year = members.year and facts.member_key = members.member_key
),

held_back as (
    select distinct
        year,
        member_key
    from {{ ref('held_back_assessment') }}
    where member_key is not null
)

select
    members.year,
    members.member_key,
    coalesce(cases.unit_code, anywhere.unit_code) as unit_code,
    coalesce(roll.cell_code, cases.org_code, anywhere.cell_code) as cell_code,
    cases.org_code,
    cases.form as gravest_form,
    members.duty_related,
    case when members.duty_related then members.duty_self_reported else members.all_self_reported end as self_reported,
    members.corruption,
    members.in_report,
    members.in_register,
    cast(members.cases as integer) as cases,
    cases.decided_on,
    cases.decision_no,
    coalesce(roll.is_head, anywhere.is_head) as is_head,
    assessments.final_level,
    case
        when assessments.final_level is not null then 'rated'
        when assessments.not_rated_reason is not null then 'not_rated'
        when held_back.member_key is not null then 'held_back'
        when not coalesce(roll.is_present, anywhere.is_present) then 'not_present'
        else 'absent'
    end as assessment_state,
    assessments.record_id as assessment_record_id,
    reported.record_id,
    reported.source_hash,
    reported.sheet,
    reported.row,
    register.record_id as register_record_id,
    register.source_hash as register_source_hash,
    register.sheet as register_sheet,
    register.row as register_row
from members
inner join cases
    on
        members.year = cases.year
        and members.member_key = cases.subject_member_key
        and cases.choice = 1
left join roll
    on
        members.year = roll.year
        and members.member_key = roll.member_key
        and cases.unit_code = roll.unit_code
        and roll.choice = 1
left join roll as anywhere
    on
        members.year = anywhere.year
        and members.member_key = anywhere.member_key
        and anywhere.choice_anywhere = 1
left join assessments
    on
        members.year = assessments.year
        and members.member_key = assessments.member_key
        and assessments.choice = 1
left join held_back on members.year = held_back.year and members.member_key = held_back.member_key
left join report_rows
    on
        members.year = report_rows.year
        and members.member_key = report_rows.member_key
        and report_rows.choice = 1
left join reported on report_rows.record_id = reported.record_id
left join register_rows
    on
        members.year = register_rows.year
        and members.member_key = register_rows.member_key
        and register_rows.choice = 1
left join register on register_rows.register_record_id = register.record_id
