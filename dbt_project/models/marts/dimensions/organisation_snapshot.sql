with organisations as (
    select * from {{ ref('stg_organisation_years') }}
),

ancestors as (
    select * from {{ ref('bridge_organisation_ancestor') }}
),

existing as (
    select
        year,
        unit_code,
        org_code
    from ancestors
    where distance = 0
),

tops as (
    select
        ancestors.year,
        ancestors.unit_code,
        ancestors.org_code,
        ancestors.ancestor_code as grassroots_code,
        ancestors.distance,
        row_number() over (
            partition by ancestors.year, ancestors.unit_code, ancestors.org_code
            order by ancestors.distance, ancestors.ancestor_code
        ) as choice
    from ancestors
    inner join organisations
        on
            ancestors.year = organisations.year
            and ancestors.unit_code = organisations.unit_code
            and ancestors.ancestor_code = organisations.org_code
    where organisations.is_top
)

select
    existing.year,
    existing.unit_code,
    existing.org_code,
    existing.unit_code || '/' || existing.org_code as organisation_id,
    organisations.org_name,
    organisations.org_kind,
    organisations.org_sector,
    organisations.parent_code,
    tops.grassroots_code,
    organisations.commune,
    cast(tops.distance + 1 as integer) as depth,
    kinds.is_cell,
    (tops.grassroots_code is not null and tops.grassroots_code = existing.org_code) as is_grassroots,
    organisations.founded_on,
    organisations.closed_on,
    organisations.member_count,
    organisations.is_inferred,
    organisations.is_listed,
    organisations.record_id
from existing
inner join organisations
    on
        existing.year = organisations.year
        and existing.unit_code = organisations.unit_code
        and existing.org_code = organisations.org_code
left join tops
    on
        existing.year = tops.year
        and existing.unit_code = tops.unit_code
        and existing.org_code = tops.org_code
        and tops.choice = 1
left join {{ ref('organisation_kinds') }} as kinds on organisations.org_kind = kinds.org_kind
