"""Who owes what by when: deadlines, working days, extensions, and what came of them."""

import calendar
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

import pandas as pd
import yaml

from submissions.register.log import Event, Recorded, Register, RegisterError
from submissions.register.states import decide, sendings
from submissions.units import blanks, read_list, refuse

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
STATES = {
    "not_yet_due": "Chưa đến hạn",
    "overdue": "Quá hạn, chưa gửi",
    "on_time": "Đã nhận đúng hạn",
    "late": "Đã nhận muộn",
    "refused": "Bị trả lại, chưa gửi lại",
    "held": "Đang giữ chờ xác nhận",
    "received": "Đã nhận, chưa đọc xong",
}
"""The states of an obligation with their Vietnamese names."""

COLUMNS = {
    "unit_code": "str",
    "unit_name": "str",
    "level": "str",
    "year": "int64",
    "due_before": "object",
    "due_source": "str",
    "extended_until": "object",
    "is_due": "bool",
    "state": "str",
    "state_name": "str",
    "received_on": "object",
    "reported_on": "object",
    "accepted_on": "object",
    "days_late": "Int64",
    "sendings": "int64",
}
"""The columns of `obligations`."""

_DEADLINES = ("unit_code", "year", "due_before")
_HOLIDAYS = ("day", "name", "working")
_DATA = Path(__file__).parents[1] / "calendar" / "deadlines.yaml"


@dataclass(frozen=True)
class _DayOfYear:
    """A day that every year has: its month and day, in the year reported or a later one."""

    day: int
    month: int
    years_later: int

    def of(self, year: int) -> date:
        day = min(self.day, calendar.monthrange(year + self.years_later, self.month)[1])
        return date(year + self.years_later, self.month, day)


@dataclass(frozen=True)
class Deadlines:
    """When each unit's report of a year is due."""

    rules: dict[tuple[str | None, int | None], tuple[date | _DayOfYear, str]]
    """By unit and year (None: any), with the source."""
    days: dict[date, bool] = field(default_factory=dict)
    """Days of the province's own list: whether they are working days."""

    @classmethod
    def read(cls, data: Path | None = None) -> Self:
        """The shipped deadlines, with `deadlines.csv` and `holidays.csv` of the folder `data` where they are there.

        Raises `ListError` (file, line, column) where a list cannot be used.
        """
        shipped = yaml.safe_load(_DATA.read_text(encoding="utf-8"))
        rule = shipped["deadlines"][shipped["workbook"]]
        day = _DayOfYear(rule["day"], rule["month"], rule["years_later"])
        rules = {(None, None): (day, rule["source"])}
        if data is None:
            return cls(rules)
        return cls(rules | _read_deadlines(data / "deadlines.csv"), _read_days(data / "holidays.csv"))

    def due_before(self, unit_code: str | None, year: int) -> tuple[date, str]:
        """The day before which a report must come, and where that is said; what is more particular counts.

        A last day that is no working day moves to the next working day (Bộ luật Dân sự 2015, Điều 148 khoản 5).
        """
        scopes = ((unit_code, year), (unit_code, None), (None, year), (None, None))
        rule, source = next(self.rules[scope] for scope in scopes if scope in self.rules)
        last = (rule.of(year) if isinstance(rule, _DayOfYear) else rule) - timedelta(days=1)
        while not self.is_working(last):
            last += timedelta(days=1)
        return last + timedelta(days=1), source

    def is_working(self, day: date) -> bool:
        """Whether offices work on a day: the province's list first, then weekends and Vietnam's holidays with Tết."""
        if day in self.days:
            return self.days[day]
        return day.weekday() < 5 and day not in self._holidays

    @cached_property
    def _holidays(self) -> dict:
        return load_holidays()

    def binding(self, register: Register) -> "BindingDays":
        """The deadlines with the extensions that the register holds."""
        return BindingDays(self, register.read(["extended"]))

    def days_late(self, register: Register, sent: pd.DataFrame) -> pd.Series:
        """For rows of `sendings`: whole days after the last day (0 in time; empty where unit or year are unknown)."""
        binding = self.binding(register)
        known = sent["year"].notna() & (sent["unit_code"].notna() & (sent["source_kind"] != "register"))
        rows = zip(sent["unit_code"][known], sent["year"][known], _days(sent["received_at"][known]), strict=True)
        days = [_late(day, binding.last_day(unit, year)) for unit, year, day in rows]
        return pd.Series(days, index=sent.index[known], dtype="Int64").reindex(sent.index)


