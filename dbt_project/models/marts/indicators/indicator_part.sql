-- Every indicator as two numbers that can be added up, at the lowest organisation known; what belongs to none of a
-- unit's organisations stands at the unit itself. A form that a unit did not send gives no rows: missing is not zero.
with received as (
    select distinct
        submissions.year,
        submissions.unit_code,
        forms.form
    from {{ ref('fct_submission') }} as submissions
    inner join {{ ref('fct_submission_form') }} as forms on submissions.source_hash = forms.source_hash
    where submissions.is_in_force and submissions.source_kind = 'unit'
),

organisations as (
    select * from {{ ref('organisation_snapshot') }}
),

-- Nothing is asked of an organisation in years after its end, nor of one that only an old case speaks of.
asked as (
    select * from organisations
    where is_listed and (closed_on is null or extract(year from closed_on) >= year)
),

grassroots as (
    select
        year,
        unit_code,
        org_code
    from asked
    where is_grassroots
),

levels as (
    select
        level_code,
        is_good_or_above
    from {{ ref('dim_level') }}
),

-- --- ratings
organisation_ratings as (
    select
        facts.year,
        facts.unit_code,
        facts.org_code,
        sum(case when levels.is_good_or_above then 1 else 0 end) as good,
        count(*) as rated,
        sum(case when facts.is_grassroots and levels.is_good_or_above then 1 else 0 end) as grassroots_good,
        sum(case when facts.is_grassroots then 1 else 0 end) as grassroots_rated
    from {{ ref('fct_organisation_assessment') }} as facts
    inner join levels on facts.final_level = levels.level_code
    group by facts.year, facts.unit_code, facts.org_code
),

member_ratings as (
    select
        facts.year,
        facts.unit_code,
        coalesce(facts.cell_code, facts.unit_code) as org_code,
        sum(case when levels.is_good_or_above then 1 else 0 end) as good,
        count(*) as rated
    from {{ ref('fct_member_assessment') }} as facts
    inner join levels on facts.final_level = levels.level_code
    group by facts.year, facts.unit_code, coalesce(facts.cell_code, facts.unit_code)
),

-- --- members and admissions
blank_cells as (
    select distinct
        source_hash,
        sheet,
        {{ row_of_cell('cell') }} as row
    from {{ ref('stg_issues') }}
    where form = 'Biểu 3' and rule = 'required' and cell is not null
),

files as (
    select
        members.year,
        members.unit_code,
        coalesce(members.cell_code, members.unit_code) as org_code,
        members.qualification,
        members.theory,
        blank_cells.row is not null as lacks_required,
        case when members.status = 'Chính thức' then 9 else 8 end as fields,
        case when members.birth_year is not null then 1 else 0 end
        + case when members.gender is not null then 1 else 0 end
        + case when members.ethnicity is not null then 1 else 0 end
        + case when members.admitted_on is not null then 1 else 0 end
        + case when members.status = 'Chính thức' and members.official_on is not null then 1 else 0 end
        + case when members.school is not null then 1 else 0 end
        + case when members.qualification is not null then 1 else 0 end
        + case when members.theory is not null then 1 else 0 end
        + case when members.occupation is not null then 1 else 0 end as filled
    from {{ ref('fct_member') }} as members
    left join blank_cells
        on
            members.source_hash = blank_cells.source_hash
            and members.sheet = blank_cells.sheet
            and members.row = blank_cells.row
    where members.is_present
),

roll as (
    select
        year,
        unit_code,
        org_code,
        count(*) as members,
        sum(case when filled = fields and not lacks_required then 1 else 0 end) as complete,
        sum(filled) as filled,
        sum(fields) as fields,
        sum(case when qualification in ('Đại học', 'Thạc sĩ', 'Tiến sĩ') then 1 else 0 end) as graduates,
        count(qualification) as with_qualification,
        sum(case when theory in ('Trung cấp', 'Cao cấp, cử nhân') then 1 else 0 end) as schooled,
        count(theory) as with_theory
    from files
    group by year, unit_code, org_code
),

movements as (
    select
        year,
        unit_code,
        unit_code as org_code,
        sum(case when line = 'D' then count else -count end) as growth,
        sum(case when line = 'A' then count end) as before
    from {{ ref('fct_membership_movement') }}
    where line in ('A', 'D')
    group by year, unit_code
    having count(distinct line) = 2
),

