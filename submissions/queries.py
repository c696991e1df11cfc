"""Queries: what is unusual in a sending, though every cell is lawful; to be mended or explained.

Computed from the store: without names, members by their pseudonyms, which appear in no query. A query stands at a cell
of the unit's own workbook. Rows held back by an error count as present, and where an error leaves a number open the
query is not asked: one mistake is one issue.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from submissions.copies import CopyFinding
from submissions.form_set import Form, FormSet
from submissions.issues import COLUMNS, ERROR, describe, issues_frame, number
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
    forms: dict[str, pd.DataFrame]
    """Records by table, as stored."""
    counts: pd.DataFrame
    """Rows of `COUNTS`."""
    issues: pd.DataFrame
    """The sending's own issues; queries do not ask again what an error says."""

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
) -> pd.DataFrame:
    """The queries on a sending: a row each with `COLUMNS`, severity ``query``.

    `previous` is the unit's sending in force of the year before, where there is one. `elsewhere` looks members up in
    the other units of the year (`copies.Known.members_beside`); without it a member who moved without notice is asked
    for. `copies` are what `copies.find_copies` found; those of whole files are no queries: such a file is held.
    """
    asking = _Asking(current, load_rules())
    if previous is not None:
        _ask_changes(asking, previous)
        if _have(("members", "organisations"), current, previous):
            _ask_groups(asking, previous)
        if _have(("members",), current, previous):
            _ask_gone(asking, previous, elsewhere)
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

    def records(self, table: str) -> pd.DataFrame:
        return self.sending.forms[table]

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
        before, after = count(then.forms[table], asking.rules), count(now.forms[table], asking.rules)
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
            _ask_level_shares(asking, rule, table, then.forms[table], now.forms[table])


def _count_present(members: pd.DataFrame, rules: Rules) -> int:
    return int((members["status"].isin(rules.present) | members["status"].isna()).sum())


def _count_active(organisations: pd.DataFrame, rules: Rules) -> int:
    return int(organisations["closed_on"].isna().sum())


def _count_rows(records: pd.DataFrame, rules: Rules) -> int:
    return len(records)


def _ask_level_shares(asking: _Asking, rule: str, table: str, then: pd.DataFrame, now: pd.DataFrame) -> None:
    """The level whose share changed most; the others follow from it."""
    levels = pd.DataFrame({"then": then["final_level"].value_counts(), "now": now["final_level"].value_counts()})
    levels = levels.fillna(0)
    sizes = levels.sum()
    if not sizes.all():
        return
    shares = levels / sizes
    pooled = levels.sum(axis=1) / sizes.sum()
    error = np.sqrt(pooled * (1 - pooled) * (1 / sizes).sum())
    limit = asking.limit(f"{rule}_change")
    change = shares["now"] - shares["then"]
    beyond = change[change.abs() > np.maximum(limit, asking.limit("standard_errors") * error)]
    if beyond.empty:
        return
    level = beyond.abs().idxmax()
    before, after = _share(shares["then"][level]), _share(shares["now"][level])
    found = f"“{level}” chiếm {after} số được xếp loại, năm trước {before}"
    points = f"{number(100 * limit)} điểm phần trăm"
    asking.ask(f"change_{rule}", table, "final_level", None, f"{level}: {after}", found, limit=points, before=before)


def _grassroots(organisations: pd.DataFrame, codes: pd.Series) -> pd.Series:
    """The topmost organisation of Biểu 2 above each code, a grassroots organisation; missing for an unknown code."""
    rows = organisations[organisations["org_code"].notna()]
    parents = dict(zip(rows["org_code"].to_numpy(object), rows["parent_code"].to_numpy(object), strict=True))
    positions, distinct = pd.factorize(codes.to_numpy(object))
    tops = []
    for code in distinct:
        top = code if code in parents else None
        for _ in range(_DEEPEST):
            parent = parents.get(top)
            if parent not in parents:
                break
            top = parent
        tops.append(top)
    of_distinct, names = pd.factorize(np.array([*tops, None], dtype=object))
    return pd.Series(pd.Categorical.from_codes(of_distinct[positions], names), index=codes.index)


_DEEPEST = 10
"""No organisation lies deeper; a mistake may make a circle of superiors."""


