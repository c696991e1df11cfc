-- A version begins with the year whose report first shows it: its day is 1 January of that year, the day of the
-- succession that brought it, or, of the first version, the day of founding. It ends with the next one, on the day of a
-- succession or a closing, or with the report that leaves the organisation out. The units and the province are
-- organisations as well.
{% set open_end = "date '9999-12-31'" %}
with snapshots as (
    select
        year,
        unit_code,
        org_code,
        org_name,
        org_kind,
        org_sector,
        parent_code,
        commune,
        grassroots_code,
        is_cell,
        is_grassroots,
        founded_on,
        closed_on,
        is_inferred
    from {{ ref('organisation_snapshot') }}
    where org_code <> unit_code
),

listed as (
    select distinct
        year,
        unit_code,
        org_code
    from {{ ref('stg_organisations') }}
    where is_in_force and org_code is not null
),

first_listings as (
    select
        unit_code,
        org_code,
        min(year) as year
    from listed
    group by unit_code, org_code
),

reports as (
    select distinct
        year,
        unit_code
    from listed
),

-- Listed before, and not in this year's list: a late decision may still name it as what it was.
unlisted as (
    select
        snapshots.year,
        snapshots.unit_code,
        snapshots.org_code
    from snapshots
    inner join first_listings
        on
            snapshots.unit_code = first_listings.unit_code
            and snapshots.org_code = first_listings.org_code
            and snapshots.year > first_listings.year
    inner join reports on snapshots.year = reports.year and snapshots.unit_code = reports.unit_code
    left join listed
        on
            snapshots.year = listed.year
            and snapshots.unit_code = listed.unit_code
            and snapshots.org_code = listed.org_code
    where listed.org_code is null
),

-- Who has members, meetings, ratings or organisations below it in a year lives, listed or not.
living as (
    select
        unlisted.year,
        unlisted.unit_code,
        unlisted.org_code
    from unlisted
    inner join snapshots as children
        on
            unlisted.year = children.year
            and unlisted.unit_code = children.unit_code
            and unlisted.org_code = children.parent_code
    {% for model, code in [
        ('stg_members', 'cell_code'),
        ('stg_member_assessments', 'cell_code'),
        ('stg_organisation_assessments', 'org_code'),
        ('stg_cell_meetings', 'cell_code'),
    ] %}
        union
        select
            unlisted.year,
            unlisted.unit_code,
            unlisted.org_code
        from unlisted
        inner join {{ ref(model) }} as records
            on
                unlisted.year = records.year
                and unlisted.unit_code = records.unit_code
                and unlisted.org_code = records.{{ code }}
        where records.is_in_force and not records.is_held_back
    {% endfor %}
),

unit_years as (
    select distinct
        year,
        unit_code
    from snapshots
),

next_reports as (
    select
        unit_years.year,
        unit_years.unit_code,
        min(reports.year) as next_report
    from unit_years
    inner join reports on unit_years.unit_code = reports.unit_code and unit_years.year < reports.year
    group by unit_years.year, unit_years.unit_code
),

-- An organisation that never was in a list is not missed in the next one.
organisations as (
    select
        snapshots.*,
        false as is_unit,
        case when first_listings.org_code is not null then next_reports.next_report end as next_report
    from snapshots
    left join next_reports on snapshots.year = next_reports.year and snapshots.unit_code = next_reports.unit_code
    left join first_listings
        on snapshots.unit_code = first_listings.unit_code and snapshots.org_code = first_listings.org_code
    left join unlisted
        on
            snapshots.year = unlisted.year
            and snapshots.unit_code = unlisted.unit_code
            and snapshots.org_code = unlisted.org_code
    left join living
        on
            snapshots.year = living.year
            and snapshots.unit_code = living.unit_code
            and snapshots.org_code = living.org_code
    where unlisted.org_code is null or living.org_code is not null
),

unit_list as (
    select
        unit_code,
        case when count(*) = count(from_year) then min(from_year) end as from_year,
        max(coalesce(to_year, 9999)) as to_year
    from {{ ref('stg_units') }}
    group by unit_code
),

unit_sendings as (
    select
        unit_code,
        year,
        unit_name
    from {{ ref('stg_submissions') }}
    where is_in_force and source_kind = 'unit'
),

last_sendings as (
    select
        unit_code,
        max(year) as year
    from unit_sendings
    group by unit_code
),

successions as (
    select
        old_code,
        new_code,
        effective_on,
        kind,
        cast(extract(year from effective_on) as integer) as year
    from {{ ref('stg_successions') }}
),

