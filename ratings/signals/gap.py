"""GAP: what an independent second look says."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import bdtrc, gammaln

from ratings.signals.frames import Ratings, has, signal_rows
from ratings.signals.statistics import SMALLEST_P, first_reason, z_of

FEWEST_RECHECKED = 5
"""Of a smaller second look nothing is said."""

CLERKS_ERROR = 0.03
"""So often a second look rates an honest "good" lower."""

SHRUNK_BY = 10.0
"""The gap that is ranked is that of the organisation and of so many without any."""


def gap(ratings: Ratings, period: int) -> pd.DataFrame:
    """GAP: whether a second look confirms what was decided.

    Of n rated, k good, m were looked at again: H of them had been good, hypergeometric(n, k, m), and an honest "good"
    is rated lower with the chance of a clerk's error, 0.03. p = P(L >= lowered),
    L ~ Binomial(H, 0.03): exact and without the half of mid-p, since a field check looks at equally many everywhere and
    the same step of a discrete p would be too bold everywhere at once.
    An absolute question, so without comparison and without guard: it is the only signal that still sees when everyone
    inflates. Where n and k are not known, H = m, which is the cautious side.

    `n` is m, `observed` the number lowered, `expected` m k/n 0.03, `statistic` the shrunk gap lowered / (m + 10).
    Source: inflation.md (GAP); acceptance sampling by attributes.
    Needs: `rechecks` of the period with m >= 5.
    Size at .05: at most .05, by enumeration.
    Innocent: the second look measured stricter than the regulation, or what it saw happened after the decision.
    """
    frame = ratings.organisations[ratings.organisations["period"] == period].sort_values("organisation")
    count = len(frame)
    rechecked, lowered = np.full(count, np.nan), np.full(count, np.nan)
    if has(ratings.rechecks, "rechecked"):
        looks = ratings.rechecks[ratings.rechecks["period"] == period]
        # Several second looks at one organisation are one of all they looked at.
        looks = looks.groupby("organisation")[["rechecked", "lowered"]].sum(min_count=1).reindex(frame["organisation"])
        rechecked, lowered = looks.to_numpy(float, na_value=np.nan).T
    rated, good = (
        frame[name].to_numpy(float, na_value=np.nan) if name in frame else np.full(count, np.nan)
        for name in ("rated", "good")
    )
    usable = (rated >= rechecked) & (good >= lowered)
    rated, good = np.where(usable, rated, rechecked), np.where(usable, good, rechecked)
    known = np.isfinite(rechecked) & np.isfinite(lowered) & (rechecked >= FEWEST_RECHECKED)
    p = np.full(count, np.nan)
    if known.any():
        cases, place = np.unique(np.column_stack([rated, good, rechecked, lowered])[known], axis=0, return_inverse=True)
        p[known] = np.array([_upper(*case) for case in cases])[place.ravel()]
    reason = first_reason(count, [(~np.isfinite(rechecked) | ~np.isfinite(lowered), "no_recheck"), (True, "too_small")])
    return signal_rows(
        "GAP",
        ratings,
        period,
        p=p,
        reason=reason,
        z=z_of(p),
        statistic=np.where(known, lowered / (rechecked + SHRUNK_BY), np.nan),
        n=np.where(known, rechecked, np.nan),
        observed=np.where(known, lowered, np.nan),
        expected=np.where(known, rechecked * good / np.maximum(rated, 1) * CLERKS_ERROR, np.nan),
        peers=np.where(known, 0, np.nan),
        parameters=f'{{"clerks_error": {CLERKS_ERROR}, "shrunk_by": {SHRUNK_BY:g}}}',
    )


def _upper(rated: float, good: float, rechecked: float, lowered: float) -> float:
    """P(L >= lowered), summed over how many of those looked at had been good."""
    least = int(lowered)
    had = np.arange(int(max(0, rechecked - (rated - good))), int(min(rechecked, good)) + 1)
    chance = np.exp(_log_choose(good, had) + _log_choose(rated - good, rechecked - had) - _log_choose(rated, rechecked))
    tail = np.ones(len(had)) if least == 0 else bdtrc(least - 1, np.maximum(had, least), CLERKS_ERROR)
    return float(np.clip((chance * np.where(had >= least, tail, 0)).sum(), SMALLEST_P, 1))


def _log_choose(whole: np.ndarray | float, part: np.ndarray | float) -> np.ndarray:
    return gammaln(whole + 1) - gammaln(part + 1) - gammaln(whole - part + 1)


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"GAP": gap}
