-- Each version reaches the province once on every day that it is in force: by the structure of any day, a total over
-- the province counts everybody once.
with lives as (
    select
        organisation_version_key,
        {{ end_of('valid_to') }} - valid_from as days
    from {{ ref('dim_organisation') }}
),

reached as (
    select
        organisation_version_key,
        sum({{ end_of('valid_to') }} - valid_from) as days
    from {{ ref('bridge_organisation_hierarchy') }}
    where ancestor_level = 'province'
    group by organisation_version_key
)

select lives.organisation_version_key
from lives
left join reached on lives.organisation_version_key = reached.organisation_version_key
where lives.days is distinct from reached.days
