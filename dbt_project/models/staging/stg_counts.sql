select
    source_hash,
    form,
    form_title,
    cast(rows_in as bigint) as rows_in,
    cast(loaded as bigint) as loaded,
    cast(held_back as bigint) as held_back
from {{ source('store', 'counts') }}
