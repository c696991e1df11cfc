-- Neither the key nor the value of an issue is read here: both may hold a card number.
select
    source_hash,
    form,
    sheet,
    cell,
    rule,
    severity
from {{ source('store', 'issues') }}
