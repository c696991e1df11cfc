-- By another structure: what the units of that structure would have reported.
with moves as (
    select * from {{ ref('bridge_restatement') }}
),

levels as (
    select
        structure_date,
        indicator_id,
        year,
        'unit' as organisation_level,
        to_unit_code as unit_code,
        numerator,
        denominator,
        is_convertible,
        is_dissolved
    from moves
    union all
    select
        structure_date,
        indicator_id,
        year,
        'province' as organisation_level,
        'ALL' as unit_code,
        numerator,
        denominator,
        true as is_convertible,
        false as is_dissolved
    from moves
),

summed as (
    select
        structure_date,
        indicator_id,
        year,
        organisation_level,
        unit_code,
        cast(sum(numerator) as decimal(38, 24)) as numerator,
        cast(sum(denominator) as decimal(38, 24)) as denominator,
        min(case when is_convertible then 1 else 0 end) = 1 as is_convertible,
        max(case when is_dissolved then 1 else 0 end) = 1 as is_dissolved
    from levels
    group by structure_date, indicator_id, year, organisation_level, unit_code
)

select
    summed.structure_date,
    summed.indicator_id,
    summed.year,
    summed.organisation_level,
    summed.unit_code,
    summed.numerator,
    summed.denominator,
    indicators.scale * cast(summed.numerator as double) / nullif(cast(summed.denominator as double), 0) as value,
    summed.is_convertible,
    summed.is_dissolved,
    nullif(
        concat_ws(
            '; ',
            case when not summed.is_convertible then 'Không quy đổi được về cơ cấu này, số liệu để nguyên' end,
            case when summed.is_dissolved then 'Đơn vị đã giải thể, không có đơn vị kế thừa' end,
            case
                when summed.numerator <> floor(summed.numerator) or summed.denominator <> floor(summed.denominator)
                    then 'Có phần chia theo tỉ lệ nên số lượng lẻ'
            end
        ),
        ''
    ) as note
from summed
inner join {{ ref('indicators') }} as indicators on summed.indicator_id = indicators.indicator_id
