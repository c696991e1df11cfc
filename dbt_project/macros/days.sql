{# A day as people here write it. #}
{% macro day_text(day) -%}
    {{ return(adapter.dispatch('day_text', 'thucchat')(day)) }}
{%- endmacro %}

{% macro default__day_text(day) -%}
    strftime({{ day }}, '%d/%m/%Y')
{%- endmacro %}

{% macro spark__day_text(day) -%}
    date_format({{ day }}, 'dd/MM/yyyy')
{%- endmacro %}

{# Whole days from one day to another. #}
{% macro days_between(first, last) -%}
    {{ return(adapter.dispatch('days_between', 'thucchat')(first, last)) }}
{%- endmacro %}

{% macro default__days_between(first, last) -%}
    ({{ last }} - {{ first }})
{%- endmacro %}

{% macro spark__days_between(first, last) -%}
    datediff({{ last }}, {{ first }})
{%- endmacro %}

{# The row of a cell's address: 12 of B12. #}
{% macro row_of_cell(cell) -%}
    try_cast(ltrim({{ cell }}, 'ABCDEFGHIJKLMNOPQRSTUVWXYZ') as integer)
{%- endmacro %}
