select
    succession_id,
    effective_on,
    kind,
    old_code,
    new_code,
    -- Only what is divided has shares; everything else goes whole.
    case when kind = 'split' then share else cast(1 as decimal(9, 6)) end as share,
    legal_source
from {{ source('store', 'successions') }}
