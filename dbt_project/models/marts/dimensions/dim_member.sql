-- A version begins with the year whose roll first shows it, on 1 January; an admission of that year on its day; and who
-- is gone at the end of the year went by the decision of expulsion, or on the last day: the year's records still are of
-- a member. Attributes that make no versions are the latest lawful ones.
{% set tracked = ['unit_code', 'cell_code', 'status', 'qualification', 'theory'] %}
{% set lasting = ['birth_year', 'gender', 'ethnicity', 'school', 'occupation'] %}
{% set mentions = [
    ('stg_member_assessments', 'member_key'),
    ('stg_admissions', 'member_key'),
    ('stg_inspections', 'subject_member_key'),
    ('stg_disciplines', 'subject_member_key'),
    ('stg_discipline_register', 'subject_member_key'),
] %}
with records as (
    select
        *,
        {{ hash_of(tracked + lasting + ['admitted_on']) }} as record_hash
    from {{ ref('stg_members') }}
    where is_in_force and member_key is not null
),

unit_years as (
    select distinct
        unit_code,
        year
    from records
),

reports as (
    select
        unit_code,
        year,
        row_number() over by_year as ordinal,
        lead(year) over by_year as next_report
    from unit_years
    window by_year as (partition by unit_code order by year)
),

-- Most members stand on every roll of their unit, each time the same: one pass without any order finds them, and only
-- the others are put in order year by year.
members as (
    select
        records.member_key,
        min(records.year) as first_year,
        max(records.year) as last_year,
        min(case when not records.is_held_back then records.year end) as first_lawful_year,
        max(case when records.is_held_back then 1 else 0 end) = 0
        and min(records.record_hash) = max(records.record_hash)
        and max(reports.ordinal) - min(reports.ordinal) + 1 = count(*) as is_steady,
        -- of the last roll: only a unit's last one has none after it
        nullif(max(coalesce(reports.next_report, 9999)), 9999) as next_report
    from records
    inner join reports on records.unit_code = reports.unit_code and records.year = reports.year
    group by records.member_key
),

steady as (
    select
        records.member_key,
        1 as version,
        members.first_year,
        members.last_year,
        members.next_report,
        {% for column in tracked + lasting %}
            records.{{ column }},
        {% endfor %}
        records.admitted_on
    from records
    inner join members
        on records.member_key = members.member_key and records.year = members.last_year and members.is_steady
),

-- Who moved within a year stands on two rolls: he is where he is present. Of a row that is held back only this is
-- known, that he is on the roll.
choices as (
    select
        records.member_key,
        records.year,
        reports.next_report,
        {% for column in tracked + lasting + ['admitted_on'] %}
            case when not records.is_held_back then records.{{ column }} end as {{ column }},
        {% endfor %}
        row_number() over (
            partition by records.member_key, records.year
            order by records.is_held_back, coalesce(statuses.is_present, false) desc, records.record_id
        ) as choice
    from records
    inner join members
        on
            records.member_key = members.member_key
            and records.year >= members.first_lawful_year
            and not members.is_steady
    inner join reports on records.unit_code = reports.unit_code and records.year = reports.year
    left join {{ ref('member_statuses') }} as statuses on records.status = statuses.status
),

-- An empty cell says nothing: what was known goes on.
known as (
    select
        *,
        {% for column in tracked %}
            last_value({{ column }} ignore nulls) over past as former_{{ column }},
        {% endfor %}
        lag(next_report) over by_year < year as is_missed
    from choices
    where choice = 1
    window
        by_year as (partition by member_key order by year),
        past as (partition by member_key order by year rows between unbounded preceding and 1 preceding)
),

numbered as (
    select
        *,
        1 + sum(
            case
                when
                    is_missed
                    {% for column in tracked %}
                        or {{ column }} <> former_{{ column }}
                    {% endfor %}
                    then 1
                else 0
            end
        ) over (partition by member_key order by year) as version
    from known
),

changing as (
    select
        member_key,
        version,
        min(year) as first_year,
        max(year) as last_year,
        {% for column in tracked %}
            coalesce(max({{ column }}), max(former_{{ column }})) as {{ column }},
        {% endfor %}
        case when max(next_report) > max(year) then max(next_report) end as next_report
    from numbered
    group by member_key, version
),

attributes as (
    select
        member_key,
        {% for column in lasting %}
            max_by({{ column }}, year) filter (where {{ column }} is not null) as {{ column }},
        {% endfor %}
        min(admitted_on) as admitted_on
    from numbered
    group by member_key
),

changed as (
    select
        changing.member_key,
        changing.version,
        changing.first_year,
        changing.last_year,
        changing.next_report,
        {% for column in tracked %}
            coalesce(changing.{{ column }}, first_value(changing.{{ column }} ignore nulls) over later)
                as {{ column }},
        {% endfor %}
        {% for column in lasting %}
            attributes.{{ column }},
        {% endfor %}
        attributes.admitted_on
    from changing
    inner join attributes on changing.member_key = attributes.member_key
    window
        later as (
            partition by changing.member_key order by changing.version
            rows between 1 following and unbounded following
        )
),

