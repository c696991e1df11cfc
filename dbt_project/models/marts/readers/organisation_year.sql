-- One row per organisation and year: its own rating, and the evidence of itself and of everything below it.
with organisations as (
    select * from {{ ref('organisation_snapshot') }}
),

roll as (
    select
        year,
        unit_code,
        cell_code as org_code,
        sum(case when is_present then 1 else 0 end) as members
    from {{ ref('fct_member') }}
    group by year, unit_code, cell_code
),

rated_members as (
    select
        year,
        unit_code,
        cell_code as org_code,
        count(final_level) as members_rated,
        sum(case when final_level = 'XS' then 1 else 0 end) as members_xs,
        sum(case when final_level = 'HTT' then 1 else 0 end) as members_htt,
        sum(case when final_level = 'HT' then 1 else 0 end) as members_ht,
        sum(case when final_level = 'KHT' then 1 else 0 end) as members_kht,
        count(*) - count(final_level) as members_not_rated
    from {{ ref('fct_member_assessment') }}
    group by year, unit_code, cell_code
),

meetings as (
    select
        year,
        unit_code,
        cell_code as org_code,
        sum(case when is_held then 1 else 0 end) as meetings_held,
        sum(case when is_held and is_thematic then 1 else 0 end) as meetings_thematic,
        {{ exact_sum("case when is_held then points end") }} as meeting_points,
        sum(case when is_held and points is not null then 1 else 0 end) as meetings_with_points,
        sum(case when is_held and attended is not null then expected else 0 end) as attendance_expected,
        sum(case when is_held and expected is not null then attended else 0 end) as attendance_attended,
        sum(case when is_held and superior_attended then 1 else 0 end) as superior_attended
    from {{ ref('fct_cell_meeting') }}
    group by year, unit_code, cell_code
),

inspected as (
    select
        year,
        unit_code,
        conductor_code as org_code,
        count(*) as inspections,
        sum(case when article = 30 then 1 else 0 end) as inspections_30,
        sum(case when article = 32 then 1 else 0 end) as inspections_32
    from {{ ref('fct_inspection') }}
    group by year, unit_code, conductor_code
),

reported_members as (
    select
        year,
        unit_code,
        org_code,
        count(distinct subject_member_key) as disciplined_members
    from {{ ref('fct_discipline') }}
    where subject_member_key is not null
    group by year, unit_code, org_code
),

reported_organisations as (
    select
        year,
        unit_code,
        subject_org_code as org_code,
        count(distinct subject_org_code) as disciplined_organisations
    from {{ ref('fct_discipline') }}
    where subject_org_code is not null
    group by year, unit_code, subject_org_code
),

registered_members as (
    select
        year,
        unit_code,
        org_code,
        count(distinct subject_member_key) as register_members
    from {{ ref('fct_discipline_register') }}
    where subject_member_key is not null
    group by year, unit_code, org_code
),

registered_organisations as (
    select
        year,
        unit_code,
        subject_org_code as org_code,
        count(distinct subject_org_code) as register_organisations
    from {{ ref('fct_discipline_register') }}
    where subject_org_code is not null
    group by year, unit_code, subject_org_code
),

corruption as (
    select
        year,
        unit_code,
        org_code,
        count(*) as corruption_cases
    from {{ ref('discipline_case') }}
    where corruption
    group by year, unit_code, org_code
),

disciplined as (
    select
        year,
        unit_code,
        org_code,
        count(*) as disciplined_any
    from {{ ref('disciplined_organisation') }}
    group by year, unit_code, org_code
),

admitted as (
    select
        year,
        unit_code,
        cell_code as org_code,
        count(*) as admissions
    from {{ ref('fct_admission') }}
    group by year, unit_code, cell_code
),

trained as (
    select
        year,
        unit_code,
        org_code,
        count(*) as trainings
    from {{ ref('fct_training') }}
    group by year, unit_code, org_code
),

held_back as (
    select
        year,
        unit_code,
        org_code,
        count(*) as held_back_assessments
    from {{ ref('held_back_assessment') }}
    where subject_kind = 'member'
    group by year, unit_code, org_code
),

