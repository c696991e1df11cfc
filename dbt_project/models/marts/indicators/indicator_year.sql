-- As reported: each unit with the organisations it had when it reported, the grassroots organisations, the province.
with parts as (
    select * from {{ ref('indicator_part') }}
),

held_back as (
    select
        indicators.indicator_id,
        submissions.year,
        submissions.unit_code,
        sum(forms.held_back) as rows_held_back
    from {{ ref('fct_submission') }} as submissions
    inner join {{ ref('fct_submission_form') }} as forms on submissions.source_hash = forms.source_hash
    inner join {{ ref('indicators') }} as indicators
        on ' ' || indicators.source_forms || ' ' like '% ' || forms.form || ' %'
    where submissions.is_in_force and submissions.source_kind = 'unit'
    group by indicators.indicator_id, submissions.year, submissions.unit_code
),

by_grassroots as (
    select
        parts.indicator_id,
        parts.year,
        parts.unit_code,
        organisations.grassroots_code as org_code,
        sum(parts.numerator) as numerator,
        sum(parts.denominator) as denominator
    from parts
    inner join {{ ref('organisation_snapshot') }} as organisations
        on
            parts.year = organisations.year
            and parts.unit_code = organisations.unit_code
            and parts.org_code = organisations.org_code
    where organisations.grassroots_code is not null
    group by parts.indicator_id, parts.year, parts.unit_code, organisations.grassroots_code
),

by_unit as (
    select
        parts.indicator_id,
        parts.year,
        parts.unit_code,
        sum(parts.numerator) as numerator,
        sum(parts.denominator) as denominator,
        max(held_back.rows_held_back) as rows_held_back
    from parts
    left join held_back
        on
            parts.indicator_id = held_back.indicator_id
            and parts.year = held_back.year
            and parts.unit_code = held_back.unit_code
    group by parts.indicator_id, parts.year, parts.unit_code
),

levels as (
    select
        indicator_id,
        year,
        'grassroots' as organisation_level,
        unit_code,
        org_code,
        numerator,
        denominator,
        cast(null as bigint) as rows_held_back,
        1 as units_counted
    from by_grassroots
    union all
    select
        indicator_id,
        year,
        'unit' as organisation_level,
        unit_code,
        unit_code as org_code,
        numerator,
        denominator,
        cast(rows_held_back as bigint) as rows_held_back,
        1 as units_counted
    from by_unit
    union all
    select
        indicator_id,
        year,
        'province' as organisation_level,
        'ALL' as unit_code,
        'ALL' as org_code,
        sum(numerator) as numerator,
        sum(denominator) as denominator,
        cast(sum(rows_held_back) as bigint) as rows_held_back,
        count(*) as units_counted
    from by_unit
    group by indicator_id, year
)

select
    levels.indicator_id,
    levels.year,
    levels.organisation_level,
    levels.unit_code,
    levels.org_code,
    cast(levels.numerator as decimal(38, 6)) as numerator,
    cast(levels.denominator as decimal(38, 6)) as denominator,
    indicators.scale * cast(levels.numerator as double) / nullif(cast(levels.denominator as double), 0) as value,
    levels.rows_held_back,
    cast(levels.units_counted as integer) as units_counted
from levels
inner join {{ ref('indicators') }} as indicators on levels.indicator_id = indicators.indicator_id
