-- Only subjects that have all three steps are compared: otherwise a step would differ because others stand on it.
with subjects as (
    select
        year,
        unit_code,
        'member' as subject_kind,
        self_level,
        proposed_level as appraised_level,
        final_level
    from {{ ref('fct_member_assessment') }}
    union all
    select
        year,
        unit_code,
        'organisation' as subject_kind,
        self_level,
        appraised_level,
        final_level
    from {{ ref('fct_organisation_assessment') }}
    union all
    select
        year,
        unit_code,
        'grassroots' as subject_kind,
        self_level,
        appraised_level,
        final_level
    from {{ ref('fct_organisation_assessment') }}
    where is_grassroots
),

compared as (
    select * from subjects
    where self_level is not null and appraised_level is not null and final_level is not null
),

wholes as (
    select
        year,
        unit_code,
        subject_kind,
        count(*) as compared
    from compared
    group by year, unit_code, subject_kind
),

by_step as (
    select
        year,
        unit_code,
        subject_kind,
        'self' as step,
        self_level as level_code,
        count(*) as n
    from compared
    group by year, unit_code, subject_kind, self_level
    union all
    select
        year,
        unit_code,
        subject_kind,
        'appraised' as step,
        appraised_level as level_code,
        count(*) as n
    from compared
    group by year, unit_code, subject_kind, appraised_level
    union all
    select
        year,
        unit_code,
        subject_kind,
        'decided' as step,
        final_level as level_code,
        count(*) as n
    from compared
    group by year, unit_code, subject_kind, final_level
),

steps as (
    select 'self' as step
    union all
    select 'appraised' as step
    union all
    select 'decided' as step
)

select
    wholes.year,
    wholes.unit_code,
    wholes.subject_kind,
    steps.step,
    levels.level_code,
    cast(coalesce(by_step.n, 0) as integer) as n,
    cast(coalesce(by_step.n, 0) as double) / wholes.compared as share,
    cast(wholes.compared as integer) as compared
from wholes
cross join steps
cross join {{ ref('dim_level') }} as levels
left join by_step
    on
        wholes.year = by_step.year
        and wholes.unit_code = by_step.unit_code
        and wholes.subject_kind = by_step.subject_kind
        and steps.step = by_step.step
        and levels.level_code = by_step.level_code
