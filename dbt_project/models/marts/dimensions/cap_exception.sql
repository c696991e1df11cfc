with exceptions as (
    select
        *,
        row_number() over (
            partition by unit_code, group_code, year
            order by decided_on desc nulls last, cap_pct desc nulls last, decision_no
        ) as choice
    from {{ ref('stg_cap_exceptions') }}
    where unit_code is not null and group_code is not null and year is not null
)

select
    unit_code,
    group_code,
    year,
    cap_pct,
    decision_no,
    decided_on
from exceptions
where choice = 1
