"""The records of a form column by column, each read when it is first asked for: most questions need few."""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from submissions.store import BLANKS


def read_columns(path: Path | None, columns: Iterable[str]) -> dict[str, list]:
    """Columns of a small Parquet file as lists; empty ones where there is no file."""
    if path is None:
        return {name: [] for name in columns}
    with pq.ParquetFile(path) as file:
        return file.read(list(columns), use_threads=False).to_pydict()


class Records:
    """The records of one form in a sending, from a Parquet file or a frame. A column that is not there is empty."""

    def __init__(self, records: Path | pd.DataFrame, ahead: Iterable[str] = ()) -> None:
        """`ahead` are columns of a file that are read at once: one by one costs more."""
        self._coded: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._columns: dict[str, pa.Array] = {}
        self._path, self._ahead = None, tuple(ahead)
        if isinstance(records, pd.DataFrame):
            table = pa.Table.from_pandas(records, preserve_index=False)
            self._columns = {name: table[name].combine_chunks() for name in table.column_names}
            self._told = len(records), {}
        else:
            self._path = records

    @cached_property
    def _told(self) -> tuple[int, dict[str, int | None]]:
        """Rows, and empty cells by column, as the file's footer tells them; the first columns are read with it."""
        with pq.ParquetFile(self._path) as file:
            told = file.metadata.num_rows, _blanks(file.metadata)
            self._take(file, [name for name in self._ahead if name in told[1]])
        return told

    def _take(self, file: pq.ParquetFile, names: list[str]) -> None:
        table = file.read(names, use_threads=False)
        self._columns |= {name: table[name].combine_chunks() for name in table.column_names}

    def ready(self, names: Iterable[str]) -> None:
        """Read some columns at once."""
        lacking = [name for name in names if name in self._told[1] and name not in self._columns]
        if lacking:
            with pq.ParquetFile(self._path) as file:
                self._take(file, lacking)

    def _column(self, name: str) -> pa.Array:
        self.ready([name])
        column = self._columns.get(name)
        return pa.nulls(len(self)) if column is None else column

    def __contains__(self, name: str) -> bool:
        return name in self._told[1] or name in self._columns

    def __len__(self) -> int:
        return self._told[0]

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows of the sheet."""
        return self._column("row").to_numpy(zero_copy_only=False).astype(int)

    def blanks(self, name: str) -> int:
        """How many cells of a column are empty; of a file without reading the column."""
        told = self._told[1].get(name)
        return self._column(name).null_count if told is None else told

    def filled(self, name: str) -> np.ndarray:
        """Where a column is not empty."""
        return self._column(name).is_valid().to_numpy(zero_copy_only=False)

    def coded(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(codes, distinct values) of a column, as they come; the code of an empty cell is -1."""
        if name not in self._coded:
            column = self._column(name)
            if pa.types.is_null(column.type):
                column = column.cast(pa.string())
            if not pa.types.is_dictionary(column.type):
                column = column.dictionary_encode()
            codes = pc.fill_null(column.indices, -1).to_numpy(zero_copy_only=False)
            distinct = column.dictionary.to_numpy(zero_copy_only=False)
            self._coded[name] = codes.astype(int), np.asarray(distinct, dtype=object)
        return self._coded[name]

    def is_in(self, name: str, values: Iterable[str]) -> np.ndarray:
        """Where a column holds one of some values."""
        codes, distinct = self.coded(name)
        wanted = set(values)
        return np.array([*(value in wanted for value in distinct), False], dtype=bool)[codes]

    def numbers(self, name: str) -> np.ndarray:
        """A column of numbers; NaN where it is empty."""
        return self._column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)

    def absent_from(self, other: "Records", name: str) -> np.ndarray:
        """Where a column holds a value that the other records do not have."""
        column, there = self._column(name), other._column(name)
        if pa.types.is_null(there.type) or pa.types.is_null(column.type):
            return self.filled(name)
        found = pc.is_in(column, value_set=there.drop_null().cast(column.type))
        return self.filled(name) & ~found.to_numpy(zero_copy_only=False)

    def frame(self, names: Iterable[str], wanted: np.ndarray) -> pd.DataFrame:
        """Some columns of some rows."""
        names = list(names)
        self.ready(names)
        at = pa.array(np.flatnonzero(wanted))
        return pa.table({name: self._column(name).take(at) for name in names}).to_pandas(date_as_object=True)


def records_of(forms: Mapping[str, pd.DataFrame | Records]) -> dict[str, Records]:
    """The records of forms, by table."""
    return {table: one if isinstance(one, Records) else Records(one) for table, one in forms.items()}


def _blanks(metadata: pq.FileMetaData) -> dict[str, int | None]:
    """Empty cells by column as the file's footer tells them; None where it does not."""
    told = json.loads((metadata.metadata or {}).get(BLANKS, b"{}"))
    return {name: told.get(name) for name in metadata.schema.names}