unit_successions as (
    select
        new_code as unit_code,
        min(year) as year
    from successions
    where kind <> 'new_parent'
    group by new_code
),

-- A unit that is expected from no stated year on is there since a succession began it, or always.
units as (
    select
        coalesce(
            unit_sendings.year,
            unit_list.from_year,
            unit_successions.year,
            (select min(dim_year.year) from {{ ref('dim_year') }} as dim_year)
        ) as year,
        dim_unit.unit_code,
        coalesce(unit_sendings.unit_name, dim_unit.unit_name) as unit_name,
        case
            when unit_list.to_year < 9999 and unit_list.to_year >= coalesce(last_sendings.year, 0)
                then {{ last_of_year('unit_list.to_year') }}
        end as closed_on
    from {{ ref('dim_unit') }} as dim_unit
    left join unit_list on dim_unit.unit_code = unit_list.unit_code
    left join unit_sendings on dim_unit.unit_code = unit_sendings.unit_code
    left join unit_successions on dim_unit.unit_code = unit_successions.unit_code
    left join last_sendings on dim_unit.unit_code = last_sendings.unit_code
),

evidence as (
    select * from organisations
    union all
    select
        year,
        unit_code,
        unit_code as org_code,
        unit_name as org_name,
        null as org_kind,
        null as org_sector,
        'ALL' as parent_code,
        null as commune,
        null as grassroots_code,
        false as is_cell,
        false as is_grassroots,
        null as founded_on,
        closed_on,
        false as is_inferred,
        true as is_unit,
        null as next_report
    from units
),

-- A code is one organisation wherever it reports, unless two list it in one year.
homes as (
    select
        org_code,
        count(*) > count(distinct year) as is_shared,
        min_by(unit_code, year) as unit_code
    from evidence
    group by org_code
),

keyed as (
    select
        evidence.*,
        case
            when homes.is_shared and evidence.is_unit then evidence.org_code
            when homes.is_shared then evidence.unit_code || '/' || evidence.org_code
            when homes.unit_code = evidence.org_code then evidence.org_code
            else homes.unit_code || '/' || evidence.org_code
        end as organisation_key
    from evidence
    inner join homes on evidence.org_code = homes.org_code
),

-- An empty cell says nothing: what was known goes on.
filled as (
    select
        organisation_key,
        year,
        next_report,
        unit_code,
        org_code,
        is_unit,
        is_inferred,
        parent_code,
        grassroots_code,
        is_cell,
        is_grassroots,
        {{ known('org_name') }} as org_name,
        {{ known('org_kind') }} as known_kind,
        {{ known('org_sector') }} as known_sector,
        {{ known('commune') }} as known_commune,
        {{ known('founded_on') }} as founded_on,
        -- Who is only mentioned stays closed if it was.
        last_value(case when not is_inferred then coalesce(closed_on, {{ open_end }}) end ignore nulls)
            over so_far as closes_on
    from keyed
    window
        past as (partition by organisation_key order by year rows between unbounded preceding and 1 preceding),
        future as (partition by organisation_key order by year rows between 1 following and unbounded following),
        so_far as (partition by organisation_key order by year rows between unbounded preceding and current row)
),

hashed as (
    select
        organisation_key,
        year,
        next_report,
        unit_code,
        org_code,
        is_unit,
        is_inferred,
        parent_code,
        grassroots_code,
        is_cell,
        is_grassroots,
        org_name,
        case when not is_unit then known_kind end as org_kind,
        case when not is_unit then known_sector end as org_sector,
        case when not is_unit then known_commune end as commune,
        founded_on,
        nullif(closes_on, {{ open_end }}) as closed_on,
        {{ hash_of([
            'unit_code', 'is_unit', 'org_name', 'known_kind', 'known_sector', 'parent_code', 'known_commune'
        ]) }} as version_hash
    from filled
),

compared as (
    select
        *,
        lag(year) over past is null
        or lag(unit_code) over past <> unit_code
        or coalesce(lag(next_report) over past < year, false)
        or (lag(closed_on) over past is not null and closed_on is null)
        or (
            version_hash <> lag(version_hash) over past
            -- Of what closed before the year and since the last report, the row tells no more than the closing.
            and not coalesce(
                closed_on < {{ first_of_year('year') }} and closed_on >= {{ first_of_year('lag(year) over past') }},
                false
            )
        ) as is_start
    from hashed
    window past as (partition by organisation_key order by year)
),

numbered as (
    select
        *,
        sum(case when is_start then 1 else 0 end) over (partition by organisation_key order by year) as version
    from compared
),

