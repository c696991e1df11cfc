"""Rows of subjects, groups and scores as whole numbers: whose they are, and in which period of the window."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from ratings.signals.statistics import Window


class Places(NamedTuple):
    """Of every row its organisation (row of the window's grid) and its period (column); -1 where it is outside."""

    owner: np.ndarray
    column: np.ndarray

    @property
    def inside(self) -> np.ndarray:
        """Which rows are of an organisation and a period of the window."""
        return (self.owner >= 0) & (self.column >= 0)


def placed(frame: pd.DataFrame, window: Window) -> Places:
    """The places of a frame's rows; `organisation` may be text or categories."""
    code, organisations = pd.factorize(frame["organisation"])
    known = window.grid.organisations.get_indexer(pd.Index(organisations).astype(window.grid.organisations.dtype))
    return Places(np.r_[known, -1][code], window.grid.periods.get_indexer(frame["period"]))


def numbers(frame: pd.DataFrame, name: str) -> np.ndarray:
    """A numeric column, all NaN where the frame has it not."""
    return frame[name].to_numpy(float, na_value=np.nan) if name in frame else np.full(len(frame), np.nan)


def steps(places: Places, key: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Kept rows of one organisation and key in two neighbouring periods: places of the earlier and of the later row.

    A key that comes twice in one organisation and period is not followed.
    """
    rows = np.flatnonzero(kept & places.inside)
    if not len(rows):
        return rows, rows
    periods = int(places.column.max()) + 2
    label = (places.owner[rows] * np.int64(key.max() + 1) + key[rows]) * periods + places.column[rows]
    order = np.argsort(label, kind="stable")
    rows, label = rows[order], label[order]
    twice = label[1:] == label[:-1]
    single = ~np.r_[twice, False] & ~np.r_[False, twice]
    rows, label = rows[single], label[single]
    follows = label[1:] == label[:-1] + 1
    return rows[:-1][follows], rows[1:][follows]
