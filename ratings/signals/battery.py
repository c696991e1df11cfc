"""All signals together: which there are, what they tell the same of, and their rows in one frame."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pandas as pd

from ratings.signals import (
    caps,
    copying,
    evidence,
    excluded,
    gap,
    ladder,
    raters,
    scores,
    shares,
    target,
    uniform,
)
from ratings.signals.frames import SIGNAL_COLUMNS, Ratings
from ratings.signals.statistics import POOLED_PERIODS, benjamini_hochberg

Signal = Callable[[Ratings, int], pd.DataFrame]

_MODULES = (shares, evidence, target, uniform, copying, caps, scores, ladder, excluded, gap, raters)

SIGNALS: Mapping[str, Signal] = MappingProxyType(
    {name: signal for module in _MODULES for name, signal in module.SIGNALS.items()}
)
"""Every signal by its id."""

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "evidence": ("EVIDENCE", "TOP"),
        "jump": ("JUMP",),
        "own": ("OWN",),
        "target": ("TARGET",),
        "uniform": ("UNIFORM",),
        "copy": ("COPY",),
        "cap": ("CAPFILL", "ROTATE"),
        "scores": ("BUNCH",),
        "ladder": ("LADDER",),
        "unappraised": ("UNAPPRAISED",),
        "excluded": ("EXCLUDED",),
        "recheck": ("GAP",),
        "rater": ("RATER",),
    }
)
"""What counts as one reason, whichever of its signals speaks. FUNNEL and MODAL are in none: they are shown only."""

FAMILY_OF: Mapping[str, str] = MappingProxyType({name: family for family, names in FAMILIES.items() for name in names})

ENCODED = ("groups", "subjects", "scores")
LOOKED_UP, COMPARED = ("organisation", "group"), ("subject",)
"""Columns of codes of long frames: what of a code signals need beyond whether it is the same."""

TEXT = (pd.StringDtype, np.dtypes.ObjectDType)

BATTERY_COLUMNS = {**SIGNAL_COLUMNS, "family": "str", "q": "Float64"}
"""Of `signals`. `family` is empty for a signal that is shown only; `q` is Benjamini and Hochberg's within the signal
and the period, for reading a signal by itself."""


def signals(ratings: Ratings, period: int | None = None, *, only: Iterable[str] | None = None) -> pd.DataFrame:
    """Every signal of every organisation of `period` (the latest where not given); `BATTERY_COLUMNS`.

    Key: signal, organisation, period. Nothing of later periods is read, so an earlier period's rows never change.
    `only` names the signals wanted. Raises KeyError for an unknown one.
    """
    period = latest_period(ratings) if period is None else period
    known = recent(ratings, period)
    chosen = list(SIGNALS) if only is None else list(only)
    rows = [_with_q(SIGNALS[name](known, period)) for name in chosen]
    return pd.concat(rows, ignore_index=True).astype(BATTERY_COLUMNS)


def latest_period(ratings: Ratings) -> int:
    """The last period of which there is an organisation."""
    return int(ratings.organisations["period"].max())


def recent(ratings: Ratings, period: int) -> Ratings:
    """Only what the signals of `period` read: it and the two periods before it that the organisations have.

    Codes of long frames become categories: text is looked at once, not by every signal again.
    """
    periods = np.sort(ratings.organisations["period"].unique())
    wanted = periods[periods <= period][-POOLED_PERIODS:]
    frames = {}
    for name in ("organisations", "groups", "subjects", "scores", "rechecks"):
        frame = getattr(ratings, name)
        if not frame.empty:
            inside = frame["period"].isin(wanted).to_numpy()
            if name in ENCODED:
                frame = _encoded(frame, inside)
            frames[name] = frame if len(frame) == inside.sum() else frame[inside]
    return replace(ratings, **frames)


def _encoded(frame: pd.DataFrame, inside: np.ndarray) -> pd.DataFrame:
    """Rows of a frame, column by column: codes that are looked up or sorted as categories, the others as numbers."""
    columns = {}
    for name in frame:
        column = frame[name].array if inside.all() else frame[name].array[inside]
        if name in LOOKED_UP and isinstance(column.dtype, TEXT):
            codes, values = pd.factorize(column, sort=True)
            column = pd.Categorical.from_codes(codes, categories=values)
        elif name in LOOKED_UP and isinstance(column, pd.Categorical):
            column = column.reorder_categories(column.categories.sort_values())
        elif name in COMPARED and isinstance(column.dtype, TEXT):
            codes = pd.factorize(column)[0]
            column = pd.arrays.IntegerArray(codes.astype(np.int64), codes < 0)
        columns[name] = column
    return pd.DataFrame(columns, copy=False)


def _with_q(rows: pd.DataFrame) -> pd.DataFrame:
    name = rows["signal"].iloc[0] if len(rows) else ""
    family = FAMILY_OF.get(name)
    return rows.assign(family=family, q=benjamini_hochberg(rows["p"].to_numpy(float, na_value=np.nan)))
