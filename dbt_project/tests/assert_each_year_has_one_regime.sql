-- The regulations follow each other: no year has two, and no day between the first and the last has none.
with regimes as (
    select
        regime_id,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from {{ ref('regimes') }}
),

ordered as (
    select
        regime_id,
        valid_to,
        lead(valid_from) over (order by valid_from, valid_to, regime_id) as next_from
    from regimes
)

select
    one.regime_id,
    extract(year from other.valid_from) as year,
    'two' as found
from regimes as one
inner join regimes as other
    on
        one.regime_id <> other.regime_id
        and one.valid_from <= other.valid_from
        and cast(cast(extract(year from other.valid_from) as varchar) || '-01-01' as date) < one.valid_to
union all
select
    regime_id,
    extract(year from valid_to) as year,
    'none' as found
from ordered
where valid_to < next_from
