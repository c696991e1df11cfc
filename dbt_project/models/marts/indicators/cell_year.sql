-- What each cell owed and held, with the quality of its meetings told from their points.
with received as (
    select distinct
        submissions.year,
        submissions.unit_code
    from {{ ref('fct_submission') }} as submissions
    inner join {{ ref('fct_submission_form') }} as forms on submissions.source_hash = forms.source_hash
    where submissions.is_in_force and submissions.source_kind = 'unit' and forms.form = 'cell_meetings'
),

bands as (
    select
        band_code,
        band_name,
        points_from,
        coalesce(points_below, 1000) as points_below,
        valid_from,
        coalesce(valid_to, date '9999-12-31') as valid_to
    from {{ ref('score_bands') }}
    where band_set = 'cell_meeting'
),

attendance_rule as (
    select issued_on
    from {{ ref('programmes') }}
    where document = '26-QĐ/TU'
),

meetings as (
    select
        facts.year,
        facts.unit_code,
        coalesce(facts.cell_code, facts.unit_code) as org_code,
        count(*) as held,
        count(distinct facts.month) as months_held,
        sum(case when facts.is_thematic then 1 else 0 end) as thematic,
        count(distinct case when facts.is_thematic then ceil(facts.month / 3.0) end) as quarters_thematic,
        sum(case when bands.band_code = 'TOT' then 1 else 0 end) as band_tot,
        sum(case when bands.band_code = 'KHA' then 1 else 0 end) as band_kha,
        sum(case when bands.band_code = 'TB' then 1 else 0 end) as band_trung_binh,
        sum(case when bands.band_code = 'KEM' then 1 else 0 end) as band_kem,
        count(bands.band_code) as banded,
        sum(case when facts.band <> bands.band_name then 1 else 0 end) as band_differs,
        sum(case when facts.band is not null and bands.band_code is not null then 1 else 0 end) as band_compared,
        {{ exact_sum('facts.points') }} as points,
        count(facts.points) as with_points,
        sum(case when facts.expected is not null then facts.attended end) as attended,
        sum(case when facts.attended is not null then facts.expected end) as expected,
        sum(case when facts.held_on >= rule.issued_on and facts.superior_attended then 1 else 0 end) as superiors,
        sum(case when facts.held_on >= rule.issued_on then 1 else 0 end) as held_under_rule
    from {{ ref('fct_cell_meeting') }} as facts
    left join attendance_rule as rule on true
    left join bands
        on
            facts.points >= bands.points_from
            and facts.points < bands.points_below
            and facts.held_on >= bands.valid_from
            and facts.held_on < bands.valid_to
    where facts.is_held
    group by facts.year, facts.unit_code, coalesce(facts.cell_code, facts.unit_code)
),

-- A cell that its unit lists owes a meeting for every month, and a thematic one for every quarter, that it exists in.
lives as (
    select
        year,
        unit_code,
        org_code,
        case
            when founded_on is null or extract(year from founded_on) < year then 1
            when extract(year from founded_on) > year then 13
            else extract(month from founded_on)
        end as first_month,
        case
            when closed_on is null or extract(year from closed_on) > year then 12
            when extract(year from closed_on) < year then 0
            else extract(month from closed_on)
        end as last_month
    from {{ ref('organisation_snapshot') }}
    where is_cell and is_listed
),

cells as (
    select
        lives.year,
        lives.unit_code,
        lives.org_code,
        lives.last_month - lives.first_month + 1 as months_due,
        ceil(lives.last_month / 3.0) - ceil(lives.first_month / 3.0) + 1 as quarters_due,
        1 as cells
    from lives
    inner join received
        on
            lives.year = received.year
            and lives.unit_code = received.unit_code
    where lives.first_month <= lives.last_month
),

meeting_places as (
    select
        year,
        unit_code,
        org_code
    from cells
    union
    select
        year,
        unit_code,
        org_code
    from meetings
)

select
    cast(places.year as integer) as year,
    places.unit_code,
    places.org_code,
    cast(coalesce(cells.cells, 0) as integer) as cells,
    cast(coalesce(cells.months_due, 0) as integer) as months_due,
    cast(coalesce(cells.quarters_due, 0) as integer) as quarters_due,
    cast(coalesce(meetings.held, 0) as integer) as held,
    cast(coalesce(meetings.months_held, 0) as integer) as months_held,
    cast(coalesce(meetings.thematic, 0) as integer) as thematic,
    cast(coalesce(meetings.quarters_thematic, 0) as integer) as quarters_thematic,
    cast(coalesce(meetings.band_tot, 0) as integer) as band_tot,
    cast(coalesce(meetings.band_kha, 0) as integer) as band_kha,
    cast(coalesce(meetings.band_trung_binh, 0) as integer) as band_trung_binh,
    cast(coalesce(meetings.band_kem, 0) as integer) as band_kem,
    cast(coalesce(meetings.banded, 0) as integer) as banded,
    cast(coalesce(meetings.band_differs, 0) as integer) as band_differs,
    cast(coalesce(meetings.band_compared, 0) as integer) as band_compared,
    cast(coalesce(meetings.with_points, 0) as integer) as with_points,
    cast(coalesce(meetings.attended, 0) as integer) as attended,
    cast(coalesce(meetings.expected, 0) as integer) as expected,
    cast(coalesce(meetings.superiors, 0) as integer) as superiors,
    cast(coalesce(meetings.held_under_rule, 0) as integer) as held_under_rule,
    cast(meetings.points as decimal(18, 4)) as points
from meeting_places as places
left join meetings
    on
        places.year = meetings.year
        and places.unit_code = meetings.unit_code
        and places.org_code = meetings.org_code
left join cells
    on
        places.year = cells.year
        and places.unit_code = cells.unit_code
        and places.org_code = cells.org_code
