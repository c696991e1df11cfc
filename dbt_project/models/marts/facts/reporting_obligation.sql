select
    unit_code,
    unit_name,
    level,
    year,
    due_before,
    due_source,
    extended_until,
    is_due,
    state,
    received_on,
    reported_on,
    accepted_on,
    days_late,
    sendings
from {{ ref('stg_obligations') }}
