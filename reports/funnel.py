"""Control limits of a share: how far an organisation of a given size may lie from the whole by chance.

Shares are compared on Anscombe's arcsine scale, where chance alone gives the variance 1/(4n + 2) whatever the share.
Real organisations differ by more than chance (over-dispersion), so a variance between organisations, tau squared, is
estimated from the middle of the field and added (Spiegelhalter 2005; as the NHS does for its funnel plots). Where
organisations differ by less than chance - all filling the same quota - tau squared is zero.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

Numbers = np.ndarray | pd.Series | float

WARNING = NormalDist().inv_cdf(0.975)
ALARM = NormalDist().inv_cdf(0.999)
"""Two-sided 95% and 99,8% limits, in standard deviations."""

WINSORISED = 0.1
"""The part at each end that is pulled in before the spread is estimated, so that outliers do not hide themselves."""

LARGE = 20
"""Organisations with fewer members tell nothing of the spread: most of their counts are 0 or 1."""

FEWEST_LARGE = 10
"""Of fewer large organisations no spread is estimated: chance alone is drawn."""

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
        return (_angle(part, whole) - np.arcsin(np.sqrt(self.centre))) / self._spread(whole)

    def limit(self, whole: Numbers, deviations: float) -> Numbers:
        """The share that scores so many deviations, for organisations of these sizes; what is drawn is what judges."""
        whole = np.asarray(whole, dtype=float)
        angle = np.arcsin(np.sqrt(self.centre)) + deviations * self._spread(whole)
        part = (whole + 0.75) * np.sin(np.clip(angle, 0, np.pi / 2)) ** 2 - 0.375
        return np.clip(part / whole, 0, 1)

    def _spread(self, whole: Numbers) -> Numbers:
        return np.sqrt(1 / (4 * np.asarray(whole, dtype=float) + 2) + self.variance_between)


def funnel(part: pd.Series, whole: pd.Series) -> Funnel:
    """The funnel of organisations, its spread estimated from those large enough for the scale to hold."""
    plain = Funnel(float(part.sum() / whole.sum()), 0.0)
    large = whole >= LARGE
    count = int(large.sum())
    if count < FEWEST_LARGE:
        return plain
    scores = np.asarray(plain.score(part[large], whole[large]))
    low, high = np.quantile(scores, [WINSORISED, 1 - WINSORISED])
    dispersion = float(np.mean(np.clip(scores, low, high) ** 2)) / SHRINKAGE
    weights = 4 * whole[large].to_numpy(dtype=float) + 2
    excess = count * dispersion - (count - 1)
    room = weights.sum() - (weights**2).sum() / weights.sum()
    return Funnel(plain.centre, max(0.0, excess / room))


def wilson(part: float, whole: float, deviations: float = WARNING) -> tuple[float, float]:
    """Wilson's interval of a share: what the share behind the counts may be."""
    share, squared = part / whole, deviations**2
    middle = share + squared / (2 * whole)
    reach = deviations * np.sqrt(share * (1 - share) / whole + squared / (4 * whole**2))
    return float((middle - reach) / (1 + squared / whole)), float((middle + reach) / (1 + squared / whole))


def _angle(part: Numbers, whole: Numbers) -> Numbers:
    return np.arcsin(np.sqrt((np.asarray(part, dtype=float) + 0.375) / (np.asarray(whole, dtype=float) + 0.75)))
