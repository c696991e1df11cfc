-- Nothing is dropped: of each form of each sending, what came in is what was loaded and what was held back.
select
    source_hash,
    form,
    rows_in,
    loaded,
    held_back
from {{ ref('fct_submission_form') }}
where rows_in <> loaded + held_back
