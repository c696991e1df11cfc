-- The Commission's register names no unit: it is found by the organisation, in any year; a code no unit ever listed
-- falls back to the longest unit code it begins with.
{{ config(materialized='table') }}

with cases as (
    select distinct
        year,
        org_code
    from {{ ref('stg_discipline_register') }}
    where is_in_force and org_code is not null
),

organisations as (
    select distinct
        year,
        unit_code,
        org_code
    from {{ ref('stg_organisations') }}
    where is_in_force and org_code is not null
),

units as (
    select distinct unit_code
    from {{ ref('stg_submissions') }}
    where state = 'accepted' and unit_code is not null
    union
    select unit_code from {{ ref('stg_units') }}
),

listed as (
    select
        cases.year,
        cases.org_code,
        organisations.unit_code,
        row_number() over (
            partition by cases.year, cases.org_code
            order by abs(organisations.year - cases.year), organisations.year desc, organisations.unit_code
        ) as choice
    from cases
    inner join organisations on cases.org_code = organisations.org_code
),

prefixed as (
    select
        cases.year,
        cases.org_code,
        units.unit_code,
        row_number() over (
            partition by cases.year, cases.org_code
            order by length(units.unit_code) desc, units.unit_code
        ) as choice
    from cases
    inner join units
        on
            cases.org_code = units.unit_code
            or {{ is_part_of('cases.org_code', 'units.unit_code') }}
)

select
    cases.year,
    cases.org_code,
    coalesce(listed.unit_code, prefixed.unit_code) as unit_code
from cases
left join listed
    on cases.year = listed.year and cases.org_code = listed.org_code and listed.choice = 1
left join prefixed
    on cases.year = prefixed.year and cases.org_code = prefixed.org_code and prefixed.choice = 1
