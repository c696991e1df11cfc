"""Copies: last year's file again, one unit's file under another's name, a form or rows that two units report alike.

What a year brings anew (meetings, assessments of organisations, inspections, disciplines, admissions, trainings) is
compared by content, without dates and without the unit's own part of the codes: so a copy is known although the cover,
the dates or the codes were changed, or a few cells edited. The member list is not: the same people are there again
every year. Who and what a row is about is compared between units of one year.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from submissions.coded import Values, objects
from submissions.rules import load_rules

_Stored = Mapping[str, Values | np.ndarray] | pd.DataFrame
"""A form's records by column, as they are about to be stored or as they were read."""

Kind = Literal["last_year", "other_unit", "same_tables", "rows"]

CONTENTS: dict[str, tuple[str, ...]] = {
    "cell_meetings": ("cell_code", "month", "expected", "attended", "points"),
    "organisation_assessments": (
        "org_code",
        "self_level",
        "appraised_level",
        "final_level",
        "tasks_assigned",
        "tasks_done",
        "tasks_late",
    ),
    "inspections": ("conductor_code", "kind", "subject_org_code", "subject_member_key"),
    "disciplines": ("subject_org_code", "subject_member_key", "form", "decision_no"),
    "admissions": ("member_key", "cell_code", "birth_year", "gender", "admission_group", "ethnicity"),
    "trainings": ("org_code", "topic", "invited", "attended"),
}
"""Columns by which rows are compared between years and units; no date, and nothing that only a later version has."""

_DISTINCTIVE = ("cell_meetings", "organisation_assessments", "disciplines", "admissions")
"""Forms whose rows are not alike by chance: one of them alone shows a copy."""

_TELLING = {"cell_meetings": ("attended", "points"), "organisation_assessments": ("tasks_done", "final_level")}
"""A row that has none of these says nothing: it is alike everywhere."""

_MEETINGS = 6
"""Meetings held in a year from which on a cell's year is compared as a whole."""

FINGERPRINT = pa.schema(
    [
        ("source_hash", pa.string()),
        ("form", pa.string()),
        ("kind", pa.string()),
        ("rows", pa.list_(pa.int32())),
        ("hashes", pa.list_(pa.uint64())),
    ]
)
"""A fingerprint as a table, a row a kind and form: `kind` is ``content``, ``identity`` or ``listed`` (members of any
status), `rows` the rows of the sheet that `hashes` stand for."""


@dataclass(frozen=True)
class Fingerprint:
    """Hashes of a sending's rows by (kind, form), and the rows of the sheet they stand in; nothing can be read back."""

    hashes: dict[tuple[str, str], np.ndarray]
    rows: dict[tuple[str, str], np.ndarray]

    def to_table(self, source_hash: str) -> pa.Table:
        """The fingerprint as it is stored (columns of `FINGERPRINT`)."""
        kinds, forms = [kind for kind, _ in self.hashes], [form for _, form in self.hashes]
        lists = [
            pa.ListArray.from_arrays(
                np.cumsum([0, *map(len, parts)], dtype=np.int32), np.concatenate([np.empty(0, dtype), *parts])
            )
            for dtype, parts in (
                (np.int32, [self.rows[key] for key in self.hashes]),
                (np.uint64, list(self.hashes.values())),
            )
        ]
        return pa.Table.from_arrays(
            [pa.array([source_hash] * len(forms), pa.string()), forms, kinds, *lists], schema=FINGERPRINT
        )

    @classmethod
    def from_table(cls, table: pa.Table) -> "Fingerprint":
        """The fingerprint of one sending, from `to_table`."""
        keys = list(zip(table["kind"].to_pylist(), table["form"].to_pylist(), strict=True))
        hashes, rows = table["hashes"], table["rows"]
        return cls(
            {key: hashes[at].values.to_numpy() for at, key in enumerate(keys)},
            {key: rows[at].values.to_numpy() for at, key in enumerate(keys)},
        )


@dataclass(frozen=True)
class CopyFinding:
    """What was found twice."""

    kind: Kind
    """``last_year``: the file is the same unit's of another year; ``other_unit``: it is another unit's;
    ``same_tables``: whole forms are; ``rows``: single rows stand with another unit in the same year."""
    other_unit: str
    other_year: int
    forms: tuple[str, ...]
    rows: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """Rows of the sheet, by form."""
    share: float = 0.0
    """Of the rows compared."""

    @property
    def count(self) -> int:
        """How many rows."""
        return sum(len(rows) for rows in self.rows.values())


@dataclass(frozen=True)
class UnitMismatch:
    """The unit that a file's organisations belong to, where it is not the one of the cover."""

    other_unit: str
    share: float
    """Of the organisation codes."""


