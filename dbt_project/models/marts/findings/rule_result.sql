{% set landed = source('findings', 'rule_results') %}
{% set columns = [
    'rule_id',
    'year',
    'unit_code',
    'tested',
    'found',
    'not_checked',
    'status',
    'reason'
] %}

select
    rule_id,
    cast(year as integer) as year,
    coalesce(unit_code, 'UNKNOWN') as unit_code,
    cast(tested as integer) as tested,
    cast(found as integer) as found,
    cast(not_checked as integer) as not_checked,
    status,
    reason
from {{ landed if is_landed('rule_results') else no_rows(columns) }}
