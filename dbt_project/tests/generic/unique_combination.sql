{# No two rows agree in all of `combination`. Numbers are compared before texts: of many rows, few are alike in them. #}
{% test unique_combination(model, combination) %}

select {{ combination | join(', ') }}
from {{ model }}
where {{ hash_of(combination) }} in (
    select {{ hash_of(combination) }}
    from {{ model }}
    group by {{ hash_of(combination) }}
    having count(*) > 1
)
group by {{ combination | join(', ') }}
having count(*) > 1

{% endtest %}
