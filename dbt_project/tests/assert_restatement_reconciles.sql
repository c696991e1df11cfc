-- Summed by who reported, a restatement is what was reported; summed over all, the province's total. No tolerance.
with moved as (
    select
        structure_date,
        indicator_id,
        year,
        from_unit_code as unit_code,
        sum(numerator) as numerator,
        sum(denominator) as denominator
    from {{ ref('bridge_restatement') }}
    group by structure_date, indicator_id, year, from_unit_code
    union all
    select
        structure_date,
        indicator_id,
        year,
        'ALL' as unit_code,
        numerator,
        denominator
    from {{ ref('indicator_restated') }}
    where organisation_level = 'province'
),

reported as (
    select
        structures.structure_date,
        figures.indicator_id,
        figures.year,
        figures.unit_code,
        figures.numerator,
        figures.denominator
    from {{ ref('indicator_year') }} as figures
    cross join {{ ref('structures') }} as structures
    where figures.organisation_level in ('unit', 'province')
)

select
    coalesce(moved.structure_date, reported.structure_date) as structure_date,
    coalesce(moved.indicator_id, reported.indicator_id) as indicator_id,
    coalesce(moved.year, reported.year) as year,
    coalesce(moved.unit_code, reported.unit_code) as unit_code,
    reported.numerator as reported_numerator,
    moved.numerator as moved_numerator,
    reported.denominator as reported_denominator,
    moved.denominator as moved_denominator
from moved
full outer join reported
    on
        moved.structure_date = reported.structure_date
        and moved.indicator_id = reported.indicator_id
        and moved.year = reported.year
        and moved.unit_code = reported.unit_code
where
    moved.numerator is distinct from reported.numerator
    or moved.denominator is distinct from reported.denominator
