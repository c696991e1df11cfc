-- Who moves to another unit below the same parent moves on the parent's day, and nobody unheard of since stays below
-- what a succession has ended; but for who went a way of his own, or came there only on that day by a report that knew
-- one succession of the day and not the other.
with versions as (
    select
        *,
        lag(unit_code) over by_version as former_unit_code,
        lag(parent_code) over by_version as former_parent_code,
        lag(last_year) over by_version as former_year,
        lag(valid_from) over by_version as former_from
    from {{ ref('dim_organisation') }}
    window by_version as (partition by organisation_key order by version)
),

successions as (
    select
        old_code as org_code,
        effective_on
    from {{ ref('stg_successions') }}
    union all
    select
        new_code as org_code,
        effective_on
    from {{ ref('stg_successions') }}
    where kind <> 'new_parent'
),

moved_apart as (
    select
        versions.organisation_version_key,
        versions.org_code,
        versions.former_year as since_year,
        versions.first_year as until_year
    from versions
    inner join versions as parents
        on
            versions.parent_code = parents.org_code
            and versions.unit_code = parents.unit_code
            and versions.former_unit_code = parents.former_unit_code
            and versions.first_year = parents.first_year
            and versions.former_year = parents.former_year
    where
        versions.former_unit_code <> versions.unit_code
        and versions.former_parent_code = versions.parent_code
        and versions.valid_from <> parents.valid_from
        and versions.former_from < parents.valid_from
),

left_behind as (
    select
        versions.organisation_version_key,
        versions.org_code,
        versions.last_year as since_year,
        9999 as until_year
    from versions
    inner join versions as parents
        on
            versions.parent_code = parents.org_code
            and versions.unit_code = parents.unit_code
            and versions.last_year = parents.last_year
    inner join {{ ref('stg_successions') }} as ends
        on
            parents.org_code = ends.old_code
            and parents.valid_to = ends.effective_on
            and parents.last_year <= extract(year from ends.effective_on)
    where
        parents.is_current
        and versions.valid_from < parents.valid_to
        and {{ end_of('versions.valid_to') }} > parents.valid_to
),

found as (
    select * from moved_apart
    union all
    select * from left_behind
)

select
    found.organisation_version_key,
    found.org_code
from found
left join successions
    on
        found.org_code = successions.org_code
        and found.since_year <= extract(year from successions.effective_on)
        and found.until_year >= extract(year from successions.effective_on)
where successions.org_code is null
