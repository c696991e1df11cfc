with organisations as (
    select
        year,
        unit_code,
        org_code as grassroots_code,
        org_name,
        org_kind,
        org_sector
    from {{ ref('organisation_snapshot') }}
    where is_grassroots
),

ratings as (
    select
        year,
        unit_code,
        grassroots_code,
        count(final_level) as rated,
        sum(case when final_level = 'XS' then 1 else 0 end) as xs,
        sum(case when final_level = 'HTT' then 1 else 0 end) as htt,
        sum(case when final_level = 'HT' then 1 else 0 end) as ht,
        sum(case when final_level = 'KHT' then 1 else 0 end) as kht
    from {{ ref('fct_member_assessment') }}
    group by year, unit_code, grassroots_code
),

held_back as (
    select
        year,
        unit_code,
        grassroots_code,
        count(*) as held_back
    from {{ ref('held_back_assessment') }}
    where subject_kind = 'member'
    group by year, unit_code, grassroots_code
)

select
    organisations.year,
    organisations.unit_code,
    organisations.grassroots_code,
    organisations.org_name,
    organisations.org_kind,
    organisations.org_sector,
    cast(coalesce(ratings.rated, 0) as integer) as rated,
    cast(coalesce(ratings.xs, 0) as integer) as xs,
    cast(coalesce(ratings.htt, 0) as integer) as htt,
    cast(coalesce(ratings.ht, 0) as integer) as ht,
    cast(coalesce(ratings.kht, 0) as integer) as kht,
    cast(coalesce(held_back.held_back, 0) + coalesce(unplaced.held_back, 0) as integer) as held_back
from organisations
left join ratings
    on
        organisations.year = ratings.year
        and organisations.unit_code = ratings.unit_code
        and organisations.grassroots_code = ratings.grassroots_code
left join held_back
    on
        organisations.year = held_back.year
        and organisations.unit_code = held_back.unit_code
        and organisations.grassroots_code = held_back.grassroots_code
left join held_back as unplaced
    on
        organisations.year = unplaced.year
        and organisations.unit_code = unplaced.unit_code
        and unplaced.grassroots_code is null
