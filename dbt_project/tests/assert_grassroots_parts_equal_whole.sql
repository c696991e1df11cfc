-- What the grassroots organisations count together is what the unit counts, save for rows that have none.
with units as (
    select
        year,
        unit_code,
        count(final_level) as rated,
        count(*) as assessed
    from {{ ref('fct_member_assessment') }}
    where grassroots_code is not null
    group by year, unit_code
),

roll as (
    select
        year,
        unit_code,
        count(*) as members
    from {{ ref('fct_member') }}
    where is_present and grassroots_code is not null
    group by year, unit_code
),

excellence as (
    select
        year,
        unit_code,
        sum(rated) as rated,
        sum(xs + htt + ht + kht) as levels
    from {{ ref('grassroots_excellence') }}
    group by year, unit_code
),

organisations as (
    select
        year,
        unit_code,
        sum(members) as members,
        sum(members_rated) as rated,
        sum(members_rated + members_not_rated) as assessed
    from {{ ref('organisation_year') }}
    where is_grassroots
    group by year, unit_code
)

select
    organisations.year,
    organisations.unit_code
from organisations
left join units on organisations.year = units.year and organisations.unit_code = units.unit_code
left join roll on organisations.year = roll.year and organisations.unit_code = roll.unit_code
left join excellence on organisations.year = excellence.year and organisations.unit_code = excellence.unit_code
where
    organisations.rated <> coalesce(units.rated, 0)
    or organisations.assessed <> coalesce(units.assessed, 0)
    or organisations.members <> coalesce(roll.members, 0)
    or coalesce(excellence.rated, 0) <> coalesce(units.rated, 0)
    or coalesce(excellence.levels, 0) <> coalesce(units.rated, 0)
