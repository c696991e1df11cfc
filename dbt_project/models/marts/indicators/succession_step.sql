-- The steps that a walk from one structure to another may take, with the days between which each may be taken: from a
-- code to its successors, back to its predecessor, up to its parent.
{% set founded = "date '1930-02-03'" %}
{% set forever = "date '9999-12-31'" %}
with structures as (
    select
        structure_date,
        -- A report speaks of its year's end: the year in which a structure ends is already the next one's.
        extract(year from coalesce(valid_to, {{ forever }})) - 1 as last_year
    from {{ ref('structures') }}
),

successions as (
    select * from {{ ref('stg_successions') }}
),

changes as (
    {{ changes_of_codes() }}
),

spells as (
    select
        *,
        coalesce(
            lag(effective_on) over (partition by old_code order by effective_on), {{ founded }}
        ) as after_from,
        case when is_continued then effective_on else {{ forever }} end as after_below
    from changes
),

-- --- where codes were seen ---------------------------------------------------------------------------------------
listed as (
    select
        year,
        org_code as code,
        unit_code,
        case when grassroots_code is null or parent_code is null then unit_code else parent_code end as parent_code,
        not is_grassroots as is_small,
        is_inferred
    from {{ ref('organisation_snapshot') }}
    where org_code <> unit_code
    union all
    select distinct
        year,
        unit_code as code,
        unit_code,
        cast(null as varchar) as parent_code,
        false as is_small,
        false as is_inferred
    from {{ ref('organisation_snapshot') }}
),

evidence as (
    select
        *,
        row_number() over (
            partition by year, code
            order by (parent_code is null) desc, is_inferred, unit_code
        ) as choice
    from listed
),

codes as (
    select code from evidence
    union
    select unit_code as code from {{ ref('dim_unit') }}
    union
    select old_code as code from successions
    union
    select new_code as code from successions
    where new_code is not null
),

-- The latest year by the structure's end in which the code was seen, else the first after it.
placed as (
    select
        structures.structure_date,
        structures.last_year,
        evidence.year,
        evidence.code,
        evidence.unit_code,
        evidence.parent_code,
        evidence.is_small,
        row_number() over (
            partition by structures.structure_date, evidence.code
            order by
                (evidence.year <= structures.last_year) desc,
                case when evidence.year <= structures.last_year then -evidence.year else evidence.year end
        ) as choice
    from structures
    inner join evidence on evidence.choice = 1
),

places as (
    select * from placed
    where choice = 1
),

-- The last code that has ended by the structure's day has no place in it.
ended as (
    select
        structures.structure_date,
        changes.old_code as code
    from structures
    inner join changes on structures.structure_date >= changes.effective_on
    where not changes.is_continued and changes.kind <> 'dissolved'
),

continued as (
    select
        structures.structure_date,
        changes.old_code as code,
        max(changes.effective_on) as since
    from structures
    inner join changes on structures.structure_date >= changes.effective_on and changes.is_continued
    group by structures.structure_date, changes.old_code
),

moved as (
    select
        structures.structure_date,
        successions.old_code as code,
        successions.new_code as parent_code,
        successions.effective_on,
        successions.succession_id,
        row_number() over (
            partition by structures.structure_date, successions.old_code
            order by successions.effective_on desc
        ) as choice
    from structures
    inner join successions on structures.structure_date >= successions.effective_on
    where successions.kind = 'new_parent'
),

later_moves as (
    select
        structures.structure_date,
        successions.old_code as code,
        successions.new_code as parent_code,
        successions.effective_on,
        row_number() over (
            partition by structures.structure_date, successions.old_code
            order by successions.effective_on
        ) as choice
    from structures
    inner join successions on structures.structure_date < successions.effective_on
    where successions.kind = 'new_parent'
),

-- What no report has placed: the longest living code that begins it.
unplaced as (
    select
        structures.structure_date,
        codes.code
    from structures
    cross join codes
    left join places on structures.structure_date = places.structure_date and codes.code = places.code
    left join {{ ref('dim_unit') }} as units on codes.code = units.unit_code
    where places.code is null and units.unit_code is null
),