programmes as (
    select
        document,
        extract(year from issued_on) as issued_year
    from {{ ref('programmes') }}
),

-- Each grassroots organisation owes a plan for each programme issued by the end of the year.
plans_due as (
    select
        organisations.year,
        organisations.unit_code,
        organisations.org_code,
        count(*) as plans_due
    from organisations
    inner join programmes on organisations.year >= programmes.issued_year
    where organisations.is_grassroots
    group by organisations.year, organisations.unit_code, organisations.org_code
),

plans_made as (
    select
        year,
        unit_code,
        org_code,
        count(distinct document) as plans_made
    from {{ ref('fct_programme_uptake') }}
    where plan_on is not null
    group by year, unit_code, org_code
),

-- A cell that its unit lists owes a meeting for every month it exists in.
cells as (
    select
        year,
        unit_code,
        org_code,
        greatest(
            0,
            case
                when closed_on is null or extract(year from closed_on) > year then 12
                when extract(year from closed_on) < year then 0
                else extract(month from closed_on)
            end
            - case
                when founded_on is null or extract(year from founded_on) < year then 1
                when extract(year from founded_on) > year then 13
                else extract(month from founded_on)
            end
            + 1
        ) as meetings_expected
    from organisations
    where is_cell and is_listed
),

assessments as (
    select * from {{ ref('fct_organisation_assessment') }}
),

own as (
    select
        organisations.year,
        organisations.unit_code,
        organisations.org_code,
        case when organisations.is_cell and organisations.is_listed then 1 else 0 end as cells,
        case when organisations.is_cell and assessments.is_rated then 1 else 0 end as cells_rated,
        coalesce(cells.meetings_expected, 0) as meetings_expected,
        coalesce(roll.members, 0) as members,
        coalesce(rated_members.members_rated, 0) as members_rated,
        coalesce(rated_members.members_xs, 0) as members_xs,
        coalesce(rated_members.members_htt, 0) as members_htt,
        coalesce(rated_members.members_ht, 0) as members_ht,
        coalesce(rated_members.members_kht, 0) as members_kht,
        coalesce(rated_members.members_not_rated, 0) as members_not_rated,
        coalesce(meetings.meetings_held, 0) as meetings_held,
        coalesce(meetings.meetings_thematic, 0) as meetings_thematic,
        coalesce(meetings.meeting_points, 0) as meeting_points,
        coalesce(meetings.meetings_with_points, 0) as meetings_with_points,
        coalesce(meetings.attendance_expected, 0) as attendance_expected,
        coalesce(meetings.attendance_attended, 0) as attendance_attended,
        coalesce(meetings.superior_attended, 0) as superior_attended,
        coalesce(inspected.inspections, 0) as inspections,
        coalesce(inspected.inspections_30, 0) as inspections_30,
        coalesce(inspected.inspections_32, 0) as inspections_32,
        coalesce(reported_members.disciplined_members, 0) as disciplined_members,
        coalesce(reported_organisations.disciplined_organisations, 0) as disciplined_organisations,
        coalesce(registered_members.register_members, 0) as register_members,
        coalesce(registered_organisations.register_organisations, 0) as register_organisations,
        coalesce(corruption.corruption_cases, 0) as corruption_cases,
        coalesce(disciplined.disciplined_any, 0) as disciplined_any,
        coalesce(admitted.admissions, 0) as admissions,
        coalesce(trained.trainings, 0) as trainings,
        coalesce(held_back.held_back_assessments, 0) as held_back_assessments,
        coalesce(plans_due.plans_due, 0) as plans_due,
        coalesce(plans_made.plans_made, 0) as plans_made
    from organisations
    left join assessments
        on
            organisations.year = assessments.year
            and organisations.unit_code = assessments.unit_code
            and organisations.org_code = assessments.org_code
    left join cells
        on
            organisations.year = cells.year
            and organisations.unit_code = cells.unit_code
            and organisations.org_code = cells.org_code
    left join roll
        on
            organisations.year = roll.year
            and organisations.unit_code = roll.unit_code
            and organisations.org_code = roll.org_code
    left join rated_members
        on
            organisations.year = rated_members.year
            and organisations.unit_code = rated_members.unit_code
            and organisations.org_code = rated_members.org_code
    left join meetings
        on
            organisations.year = meetings.year
            and organisations.unit_code = meetings.unit_code
            and organisations.org_code = meetings.org_code
    left join inspected
        on
            organisations.year = inspected.year
            and organisations.unit_code = inspected.unit_code
            and organisations.org_code = inspected.org_code
    left join reported_members
        on
            organisations.year = reported_members.year
            and organisations.unit_code = reported_members.unit_code
            and organisations.org_code = reported_members.org_code
    left join reported_organisations
        on
            organisations.year = reported_organisations.year
            and organisations.unit_code = reported_organisations.unit_code
            and organisations.org_code = reported_organisations.org_code
    left join registered_members
        on
            organisations.year = registered_members.year
            and organisations.unit_code = registered_members.unit_code
            and organisations.org_code = registered_members.org_code
    left join registered_organisations
        on
            organisations.year = registered_organisations.year
            and organisations.unit_code = registered_organisations.unit_code
            and organisations.org_code = registered_organisations.org_code
    left join corruption
        on
            organisations.year = corruption.year
            and organisations.unit_code = corruption.unit_code
            and organisations.org_code = corruption.org_code
    left join disciplined
        on
            organisations.year = disciplined.year
            and organisations.unit_code = disciplined.unit_code
            and organisations.org_code = disciplined.org_code
    left join admitted
        on
            organisations.year = admitted.year
            and organisations.unit_code = admitted.unit_code
            and organisations.org_code = admitted.org_code
    left join trained
        on
            organisations.year = trained.year
            and organisations.unit_code = trained.unit_code
            and organisations.org_code = trained.org_code
    left join held_back
        on
            organisations.year = held_back.year
            and organisations.unit_code = held_back.unit_code
            and organisations.org_code = held_back.org_code
    left join plans_due
        on
            organisations.year = plans_due.year
            and organisations.unit_code = plans_due.unit_code
            and organisations.org_code = plans_due.org_code
    left join plans_made
        on
            organisations.year = plans_made.year
            and organisations.unit_code = plans_made.unit_code
            and organisations.org_code = plans_made.org_code
),

