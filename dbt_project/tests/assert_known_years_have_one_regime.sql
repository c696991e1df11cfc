-- The year assessed picks the regime: from the first regime on, no year is without one, and none has two.
select year
from {{ ref('dim_year') }}
where year >= (select extract(year from min(regimes.valid_from)) from {{ ref('regimes') }} as regimes)
group by year
having count(*) <> 1 or count(regime_id) <> 1