prefixes as (
    select
        unplaced.structure_date,
        unplaced.code,
        codes.code as prefix_code,
        row_number() over (
            partition by unplaced.structure_date, unplaced.code
            order by length(codes.code) desc, codes.code
        ) as choice
    from unplaced
    inner join codes on {{ is_part_of('unplaced.code', 'codes.code') }}
    left join ended on unplaced.structure_date = ended.structure_date and codes.code = ended.code
    where ended.code is null
),

-- What a grassroots organisation or a unit was put into is no cell: nothing follows from where a cell stood.
heads as (
    select distinct successions.new_code as code
    from successions
    inner join evidence on successions.old_code = evidence.code
    where successions.kind in ('merged', 'split', 'new_parent') and not evidence.is_small
),

-- A province is above its units and reports nothing itself: who is put under it is a unit.
provinces as (
    select distinct successions.new_code as code
    from successions
    inner join {{ ref('dim_unit') }} as units
        on {{ is_part_of('units.unit_code', 'successions.new_code') }}
    left join evidence on successions.new_code = evidence.code
    where successions.kind = 'new_parent' and evidence.code is null
),

-- --- back to what was before -------------------------------------------------------------------------------------
successors as (
    select
        successions.new_code,
        successions.effective_on,
        max(case when successions.new_code = successions.old_code then 1 else 0 end) = 1 as is_continued,
        max(successions.succession_id) as succession_id
    from successions
    where successions.kind in ('renamed', 'merged', 'split')
    group by successions.new_code, successions.effective_on
),

-- A successor may have been there before the others were put into it.
existing as (
    select distinct
        successors.new_code,
        successors.effective_on
    from successors
    left join evidence
        on
            successors.new_code = evidence.code
            and extract(year from successors.effective_on) > evidence.year
    left join successors as earlier
        on successors.new_code = earlier.new_code and successors.effective_on > earlier.effective_on
    where evidence.code is not null or earlier.new_code is not null or successors.is_continued
),

predecessors as (
    select
        new_code,
        effective_on,
        old_code
    from successions
    where kind in ('renamed', 'merged', 'split')
    union
    select
        new_code,
        effective_on,
        new_code as old_code
    from existing
),

-- Where all predecessors were in one unit, which of them it was makes no difference.
origins as (
    select
        structures.structure_date,
        predecessors.new_code,
        predecessors.effective_on,
        -- Who was there before others came is the one to go back to.
        coalesce(
            min(case when predecessors.old_code = predecessors.new_code then predecessors.old_code end),
            min(predecessors.old_code)
        ) as old_code,
        count(*) = 1
        or (count(distinct places.unit_code) = 1 and count(places.unit_code) = count(*)) as is_convertible
    from structures
    inner join predecessors on structures.structure_date < predecessors.effective_on
    left join places
        on
            structures.structure_date = places.structure_date
            and predecessors.old_code = places.code
            and structures.last_year >= places.year
    group by structures.structure_date, predecessors.new_code, predecessors.effective_on
),

inverses as (
    select
        *,
        coalesce(
            lead(effective_on) over (partition by structure_date, new_code order by effective_on), {{ forever }}
        ) as before_to
    from origins
),

-- --- steps -------------------------------------------------------------------------------------------------------
forward_steps as (
    select
        structures.structure_date,
        spells.old_code as code,
        spells.after_from,
        spells.after_below,
        {{ founded }} as before_above,
        {{ forever }} as before_to,
        successions.new_code as next_code,
        case
            when successions.new_code = spells.old_code then spells.effective_on
            else {{ add_days('spells.effective_on', -1) }}
        end as next_after,
        cast(null as date) as next_before,
        successions.share,
        successions.succession_id,
        spells.kind,
        'successor' as step,
        true as is_convertible,
        false as is_guess,
        false as is_existing
    from structures
    inner join spells on structures.structure_date >= spells.effective_on
    inner join successions
        on spells.old_code = successions.old_code and spells.effective_on = successions.effective_on
    where spells.kind <> 'dissolved' and successions.kind <> 'new_parent'
),

