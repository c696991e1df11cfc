-- From the unit that reported to the unit that the figures belong to by another structure. Summed by the first they
-- are what was reported, summed by the second what is restated. Decimals throughout: nothing is rounded.
with parts as (
    select * from {{ ref('indicator_part') }}
),

structures as (
    select structure_date
    from {{ ref('structures') }}
),

found as (
    select
        structures.structure_date,
        parts.indicator_id,
        parts.year,
        parts.unit_code,
        succession.from_code,
        sum(cast(parts.numerator as decimal(18, 6))) as numerator,
        sum(cast(parts.denominator as decimal(18, 6))) as denominator
    from parts
    cross join structures
    left join {{ ref('organisation_succession') }} as succession
        on
            structures.structure_date = succession.structure_date
            and parts.year = succession.year
            and parts.unit_code = succession.unit_code
            and parts.org_code = succession.org_code
    group by structures.structure_date, parts.indicator_id, parts.year, parts.unit_code, succession.from_code
),

moved as (
    select
        found.structure_date,
        found.indicator_id,
        found.year,
        found.unit_code as from_unit_code,
        coalesce(crosswalk.unit_code, found.unit_code) as to_unit_code,
        cast(found.numerator as decimal(18, 6)) * coalesce(crosswalk.share, cast(1 as decimal(19, 18))) as numerator,
        cast(found.denominator as decimal(18, 6)) * coalesce(crosswalk.share, cast(1 as decimal(19, 18)))
            as denominator,
        coalesce(crosswalk.is_convertible, true) as is_convertible,
        coalesce(crosswalk.is_dissolved, false) as is_dissolved,
        crosswalk.successions
    from found
    left join {{ ref('organisation_crosswalk') }} as crosswalk
        on
            found.structure_date = crosswalk.structure_date
            and found.year = crosswalk.year
            and found.from_code = crosswalk.from_code
),

reasons as (
    select
        structure_date,
        indicator_id,
        year,
        from_unit_code,
        to_unit_code,
        {{ text_list('successions', 'successions', '; ') }} as successions
    from (
        select distinct
            structure_date,
            indicator_id,
            year,
            from_unit_code,
            to_unit_code,
            successions
        from moved
        where successions is not null
    ) as distinct_successions
    group by structure_date, indicator_id, year, from_unit_code, to_unit_code
),

summed as (
    select
        structure_date,
        indicator_id,
        year,
        from_unit_code,
        to_unit_code,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        min(case when is_convertible then 1 else 0 end) = 1 as is_convertible,
        max(case when is_dissolved then 1 else 0 end) = 1 as is_dissolved
    from moved
    group by structure_date, indicator_id, year, from_unit_code, to_unit_code
)

select
    summed.structure_date,
    summed.indicator_id,
    summed.year,
    summed.from_unit_code,
    summed.to_unit_code,
    cast(summed.numerator as decimal(38, 24)) as numerator,
    cast(summed.denominator as decimal(38, 24)) as denominator,
    summed.from_unit_code <> summed.to_unit_code as has_moved,
    summed.is_convertible,
    summed.is_dissolved,
    reasons.successions
from summed
left join reasons
    on
        summed.structure_date = reasons.structure_date
        and summed.indicator_id = reasons.indicator_id
        and summed.year = reasons.year
        and summed.from_unit_code = reasons.from_unit_code
        and summed.to_unit_code = reasons.to_unit_code