versions as (
    select
        organisation_key,
        version,
        min(year) as first_year,
        max(year) as last_year,
        case when max(next_report) > max(year) then max(next_report) end as next_report,
        min_by(unit_code, year) as unit_code,
        min_by(org_code, year) as org_code,
        min_by(org_name, year) as org_name,
        min_by(org_kind, year) as org_kind,
        min_by(org_sector, year) as org_sector,
        min_by(parent_code, year) as parent_code,
        min_by(commune, year) as commune,
        max_by(grassroots_code, year) as grassroots_code,
        min_by(is_cell, year) as is_cell,
        max_by(is_grassroots, year) as is_grassroots,
        max_by(founded_on, year) as founded_on,
        max_by(closed_on, year) as closed_on,
        min(case when is_inferred then 1 else 0 end) = 1 as is_inferred,
        max(case when is_unit then 1 else 0 end) = 1 as is_unit
    from numbered
    group by organisation_key, version
),

-- --- what successions tell ---------------------------------------------------------------------------------------
last_seen as (
    select
        org_code,
        max(year) as year
    from (
        select
            org_code,
            year
        from listed
        union all
        select
            org_code,
            year
        from living
        union all
        select
            unit_code as org_code,
            year
        from unit_sendings
    ) as seen
    group by org_code
),

changes as (
    select
        old_code as org_code,
        effective_on,
        year,
        max(case when kind = 'new_parent' then new_code end) as moved_to,
        max(case when kind <> 'new_parent' and coalesce(new_code, '') <> old_code then 1 else 0 end) = 1 as has_left,
        max(case when new_code = old_code then 1 else 0 end) = 1 as is_continued
    from successions
    group by old_code, effective_on, year
),

-- On a day a code was moved under another, went on with a part of itself, was joined by others, or ended, unless
-- reports of later years still speak of it.
events as (
    select
        changes.org_code,
        changes.effective_on,
        changes.year,
        changes.moved_to,
        last_seen.year as last_seen,
        case
            when not changes.has_left then 'moved'
            when changes.is_continued then 'continued'
            when last_seen.year > changes.year then 'outlived'
            else 'ended'
        end as event
    from changes
    left join last_seen on changes.org_code = last_seen.org_code
    union all
    select distinct
        new_code as org_code,
        effective_on,
        year,
        cast(null as varchar) as moved_to,
        cast(null as integer) as last_seen,
        'joined' as event
    from successions
    where kind <> 'new_parent' and new_code <> old_code
),

-- A code that nobody reported before others became it, and that no succession had spoken of, began on that day; not so
-- if its unit has sent a list without it since.
begun as (
    select
        versions.organisation_key,
        versions.unit_code,
        versions.org_code,
        versions.first_year,
        min(events.effective_on) as begins_on
    from versions
    inner join events on versions.org_code = events.org_code
    left join changes
        on
            events.org_code = changes.org_code
            and (
                events.effective_on > changes.effective_on
                or (events.effective_on = changes.effective_on and changes.has_left)
            )
    left join reports
        on
            versions.unit_code = reports.unit_code
            and events.year < reports.year
            and versions.first_year > reports.year
    where
        events.event = 'joined'
        and versions.version = 1
        and versions.first_year >= events.year
        and changes.org_code is null
        and reports.year is null
    group by versions.organisation_key, versions.unit_code, versions.org_code, versions.first_year
),

-- The way up from a version, in its first year and in its last, as far as successions speak of it; the unit comes last.
touched as (
    select distinct org_code from events
),

lines as (
    select
        versions.organisation_key,
        versions.version,
        versions.unit_code,
        versions.last_year,
        versions.next_report,
        ancestors.ancestor_code,
        ancestors.distance,
        ancestors.year = versions.first_year as is_first,
        ancestors.year = versions.last_year as is_last
    from versions
    inner join {{ ref('bridge_organisation_ancestor') }} as ancestors
        on
            versions.unit_code = ancestors.unit_code
            and versions.org_code = ancestors.org_code
            and ancestors.year in (versions.first_year, versions.last_year)
    inner join touched on ancestors.ancestor_code = touched.org_code
    where ancestors.ancestor_code <> versions.unit_code
    union all
    select
        versions.organisation_key,
        versions.version,
        versions.unit_code,
        versions.last_year,
        versions.next_report,
        versions.unit_code as ancestor_code,
        1000 as distance,
        true as is_first,
        true as is_last
    from versions
    inner join touched on versions.unit_code = touched.org_code
),

