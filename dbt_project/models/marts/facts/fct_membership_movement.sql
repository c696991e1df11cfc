with facts as (
    select * from {{ ref('stg_membership_movements') }}
    where is_in_force and not is_held_back
)

select
    record_id,
    source_hash,
    sheet,
    row,
    year,
    unit_code,
    line,
    label,
    count,
    count_previous
from facts