def _ask_groups(asking: _Asking, previous: Sending) -> None:
    """Grassroots organisations whose members changed drastically."""
    sizes, adrift = [], 0
    for sending in (previous, asking.sending):
        organisations, members = sending.forms["organisations"], sending.forms["members"]
        tops = _grassroots(organisations, members["cell_code"])
        rooted = organisations.loc[organisations["parent_code"] == sending.unit_code, "org_code"]
        placed = tops.isin(rooted) & members["status"].notna()
        # Whose organisation or status is unlawful may be the difference.
        adrift += int((~placed).sum())
        sizes.append(tops[placed & members["status"].isin(asking.rules.present)].value_counts().rename(str))
    both = pd.concat(sizes, axis=1, keys=["then", "now"], join="inner")
    change = (both["now"] - both["then"]).abs() - adrift
    limit = asking.limit("group_change")
    both = both[(change > limit * both["then"]) & (change >= asking.limit("group_change_least"))].sort_index()
    rows = asking.records("organisations").drop_duplicates("org_code").set_index("org_code")["row"]
    cases = [
        (
            int(rows[code]),
            str(code),
            number(now),
            f"{code} có {number(now)} đảng viên có mặt, năm trước {number(then)} ({_change(then, now)})",
        )
        for code, then, now in both.itertuples()
    ]
    before = number(both["then"].iloc[0]) if len(both) == 1 else "số đã báo cáo"
    asking.ask_each(
        "change_in_organisation",
        "organisations",
        "member_count",
        cases,
        "tổ chức cơ sở biến động lớn",
        limit=_share(limit),
        before=before,
    )


def _ask_gone(asking: _Asking, previous: Sending, elsewhere: Elsewhere | None) -> None:
    """Members who were there at the end of last year and stand nowhere this year."""
    then, now = previous.forms["members"], asking.records("members")
    gone = then[then["member_key"].notna() & then["status"].isin(asking.rules.present)]
    listed = set(now["member_key"].to_numpy(object))
    gone = gone[[key not in listed for key in gone["member_key"].to_numpy(object)]]
    if len(gone) and elsewhere is not None:
        gone = gone[~gone["member_key"].isin(list(elsewhere(gone["member_key"].tolist())))]
    if gone.empty:
        return
    # A row whose card number is unlawful is somebody: it answers for the likeliest of those who are missing.
    unkeyed = now[now["member_key"].isna()]
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


def _lines(sending: Sending) -> pd.DataFrame:
    """Biểu 1 by line: `count`, `count_previous`, `row`; each line once."""
    records = sending.forms["membership_movements"]
    return records[records["line"].notna()].drop_duplicates("line").set_index("line")


def _ask_carried_over(asking: _Asking, previous: Sending) -> None:
    """What Biểu 1 repeats of last year's report."""
    now, then = _lines(asking.sending), _lines(previous)
    line, closing = asking.rules.opening.line, asking.rules.opening.closing
    if line in now.index and closing in then.index:
        opening, closed = now.at[line, "count"], then.at[closing, "count"]
        if pd.notna(opening) and pd.notna(closed) and opening != closed:
            found = (
                f"Dòng {line} ghi {number(opening)}, dòng {closing} của báo cáo năm {previous.year} là {number(closed)}"
            )
            place = ("membership_movements", "count", int(now.at[line, "row"]))
            asking.ask("opening_differs", *place, number(opening), found, line, before=number(closed))
    both = now.join(then[["count"]].rename(columns={"count": "reported"}), how="inner")
    both = both[both["count_previous"].notna() & both["reported"].notna()]
    both = both[both["count_previous"] != both["reported"]]
    cases = [
        (
            int(row.row),
            str(row.Index),
            number(row.count_previous),
            f"Dòng {row.Index} ghi cùng kỳ {number(row.count_previous)}, "
            f"báo cáo năm {previous.year} là {number(row.reported)}",
        )
        for row in both[["row", "count_previous", "reported"]].itertuples()
    ]
    before = number(both["reported"].iloc[0]) if len(both) == 1 else "đúng số đã báo cáo"
    asking.ask_each("previous_differs", "membership_movements", "count_previous", cases, "dòng khác", before=before)


# --- within the sending ---


