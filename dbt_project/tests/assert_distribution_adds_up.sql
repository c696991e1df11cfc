-- The levels make up the rated; rated and not rated make up the rows of the facts.
with facts as (
    select
        year,
        unit_code,
        'member' as subject_kind,
        count(*) as total
    from {{ ref('fct_member_assessment') }}
    group by year, unit_code
    union all
    select
        year,
        unit_code,
        'organisation' as subject_kind,
        count(*) as total
    from {{ ref('fct_organisation_assessment') }}
    group by year, unit_code
    union all
    select
        year,
        unit_code,
        'grassroots' as subject_kind,
        count(*) as total
    from {{ ref('fct_organisation_assessment') }}
    where is_grassroots
    group by year, unit_code
),

distribution as (
    select
        year,
        unit_code,
        subject_kind,
        sum(n) as levels,
        max(rated) as rated,
        max(not_rated) as not_rated,
        max(total) as total
    from {{ ref('rating_distribution') }}
    group by year, unit_code, subject_kind
)

select
    distribution.year,
    distribution.unit_code,
    distribution.subject_kind
from distribution
left join facts
    on
        distribution.year = facts.year
        and distribution.unit_code = facts.unit_code
        and distribution.subject_kind = facts.subject_kind
where
    distribution.levels <> distribution.rated
    or distribution.rated + distribution.not_rated <> distribution.total
    or distribution.total <> coalesce(facts.total, 0)
