"""All lists that the province keeps by hand, read together: what is wrong in any of them is told at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pyarrow.parquet as pq

from submissions.store import Store
from submissions.successions import later_units, tidy_successions, written_successions, wrong_codes, wrong_parents
from submissions.units import ListError, in_words, read_cap_exceptions, read_units, refuse, tidy_units, written_units

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
    told: dict[str, str] = {}

    def read(reader: Callable[[Path], Read], name: str) -> Read | None:
        try:
            return reader(data / name)
        except ListError as error:
            told[name] = str(error)
            return None

    units, successions = read(written_units, UNITS), read(written_successions, SUCCESSIONS)
    cap_exceptions = read(read_cap_exceptions, CAP_EXCEPTIONS)
    if units and successions:
        successions[1].extend(later_units(successions[0], units[0]))
    told |= {
        name: in_words(data / name, written[1])
        for name, written in ((UNITS, units), (SUCCESSIONS, successions))
        if written and written[1]
    }
    if any((data / name).exists() for name in CALENDAR):
        from submissions.register.deadlines import Deadlines  # takes long to import, and few provinces need it here

        read(lambda _: Deadlines.read(data), CALENDAR[0])
    if told:
        raise ListError("\n".join(told[name] for name in NAMES if name in told))
    return Lists(tidy_units(units[0]), cap_exceptions, tidy_successions(successions[0]))


def check_codes(data: Path, store: Store) -> None:
    """Raise `ListError` that names every code of `successions.csv` that neither a report nor a list knows.

    So it does for every organisation put under one that reports have below it.
    """
    path = data / SUCCESSIONS
    if not path.exists():
        return
    sent = pd.read_parquet(
        store.register / "sendings.parquet", columns=["source_hash", "unit_code", "year", "is_in_force"]
    )
    sent = sent[sent["is_in_force"] & sent["unit_code"].notna()].sort_values("year")
    last_reports = sent.groupby("unit_code")["year"].max().astype("Int64")
    listed = dict.fromkeys(read_units(data / UNITS)["unit_code"])
    units = listed | {unit: int(year) for unit, year in last_reports.dropna().items()}
    parents = {code: parent for reported in _reported(store, sent["source_hash"]) for code, parent in reported}
    frame, _ = written_successions(path)
    refuse(path, [*wrong_codes(frame, parents, units), *wrong_parents(frame, parents)])


def _reported(store: Store, hashes: pd.Series) -> Iterator[list[tuple[str, str | None]]]:
    """Codes that each of these sendings lists in Biểu 2, with their parents."""
    paths = [path for source_hash in hashes if (path := store.find(store.form("organisations"), source_hash))]

    def codes(path: Path) -> list[tuple[str, str | None]]:
        with pq.ParquetFile(path) as file:
            read = file.read(["org_code", "parent_code"], use_threads=False)
        listed = read.filter(read["org_code"].is_valid())
        return list(zip(listed["org_code"].to_pylist(), listed["parent_code"].to_pylist(), strict=True))

    with ThreadPoolExecutor(READERS) as readers:
        yield from readers.map(codes, paths)
