select
    member_key,
    canonical_key
from {{ source('store', 'member_identities') }}
