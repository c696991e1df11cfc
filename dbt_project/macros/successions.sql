{# What successions made of each code on a day; one that is among its own successors goes on. #}
{% macro changes_of_codes() -%}
    select
        old_code,
        effective_on,
        max(case when new_code = old_code then 1 else 0 end) = 1 as is_continued,
        max(kind) as kind
    from {{ ref('stg_successions') }}
    where kind <> 'new_parent'
    group by old_code, effective_on
{%- endmacro %}
