"""What became of organisations when they were renamed, merged, split, dissolved or put under another parent."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

import pandas as pd

from submissions.units import Problem, blanks, read_list, refuse

SUCCESSIONS = ("succession_id", "effective_on", "kind", "old_code", "new_code", "share", "legal_source")

KINDS = {
    "renamed": "đổi mã, tên",
    "merged": "nhập",
    "split": "tách",
    "dissolved": "giải thể",
    "new_parent": "đổi cấp trên",
}
"""The kinds of change, and what they are called."""

ENDING = frozenset({"renamed", "merged", "split", "dissolved"})
"""Kinds after which the old code is no longer used, unless one of its rows leads to itself."""

EARLIEST = date(1930, 2, 3)
"""The day the Party was founded; no structure is older."""

CODES = ("kind", "old_code", "new_code")
DAYS = ("effective_on", *CODES)
TOGETHER = (*DAYS, "share")
"""Columns in which a fault makes it unclear what the rows of a code say together."""

TELLING = 2
"""Organisations put under a code that nothing else tells of, from which on it is taken for a new unit."""

PLACES = 6
"""Decimal places of a share; thirds are written 0.333333, 0.333333, 0.333334."""

COMPOSED_PLACES = 18
"""Decimal places of shares multiplied along a chain: as many as the warehouse keeps, so that nothing is rounded."""


def read_successions(path: Path) -> pd.DataFrame:
    """The list of successions (`SUCCESSIONS`), no rows where there is none; shares are Decimals.

    Raises `ListError` that names everything wrong in the file. For kind ``new_parent`` `new_code` is the new parent,
    for the others the successor. Whether codes exist is for the warehouse to say: units may not have sent them yet.
    """
    frame, problems = written_successions(path)
    refuse(path, problems)
    return tidy_successions(frame)


def tidy_successions(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of `written_successions` without their lines, in the order of their days."""
    return frame[list(SUCCESSIONS)].sort_values(["effective_on", "old_code", "new_code"], ignore_index=True)


def wrong_codes(frame: pd.DataFrame, reported: Collection[str], units: Mapping[str, int | None]) -> Iterator[Problem]:
    """Codes of a written list that nobody knows: changed without having been anything, or the parent of others.

    `reported` are the codes that units have listed so far, `units` the units with the year of their last report. A code
    of a unit that has not reported at all may yet turn out to be one; so may a parent inside a unit that has not yet
    reported on the year of the change. Of a new unit that no list names, the organisations that are put under it tell,
    if they are several: a single row may be a slip of the pen.
    """
    moves = frame[(frame["kind"] == "new_parent") & frame["new_code"].notna()]
    brought = {*frame.loc[frame["kind"] != "new_parent", "new_code"].dropna()}
    depths = {code.count(".") for code in units}
    under = moves.groupby("new_code")["old_code"].nunique()
    joined = {code for code in under.index[under >= TELLING] if code.count(".") in depths}
    known = {*reported, *units, *brought, *joined}
    wholes = dict.fromkeys(brought | joined) | dict(units)
    provinces = {code.rpartition(".")[0] for code in wholes if code.count(".") in depths}
    for row in frame[frame["effective_on"].notna()].to_dict("records"):
        asked = [("old_code", "tổ chức", 0)]
        if row["kind"] == "new_parent" and row["new_code"] not in provinces:
            asked.append(("new_code", "cấp trên", row["effective_on"].year))
        for column, what, since in asked:
            if (code := row[column]) and code not in known and not _is_awaited(code, wholes, since):
                mend = "nhận báo cáo có tổ chức đó trước"
                if column == "new_code" and code.count(".") in depths:
                    mend = "nếu là đơn vị mới thì ghi đơn vị ấy vào units.csv"
                yield (
                    row["line"],
                    column,
                    f"không có {what} nào mã “{code}”; cần mã có trong Biểu 2 của một báo cáo đã nhận, trong danh "
                    "sách đơn vị (units.csv), hoặc là mã mới (new_code) của một thay đổi khác. "
                    f"Hãy sửa mã, hoặc {mend}.",
                )


