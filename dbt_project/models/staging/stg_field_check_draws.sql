select
    draws.draw_id,
    cast(draws.number as integer) as number,
    cast(draws.year as integer) as year,
    draws.unit_code,
    draws.org_code,
    draws.cell_code,
    {{ canonical_member_key('draws.member_key') }} as member_key,
    draws.record_id,
    draws.level_code,
    draws.arm,
    draws.t,
    cast(draws.rated as integer) as rated,
    cast(draws.drawn as integer) as drawn,
    draws.risk_probability,
    draws.random_probability,
    draws.probability
from {{ source('store', 'field_check_draws') }} as draws
{{ join_member_identities('draws.member_key') }}