ancestors as (
    select * from {{ ref('bridge_organisation_ancestor') }}
),

whole as (
    select
        ancestors.year,
        ancestors.unit_code,
        ancestors.ancestor_code as org_code,
        sum(case when ancestors.distance > 0 then own.disciplined_any else 0 end) as disciplined_below,
        sum(own.cells) as cells,
        sum(own.cells_rated) as cells_rated,
        sum(own.meetings_expected) as meetings_expected,
        sum(own.members) as members,
        sum(own.members_rated) as members_rated,
        sum(own.members_xs) as members_xs,
        sum(own.members_htt) as members_htt,
        sum(own.members_ht) as members_ht,
        sum(own.members_kht) as members_kht,
        sum(own.members_not_rated) as members_not_rated,
        sum(own.meetings_held) as meetings_held,
        sum(own.meetings_thematic) as meetings_thematic,
        sum(own.meeting_points) as meeting_points,
        sum(own.meetings_with_points) as meetings_with_points,
        sum(own.attendance_expected) as attendance_expected,
        sum(own.attendance_attended) as attendance_attended,
        sum(own.superior_attended) as superior_attended,
        sum(own.inspections) as inspections,
        sum(own.inspections_30) as inspections_30,
        sum(own.inspections_32) as inspections_32,
        sum(own.disciplined_members) as disciplined_members,
        sum(own.disciplined_organisations) as disciplined_organisations,
        sum(own.register_members) as register_members,
        sum(own.register_organisations) as register_organisations,
        sum(own.corruption_cases) as corruption_cases,
        sum(own.admissions) as admissions,
        sum(own.trainings) as trainings,
        sum(own.held_back_assessments) as held_back_assessments,
        sum(own.plans_due) as plans_due,
        sum(own.plans_made) as plans_made
    from ancestors
    inner join own
        on
            ancestors.year = own.year
            and ancestors.unit_code = own.unit_code
            and ancestors.org_code = own.org_code
    group by ancestors.year, ancestors.unit_code, ancestors.ancestor_code
),

