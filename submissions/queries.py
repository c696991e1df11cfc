"""Queries: what is unusual in a sending, though every cell is lawful; to be mended or explained.

Computed from the store: without names, members by their pseudonyms, which appear in no query. A query stands at a cell
of the unit's own workbook. Rows held back by an error count as present, and where an error leaves a number open the
query is not asked: one mistake is one issue.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from submissions.copies import CopyFinding
from submissions.form_set import Form, FormSet
from submissions.issues import COLUMNS, ERROR, describe, issues_frame, number
from submissions.records import Records, records_of
from submissions.rules import Rules, load_rules
from submissions.store import Store

Issue = dict[str, object]
Elsewhere = Callable[[Collection[str]], Collection[str]]
"""Which of some members (by key) stand in another unit's list of the year."""

_LISTED = 8
"""Places that a sentence names; of more it tells the number."""


@dataclass(frozen=True)
class Sending:
    """One sending as it stands in the store."""

    source_hash: str
    file_name: str
    unit_code: str
    year: int
    form_set: FormSet
    forms: Mapping[str, pd.DataFrame | Records]
    """Records by table, as stored."""
    counts: pd.DataFrame
    """Rows of `COUNTS`."""
    issues: pd.DataFrame
    """The sending's own issues; queries do not ask again what an error says."""

    @cached_property
    def records(self) -> dict[str, Records]:
        """The records column by column, by table."""
        return records_of(self.forms)

    @cached_property
    def parents(self) -> dict[str, str | None]:
        """The superior of each organisation of Biểu 2, by code."""
        organisations = self.records["organisations"]
        codes, parents = (_values(organisations, name) for name in ("org_code", "parent_code"))
        return {code: parent for code, parent in zip(codes, parents, strict=True) if code is not None}

    @cached_property
    def _layouts(self) -> dict[str, dict[str, object]]:
        return {str(line["form"]): line for line in self.counts.to_dict("records")}

    def form(self, table: str) -> Form:
        """The form in the version of the sending."""
        return self.form_set.by_table[table]

    def sheet(self, table: str) -> str:
        """The name of the form's sheet in the unit's file."""
        return str(self._layouts[table]["sheet"])

    def letters(self, table: str) -> dict[str, str]:
        """Column letters by column key; empty where they were not kept."""
        kept = self._layouts.get(table, {}).get("letters")
        return json.loads(kept) if isinstance(kept, str) and kept else {}

    def cell(self, table: str, column: str, row: int | None = None) -> str:
        """The cell of a column in a row of the sheet, or its heading."""
        if row is None:
            heading = self._layouts[table].get("heading_row")
            row = 1 if pd.isna(heading) else int(heading)
        return f"{self.letters(table).get(column, 'A')}{row}"


def read_sending(store: Store, source_hash: str, tables: Iterable[str] | None = None) -> Sending:
    """A sending from the store with the records of its forms (or of some); raises `LookupError` where none is kept."""
    known = store.submission(source_hash)
    if known is None or known["state"] != "accepted" or known["unit_code"] is None:
        raise LookupError(f"no unit's sending {source_hash[:12]} in the store")
    form_set = store.form_sets[str(known["form_version"])]
    wanted = form_set.by_table if tables is None else tables
    return Sending(
        source_hash,
        str(known["file_name"]),
        str(known["unit_code"]),
        int(str(known["year"])),
        form_set,
        {table: store.form_frame(table, source_hash) for table in wanted},
        store.counts_of(source_hash),
        store.issues_of(source_hash),
    )


