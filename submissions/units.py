"""The lists that the province gives: units expected to report, and exceptions to the cap that were decided."""

from pathlib import Path

import pandas as pd

from submissions.text import clean

UNITS = ("unit_code", "unit_name", "from_year", "to_year", "level")
CAP_EXCEPTIONS = ("unit_code", "group_code", "year", "cap_pct", "decision_no", "decided_on")


class ListError(ValueError):
    """A list that cannot be used; the message is Vietnamese and names file, line and column."""


def read_list(path: Path, columns: tuple[str, ...], required: tuple[str, ...]) -> pd.DataFrame:
    """The columns of a CSV list, as text, None for blank; no rows where there is no file. Raises `ListError`."""
    if not path.exists():
        return pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
    try:
        frame = pd.read_csv(path, dtype="str", encoding="utf-8-sig", keep_default_na=False, skipinitialspace=True)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ListError(f"{path}: không đọc được danh sách CSV (UTF-8, dấu phẩy): {error}") from error
    if missing := [column for column in required if column not in frame]:
        raise ListError(f"{path}: thiếu cột {', '.join(missing)}; tìm thấy: {', '.join(frame.columns)}.")
    frame = frame.reindex(columns=list(columns), fill_value="").map(clean).replace("", None)
    for column in required:
        if frame[column].isna().any():
            line = int(frame.index[frame[column].isna()][0]) + 2
            raise ListError(f"{path}, dòng {line}: để trống cột {column}.")
    return frame


def _numbers(frame: pd.DataFrame, path: Path, columns: tuple[str, ...], dtype: str) -> pd.DataFrame:
    for column in columns:
        numbers = pd.to_numeric(frame[column], errors="coerce")
        wrong = numbers.isna() & frame[column].notna()
        if wrong.any():
            line = int(frame.index[wrong][0]) + 2
            raise ListError(f"{path}, dòng {line}, cột {column}: “{frame[column][wrong].iloc[0]}” không phải là số.")
        frame = frame.assign(**{column: numbers.astype(dtype)})
    return frame


def read_units(path: Path) -> pd.DataFrame:
    """The units expected to report (`UNITS`; years may be empty); no rows where the province gave no list."""
    frame = read_list(path, UNITS, ("unit_code",))
    return _numbers(frame, path, ("from_year", "to_year"), "Int64")


def read_cap_exceptions(path: Path) -> pd.DataFrame:
    """Exceptions to the cap on "excellent" (`CAP_EXCEPTIONS`): 25% by a numbered decision (366-QĐ/TW, article 11)."""
    frame = read_list(path, CAP_EXCEPTIONS, ("unit_code", "group_code", "year", "cap_pct", "decision_no"))
    frame = _numbers(_numbers(frame, path, ("year",), "Int64"), path, ("cap_pct",), "Float64")
    days = pd.to_datetime(frame["decided_on"], format="%Y-%m-%d", errors="coerce")
    wrong = days.isna() & frame["decided_on"].notna()
    if wrong.any():
        raise ListError(f"{path}, dòng {int(frame.index[wrong][0]) + 2}, cột decided_on: cần ngày dạng yyyy-mm-dd.")
    return frame.assign(decided_on=days.dt.date)