backward_steps as (
    select
        inverses.structure_date,
        inverses.new_code as code,
        {{ founded }} as after_from,
        {{ forever }} as after_below,
        inverses.effective_on as before_above,
        inverses.before_to,
        case when inverses.is_convertible then inverses.old_code else inverses.new_code end as next_code,
        {{ add_days('inverses.effective_on', -1) }} as next_after,
        case
            when not inverses.is_convertible then {{ add_days(founded, 1) }}
            when inverses.old_code = inverses.new_code then inverses.effective_on
            else {{ add_days('inverses.effective_on', 1) }}
        end as next_before,
        cast(1 as decimal(9, 6)) as share,
        successors.succession_id,
        'renamed' as kind,
        'predecessor' as step,
        inverses.is_convertible,
        false as is_guess,
        existing.new_code is not null as is_existing
    from inverses
    inner join successors
        on inverses.new_code = successors.new_code and inverses.effective_on = successors.effective_on
    left join existing
        on inverses.new_code = existing.new_code and inverses.effective_on = existing.effective_on
),

-- Before the first later succession a code is what it was: its parent is asked only there.
first_later as (
    select
        structure_date,
        new_code as code,
        min(effective_on) as effective_on
    from inverses
    group by structure_date, new_code
),

parent_steps as (
    select
        structures.structure_date,
        codes.code,
        coalesce(continued.since, {{ founded }}) as after_from,
        {{ forever }} as after_below,
        {{ founded }} as before_above,
        coalesce(first_later.effective_on, {{ forever }}) as before_to,
        case
            when provinces.code is not null then null
            when moved.code is not null then moved.parent_code
            when places.code is not null then places.parent_code
            else prefixes.prefix_code
        end as next_code,
        case
            when moved.code is not null then {{ add_days('moved.effective_on', -1) }}
            else {{ founded }}
        end as next_after,
        cast(null as date) as next_before,
        cast(1 as decimal(9, 6)) as share,
        moved.succession_id,
        'new_parent' as kind,
        'parent' as step,
        later_moves.code is null
        or coalesce(
            places.year < extract(year from later_moves.effective_on) or places.parent_code <> later_moves.parent_code,
            false
        ) as is_convertible,
        places.code is null and moved.code is null and units.unit_code is null and heads.code is null as is_guess,
        false as is_existing
    from structures
    cross join codes
    left join places on structures.structure_date = places.structure_date and codes.code = places.code
    left join {{ ref('dim_unit') }} as units on codes.code = units.unit_code
    left join moved on structures.structure_date = moved.structure_date and codes.code = moved.code and moved.choice = 1
    left join provinces on moved.parent_code = provinces.code
    left join heads on codes.code = heads.code
    left join later_moves
        on
            structures.structure_date = later_moves.structure_date
            and codes.code = later_moves.code
            and later_moves.choice = 1
    left join prefixes
        on structures.structure_date = prefixes.structure_date and codes.code = prefixes.code and prefixes.choice = 1
    left join ended on structures.structure_date = ended.structure_date and codes.code = ended.code
    left join continued on structures.structure_date = continued.structure_date and codes.code = continued.code
    left join first_later on structures.structure_date = first_later.structure_date and codes.code = first_later.code
    where ended.code is null
),

steps as (
    select * from forward_steps
    union all
    select * from backward_steps
    union all
    select * from parent_steps
),

parents as (
    select
        structures.structure_date,
        codes.code,
        coalesce(moved.parent_code, places.parent_code) as parent_code,
        coalesce(places.is_small, false) as is_small,
        coalesce(places.code, moved.code, units.unit_code, heads.code) is not null as is_placed
    from structures
    cross join codes
    left join places on structures.structure_date = places.structure_date and codes.code = places.code
    left join moved on structures.structure_date = moved.structure_date and codes.code = moved.code and moved.choice = 1
    left join {{ ref('dim_unit') }} as units on codes.code = units.unit_code
    left join heads on codes.code = heads.code
)

select
    steps.structure_date,
    steps.code,
    steps.step,
    steps.kind,
    steps.after_from,
    steps.after_below,
    steps.before_above,
    steps.before_to,
    coalesce(steps.next_code, '') as next_code,
    steps.next_after,
    steps.next_before,
    parents.parent_code,
    parents.is_small,
    parents.is_placed,
    steps.is_guess,
    steps.is_existing,
    cast(steps.share as decimal(9, 6)) as share,
    steps.succession_id,
    steps.is_convertible
from steps
inner join parents on steps.structure_date = parents.structure_date and steps.code = parents.code