admitted as (
    select
        facts.year,
        facts.unit_code,
        coalesce(facts.cell_code, facts.unit_code) as org_code,
        count(*) as admissions,
        sum(case when admission_groups.is_pupil_or_student then 1 else 0 end) as pupils_students,
        sum(case when admission_groups.is_non_state_enterprise then 1 else 0 end) as non_state
    from {{ ref('fct_admission') }} as facts
    left join {{ ref('admission_groups') }} as admission_groups
        on facts.admission_group = admission_groups.admission_group
    group by facts.year, facts.unit_code, coalesce(facts.cell_code, facts.unit_code)
),

admission_places as (
    select
        year,
        unit_code,
        org_code
    from roll
    union
    select
        year,
        unit_code,
        org_code
    from admitted
),

admission_rates as (
    select
        places.year,
        places.unit_code,
        places.org_code,
        coalesce(admitted.admissions, 0) as admissions,
        coalesce(roll.members, 0) as members
    from admission_places as places
    inner join received as members_form
        on
            places.year = members_form.year
            and places.unit_code = members_form.unit_code
            and members_form.form = 'members'
    inner join received as admissions_form
        on
            places.year = admissions_form.year
            and places.unit_code = admissions_form.unit_code
            and admissions_form.form = 'admissions'
    left join roll
        on
            places.year = roll.year
            and places.unit_code = roll.unit_code
            and places.org_code = roll.org_code
    left join admitted
        on
            places.year = admitted.year
            and places.unit_code = admitted.unit_code
            and places.org_code = admitted.org_code
),

-- The term's count begins with the year of the programme.
term as (
    select extract(year from issued_on) as first_year
    from {{ ref('programmes') }}
    where document = '12-CTr/TU'
),

admitting as (
    select
        ancestors.unit_code,
        ancestors.ancestor_code as org_code,
        admitted.year
    from admitted
    inner join {{ ref('bridge_organisation_ancestor') }} as ancestors
        on
            admitted.year = ancestors.year
            and admitted.unit_code = ancestors.unit_code
            and admitted.org_code = ancestors.org_code
    group by ancestors.unit_code, ancestors.ancestor_code, admitted.year
),

admitting_in_term as (
    select
        admitting.unit_code,
        admitting.org_code,
        min(admitting.year) as since
    from admitting
    cross join term
    where admitting.year >= term.first_year
    group by admitting.unit_code, admitting.org_code
),

admitting_organisations as (
    select
        organisations.year,
        organisations.unit_code,
        organisations.org_code,
        1 as organisations,
        case when in_term.since <= organisations.year then 1 else 0 end as in_term,
        case
            when organisations.org_kind = 'Chi bộ trực thuộc' and sectors.is_commune then 1
            else 0
        end as commune_cells,
        case
            when
                organisations.org_kind = 'Chi bộ trực thuộc'
                and sectors.is_commune
                and in_term.since <= organisations.year
                then 1
            else 0
        end as commune_cells_in_term,
        case when organisations.is_grassroots then 1 else 0 end as grassroots,
        case
            when organisations.is_grassroots and admitting.org_code is not null then 1
            else 0
        end as grassroots_in_year,
        case when organisations.is_cell then 1 else 0 end as cells,
        case when organisations.is_cell and admitting.org_code is not null then 1 else 0 end as cells_in_year
    from asked as organisations
    inner join received
        on
            organisations.year = received.year
            and organisations.unit_code = received.unit_code
            and received.form = 'admissions'
    left join organisations as tops
        on
            organisations.year = tops.year
            and organisations.unit_code = tops.unit_code
            and organisations.grassroots_code = tops.org_code
    left join {{ ref('organisation_sectors') }} as sectors on tops.org_sector = sectors.org_sector
    left join admitting_in_term as in_term
        on organisations.unit_code = in_term.unit_code and organisations.org_code = in_term.org_code
    left join admitting
        on
            organisations.year = admitting.year
            and organisations.unit_code = admitting.unit_code
            and organisations.org_code = admitting.org_code
),

