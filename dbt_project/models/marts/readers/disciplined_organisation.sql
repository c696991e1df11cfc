-- One row per organisation and year, from the unit's report and the Commission's register together.
with cases as (
    select
        *,
        row_number() over (
            partition by year, unit_code, subject_org_code
            order by gravity desc, in_register desc, in_report desc, case_id
        ) as choice
    from {{ ref('discipline_case') }}
    where subject_org_code is not null and subject_member_key is null and unit_code is not null
),

organisations as (
    select
        year,
        unit_code,
        subject_org_code as org_code,
        case
            when max(case when duty_related then 1 else 0 end) = 1 then true
            when count(duty_related) = count(*) then false
        end as duty_related,
        case
            when max(case when corruption then 1 else 0 end) = 1 then true
            when count(corruption) = count(*) then false
        end as corruption,
        max(case when in_report then 1 else 0 end) = 1 as in_report,
        max(case when in_register then 1 else 0 end) = 1 as in_register,
        max(record_id) as record_id,
        max(register_record_id) as register_record_id
    from cases
    group by year, unit_code, subject_org_code
)

select
    organisations.year,
    organisations.unit_code,
    organisations.org_code,
    versions.grassroots_code,
    cases.form as gravest_form,
    organisations.duty_related,
    organisations.corruption,
    organisations.in_report,
    organisations.in_register,
    cases.decided_on,
    cases.decision_no,
    coalesce(cases.record_id, organisations.record_id) as record_id,
    coalesce(cases.register_record_id, organisations.register_record_id) as register_record_id
from organisations
inner join cases
    on
        organisations.year = cases.year
        and organisations.unit_code = cases.unit_code
        and organisations.org_code = cases.subject_org_code
        and cases.choice = 1
left join {{ ref('organisation_snapshot') }} as versions
    on
        organisations.year = versions.year
        and organisations.unit_code = versions.unit_code
        and organisations.org_code = versions.org_code
