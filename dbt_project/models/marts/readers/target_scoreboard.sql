-- Every version of every target in every year that has reports, with a flag for the version in force. Targets written
-- "trên 90%" are strict: exactly 90% does not meet them. Shares are compared as 100 x part against limit x whole, so no
-- rounding stands between a number and its judgement.
with years as (
    select
        year,
        units_expected,
        units_received
    from {{ ref('coverage') }}
),

targets as (
    select * from {{ ref('dim_target') }}
),

ratings as (
    select
        distribution.year,
        distribution.subject_kind,
        sum(case when levels.is_good_or_above then distribution.n else 0 end) as good,
        sum(distribution.n) as rated
    from {{ ref('rating_distribution') }} as distribution
    inner join {{ ref('dim_level') }} as levels on distribution.level_code = levels.level_code
    group by distribution.year, distribution.subject_kind
),

admissions as (
    select
        year,
        admissions,
        members
    from {{ ref('admission_rate') }}
    where unit_code = 'ALL'
),

-- Closed organisations are not asked for inspections of years after their end.
grassroots as (
    select
        year,
        unit_code,
        org_code
    from {{ ref('organisation_snapshot') }}
    where is_grassroots and (closed_on is null or extract(year from closed_on) >= year)
),

inspecting as (
    select distinct
        year,
        unit_code,
        grassroots_code
    from {{ ref('fct_inspection') }}
),

