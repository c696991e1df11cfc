{# Versions with dates: `valid_from` inclusive, `valid_to` exclusive, null while open. #}

{# One number for several columns: compared at once, where a window would carry each of them. #}
{% macro hash_of(columns) -%}
    {{ return(adapter.dispatch('hash_of', 'thucchat')(columns)) }}
{%- endmacro %}

{% macro default__hash_of(columns) -%}
    hash({{ columns | join(', ') }})
{%- endmacro %}

{% macro spark__hash_of(columns) -%}
    xxhash64({{ columns | join(', ') }})
{%- endmacro %}

{% macro first_of_year(year) -%}
    make_date({{ year }}, 1, 1)
{%- endmacro %}

{% macro last_of_year(year) -%}
    make_date({{ year }}, 12, 31)
{%- endmacro %}

{# The day after the last one of a version, never null. #}
{% macro end_of(valid_to) -%}
    coalesce({{ valid_to }}, date '9999-12-31')
{%- endmacro %}

{# A row's own day (of a row that tells of the whole year, its last), and the same moved into the year reported for. #}
{% macro version_days(event_on=none) -%}
    {% if event_on is none -%}
        {{ last_of_year('year') }} as event_on,
        {{ last_of_year('year') }} as version_on
    {%- else -%}
        coalesce({{ event_on }}, {{ last_of_year('year') }}) as event_on,
        least(
            greatest(coalesce({{ event_on }}, {{ last_of_year('year') }}), {{ first_of_year('year') }}),
            {{ last_of_year('year') }}
        ) as version_on
    {%- endif %}
{%- endmacro %}

{#
The organisation's version on `version_on`; before its life the first, after it the last, in a gap the one before:
`applies_from` and `applies_to` leave no day out, so the join finds one row, and never two.
#}
{% macro join_organisation_version(unit_code, org_code, relation='organisation_versions') -%}
    left join {{ ref('dim_organisation') }} as {{ relation }}
    on
        {{ unit_code }} = {{ relation }}.unit_code
        and {{ org_code }} = {{ relation }}.org_code
        and facts.version_on >= {{ relation }}.applies_from
        and facts.version_on < {{ relation }}.applies_to
{%- endmacro %}

{% macro join_member_version(member_key) -%}
    left join {{ ref('dim_member') }} as member_versions
    on
        {{ member_key }} = member_versions.member_key
        and facts.version_on >= member_versions.applies_from
        and facts.version_on < member_versions.applies_to
{%- endmacro %}

{# Whether the organisation's version that was found was not in force on the row's own day. #}
{% macro is_version_clamped() -%}
    not (
        facts.event_on >= organisation_versions.valid_from
        and facts.event_on < {{ end_of('organisation_versions.valid_to') }}
    )
{%- endmacro %}

{# What was known of a thing that tells nothing itself, else what became known; by the windows `past` and `future`. #}
{% macro known(column) -%}
    coalesce(
        {{ column }}, last_value({{ column }} ignore nulls) over past, first_value({{ column }} ignore nulls) over future
    )
{%- endmacro %}

{#
The first day after a version that began on `valid_from`: when the next one begins, where the next report shows it at
once; else on the day `ended_on`, where one is known by the next report; else with the report that leaves it out.
#}
{% macro day_after_version(ended_on='cast(null as date)') -%}
    case
        when next_from is not null and coalesce(next_report >= next_year, true) then next_from
        when {{ ended_on }} > valid_from and coalesce(extract(year from {{ ended_on }}) <= next_report, true)
            then {{ ended_on }}
        else {{ first_of_year('next_report') }}
    end
{%- endmacro %}

{# The last day by which a version had begun: its own first day where that is a day told, else the end of its year. #}
{% macro begun_by(told) -%}
    case
        when valid_from_basis in ('{{ told | join("', '") }}') then valid_from
        else {{ last_of_year('first_year') }}
    end
{%- endmacro %}

{# The days of the model's `versions` below the province that no piece covers; some begin where they end. #}
{% macro days_without(pieces) %}
    select
        {{ pieces }}.organisation_version_key,
        {{ pieces }}.valid_to as valid_from,
        coalesce(
            lead({{ pieces }}.valid_from) over (
                partition by {{ pieces }}.organisation_version_key order by {{ pieces }}.valid_from
            ),
            versions.valid_to
        ) as valid_to
    from {{ pieces }}
    inner join versions on {{ pieces }}.organisation_version_key = versions.organisation_version_key
    union all
    select
        versions.organisation_version_key,
        versions.valid_from,
        coalesce(min({{ pieces }}.valid_from), versions.valid_to) as valid_to
    from versions
    left join {{ pieces }} on versions.organisation_version_key = {{ pieces }}.organisation_version_key
    where versions.organisation_level is distinct from 'province'
    group by versions.organisation_version_key, versions.valid_from, versions.valid_to
{% endmacro %}
