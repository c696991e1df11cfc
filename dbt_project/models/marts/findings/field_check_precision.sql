{% set landed = source('findings', 'field_check_precision') %}
{% set columns = [
    'draw_id',
    'year',
    'signal',
    'is_estimable',
    'reason_code',
    'share',
    'low',
    'high',
    'organisations',
    'members',
    'elsewhere_share',
    'organisations_marked'
] %}

select
    draw_id,
    cast(year as integer) as year,
    signal,
    cast(is_estimable as boolean) as is_estimable,
    reason_code,
    cast(share as double) as share,
    cast(low as double) as low,
    cast(high as double) as high,
    cast(organisations as integer) as organisations,
    cast(members as integer) as members,
    cast(elsewhere_share as double) as elsewhere_share,
    cast(organisations_marked as integer) as organisations_marked
from {{ landed if is_landed('field_check_precision') else no_rows(columns) }}