def _ask_totals(asking: _Asking) -> None:
    """Lines of Biểu 1 against the lists they sum up; what an error leaves open has the benefit of the doubt."""
    lines = _lines(asking.sending)
    for total in asking.rules.totals:
        if (
            total.table not in asking.sending.forms
            or total.line not in lines.index
            or pd.isna(lines.at[total.line, "count"])
        ):
            continue
        records = asking.records(total.table)
        listed, open_rows, unkeyed = (
            np.ones(len(records), bool),
            np.zeros(len(records), bool),
            np.zeros(len(records), bool),
        )
        for column, allowed in total.where.items():
            listed &= records[column].isin(allowed).to_numpy()
            open_rows |= records[column].isna().to_numpy()
        if total.where and "member_key" in records:
            # A row entered twice, or a person: its card number cannot tell.
            unkeyed = listed & records["member_key"].isna().to_numpy()
        low, high = int(listed.sum() - unkeyed.sum()), int(listed.sum() + open_rows.sum())
        told = int(lines.at[total.line, "count"])
        if low <= told <= high:
            continue
        title = asking.sending.form(total.table).title
        whom = f" ({', '.join(next(iter(total.where.values())))})" if total.where else ""
        counted = int(listed.sum())
        found = f"Dòng {total.line} của Biểu 1 ghi {number(told)} nhưng {title} có {number(counted)} dòng{whom}"
        place = ("membership_movements", "count", int(lines.at[total.line, "row"]))
        asking.ask(
            "total_differs", *place, number(told), found, total.line, counted=f"{number(counted)}, như {title}{whom}"
        )


def _ask_member_counts(asking: _Asking) -> None:
    """Members of each organisation in Biểu 2 against Biểu 3, with everything below it."""
    organisations = asking.records("organisations")
    organisations = organisations[organisations["org_code"].notna()].drop_duplicates("org_code").reset_index(drop=True)
    if organisations.empty:
        return
    members = asking.records("members")
    place = pd.Series(organisations.index, index=organisations["org_code"])
    parents = organisations["parent_code"].map(place).fillna(-1).to_numpy(dtype=int)
    cells = members["cell_code"].map(place).fillna(-1).to_numpy(dtype=int)
    present = members["status"].isin(asking.rules.present).to_numpy()
    certain = present & members["member_key"].notna().to_numpy()
    maybe = (present & ~certain) | members["status"].isna().to_numpy()
    size = len(organisations)
    low = _with_below(np.bincount(cells[certain & (cells >= 0)], minlength=size), parents)
    high = low + _with_below(np.bincount(cells[maybe & (cells >= 0)], minlength=size), parents)
    counted = _with_below(np.bincount(cells[present & (cells >= 0)], minlength=size), parents)
    # Members whose cell is not told, or whose cell hangs in the air, may belong anywhere.
    rooted = organisations["parent_code"].eq(asking.sending.unit_code).to_numpy()
    adrift = int(((certain | maybe) & (cells < 0)).sum()) + int(high[(parents < 0) & ~rooted].sum())
    told = organisations["member_count"].to_numpy(dtype=float, na_value=np.nan)
    beyond = np.where(told < low, told - low, np.where(told > high + adrift, told - high - adrift, 0.0))
    beyond = np.where(np.isnan(told), 0.0, beyond)
    # What an organisation has too many only because one below it has is told there.
    below = np.bincount(parents[parents >= 0], weights=beyond[parents >= 0], minlength=size)
    wrong = np.flatnonzero((beyond != 0) & (beyond != below))
    codes, rows = organisations["org_code"], organisations["row"]
    cases = []
    for index in wrong:
        found = f"{codes[index]} ghi {number(told[index])} đảng viên nhưng Biểu 3 có {number(counted[index])}"
        cases.append((int(rows[index]), str(codes[index]), number(told[index]), found))
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
    organisations = asking.records("organisations")
    of_organisations = asking.records("organisation_assessments")["final_level"].dropna()
    if len(of_organisations) >= asking.limit("levels_alike_organisations") and of_organisations.nunique() == 1:
        level = of_organisations.iloc[0]
        found = f"Cả {number(len(of_organisations))} tổ chức được xếp loại đều ở mức “{level}”"
        value = f"{number(len(of_organisations))} x {level}"
        asking.ask("levels_alike", "organisation_assessments", "final_level", None, value, found)
    rated = asking.records("member_assessments")
    rated = rated[rated["final_level"].notna()]
    if len(rated) >= asking.limit("levels_alike_members") and rated["final_level"].nunique() == 1:
        level = rated["final_level"].iloc[0]
        found = f"Cả {number(len(rated))} đảng viên được xếp loại đều ở mức “{level}”"
        asking.ask("levels_alike", "member_assessments", "final_level", None, f"{number(len(rated))} x {level}", found)
        return
    groups = rated.groupby(_grassroots(organisations, rated["cell_code"]), observed=True)
    levels = groups.agg(n=("final_level", "size"), kinds=("final_level", "nunique"), level=("final_level", "first"))
    rows = groups["row"].min()
    alike = levels[(levels["n"] >= asking.limit("levels_alike_members")) & (levels["kinds"] == 1)]
    cases = [
        (
            int(rows[code]),
            str(code),
            f"{number(n)} x {level}",
            f"Cả {number(n)} đảng viên được xếp loại của {code} đều ở mức “{level}”",
        )
        for code, n, _, level in alike.itertuples()
    ]
    asking.ask_each("levels_alike", "member_assessments", "final_level", cases, "tổ chức cơ sở chỉ có một mức xếp loại")


