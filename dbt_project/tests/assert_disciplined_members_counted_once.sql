-- The matrix of discipline against level counts every disciplined member of a year once.
with members as (
    select
        year,
        count(*) as members
    from {{ ref('disciplined_member') }}
    group by year
),

matrix as (
    select
        year,
        sum(n) as members
    from {{ ref('discipline_by_level') }}
    group by year
)

select members.year
from members
left join matrix on members.year = matrix.year
where members.members <> coalesce(matrix.members, 0)
