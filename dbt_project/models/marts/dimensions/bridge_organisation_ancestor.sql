-- The walk goes up by the parent's code, never by the shape of the code; a chain longer than any hierarchy is a cycle
-- and is left there.
with recursive organisations as (
    select
        year,
        unit_code,
        org_code,
        parent_code,
        is_absent
    from {{ ref('stg_organisation_years') }}
),

walk as (
    select
        year,
        unit_code,
        org_code,
        org_code as ancestor_code,
        parent_code as next_code,
        0 as distance
    from organisations
    where not is_absent
    union all
    select
        walk.year,
        walk.unit_code,
        walk.org_code,
        organisations.org_code as ancestor_code,
        organisations.parent_code as next_code,
        walk.distance + 1 as distance
    from walk
    inner join organisations
        on
            walk.year = organisations.year
            and walk.unit_code = organisations.unit_code
            and walk.next_code = organisations.org_code
    where
        walk.distance < {{ var('max_hierarchy_depth') }}
        and walk.next_code <> walk.unit_code
        and walk.next_code <> walk.org_code
),

reached as (
    select
        year,
        unit_code,
        org_code,
        ancestor_code,
        min(distance) as distance
    from walk
    group by year, unit_code, org_code, ancestor_code
),

-- An organisation that only stands on the way up exists as well, and is its own ancestor.
on_the_way as (
    select distinct
        reached.year,
        reached.unit_code,
        reached.ancestor_code
    from reached
    inner join organisations
        on
            reached.year = organisations.year
            and reached.unit_code = organisations.unit_code
            and reached.ancestor_code = organisations.org_code
    where organisations.is_absent
)

select
    year,
    unit_code,
    org_code,
    ancestor_code,
    cast(distance as integer) as distance
from reached
union all
select
    year,
    unit_code,
    ancestor_code as org_code,
    ancestor_code,
    cast(0 as integer) as distance
from on_the_way