class BindingDays:
    """The last days on which a report is in time, extensions counted."""

    def __init__(self, deadlines: Deadlines, extensions: Iterable[Recorded]) -> None:
        """Of a unit's (or everyone's) extensions the one decided last counts."""
        self.due_before = cache(deadlines.due_before)
        self._extended = {
            (record.unit_code, record.year): date.fromisoformat(record.body["until"]) for record in extensions
        }

    def extended_until(self, unit_code: str, year: int) -> date | None:
        """The last day of the extension, which ends then whatever day it is; None without one."""
        ends = [self._extended.get((unit_code, year)), self._extended.get((None, year))]
        return max((end for end in ends if end is not None), default=None)

    def last_day(self, unit_code: str, year: int) -> date:
        """The last day in time; an extension never shortens."""
        due_before, _ = self.due_before(unit_code, year)
        last = due_before - timedelta(days=1)
        until = self.extended_until(unit_code, year)
        return last if until is None else max(last, until)


@cache
def load_holidays() -> dict[date, str]:
    """Vietnam's holidays, Tết included; a year's are added when a day of it is asked for."""
    import holidays

    days = holidays.country_holidays("VN")
    days.get(date.today())  # loads the calendar of Tết
    return days


def extend(
    register: Register, unit_code: str | None, year: int, until: date, *, by: str, reason: str, deadlines: Deadlines
) -> Event:
    """Give a unit (None: all) until the end of the day `until`. The end binds: it does not move with holidays.

    Raises `RegisterError` where that is no later than what holds without it, or nobody or no reason is given.
    """
    due_before, _ = deadlines.due_before(unit_code, year)
    if until < due_before:
        raise RegisterError(
            f"Hạn nộp là trước ngày {due_before:%d/%m/%Y}; gia hạn đến hết ngày {until:%d/%m/%Y} không dài hơn."
        )
    return decide(register, "extended", unit_code, year, by=by, reason=reason, until=until.isoformat())


def obligations(
    register: Register, units: pd.DataFrame, years: Sequence[int], today: date, deadlines: Deadlines | None = None
) -> pd.DataFrame:
    """One row a unit and year that has to be reported; columns of `COLUMNS`, days in Asia/Ho_Chi_Minh.

    `units` are those of `submissions.units.read_units` (with `level` where the list has it); where it is empty, the
    units that ever had a sending accepted are expected. `due_before` is exclusive, `extended_until` inclusive.
    `received_on` is the day of the first file, whatever became of it; `reported_on` that of the first one that was
    accepted, which decides on "on_time" or "late"; `accepted_on` the day of that decision. `days_late` counts days
    after the last day in time, until the report or the held file came, else until `today`; empty where not due yet.
    """
    deadlines = deadlines or Deadlines.read()
    binding = deadlines.binding(register)
    sent = sendings(register)
    sent = sent[(sent["source_kind"] != "register") & sent["unit_code"].notna() & sent["year"].notna()]
    sent = sent.assign(day=_days(sent["received_at"]), decided=_days(sent["decided_at"]))
    told = ["state", "day", "decided"]
    by_unit = {key: group for key, group in _groups(sent, told)}
    if units.empty:
        counted = sent[sent["state"].isin(["accepted", "replaced"])]
        units = pd.DataFrame({"unit_code": sorted(counted["unit_code"].unique())})
    units = units.reindex(columns=["unit_code", "unit_name", "level", "from_year", "to_year"])
    rows = []
    for unit, name, level, first, last in units.astype(object).where(units.notna(), None).itertuples(index=False):
        for year in years:
            if (first is None or first <= year) and (last is None or year <= last):
                owed = _obligation(binding, unit, int(year), today, by_unit.get((unit, int(year)), []))
                rows.append({"unit_code": unit, "unit_name": name, "level": level, "year": int(year)} | owed)
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _groups(sent: pd.DataFrame, told: list[str]) -> Iterable[tuple[tuple[str, int], list[tuple]]]:
    groups: dict[tuple[str, int], list[tuple]] = {}
    for unit, year, *row in sent[["unit_code", "year", *told]].itertuples(index=False, name=None):
        groups.setdefault((unit, int(year)), []).append(tuple(row))
    return groups.items()


