-- A version begins with the year whose report first shows it: its day is 1 January of that year, the day of the
-- succession that brought it, or, of the first version, the day of founding. The units and the province are
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

successions as (
    select
        old_code as org_code,
        effective_on
    from {{ ref('stg_successions') }}
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
        min(coalesce(from_year, (select min(dim_year.year) from {{ ref('dim_year') }} as dim_year))) as from_year,
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

units as (
    select
        coalesce(unit_sendings.year, unit_list.from_year) as year,
        dim_unit.unit_code,
        coalesce(unit_sendings.unit_name, dim_unit.unit_name) as unit_name,
        case
            when unit_list.to_year < 9999 and unit_list.to_year >= coalesce(last_sendings.year, 0)
                then {{ last_of_year('unit_list.to_year') }}
        end as closed_on
    from {{ ref('dim_unit') }} as dim_unit
    left join unit_list on dim_unit.unit_code = unit_list.unit_code
    left join unit_sendings on dim_unit.unit_code = unit_sendings.unit_code
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
        coalesce(org_name, last_value(org_name ignore nulls) over past, first_value(org_name ignore nulls) over future)
            as org_name,
        coalesce(org_kind, last_value(org_kind ignore nulls) over past, first_value(org_kind ignore nulls) over future)
            as known_kind,
        coalesce(
            org_sector, last_value(org_sector ignore nulls) over past, first_value(org_sector ignore nulls) over future
        ) as known_sector,
        coalesce(commune, last_value(commune ignore nulls) over past, first_value(commune ignore nulls) over future)
            as known_commune,
        coalesce(
            founded_on, last_value(founded_on ignore nulls) over past, first_value(founded_on ignore nulls) over future
        ) as founded_on,
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
        or coalesce(lag(next_report) over past < year, false)
        or (lag(closed_on) over past is not null and closed_on is null)
        or version_hash <> lag(version_hash) over past as is_start
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
        max_by(unit_code, year) as unit_code,
        max_by(org_code, year) as org_code,
        max_by(org_name, year) as org_name,
        max_by(org_kind, year) as org_kind,
        max_by(org_sector, year) as org_sector,
        max_by(parent_code, year) as parent_code,
        max_by(commune, year) as commune,
        max_by(grassroots_code, year) as grassroots_code,
        max_by(is_cell, year) as is_cell,
        max_by(is_grassroots, year) as is_grassroots,
        max_by(founded_on, year) as founded_on,
        max_by(closed_on, year) as closed_on,
        min(case when is_inferred then 1 else 0 end) = 1 as is_inferred,
        max(case when is_unit then 1 else 0 end) = 1 as is_unit
    from numbered
    group by organisation_key, version
),

changes as (
    select
        versions.organisation_key,
        versions.version,
        min(successions.effective_on) as effective_on
    from versions
    inner join successions
        on
            versions.org_code = successions.org_code
            and versions.first_year = extract(year from successions.effective_on)
    group by versions.organisation_key, versions.version
),

starting as (
    select
        versions.*,
        lag(versions.last_year) over by_version as former_year,
        case
            when versions.version = 1 and versions.founded_on <= {{ last_of_year('versions.first_year') }}
                then versions.founded_on
            -- Back after a gap, it was not brought by the succession.
            when
                versions.version > 1
                and coalesce(lag(versions.next_report) over by_version >= versions.first_year, true)
                and changes.effective_on is not null
                then changes.effective_on
            else {{ first_of_year('versions.first_year') }}
        end as reported_from,
        case
            when versions.version = 1 and versions.founded_on <= {{ last_of_year('versions.first_year') }}
                then 'founded_on'
            when versions.version = 1
                then 'first_listed'
            when
                coalesce(lag(versions.next_report) over by_version >= versions.first_year, true)
                and changes.effective_on is not null
                then 'succession'
            else 'year'
        end as reported_basis
    from versions
    left join changes
        on versions.organisation_key = changes.organisation_key and versions.version = changes.version
    window by_version as (partition by versions.organisation_key order by versions.version)
),

-- A unit is there as long as any organisation that it lists.
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
        case
            when starting.is_unit and starting.version = 1 and floors.earliest < starting.reported_from
                then floors.earliest
            else starting.reported_from
        end as valid_from,
        case
            when starting.is_unit and starting.version = 1 and floors.earliest < starting.reported_from
                then 'organisations'
            else starting.reported_basis
        end as valid_from_basis
    from starting
    left join floors on starting.unit_code = floors.unit_code
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
        *,
        next_from is null as is_current,
        case
            when next_report is null or next_report >= next_year then next_from
            else {{ first_of_year('next_report') }}
        end as followed_on
    from followed
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
        case when former_year is not null then {{ last_of_year('former_year') }} end as changed_after,
        case
            when valid_from_basis in ('founded_on', 'succession') then valid_from
            else {{ last_of_year('first_year') }}
        end as changed_by,
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
