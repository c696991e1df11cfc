{# Whether Python has landed a file of findings: `dbt build` alone, before any was made, builds their tables empty. #}
{% macro is_landed(name) -%}
    {{ return(adapter.dispatch('is_landed', 'thucchat')(name)) }}
{%- endmacro %}

{% macro default__is_landed(name) -%}
    {% if not execute %}{{ return(true) }}{% endif %}
    {% set folder = env_var('THUCCHAT_FINDINGS', '../data/findings') | replace("'", "''") %}
    {% set found = run_query("select count(*) from glob('" ~ folder ~ "/" ~ name ~ ".parquet')") %}
    {{ return(found.columns[0].values()[0] > 0) }}
{%- endmacro %}

{# A relation of these columns, all text, and no rows. #}
{% macro no_rows(columns) -%}
    (select {% for column in columns %}cast(null as varchar) as {{ column }}{{ ', ' if not loop.last }}{% endfor %} where false)
{%- endmacro %}
