-- Every organisation a unit ever named, in every year the unit has records of, with the parent to walk up to.
-- What a year lacks (row held back, not sent, only referred to) is taken from the nearest year that has it.
{{ config(materialized='table') }}

with submitted as (
    select
        year,
        unit_code,
        org_code,
        org_name,
        org_kind,
        org_sector,
        parent_code,
        commune,
        founded_on,
        closed_on,
        member_count,
        record_id,
        is_held_back,
        row_number() over (
            partition by year, unit_code, org_code
            order by is_held_back, row, record_id
        ) as choice
    from {{ ref('stg_organisations') }}
    where is_in_force and org_code is not null
),

organisations as (
    select * from submitted
    where choice = 1
),

referred as (
    select
        year,
        unit_code,
        org_code
    from {{ ref('stg_organisation_references') }}
),

years as (
    select
        year,
        unit_code
    from organisations
    union
    select
        year,
        unit_code
    from referred
),

codes as (
    select
        unit_code,
        org_code
    from organisations
    union
    select
        unit_code,
        org_code
    from referred
    union
    select
        unit_code,
        parent_code as org_code
    from organisations
    where parent_code is not null and parent_code <> unit_code
),

-- A loaded row of the same year comes first, then a held-back one, then earlier years, then later ones.
candidates as (
    select
        years.year,
        codes.unit_code,
        codes.org_code,
        organisations.org_name,
        organisations.org_kind,
        organisations.org_sector,
        organisations.parent_code,
        organisations.commune,
        organisations.founded_on,
        organisations.closed_on,
        organisations.is_held_back,
        coalesce(not organisations.is_held_back, false) as is_loaded,
        case
            when organisations.year = years.year and not organisations.is_held_back then 5000000
            when organisations.year = years.year then 4000000
            when organisations.is_held_back then 1000000
            when organisations.year < years.year then 3000000 + organisations.year
            else 2000000 - organisations.year
        end as preference
    from years
    inner join codes on years.unit_code = codes.unit_code
    left join organisations
        on codes.unit_code = organisations.unit_code and codes.org_code = organisations.org_code
),

filled as (
    select
        year,
        unit_code,
        org_code,
        max_by(org_name, preference) filter (where is_loaded and org_name is not null) as org_name,
        max_by(org_kind, preference) filter (where is_loaded and org_kind is not null) as org_kind,
        max_by(org_kind, preference) filter (where org_kind is not null) as known_kind,
        max_by(org_sector, preference) filter (where is_loaded and org_sector is not null) as org_sector,
        max_by(parent_code, preference) filter (where parent_code is not null) as parent_code,
        max_by(commune, preference) filter (where is_loaded and commune is not null) as commune,
        max_by(founded_on, preference) filter (where is_loaded and founded_on is not null) as founded_on
    from candidates
    group by year, unit_code, org_code
)

select
    filled.year,
    filled.unit_code,
    filled.org_code,
    case when loaded.org_code is not null then loaded.org_name else filled.org_name end as org_name,
    case when loaded.org_code is not null then loaded.org_kind else filled.org_kind end as org_kind,
    case when loaded.org_code is not null then loaded.org_sector else filled.org_sector end as org_sector,
    filled.parent_code,
    case when loaded.org_code is not null then loaded.commune else filled.commune end as commune,
    case when loaded.org_code is not null then loaded.founded_on else filled.founded_on end as founded_on,
    loaded.closed_on,
    loaded.member_count,
    loaded.record_id,
    loaded.org_code is null as is_inferred,
    present.org_code is not null as is_listed,
    (present.org_code is null and referred.org_code is null) as is_absent,
    coalesce(
        filled.parent_code = filled.unit_code
        or (filled.parent_code is null and kinds.is_grassroots),
        false
    ) as is_top
from filled
left join organisations as present
    on
        filled.year = present.year
        and filled.unit_code = present.unit_code
        and filled.org_code = present.org_code
left join organisations as loaded
    on
        filled.year = loaded.year
        and filled.unit_code = loaded.unit_code
        and filled.org_code = loaded.org_code
        and not loaded.is_held_back
left join referred
    on
        filled.year = referred.year
        and filled.unit_code = referred.unit_code
        and filled.org_code = referred.org_code
left join {{ ref('organisation_kinds') }} as kinds on filled.known_kind = kinds.org_kind
