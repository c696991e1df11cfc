"""Columns in which each distinct item is kept once: what is done to an item is done once for all its like."""

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import count, repeat
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa


def factorise(items: Sequence[object], first: Iterable[object] = ()) -> tuple[np.ndarray, dict[object, int]]:
    """(codes, distinct): positions in the distinct items, which begin with those of `first`, by item."""
    # The quickest of those that were tried: an item that was met before costs one look into a dictionary.
    places: defaultdict[object, int] = defaultdict(count().__next__)
    for item in first:
        places[item]
    codes = np.fromiter(map(places.__getitem__, items), dtype=np.intp, count=len(items))
    return codes, places


def objects(items: Sequence[object]) -> np.ndarray:
    """Items as an array of objects, whatever they are."""
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


class Coded:
    """A column as codes, which are positions in its distinct items."""

    def __init__(self, codes: np.ndarray, distinct: np.ndarray) -> None:
        """`distinct` is an array of objects."""
        self.codes = codes
        self.distinct = distinct

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, row: int) -> object:
        """One item."""
        return self.distinct[self.codes[row]]

    def items(self) -> np.ndarray:
        """The items row by row."""
        return self.distinct[self.codes]

    def where(self, wanted: Iterable[int]) -> np.ndarray:
        """Which rows hold one of the distinct items at these positions."""
        among = np.zeros(len(self.distinct), dtype=bool)
        among[list(wanted)] = True
        return among[self.codes]


class Values(Coded):
    """The lawful values of a column; the first of the distinct ones is None, which is held where there is none."""

    @classmethod
    def of(cls, items: Iterable[object], codes: np.ndarray | None = None) -> Self:
        """A column of these values (None where there is none; in a series also NaN), or of those at `codes`."""
        if isinstance(items, pd.Series):
            items = items.astype(object).where(items.notna(), None)
        places, distinct = factorise(list(items), first=[None])
        return cls(places if codes is None else places[codes], objects(list(distinct)))

    @property
    def filled(self) -> np.ndarray:
        """Where there is a value."""
        return self.codes != 0

    def among(self, wanted: Container[object]) -> np.ndarray:
        """Where the value is one of these."""
        return self.such(wanted.__contains__)

    def such(self, fits: Callable[[object], bool]) -> np.ndarray:
        """Where the value fits, each distinct one asked once; none where there is none."""
        fitting = np.fromiter(map(fits, self.distinct[1:]), dtype=bool, count=len(self.distinct) - 1)
        return np.concatenate([[False], fitting])[self.codes]

    def present(self, rows: np.ndarray | slice = slice(None)) -> set[object]:
        """The distinct values that stand in the rows, or in some of them."""
        return set(self.distinct[np.flatnonzero(self.counts(rows))]) - {None}

    def counts(self, rows: np.ndarray | slice = slice(None)) -> np.ndarray:
        """How often each of the distinct values stands in the rows, or in some of them."""
        return np.bincount(self.codes[rows], minlength=len(self.distinct))

    def drop(self, rows: Sequence[int]) -> None:
        """Let go of the values of some rows."""
        self.codes[rows] = 0

    def changed(self, change: Callable[..., object], *others: object) -> Self:
        """The column with each value changed by a function of it (and of `others`)."""
        return type(self)(self.codes, objects([None, *map(change, self.distinct[1:], *map(repeat, others))]))

    def only(self, rows: np.ndarray) -> Self:
        """The column with values in these rows alone."""
        return type(self)(np.where(rows, self.codes, 0), self.distinct)

    def filled_with(self, value: object, rows: np.ndarray) -> Self:
        """The column with one more value, which stands in these rows."""
        return type(self)(np.where(rows, len(self.distinct), self.codes), objects([*self.distinct, value]))

    def take(self, rows: np.ndarray) -> Self:
        """The values of some rows."""
        return type(self)(self.codes[rows], self.distinct)

    def to_arrow(self, kind: pa.DataType) -> pa.Array:
        """The values as they are stored."""
        return pa.array(self.distinct, type=kind).take(pa.array(self.codes))
