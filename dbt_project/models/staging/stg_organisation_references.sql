-- Organisations that loaded records refer to, whether or not Biểu 2 has a loaded row of them.
{{ config(materialized='table') }}

with referred as (
    select
        year,
        unit_code,
        cell_code as org_code
    from {{ ref('stg_members') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        org_code
    from {{ ref('stg_organisation_assessments') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        cell_code as org_code
    from {{ ref('stg_member_assessments') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        cell_code as org_code
    from {{ ref('stg_cell_meetings') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        conductor_code as org_code
    from {{ ref('stg_inspections') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        subject_org_code as org_code
    from {{ ref('stg_inspections') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        org_code
    from {{ ref('stg_disciplines') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        subject_org_code as org_code
    from {{ ref('stg_disciplines') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        cell_code as org_code
    from {{ ref('stg_admissions') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        cell_code as org_code
    from {{ ref('stg_hamlets') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        org_code
    from {{ ref('stg_trainings') }}
    where is_in_force and not is_held_back
    union
    select
        year,
        unit_code,
        org_code
    from {{ ref('stg_programme_uptakes') }}
    where is_in_force and not is_held_back
    union
    select
        cases.year,
        units.unit_code,
        cases.org_code
    from {{ ref('stg_discipline_register') }} as cases
    inner join {{ ref('stg_register_units') }} as units
        on cases.year = units.year and cases.org_code = units.org_code
    where cases.is_in_force and not cases.is_held_back
    union
    select
        cases.year,
        units.unit_code,
        cases.subject_org_code as org_code
    from {{ ref('stg_discipline_register') }} as cases
    inner join {{ ref('stg_register_units') }} as units
        on cases.year = units.year and cases.org_code = units.org_code
    where cases.is_in_force and not cases.is_held_back
)

select
    year,
    unit_code,
    org_code
from referred
where org_code is not null and unit_code is not null and org_code <> unit_code
