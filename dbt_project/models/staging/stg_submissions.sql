with submissions as (
    select * from {{ ref('base_submissions') }}
),

ranked as (
    select
        source_hash,
        row_number() over (
            partition by source_kind, unit_code, year
            order by
                sent_no desc nulls last,
                prepared_on desc nulls last,
                received_at desc nulls last,
                source_hash desc
        ) as sending_rank
    from submissions
    where state = 'accepted'
)

select
    submissions.source_hash,
    submissions.source_kind,
    submissions.form_version,
    submissions.unit_code,
    submissions.unit_name,
    submissions.year,
    submissions.sent_no,
    submissions.prepared_on,
    submissions.state,
    coalesce(ranked.sending_rank = 1, false) as is_in_force
from submissions
left join ranked on submissions.source_hash = ranked.source_hash
