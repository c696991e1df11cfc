select
    unit_code,
    group_code,
    cast(year as integer) as year,
    cap_pct,
    decision_no,
    decided_on
from {{ source('store', 'cap_exceptions') }}