-- Who is below something that began then began with it, if the same report shows both first.
beginnings as (
    select
        lines.organisation_key,
        lines.version,
        begun.begins_on,
        begun.first_year,
        row_number() over (partition by lines.organisation_key, lines.version order by lines.distance) as choice
    from lines
    inner join begun on lines.unit_code = begun.unit_code and lines.ancestor_code = begun.org_code
    where lines.is_first and lines.organisation_key <> begun.organisation_key
),

-- Who is below something that ended, and did not go another way himself by then, ended with it; not so if the report
-- that leaves him out still knows the other.
fates as (
    select
        lines.organisation_key,
        lines.version,
        events.effective_on,
        events.event = 'ended' and coalesce(lines.next_report > events.last_seen, true) as is_end,
        max(events.effective_on) over (
            partition by lines.organisation_key, lines.version order by lines.distance
            range between unbounded preceding and 1 preceding
        ) as nearer_on
    from lines
    inner join events on lines.ancestor_code = events.org_code and lines.last_year <= events.year
    where lines.is_last
),

endings as (
    select
        organisation_key,
        version,
        min(effective_on) as ended_on
    from fates
    where is_end and (nearer_on is null or nearer_on < effective_on)
    group by organisation_key, version
),

-- --- the days ----------------------------------------------------------------------------------------------------
following as (
    select
        versions.*,
        lag(versions.last_year) over by_version as former_year,
        -- Back after a gap, it was not brought by a succession.
        coalesce(lag(versions.next_report) over by_version < versions.first_year, false) as is_back,
        lag(versions.unit_code) over by_version as former_unit_code,
        lag(versions.parent_code) over by_version as former_parent_code,
        versions.unit_code <> lag(versions.unit_code) over by_version as is_elsewhere,
        coalesce(versions.parent_code, '') = coalesce(lag(versions.parent_code) over by_version, '') as is_same_parent
    from versions
    window by_version as (partition by versions.organisation_key order by versions.version)
),

-- The successions between the report of what was and that of what is: first what put it elsewhere, itself or with what
-- was above it, else anything that happened to it. A report of the year itself may still show what was before.
causes as (
    select
        following.organisation_key,
        following.version,
        case
            when events.org_code = following.org_code and events.event <> 'moved' then 1500
            else lines.distance
        end as distance,
        events.effective_on
    from following
    inner join lines
        on
            following.organisation_key = lines.organisation_key
            and following.version = lines.version + 1
            and lines.is_last
    inner join events
        on
            lines.ancestor_code = events.org_code
            and {{ first_of_year('following.former_year') }} < events.effective_on
            and following.first_year >= events.year
    left join lines as still
        on
            following.organisation_key = still.organisation_key
            and following.version = still.version
            and events.org_code = still.ancestor_code
            and still.is_first
    where
        not following.is_back
        and case
            when events.org_code = following.org_code
                then
                    events.year > following.former_year
                    or (not following.is_same_parent and events.moved_to = following.parent_code)
            when events.event = 'moved'
                then
                    following.is_elsewhere
                    and following.is_same_parent
                    and events.org_code <> following.former_unit_code
            -- Nobody left what he still is below.
            when still.ancestor_code is not null then false
            when events.event = 'ended' then following.is_elsewhere or not following.is_same_parent
            else events.event = 'continued' and not following.is_same_parent
        end
    union all
    select
        following.organisation_key,
        following.version,
        2000 as distance,
        beginnings.begins_on as effective_on
    from following
    inner join beginnings
        on
            following.organisation_key = beginnings.organisation_key
            and following.version = beginnings.version
            and beginnings.choice = 1
    where
        not following.is_back
        and (following.is_elsewhere or not following.is_same_parent)
        and beginnings.begins_on > {{ last_of_year('following.former_year') }}
        and beginnings.begins_on <= {{ last_of_year('following.first_year') }}
),

brought as (
    select
        organisation_key,
        version,
        effective_on,
        row_number() over (
            partition by organisation_key, version
            order by distance, effective_on desc
        ) as choice
    from causes
),

based as (
    select
        following.*,
        coalesce(begun.begins_on, beginnings.begins_on) as begins_on,
        brought.effective_on as brought_on,
        case
            when following.version > 1 and brought.effective_on is not null then 'succession'
            when following.version > 1 then 'year'
            when begun.begins_on is not null or following.founded_on < beginnings.begins_on then 'succession'
            when following.founded_on <= {{ last_of_year('following.first_year') }} then 'founded_on'
            when following.first_year = beginnings.first_year then 'succession'
            else 'first_listed'
        end as basis
    from following
    left join begun on following.organisation_key = begun.organisation_key
    left join beginnings
        on
            following.organisation_key = beginnings.organisation_key
            and following.version = beginnings.version
            and beginnings.choice = 1
    left join brought
        on
            following.organisation_key = brought.organisation_key
            and following.version = brought.version
            and brought.choice = 1
),