def fingerprint(forms: Mapping[str, _Stored], unit_code: str | None = None) -> Fingerprint:
    """The fingerprint of a sending, from its records as they are stored, by table.

    `unit_code` says how many parts of a code name the unit (``67.001``: two, which is also the default).
    """
    parts = unit_code.count(".") + 1 if unit_code else 2
    hashes, rows = {}, {}
    for form, columns in CONTENTS.items():
        records = forms.get(form)
        if records is None or not len(records["row"]):
            continue
        cells = {column: _column(records, column) for column in columns if column in records}
        telling = [cells[name].filled for name in cells.keys() & _TELLING.get(form, columns[1:])]
        places = np.flatnonzero(np.logical_or.reduce(telling))
        hashes["content", form] = _hashes(form, {name: cell.take(places) for name, cell in cells.items()}, parts)
        rows["content", form] = _row_numbers(records)[places]
    if "members" in forms:
        members = forms["members"]
        keys = _column(members, "member_key")
        hashed, at = _hashes("members", {"member_key": keys}), _row_numbers(members)
        present = keys.filled & _column(members, "status").among(load_rules().present)
        for kind, among in (("identity", present), ("listed", keys.filled)):
            if kind == "listed" or among.any():
                hashes[kind, "members"], rows[kind, "members"] = hashed[among], at[among]
    for form, (at, cells) in _identities(forms).items():
        hashes["identity", form] = _hashes(form, cells)
        rows["identity", form] = at
    return Fingerprint(hashes, rows)


def _column(records: _Stored, name: str) -> Values:
    column = records[name]
    return column if isinstance(column, Values) else Values.of(column)


def _row_numbers(records: _Stored) -> np.ndarray:
    return np.asarray(records["row"], dtype=np.int32)


_Cells = Mapping[str, Values]


def _identities(forms: Mapping[str, _Stored]) -> dict[str, tuple[np.ndarray, _Cells]]:
    """By form: rows of the sheet, and what they are about: organisations, each cell's year."""
    found: dict[str, tuple[np.ndarray, _Cells]] = {}
    if "organisations" in forms:
        organisations = forms["organisations"]
        codes = _column(organisations, "org_code")
        active = np.flatnonzero(codes.filled & ~_column(organisations, "closed_on").filled)
        found["organisations"] = _row_numbers(organisations)[active], {"org_code": codes.take(active)}
    if "cell_meetings" in forms:
        meetings = forms["cell_meetings"]
        codes = _column(meetings, "cell_code")
        held = np.flatnonzero(_column(meetings, "held_on").filled & codes.filled)
        columns = ("month", "held_on", "expected", "attended", "points")
        hashed = _hashes("cell_meetings", {name: _column(meetings, name).take(held) for name in columns})
        cells = codes.codes[held]
        often = np.bincount(cells)
        years = np.zeros(len(often), dtype=np.uint64)
        np.add.at(years, cells, hashed)
        at = np.full(len(often), np.iinfo(np.int32).max)
        np.minimum.at(at, cells, _row_numbers(meetings)[held])
        # A cell's whole year of meetings: a few may be alike by chance.
        whole = often >= _MEETINGS
        found["cell_meetings"] = at[whole].astype(np.int32), {"year": Values.of(years[whole].astype(str))}
    return {form: pair for form, pair in found.items() if len(pair[0])}


def _hashes(form: str, cells: _Cells, unit_parts: int | None = None) -> np.ndarray:
    """One hash a row, the same in every process; of each column the distinct values are hashed once.

    Codes lose the first `unit_parts` of their parts, which name the unit.
    """
    size = len(next(iter(cells.values())))
    hashed = np.full(size, pd.util.hash_array(np.array([form], dtype=object))[0], dtype=np.uint64)
    of_columns = []
    for name, values in cells.items():
        distinct = values.distinct[1:].tolist()
        texts = ["", *(distinct if set(map(type, distinct)) == {str} else map(_comparable, distinct))]
        if unit_parts is not None and name.endswith("_code"):
            texts = [".".join(text.split(".")[unit_parts:]) for text in texts]
        of_columns.append(texts)
    of_distinct = pd.util.hash_array(objects([text for texts in of_columns for text in texts]), categorize=False)
    start = 0
    for values, texts in zip(cells.values(), of_columns, strict=True):
        hashed = hashed * np.uint64(0x9E3779B97F4A7C15) + of_distinct[start + values.codes]
        start += len(texts)
    return hashed


def _comparable(value: object) -> str:
    """A value as text: whole numbers alike, of whatever type they are."""
    return repr(float(value)) if isinstance(value, int | float | np.number) else str(value)


