"""The lists that the province gives: units expected to report, and exceptions to the cap that were decided."""

import csv
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

import pandas as pd

from submissions.text import clean

UNITS = ("unit_code", "unit_name", "from_year", "to_year", "level")
CAP_EXCEPTIONS = ("unit_code", "group_code", "year", "cap_pct", "decision_no", "decided_on")

Problem = tuple[int, str, str]
"""Line of the file, column (empty for the whole line), what is wrong with it."""


class ListError(ValueError):
    """A list that cannot be used; the message is Vietnamese and names file, line and column of every fault."""


def refuse(path: Path, problems: Iterable[Problem]) -> None:
    """Raise `ListError` that tells all `problems` of a list in the order of its lines; nothing where there are none."""
    if told := in_words(path, problems):
        raise ListError(told)


def in_words(path: Path, problems: Iterable[Problem]) -> str:
    """All `problems` of a list in the order of its lines, a line each; empty where there are none."""
    told = [
        f"{path}, dòng {line}{f', cột {column}' if column else ''}: {what}"
        for line, column, what in sorted(set(problems))
    ]
    return "\n".join(told if len(told) < 2 else [f"{path}: {len(told)} chỗ sai.", *told])


def read_list(
    path: Path, columns: tuple[str, ...], required: tuple[str, ...]
) -> tuple[pd.DataFrame, pd.DataFrame, list[Problem]]:
    """The columns of a CSV list, as text, None for blank, indexed by line of the file; no rows where there is no file.

    Rows with cells beyond the headings stand apart, cut off, and are told as problems: nobody knows which cell is of
    which column. Raises `ListError` where it is no such table: unreadable, a `required` column missing, one doubled.
    """
    if not path.exists():
        empty = pd.DataFrame({column: pd.Series(dtype="str") for column in columns}, index=pd.Index([], dtype="int64"))
        return empty, empty, []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, skipinitialspace=True, strict=True)
            headings = [clean(heading) for heading in next(reader, [])]
            lines = ((reader.line_num, cells) for cells in reader)
            rows = {line: cells for line, cells in lines if any(cell.strip() for cell in cells)}
    except UnicodeDecodeError as error:
        raise ListError(f"{path}: không đọc được; hãy lưu lại là tệp CSV (UTF-8, dấu phẩy).") from error
    except csv.Error as error:
        what = "không đọc được; dấu ngoặc kép đặt sai, hoặc không phải là tệp CSV (UTF-8, dấu phẩy)."
        raise ListError(f"{path}, dòng {reader.line_num}: {what}") from error
    if not headings:
        raise ListError(f"{path}: không đọc được: tệp trống; dòng đầu phải là tên cột.")
    if missing := [column for column in required if column not in headings]:
        raise ListError(f"{path}: thiếu cột {', '.join(missing)}; tìm thấy: {', '.join(headings)}.")
    if doubled := sorted({heading for heading in columns if headings.count(heading) > 1}):
        raise ListError(f"{path}: cột {', '.join(doubled)} có hai lần trong dòng tiêu đề; mỗi cột chỉ được một lần.")
    width = len(headings)
    frame = pd.DataFrame(
        [[*cells[:width], *[""] * (width - len(cells))] for cells in rows.values()],
        index=pd.Index(rows, dtype="int64"),
        columns=headings,
        dtype="str",
    )
    frame = frame.reindex(columns=list(columns), fill_value="").map(clean).replace("", None)
    problems = [
        (line, "", f"có {len(cells)} ô mà tiêu đề có {width} cột; ô có dấu phẩy phải đặt trong ngoặc kép.")
        for line, cells in rows.items()
        if len(cells) > width
    ]
    torn = frame.index.isin([line for line, *_ in problems])
    return frame[~torn], frame[torn], problems


def blanks(frame: pd.DataFrame, columns: Iterable[str]) -> Iterator[Problem]:
    """Cells of a list that must not be empty and are."""
    for column in columns:
        yield from ((int(line), column, "để trống.") for line in frame.index[frame[column].isna()])


