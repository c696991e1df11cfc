"""Asking: the queries about sendings that count or wait, kept beside their issues; anew when last year's changes."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from submissions.copies import FINGERPRINT, Fingerprint, Known, find_copies, fingerprint
from submissions.form_set import FormSet
from submissions.processes import run_all
from submissions.queries import Sending, find_queries
from submissions.records import Records, read_columns
from submissions.store import COUNTS, ISSUES, Store, frame_table, write_table

_AHEAD = {
    "membership_movements": ("line", "count", "count_previous", "row"),
    "organisations": ("org_code", "parent_code", "member_count", "row"),
    "members": ("member_key", "cell_code", "status"),
    "organisation_assessments": ("final_level",),
    "member_assessments": ("final_level", "cell_code", "row"),
    "cell_meetings": ("cell_code", "held_on", "expected", "attended", "row"),
}
"""Columns that every sending is asked about; others are read where they are needed."""

Place = tuple[str, int]
"""A unit and a year."""


class Shelf:
    """The fingerprints of the sendings that count, gathered once a batch: what comes later is added."""

    def __init__(self, store: Store) -> None:
        """Nothing is read before it is asked for."""
        self.known = Known()
        # Of a batch of usual size each is looked at twice in a row.
        self.fingerprint = lru_cache(100)(partial(fingerprint_of, store))
        self._at: dict[tuple[str, Place], int] = {}

    def among(self, sendings: Iterable[tuple[str, Place]]) -> np.ndarray:
        """Which of the known ones are these (hash, unit and year); those that are not known yet are read."""
        wanted = list(sendings)
        new = [one for one in dict.fromkeys(wanted) if one not in self._at]
        self._at |= {one: len(self._at) + number for number, one in enumerate(new)}
        self.known.add((*place, self.fingerprint(name)) for name, place in new)
        among = np.zeros(len(self._at), dtype=bool)
        among[[self._at[one] for one in wanted]] = True
        return among


@dataclass(frozen=True)
class _Question:
    source_hash: str
    unit_code: str
    year: int
    previous: str | None


def ask(
    store: Store,
    standing: pd.DataFrame,
    decided: Mapping[str, str],
    *,
    shelf: Shelf | None = None,
    other_keys: Mapping[str, Collection[str]] | None = None,
    workers: int | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> dict[str, int]:
    """Write ``queries/<hash>.parquet`` for the sendings decided now and for those that follow them a year later.

    Those that have none are asked about too: a batch was killed before it did (`forget`).

    `standing` is the register's fold, `decided` the state of each sending decided in this batch, by hash, `shelf` what
    fingerprints are at hand, `other_keys` which keys of members are one (`register.identities.other_keys`), `meanwhile`
    what else is to be done. Returns how many queries each sending has, by hash.
    """
    # Bytes that came again, perhaps in another unit's inbox, are what they were.
    was_taken = standing["state"].isin(["accepted", "replaced", "held"])
    units = standing[was_taken & (standing["source_kind"] == "unit") & standing["year"].notna()]
    places: dict[str, Place] = {}
    in_force: dict[Place, str] = {}
    told = ["source_hash", "unit_code", "year", "is_in_force"]
    unasked = set()
    for name, unit, year, counts in units[told].itertuples(index=False):
        if store.find(store.submissions, name) is None:
            continue  # a register in a database may know more than this store
        places[name] = (unit, int(year))
        if counts:
            in_force[places[name]] = name
        if store.find(store.queries, name) is None:
            unasked.add(name)
    wanted = {name for name, state in decided.items() if state in {"accepted", "held"} and name in places} | unasked
    after = {in_force.get((unit, year + 1)) for unit, year in (places[name] for name in wanted)}
    # A unit's questions are asked together: one year's sending is the next one's year before.
    of_unit: dict[str, list[_Question]] = defaultdict(list)
    for name in sorted(wanted | (after - {None}), key=lambda name: (places[name], name)):
        unit, year = places[name]
        of_unit[unit].append(_Question(name, unit, year, in_force.get((unit, year - 1))))
    if not of_unit:
        meanwhile()
        return {}
    shelf = shelf or Shelf(store)
    years = {question.year for questions in of_unit.values() for question in questions}
    # Copies are of this year or of the last.
    window = {
        year: [(name, place) for place, name in in_force.items() if year - 1 <= place[1] <= year] for year in years
    }
    shelf.among(one for sendings in window.values() for one in sendings)
    among = {year: shelf.among(sendings) for year, sendings in window.items()}
    desk = _Desk(store, store.form_sets, shelf.known, among, other_keys or {})
    counted = run_all(desk.ask_unit, list(of_unit.values()), workers, meanwhile)
    return {name: queries for unit in counted for name, queries in unit}


def forget(store: Store, standing: pd.DataFrame, decided: Collection[tuple[str, Place]]) -> None:
    """Take away what was asked about sendings (hash, unit and year) and those a year later; then tell the register.

    What is there after a kill is up to date, what is not is asked by the next batch.
    """
    names, places = {name for name, _ in decided}, {(unit, year + 1) for _, (unit, year) in decided}
    for name, *place in standing.loc[standing["is_in_force"], ["source_hash", "unit_code", "year"]].itertuples(
        index=False
    ):
        if tuple(place) in places:
            names.add(name)
    for name in names:
        (store.queries / f"{name}.parquet").unlink(missing_ok=True)


def listing(store: Store, standing: pd.DataFrame, keys: Collection[str]) -> list[tuple[str, Place]]:
    """The sendings in force (hash, unit and year) that list one of some members."""
    if not keys:
        return []
    is_of_unit = standing["is_in_force"] & (standing["source_kind"] == "unit") & standing["year"].notna()
    told = standing.loc[is_of_unit, ["source_hash", "unit_code", "year"]]
    return [
        (name, (unit, int(year)))
        for name, unit, year in told.itertuples(index=False)
        if not set(read_columns(store.find(store.form("members"), name), ["member_key"])["member_key"]).isdisjoint(keys)
    ]


def fingerprint_of(store: Store, source_hash: str) -> Fingerprint:
    """The fingerprint of a sending's rows; made anew where there is none, or one that an earlier version wrote."""
    path = store.find(store.fingerprints, source_hash)
    if path is not None:
        with pq.ParquetFile(path) as file:
            if file.schema_arrow.names == FINGERPRINT.names:
                return Fingerprint.from_table(file.read(use_threads=False))
    known = store.submission(source_hash)
    if known is None or known["state"] != "accepted":
        return Fingerprint({}, {})
    forms = {
        form.table: store.form_frame(form.table, source_hash) for form in store.form_sets[known["form_version"]].forms
    }
    made = fingerprint(forms, known["unit_code"])
    store.fingerprints.mkdir(parents=True, exist_ok=True)
    write_table(made.to_table(source_hash), store.fingerprints / f"{source_hash}.parquet")
    return made