-- --- hamlets
communes as (
    select
        organisations.year,
        organisations.unit_code,
        lower(organisations.commune) as commune,
        min(organisations.org_code) as org_code
    from organisations
    inner join {{ ref('organisation_sectors') }} as sectors
        on organisations.org_sector = sectors.org_sector and sectors.is_commune
    where organisations.is_grassroots and organisations.commune is not null
    group by organisations.year, organisations.unit_code, lower(organisations.commune)
    having count(*) = 1
),

named as (
    select
        lower(commune) as commune,
        lower(hamlet_name) as hamlet_name
    from {{ ref('named_hamlets') }}
),

local_admissions as (
    select distinct
        year,
        unit_code,
        cell_code
    from {{ ref('fct_admission') }}
    where is_local
),

-- A hamlet without a cell stands at the organisation of its commune.
placed_hamlets as (
    select
        facts.year,
        facts.unit_code,
        coalesce(facts.cell_code, communes.org_code, facts.unit_code) as org_code,
        facts.local_members,
        named.hamlet_name,
        named.commune,
        facts.local_members > 0 or local_admissions.cell_code is not null as has_local
    from {{ ref('fct_hamlet') }} as facts
    left join communes
        on
            facts.year = communes.year
            and facts.unit_code = communes.unit_code
            and lower(facts.commune) = communes.commune
    left join named
        on
            lower(facts.commune) in (named.commune, 'xã ' || named.commune)
            and lower(facts.hamlet_name) in (named.hamlet_name, 'thôn ' || named.hamlet_name)
    left join local_admissions
        on
            facts.year = local_admissions.year
            and facts.unit_code = local_admissions.unit_code
            and facts.cell_code = local_admissions.cell_code
),

hamlets as (
    select
        year,
        unit_code,
        org_code,
        sum(case when local_members = 0 then 1 else 0 end) as without_local,
        count(local_members) as hamlets
    from placed_hamlets
    group by year, unit_code, org_code
),

-- Each named hamlet counts once in a year, where it is first listed.
named_once as (
    select
        year,
        unit_code,
        org_code,
        max(case when has_local then 1 else 0 end) over (partition by year, commune, hamlet_name) as has_local,
        row_number() over (partition by year, commune, hamlet_name order by unit_code, org_code) as choice
    from placed_hamlets
    where hamlet_name is not null
),

found_hamlets as (
    select
        year,
        unit_code,
        org_code,
        sum(has_local) as with_local,
        count(*) as found
    from named_once
    where choice = 1
    group by year, unit_code, org_code
),

-- --- inspection and supervision
inspections as (
    select
        facts.year,
        facts.unit_code,
        coalesce(facts.conductor_code, facts.unit_code) as org_code,
        count(*) as inspections,
        sum(case when facts.is_planned then 1 else 0 end) as planned,
        sum(case when facts.article = 30 then 1 else 0 end) as article_30,
        sum(case when facts.article = 32 then 1 else 0 end) as article_32,
        sum(case when articles.article is null then 1 else 0 end) as wrong_article
    from {{ ref('fct_inspection') }} as facts
    left join {{ ref('inspection_articles') }} as articles
        on
            facts.article = articles.article
            and facts.conductor = articles.conductor
            and facts.kind = articles.kind
    group by facts.year, facts.unit_code, coalesce(facts.conductor_code, facts.unit_code)
),

inspecting as (
    select distinct
        year,
        unit_code,
        grassroots_code
    from {{ ref('fct_inspection') }}
),

-- Whether anybody from outside a grassroots organisation inspected or supervised it, one below it or a member of it.
inspected_members as (
    select
        year,
        unit_code,
        member_key,
        min(grassroots_code) as grassroots_code
    from {{ ref('fct_member') }}
    where member_key in (select facts.subject_member_key from {{ ref('fct_inspection') }} as facts)
    group by year, unit_code, member_key
),

from_above as (
    select distinct
        facts.year,
        facts.unit_code,
        coalesce(subjects.grassroots_code, members.grassroots_code) as grassroots_code
    from {{ ref('fct_inspection') }} as facts
    left join organisations as subjects
        on
            facts.year = subjects.year
            and facts.unit_code = subjects.unit_code
            and facts.subject_org_code = subjects.org_code
    left join inspected_members as members
        on
            facts.year = members.year
            and facts.unit_code = members.unit_code
            and facts.subject_member_key = members.member_key
    where
        facts.grassroots_code is null
        or facts.grassroots_code <> coalesce(subjects.grassroots_code, members.grassroots_code)
),