held_back_own as (
    select distinct
        year,
        unit_code,
        org_code
    from {{ ref('held_back_assessment') }}
    where subject_kind = 'organisation' and org_code is not null
),

disciplined_heads as (
    select distinct
        year,
        unit_code,
        cell_code
    from {{ ref('disciplined_member') }}
    where is_head
)

select
    organisations.year,
    organisations.unit_code,
    organisations.org_code,
    organisations.org_name,
    organisations.org_kind,
    organisations.org_sector,
    organisations.parent_code,
    organisations.grassroots_code,
    organisations.is_grassroots,
    organisations.is_cell,
    organisations.is_inferred,
    assessments.record_id,
    assessments.self_level,
    assessments.appraised_level,
    assessments.final_level,
    assessments.self_on,
    assessments.appraised_on,
    assessments.decided_on,
    assessments.decision_no,
    assessments.decided_by_code,
    assessments.common_points,
    assessments.task_points,
    assessments.score,
    assessments.tasks_assigned,
    assessments.tasks_done,
    assessments.tasks_late,
    assessments.tasks_exceeded,
    assessments.shortcomings,
    assessments.shortcomings_fixed,
    assessments.not_rated_reason,
    coalesce(assessments.is_rated, false) as is_rated,
    held_back_own.org_code is not null as is_assessment_held_back,
    organisations.member_count,
    cast(whole.members as integer) as members,
    cast(whole.members_rated as integer) as members_rated,
    cast(whole.members_xs as integer) as members_xs,
    cast(whole.members_htt as integer) as members_htt,
    cast(whole.members_ht as integer) as members_ht,
    cast(whole.members_kht as integer) as members_kht,
    cast(whole.members_not_rated as integer) as members_not_rated,
    cast(whole.cells as integer) as cells,
    cast(whole.cells_rated as integer) as cells_rated,
    cast(whole.meetings_expected as integer) as meetings_expected,
    cast(whole.meetings_held as integer) as meetings_held,
    cast(whole.meetings_thematic as integer) as meetings_thematic,
    cast(whole.meeting_points as double) / nullif(whole.meetings_with_points, 0) as meeting_points_mean,
    cast(whole.attendance_attended as double) / nullif(whole.attendance_expected, 0) as attendance_rate,
    cast(whole.superior_attended as integer) as superior_attended,
    cast(whole.inspections as integer) as inspections,
    cast(whole.inspections_30 as integer) as inspections_30,
    cast(whole.inspections_32 as integer) as inspections_32,
    cast(whole.disciplined_members as integer) as disciplined_members,
    cast(whole.disciplined_organisations as integer) as disciplined_organisations,
    cast(whole.disciplined_below as integer) as disciplined_below,
    cast(whole.register_members as integer) as register_members,
    disciplined_heads.cell_code is not null as is_head_disciplined,
    cast(whole.register_organisations as integer) as register_organisations,
    cast(whole.corruption_cases as integer) as corruption_cases,
    cast(whole.admissions as integer) as admissions,
    cast(whole.trainings as integer) as trainings,
    cast(whole.plans_due as integer) as plans_due,
    cast(whole.plans_made as integer) as plans_made,
    cast(whole.held_back_assessments as integer) as held_back_assessments
from organisations
inner join whole
    on
        organisations.year = whole.year
        and organisations.unit_code = whole.unit_code
        and organisations.org_code = whole.org_code
left join assessments
    on
        organisations.year = assessments.year
        and organisations.unit_code = assessments.unit_code
        and organisations.org_code = assessments.org_code
left join held_back_own
    on
        organisations.year = held_back_own.year
        and organisations.unit_code = held_back_own.unit_code
        and organisations.org_code = held_back_own.org_code
left join disciplined_heads
    on
        organisations.year = disciplined_heads.year
        and organisations.unit_code = disciplined_heads.unit_code
        and organisations.org_code = disciplined_heads.cell_code
