select
    level_code,
    level_name,
    cast(level_order as integer) as level_order,
    is_good_or_above
from {{ ref('levels') }}
where valid_to is null
