-- The year assessed picks the regime: from the first regime on, no year is without one.
select year
from {{ ref('dim_year') }}
where
    regime_id is null
    and year >= (select min(regimes.valid_from_year) from {{ ref('regimes') }} as regimes)
