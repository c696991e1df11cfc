select
    succession_id,
    effective_on,
    kind,
    old_code,
    new_code,
    share,
    legal_source
from {{ source('store', 'successions') }}
