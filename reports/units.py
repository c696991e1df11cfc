"""Reporting units as charts show them: short names, and how many of them have sent their figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

Tables = Mapping[str, pd.DataFrame]

SHORTER = (
    ("các cơ quan và doanh nghiệp", "CQ&DN"),
    ("các cơ quan", "CQ"),
    ("doanh nghiệp", "DN"),
    ("Bộ đội Biên phòng", "Biên phòng"),
    ("Bộ Chỉ huy Quân sự", "Quân sự"),
)
KINDS = (
    "Đảng bộ ",
    "Đảng ủy ",
    "Ban Chấp hành ",
    "Thành phố ",
    "Thị xã ",
    "Huyện ",
    "Quận ",
    "Phường ",
    "Xã ",
    "Đặc khu ",
)


@dataclass(frozen=True)
class Coverage:
    """Units received of units expected; None where it is not known."""

    expected: int | None
    received: int | None
    missing: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every expected unit is in the figures."""
        return self.expected is not None and not self.missing and (self.received or 0) >= self.expected

    def __str__(self) -> str:
        """'11/12 đơn vị'."""
        if self.expected is None or self.received is None:
            return "chưa rõ số đơn vị"
        return f"{self.received}/{self.expected} đơn vị"


def coverage_of(tables: Tables, year: int) -> Coverage:
    """Coverage of a year, from the mart."""
    rows = tables["coverage"].query("year == @year")
    if rows.empty:
        return Coverage(None, None)
    row = rows.iloc[0]
    expected, received = (
        None if pd.isna(row[name]) else int(row[name]) for name in ("units_expected", "units_received")
    )
    return Coverage(expected, received, _names(row["units_missing"]))


def unit_names(tables: Tables) -> dict[str, str]:
    """Short name of every unit by its code; names that would become the same stay whole."""
    units = tables["dim_unit"]
    return dict(zip(units["unit_code"], short_names(units["unit_name"].fillna(units["unit_code"])), strict=True))


def short_names(names: Iterable[str]) -> list[str]:
    """Names without their kind ('Huyện Cư Jút' is 'Cư Jút') where that leaves them different."""
    names = list(names)
    shorts = [_short(name) for name in names]
    return [
        short if shorts.count(short) == 1 or names.count(name) > 1 else name
        for name, short in zip(names, shorts, strict=True)
    ]


def missing_units(tables: Tables, year: int) -> list[str]:
    """Short names of the units that should have sent their figures of the year and have not."""
    names = dict(zip(tables["dim_unit"]["unit_name"], unit_names(tables).values(), strict=True))
    return [names.get(name, _short(name)) for name in coverage_of(tables, year).missing]


def _short(name: str) -> str:
    short = name
    for kind in KINDS:
        short = short.removeprefix(kind)
    for long, brief in SHORTER:
        short = short.replace(long, brief)
    return short[:1].upper() + short[1:]


def _names(value: object) -> tuple[str, ...]:
    """Names from a list column, or from text with the names between semicolons or commas."""
    if value is None or (isinstance(value, float) and value != value) or value is pd.NA:
        return ()
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(";" if ";" in value else ",") if name.strip())
    return tuple(str(name) for name in value)
