-- The years of the regimes, and every year a report speaks of. A year before the first regime has none; a year's regime
-- is the one in force on its 31 December, when ratings are decided.
with recursive spanned as (
    select
        extract(year from min(valid_from)) as year,
        extract(year from max(valid_from)) as last_year
    from {{ ref('regimes') }}
    union all
    select
        year + 1 as year,
        last_year
    from spanned
    where year < last_year
),

years as (
    select year
    from spanned
    union
    select year
    from {{ ref('stg_submissions') }}
    where state = 'accepted' and year is not null
),

structures as (
    select
        years.year,
        max(changes.from_year) as from_year
    from years
    inner join {{ ref('structure_changes') }} as changes on years.year >= changes.from_year
    group by years.year
)

select
    cast(years.year as integer) as year,
    regimes.regime_id,
    regimes.regime_name,
    regimes.guidance,
    regimes.legal_source,
    regimes.is_confirmed as is_text_confirmed,
    changes.structure_note
from years
left join {{ ref('regimes') }} as regimes
    on
        cast(cast(years.year as varchar) || '-12-31' as date) >= regimes.valid_from
        and (cast(cast(years.year as varchar) || '-12-31' as date) < regimes.valid_to or regimes.valid_to is null)
left join structures on years.year = structures.year
left join {{ ref('structure_changes') }} as changes on structures.from_year = changes.from_year