class Known:
    """The fingerprints of other sendings, made ready to be searched together; more may be added."""

    def __init__(self, others: Iterable[tuple[str, int, Fingerprint]] = ()) -> None:
        """`others` are (unit, year, fingerprint) of sendings in force."""
        self.units = np.empty(0, dtype=object)
        self.years = np.empty(0, dtype=int)
        self._found: dict[_Shelf, tuple[np.ndarray, np.ndarray]] = {}
        self.add(others)

    def add(self, others: Iterable[tuple[str, int, Fingerprint]]) -> None:
        """Make more of them ready; they follow those that are here already."""
        owners: list[tuple[str, int]] = []
        gathered: dict[_Shelf, list[tuple[np.ndarray, int]]] = defaultdict(list)
        for unit, year, one in others:
            for (kind, form), hashes in one.hashes.items():
                if kind == "listed":
                    # Most of them are present, and found as such.
                    hashes = np.setdiff1d(hashes, one.hashes.get(("identity", form), ()))
                gathered[_shelf(kind, form, year)].append((hashes, len(self.units) + len(owners)))
            owners.append((unit, year))
        for shelf, parts in gathered.items():
            hashes = np.concatenate([part for part, _ in parts])
            whose = np.repeat(np.array([owner for _, owner in parts], np.int32), [len(part) for part, _ in parts])
            if shelf in self._found:
                before, whose_before = self._found[shelf]
                hashes, whose = np.concatenate([before, hashes]), np.concatenate([whose_before, whose])
            order = np.argsort(hashes)
            self._found[shelf] = hashes[order], whose[order]
        self.units = np.concatenate([self.units, np.array([unit for unit, _ in owners], dtype=object)])
        self.years = np.concatenate([self.years, np.array([year for _, year in owners], dtype=int)])

    def matches(
        self, kind: str, form: str, year: int, hashes: np.ndarray, among: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(positions in `hashes`, owners) of what is known already, each pair once.

        Of identities those of a year are looked through. `among` tells which of the owners are; all without it.
        """
        none = np.empty(0, dtype=int)
        known, whose = self._found.get(_shelf(kind, form, year), (none, none))
        if not len(known):
            return none, none
        # In their order they are searched much faster; most are found nowhere, and one search tells that.
        order = np.argsort(hashes)
        hashes = hashes[order]
        first = np.searchsorted(known, hashes, "left")
        met = np.flatnonzero(known[np.minimum(first, len(known) - 1)] == hashes)
        first = first[met]
        often = np.searchsorted(known, hashes[met], "right") - first
        positions = np.repeat(order[met], often)
        within = np.arange(often.sum()) - np.repeat(np.cumsum(often) - often, often)
        owners = whose[np.repeat(first, often) + within]
        if among is not None:
            positions, owners = positions[among[owners]], owners[among[owners]]
        size = len(self.units)
        pairs = np.sort(positions * size + owners)
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        return pairs // size, pairs % size

    def members_beside(
        self, unit_code: str | None, year: int | None = None, among: np.ndarray | None = None
    ) -> Callable[[Collection[str]], set[str]]:
        """Tells which of some members (by key) stand in another unit's list, of any year or of one."""
        other = self.units != unit_code
        if among is not None:
            other &= among

        def elsewhere(keys: Collection[str]) -> set[str]:
            asked = np.array(list(keys), dtype=object)
            hashes = _hashes("members", {"member_key": Values.of(asked)})
            return {
                key
                for of_year in ([year] if year is not None else np.unique(self.years).tolist())
                for kind in ("identity", "listed")
                for key in asked[self.matches(kind, "members", of_year, hashes, other)[0]]
            }

        return elsewhere


_Shelf = tuple[str, str, int | None]


def _shelf(kind: str, form: str, year: int) -> _Shelf:
    """Where hashes stand: contents are compared between years, identities in one."""
    return kind, form, None if kind == "content" else year


def find_copies(
    one: Fingerprint,
    others: Known | Iterable[tuple[str, int, Fingerprint]],
    unit_code: str | None,
    year: int,
    among: np.ndarray | None = None,
) -> list[CopyFinding]:
    """What a sending of a unit and year has in common with others; the worst first.

    Other sendings of the same unit and year are corrections, and say nothing. `among` tells which of the known ones are
    looked at; all without it.
    """
    known = others if isinstance(others, Known) else Known(others)
    found = find_copied_files(one, known, unit_code, year, among)
    told = {(one.other_unit, one.other_year) for one in found if one.kind == "other_unit"}
    common, counts = _common(one, known, "identity", year, among)
    for owner in np.flatnonzero((counts.sum(axis=0) > 0) & (known.units != unit_code)):
        other_unit = known.units[owner]
        if (other_unit, year) in told:
            continue
        rows = _rows(one, common, "identity", owner)
        share = sum(map(len, rows.values())) / sum(len(one.hashes["identity", form]) for form in rows)
        found.append(CopyFinding("rows", other_unit, year, tuple(rows), rows, share))
    return sorted(found, key=_gravity)


def find_copied_files(
    one: Fingerprint, known: Known, unit_code: str | None, year: int, among: np.ndarray | None = None
) -> list[CopyFinding]:
    """Of what `find_copies` finds the copies of whole files and forms; the worst first."""
    rules = load_rules()
    least = rules.threshold("copied_rows_least")
    common, counts = _common(one, known, "content", year, among)
    compared = {form: len(hashes) for (kind, form), hashes in one.hashes.items() if kind == "content"}
    total = sum(compared.values())
    shares = counts.sum(axis=0) / max(total, 1)
    is_file = (shares >= rules.threshold("copied_share")) & (total >= least)
    of_form = dict(zip(common, counts, strict=True))
    is_form = {
        form: of_form[form] / compared[form] >= rules.threshold("copied_table_share")
        for form in of_form
        if form in _DISTINCTIVE and compared[form] >= max(least, 1)
    }
    suspect = is_file | np.any([*is_form.values(), np.zeros(len(known.units), bool)], axis=0)
    found: list[CopyFinding] = []
    for owner in np.flatnonzero(suspect & ((known.units != unit_code) | (known.years != year))):
        other_unit, other_year = known.units[owner], int(known.years[owner])
        rows = _rows(one, common, "content", owner)
        if is_file[owner]:
            kind: Kind = "last_year" if other_unit == unit_code else "other_unit"
            found.append(CopyFinding(kind, other_unit, other_year, tuple(rows), rows, float(shares[owner])))
        else:
            whole = tuple(form for form in rows if form in is_form and is_form[form][owner])
            share = sum(len(rows[form]) for form in whole) / sum(compared[form] for form in whole)
            same_rows = {form: rows[form] for form in whole}
            found.append(CopyFinding("same_tables", other_unit, other_year, whole, same_rows, share))
    return sorted(found, key=_gravity)


def _gravity(found: CopyFinding) -> tuple:
    order = ("last_year", "other_unit", "same_tables", "rows")
    return order.index(found.kind), -found.share, found.other_unit, -found.other_year


_Common = dict[str, tuple[np.ndarray, np.ndarray]]


def _common(
    one: Fingerprint, known: Known, kind: str, year: int, among: np.ndarray | None
) -> tuple[_Common, np.ndarray]:
    """By form the rows that others have too (positions, owners); and how many: a line a form, a column an owner."""
    found = {
        form: known.matches(kind, form, year, hashes, among)
        for (own_kind, form), hashes in one.hashes.items()
        if own_kind == kind
    }
    counts = [np.bincount(owners, minlength=len(known.units)) for _, owners in found.values()]
    return found, np.array(counts, dtype=int).reshape(len(found), len(known.units))


def _rows(one: Fingerprint, common: _Common, kind: str, owner: int) -> dict[str, tuple[int, ...]]:
    """Rows of the sheet that one owner has too, by form."""
    found = {}
    for form, (positions, owners) in common.items():
        at = positions[owners == owner]
        if len(at):
            found[form] = tuple(np.sort(one.rows[kind, form][at]).tolist())
    return found


def unit_mismatch(codes: Iterable[str | None], unit_code: str, units: Iterable[str]) -> UnitMismatch | None:
    """The unit whose codes most organisations of Biểu 2 carry, where it is another than the cover says.

    `codes` are those of the form's rows (None where a row has none), `units` those of the province's units.
    """
    known = {*units, unit_code}
    above = Counter(code.rpartition(".")[0] for code in codes if code is not None)
    shares: Counter[str | None] = Counter()
    for parent, count in above.items():
        shares[_unit_of(parent, known)] += count / above.total()
    del shares[None]
    own = shares.pop(unit_code, 0.0)
    other = max(shares, key=lambda unit: shares[unit], default=None)
    if other is None or shares[other] <= max(own, load_rules().threshold("foreign_codes_share")):
        return None
    return UnitMismatch(other, shares[other])


def _unit_of(parent: str, units: Collection[str]) -> str | None:
    """The unit that a code begins with, without its own last part; of several (67 and 67.001) the longest."""
    parts = parent.split(".")
    prefixes = (".".join(parts[:size]) for size in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in units), None)