-- Known only from other records than a roll.
mentioned as (
    {% for model, member_key in mentions %}
        select
            records.{{ member_key }} as mentioned_key,
            min(records.year) as first_year,
            max(records.year) as last_year
        from {{ ref(model) }} as records
        left join members
            on records.{{ member_key }} = members.member_key and members.first_lawful_year is not null
        where
            records.is_in_force
            and not records.is_held_back
            and records.{{ member_key }} is not null
            and members.member_key is null
        group by records.{{ member_key }}
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

expulsions as (
    select
        subject_member_key as member_key,
        decided_on
    from {{ ref('stg_disciplines') }}
    where is_in_force and not is_held_back and form = 'Khai trừ' and decided_on is not null
),

stated as (
    select
        steady.*,
        true as is_steady,
        cast(null as boolean) as was_present,
        cast(null as integer) as former_year,
        false as is_back,
        statuses.is_present
    from steady
    left join {{ ref('member_statuses') }} as statuses on steady.status = statuses.status
    union all
    select
        changed.*,
        false as is_steady,
        lag(statuses.is_present) over by_version as was_present,
        lag(changed.last_year) over by_version as former_year,
        coalesce(lag(changed.next_report) over by_version < changed.first_year, false) as is_back,
        statuses.is_present
    from changed
    left join {{ ref('member_statuses') }} as statuses on changed.status = statuses.status
    window by_version as (partition by changed.member_key order by changed.version)
),

-- Not before he last was on a roll as a member.
decisions as (
    select
        stated.member_key,
        stated.version,
        max(expulsions.decided_on) as decided_on
    from stated
    inner join expulsions on stated.member_key = expulsions.member_key
    where
        stated.status = 'Khai trừ'
        and expulsions.decided_on > greatest({{ first_of_year('stated.former_year') }}, stated.admitted_on)
        and expulsions.decided_on <= {{ last_of_year('stated.first_year') }}
    group by stated.member_key, stated.version
),

started as (
    select
        stated.*,
        case
            when
                stated.version = 1
                and stated.admitted_on between {{ first_of_year('stated.first_year') }}
                and {{ last_of_year('stated.first_year') }}
                then 'admitted_on'
            when stated.version = 1 then 'first_listed'
            when stated.is_back or not stated.was_present or coalesce(stated.is_present, true) then 'year'
            when decisions.decided_on is not null then 'decision'
            else 'year_end'
        end as valid_from_basis,
        decisions.decided_on
    from stated
    left join decisions on stated.member_key = decisions.member_key and stated.version = decisions.version
),

dated as (
    select
        *,
        case valid_from_basis
            when 'admitted_on' then admitted_on
            when 'decision' then decided_on
            when 'year_end' then {{ last_of_year('first_year') }}
            else {{ first_of_year('first_year') }}
        end as valid_from
    from started
),

followed as (
    select
        *,
        lead(first_year) over by_version as next_year,
        lead(valid_from) over by_version as next_from
    from dated
    where not is_steady
    window by_version as (partition by member_key order by version)
    union all
    select
        *,
        null as next_year,
        null as next_from
    from dated
    where is_steady
),

history as (
    select
        member_key,
        unit_code,
        cell_code,
        status,
        is_present,
        qualification,
        theory,
        birth_year,
        gender,
        ethnicity,
        school as education,
        occupation,
        valid_from,
        {{ day_after_version() }} as valid_to,
        valid_from_basis,
        case when former_year is not null then {{ last_of_year('former_year') }} end as changed_after,
        {{ begun_by(['admitted_on', 'decision']) }} as changed_by,
        version,
        next_from is null as is_current,
        first_year,
        last_year,
        false as is_inferred,
        next_from
    from followed
    union all
    select
        mentioned_key as member_key,
        null as unit_code,
        null as cell_code,
        null as status,
        null as is_present,
        null as qualification,
        null as theory,
        null as birth_year,
        null as gender,
        null as ethnicity,
        null as education,
        null as occupation,
        {{ first_of_year('min(first_year)') }} as valid_from,
        null as valid_to,
        'mentioned' as valid_from_basis,
        null as changed_after,
        {{ last_of_year('min(first_year)') }} as changed_by,
        1 as version,
        true as is_current,
        min(first_year) as first_year,
        max(last_year) as last_year,
        true as is_inferred,
        null as next_from
    from mentioned
    group by mentioned_key
)

select
    member_key || '@' || cast(valid_from as varchar) as member_version_key,
    member_key,
    unit_code,
    cell_code,
    status,
    is_present,
    qualification,
    theory,
    birth_year,
    gender,
    ethnicity,
    education,
    occupation,
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
    case when version = 1 then date '0001-01-01' else valid_from end as applies_from,
    coalesce(next_from, date '9999-12-31') as applies_to
from history