inspections as (
    select
        grassroots.year,
        count(inspecting.grassroots_code) as inspecting,
        count(*) as grassroots
    from grassroots
    left join inspecting
        on
            grassroots.year = inspecting.year
            and grassroots.unit_code = inspecting.unit_code
            and grassroots.org_code = inspecting.grassroots_code
    group by grassroots.year
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

found_hamlets as (
    select
        hamlets.year,
        named.commune,
        named.hamlet_name,
        max(
            case when hamlets.local_members > 0 or local_admissions.cell_code is not null then 1 else 0 end
        ) as has_local
    from {{ ref('fct_hamlet') }} as hamlets
    inner join named
        on
            lower(hamlets.commune) in (named.commune, 'xã ' || named.commune)
            and lower(hamlets.hamlet_name) in (named.hamlet_name, 'thôn ' || named.hamlet_name)
    left join local_admissions
        on
            hamlets.year = local_admissions.year
            and hamlets.unit_code = local_admissions.unit_code
            and hamlets.cell_code = local_admissions.cell_code
    group by hamlets.year, named.commune, named.hamlet_name
),

hamlets as (
    select
        year,
        sum(has_local) as with_local,
        count(*) as found,
        (select count(*) from named) as named
    from found_hamlets
    group by year
),

-- In the term: admissions from the first year on count for every organisation above the cell.
term as (
    select min(valid_from_year) as first_year
    from targets
    where target_id in ('orgs_admitting', 'commune_cells_admitting')
),

admitting as (
    select
        ancestors.unit_code,
        ancestors.ancestor_code as org_code,
        min(admissions.year) as admitting_since
    from {{ ref('fct_admission') }} as admissions
    inner join {{ ref('bridge_organisation_ancestor') }} as ancestors
        on
            admissions.year = ancestors.year
            and admissions.unit_code = ancestors.unit_code
            and admissions.cell_code = ancestors.org_code
    cross join term
    where admissions.year >= term.first_year
    group by ancestors.unit_code, ancestors.ancestor_code
),

organisations as (
    select
        versions.year,
        sum(case when admitting.admitting_since <= versions.year then 1 else 0 end) as admitting,
        count(*) as organisations,
        sum(
            case
                when
                    admitting.admitting_since <= versions.year
                    and versions.org_kind = 'Chi bộ trực thuộc'
                    and sectors.is_commune
                    then 1
                else 0
            end
        ) as commune_cells_admitting,
        sum(
            case when versions.org_kind = 'Chi bộ trực thuộc' and sectors.is_commune then 1 else 0 end
        ) as commune_cells
    from {{ ref('organisation_snapshot') }} as versions
    left join {{ ref('organisation_snapshot') }} as grassroots_versions
        on
            versions.year = grassroots_versions.year
            and versions.unit_code = grassroots_versions.unit_code
            and versions.grassroots_code = grassroots_versions.org_code
    left join {{ ref('organisation_sectors') }} as sectors
        on grassroots_versions.org_sector = sectors.org_sector
    left join admitting
        on versions.unit_code = admitting.unit_code and versions.org_code = admitting.org_code
    where not versions.is_inferred
    group by versions.year
),

measured as (
    select
        year,
        'orgs_good' as target_id,
        good as numerator,
        rated as denominator,
        cast(null as varchar) as note
    from ratings
    where subject_kind = 'organisation'
    union all
    select
        year,
        'members_good' as target_id,
        good as numerator,
        rated as denominator,
        cast(null as varchar) as note
    from ratings
    where subject_kind = 'member'
    union all
    select
        year,
        'admission_rate' as target_id,
        admissions as numerator,
        members as denominator,
        cast(null as varchar) as note
    from admissions
    union all
    select
        year,
        'inspection_coverage' as target_id,
        inspecting as numerator,
        grassroots as denominator,
        cast(null as varchar) as note
    from inspections
    union all
    select
        year,
        'named_hamlets' as target_id,
        with_local as numerator,
        found as denominator,
        case
            when found < named
                then
                    'Chỉ có số liệu của ' || cast(found as varchar) || '/' || cast(named as varchar)
                    || ' thôn đã nêu tên'
        end as note
    from hamlets
    union all
    select
        year,
        'orgs_admitting' as target_id,
        admitting as numerator,
        organisations as denominator,
        'Chỉ đếm được từ năm đầu tiên có báo cáo' as note
    from organisations
    union all
    select
        year,
        'commune_cells_admitting' as target_id,
        commune_cells_admitting as numerator,
        commune_cells as denominator,
        'Chỉ đếm được từ năm đầu tiên có báo cáo' as note
    from organisations
),

compared as (
    select
        years.year,
        years.units_expected,
        years.units_received,
        targets.target_id,
        targets.target_version,
        targets.target_name,
        targets.comparison,
        targets.target_value,
        targets.target_value_to,
        targets.unit_of_measure,
        targets.target_text,
        targets.is_moved,
        targets.moved_note,
        (
            years.year >= targets.valid_from_year
            and (years.year <= targets.valid_to_year or targets.valid_to_year is null)
        ) as is_in_force,
        cast(measured.numerator as double) as numerator,
        cast(measured.denominator as double) as denominator,
        measured.note,
        case
            when targets.unit_of_measure = '%' then 100 * measured.numerator
            else measured.numerator
        end as measure_part,
        case
            when targets.unit_of_measure = '%' then targets.target_value * measured.denominator
            else targets.target_value
        end as limit_part
    from years
    cross join targets
    left join measured on years.year = measured.year and targets.target_id = measured.target_id
)

select
    year,
    target_id,
    target_version,
    target_name,
    is_in_force,
    comparison,
    target_value,
    target_value_to,
    unit_of_measure,
    numerator,
    denominator,
    case
        when coalesce(denominator, 0) = 0 then null
        when unit_of_measure = '%' then 100.0 * numerator / denominator
        else numerator
    end as value,
    case
        when coalesce(denominator, 0) = 0 then 'missing'
        when comparison = 'gt' and measure_part > limit_part then 'met'
        when comparison in ('ge', 'between') and measure_part >= limit_part then 'met'
        when target_id = 'named_hamlets' and denominator < (select count(*) from named) then 'missing'
        else 'not_met'
    end as status,
    nullif(
        concat_ws(
            '; ',
            case
                when coalesce(denominator, 0) > 0 then note
                when target_id = 'named_hamlets' then 'Không có thôn nào trong các thôn đã nêu tên'
                else 'Không có số liệu'
            end,
            case
                when units_received < units_expected
                    then
                        'Tạm tính: nhận ' || cast(units_received as varchar) || '/' || cast(units_expected as varchar)
                        || ' đơn vị'
            end
        ),
        ''
    ) as note,
    target_text,
    coalesce(is_moved, false) as is_moved,
    moved_note
from compared
