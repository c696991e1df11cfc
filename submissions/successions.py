"""What became of organisations when they were renamed, merged, split, dissolved or put under another parent."""

from collections.abc import Collection, Iterator, Mapping
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

TOGETHER = frozenset({"effective_on", "kind", "old_code", "new_code", "share"})
"""Columns in which a fault makes it unclear what the rows of a code say together."""

PLACES = 6
"""Decimal places of a share; thirds are written 0.333333, 0.333333, 0.333334."""

COMPOSED_PLACES = 18
"""Decimal places of shares multiplied along a chain: as many as the warehouse keeps, so that nothing is rounded."""


def read_successions(path: Path) -> pd.DataFrame:
    """The list of successions (`SUCCESSIONS`), no rows where there is none; shares are Decimals.

    Raises `ListError` that names everything wrong in the file. For kind ``new_parent`` `new_code` is the new parent,
    for the others the successor. Whether codes exist is for the warehouse to say: units may not have sent them yet.
    """
    frame, problems = _read(path)
    refuse(path, problems)
    order = ["effective_on", "old_code", "new_code"]
    return frame[list(SUCCESSIONS)].sort_values(order, ignore_index=True)


def wrong_codes(path: Path, reported: Collection[str], units: Mapping[str, int | None]) -> list[Problem]:
    """Codes of the list that nobody knows: changed without having been anything, or the parent of others.

    `reported` are the codes that units have listed so far, `units` the units with the year of their last report. A code
    of a unit that has not reported at all may yet turn out to be one; so may a parent before its unit has reported on
    the year of the change. A parent written as units are is a new unit, and so may be what new codes lie in.
    """
    frame, _ = _read(path)
    known = {*reported, *units, *frame.loc[frame["kind"] != "new_parent", "new_code"]}
    provinces = {code.rpartition(".")[0] for code in units}
    depths = {code.count(".") for code in units}
    units = dict.fromkeys(frame["new_code"].dropna()) | dict(units)
    problems: list[Problem] = []
    for row in frame[frame["effective_on"].notna()].to_dict("records"):
        asked = [("old_code", "tổ chức", 0)]
        parent = row["new_code"] if row["kind"] == "new_parent" else None
        if parent and parent not in provinces and parent.count(".") not in depths:
            asked.append(("new_code", "cấp trên", row["effective_on"].year))
        for column, what, since in asked:
            if (code := row[column]) and code not in known and not _is_awaited(code, units, since):
                problems.append(
                    (
                        row["line"],
                        column,
                        f"không có {what} nào mã “{code}”; cần mã có trong Biểu 2 của một báo cáo đã nhận, trong danh "
                        "sách đơn vị (units.csv), hoặc là mã mới (new_code) của một thay đổi khác. "
                        "Hãy sửa mã, hoặc nhận báo cáo có tổ chức đó trước.",
                    )
                )
    return problems


def _is_awaited(code: str, units: Mapping[str, int | None], since: int) -> bool:
    """Whether the unit that a code is part of (anybody, where it is part of none) has yet to report on a year."""
    of_unit = [last for unit, last in units.items() if code.startswith(f"{unit}.")]
    told = [last for last in of_unit or units.values() if last is not None]
    return not told or max(told) < since


def _read(path: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """The list with the lines of its rows, and everything wrong in it by itself."""
    frame = read_list(path, SUCCESSIONS, SUCCESSIONS).astype(object)
    frame = frame.where(frame.notna(), None)
    problems = [*_blanks(frame), *_wrong_cells(frame.assign(line=frame.index))]
    frame = frame.assign(line=frame.index, effective_on=frame["effective_on"].map(_day).astype(object))
    # Only a split has to say its shares.
    frame["share"] = frame["share"].where(frame["share"].notna() | (frame["kind"] == "split"), "1").map(_share)
    # What rows say together makes sense only where each of them does; whoever decided it is another matter.
    broken = {line for line, column, _ in problems if column in TOGETHER}
    unclear = set(frame.loc[frame["line"].isin(broken), "old_code"])
    whole = frame[~frame["old_code"].isin(unclear) & frame["old_code"].notna()]
    problems += [*_wrong_groups(whole), *_wrong_lives(whole)]
    circles = list(_circles(whole))
    problems += circles or _too_deep(whole)
    return frame.reset_index(drop=True), problems


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


def _wrong_groups(frame: pd.DataFrame) -> Iterator[Problem]:
    """Rows of one old code and one day."""
    for (code, day), rows in frame.groupby(["old_code", "effective_on"], sort=True):
        lines = ", ".join(str(line) for line in rows["line"])
        first = int(rows["line"].iloc[0])
        told = f"mã {code} ngày {day:%d/%m/%Y} (các dòng {lines})"
        for line in rows.loc[rows["new_code"].duplicated() & rows["new_code"].notna(), "line"]:
            yield int(line), "new_code", f"{told}: cùng một cặp mã cũ, mã mới được ghi hai lần."
        kinds = sorted(set(rows["kind"]))
        if len(kinds) > 1:
            yield first, "kind", f"{told}: các loại thay đổi mâu thuẫn nhau: {', '.join(kinds)}."
            continue
        if kinds != ["split"] and len(rows) > 1:
            yield first, "new_code", f"{told}: chỉ tách (split) mới có nhiều nơi nhận."
        elif kinds == ["split"] and len(rows) == 1:
            yield first, "new_code", f"{told}: tách (split) phải có ít nhất hai nơi nhận."
        total = sum(rows["share"], Decimal(0))
        if total != 1:
            shown = f"{total.normalize():f}".replace(".", ",")
            yield first, "share", f"{told}: tổng tỉ lệ là {shown}, phải đúng bằng 1."


def _wrong_lives(frame: pd.DataFrame) -> Iterator[Problem]:
    """Codes that are used after their end: an overlap, or a gap in the chain."""
    ends: dict[str, tuple[date, int]] = {}
    for (code, day), rows in frame.groupby(["old_code", "effective_on"], sort=True):
        if code in ends:
            ended, line = ends[code]
            for again in rows["line"]:
                yield int(again), "old_code", f"{code} đã thôi tồn tại từ ngày {ended:%d/%m/%Y} (dòng {line})."
        elif set(rows["kind"]) <= ENDING and code not in set(rows["new_code"]):
            ends[code] = day, int(rows["line"].iloc[0])
    for row in frame.to_dict("records"):
        ended, line = ends.get(row["new_code"], (None, 0))
        if ended is not None and ended < row["effective_on"]:
            yield (
                row["line"],
                "new_code",
                f"chuỗi kế thừa bị đứt: {row['new_code']} đã thôi tồn tại từ ngày {ended:%d/%m/%Y} (dòng {line}).",
            )


def _circles(frame: pd.DataFrame) -> Iterator[Problem]:
    """Codes that become themselves by way of others, and parents that stand below themselves."""
    linked = frame[frame["new_code"].notna() & (frame["new_code"] != frame["old_code"])]
    successors = linked[linked["kind"] != "new_parent"]
    yield from _circles_in(successors, "vòng lặp trong chuỗi kế thừa")
    moves = linked[linked["kind"] == "new_parent"].sort_values("effective_on", kind="stable")
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
    for (code, day), rows in frame[frame["kind"].isin(ENDING)].groupby(["old_code", "effective_on"], sort=True):
        groups.setdefault(code, []).append((day, rows.to_dict("records")))

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
