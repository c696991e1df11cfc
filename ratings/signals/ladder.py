"""LADDER and UNAPPRAISED: whether anyone above ever lowers a claim, or looks at it at all."""

import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from ratings.signals.frames import Ratings, has, signal_rows
from ratings.signals.rows import numbers, placed
from ratings.signals.statistics import (
    Window,
    beta_binomial_fit,
    beta_binomial_upper,
    first_reason,
    guarded,
    p_of,
    z_of,
)

FEWEST_CLAIMS = 10
"""Of fewer claims nothing is said."""

FEWEST_ORGANISATIONS = 15
"""With fewer there is nothing to compare with."""

FEWEST_OWN = 1
"""An organisation's own rating is one decision a period, and speaks from the first on."""

CLERKS_HABIT = 0.001
"""The least p of missing appraisals: a clerk who leaves the column empty looks the same."""

COUNTS = ("claims", "lowered", "raised", "decided", "unappraised")
STEPS = ("own", "appraised", "final")


class View(NamedTuple):
    """One way of looking at the ladder: how many of how many, from how many on, and its part of the tolerated error."""

    name: str
    part: np.ndarray
    whole: np.ndarray
    fewest: int
    weight: float

    @property
    def judged(self) -> np.ndarray:
        """Which organisations have enough to be looked at so."""
        return (self.whole >= self.fewest) & np.isfinite(self.part)


def ladder(ratings: Ratings, period: int) -> pd.DataFrame:
    """LADDER: whether anyone above ever lowers a claim.

    Over up to three periods, of the subjects with a claim and a decision: kept = not decided or appraised below the
    claim, raised = decided above what was claimed or appraised. Upper mid-p of each under the beta-binomial of all
    organisations, guarded; the smaller, divided by its weight (0.8 kept, 0.2 raised), counts.

    `n` claims, `observed` and `expected` of those that view counts, `statistic` their share; `parameters`: `view`,
    `lowered`, `raised`.
    Source: inflation.md (LADDER); leniency of self- and single-source ratings, Jawahar & Williams 1997.
    Needs: 10 claims, 15 organisations, and somebody in the table whose claim was lowered (or raised).
    Size at .05: .019 to .035 in the empty provinces of `docs/detection.md`.
    Innocent: modest claims; a lively discussion before the claim is written down.
    """
    counts = _counts(ratings, Window.of(ratings, period))
    claims, lowered, raised = (counts[name] for name in ("claims", "lowered", "raised"))
    views = (
        View("kept", claims - lowered, claims, FEWEST_CLAIMS, 0.8),
        View("raised", raised, claims, FEWEST_CLAIMS, 0.2),
    )
    return _rows("LADDER", ratings, period, views, {"lowered": lowered, "raised": raised})


def unappraised(ratings: Ratings, period: int) -> pd.DataFrame:
    """UNAPPRAISED: whether levels were decided without a claim or an appraisal.

    Over up to three periods, upper mid-p of the decisions without one among all decisions under the beta-binomial of
    all organisations, guarded; of the subjects, and of the organisation's own rating; the smaller, divided by its
    weight (one half), counts; p is never below .001, because a clerk who leaves a column empty looks the same. `n`
    decisions, `observed` those without, `statistic` their share; `parameters`: `view`.
    Source: inflation.md (LADDER, "appraisal missing").
    Needs: 10 decisions on subjects or one on the organisation, 15 organisations, one decision without appraisal.
    Size at .05: .021 to .070 in the empty provinces of `docs/detection.md`.
    Innocent: a column of the form left empty by the one who filled it in.
    """
    window = Window.of(ratings, period)
    counts = _counts(ratings, window)
    own = {name: window.column(f"own_{name}") for name in ("level", "self", "appraised")}
    decided = np.isfinite(own["level"])
    without = np.where(decided, 0.0, np.nan)
    for step in ("self", "appraised"):
        if np.isfinite(own[step]).any():
            without = np.where(decided & np.isnan(own[step]), 1.0, without)
    if not (np.isfinite(own["self"]) | np.isfinite(own["appraised"])).any():
        without = np.full(len(without), np.nan)
    owners = len(window.here)
    own_without, own_decided = (
        _total(window.grid.row, values, owners)[window.here]
        for values in (without, np.where(np.isfinite(without), 1.0, np.nan))
    )
    views = (
        View("subjects", counts["unappraised"], counts["decided"], FEWEST_CLAIMS, 0.5),
        View("own", own_without, own_decided, FEWEST_OWN, 0.5),
    )
    return _rows("UNAPPRAISED", ratings, period, views, {}, least=CLERKS_HABIT)


