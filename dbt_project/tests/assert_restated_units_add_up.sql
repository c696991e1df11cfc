-- The units of every structure together are the province, exactly.
select
    structure_date,
    indicator_id,
    year
from {{ ref('indicator_restated') }}
group by structure_date, indicator_id, year
having
    sum(case when organisation_level = 'province' then numerator else -numerator end) <> 0
    or sum(case when organisation_level = 'province' then denominator else -denominator end) <> 0
