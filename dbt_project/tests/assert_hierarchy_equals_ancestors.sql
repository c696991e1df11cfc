-- On 31 December the dated hierarchy says what the year's own structure says, for all that is still there on that day
-- as the year's report tells it: a succession may have changed it by then, and only a later report show it.
with days as (
    select distinct
        year,
        unit_code,
        org_code,
        {{ last_of_year('year') }} as last_day
    from {{ ref('bridge_organisation_ancestor') }}
    where org_code <> unit_code
),

in_force as (
    select
        days.year,
        days.unit_code,
        days.org_code,
        days.last_day,
        versions.organisation_version_key
    from days
    inner join {{ ref('dim_organisation') }} as versions
        on
            days.unit_code = versions.unit_code
            and days.org_code = versions.org_code
            and days.last_day >= versions.valid_from
            and days.last_day < {{ end_of('versions.valid_to') }}
            and days.year >= versions.first_year
),

-- Who stood above may have closed or changed within the year: then all beyond is reached another way.
gaps as (
    select
        gone.year,
        gone.unit_code,
        gone.org_code,
        min(gone.distance) as distance
    from {{ ref('bridge_organisation_ancestor') }} as gone
    left join in_force as still_there
        on
            gone.year = still_there.year
            and gone.unit_code = still_there.unit_code
            and gone.ancestor_code = still_there.org_code
    where still_there.org_code is null
    group by gone.year, gone.unit_code, gone.org_code
),

by_year as (
    select
        ancestors.year,
        ancestors.unit_code,
        ancestors.org_code,
        ancestors.ancestor_code,
        ancestors.distance
    from {{ ref('bridge_organisation_ancestor') }} as ancestors
    inner join in_force
        on
            ancestors.year = in_force.year
            and ancestors.unit_code = in_force.unit_code
            and ancestors.org_code = in_force.org_code
    left join gaps
        on
            ancestors.year = gaps.year
            and ancestors.unit_code = gaps.unit_code
            and ancestors.org_code = gaps.org_code
    where
        ancestors.ancestor_code <> ancestors.unit_code
        and ancestors.distance < coalesce(gaps.distance, {{ var('max_hierarchy_depth') }})
),

by_date as (
    select
        in_force.year,
        in_force.unit_code,
        in_force.org_code,
        hierarchy.ancestor_code,
        hierarchy.distance
    from in_force
    inner join {{ ref('bridge_organisation_hierarchy') }} as hierarchy
        on
            in_force.organisation_version_key = hierarchy.organisation_version_key
            and in_force.last_day >= hierarchy.valid_from
            and in_force.last_day < {{ end_of('hierarchy.valid_to') }}
    left join gaps
        on
            in_force.year = gaps.year
            and in_force.unit_code = gaps.unit_code
            and in_force.org_code = gaps.org_code
    where
        hierarchy.ancestor_level is distinct from 'unit'
        and hierarchy.ancestor_level is distinct from 'province'
        and hierarchy.distance < coalesce(gaps.distance, {{ var('max_hierarchy_depth') }})
)

select
    coalesce(by_year.year, by_date.year) as year,
    coalesce(by_year.unit_code, by_date.unit_code) as unit_code,
    coalesce(by_year.org_code, by_date.org_code) as org_code,
    coalesce(by_year.ancestor_code, by_date.ancestor_code) as ancestor_code,
    by_year.distance as distance_in_year,
    by_date.distance as distance_on_day
from by_year
full outer join by_date
    on
        by_year.year = by_date.year
        and by_year.unit_code = by_date.unit_code
        and by_year.org_code = by_date.org_code
        and by_year.ancestor_code = by_date.ancestor_code
where by_year.distance is distinct from by_date.distance
