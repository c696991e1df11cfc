{% set landed = source('findings', 'field_check_province') %}
{% set columns = [
    'draw_id',
    'year',
    'is_estimable',
    'reason_code',
    'share',
    'low',
    'high',
    'organisations',
    'members',
    'decided_share',
    'lowered_share',
    'lowered_low',
    'lowered_high',
    'organisations_drawn',
    'organisations_at_random',
    'members_drawn'
] %}

select
    draw_id,
    cast(year as integer) as year,
    cast(is_estimable as boolean) as is_estimable,
    reason_code,
    cast(share as double) as share,
    cast(low as double) as low,
    cast(high as double) as high,
    cast(organisations as integer) as organisations,
    cast(members as integer) as members,
    cast(decided_share as double) as decided_share,
    cast(lowered_share as double) as lowered_share,
    cast(lowered_low as double) as lowered_low,
    cast(lowered_high as double) as lowered_high,
    cast(organisations_drawn as integer) as organisations_drawn,
    cast(organisations_at_random as integer) as organisations_at_random,
    cast(members_drawn as integer) as members_drawn
from {{ landed if is_landed('field_check_province') else no_rows(columns) }}