def find_queries(
    current: Sending,
    previous: Sending | None = None,
    elsewhere: Elsewhere | None = None,
    copies: Sequence[CopyFinding] = (),
    other_keys: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """The queries on a sending: a row each with `COLUMNS`, severity ``query``.

    `previous` is the unit's sending in force of the year before, where there is one. `elsewhere` looks members up in
    the other units of the year (`copies.Known.members_beside`); without it a member who moved without notice is asked
    for. `other_keys` are the keys, by key, that were confirmed to be one member. `copies` are what
    `copies.find_copies` found; those of whole files are no queries: such a file is held.
    """
    asking = _Asking(current, load_rules())
    if previous is not None:
        _ask_changes(asking, previous)
        if _have(("members", "organisations"), current, previous):
            _ask_groups(asking, previous)
        if _have(("members",), current, previous):
            _ask_gone(asking, previous, elsewhere, other_keys or {})
        if _have(("membership_movements",), current, previous):
            _ask_carried_over(asking, previous)
    if _have(("membership_movements",), current):
        _ask_totals(asking)
    if _have(("members", "organisations"), current):
        _ask_member_counts(asking)
    if _have(("organisations", "organisation_assessments", "member_assessments"), current):
        _ask_levels_alike(asking)
    if _have(("organisations", "cell_meetings"), current):
        _ask_meetings(asking)
    _ask_blanks(asking)
    _ask_copies(asking, copies)
    queries = issues_frame(asking.issues)
    return queries.assign(file=current.file_name, unit_code=current.unit_code, year=current.year)[list(COLUMNS)]


def _have(tables: Iterable[str], *sendings: Sending) -> bool:
    """Whether sendings have some forms: another form set may be without them."""
    return all(table in sending.forms for table in tables for sending in sendings)


class _Asking:
    """The queries of one sending as they are gathered."""

    def __init__(self, sending: Sending, rules: Rules) -> None:
        self.sending = sending
        self.rules = rules
        self.issues: list[Issue] = []

    def records(self, table: str) -> Records:
        return self.sending.records[table]

    def limit(self, threshold: str) -> float:
        return self.rules.threshold(threshold)

    def ask(
        self, rule: str, table: str, column: str, row: int | None, value: str, found: str, key: str = "", **words: str
    ) -> None:
        """Ask at a cell; `row` is one of the sheet, None for the heading."""
        if not self.rules.in_force(rule, self.sending.year):
            return
        form = self.sending.form(table)
        heading = form.by_key[column].heading
        self.issues.append(
            {
                "form": form.title,
                "sheet": self.sending.sheet(table),
                "cell": self.sending.cell(table, column, row),
                "key": key,
                "column": column,
                "value": value,
                **describe(rule, heading=heading, found=found, **words),
            }
        )

    def ask_each(
        self,
        rule: str,
        table: str,
        column: str,
        cases: Sequence[tuple[int | None, str, str, str]],
        told: str,
        **words: str,
    ) -> None:
        """Ask case by case, (row, key, value, found); of many cases once for the form, as ``{number} {told}``."""
        if len(cases) <= self.limit("listed_one_by_one"):
            for row, key, value, found in cases:
                self.ask(rule, table, column, row, value, found, key, **words)
            return
        keys = _listed([key or self.sending.cell(table, column, row) for row, key, _, _ in cases])
        self.ask(
            rule,
            table,
            column,
            None,
            f"{len(cases)} {told}",
            f"{number(len(cases))} {told}: {keys}. Ví dụ: {cases[0][3]}",
            **(words or {}),
        )


def _listed(places: Sequence[str]) -> str:
    shown = ", ".join(places[:_LISTED])
    return f"{shown} và {number(len(places) - _LISTED)} nơi khác" if len(places) > _LISTED else shown


def _share(value: float) -> str:
    return f"{number(100 * value, 1)}%"


def _change(before: float, after: float) -> str:
    if not before:
        return f"từ 0 lên {number(after)}"
    return f"{'tăng' if after > before else 'giảm'} {_share(abs(after - before) / before)}"


# --- against the year before ---


def _ask_changes(asking: _Asking, previous: Sending) -> None:
    """Totals of the unit: members, organisations, admissions, disciplines, shares of levels."""
    now, then = asking.sending, previous
    for rule, table, column, what, count in (
        ("members", "members", "card_no", "đảng viên có mặt cuối kỳ", _count_present),
        ("organisations", "organisations", "org_code", "tổ chức đảng đang hoạt động", _count_active),
        ("admissions", "admissions", "full_name", "đảng viên kết nạp", _count_rows),
        ("disciplines", "disciplines", "subject_code", "quyết định kỷ luật", _count_rows),
    ):
        if not _have((table,), now, then):
            continue
        before, after = count(then.records[table], asking.rules), count(now.records[table], asking.rules)
        match rule:
            case "organisations":
                # Organisations do not come and go by chance, one by one.
                least = asking.limit("organisations_change_least") - 1
            case "members":
                # They are the same persons: what varies is who came and who left.
                least = asking.limit("standard_errors") * np.sqrt(asking.limit("members_change") * before)
            case _:
                least = asking.limit("standard_errors") * np.sqrt(before + after)
        if abs(after - before) > max(asking.limit(f"{rule}_change") * before, least):
            found = f"Năm nay có {number(after)} {what}, năm trước {number(before)} ({_change(before, after)})"
            limit = _share(asking.limit(f"{rule}_change"))
            asking.ask(f"change_{rule}", table, column, None, number(after), found, limit=limit, before=number(before))
    for rule, table in (("member_levels", "member_assessments"), ("organisation_levels", "organisation_assessments")):
        if _have((table,), now, then):
            _ask_level_shares(asking, rule, table, then.records[table], now.records[table])


def _count_present(members: Records, rules: Rules) -> int:
    return int(members.is_in("status", rules.present).sum()) + members.blanks("status")


def _count_active(organisations: Records, rules: Rules) -> int:
    return organisations.blanks("closed_on")


def _count_rows(records: Records, rules: Rules) -> int:
    return len(records)


def _ask_level_shares(asking: _Asking, rule: str, table: str, then: Records, now: Records) -> None:
    """The level whose share changed most; the others follow from it."""
    counted = [_counts(records, "final_level") for records in (then, now)]
    if not all(counted):
        return
    # Of two that changed alike the first is told.
    names = list(counted[0]) if list(counted[0]) == list(counted[1]) else sorted({*counted[0], *counted[1]})
    levels = np.array([[counts.get(name, 0) for counts in counted] for name in names], dtype=float)
    sizes = levels.sum(axis=0)
    shares = levels / sizes
    pooled = levels.sum(axis=1) / sizes.sum()
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes).sum())
    limit = asking.limit(f"{rule}_change")
    change = np.abs(shares[:, 1] - shares[:, 0])
    change[change <= np.maximum(limit, asking.limit("standard_errors") * error)] = 0
    most = int(change.argmax())
    if not change[most]:
        return
    level, before, after = names[most], *map(_share, shares[most])
    found = f"“{level}” chiếm {after} số được xếp loại, năm trước {before}"
    points = f"{number(100 * limit)} điểm phần trăm"
    asking.ask(f"change_{rule}", table, "final_level", None, f"{level}: {after}", found, limit=points, before=before)


