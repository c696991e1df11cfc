{# Where a walk through successions goes next. What no report has placed yet stays where its predecessor stood, unless
   its code says otherwise. #}
{% macro next_code(walk, step) -%}
    case
        when
            {{ step }}.is_guess
            and {{ walk }}.fallback_code is not null
            and (
                {{ step }}.next_code is null
                or {{ step }}.next_code = {{ walk }}.fallback_code
                or substr({{ walk }}.fallback_code, 1, length({{ step }}.next_code) + 1) = {{ step }}.next_code || '.'
            )
            then {{ walk }}.fallback_code
        else {{ step }}.next_code
    end
{%- endmacro %}
