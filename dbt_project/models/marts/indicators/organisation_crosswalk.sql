-- Where the figures of an organisation and year belong by the structure of another day. One walk answers: from a code
-- to its successors that came into force by that day (or back to its predecessor, if they came later), up to the
-- parent, on through the parent's own successors, and so to a reporting unit. Shares are multiplied along the way.
{% set founded = "date '1930-02-03'" %}
{% set forever = "date '9999-12-31'" %}
with recursive known_steps as (
    select
        structure_date,
        code,
        step,
        kind,
        after_from,
        after_below,
        before_above,
        before_to,
        nullif(next_code, '') as next_code,
        next_after,
        next_before,
        is_guess,
        share,
        succession_id,
        is_convertible
    from {{ ref('succession_step') }}
),

structures as (
    select structure_date
    from {{ ref('structures') }}
),

successions as (
    select * from {{ ref('stg_successions') }}
),

changes as (
    {{ changes_of_codes() }}
),

listed as (
    select distinct
        year,
        org_code as code
    from {{ ref('organisation_snapshot') }}
    where not is_inferred
    union
    select distinct
        year,
        unit_code as code
    from {{ ref('organisation_snapshot') }}
),

places as (
    select
        structure_date,
        code,
        min(parent_code) as parent_code,
        max(case when is_small then 1 else 0 end) = 1 as is_small,
        max(case when is_placed then 1 else 0 end) = 1 as is_placed
    from {{ ref('succession_step') }}
    group by structure_date, code
),

existing as (
    select distinct
        code as new_code,
        before_above as effective_on
    from {{ ref('succession_step') }}
    where is_existing
),

years as (
    select distinct year
    from {{ ref('organisation_snapshot') }}
),

-- Codes that figures of a year may bear and that a structure has not, or has elsewhere.
touched as (
    select
        structures.structure_date,
        successions.old_code as code
    from structures
    inner join successions on structures.structure_date >= successions.effective_on
    union
    select
        structures.structure_date,
        successions.new_code as code
    from structures
    inner join successions
        on structures.structure_date < successions.effective_on and successions.kind in ('renamed', 'merged', 'split')
    union
    select
        structures.structure_date,
        successions.old_code as code
    from structures
    inner join successions
        on structures.structure_date < successions.effective_on and successions.kind = 'new_parent'
),

-- Where a code goes on under a changed meaning, a year tells which one it has: the new one after the year of the
-- change, and in that year once another successor is listed, or none of those that were put into it any more.
splits_seen as (
    select distinct
        successions.old_code as code,
        successions.effective_on,
        listed.year
    from successions
    inner join listed on successions.new_code = listed.code
    where
        successions.kind = 'split'
        and successions.new_code <> successions.old_code
        and extract(year from successions.effective_on) = listed.year
),

sources_seen as (
    select distinct
        successions.new_code as code,
        successions.effective_on,
        listed.year
    from successions
    inner join listed on successions.old_code = listed.code
    where
        successions.kind <> 'new_parent'
        and successions.new_code <> successions.old_code
        and extract(year from successions.effective_on) = listed.year
),

reflected_splits as (
    select
        years.year,
        changes.old_code as code,
        max(changes.effective_on) as after
    from years
    inner join changes on changes.is_continued
    left join splits_seen
        on
            years.year = splits_seen.year
            and changes.old_code = splits_seen.code
            and changes.effective_on = splits_seen.effective_on
    where years.year > extract(year from changes.effective_on) or splits_seen.code is not null
    group by years.year, changes.old_code
),

awaited_merges as (
    select
        years.year,
        existing.new_code as code,
        min(existing.effective_on) as before
    from years
    cross join existing
    left join sources_seen
        on
            years.year = sources_seen.year
            and existing.new_code = sources_seen.code
            and existing.effective_on = sources_seen.effective_on
    where
        years.year < extract(year from existing.effective_on)
        or sources_seen.code is not null
    group by years.year, existing.new_code
),

