-- Each mart has as many rows, or adds up to as many, as what it is made of: no join finds a row twice or loses one.
-- Of facts, sending by sending: see assert_facts_hold_every_loaded_row.
{% set rows_of = [
    ('fct_submission', 'stg_submissions'),
    ('fct_sending', 'stg_sendings'),
    ('reporting_obligation', 'stg_obligations'),
    ('organisation_year', 'organisation_snapshot'),
    ('discipline_match', 'fct_discipline_register'),
] %}
{% set sums_of = [
    ('organisation_year', 'sum(members_rated) filter (where is_grassroots)',
        'fct_member_assessment', 'count(final_level) filter (where grassroots_code is not null)'),
    ('organisation_year', 'sum(members) filter (where is_grassroots)',
        'fct_member', 'count(*) filter (where is_present and grassroots_code is not null)'),
    ('grassroots_excellence', 'sum(rated)',
        'fct_member_assessment', 'count(final_level) filter (where grassroots_code is not null)'),
    ('grassroots_excellence', 'count(*)', 'organisation_snapshot', 'count(*) filter (where is_grassroots)'),
    ('rating_distribution', "sum(n) filter (where subject_kind = 'member')",
        'fct_member_assessment', 'count(final_level)'),
    ('rating_distribution', "sum(n) filter (where subject_kind = 'organisation')",
        'fct_organisation_assessment', 'count(final_level)'),
    ('rating_distribution', "sum(n) filter (where subject_kind = 'grassroots')",
        'fct_organisation_assessment', 'count(final_level) filter (where is_grassroots)'),
    ('rating_ladder', "sum(n) filter (where subject_kind = 'member' and step = 'decided')", 'fct_member_assessment',
        'count(*) filter (where self_level is not null and proposed_level is not null and final_level is not null)'),
    ('rating_ladder', "sum(n) filter (where subject_kind = 'organisation' and step = 'decided')",
        'fct_organisation_assessment',
        'count(*) filter (where self_level is not null and appraised_level is not null and final_level is not null)'),
    ('admission_rate', "sum(admissions) filter (where unit_code <> 'ALL')", 'fct_admission', 'count(*)'),
    ('admission_rate', "sum(members) filter (where unit_code = 'ALL')",
        'fct_member', 'count(*) filter (where is_present)'),
    ('control_totals', 'sum(members_rows)', 'fct_member', 'count(*)'),
    ('control_totals', 'sum(assessments_rows)', 'fct_member_assessment', 'count(*)'),
    ('control_totals', 'sum(assessments_held_back)',
        'held_back_assessment', "count(*) filter (where subject_kind = 'member')"),
    ('control_totals', 'sum(admissions_rows)', 'fct_admission', 'count(*)'),
    ('coverage', 'sum(units_received)', 'control_totals', 'count(*)'),
    ('reporting_rate', 'sum(expected_reports)', 'reporting_obligation', 'count(*) filter (where is_due)'),
    ('discipline_case', 'count(*) filter (where in_register)', 'fct_discipline_register', 'count(*)'),
    ('disciplined_member', 'count(*)', 'discipline_case', 'count(distinct (year, subject_member_key)) filter '
        ~ '(where subject_member_key is not null)'),
    ('disciplined_organisation', 'count(*)', 'discipline_case',
        'count(distinct (year, unit_code, subject_org_code)) filter (where subject_org_code is not null '
        ~ 'and subject_member_key is null and unit_code is not null)'),
    ('discipline_by_level', 'sum(n)', 'disciplined_member', 'count(*)'),
] %}
{% set rows_held_back = [
    ('held_back_assessment', "count(*) filter (where subject_kind = 'member')", 'stg_member_assessments'),
    ('held_back_assessment', "count(*) filter (where subject_kind = 'organisation')", 'stg_organisation_assessments'),
] %}
{% set held_back = 'count(*) filter (where is_in_force and is_held_back)' %}
{% set pairs = [] %}
{% for mart, source in rows_of %}{% do pairs.append((mart, 'count(*)', source, 'count(*)')) %}{% endfor %}
{% for mart, found, source in rows_held_back %}{% do pairs.append((mart, found, source, held_back)) %}{% endfor %}
with counted as (
    {% for mart, found, source, expected in pairs + sums_of %}
        select
            '{{ mart }}' as mart,
            (select {{ found }} from {{ ref(mart) }}) as found,
            (select {{ expected }} from {{ ref(source) }}) as expected
        {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    mart,
    found,
    expected
from counted
where coalesce(found, 0) <> coalesce(expected, 0)
