{# Whether a code lies below another, as codes are written: 67.001.002 is part of 67.001, and both are of 67. #}
{% macro is_part_of(code, whole) -%}
    substr({{ code }}, 1, length({{ whole }}) + 1) = {{ whole }} || '.'
{%- endmacro %}
