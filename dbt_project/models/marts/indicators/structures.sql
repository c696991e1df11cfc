-- A structure holds from one day on which organisations changed to the next; days between them share it. The first one
-- begins with the Party itself.
with days as (
    select date '1930-02-03' as structure_date
    union
    select effective_on as structure_date
    from {{ ref('stg_successions') }}
),

changes as (
    select
        effective_on,
        count(distinct old_code) as organisations_changed
    from {{ ref('stg_successions') }}
    group by effective_on
),

spans as (
    select
        structure_date,
        lead(structure_date) over (order by structure_date) as valid_to
    from days
)

select
    spans.structure_date,
    spans.valid_to,
    case
        when changes.effective_on is null and spans.valid_to is null then 'Cơ cấu hiện hành'
        when changes.effective_on is null then 'Cơ cấu trước ngày ' || {{ day_text('spans.valid_to') }}
        else 'Cơ cấu từ ngày ' || {{ day_text('spans.structure_date') }}
    end as structure_name,
    spans.valid_to is null as is_current,
    cast(coalesce(changes.organisations_changed, 0) as integer) as organisations_changed
from spans
left join changes on spans.structure_date = changes.effective_on
