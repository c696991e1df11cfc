-- What the rule on arithmetic (R30) compares. A held-back row is neither present nor absent: it is counted apart.
with unit_years as (
    select distinct
        year,
        unit_code
    from {{ ref('fct_submission') }}
    where is_in_force and source_kind = 'unit'
),

movements as (
    select
        year,
        unit_code,
        max(case when line = 'A' then count end) as movement_a,
        max(case when line = 'B' then count end) as movement_b,
        max(case when line = 'B1' then count end) as movement_b1,
        max(case when line = 'C' then count end) as movement_c,
        max(case when line = 'D' then count end) as movement_d
    from {{ ref('fct_membership_movement') }}
    group by year, unit_code
),

roll as (
    select
        members.year,
        members.unit_code,
        sum(case when not members.is_held_back then 1 else 0 end) as members_rows,
        sum(case when members.is_held_back then 1 else 0 end) as members_held_back,
        sum(case when not members.is_held_back and statuses.is_present then 1 else 0 end) as members_present,
        sum(
            case
                when members.is_held_back and coalesce(statuses.is_present, true) then 1
                when not members.is_held_back and statuses.is_present is null then 1
                else 0
            end
        ) as members_unknown
    from {{ ref('stg_members') }} as members
    left join {{ ref('member_statuses') }} as statuses on members.status = statuses.status
    where members.is_in_force
    group by members.year, members.unit_code
),

assessments as (
    select
        year,
        unit_code,
        count(*) as assessments_rows,
        count(final_level) as assessments_rated,
        count(not_rated_reason) as assessments_not_rated
    from {{ ref('fct_member_assessment') }}
    group by year, unit_code
),

held_back as (
    select
        year,
        unit_code,
        sum(case when subject_kind = 'member' then 1 else 0 end) as assessments_held_back,
        sum(case when subject_kind = 'member' and grassroots_code is null then 1 else 0 end) as assessments_unplaced,
        sum(case when subject_kind = 'organisation' then 1 else 0 end) as organisation_assessments_held_back
    from {{ ref('held_back_assessment') }}
    group by year, unit_code
),

admissions as (
    select
        year,
        unit_code,
        sum(case when not is_held_back then 1 else 0 end) as admissions_rows,
        sum(case when is_held_back then 1 else 0 end) as admissions_held_back
    from {{ ref('stg_admissions') }}
    where is_in_force
    group by year, unit_code
)

select
    unit_years.year,
    unit_years.unit_code,
    movements.movement_a,
    movements.movement_b,
    movements.movement_b1,
    movements.movement_c,
    movements.movement_d,
    cast(coalesce(roll.members_rows, 0) as bigint) as members_rows,
    cast(coalesce(roll.members_held_back, 0) as bigint) as members_held_back,
    cast(coalesce(roll.members_present, 0) as bigint) as members_present,
    cast(coalesce(roll.members_unknown, 0) as bigint) as members_unknown,
    cast(coalesce(assessments.assessments_rows, 0) as bigint) as assessments_rows,
    cast(coalesce(held_back.assessments_held_back, 0) as bigint) as assessments_held_back,
    cast(coalesce(held_back.assessments_unplaced, 0) as bigint) as assessments_unplaced,
    cast(coalesce(assessments.assessments_rated, 0) as bigint) as assessments_rated,
    cast(coalesce(assessments.assessments_not_rated, 0) as bigint) as assessments_not_rated,
    cast(coalesce(held_back.organisation_assessments_held_back, 0) as bigint) as organisation_assessments_held_back,
    cast(coalesce(admissions.admissions_rows, 0) as bigint) as admissions_rows,
    cast(coalesce(admissions.admissions_held_back, 0) as bigint) as admissions_held_back
from unit_years
left join movements on unit_years.year = movements.year and unit_years.unit_code = movements.unit_code
left join roll on unit_years.year = roll.year and unit_years.unit_code = roll.unit_code
left join assessments on unit_years.year = assessments.year and unit_years.unit_code = assessments.unit_code
left join held_back on unit_years.year = held_back.year and unit_years.unit_code = held_back.unit_code
left join admissions on unit_years.year = admissions.year and unit_years.unit_code = admissions.unit_code