def later_units(successions: pd.DataFrame, units: pd.DataFrame) -> Iterator[Problem]:
    """Rows after which nobody is left to report for a year, of both lists as they are written.

    The old code has ended, and the unit that it became, or was put under, is expected from a later year on.
    """
    spans = units[units["unit_code"].notna()].assign(line=units.index)
    firsts = spans.sort_values("from_year", na_position="first").drop_duplicates("unit_code").set_index("unit_code")
    lasts = spans.assign(last=spans["to_year"].fillna(9999)).groupby("unit_code")["last"].max()
    asked = successions[successions["effective_on"].notna() & successions["new_code"].isin(firsts.index)]
    for row in asked[asked["new_code"] != asked["old_code"]].to_dict("records"):
        heir, day = firsts.loc[row["new_code"]], row["effective_on"]
        last = day.year if row["kind"] == "new_parent" else min(day.year, int(lasts.get(row["old_code"], 9999)))
        if not pd.isna(heir["from_year"]) and heir["from_year"] > last + 1:
            years = " đến ".join(map(str, sorted({last + 1, heir["from_year"] - 1})))
            yield (
                row["line"],
                "new_code",
                f"hở: {row['old_code']} được tính đến hết năm {last} mà units.csv (dòng {heir['line']}) ghi "
                f"{row['new_code']} chỉ từ năm {heir['from_year']}: năm {years} không có đơn vị nào. "
                "Hãy sửa ngày hiệu lực, hoặc from_year, to_year trong units.csv.",
            )


def wrong_parents(frame: pd.DataFrame, parents: Mapping[str, str | None]) -> Iterator[Problem]:
    """Rows of a written list that put an organisation under one below it, by the parents that reports told last."""
    moves = frame[(frame["kind"] == "new_parent") & frame["effective_on"].notna() & frame["new_code"].notna()]
    moved: dict[str, str] = {}
    for row in moves.sort_values("effective_on", kind="stable").to_dict("records"):
        moved[row["old_code"]] = row["new_code"]
        way = [row["new_code"]]
        while (above := moved.get(way[-1], parents.get(way[-1]))) and above not in way:
            way.append(above)
        if row["old_code"] in way:
            below = " → ".join(way[: way.index(row["old_code"]) + 1])
            yield (
                row["line"],
                "new_code",
                f"vòng lặp cấp trên, cấp dưới: theo báo cáo đã nhận {below} (cấp dưới → cấp trên). Hãy sửa mã, hoặc "
                f"ghi thêm dòng chuyển {row['new_code']} ra khỏi {row['old_code']} trong cùng ngày.",
            )


def _is_awaited(code: str, units: Mapping[str, int | None], since: int) -> bool:
    """Whether the unit that a code is part of has yet to report on a year; of no unit, whether nobody has reported."""
    of_unit = [last for unit, last in units.items() if code.startswith(f"{unit}.")]
    if not of_unit:
        return all(last is None for last in units.values())
    told = [last for last in of_unit if last is not None]
    return not told or max(told) < since