walk as (
    select
        touched.structure_date,
        years.year,
        touched.code as from_code,
        touched.code,
        touched.code as to_code,
        false as has_climbed,
        coalesce(reflected_splits.after, {{ founded }}) as after,
        coalesce(awaited_merges.before, {{ forever }}) as before,
        places.parent_code as fallback_code,
        coalesce(places.is_small, false) as is_small,
        cast(1 as decimal(38, 18)) as share,
        true as is_convertible,
        cast('' as varchar) as path,
        0 as distance
    from touched
    cross join years
    left join reflected_splits on touched.code = reflected_splits.code and years.year = reflected_splits.year
    left join awaited_merges on touched.code = awaited_merges.code and years.year = awaited_merges.year
    left join places on touched.structure_date = places.structure_date and touched.code = places.code
    union all
    select
        walk.structure_date,
        walk.year,
        walk.from_code,
        {{ next_code('walk', 'steps') }} as code,
        case
            when walk.has_climbed or steps.step = 'parent' then walk.to_code
            else steps.next_code
        end as to_code,
        walk.has_climbed or steps.step = 'parent' as has_climbed,
        coalesce(steps.next_after, walk.after) as after,
        coalesce(steps.next_before, walk.before) as before,
        case
            when places.is_placed then places.parent_code
            when steps.step <> 'parent' and (steps.kind = 'renamed' or walk.is_small) then walk.fallback_code
        end as fallback_code,
        walk.is_small and steps.step <> 'parent' as is_small,
        cast(walk.share * cast(steps.share as decimal(9, 6)) as decimal(38, 18)) as share,
        walk.is_convertible and steps.is_convertible as is_convertible,
        case
            when steps.succession_id is null then walk.path
            when walk.path = '' then steps.succession_id
            else walk.path || ' → ' || steps.succession_id
        end as path,
        walk.distance + 1 as distance
    from walk
    inner join known_steps as steps
        on
            walk.structure_date = steps.structure_date
            and walk.code = steps.code
            and walk.after >= steps.after_from
            and walk.after < steps.after_below
            and walk.before > steps.before_above
            and walk.before <= steps.before_to
    inner join places
        on walk.structure_date = places.structure_date and {{ next_code('walk', 'steps') }} = places.code
    where walk.distance < {{ 4 * var('max_hierarchy_depth') }}
),

arrived as (
    select walk.*
    from walk
    left join known_steps as steps
        on
            walk.structure_date = steps.structure_date
            and walk.code = steps.code
            and walk.after >= steps.after_from
            and walk.after < steps.after_below
            and walk.before > steps.before_above
            and walk.before <= steps.before_to
            and {{ next_code('walk', 'steps') }} is not null
    where steps.code is null or walk.distance = {{ 4 * var('max_hierarchy_depth') }}
),

dissolved as (
    select
        structures.structure_date,
        changes.old_code as code
    from structures
    inner join changes on structures.structure_date >= changes.effective_on and changes.kind = 'dissolved'
),

ways as (
    select
        structure_date,
        year,
        from_code,
        to_code,
        code as unit_code,
        path,
        sum(share) as share,
        min(case when is_convertible then 1 else 0 end) as is_convertible
    from arrived
    group by structure_date, year, from_code, to_code, code, path
)

select
    ways.structure_date,
    cast(ways.year as integer) as year,
    ways.from_code,
    ways.to_code,
    ways.unit_code,
    cast(sum(ways.share) as decimal(19, 18)) as share,
    min(ways.is_convertible) = 1 as is_convertible,
    max(case when dissolved.code is not null then 1 else 0 end) = 1 as is_dissolved,
    nullif({{ text_list('ways.path', 'ways.path') }}, '') as successions
from ways
left join dissolved on ways.structure_date = dissolved.structure_date and ways.unit_code = dissolved.code
group by ways.structure_date, ways.year, ways.from_code, ways.to_code, ways.unit_code
