{# Of one thing (`durable`), no day lies in two spans, and no span ends before it begins. #}
{% test no_overlap(model, durable) %}

select
    {{ durable | join(', ') }},
    valid_from,
    valid_to,
    next_from
from (
    select
        {{ durable | join(', ') }},
        valid_from,
        valid_to,
        lead(valid_from) over (partition by {{ durable | join(', ') }} order by valid_from) as next_from
    from {{ model }}
)
where valid_to <= valid_from or next_from < coalesce(valid_to, date '9999-12-31')

{% endtest %}
