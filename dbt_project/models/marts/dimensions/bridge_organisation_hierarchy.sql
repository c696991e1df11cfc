-- On every day each organisation has one way up: its parent, else its unit, else the province. A circle of parents is
-- left where it would be entered again, for the unit; so no total loses anybody.
{% set open_end = "date '9999-12-31'" %}

with recursive versions as (
    select
        organisation_version_key,
        organisation_key,
        organisation_level,
        unit_code,
        org_code,
        parent_code,
        valid_from,
        {{ end_of('valid_to') }} as valid_to
    from {{ ref('dim_organisation') }}
),

under_a_unit as (
    select
        versions.organisation_version_key,
        units.organisation_version_key as next_version_key,
        units.org_code as next_code,
        greatest(versions.valid_from, units.valid_from) as valid_from,
        least(versions.valid_to, units.valid_to) as valid_to
    from versions
    inner join versions as units
        on
            versions.unit_code = units.unit_code
            and versions.valid_from < units.valid_to
            and versions.valid_to > units.valid_from
    where units.organisation_level = 'unit' and versions.organisation_level is distinct from 'unit'
),

without_a_unit as (
    {{ days_without('under_a_unit') }}
),

-- Where nobody stands between an organisation and the province but its unit, if that.
high as (
    select * from under_a_unit
    union all
    select
        without_a_unit.organisation_version_key,
        provinces.organisation_version_key as next_version_key,
        provinces.org_code as next_code,
        without_a_unit.valid_from,
        without_a_unit.valid_to
    from without_a_unit
    cross join versions as provinces
    where provinces.organisation_level = 'province' and without_a_unit.valid_from < without_a_unit.valid_to
),

under_a_parent as (
    select
        versions.organisation_version_key,
        parents.organisation_version_key as next_version_key,
        parents.org_code as next_code,
        greatest(versions.valid_from, parents.valid_from) as valid_from,
        least(versions.valid_to, parents.valid_to) as valid_to
    from versions
    inner join versions as parents
        on
            versions.unit_code = parents.unit_code
            and versions.parent_code = parents.org_code
            and versions.org_code <> parents.org_code
            and versions.valid_from < parents.valid_to
            and versions.valid_to > parents.valid_from
    where parents.organisation_level is distinct from 'unit'
),

without_a_parent as (
    {{ days_without('under_a_parent') }}
),

steps as (
    select * from under_a_parent
    union all
    select
        high.organisation_version_key,
        high.next_version_key,
        high.next_code,
        greatest(high.valid_from, without_a_parent.valid_from) as valid_from,
        least(high.valid_to, without_a_parent.valid_to) as valid_to
    from without_a_parent
    inner join high
        on
            without_a_parent.organisation_version_key = high.organisation_version_key
            and without_a_parent.valid_from < high.valid_to
            and without_a_parent.valid_to > high.valid_from
    where without_a_parent.valid_from < without_a_parent.valid_to
),

walk as (
    select
        organisation_version_key,
        organisation_version_key as ancestor_version_key,
        '/' || org_code || '/' as path,
        valid_from,
        valid_to,
        0 as distance
    from versions
    union all
    select
        walk.organisation_version_key,
        coalesce(high.next_version_key, steps.next_version_key) as ancestor_version_key,
        walk.path || coalesce(high.next_code, steps.next_code) || '/' as path,
        greatest(walk.valid_from, steps.valid_from, coalesce(high.valid_from, steps.valid_from)) as valid_from,
        least(walk.valid_to, steps.valid_to, coalesce(high.valid_to, steps.valid_to)) as valid_to,
        walk.distance + 1 as distance
    from walk
    inner join steps
        on
            walk.ancestor_version_key = steps.organisation_version_key
            and walk.valid_from < steps.valid_to
            and walk.valid_to > steps.valid_from
    left join high
        on
            walk.ancestor_version_key = high.organisation_version_key
            and position('/' || steps.next_code || '/' in walk.path) > 0
            and greatest(walk.valid_from, steps.valid_from) < high.valid_to
            and least(walk.valid_to, steps.valid_to) > high.valid_from
),

-- What was the same above and below while something between them changed is one span.
compared as (
    select
        *,
        lag(valid_to) over (
            partition by organisation_version_key, ancestor_version_key, distance order by valid_from
        ) as former_valid_to
    from walk
),

numbered as (
    select
        *,
        sum(case when former_valid_to = valid_from then 0 else 1 end) over (
            partition by organisation_version_key, ancestor_version_key, distance order by valid_from
        ) as span
    from compared
),

spans as (
    select
        organisation_version_key,
        ancestor_version_key,
        distance,
        min(valid_from) as valid_from,
        max(valid_to) as valid_to
    from numbered
    group by organisation_version_key, ancestor_version_key, distance, span
)

select
    spans.organisation_version_key,
    spans.ancestor_version_key,
    organisations.organisation_key,
    ancestors.organisation_key as ancestor_key,
    organisations.unit_code,
    organisations.org_code,
    ancestors.org_code as ancestor_code,
    ancestors.organisation_level as ancestor_level,
    cast(spans.distance as integer) as distance,
    spans.valid_from,
    nullif(spans.valid_to, {{ open_end }}) as valid_to
from spans
inner join versions as organisations on spans.organisation_version_key = organisations.organisation_version_key
inner join versions as ancestors on spans.ancestor_version_key = ancestors.organisation_version_key
