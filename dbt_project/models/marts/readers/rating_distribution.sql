with unit_years as (
    select distinct
        year,
        unit_code
    from {{ ref('fct_submission') }}
    where is_in_force and source_kind = 'unit'
),

assessments as (
    select
        year,
        unit_code,
        'member' as subject_kind,
        final_level
    from {{ ref('fct_member_assessment') }}
    union all
    select
        year,
        unit_code,
        'organisation' as subject_kind,
        final_level
    from {{ ref('fct_organisation_assessment') }}
    union all
    select
        year,
        unit_code,
        'grassroots' as subject_kind,
        final_level
    from {{ ref('fct_organisation_assessment') }}
    where is_grassroots
),

subject_kinds as (
    select 'member' as subject_kind
    union all
    select 'organisation' as subject_kind
    union all
    select 'grassroots' as subject_kind
),

by_level as (
    select
        year,
        unit_code,
        subject_kind,
        final_level,
        count(*) as n
    from assessments
    group by year, unit_code, subject_kind, final_level
),

wholes as (
    select
        year,
        unit_code,
        subject_kind,
        count(final_level) as rated,
        count(*) - count(final_level) as not_rated,
        count(*) as total
    from assessments
    group by year, unit_code, subject_kind
)

select
    unit_years.year,
    unit_years.unit_code,
    subject_kinds.subject_kind,
    levels.level_code,
    cast(coalesce(by_level.n, 0) as integer) as n,
    cast(coalesce(by_level.n, 0) as double) / nullif(wholes.rated, 0) as share,
    cast(coalesce(wholes.rated, 0) as integer) as rated,
    cast(coalesce(wholes.not_rated, 0) as integer) as not_rated,
    cast(coalesce(wholes.total, 0) as integer) as total
from unit_years
cross join subject_kinds
cross join {{ ref('dim_level') }} as levels
left join wholes
    on
        unit_years.year = wholes.year
        and unit_years.unit_code = wholes.unit_code
        and subject_kinds.subject_kind = wholes.subject_kind
left join by_level
    on
        unit_years.year = by_level.year
        and unit_years.unit_code = by_level.unit_code
        and subject_kinds.subject_kind = by_level.subject_kind
        and levels.level_code = by_level.final_level
