-- Without a list of units, every unit that ever sent is expected every year.
with years as (
    select distinct year
    from {{ ref('fct_submission') }}
    where is_in_force and source_kind = 'unit'
),

units as (
    select
        unit_code,
        unit_name,
        is_expected
    from {{ ref('dim_unit') }}
),

listed as (
    select
        unit_code,
        coalesce(from_year, 0) as from_year,
        coalesce(to_year, 9999) as to_year
    from {{ ref('stg_units') }}
),

expected as (
    select distinct
        years.year,
        units.unit_code,
        units.unit_name
    from years
    cross join units
    left join listed on units.unit_code = listed.unit_code
    where
        units.is_expected
        and (listed.unit_code is null or years.year between listed.from_year and listed.to_year)
),

received as (
    select distinct
        year,
        unit_code
    from {{ ref('fct_submission') }}
    where is_in_force and source_kind = 'unit'
),

missing as (
    select
        expected.year,
        {{ text_list("expected.unit_name", "expected.unit_code") }} as units_missing
    from expected
    left join received on expected.year = received.year and expected.unit_code = received.unit_code
    where received.unit_code is null
    group by expected.year
),

counted as (
    select
        expected.year,
        count(*) as units_expected,
        count(received.unit_code) as units_received
    from expected
    left join received on expected.year = received.year and expected.unit_code = received.unit_code
    group by expected.year
)

select
    years.year,
    cast(coalesce(counted.units_expected, 0) as integer) as units_expected,
    cast(coalesce(counted.units_received, 0) as integer) as units_received,
    missing.units_missing
from years
left join counted on years.year = counted.year
left join missing on years.year = missing.year
