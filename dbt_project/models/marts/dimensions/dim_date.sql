-- From the first day of the first year with a regime to the end of the year after the last one: dossiers of a year are
-- closed in the year that follows.
with digits as (
    select ten.digit
    from (values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) as ten (digit)
),

numbers as (
    select 100 * hundreds.digit + 10 * tens.digit + ones.digit as number
    from digits as hundreds
    cross join digits as tens
    cross join digits as ones
    where hundreds.digit <= 3
),

years as (
    select year from {{ ref('dim_year') }}
    union
    select max(year) + 1 as year from {{ ref('dim_year') }}
),

days as (
    select
        years.year,
        {{ add_days("cast(cast(years.year as varchar) || '-01-01' as date)", "numbers.number") }} as date_day
    from years
    cross join numbers
)

select
    date_day,
    cast(extract(year from date_day) as integer) as year,
    cast(extract(quarter from date_day) as integer) as quarter,
    cast(extract(month from date_day) as integer) as month
from days
where extract(year from date_day) = year
