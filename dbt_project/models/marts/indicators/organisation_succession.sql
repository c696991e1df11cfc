-- The deepest organisation on the way up that successions speak of; the unit comes last.
with paths as (
    select
        year,
        unit_code,
        org_code,
        ancestor_code,
        distance
    from {{ ref('bridge_organisation_ancestor') }}
    union all
    select
        year,
        unit_code,
        org_code,
        unit_code as ancestor_code,
        1000 as distance
    from {{ ref('organisation_snapshot') }}
    where org_code <> unit_code
    union all
    select distinct
        year,
        unit_code,
        unit_code as org_code,
        unit_code as ancestor_code,
        1000 as distance
    from {{ ref('organisation_snapshot') }}
),

touched as (
    select distinct
        structure_date,
        year,
        from_code
    from {{ ref('organisation_crosswalk') }}
),

found as (
    select
        touched.structure_date,
        paths.year,
        paths.unit_code,
        paths.org_code,
        touched.from_code,
        row_number() over (
            partition by touched.structure_date, paths.year, paths.unit_code, paths.org_code
            order by paths.distance, touched.from_code
        ) as choice
    from paths
    inner join touched on paths.year = touched.year and paths.ancestor_code = touched.from_code
)

select
    structure_date,
    year,
    unit_code,
    org_code,
    from_code
from found
where choice = 1