def _counts(records: Records, column: str) -> dict[str, int]:
    """How often each value of a column stands, the most frequent first."""
    codes, distinct = records.coded(column)
    often = np.bincount(codes[codes >= 0], minlength=len(distinct))
    return {distinct[at]: int(often[at]) for at in np.argsort(-often, kind="stable") if often[at]}


def _values(records: Records, column: str) -> np.ndarray:
    """The values of a column of texts, None where it is empty."""
    codes, distinct = records.coded(column)
    return np.append(distinct, None)[codes]


def _places(records: Records, column: str, of: Mapping[str, int]) -> np.ndarray:
    """A number for each value of a column, -1 where it is empty or has none."""
    codes, distinct = records.coded(column)
    return np.array([*(of.get(value, -1) for value in distinct), -1], dtype=int)[codes]


def _grassroots(sending: Sending, records: Records, column: str) -> tuple[np.ndarray, list[str]]:
    """(positions, codes): the topmost organisation of Biểu 2 above each code of a column, a grassroots organisation.

    Codes stand as their first rows do; the position of an unknown code is -1.
    """
    parents = sending.parents
    codes, distinct = records.coded(column)
    places: dict[str, int] = {}
    of_distinct = np.full(len(distinct) + 1, -1)
    for at, code in enumerate(distinct):
        if code not in parents:
            continue
        top = code
        for _ in range(_DEEPEST):
            parent = parents[top]
            if parent not in parents:
                break
            top = parent
        of_distinct[at] = places.setdefault(top, len(places))
    positions = of_distinct[codes]
    known = positions >= 0
    firsts = np.full(len(places), len(positions))
    np.minimum.at(firsts, positions[known], np.flatnonzero(known))
    order = np.argsort(firsts)
    order = order[firsts[order] < len(positions)]
    renumbered = np.full(len(places) + 1, -1)
    renumbered[order] = np.arange(len(order))
    names = list(places)
    return renumbered[positions], [names[at] for at in order]


