-- Keys that were said to be one member stand on no roll together, and in two units of a year only where he left one of
-- them. A correction that came after the decision can bring it about: the decision is then to be undone
-- (`thucchat members undo`), or the roll corrected.
with listed as (
    select
        members.year,
        members.unit_code,
        members.member_key,
        members.member_key_as_sent,
        coalesce(statuses.is_present, true) as is_present
    from {{ ref('stg_members') }} as members
    left join {{ ref('member_statuses') }} as statuses on members.status = statuses.status
    where members.is_in_force
),

-- Only of these can two keys be one: counting the distinct keys of everybody costs a table per member.
confirmed as (
    select distinct member_key
    from listed
    where member_key <> member_key_as_sent
),

resolved as (
    select listed.*
    from listed
    inner join confirmed on listed.member_key = confirmed.member_key
),

doubled as (
    select
        member_key,
        year,
        unit_code
    from resolved
    group by member_key, year, unit_code
    having count(distinct member_key_as_sent) > 1
    union all
    select
        member_key,
        year,
        null as unit_code
    from resolved
    where is_present
    group by member_key, year
    having count(distinct member_key_as_sent) > 1 and count(distinct unit_code) > 1
)

select
    member_key,
    year,
    unit_code
from doubled
