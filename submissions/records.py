"""The records of a form column by column, each read when it is first asked for: most questions need few."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


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
        self._columns: dict[str, pa.Array] = {}
        self._blanks: dict[str, int] = {}
        self._coded: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        if isinstance(records, pd.DataFrame):
            self._path = None
            self._size = len(records)
            table = pa.Table.from_pandas(records, preserve_index=False)
            self._columns = {name: table[name].combine_chunks() for name in table.column_names}
            return
        self._path = records
        with pq.ParquetFile(records) as file:
            self._size = file.metadata.num_rows
            self._blanks = _blanks(file.metadata)
            self._take(file, ahead)

    def _take(self, file: pq.ParquetFile, names: Iterable[str]) -> None:
        table = file.read([name for name in names if name in self._blanks], use_threads=False)
        self._columns |= {name: table[name].combine_chunks() for name in table.column_names}

    def _column(self, name: str) -> pa.Array:
        if name not in self._columns and name in self._blanks:
            with pq.ParquetFile(self._path) as file:
                self._take(file, [name])
        if name not in self._columns:
            self._columns[name] = pa.nulls(self._size)
        return self._columns[name]

    def __len__(self) -> int:
        return self._size

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows of the sheet."""
        return self._column("row").to_numpy(zero_copy_only=False).astype(int)

    def blanks(self, name: str) -> int:
        """How many cells of a column are empty; of a file without reading the column."""
        if name not in self._columns and name in self._blanks:
            return self._blanks[name]
        return self._column(name).null_count

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
        at = pa.array(np.flatnonzero(wanted))
        return pa.table({name: self._column(name).take(at) for name in names}).to_pandas(date_as_object=True)


def records_of(forms: Mapping[str, pd.DataFrame | Records]) -> dict[str, Records]:
    """The records of forms, by table."""
    return {table: one if isinstance(one, Records) else Records(one) for table, one in forms.items()}


def _blanks(metadata: pq.FileMetaData) -> dict[str, int]:
    """Empty cells by column, as the file's footer tells them."""
    found = dict.fromkeys(metadata.schema.names, 0)
    for group in range(metadata.num_row_groups):
        of_group = metadata.row_group(group)
        for place in range(of_group.num_columns):
            column = of_group.column(place)
            found[column.path_in_schema] += column.statistics.null_count
    return found
