with versions as (
    select
        *,
        row_number() over (
            partition by unit_code, org_code
            order by is_inferred, year desc
        ) as choice
    from {{ ref('dim_organisation_version') }}
),

years as (
    select
        unit_code,
        org_code,
        min(year) as first_year,
        max(year) as last_year
    from versions
    group by unit_code, org_code
)

select
    versions.organisation_id,
    versions.unit_code,
    versions.org_code,
    versions.org_name,
    versions.org_kind,
    versions.org_sector,
    versions.parent_code,
    versions.grassroots_code,
    versions.commune,
    versions.depth,
    versions.is_cell,
    versions.is_grassroots,
    versions.founded_on,
    versions.closed_on,
    years.first_year,
    years.last_year,
    versions.is_inferred
from versions
inner join years on versions.unit_code = years.unit_code and versions.org_code = years.org_code
where versions.choice = 1
