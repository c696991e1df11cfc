"""Keys of members that a person said to be one member, or not: the fold of those events."""

from collections.abc import Iterable, Sequence

import pandas as pd

from submissions.register.log import OF_MEMBERS, Event, Register, RegisterError
from submissions.register.states import decide

STATES = {"same_person": "cùng một người", "not_same_person": "không phải một người"}
"""What may stand of a pair, with its Vietnamese name."""

COLUMNS = {
    "key_a": "str",
    "key_b": "str",
    "state": "str",
    "score": "Int64",
    "reasons": "object",
    "first_a": "Int64",
    "first_b": "Int64",
    "by": "str",
    "reason": "str",
    "decided_at": "datetime64[us, UTC]",
    "seq": "int64",
}
"""The columns of `decisions`."""


def decisions(register: Register) -> pd.DataFrame:
    """What was decided last of each pair and still holds, columns of `COLUMNS`, in the order of the log.

    `reasons` is a list of codes (`submissions.identities.REASONS`), `first_a` and `first_b` the years in which the keys
    were first listed when it was decided.
    """
    latest: dict[frozenset[str], dict[str, object]] = {}
    for record in register.read(sorted(OF_MEMBERS)):
        pair = frozenset({record.body["key_a"], record.body["key_b"]})
        latest.pop(pair, None)
        if record.kind != "same_person_undone":
            row = dict.fromkeys(COLUMNS) | {name: record.body.get(name) for name in COLUMNS if name in record.body}
            latest[pair] = row | {"state": record.kind, "decided_at": record.at, "seq": record.seq}
    return pd.DataFrame(list(latest.values()), columns=list(COLUMNS)).astype(COLUMNS)


def canonical_keys(register: Register) -> pd.DataFrame:
    """Keys that are read as another one's: `member_key`, `canonical_key`, a row a key, ordered by it.

    Of keys that are one member, directly or through others, the canonical one is the first listed, of the same year the
    smallest: the order of the decisions does not matter.
    """
    joined = decisions(register)
    joined = joined[joined["state"] == "same_person"]
    first: dict[str, int] = {}
    for key, year in [
        *zip(joined["key_a"], joined["first_a"], strict=True),
        *zip(joined["key_b"], joined["first_b"], strict=True),
    ]:
        first[key] = min(first.get(key, 9999), 9999 if pd.isna(year) else int(year))
    rows = []
    for group in groups(zip(joined["key_a"], joined["key_b"], strict=True)):
        canonical = min(group, key=lambda key: (first[key], key))
        rows += [(key, canonical) for key in group if key != canonical]
    return pd.DataFrame(sorted(rows), columns=["member_key", "canonical_key"], dtype="str")


def other_keys(register: Register) -> dict[str, frozenset[str]]:
    """By key: the other keys of the same member, as was decided; keys that stand alone are left out."""
    joined = decisions(register)
    joined = joined[joined["state"] == "same_person"]
    whole = groups(zip(joined["key_a"], joined["key_b"], strict=True))
    return {key: frozenset(group - {key}) for group in whole for key in group}


def groups(pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Keys that hang together through pairs."""
    of: dict[str, set[str]] = {}
    for one, other in pairs:
        whole = of.get(one, {one}) | of.get(other, {other})
        of |= dict.fromkeys(whole, whole)
    return list({id(group): group for group in of.values()}.values())


def group_of(found: pd.DataFrame, key: str) -> set[str]:
    """All keys of the member that a key belongs to, itself included; `found` is what `decisions` gives."""
    joined = found[found["state"] == "same_person"]
    return next((group for group in groups(zip(joined["key_a"], joined["key_b"], strict=True)) if key in group), {key})


def confirm(
    register: Register,
    key_a: str,
    key_b: str,
    *,
    by: str,
    reason: str,
    first: tuple[int, int],
    score: int | None = None,
    reasons: Sequence[str] = (),
) -> Event:
    """Enter that two keys are one person; `first` is the year in which each is first listed.

    Raises `RegisterError` where they are already, or where that would join keys said not to be one person. Whether they
    are listed in one year is for `submissions.identities.clashes`: the register does not know the rolls.
    """
    found = decisions(register)
    one, other = group_of(found, key_a), group_of(found, key_b)
    if key_a == key_b or key_b in one:
        raise RegisterError("Hai khóa này đã là một người.")
    apart = found[found["state"] == "not_same_person"]
    for row in apart.itertuples():
        if {row.key_a, row.key_b} != {key_a, key_b} and (
            (row.key_a in one and row.key_b in other) or (row.key_a in other and row.key_b in one)
        ):
            raise RegisterError(
                f"Không gộp được: đã quyết định {row.key_a[:8]} và {row.key_b[:8]} không phải một người "
                f"(sổ đăng ký, số {row.seq}). Hủy quyết định đó trước nếu nó sai."
            )
    body = {"first_a": int(first[0]), "first_b": int(first[1]), "score": score, "reasons": list(reasons)}
    return decide(register, "same_person", None, None, by=by, reason=reason, key_a=key_a, key_b=key_b, **body)


def reject(
    register: Register,
    key_a: str,
    key_b: str,
    *,
    by: str,
    reason: str,
    score: int | None = None,
    reasons: Sequence[str] = (),
) -> Event:
    """Enter that two keys are two persons: they are not proposed again. Raises `RegisterError` where they are one."""
    if key_a == key_b or key_b in group_of(decisions(register), key_a):
        raise RegisterError("Hai khóa này đang là một người; hãy hủy quyết định đó trước.")
    body = {"score": score, "reasons": list(reasons)}
    return decide(register, "not_same_person", None, None, by=by, reason=reason, key_a=key_a, key_b=key_b, **body)


def undo(register: Register, key_a: str, key_b: str, *, by: str, reason: str) -> Event:
    """Take back what was decided of two keys. Raises `RegisterError` where nothing was."""
    found = decisions(register)
    if not any({row.key_a, row.key_b} == {key_a, key_b} for row in found.itertuples()):
        joined = (
            " Hai khóa là một người qua một khóa khác: hủy quyết định nối chúng."
            if (key_b in group_of(found, key_a) and key_a != key_b)
            else ""
        )
        raise RegisterError(f"Chưa có quyết định nào về hai khóa này.{joined}")
    return decide(register, "same_person_undone", None, None, by=by, reason=reason, key_a=key_a, key_b=key_b)
