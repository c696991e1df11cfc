with expected as (
    select
        unit_code,
        unit_name,
        row_number() over (
            partition by unit_code
            order by coalesce(to_year, 9999) desc, coalesce(from_year, 0) desc, unit_name
        ) as choice
    from {{ ref('stg_units') }}
),

received as (
    select
        unit_code,
        unit_name,
        year,
        row_number() over (partition by unit_code order by year desc, source_hash) as choice
    from {{ ref('stg_submissions') }}
    where is_in_force and source_kind = 'unit'
),

years as (
    select
        unit_code,
        min(year) as first_year,
        max(year) as last_year
    from received
    group by unit_code
),

units as (
    select unit_code from expected
    union
    select unit_code from received
)

select
    units.unit_code,
    coalesce(expected.unit_name, received.unit_name, units.unit_code) as unit_name,
    (expected.unit_code is not null or not exists (select 1 from {{ ref('stg_units') }})) as is_expected,
    years.first_year,
    years.last_year
from units
left join expected on units.unit_code = expected.unit_code and expected.choice = 1
left join received on units.unit_code = received.unit_code and received.choice = 1
left join years on units.unit_code = years.unit_code
