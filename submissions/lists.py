"""All lists that the province keeps by hand, read together: what is wrong in any of them is told at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow.parquet as pq

from submissions.store import Store
from submissions.successions import read_successions, wrong_codes
from submissions.units import ListError, read_cap_exceptions, read_units, refuse

UNITS = "units.csv"
CAP_EXCEPTIONS = "cap_exceptions.csv"
SUCCESSIONS = "successions.csv"
CALENDAR = ("deadlines.csv", "holidays.csv")
NAMES = (UNITS, CAP_EXCEPTIONS, SUCCESSIONS, *CALENDAR)
"""Files of the lists, in the folder of the data."""

READERS = 4


@dataclass(frozen=True)
class Lists:
    """The lists that the warehouse rests on, as `units` and `successions` have them."""

    units: pd.DataFrame
    cap_exceptions: pd.DataFrame
    successions: pd.DataFrame


Read = TypeVar("Read")


def read_lists(data: Path) -> Lists:
    """The lists of the folder `data`; raises `ListError` that names everything wrong in all of them."""
    told: list[str] = []

    def read(reader: Callable[[Path], Read], path: Path) -> Read | None:
        try:
            return reader(path)
        except ListError as error:
            told.append(str(error))
            return None

    units = read(read_units, data / UNITS)
    cap_exceptions = read(read_cap_exceptions, data / CAP_EXCEPTIONS)
    successions = read(read_successions, data / SUCCESSIONS)
    if any((data / name).exists() for name in CALENDAR):
        from submissions.register.deadlines import Deadlines  # takes long to import, and few provinces need it here

        read(Deadlines.read, data)
    if told:
        raise ListError("\n".join(told))
    return Lists(units, cap_exceptions, successions)


def check_codes(data: Path, store: Store) -> None:
    """Raise `ListError` that names every code of `successions.csv` that neither a report nor a list knows."""
    path = data / SUCCESSIONS
    if not path.exists():
        return
    sent = pd.read_parquet(
        store.register / "sendings.parquet", columns=["source_hash", "unit_code", "year", "is_in_force"]
    )
    sent = sent[sent["is_in_force"] & sent["unit_code"].notna()]
    last_reports = sent.groupby("unit_code")["year"].max().astype("Int64")
    listed = dict.fromkeys(read_units(data / UNITS)["unit_code"])
    units = listed | {unit: int(year) for unit, year in last_reports.dropna().items()}
    reported = {code for codes in _reported(store, sent["source_hash"]) for code in codes}
    refuse(path, wrong_codes(path, reported, units))


def _reported(store: Store, hashes: pd.Series) -> Iterator[list[str]]:
    """Codes that each of these sendings lists in Biểu 2."""
    paths = [path for source_hash in hashes if (path := store.find(store.form("organisations"), source_hash))]

    def codes(path: Path) -> list[str]:
        with pq.ParquetFile(path) as file:
            return file.read(["org_code"], use_threads=False)["org_code"].drop_null().to_pylist()

    with ThreadPoolExecutor(READERS) as readers:
        yield from readers.map(codes, paths)
