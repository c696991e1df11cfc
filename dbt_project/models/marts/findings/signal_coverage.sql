with signals as (
    select * from {{ ref('fct_signal') }}
),

why as (
    select
        organisation_level,
        year,
        signal,
        reason,
        count(*) as organisations
    from signals
    where not is_testable
    group by organisation_level, year, signal, reason
),

reasons as (
    select
        organisation_level,
        year,
        signal,
        {{ text_list("cast(organisations as varchar) || ' ' || reason", 'organisations desc, reason', '; ') }}
            as not_tested_reasons
    from why
    group by organisation_level, year, signal
),

counted as (
    select
        organisation_level,
        year,
        signal,
        min(family) as family,
        count(*) as organisations,
        cast(sum(case when is_testable then 1 else 0 end) as bigint) as tested,
        cast(sum(case when is_testable then 0 else 1 end) as bigint) as not_tested,
        cast(sum(case when p <= 0.05 then 1 else 0 end) as bigint) as at_5_percent
    from signals
    group by organisation_level, year, signal
)

select
    counted.organisation_level,
    counted.year,
    counted.signal,
    counted.family,
    counted.organisations,
    counted.tested,
    counted.not_tested,
    reasons.not_tested_reasons,
    counted.at_5_percent,
    cast(counted.tested as double) / 20 as expected_at_5_percent
from counted
left join reasons
    on
        counted.organisation_level = reasons.organisation_level
        and counted.year = reasons.year
        and counted.signal = reasons.signal
