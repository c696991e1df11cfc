-- Each row of the register is one case, and every reported row is matched to a case or is a case itself.
with register as (
    select count(*) as n
    from {{ ref('fct_discipline_register') }}
),

cases as (
    select count(*) as n
    from {{ ref('discipline_case') }}
    where in_register
),

reported as (
    select record_id
    from {{ ref('fct_discipline') }}
),

placed as (
    select record_id
    from {{ ref('discipline_case') }}
    where record_id is not null
)

select 'register' as book
from register
cross join cases
where register.n <> cases.n
union all
select reported.record_id as book
from reported
left join placed on reported.record_id = placed.record_id
where placed.record_id is null
