with unit_years as (
    select distinct
        year,
        unit_code
    from {{ ref('fct_submission') }}
    where is_in_force and source_kind = 'unit'
),

members as (
    select
        year,
        unit_code,
        count(*) as members
    from {{ ref('fct_member') }}
    where is_present
    group by year, unit_code
),

admissions as (
    select
        facts.year,
        facts.unit_code,
        count(*) as admissions,
        sum(case when admission_groups.is_pupil_or_student then 1 else 0 end) as pupils_students,
        sum(case when admission_groups.is_non_state_enterprise then 1 else 0 end) as non_state_enterprise
    from {{ ref('fct_admission') }} as facts
    left join {{ ref('admission_groups') }} as admission_groups
        on facts.admission_group = admission_groups.admission_group
    group by facts.year, facts.unit_code
),

by_unit as (
    select
        unit_years.year,
        unit_years.unit_code,
        coalesce(members.members, 0) as members,
        coalesce(admissions.admissions, 0) as admissions,
        coalesce(admissions.pupils_students, 0) as pupils_students,
        coalesce(admissions.non_state_enterprise, 0) as non_state_enterprise
    from unit_years
    left join members on unit_years.year = members.year and unit_years.unit_code = members.unit_code
    left join admissions on unit_years.year = admissions.year and unit_years.unit_code = admissions.unit_code
),

rows_with_province as (
    select * from by_unit
    union all
    select
        year,
        'ALL' as unit_code,
        sum(members) as members,
        sum(admissions) as admissions,
        sum(pupils_students) as pupils_students,
        sum(non_state_enterprise) as non_state_enterprise
    from by_unit
    group by year
)

select
    year,
    unit_code,
    cast(members as integer) as members,
    cast(admissions as integer) as admissions,
    cast(100 * admissions as double) / nullif(members, 0) as rate_pct,
    cast(pupils_students as integer) as pupils_students,
    cast(non_state_enterprise as integer) as non_state_enterprise
from rows_with_province
