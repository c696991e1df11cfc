select
    unit_code,
    unit_name,
    coalesce(level, 'Chưa phân cấp') as level,
    cast(year as integer) as year,
    due_before,
    due_source,
    extended_until,
    is_due,
    state,
    received_on,
    reported_on,
    accepted_on,
    cast(days_late as integer) as days_late,
    cast(sendings as integer) as sendings
from {{ source('store', 'obligations') }}
