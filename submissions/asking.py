"""Asking: the queries about sendings that count or wait, kept beside their issues; anew when last year's changes."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow.parquet as pq

from submissions.copies import Fingerprint, Known, find_copies
from submissions.processes import run_all
from submissions.queries import find_queries, read_sending
from submissions.store import ISSUES, Store, frame_table, write_table


@dataclass(frozen=True)
class _Question:
    source_hash: str
    unit_code: str
    year: int
    previous: str | None


def ask(
    store: Store, standing: pd.DataFrame, decided: Mapping[str, str], *, workers: int | None = None
) -> dict[str, int]:
    """Write ``queries/<hash>.parquet`` for the sendings decided now and for those that follow them a year later.

    `standing` is the register's fold, `decided` the state of each sending decided in this batch, by hash. Returns how
    many queries each sending has, by hash.
    """
    units = standing[(standing["source_kind"] == "unit") & standing["year"].notna()]
    places: dict[str, tuple[str, int]] = {}
    in_force: dict[tuple[str, int], str] = {}
    told = ["source_hash", "unit_code", "year", "is_in_force"]
    for name, unit, year, counts in units[told].itertuples(index=False):
        places[name] = (unit, int(year))
        if counts:
            in_force[places[name]] = name
    wanted = {name for name, state in decided.items() if state in {"accepted", "held"} and name in places}
    after = {in_force.get((unit, year + 1)) for unit, year in (places[name] for name in wanted)}
    questions = [
        _Question(name, unit, year, in_force.get((unit, year - 1)))
        for name in sorted(wanted | (after - {None}))
        for unit, year in [places[name]]
    ]
    if not questions:
        return {}
    known = {
        # Copies are of this year or of the last.
        year: Known(
            (*place, fingerprint_of(store, name)) for place, name in in_force.items() if year - 1 <= place[1] <= year
        )
        for year in {question.year for question in questions}
    }
    return dict(_each(store, questions, known, workers))


def fingerprint_of(store: Store, source_hash: str) -> Fingerprint:
    """The fingerprint of a sending's rows; an empty one where there is none."""
    path = store.find(store.fingerprints, source_hash)
    return Fingerprint.from_table(pq.read_table(path)) if path else Fingerprint({}, {})


_desk: tuple[Store, dict[int, Known]] | None = None
"""What forked processes find ready: the fingerprints of a year are gathered once and copied by nobody."""


def _each(
    store: Store, questions: list[_Question], known: dict[int, Known], workers: int | None
) -> list[tuple[str, int]]:
    global _desk
    _desk = store, known
    try:
        return run_all(_ask_one, questions, workers)
    finally:
        _desk = None


def _ask_one(question: _Question) -> tuple[str, int]:
    assert _desk is not None
    store, known = _desk
    others = known[question.year]
    current = read_sending(store, question.source_hash)
    previous = read_sending(store, question.previous) if question.previous else None
    copies = find_copies(fingerprint_of(store, question.source_hash), others, question.unit_code, question.year)
    queries = find_queries(current, previous, others.members_beside(question.unit_code, question.year), copies)
    queries = queries.assign(source_hash=question.source_hash)
    write_table(frame_table(queries, ISSUES), store.queries / f"{question.source_hash}.parquet")
    return question.source_hash, len(queries)