def _obligation(
    binding: BindingDays, unit: str, year: int, today: date, sent: list[tuple[str, date, date]]
) -> dict[str, object]:
    due_before, source = binding.due_before(unit, year)
    last_day = binding.last_day(unit, year)
    reported = min(((day, decided) for state, day, decided in sent if state in {"accepted", "replaced"}), default=None)
    waiting = {state: day for state, day, _ in reversed(sent) if state in {"held", "received"}}
    refused = any(state == "refused" for state, _, _ in sent)
    is_due = today > last_day
    if reported:
        state = "late" if reported[0] > last_day else "on_time"
    elif waiting:
        state = "held" if "held" in waiting else "received"
    elif refused:
        state = "refused"
    else:
        state = "overdue" if is_due else "not_yet_due"
    came = reported[0] if reported else min(waiting.values(), default=None)
    return {
        "due_before": due_before,
        "due_source": source,
        "extended_until": binding.extended_until(unit, year),
        "is_due": is_due,
        "state": state,
        "state_name": STATES[state],
        "received_on": min((day for _, day, _ in sent), default=None),
        "reported_on": reported[0] if reported else None,
        "accepted_on": reported[1] if reported else None,
        "days_late": _late(came or today, last_day) if came or is_due else None,
        "sendings": len(sent),
    }


def _late(day: date, last_day: date) -> int:
    return max((day - last_day).days, 0)


def _days(times: pd.Series) -> pd.Series:
    """The days of instants where the province is."""
    days = times.dt.tz_convert(ZONE).dt.date.astype(object)
    return days.where(times.notna(), None)


def today() -> date:
    """The day it is where the province is."""
    return datetime.now(ZONE).date()


_NEXT_YEAR = re.compile(r"(\d{1,2})/(\d{1,2})( năm sau)?")


def _read_deadlines(path: Path) -> dict[tuple[str | None, int | None], tuple[date | _DayOfYear, str]]:
    """`deadlines.csv`: unit_code or *, year or *, due_before (yyyy-mm-dd; `31/12`, `15/01 năm sau` for any year)."""
    rules: dict[tuple[str | None, int | None], tuple[date | _DayOfYear, str]] = {}
    lines: dict[tuple[str, str], int] = {}
    frame, _, problems = read_list(path, _DEADLINES, _DEADLINES)
    problems += blanks(frame, _DEADLINES)
    for line, unit, year, day in frame.dropna().itertuples(name=None):
        rule = _day(day, yearly=True)
        if year != "*" and not re.fullmatch(r"\d{4}", year):
            problems.append((line, "year", f"“{year}” không phải là năm; ghi năm hoặc *."))
        if rule is None:
            problems.append((line, "due_before", _no_day(day, "yyyy-mm-dd, 31/12 hoặc 15/01 năm sau")))
        elif year == "*" and isinstance(rule, date):
            what = f"“{day}” chỉ của một năm, mà cột year là *; ghi ngày và tháng, ví dụ 31/12 hoặc 15/01 năm sau."
            problems.append((line, "due_before", what))
        if (first := lines.setdefault((unit, year), line)) != line:
            problems.append((line, "", f"{unit}, {year} đã có hạn ở dòng {first}."))
        if not problems:
            rules[None if unit == "*" else unit, None if year == "*" else int(year)] = rule, path.name
    refuse(path, problems)
    return rules


def _read_days(path: Path) -> dict[date, bool]:
    """`holidays.csv`: day (yyyy-mm-dd), name, working (x: a day that is worked, though a weekend or holiday)."""
    frame, _, problems = read_list(path, _HOLIDAYS, ("day",))
    problems += blanks(frame, ["day"])
    marks = frame["working"].where(frame["working"].notna(), "").str.lower()
    for line, mark in frame["working"][~marks.isin(["", "x"])].items():
        problems.append((line, "working", f"“{mark}”; ghi x (đi làm) hoặc để trống (nghỉ)."))
    days = frame["day"].dropna().map(lambda text: _day(text, yearly=False)).astype(object)
    problems += [(line, "day", _no_day(frame.loc[line, "day"], "yyyy-mm-dd")) for line in days.index[days.isna()]]
    refuse(path, problems)
    return dict(zip(days, marks == "x", strict=True))


def _day(text: str, *, yearly: bool) -> date | _DayOfYear | None:
    try:
        if yearly and (found := _NEXT_YEAR.fullmatch(text)):
            day, month = int(found[1]), int(found[2])
            date(2024, month, day)
            return _DayOfYear(day, month, 1 if found[3] else 0)
        return date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) else None
    except ValueError:
        return None


def _no_day(text: str, forms: str) -> str:
    return f"“{text}” không phải là ngày; cần dạng {forms}."
