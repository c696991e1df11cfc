-- Reported and restated beside each other. A unit that exists in one structure alone has nothing on the other side.
with reported as (
    select
        structures.structure_date,
        figures.indicator_id,
        figures.year,
        figures.organisation_level,
        figures.unit_code,
        figures.numerator,
        figures.denominator,
        figures.value
    from {{ ref('indicator_year') }} as figures
    cross join {{ ref('structures') }} as structures
    where figures.organisation_level in ('unit', 'province')
),

restated as (
    select * from {{ ref('indicator_restated') }}
)

select
    coalesce(reported.structure_date, restated.structure_date) as structure_date,
    coalesce(reported.indicator_id, restated.indicator_id) as indicator_id,
    coalesce(reported.year, restated.year) as year,
    coalesce(reported.organisation_level, restated.organisation_level) as organisation_level,
    coalesce(reported.unit_code, restated.unit_code) as unit_code,
    reported.numerator as reported_numerator,
    reported.denominator as reported_denominator,
    reported.value as reported_value,
    restated.numerator as restated_numerator,
    restated.denominator as restated_denominator,
    restated.value as restated_value,
    cast(restated.numerator - reported.numerator as decimal(38, 24)) as numerator_difference,
    cast(restated.denominator - reported.denominator as decimal(38, 24)) as denominator_difference,
    restated.value - reported.value as value_difference,
    restated.note
from reported
full outer join restated
    on
        reported.structure_date = restated.structure_date
        and reported.indicator_id = restated.indicator_id
        and reported.year = restated.year
        and reported.organisation_level = restated.organisation_level
        and reported.unit_code = restated.unit_code
