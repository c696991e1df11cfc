-- The bands of a scale follow each other without gap or overlap, from 0 to its end.
with bands as (
    select
        band_set,
        version,
        band_code,
        points_from,
        points_below,
        lag(points_below) over (partition by band_set, version order by points_from) as below_before,
        row_number() over (partition by band_set, version order by points_from) as place,
        row_number() over (partition by band_set, version order by points_from desc) as place_from_top
    from {{ ref('score_bands') }}
)

select
    band_set,
    version,
    band_code
from bands
where
    (place = 1 and points_from <> 0)
    or (place > 1 and points_from is distinct from below_before)
    or (place_from_top = 1 and points_below is not null)
    or points_below <= points_from