training as (
    select distinct
        year,
        unit_code,
        grassroots_code
    from {{ ref('fct_training') }}
),

-- Which grassroots organisations did it, or had it done to them, of all in units that sent the form.
{% for name, form, reached in [
    ('inspected_grassroots', 'inspections', 'inspecting'),
    ('grassroots_from_above', 'inspections', 'from_above'),
    ('trained_grassroots', 'trainings', 'training')
] %}
    {{ name }} as (
        select
            grassroots.year,
            grassroots.unit_code,
            grassroots.org_code,
            case when {{ reached }}.grassroots_code is null then 0 else 1 end as {{ reached }},
            1 as grassroots
        from grassroots
        inner join received
            on
                grassroots.year = received.year
                and grassroots.unit_code = received.unit_code
                and received.form = '{{ form }}'
        left join {{ reached }}
            on
                grassroots.year = {{ reached }}.year
                and grassroots.unit_code = {{ reached }}.unit_code
                and grassroots.org_code = {{ reached }}.grassroots_code
    ),

{% endfor %}
inspections_done as (
    select
        year,
        unit_code,
        org_code,
        sum(inspections) as inspections,
        sum(grassroots) as grassroots
    from (
        select
            year,
            unit_code,
            org_code,
            inspections,
            0 as grassroots
        from inspections
        union all
        select
            year,
            unit_code,
            org_code,
            0 as inspections,
            grassroots
        from inspected_grassroots
    ) as both_sides
    group by year, unit_code, org_code
),

-- --- cell meetings
cell_years as (
    select * from {{ ref('cell_year') }}
),

-- --- discipline, programmes, training
disciplines as (
    select
        year,
        unit_code,
        coalesce(org_code, unit_code) as org_code,
        sum({{ days_between('violated_on', 'decided_on') }}) as days,
        count(*) as cases
    from {{ ref('fct_discipline') }}
    where violated_on <= decided_on
    group by year, unit_code, coalesce(org_code, unit_code)
),

-- Decided in the year, in whichever book, for the organisation, one below it or a member of either.
with_case as (
    select distinct
        cases.year,
        cases.unit_code,
        organisations.grassroots_code
    from {{ ref('discipline_case') }} as cases
    inner join organisations
        on
            cases.year = organisations.year
            and cases.unit_code = organisations.unit_code
            and cases.org_code = organisations.org_code
),

excellent_grassroots as (
    select
        facts.year,
        facts.unit_code,
        facts.org_code,
        case when with_case.grassroots_code is null then 0 else 1 end as with_case,
        1 as excellent
    from {{ ref('fct_organisation_assessment') }} as facts
    inner join received
        on
            facts.year = received.year
            and facts.unit_code = received.unit_code
            and received.form = 'disciplines'
    left join with_case
        on
            facts.year = with_case.year
            and facts.unit_code = with_case.unit_code
            and facts.org_code = with_case.grassroots_code
    where facts.is_grassroots and facts.final_level = 'XS'
),

uptakes as (
    select
        facts.year,
        facts.unit_code,
        coalesce(facts.org_code, facts.unit_code) as org_code,
        count(*) as documents,
        count(facts.plan_on) as planned,
        sum(case when facts.in_inspection_programme then 1 else 0 end) as in_inspection,
        sum(case when facts.document = '12-CTr/TU' then 1 else 0 end) as documents_12,
        sum(
            case when facts.document = '12-CTr/TU' and facts.in_inspection_programme then 1 else 0 end
        ) as in_inspection_12,
        sum(
            case
                when facts.plan_on >= programmes.issued_on
                    then {{ days_between('programmes.issued_on', 'facts.plan_on') }}
            end
        ) as days,
        sum(case when facts.plan_on >= programmes.issued_on then 1 else 0 end) as timed
    from {{ ref('fct_programme_uptake') }} as facts
    inner join {{ ref('programmes') }} as programmes
        on facts.document = programmes.document and facts.year >= extract(year from programmes.issued_on)
    group by facts.year, facts.unit_code, coalesce(facts.org_code, facts.unit_code)
),

trainings as (
    select
        year,
        unit_code,
        coalesce(org_code, unit_code) as org_code,
        sum(attended) as attended,
        sum(invited) as invited
    from {{ ref('fct_training') }}
    where attended is not null and invited is not null
    group by year, unit_code, coalesce(org_code, unit_code)
),