dated as (
    select
        *,
        case basis
            when 'founded_on' then founded_on
            when 'succession' then case when version = 1 then begins_on else brought_on end
            else {{ first_of_year('first_year') }}
        end as day
    from based
),

-- A succession that has begun the former version is not told by this one again.
unrepeated as (
    select
        *,
        coalesce(day <= lag(day) over by_version, false) as is_repeated
    from dated
    window by_version as (partition by organisation_key order by version)
),

starting as (
    select
        *,
        case when is_repeated then {{ first_of_year('first_year') }} else day end as reported_from,
        case when is_repeated then 'year' else basis end as reported_basis
    from unrepeated
),

-- A unit is there as long as any organisation that it lists, but for one that a succession began.
floors as (
    select
        unit_code,
        min(reported_from) as earliest
    from starting
    where not is_unit
    group by unit_code
),

started as (
    select
        starting.*,
        coalesce(floors.earliest, starting.reported_from) as valid_from,
        case when floors.earliest is not null then 'organisations' else starting.reported_basis end as valid_from_basis
    from starting
    left join floors
        on
            starting.unit_code = floors.unit_code
            and starting.reported_from > floors.earliest
            and starting.is_unit
            and starting.version = 1
            and starting.reported_basis <> 'succession'
),

followed as (
    select
        *,
        lead(first_year) over by_version as next_year,
        lead(valid_from) over by_version as next_from
    from started
    window by_version as (partition by organisation_key order by version)
),

ending as (
    select
        followed.*,
        followed.next_from is null as is_current,
        {{ day_after_version('endings.ended_on') }} as followed_on
    from followed
    left join endings
        on followed.organisation_key = endings.organisation_key and followed.version = endings.version
),

ended as (
    select
        *,
        -- A closing before the version's first day contradicts the list, which goes on naming it.
        case
            when closed_on >= valid_from
                then least({{ add_days('closed_on', 1) }}, {{ end_of('followed_on') }})
            else followed_on
        end as valid_to
    from ending
),

history as (
    select
        organisation_key,
        case
            when is_unit then 'unit'
            when is_grassroots then 'grassroots'
            when is_cell then 'cell'
            when not is_cell then 'sectional'
        end as organisation_level,
        unit_code,
        org_code,
        org_name,
        org_kind,
        org_sector,
        parent_code,
        commune,
        grassroots_code,
        founded_on,
        closed_on,
        valid_from,
        valid_to,
        valid_from_basis,
        case
            when former_year is not null then least({{ last_of_year('former_year') }}, {{ add_days('valid_from', -1) }})
        end as changed_after,
        {{ begun_by(['founded_on', 'succession']) }} as changed_by,
        version,
        is_current,
        first_year,
        last_year,
        is_inferred
    from ended
    union all
    select
        'ALL' as organisation_key,
        'province' as organisation_level,
        'ALL' as unit_code,
        'ALL' as org_code,
        'Toàn tỉnh' as org_name,
        null as org_kind,
        null as org_sector,
        null as parent_code,
        null as commune,
        null as grassroots_code,
        null as founded_on,
        null as closed_on,
        coalesce(
            min(valid_from), (select {{ first_of_year('min(dim_year.year)') }} from {{ ref('dim_year') }} as dim_year)
        ) as valid_from,
        null as valid_to,
        'organisations' as valid_from_basis,
        null as changed_after,
        null as changed_by,
        1 as version,
        true as is_current,
        min(first_year) as first_year,
        max(last_year) as last_year,
        false as is_inferred
    from ended
)

select
    organisation_key || '@' || cast(valid_from as varchar) as organisation_version_key,
    organisation_key,
    organisation_level,
    unit_code,
    org_code,
    org_name,
    org_kind,
    org_sector,
    parent_code,
    commune,
    grassroots_code,
    founded_on,
    closed_on,
    valid_from,
    valid_to,
    valid_from_basis,
    changed_after,
    changed_by,
    cast(version as integer) as version,
    is_current,
    first_year,
    last_year,
    is_inferred,
    case when lag(valid_from) over by_code is null then date '0001-01-01' else valid_from end as applies_from,
    coalesce(lead(valid_from) over by_code, {{ open_end }}) as applies_to
from history
window by_code as (partition by unit_code, org_code order by valid_from)