def written_successions(path: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """The list with the lines of its rows, what cannot be read None, and everything wrong in it by itself.

    What rows say together is told of all that can be read: of a code with a row that cannot, only what holds whatever
    that row may say.
    """
    frame, torn, problems = read_list(path, SUCCESSIONS, SUCCESSIONS)
    frame, torn = (some.astype(object).where(some.notna(), None) for some in (frame, torn))
    problems += [*_blanks(frame), *_wrong_cells(frame.assign(line=frame.index))]
    frame = frame.assign(line=frame.index, effective_on=frame["effective_on"].map(_day).astype(object))
    # Only a split has to say its shares.
    frame["share"] = frame["share"].where(frame["share"].notna() | (frame["kind"] == "split"), "1").map(_share)
    written = _Written(frame, {*torn.stack()}, problems)
    problems += [*_wrong_groups(written), *_wrong_lives(written), *_begun_later(written), *_merged_into_itself(written)]
    circles = [*_circles_of_successors(written), *_circles_of_parents(written)]
    problems += circles or _too_deep(written.whole(*TOGETHER))
    return frame.reset_index(drop=True), problems


class _Written:
    """The rows of a list that name an old code, and of which codes it is unclear what all rows together say."""

    def __init__(self, frame: pd.DataFrame, torn: set[str], problems: Iterable[Problem]) -> None:
        self.frame = frame[frame["old_code"].notna()]
        self.nameless = frame[frame["old_code"].isna()]
        self.torn = torn
        """Texts of rows of which nobody knows what stands in which column."""
        self._broken = {(line, column) for line, column, _ in problems}

    def sound(self, *columns: str) -> pd.DataFrame:
        """The rows that can be read in all of these columns."""
        return self.frame[~self.frame["line"].isin(self._lines(columns))]

    def whole(self, *columns: str) -> pd.DataFrame:
        """The rows of the codes of which every row can be read in all of these columns."""
        broken = self.frame.loc[self.frame["line"].isin(self._lines(columns)), "old_code"]
        return self.frame[~self.frame["old_code"].isin({*broken, *self.torn})]

    def without_code(self, kind: str) -> set[date | None]:
        """The days of rows of (or perhaps of) a kind that do not say what they are about; None may be any day."""
        lines = self._lines(["kind"])
        return set(
            self.nameless.loc[(self.nameless["kind"] == kind) | self.nameless["line"].isin(lines), "effective_on"]
        )

    def ends(self) -> dict[str, tuple[date, int]]:
        """The day on which codes end, and the line that says so."""
        goes_on = self.without_code("split")
        found: dict[str, tuple[date, int]] = {}
        for code, day, rows in _groups(self.whole(*DAYS)):
            kinds = {row["kind"] for row in rows}
            if kinds == {"split"} and not {day, None}.isdisjoint(goes_on):
                continue
            if kinds <= ENDING and code not in {row["new_code"] for row in rows}:
                found.setdefault(code, (day, rows[0]["line"]))
        return found

    def _lines(self, columns: Collection[str]) -> set[int]:
        return {line for line, column in self._broken if column in columns}


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text and len(text) == len("2025-07-01") else None
    except ValueError:
        return None


def _share(text: str | None) -> Decimal | None:
    try:
        share = Decimal(text.replace(",", ".")) if text else None
    except InvalidOperation:
        return None
    return share if share is not None and share.is_finite() else None


def _blanks(frame: pd.DataFrame) -> Iterator[Problem]:
    for line, column, what in blanks(frame, ("succession_id", "effective_on", "kind", "old_code", "legal_source")):
        yield line, column, "để trống: thiếu căn cứ pháp lý." if column == "legal_source" else what


def _wrong_cells(frame: pd.DataFrame) -> Iterator[Problem]:
    for row in frame.to_dict("records"):
        line, kind, share = row["line"], row["kind"], row["share"]
        day = _day(row["effective_on"])
        if row["effective_on"] and day is None:
            yield line, "effective_on", f"“{row['effective_on']}” không phải là ngày; cần ngày dạng yyyy-mm-dd."
        elif day and day <= EARLIEST:
            yield line, "effective_on", f"“{row['effective_on']}” sớm hơn ngày thành lập Đảng."
        if kind and kind not in KINDS:
            known = ", ".join(f"{name} ({meaning})" for name, meaning in KINDS.items())
            yield line, "kind", f"“{kind}” không phải là một loại thay đổi; các loại: {known}."
        if kind == "dissolved" and row["new_code"]:
            yield line, "new_code", "tổ chức giải thể (dissolved) không có tổ chức kế thừa, phải để trống."
        elif kind in KINDS and kind != "dissolved" and not row["new_code"]:
            yield line, "new_code", "để trống; chỉ loại dissolved mới không có tổ chức kế thừa."
        if kind in {"renamed", "new_parent"} and row["old_code"] and row["old_code"] == row["new_code"]:
            yield line, "new_code", f"“{row['new_code']}” trùng với old_code."
        if share is None:
            if kind == "split":
                yield line, "share", "để trống; tách (split) phải ghi tỉ lệ của từng phần."
            continue
        read = _share(share)
        if read is None:
            yield line, "share", f"“{share}” không phải là số."
        elif not 0 < read <= 1:
            yield line, "share", f"“{share}” phải lớn hơn 0 và không quá 1."
        elif -read.normalize().as_tuple().exponent > PLACES:
            yield line, "share", f"“{share}” có hơn {PLACES} chữ số thập phân."


def _groups(frame: pd.DataFrame) -> list[tuple[str, date, list[dict]]]:
    """The rows of each old code and day, in the order of both."""
    found: dict[tuple[str, date], list[dict]] = {}
    for row in frame.to_dict("records"):
        found.setdefault((row["old_code"], row["effective_on"]), []).append(row)
    return [(*key, found[key]) for key in sorted(found)]


def _wrong_groups(written: _Written) -> Iterator[Problem]:
    """Rows of one old code and one day."""
    is_whole = set(written.whole(*TOGETHER)["line"])
    has_share = set(written.sound(*TOGETHER)["line"])
    lacking = written.without_code("split")
    for code, day, rows in _groups(written.sound("effective_on", "kind")):
        first = rows[0]["line"]
        is_all = first in is_whole and {day, None}.isdisjoint(lacking)
        told = f"mã {code} ngày {day:%d/%m/%Y} (các dòng {', '.join(str(row['line']) for row in rows)})"
        heirs = [row["new_code"] for row in rows]
        for place, row in enumerate(rows):
            if row["new_code"] is not None and row["new_code"] in heirs[:place]:
                yield row["line"], "new_code", f"{told}: cùng một cặp mã cũ, mã mới được ghi hai lần."
        kinds = sorted({row["kind"] for row in rows})
        if len(kinds) > 1:
            yield first, "kind", f"{told}: các loại thay đổi mâu thuẫn nhau: {', '.join(kinds)}."
            continue
        if kinds != ["split"] and len(rows) > 1:
            yield first, "new_code", f"{told}: chỉ tách (split) mới có nhiều nơi nhận."
        elif kinds == ["split"] and len(rows) == 1 and is_all:
            yield first, "new_code", f"{told}: tách (split) phải có ít nhất hai nơi nhận."
        total = sum((row["share"] for row in rows if row["line"] in has_share), Decimal(0))
        # What cannot be read may be what lacks, and never takes away what is too much.
        if total > 1 or (total < 1 and is_all):
            shown = f"{total.normalize():f}".replace(".", ",")
            yield first, "share", f"{told}: tổng tỉ lệ là {shown}, phải đúng bằng 1."


def _wrong_lives(written: _Written) -> Iterator[Problem]:
    """Codes that are used after their end: an overlap, or a gap in the chain."""
    ends = written.ends()
    for row in written.sound("effective_on").to_dict("records"):
        day = row["effective_on"]
        ended, line = ends.get(row["old_code"], (day, 0))
        if ended < day:
            yield row["line"], "old_code", f"{row['old_code']} đã thôi tồn tại từ ngày {ended:%d/%m/%Y} (dòng {line})."
        ended, line = ends.get(row["new_code"], (day, 0))
        if ended < day:
            why = f"chuỗi kế thừa bị đứt: {row['new_code']} đã thôi tồn tại từ ngày {ended:%d/%m/%Y} (dòng {line})."
            yield row["line"], "new_code", why


def _begun_later(written: _Written) -> Iterator[Problem]:
    """Codes that are used before another organisation takes them as its new ones: a gap until then."""
    frame, ends = written.sound(*DAYS), written.ends()
    renamed = frame[frame["kind"] == "renamed"].sort_values("effective_on", kind="stable")
    begins = renamed.drop_duplicates("new_code").set_index("new_code")[["effective_on", "line"]].to_dict("index")
    for row in frame.to_dict("records"):
        for column in ("old_code", "new_code"):
            begun = begins.get(row[column])
            if begun and row["effective_on"] < begun["effective_on"] and row[column] not in ends:
                yield (
                    row["line"],
                    column,
                    f"hở: ngày {row['effective_on']:%d/%m/%Y} chưa có {row[column]}, mã ấy đến ngày "
                    f"{begun['effective_on']:%d/%m/%Y} mới đặt (renamed, dòng {begun['line']}). Hãy sửa ngày; nếu mã "
                    f"ấy đã có từ trước thì dòng {begun['line']} phải ghi là nhập (merged).",
                )


def _merged_into_itself(written: _Written) -> Iterator[Problem]:
    """An organisation that is merged into itself while nobody else comes into it."""
    frame = written.sound(*CODES)
    joining = frame[(frame["kind"] != "new_parent") & (frame["new_code"] != frame["old_code"])]
    days = joining.groupby("new_code")["effective_on"].agg(set)
    alone = written.sound(*DAYS)
    alone = alone[(alone["kind"] == "merged") & (alone["new_code"] == alone["old_code"])]
    for line, code, day in alone[["line", "old_code", "effective_on"]].itertuples(index=False):
        if code not in written.torn and {day, None}.isdisjoint(days.get(code, ())):
            yield (
                line,
                "new_code",
                f"{code} nhập vào chính nó mà ngày {day:%d/%m/%Y} không có tổ chức nào khác nhập vào, nên không có gì "
                "thay đổi. Hãy ghi tổ chức được nhập vào, hoặc bỏ dòng này.",
            )


def _circles_of_successors(written: _Written) -> Iterator[Problem]:
    """Codes that become themselves by way of others."""
    frame = written.sound(*CODES)
    linked = frame[
        (frame["kind"] != "new_parent") & frame["new_code"].notna() & (frame["new_code"] != frame["old_code"])
    ]
    yield from _circles_in(linked, "vòng lặp trong chuỗi kế thừa")


def _circles_of_parents(written: _Written) -> Iterator[Problem]:
    """Parents that stand below themselves."""
    if written.without_code("new_parent"):  # it may have led out of the circle
        return
    moves = written.whole(*DAYS)
    moves = moves[(moves["kind"] == "new_parent") & (moves["new_code"] != moves["old_code"])]
    moves = moves.sort_values("effective_on", kind="stable")
    for day in sorted(set(moves["effective_on"])):
        in_force = moves[moves["effective_on"] <= day].drop_duplicates("old_code", keep="last")
        yield from _circles_in(in_force, f"vòng lặp cấp trên, cấp dưới từ ngày {day:%d/%m/%Y}")


def _circles_in(rows: pd.DataFrame, what: str) -> Iterator[Problem]:
    edges: dict[str, dict[str, int]] = {}
    for row in rows.to_dict("records"):
        edges.setdefault(row["old_code"], {})[row["new_code"]] = row["line"]
    # What leads nowhere is no part of a circle; nor is what nothing leads to.
    while True:
        reached = {new for targets in edges.values() for new in targets}
        left = {
            old: kept
            for old, targets in edges.items()
            if old in reached and (kept := {new: line for new, line in targets.items() if new in edges})
        }
        if left == edges:
            break
        edges = left
    codes = ", ".join(sorted(edges))
    for targets in edges.values():
        for line in targets.values():
            yield line, "new_code", f"{what}: {codes}."


def _too_deep(frame: pd.DataFrame) -> Iterator[Problem]:
    """Chains of splits whose multiplied shares have more places than are kept. The list has no circles."""
    groups: dict[str, list[tuple[date, list[dict]]]] = {}
    for code, day, rows in _groups(frame[frame["kind"].isin(ENDING)]):
        groups.setdefault(code, []).append((day, rows))

    @cache
    def places_from(code: str | None, after: date) -> int:
        """The most places that shares multiplied from `code` on have."""
        day, rows = next(((day, rows) for day, rows in groups.get(code, []) if day > after), (None, []))
        # What stays itself goes on with what came later, others with what came that day.
        return max(
            (
                max(0, -row["share"].normalize().as_tuple().exponent)
                + places_from(row["new_code"], day if row["new_code"] == code else day - timedelta(days=1))
                for row in rows
            ),
            default=0,
        )

    for code, ((_, rows), *_) in groups.items():
        if places_from(code, EARLIEST) > COMPOSED_PLACES:
            why = f"tích các tỉ lệ dọc chuỗi kế thừa từ {code} có hơn {COMPOSED_PLACES} chữ số thập phân."
            yield rows[0]["line"], "share", why