@dataclass(frozen=True)
class _Desk:
    """What questions are asked with; it is gathered once."""

    store: Store
    form_sets: Mapping[str, FormSet]
    known: Known
    among: Mapping[int, np.ndarray]
    other_keys: Mapping[str, Collection[str]]

    def ask_unit(self, questions: list[_Question]) -> list[tuple[str, int]]:
        """Ask about sendings of one unit, in the order of their years; returns the number of queries by hash."""
        read: dict[str, Sending] = {}
        found = []
        for question in questions:
            names = [question.source_hash, *([question.previous] if question.previous else [])]
            # Those of earlier years are not needed again.
            read = {name: read.get(name) or self._sending(name) for name in names}
            found.append((question.source_hash, self._ask(question, *read.values())))
        return found

    def _ask(self, question: _Question, current: Sending, previous: Sending | None = None) -> int:
        name, unit, year = question.source_hash, question.unit_code, question.year
        among = self.among[year]
        copies = find_copies(fingerprint_of(self.store, name), self.known, unit, year, among)
        elsewhere = self.known.members_beside(unit, year, among)
        queries = find_queries(current, previous, elsewhere, copies, self.other_keys)
        # Written without rows too: it says that the sending was asked about.
        table = frame_table(queries.assign(source_hash=name), ISSUES)
        write_table(table, self.store.queries / f"{name}.parquet")
        return len(queries)

    def _sending(self, source_hash: str) -> Sending:
        """A sending of which columns are read as they are needed."""
        store = self.store
        row = {
            name: column[0]
            for name, column in read_columns(
                store.find(store.submissions, source_hash), ["file_name", "unit_code", "year", "form_version"]
            ).items()
        }
        form_set = self.form_sets[row["form_version"]]
        found = {table: store.find(store.form(table), source_hash) for table in form_set.by_table}
        return Sending(
            source_hash,
            row["file_name"],
            row["unit_code"],
            int(row["year"]),
            form_set,
            {
                table: Records(path, _AHEAD.get(table, ())) if path else Records(pd.DataFrame())
                for table, path in found.items()
            },
            pd.DataFrame(read_columns(store.find(store.counts, source_hash), COUNTS.names)),
            pd.DataFrame(read_columns(store.find(store.issues, source_hash), ["form", "column", "severity"])),
        )
