-- Each attribute is the latest lawful one: a year in which a cell was unlawful does not wipe out what was known.
with roll as (
    select
        member_key,
        year,
        birth_year,
        gender,
        ethnicity,
        school,
        qualification,
        theory,
        occupation,
        cast(year as varchar) || case when is_present then '1' else '0' end || record_id as recency
    from {{ ref('fct_member') }}
),

listed as (
    select
        member_key,
        max_by(birth_year, recency) filter (where birth_year is not null) as birth_year,
        max_by(gender, recency) filter (where gender is not null) as gender,
        max_by(ethnicity, recency) filter (where ethnicity is not null) as ethnicity,
        max_by(school, recency) filter (where school is not null) as education,
        max_by(qualification, recency) filter (where qualification is not null) as qualification,
        max_by(theory, recency) filter (where theory is not null) as theory,
        max_by(occupation, recency) filter (where occupation is not null) as occupation
    from roll
    group by member_key
),

seen as (
    select
        member_key,
        year
    from roll
    union
    select
        member_key,
        year
    from {{ ref('fct_member_assessment') }}
    union
    select
        member_key,
        year
    from {{ ref('fct_admission') }}
    union
    select
        subject_member_key as member_key,
        year
    from {{ ref('fct_inspection') }}
    union
    select
        subject_member_key as member_key,
        year
    from {{ ref('fct_discipline') }}
    union
    select
        subject_member_key as member_key,
        year
    from {{ ref('fct_discipline_register') }}
),

years as (
    select
        member_key,
        min(year) as first_year,
        max(year) as last_year
    from seen
    where member_key is not null
    group by member_key
)

select
    years.member_key,
    listed.birth_year,
    listed.gender,
    listed.ethnicity,
    listed.education,
    listed.qualification,
    listed.theory,
    listed.occupation,
    years.first_year,
    years.last_year,
    listed.member_key is null as is_inferred
from years
left join listed on years.member_key = listed.member_key
