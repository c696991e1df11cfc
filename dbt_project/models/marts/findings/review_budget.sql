{% set landed = source('findings', 'review_budgets') %}
{% set columns = [
    'organisation_level',
    'year',
    'organisations',
    'too_small',
    'tested',
    'one_reason',
    'no_reason',
    'listed_a',
    'listed_b',
    'listed_c',
    'expected_false_a',
    'expected_false_b',
    'centre',
    'spread'
] %}

select
    organisation_level,
    cast(year as integer) as year,
    cast(organisations as bigint) as organisations,
    cast(too_small as bigint) as too_small,
    cast(tested as bigint) as tested,
    cast(one_reason as bigint) as one_reason,
    cast(no_reason as bigint) as no_reason,
    cast(listed_a as bigint) as listed_a,
    cast(listed_b as bigint) as listed_b,
    cast(listed_c as bigint) as listed_c,
    cast(expected_false_a as double) as expected_false_a,
    cast(expected_false_b as double) as expected_false_b,
    cast(centre as double) as centre,
    cast(spread as double) as spread
from {{ landed if is_landed('review_budgets') else no_rows(columns) }}
