{# The key that a member has in every table: where a person said that two keys are one member, the first listed. #}
{% macro canonical_member_key(member_key) -%}
    coalesce(identities.canonical_key, {{ member_key }})
{%- endmacro %}

{% macro join_member_identities(member_key) -%}
    left join {{ ref('stg_member_identities') }} as identities on {{ member_key }} = identities.member_key
{%- endmacro %}