def _ask_meetings(asking: _Asking) -> None:
    """Every meeting held, and every member at every meeting."""
    meetings = asking.records("cell_meetings")
    meetings = meetings.assign(
        top=_grassroots(asking.records("organisations"), meetings["cell_code"]), held=meetings["held_on"].notna()
    )
    if len(meetings) >= asking.limit("meetings_in_unit") and meetings["held"].all():
        found = f"Cả {number(len(meetings))} buổi sinh hoạt của mọi chi bộ đều ghi có họp (100%)"
        asking.ask("meetings_all_held", "cell_meetings", "held_on", None, f"{number(len(meetings))} buổi: 100%", found)
    else:
        groups = meetings.groupby("top", observed=True).agg(
            n=("held", "size"), held=("held", "sum"), row=("row", "min")
        )
        full = groups[(groups["n"] >= asking.limit("meetings_in_organisation")) & (groups["held"] == groups["n"])]
        cases = [
            (
                int(row),
                str(code),
                f"{number(n)} buổi: 100%",
                f"Cả {number(n)} buổi sinh hoạt của {code} đều ghi có họp (100%)",
            )
            for code, n, _, row in full.itertuples()
        ]
        asking.ask_each("meetings_all_held", "cell_meetings", "held_on", cases, "tổ chức cơ sở họp đủ 100%")
    held = meetings[meetings["held"] & (meetings["expected"] >= asking.limit("full_attendance_expected"))]
    held = held.assign(full=held["attended"] == held["expected"])
    if len(held) >= asking.limit("meetings_in_unit") and held["full"].all():
        found = f"Cả {number(len(held))} buổi sinh hoạt đều có 100% đảng viên dự"
        asking.ask("attendance_full", "cell_meetings", "attended", None, f"{number(len(held))} buổi: 100%", found)
        return
    groups = held.groupby("top", observed=True).agg(n=("full", "size"), full=("full", "sum"), row=("row", "min"))
    full = groups[(groups["n"] >= asking.limit("full_attendance_meetings")) & (groups["full"] == groups["n"])]
    cases = [
        (
            int(row),
            str(code),
            f"{number(n)} buổi: 100%",
            f"Cả {number(n)} buổi sinh hoạt của {code} đều có 100% đảng viên dự",
        )
        for code, n, _, row in full.itertuples()
    ]
    asking.ask_each("attendance_full", "cell_meetings", "attended", cases, "tổ chức cơ sở dự họp đủ 100%")


def _ask_blanks(asking: _Asking) -> None:
    """Optional columns that rows should fill, left blank above a share; unlawful cells are not blank."""
    issues = asking.sending.issues
    errors = issues[issues["severity"] == ERROR]
    faults = errors.groupby(["form", "column"]).size()
    limit = asking.limit("blank_share")
    for table, groups in asking.rules.expected_columns.items():
        if table not in asking.sending.forms:
            continue
        form = asking.sending.form(table)
        letters = asking.sending.letters(table)
        records = asking.records(table)
        cases = []
        for group in groups:
            rows = records if group.filled is None else records[records[group.filled].notna()]
            for column, allowed in group.where.items():
                rows = rows[rows[column].isin(allowed)]
            if len(rows) < asking.limit("blank_rows"):
                continue
            for column in group.columns:
                if column not in form.by_key or (letters and column not in letters):
                    continue
                blank = int(rows[column].isna().sum()) - int(faults.get((form.title, column), 0))
                if blank > limit * len(rows):
                    heading = form.by_key[column].heading
                    share = _share(blank / len(rows))
                    found = f"Cột “{heading}” trống {number(blank)} trên {number(len(rows))} dòng ({share})"
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
    records = records[records["row"].isin(copied.rows[table])]
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