-- --- all of them
parts as (
    {% for indicator, source, numerator, denominator in [
        ('orgs_good', 'organisation_ratings', 'good', 'rated'),
        ('grassroots_good', 'organisation_ratings', 'grassroots_good', 'grassroots_rated'),
        ('members_good', 'member_ratings', 'good', 'rated'),
        ('admission_rate', 'admission_rates', 'admissions', 'members'),
        ('admissions_pupils_students', 'admitted', 'pupils_students', 'admissions'),
        ('admissions_non_state', 'admitted', 'non_state', 'admissions'),
        ('orgs_admitting', 'admitting_organisations', 'in_term', 'organisations'),
        ('commune_cells_admitting', 'admitting_organisations', 'commune_cells_in_term', 'commune_cells'),
        ('orgs_admitting_year', 'admitting_organisations', 'grassroots_in_year', 'grassroots'),
        ('cells_admitting_year', 'admitting_organisations', 'cells_in_year', 'cells'),
        ('hamlets_without_local', 'hamlets', 'without_local', 'hamlets'),
        ('named_hamlets', 'found_hamlets', 'with_local', 'found'),
        ('inspection_coverage', 'inspected_grassroots', 'inspecting', 'grassroots'),
        ('inspected_from_above', 'grassroots_from_above', 'from_above', 'grassroots'),
        ('inspections_done', 'inspections_done', 'inspections', 'grassroots'),
        ('inspections_planned', 'inspections', 'planned', 'inspections'),
        ('inspections_30', 'inspections', 'article_30', 'inspections'),
        ('inspections_32', 'inspections', 'article_32', 'inspections'),
        ('inspections_wrong_article', 'inspections', 'wrong_article', 'inspections'),
        ('meetings_held', 'cell_years', 'months_held', 'months_due'),
        ('meetings_per_cell', 'cell_years', 'held', 'cells'),
        ('thematic_per_cell', 'cell_years', 'thematic', 'cells'),
        ('thematic_quarters', 'cell_years', 'quarters_thematic', 'quarters_due'),
        ('meetings_tot', 'cell_years', 'band_tot', 'banded'),
        ('meetings_kha', 'cell_years', 'band_kha', 'banded'),
        ('meetings_trung_binh', 'cell_years', 'band_trung_binh', 'banded'),
        ('meetings_kem', 'cell_years', 'band_kem', 'banded'),
        ('meetings_band_differs', 'cell_years', 'band_differs', 'band_compared'),
        ('meeting_points', 'cell_years', 'points', 'with_points'),
        ('attendance', 'cell_years', 'attended', 'expected'),
        ('superiors_attended', 'cell_years', 'superiors', 'held_under_rule'),
        ('days_violation_to_decision', 'disciplines', 'days', 'cases'),
        ('excellent_with_discipline', 'excellent_grassroots', 'with_case', 'excellent'),
        ('days_programme_to_plan', 'uptakes', 'days', 'timed'),
        ('programmes_taken_up', 'uptakes', 'planned', 'documents'),
        ('programmes_in_inspection', 'uptakes', 'in_inspection', 'documents'),
        ('programme_12_in_inspection', 'uptakes', 'in_inspection_12', 'documents_12'),
        ('members_growth', 'movements', 'growth', 'before'),
        ('members_graduates', 'roll', 'graduates', 'with_qualification'),
        ('members_theory', 'roll', 'schooled', 'with_theory'),
        ('member_files_complete', 'roll', 'complete', 'members'),
        ('member_file_fields', 'roll', 'filled', 'fields'),
        ('committee_training', 'trainings', 'attended', 'invited'),
        ('committee_training_coverage', 'trained_grassroots', 'training', 'grassroots')
    ] %}
        select
            '{{ indicator }}' as indicator_id,
            year,
            unit_code,
            org_code,
            {{ numerator }} as numerator,
            {{ denominator }} as denominator
        from {{ source }}
        where {{ numerator }} <> 0 or {{ denominator }} <> 0
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    indicator_id,
    cast(year as integer) as year,
    unit_code,
    org_code,
    cast(coalesce(numerator, 0) as decimal(38, 6)) as numerator,
    cast(coalesce(denominator, 0) as decimal(38, 6)) as denominator
from parts
