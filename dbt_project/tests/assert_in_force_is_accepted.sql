-- What counts was accepted, and the store holds what was read of it.
select
    sendings.source_hash,
    sendings.copy_no
from {{ ref('fct_sending') }} as sendings
left join {{ ref('fct_submission') }} as submissions on sendings.source_hash = submissions.source_hash
where sendings.is_in_force and (sendings.state <> 'accepted' or submissions.source_hash is null)
