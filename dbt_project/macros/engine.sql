{# What engines spell differently; everything else in the models is plain SQL. #}

{# Texts of a group in one text, in a stated order. #}
{% macro text_list(expression, order_by, separator=', ') -%}
    {{ return(adapter.dispatch('text_list', 'thucchat')(expression, order_by, separator)) }}
{%- endmacro %}

{% macro default__text_list(expression, order_by, separator) -%}
    string_agg({{ expression }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}

{% macro spark__text_list(expression, order_by, separator) -%}
    array_join(
        transform(array_sort(collect_list(struct({{ order_by }}, {{ expression }}))), pair -> pair.col2),
        '{{ separator }}'
    )
{%- endmacro %}

{# A day some days later. #}
{% macro add_days(day, days) -%}
    {{ return(adapter.dispatch('add_days', 'thucchat')(day, days)) }}
{%- endmacro %}

{% macro default__add_days(day, days) -%}
    {{ day }} + cast({{ days }} as integer)
{%- endmacro %}

{% macro spark__add_days(day, days) -%}
    date_add({{ day }}, {{ days }})
{%- endmacro %}

{# A sum of measured numbers that does not depend on the order of the rows. #}
{% macro exact_sum(expression) -%}
    sum(cast({{ expression }} as decimal(18, 4)))
{%- endmacro %}