_DEEPEST = 10
"""No organisation lies deeper; a mistake may make a circle of superiors."""


def _ask_groups(asking: _Asking, previous: Sending) -> None:
    """Grassroots organisations whose members changed drastically."""
    sizes: list[dict[str, int]] = []
    adrift = 0
    for sending in (previous, asking.sending):
        members = sending.records["members"]
        tops, codes = _grassroots(sending, members, "cell_code")
        organisations = sending.records["organisations"]
        of_unit = {*_values(organisations, "org_code")[organisations.is_in("parent_code", [sending.unit_code])]}
        rooted = np.array([*(code in of_unit for code in codes), False], dtype=bool)
        placed = rooted[tops] & members.filled("status")
        # Whose organisation or status is unlawful may be the difference.
        adrift += int((~placed).sum())
        present = np.bincount(tops[placed & members.is_in("status", asking.rules.present)], minlength=len(codes))
        sizes.append(dict(zip(codes, present.tolist(), strict=True)))
    limit, least = asking.limit("group_change"), asking.limit("group_change_least")
    then, now = sizes
    beyond = [
        code
        for code in sorted(then.keys() & now.keys())
        if (change := abs(now[code] - then[code]) - adrift) > limit * then[code] and change >= least
    ]
    if not beyond:
        return
    organisations = asking.records("organisations")
    rows = dict(zip(_values(organisations, "org_code")[::-1], organisations.rows[::-1].tolist(), strict=True))
    cases = [
        (
            rows[code],
            code,
            number(now[code]),
            f"{code} có {number(now[code])} đảng viên có mặt, năm trước {number(then[code])} "
            f"({_change(then[code], now[code])})",
        )
        for code in beyond
    ]
    before = number(then[beyond[0]]) if len(beyond) == 1 else "số đã báo cáo"
    asking.ask_each(
        "change_in_organisation",
        "organisations",
        "member_count",
        cases,
        "tổ chức cơ sở biến động lớn",
        limit=_share(limit),
        before=before,
    )


def _ask_gone(
    asking: _Asking, previous: Sending, elsewhere: Elsewhere | None, other_keys: Mapping[str, Collection[str]]
) -> None:
    """Members who were there at the end of last year and stand nowhere this year, under none of their keys."""
    then, now = previous.records["members"], asking.records("members")
    absent = then.absent_from(now, "member_key") & then.is_in("status", asking.rules.present)
    if not absent.any():
        return
    known = ["member_key", "row", "cell_code", "birth_year", "admitted_on"]
    gone = then.frame(known, absent)
    keys = set(gone["member_key"])
    others = {other for key in keys & other_keys.keys() for other in other_keys[key]}
    _, listed = now.coded("member_key")
    found = others & set(listed)
    if elsewhere is not None:
        found |= set(elsewhere([*keys, *others]))
    found |= {key for key in keys & other_keys.keys() if not found.isdisjoint(other_keys[key])}
    gone = gone[~gone["member_key"].isin(list(found))]
    if gone.empty:
        return
    # A row whose card number is unlawful is somebody: it answers for the likeliest of those who are missing.
    unkeyed = now.frame(known, ~now.filled("member_key"))
    for likeness in (["birth_year", "admitted_on", "cell_code"], ["birth_year", "admitted_on"], ["cell_code"], []):
        gone, unkeyed = _answered(gone, unkeyed, likeness)
    if gone.empty:
        return
    by_cell = [(str(cell), list(part["row"])) for cell, part in gone.groupby(gone["cell_code"].fillna(""), sort=True)]
    cases = []
    for cell, rows in by_cell:
        places = _listed([previous.cell("members", "card_no", int(row)) for row in rows])
        found = (
            f"{number(len(rows))} đảng viên có mặt cuối năm {previous.year} (báo cáo năm {previous.year}, "
            f"trang “{previous.sheet('members')}”, {places}) không còn trong Biểu 3 năm nay"
        )
        cases.append((None, cell, f"{len(rows)} đảng viên", found))
    asking.ask_each(
        "member_gone", "members", "card_no", cases, f"chi bộ có {number(len(gone))} đảng viên vắng không lý do"
    )


