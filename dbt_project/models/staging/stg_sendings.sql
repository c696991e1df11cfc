-- Neither the number of the receipt nor its moment goes further: both differ when a lost register is made again.
select
    source_hash,
    cast(row_number() over (partition by source_hash order by receipt_no) as integer) as copy_no,
    source_kind,
    unit_code,
    cast(year as integer) as year,
    cast(number as integer) as number,
    cast(sent_no as integer) as sent_no,
    form_version,
    state,
    state_reason_code,
    replaced_by,
    cast(days_late as integer) as days_late,
    is_in_force
from {{ source('store', 'sendings') }}