def _rows(
    name: str,
    ratings: Ratings,
    period: int,
    views: tuple[View, ...],
    told: dict[str, np.ndarray],
    *,
    least: float = 0.0,
) -> pd.DataFrame:
    """The signal of several views: the smallest guarded upper mid-p, each divided by its weight, counts."""
    tails = np.column_stack([p_of(guarded(z_of(_upper(view)))) for view in views])
    known = np.isfinite(tails)
    share = np.where(known, [view.weight for view in views], 0.0)
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-9)
    divided = np.where(known, tails, np.inf) / np.where(known, share, 1.0)
    p = np.where(known.any(axis=1), np.clip(divided.min(axis=1), least, 1.0), np.nan)
    which = divided.argmin(axis=1)
    chosen = which, np.arange(len(p))
    part = np.where(np.isfinite(p), np.stack([view.part for view in views])[chosen], np.nan)
    whole = np.where(np.isfinite(p), np.stack([view.whole for view in views])[chosen], np.nan)
    usual = np.array([_usual(view) for view in views])[which]
    enough = np.stack([view.judged for view in views])
    heads = [json.dumps({"view": view.name})[:-1] for view in views]
    template = "%s" + "".join(f", {json.dumps(each)}: %r" for each in told) + "}"
    reason = first_reason(
        len(p),
        [
            (~np.stack([np.isfinite(view.whole) & np.isfinite(view.part) for view in views]).any(axis=0), "no_claims"),
            (~enough.any(axis=0), "too_small"),
            (enough.sum(axis=1).max() < FEWEST_ORGANISATIONS, "too_few_peers"),
            (True, "no_variance"),
        ],
    )
    return signal_rows(
        name,
        ratings,
        period,
        p=p,
        reason=reason,
        z=z_of(p),
        statistic=part / np.maximum(whole, 1),
        n=whole,
        observed=part,
        expected=usual * whole,
        peers=np.where(np.isfinite(p), np.isfinite(p).sum() - 1, np.nan),
        parameters=[
            template % (heads[view], *counts)
            for view, *counts in zip(which, *(np.nan_to_num(each).tolist() for each in told.values()), strict=True)
        ],
    )


def _counts(ratings: Ratings, window: Window) -> dict[str, np.ndarray]:
    """Claims and what became of them, by organisation of the judged period, over the window; NaN where not known.

    Of the organisations' own columns where they have them, else of the subjects.
    """
    if has(ratings.organisations, "claims"):
        owner = window.grid.row
        columns = {name: window.column(name) for name in ("claims", "lowered", "raised", "unappraised")}
        columns["decided"] = window.column("rated")
    elif has(ratings.subjects, "final") and (has(ratings.subjects, "own") or has(ratings.subjects, "appraised")):
        places = placed(ratings.subjects, window)
        owner = places.owner[places.inside]
        own, appraised, final = (numbers(ratings.subjects, name)[places.inside] for name in STEPS)
        decided = np.isfinite(final)
        claimed = decided & (np.isfinite(own) | np.isfinite(appraised))
        # Comparisons with NaN are false: a step that is missing neither lowers nor raises.
        columns = {
            "claims": claimed,
            "lowered": claimed & ((final < own) | (appraised < own) | (final < appraised)),
            "raised": claimed & (final > np.fmax(own, appraised)),
            "decided": decided,
            "unappraised": np.zeros(len(owner), bool),
        }
        for name, step in (("own", own), ("appraised", appraised)):
            if has(ratings.subjects, name):
                columns["unappraised"] |= decided & np.isnan(step)
    else:
        return dict.fromkeys(COUNTS, np.full(int(window.here.sum()), np.nan))
    return {name: _total(owner, values, len(window.here))[window.here] for name, values in columns.items()}


def _total(owner: np.ndarray, values: np.ndarray, owners: int) -> np.ndarray:
    """Sums of numbers, or how many flags are set, by owner; NaN where an owner has none that is known."""
    if values.dtype == bool:
        total = np.bincount(owner[values], minlength=owners).astype(float)
    else:
        known = np.isfinite(values)
        owner = owner[known]
        total = np.bincount(owner, weights=values[known], minlength=owners)
    return np.where(np.bincount(owner, minlength=owners) > 0, total, np.nan)


def _upper(view: View) -> np.ndarray:
    """The upper mid-p of what is judged, under the beta-binomial of all; NaN where there is nothing to compare."""
    judged = view.judged
    part, whole = view.part[judged], view.whole[judged]
    if judged.sum() < FEWEST_ORGANISATIONS or not 0 < part.sum() < whole.sum():
        return np.full(len(judged), np.nan)
    usual = beta_binomial_fit(part, whole)
    return beta_binomial_upper(np.where(judged, view.part, np.nan), view.whole, usual.alpha, usual.beta)


def _usual(view: View) -> float:
    """The share of all that are judged together."""
    return float(view.part[view.judged].sum() / max(view.whole[view.judged].sum(), 1))


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"LADDER": ladder, "UNAPPRAISED": unappraised}