def _answered(gone: pd.DataFrame, unkeyed: pd.DataFrame, likeness: list[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Who is still missing and which rows are left, after each row answered for one person alike in some columns."""
    if gone.empty or unkeyed.empty:
        return gone, unkeyed
    if not likeness:
        return gone.iloc[len(unkeyed) :], unkeyed.iloc[len(gone) :]
    numbered = []
    for rows in (gone, unkeyed):
        # A missing part makes the whole missing.
        keys = rows[likeness[0]].map(_part, na_action="ignore").astype("str")
        for name in likeness[1:]:
            keys = keys + "|" + rows[name].map(_part, na_action="ignore").astype("str")
        numbered.append((keys + "|" + keys.groupby(keys).cumcount().astype("str")).where(keys.notna()))
    of_gone, of_rows = numbered
    return gone[~of_gone.isin(of_rows.dropna())], unkeyed[~of_rows.isin(of_gone.dropna())]


def _part(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, int | float | np.number) else str(value)


@dataclass(frozen=True)
class _Line:
    """A line of Biểu 1; NaN where a number is not there."""

    row: int
    count: float
    before: float


def _lines(sending: Sending) -> dict[str, _Line]:
    """Biểu 1 by line; of a line that stands twice the first."""
    records = sending.records["membership_movements"]
    told = (records.rows.tolist(), records.numbers("count").tolist(), records.numbers("count_previous").tolist())
    lines: dict[str, _Line] = {}
    for name, *line in zip(_values(records, "line"), *told, strict=True):
        if name is not None:
            lines.setdefault(name, _Line(*line))
    return lines


def _ask_carried_over(asking: _Asking, previous: Sending) -> None:
    """What Biểu 1 repeats of last year's report."""
    now, then = _lines(asking.sending), _lines(previous)
    line, closing = asking.rules.opening.line, asking.rules.opening.closing
    if line in now and closing in then and _differ(now[line].count, then[closing].count):
        opening, closed = number(now[line].count), number(then[closing].count)
        found = f"Dòng {line} ghi {opening}, dòng {closing} của báo cáo năm {previous.year} là {closed}"
        place = ("membership_movements", "count", now[line].row)
        asking.ask("opening_differs", *place, opening, found, line, before=closed)
    both = [name for name in now if name in then and _differ(now[name].before, then[name].count)]
    cases = [
        (
            now[name].row,
            name,
            number(now[name].before),
            f"Dòng {name} ghi cùng kỳ {number(now[name].before)}, "
            f"báo cáo năm {previous.year} là {number(then[name].count)}",
        )
        for name in both
    ]
    before = number(then[both[0]].count) if len(both) == 1 else "đúng số đã báo cáo"
    asking.ask_each("previous_differs", "membership_movements", "count_previous", cases, "dòng khác", before=before)


def _differ(one: float, other: float) -> bool:
    """Whether two numbers are there and not the same."""
    return one != other and not np.isnan(one) and not np.isnan(other)


# --- within the sending ---


def _ask_totals(asking: _Asking) -> None:
    """Lines of Biểu 1 against the lists they sum up; what an error leaves open has the benefit of the doubt."""
    lines = _lines(asking.sending)
    for total in asking.rules.totals:
        line = lines.get(total.line)
        if total.table not in asking.sending.forms or line is None or np.isnan(line.count):
            continue
        records = asking.records(total.table)
        listed, open_rows = np.ones(len(records), bool), np.zeros(len(records), bool)
        unkeyed = np.zeros(len(records), bool)
        for column, allowed in total.where.items():
            listed &= records.is_in(column, allowed)
            open_rows |= ~records.filled(column)
        if total.where and "member_key" in records:
            # A row entered twice, or a person: its card number cannot tell.
            unkeyed = listed & ~records.filled("member_key")
        low, high = int(listed.sum() - unkeyed.sum()), int(listed.sum() + open_rows.sum())
        told = int(line.count)
        if low <= told <= high:
            continue
        title = asking.sending.form(total.table).title
        whom = f" ({', '.join(next(iter(total.where.values())))})" if total.where else ""
        counted = int(listed.sum())
        found = f"Dòng {total.line} của Biểu 1 ghi {number(told)} nhưng {title} có {number(counted)} dòng{whom}"
        place = ("membership_movements", "count", line.row)
        asking.ask(
            "total_differs", *place, number(told), found, total.line, counted=f"{number(counted)}, như {title}{whom}"
        )


def _ask_member_counts(asking: _Asking) -> None:
    """Members of each organisation in Biểu 2 against Biểu 3, with everything below it."""
    organisations, members = asking.records("organisations"), asking.records("members")
    place: dict[str, int] = {}
    firsts = []
    for at, code in enumerate(_values(organisations, "org_code")):
        if code is not None and code not in place:
            place[code] = len(place)
            firsts.append(at)
    if not place:
        return
    codes = list(place)
    parents = _places(organisations, "parent_code", place)[firsts]
    cells = _places(members, "cell_code", place)
    present = members.is_in("status", asking.rules.present)
    certain = present & members.filled("member_key")
    maybe = (present & ~certain) | ~members.filled("status")
    size = len(codes)
    low = _with_below(np.bincount(cells[certain & (cells >= 0)], minlength=size), parents)
    high = low + _with_below(np.bincount(cells[maybe & (cells >= 0)], minlength=size), parents)
    counted = _with_below(np.bincount(cells[present & (cells >= 0)], minlength=size), parents)
    # Members whose cell is not told, or whose cell hangs in the air, may belong anywhere.
    rooted = organisations.is_in("parent_code", [asking.sending.unit_code])[firsts]
    adrift = int(((certain | maybe) & (cells < 0)).sum()) + int(high[(parents < 0) & ~rooted].sum())
    told = organisations.numbers("member_count")[firsts]
    beyond = np.where(told < low, told - low, np.where(told > high + adrift, told - high - adrift, 0.0))
    beyond = np.where(np.isnan(told), 0.0, beyond)
    # What an organisation has too many only because one below it has is told there.
    below = np.bincount(parents[parents >= 0], weights=beyond[parents >= 0], minlength=size)
    wrong = np.flatnonzero((beyond != 0) & (beyond != below))
    rows = organisations.rows[firsts]
    cases = []
    for index in wrong:
        found = f"{codes[index]} ghi {number(told[index])} đảng viên nhưng Biểu 3 có {number(counted[index])}"
        cases.append((int(rows[index]), codes[index], number(told[index]), found))
    expected = (
        f"{number(counted[wrong[0]])}, như Biểu 3" if len(wrong) == 1 else "số đảng viên có mặt đếm được ở Biểu 3"
    )
    asking.ask_each(
        "member_count_differs", "organisations", "member_count", cases, "tổ chức khác Biểu 3", counted=expected
    )


def _with_below(own: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """Numbers of each organisation and everything below it; `parents` are positions, -1 for none."""
    total, moving = own.astype(float), own.astype(float)
    placed = parents >= 0
    for _ in range(_DEEPEST):
        moving = np.bincount(parents[placed], weights=moving[placed], minlength=len(own))
        if not moving.any():
            break
        total += moving
    return total


def _ask_levels_alike(asking: _Asking) -> None:
    """One level for everybody in a grassroots organisation, or for every organisation of the unit."""
    of_organisations, rated = asking.records("organisation_assessments"), asking.records("member_assessments")
    for table, records, least in (
        ("organisation_assessments", of_organisations, asking.limit("levels_alike_organisations")),
        ("member_assessments", rated, asking.limit("levels_alike_members")),
    ):
        counts = _counts(records, "final_level")
        size, level = sum(counts.values()), next(iter(counts), "")
        if size >= least and len(counts) == 1:
            whom = "tổ chức" if records is of_organisations else "đảng viên"
            found = f"Cả {number(size)} {whom} được xếp loại đều ở mức “{level}”"
            asking.ask("levels_alike", table, "final_level", None, f"{number(size)} x {level}", found)
            if records is rated:
                return
    levels, names = rated.coded("final_level")
    tops, codes = _grassroots(asking.sending, rated, "cell_code")
    cases = []
    for place, code, size in _groups(tops, codes, levels >= 0, asking.limit("levels_alike_members")):
        own = levels[place]
        if (own == own[0]).all():
            level = names[own[0]]
            found = f"Cả {number(size)} đảng viên được xếp loại của {code} đều ở mức “{level}”"
            cases.append((int(rated.rows[place].min()), code, f"{number(size)} x {level}", found))
    asking.ask_each("levels_alike", "member_assessments", "final_level", cases, "tổ chức cơ sở chỉ có một mức xếp loại")


def _groups(
    groups: np.ndarray, codes: Sequence[str], wanted: np.ndarray, least: float
) -> Iterable[tuple[np.ndarray, str, int]]:
    """(positions, code, size) of the groups that have a least size among the rows that are wanted."""
    wanted = wanted & (groups >= 0)
    sizes = np.bincount(groups[wanted], minlength=len(codes))
    for group in np.flatnonzero(sizes >= max(least, 1)):
        yield np.flatnonzero(wanted & (groups == group)), codes[group], int(sizes[group])


def _ask_meetings(asking: _Asking) -> None:
    """Every meeting held, and every member at every meeting."""
    meetings = asking.records("cell_meetings")
    tops, codes = _grassroots(asking.sending, meetings, "cell_code")
    held = meetings.filled("held_on")
    expected = meetings.numbers("expected")
    counted = held & (expected >= asking.limit("full_attendance_expected"))
    for rule, column, rows, good, least, words in (
        (
            "meetings_all_held",
            "held_on",
            np.ones(len(held), bool),
            held,
            asking.limit("meetings_in_organisation"),
            ("của mọi chi bộ đều ghi có họp (100%)", "đều ghi có họp (100%)", "tổ chức cơ sở họp đủ 100%"),
        ),
        (
            "attendance_full",
            "attended",
            counted,
            meetings.numbers("attended") == expected,
            asking.limit("full_attendance_meetings"),
            ("đều có 100% đảng viên dự", "đều có 100% đảng viên dự", "tổ chức cơ sở dự họp đủ 100%"),
        ),
    ):
        size = int(rows.sum())
        if size >= asking.limit("meetings_in_unit") and good[rows].all():
            found = f"Cả {number(size)} buổi sinh hoạt {words[0]}"
            asking.ask(rule, "cell_meetings", column, None, f"{number(size)} buổi: 100%", found)
            continue
        cases = []
        for place, code, size in _groups(tops, codes, rows, least):
            if good[place].all():
                found = f"Cả {number(size)} buổi sinh hoạt của {code} {words[1]}"
                cases.append((int(meetings.rows[place].min()), code, f"{number(size)} buổi: 100%", found))
        asking.ask_each(rule, "cell_meetings", column, cases, words[2])


def _ask_blanks(asking: _Asking) -> None:
    """Optional columns that rows should fill, left blank above a share; unlawful cells are not blank."""
    issues = asking.sending.issues
    errors = issues[issues["severity"] == ERROR]
    faults = errors.groupby(["form", "column"]).size().to_dict()
    limit = asking.limit("blank_share")
    for table, groups in asking.rules.expected_columns.items():
        if table not in asking.sending.forms:
            continue
        form = asking.sending.form(table)
        letters = asking.sending.letters(table)
        records = asking.records(table)
        cases = []
        for group in groups:
            columns = [
                column
                for column in group.columns
                if column in form.by_key and (not letters or column in letters) and records.blanks(column)
            ]
            if not columns:
                continue
            rows = np.ones(len(records), bool) if group.filled is None else records.filled(group.filled)
            for column, allowed in group.where.items():
                rows &= records.is_in(column, allowed)
            size = int(rows.sum())
            if size < asking.limit("blank_rows"):
                continue
            # A column that has few empty cells in all rows has few in some: it need not be read.
            fault = {column: faults.get((form.title, column), 0) for column in columns}
            doubtful = [column for column in columns if records.blanks(column) - fault[column] > limit * size]
            records.ready(doubtful)
            for column in doubtful:
                blank = int((rows & ~records.filled(column)).sum()) - fault[column]
                if blank > limit * size:
                    heading = form.by_key[column].heading
                    share = _share(blank / size)
                    found = f"Cột “{heading}” trống {number(blank)} trên {number(size)} dòng ({share})"
                    cases.append((column, f"{number(blank)} ô trống", found))
        words = {"limit": _share(limit)}
        if len(cases) <= asking.limit("listed_one_by_one"):
            for column, value, found in cases:
                asking.ask("column_blank", table, column, None, value, found, **words)
        else:
            headings = ", ".join(f"“{form.by_key[column].heading}”" for column, _, _ in cases)
            found = f"{number(len(cases))} cột bỏ trống nhiều: {headings}. Ví dụ: {cases[0][2]}"
            asking.ask("column_blank", table, cases[0][0], None, f"{len(cases)} cột", found, "nhiều cột", **words)


# --- copies ---

_ABOUT = {
    "members": ("card_no", "cell_code", "đảng viên"),
    "organisations": ("org_code", "org_code", "tổ chức"),
    "cell_meetings": ("held_on", "cell_code", "chi bộ có sổ họp"),
}
"""By form: the column to ask at, the stored column that names the place, what a row is about."""


def _ask_copies(asking: _Asking, copies: Iterable[CopyFinding]) -> None:
    for copied in copies:
        if copied.kind == "same_tables":
            whose = "năm" if copied.other_unit == asking.sending.unit_code else f"đơn vị {copied.other_unit} năm"
            for table in copied.forms:
                rows = copied.rows[table]
                form = asking.sending.form(table)
                share = _share(len(rows) / max(len(asking.records(table)), 1))
                found = f"{form.title} giống {number(len(rows))} dòng của báo cáo {whose} {copied.other_year} "
                found += f"({share}, không kể ngày)"
                key, column = f"{copied.other_unit}/{copied.other_year}", form.columns[0].key
                asking.ask("table_copied", table, column, None, f"{number(len(rows))} dòng", found, key)
        elif copied.kind == "rows":
            for table in copied.forms:
                _ask_copied_rows(asking, table, copied)


def _ask_copied_rows(asking: _Asking, table: str, copied: CopyFinding) -> None:
    """Rows that another unit reports too: place by place where they are few, else once for the form."""
    column, place, what = _ABOUT[table]
    records = asking.records(table)
    records = records.frame(["row", place], np.isin(records.rows, copied.rows[table]))
    other = copied.other_unit
    also = f"cũng có trong báo cáo của đơn vị {other} năm {copied.other_year}"
    by_place = [(str(code), list(part["row"])) for code, part in records.groupby(records[place].fillna(""), sort=True)]
    if len(by_place) <= asking.limit("listed_one_by_one"):
        for code, rows in by_place:
            cells = _listed([asking.sending.cell(table, column, int(row)) for row in rows])
            told = f"{number(len(rows))} {what}"
            asking.ask("rows_copied", table, column, int(rows[0]), told, f"{told} ở {cells} {also}", f"{code}/{other}")
        return
    first, last = int(records["row"].min()), int(records["row"].max())
    cells = f"{asking.sending.cell(table, column, first)}:{asking.sending.cell(table, column, last)}"
    told = f"{number(len(records))} {what}"
    asking.ask("rows_copied", table, column, first, told, f"{told} trong vùng {cells} {also}", other)
