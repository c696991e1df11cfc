"""Control limits of a share: how far an organisation of a given size may lie from the whole by chance.

Shares are compared on Anscombe's arcsine scale, where chance alone gives the variance 1/(4n + 2) whatever the share.
Real organisations differ by more than chance (over-dispersion), so a variance between organisations, tau squared, is
estimated from the middle of the field and added (Spiegelhalter 2005; as the NHS does for its funnel plots). Where
organisations differ by less than chance - all filling the same quota - tau squared is zero.

The charts draw the same funnel that the signal judges by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.special import stdtr

from ratings.signals.frames import Ratings, has, signal_rows
from ratings.signals.statistics import (
    FEWEST_GUARDED,
    Numbers,
    Window,
    angle,
    first_reason,
    guarded,
    p_of,
    parameters,
    stouffer,
    z_of,
)

WARNING = NormalDist().inv_cdf(0.975)
ALARM = NormalDist().inv_cdf(0.999)
"""Two-sided 95% and 99,8% limits, in standard deviations."""

WINSORISED = 0.1
"""The part at each end that is pulled in before the spread is estimated, so that outliers do not hide themselves."""

LARGE = 20
"""Organisations with fewer members tell nothing of the spread: most of their counts are 0 or 1."""

FEWEST_LARGE = 10
"""Of fewer large organisations no spread is estimated: chance alone is drawn."""

FEWEST_RATED = 15
"""An organisation is tested from so many rated on."""

_EDGE = NormalDist().inv_cdf(1 - WINSORISED)
SHRINKAGE = 1 - 2 * WINSORISED - 2 * _EDGE * NormalDist().pdf(_EDGE) + 2 * WINSORISED * _EDGE**2
"""What pulling in the ends leaves of the variance of a normal field (0,68): the estimate is divided by it."""


@dataclass(frozen=True)
class Funnel:
    """Limits round the share of all organisations together."""

    centre: float
    variance_between: float

    def score(self, part: Numbers, whole: Numbers) -> Numbers:
        """How many standard deviations an organisation lies from the centre."""
        return (angle(part, whole) - np.arcsin(np.sqrt(self.centre))) / self._spread(whole)

    def limit(self, whole: Numbers, deviations: float) -> Numbers:
        """The share that scores so many deviations, for organisations of these sizes; what is drawn is what judges."""
        whole = np.asarray(whole, dtype=float)
        middle = np.arcsin(np.sqrt(self.centre)) + deviations * self._spread(whole)
        part = (whole + 0.75) * np.sin(np.clip(middle, 0, np.pi / 2)) ** 2 - 0.375
        return np.clip(part / whole, 0, 1)

    def _spread(self, whole: Numbers) -> Numbers:
        return np.sqrt(1 / (4 * np.asarray(whole, dtype=float) + 2) + self.variance_between)


def funnel(part: pd.Series | np.ndarray, whole: pd.Series | np.ndarray) -> Funnel:
    """The funnel of organisations, its spread estimated from those large enough for the scale to hold."""
    part, whole = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    plain = Funnel(float(part.sum() / whole.sum()), 0.0)
    large = whole >= LARGE
    count = int(large.sum())
    if count < FEWEST_LARGE:
        return plain
    scores = np.asarray(plain.score(part[large], whole[large]))
    low, high = np.quantile(scores, [WINSORISED, 1 - WINSORISED])
    dispersion = float(np.mean(np.clip(scores, low, high) ** 2)) / SHRINKAGE
    weights = 4 * whole[large] + 2
    excess = count * dispersion - (count - 1)
    room = weights.sum() - (weights**2).sum() / weights.sum()
    return Funnel(plain.centre, max(0.0, excess / room))


def wilson(part: float, whole: float, deviations: float = WARNING) -> tuple[float, float]:
    """Wilson's interval of a share: what the share behind the counts may be."""
    share, squared = part / whole, deviations**2
    middle = share + squared / (2 * whole)
    reach = deviations * np.sqrt(share * (1 - share) / whole + squared / (4 * whole**2))
    return float((middle - reach) / (1 + squared / whole)), float((middle + reach) / (1 + squared / whole))


def funnel_signal(ratings: Ratings, period: int) -> pd.DataFrame:
    """FUNNEL: whether the share of good ratings is high for an organisation of its size.

    z = (asin sqrt((k + .375) / (n + .75)) - centre of the type) / sqrt(1 / (4n + 2) + tau squared), the latest two
    periods pooled by correlated Stouffer, guarded (of fewer than 30: by their own spread and Student's t). `statistic`
    is that pooled z before the guard, `observed` and `expected` are members rated good or above in the period, `n` the
    rated, `peers` the organisations of its type that have 20 rated.

    Source: Spiegelhalter 2005, "Funnel plots for comparing institutional performance"; Anscombe 1948.
    Needs: 15 rated, 10 organisations of the type with 20 rated: the spread is learned from them.
    Size at .05: .000 to .007 in the empty provinces of `docs/detection.md`.
    Innocent: a strong or a small and well-chosen organisation; near 100% the scale saturates, so it is drawn and read,
    and takes no part in the combination.
    """
    window = Window.of(ratings, period, most=2)
    kind = window.types()
    rated, good = window.column("rated"), window.column("good")
    large = (rated >= FEWEST_RATED) & np.isfinite(good)
    z, centre, peers = np.full(len(rated), np.nan), np.full(len(rated), np.nan), np.zeros(len(rated), int)
    varies = np.zeros(len(rated), bool)
    for each in np.unique(kind):
        for column in range(len(window.grid.periods)):
            rows = (kind == each) & large & (window.grid.column == column)
            peers[rows] = (rated[rows] >= LARGE).sum()
            if (rated[rows] >= LARGE).sum() < FEWEST_LARGE:
                continue
            limits = funnel(good[rows], rated[rows])
            centre[rows] = limits.centre
            varies[rows] = 0 < limits.centre < 1
            if 0 < limits.centre < 1:
                z[rows] = limits.score(good[rows], rated[rows])
    pooled, rho = stouffer(window.grid.spread(z))
    answer = _judged(np.where(np.isfinite(window.now(z)), pooled[window.here], np.nan))
    large, peers, varies = window.now(large), window.now(peers), window.now(varies)
    return signal_rows(
        "FUNNEL",
        ratings,
        period,
        p=p_of(answer),
        reason=first_reason(
            len(answer),
            [
                (not has(ratings.organisations, "rated", "good"), "no_subjects"),
                (~large, "too_small"),
                (peers < FEWEST_LARGE, "too_few_peers"),
                (~varies, "no_variance"),
            ],
        ),
        statistic=pooled[window.here],
        z=answer,
        n=window.now(rated),
        observed=window.now(good),
        expected=window.now(centre * rated),
        peers=peers,
        parameters=parameters(len(answer), rho=rho, expected_share=window.now(centre)),
    )


def _judged(z: np.ndarray) -> np.ndarray:
    """Guarded deviates; of fewer than that needs, divided by how they spread, which so few tell only roughly."""
    count = int(np.isfinite(z).sum())
    if not 1 < count < FEWEST_GUARDED:
        return guarded(z)
    return z_of(stdtr(count - 1, -z / max(1.0, np.nanstd(z, ddof=1))))


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"FUNNEL": funnel_signal}
