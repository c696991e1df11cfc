{# An organisation named in a row exists in that year and unit, loaded or inferred; the unit itself is none. #}
{% test organisation_exists(model, column_name, organisations) %}

select
    facts.year,
    facts.unit_code,
    facts.{{ column_name }}
from {{ model }} as facts
left join {{ organisations }} as organisations
    on
        facts.year = organisations.year
        and facts.unit_code = organisations.unit_code
        and facts.{{ column_name }} = organisations.org_code
where
    facts.{{ column_name }} is not null
    and facts.unit_code is not null
    and facts.{{ column_name }} <> facts.unit_code
    and organisations.org_code is null

{% endtest %}