def _as_numbers(frame: pd.DataFrame, column: str, dtype: str, problems: list[Problem]) -> pd.Series:
    numbers = pd.to_numeric(frame[column], errors="coerce")
    wrong = numbers.isna() & frame[column].notna()
    if dtype == "Int64":
        wrong |= numbers.notna() & (numbers % 1 != 0)
    problems += [(int(line), column, f"“{found}” không phải là số.") for line, found in frame[column][wrong].items()]
    return numbers.mask(wrong).astype(dtype)


def read_units(path: Path) -> pd.DataFrame:
    """The units expected to report (`UNITS`; years may be empty); no rows where the province gave no list.

    A unit may stand in several rows, one for each span of years. Raises `ListError` that names everything wrong.
    """
    frame, problems = written_units(path)
    refuse(path, problems)
    return tidy_units(frame)


def tidy_units(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of `written_units` without their lines, each once."""
    return frame.drop_duplicates(ignore_index=True)


def written_units(path: Path) -> tuple[pd.DataFrame, list[Problem]]:
    """As `read_units`, indexed by line of the file, and everything wrong; a number that cannot be read is empty."""
    frame, _, problems = read_list(path, UNITS, ("unit_code",))
    problems += blanks(frame, ["unit_code"])
    years = ("from_year", "to_year")
    for column in years:
        frame = frame.assign(**{column: _as_numbers(frame, column, "Int64", problems)})
    unread = {line for line, column, _ in problems if column in years}
    problems += _wrong_spans(frame.drop(index=unread))
    return frame, problems


def _wrong_spans(units: pd.DataFrame) -> Iterator[Problem]:
    """Years of a unit that end before they begin, and years of which two rows of one unit say different things."""
    for line, unit in units.iterrows():
        first, last = unit["from_year"], unit["to_year"]
        if not pd.isna(first) and not pd.isna(last) and last < first:
            yield int(line), "to_year", f"năm cuối {last} trước năm đầu {first}."
    told = units[units["unit_code"].notna()].drop_duplicates()
    repeated = told[told["unit_code"].duplicated(keep=False)]
    spans = repeated.assign(first=repeated["from_year"].fillna(0), last=repeated["to_year"].fillna(9999))
    for code, rows in spans.groupby("unit_code"):
        for (one, former), (other, later) in combinations(rows.iterrows(), 2):
            if former["first"] <= later["last"] and later["first"] <= former["last"]:
                what = f"đơn vị {code} đã có ở dòng {one} cho cùng năm; mỗi năm chỉ được một dòng."
                yield int(other), "unit_code", what


def read_cap_exceptions(path: Path) -> pd.DataFrame:
    """Exceptions to the cap on "excellent" (`CAP_EXCEPTIONS`): 25% by a numbered decision (366-QĐ/TW, article 11).

    Raises `ListError` that names everything wrong: an exception without a decision is none.
    """
    required = ("unit_code", "group_code", "year", "cap_pct", "decision_no")
    frame, _, problems = read_list(path, CAP_EXCEPTIONS, required)
    problems += blanks(frame, required)
    frame = frame.assign(
        year=_as_numbers(frame, "year", "Int64", problems), cap_pct=_as_numbers(frame, "cap_pct", "Float64", problems)
    )
    for line in frame.index[((frame["cap_pct"] <= 0) | (frame["cap_pct"] > 100)).fillna(False).astype(bool)]:
        problems.append((int(line), "cap_pct", "phải lớn hơn 0 và không quá 100 (%)."))
    days = pd.to_datetime(frame["decided_on"], format="%Y-%m-%d", errors="coerce")
    for line, found in frame["decided_on"][days.isna() & frame["decided_on"].notna()].items():
        problems.append((int(line), "decided_on", f"“{found}” không phải là ngày; cần ngày dạng yyyy-mm-dd."))
    refuse(path, problems)
    return frame.assign(decided_on=days.dt.date).reset_index(drop=True)
