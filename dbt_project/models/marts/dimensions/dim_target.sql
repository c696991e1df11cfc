-- Every version of every target, with its limit in words. A target moved where a version asks for something else than
-- the one before it; a version that repeats the limit moved nothing. A version holds for the years whose 31 December
-- lies in its days.
with targets as (
    select
        *,
        cast(extract(year from valid_from) as integer) as valid_from_year,
        cast(extract(year from valid_to) as integer) - 1 as valid_to_year,
        case
            when target_value = floor(target_value) then cast(cast(target_value as bigint) as varchar)
            else replace(cast(target_value as varchar), '.', ',')
        end as low,
        case
            when target_value_to = floor(target_value_to) then cast(cast(target_value_to as bigint) as varchar)
            else replace(cast(target_value_to as varchar), '.', ',')
        end as high,
        case when unit_of_measure = '%' then '%' else ' ' || unit_of_measure end as unit
    from {{ ref('targets') }}
),

worded as (
    select
        *,
        case
            when comparison = 'between' then low || '–' || high || unit
            when comparison = 'gt' then 'trên ' || low || unit
            when unit_of_measure = '%' and target_value = 100 then '100%'
            else 'từ ' || low || unit
        end as target_text
    from targets
),

following as (
    select
        target_id,
        target_version,
        target_text,
        valid_from_year,
        lag(target_version) over (partition by target_id order by target_version) as former_version,
        lag(target_text) over (partition by target_id order by target_version) as former_text
    from worded
),

moves as (
    select
        target_id,
        {{ text_list(
            "'bản ' || cast(former_version as varchar) || ' «' || former_text || '» thành bản '"
            " || cast(target_version as varchar) || ' «' || target_text || '», áp dụng từ năm '"
            " || cast(valid_from_year as varchar)",
            "target_version"
        ) }} as moved
    from following
    where former_text <> target_text
    group by target_id
)

select
    worded.target_id,
    cast(worded.target_version as integer) as target_version,
    worded.target_name,
    worded.programme,
    worded.valid_from,
    worded.valid_to,
    worded.valid_from_year,
    worded.valid_to_year,
    worded.measure,
    worded.comparison,
    cast(worded.target_value as double) as target_value,
    cast(worded.target_value_to as double) as target_value_to,
    worded.unit_of_measure,
    worded.target_text,
    moves.target_id is not null as is_moved,
    'Chỉ tiêu đã thay đổi: ' || moves.moved || '.' as moved_note,
    worded.legal_source,
    worded.is_confirmed
from worded
left join moves on worded.target_id = moves.target_id
