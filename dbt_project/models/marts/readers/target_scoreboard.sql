-- Every version of every target in every year that has reports, with a flag for the version in force. Targets written
-- "trên 90%" are strict: exactly 90% does not meet them. Shares are compared as 100 x part against limit x whole, so no
-- rounding stands between a number and its judgement.
with years as (
    select
        year,
        units_expected,
        units_received
    from {{ ref('coverage') }}
),

targets as (
    select * from {{ ref('dim_target') }}
),

-- What is measured is counted once, as an indicator of the province; the target only says what is asked of it.
measured as (
    select
        indicators.target_id,
        figures.year,
        figures.numerator,
        figures.denominator
    from {{ ref('indicator_year') }} as figures
    inner join {{ ref('indicators') }} as indicators on figures.indicator_id = indicators.indicator_id
    where figures.organisation_level = 'province' and indicators.target_id is not null
),

named as (
    select count(*) as hamlets
    from {{ ref('named_hamlets') }}
),

compared as (
    select
        years.year,
        years.units_expected,
        years.units_received,
        targets.target_id,
        targets.target_version,
        targets.target_name,
        targets.comparison,
        targets.target_value,
        targets.target_value_to,
        targets.unit_of_measure,
        targets.target_text,
        targets.is_moved,
        targets.moved_note,
        (
            years.year >= targets.valid_from_year
            and (years.year <= targets.valid_to_year or targets.valid_to_year is null)
        ) as is_in_force,
        cast(measured.numerator as double) as numerator,
        cast(measured.denominator as double) as denominator,
        named.hamlets,
        case
            when targets.target_id in ('orgs_admitting', 'commune_cells_admitting')
                then 'Chỉ đếm được từ năm đầu tiên có báo cáo'
            when targets.target_id = 'named_hamlets' and measured.denominator < named.hamlets
                then
                    'Chỉ có số liệu của ' || cast(cast(measured.denominator as integer) as varchar) || '/'
                    || cast(named.hamlets as varchar) || ' thôn đã nêu tên'
        end as note,
        case
            when targets.unit_of_measure = '%' then 100 * measured.numerator
            else measured.numerator
        end as measure_part,
        case
            when targets.unit_of_measure = '%' then targets.target_value * measured.denominator
            else targets.target_value
        end as limit_part
    from years
    cross join targets
    cross join named
    left join measured on years.year = measured.year and targets.target_id = measured.target_id
)

select
    year,
    target_id,
    target_version,
    target_name,
    is_in_force,
    comparison,
    target_value,
    target_value_to,
    unit_of_measure,
    numerator,
    denominator,
    case
        when coalesce(denominator, 0) = 0 then null
        when unit_of_measure = '%' then 100.0 * numerator / denominator
        else numerator
    end as value,
    case
        when coalesce(denominator, 0) = 0 then 'missing'
        when comparison = 'gt' and measure_part > limit_part then 'met'
        when comparison in ('ge', 'between') and measure_part >= limit_part then 'met'
        when target_id = 'named_hamlets' and denominator < hamlets then 'missing'
        else 'not_met'
    end as status,
    nullif(
        concat_ws(
            '; ',
            case
                when coalesce(denominator, 0) > 0 then note
                when target_id = 'named_hamlets' then 'Không có thôn nào trong các thôn đã nêu tên'
                else 'Không có số liệu'
            end,
            case
                when units_received < units_expected
                    then
                        'Tạm tính: nhận ' || cast(units_received as varchar) || '/' || cast(units_expected as varchar)
                        || ' đơn vị'
            end
        ),
        ''
    ) as note,
    target_text,
    coalesce(is_moved, false) as is_moved,
    moved_note
from compared
