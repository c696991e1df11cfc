"""What more than one signal needs: scales, fits, exact tails, pooling over periods, and the guard against the unknown.

Everything is vectorised over organisations, deterministic, and takes NaN for "not known"; what cannot be computed is
NaN. A positive z, like a small p, always speaks for "higher, more even, more alike than chance".
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import betaln, gammaln, ndtr, ndtri

from ratings.signals.frames import Grid, Ratings

Numbers = np.ndarray | pd.Series | float

FEWEST_GUARDED = 30
"""Of fewer organisations the spread of their z is not estimated: `guarded` leaves them as they are."""

SMALLEST_P = 1e-12

TABLE = 20_000_000
"""So many numbers a table of exact chances holds at most; of more organisations it is made part by part."""

POOLED_PERIODS = 3
"""So many latest periods, the judged one included, speak for an organisation."""

_TRIMMED = 0.95
"""Pearson's squares above this quantile are pulled in before the over-dispersion is estimated …"""

_TRIMMED_BACK = 1.15
"""… and their mean is multiplied by this, about what trimming 5% takes from the mean of a chi-square of one degree."""


def angle(part: Numbers, whole: Numbers) -> np.ndarray:
    """Anscombe's arcsine of a share, in radians: chance alone gives it the variance 1/(4n + 2) whatever the share."""
    return np.arcsin(np.sqrt((np.asarray(part, float) + 0.375) / (np.asarray(whole, float) + 0.75)))


def z_of(p: Numbers) -> np.ndarray:
    """The normal deviate whose upper tail is p; p is held in [1e-12, 1 - 1e-12], NaN stays NaN."""
    return -ndtri(np.clip(np.asarray(p, float), SMALLEST_P, 1 - SMALLEST_P))


def p_of(z: Numbers) -> np.ndarray:
    """The upper tail of a normal deviate, never below 1e-12; NaN stays NaN."""
    return np.maximum(ndtr(-np.asarray(z, float)), SMALLEST_P)


def guarded(z: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Deviates of one signal and period, measured against how they really spread (Efron's empirical null).

    (z - max(0, median)) / max(1, interquartile range / 1.349): honest organisations that differ for reasons no one
    named make the middle of the field wider than chance; it is never made narrower, nor moved up. Quantiles count
    every value by its `weight` where given. Fewer than 30 finite values are returned as they are.
    """
    z = np.asarray(z, float)
    finite = z[np.isfinite(z)]
    if len(finite) < FEWEST_GUARDED:
        return z
    low, middle, high = weighted_quantiles(
        finite, [0.25, 0.5, 0.75], None if weight is None else weight[np.isfinite(z)]
    )
    return (z - max(0.0, middle)) / max(1.0, (high - low) / 1.349)


def weighted_quantiles(values: np.ndarray, at: float | Sequence[float], weight: np.ndarray | None) -> np.ndarray:
    """Quantiles of values that count by their weights; numpy's where all count the same."""
    if weight is None or weight.min() == weight.max():
        return np.quantile(values, at)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    return values[order][np.minimum(np.searchsorted(reached, np.asarray(at) * reached[-1]), len(values) - 1)]


def stouffer(z: np.ndarray, rho: float | None = None) -> tuple[np.ndarray, float]:
    """One deviate of several per organisation (columns: periods, cut-offs), and the correlation it was reckoned with.

    sum z / sqrt(m + m(m - 1) rho) over the m finite ones; rho, where not given, is the median Spearman correlation of
    the columns, at least 0: an honest organisation keeps its ways, so its periods are not so many independent
    witnesses. Rows without any finite value are NaN.
    """
    z = np.asarray(z, float)
    if rho is None:
        rho = correlation(z)
    finite = np.isfinite(z)
    count = finite.sum(axis=1)
    spread = np.sqrt(np.maximum(count + count * (count - 1) * rho, 1e-9))
    return np.where(count > 0, np.where(finite, z, 0).sum(axis=1) / spread, np.nan), rho


def correlation(z: np.ndarray, fewest: int = 20) -> float:
    """The median Spearman correlation of the columns, at least 0; 0 where no two columns share `fewest` + 1 rows."""
    pairs = []
    for first in range(z.shape[1]):
        for second in range(first + 1, z.shape[1]):
            both = np.isfinite(z[:, first]) & np.isfinite(z[:, second])
            if both.sum() > fewest:
                pairs.append(spearman(z[both, first], z[both, second]))
    return max(0.0, float(np.median(pairs))) if pairs else 0.0


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value from 1 on, ties shared."""
    return pd.Series(values).rank().to_numpy()


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation, ties shared; 0 where one of both does not vary."""
    first, second = ranks(first), ranks(second)
    first, second = first - first.mean(), second - second.mean()
    scale = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / scale) if scale > 0 else 0.0


class BetaBinomial(NamedTuple):
    """A beta-binomial; `mean` is its share, `overdispersion` in (0, 1) by how much counts differ beyond chance."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The expected share."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def overdispersion(self) -> float:
        """The correlation of two members of one organisation, 1 / (alpha + beta + 1)."""
        return 1 / (self.alpha + self.beta + 1)


def overdispersion(
    part: np.ndarray,
    whole: np.ndarray,
    mean: Numbers,
    weight: np.ndarray | None = None,
    *,
    least: float = 1e-4,
    most: float = 0.5,
) -> float:
    """How much counts differ from organisation to organisation beyond chance, given their expected shares.

    By moments of Pearson's squares, the highest twentieth of which is pulled in first: those who inflate do not widen
    the field they are judged in. Counts of one or none say nothing; fewer than five others give `least`. Counts
    may have weights (`mixture.usual_weights`).
    """
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    mean = np.broadcast_to(np.asarray(mean, float), whole.shape)
    telling = (whole > 1) & np.isfinite(part) & (mean > 0) & (mean < 1)
    if telling.sum() < 5:
        return least
    part, whole, mean = part[telling], whole[telling], mean[telling]
    squares = (part - whole * mean) ** 2 / (whole * mean * (1 - mean))
    weight = None if weight is None else weight[telling]
    pulled_in = np.minimum(squares, weighted_quantiles(squares, _TRIMMED, weight))
    trimmed = np.average(pulled_in, weights=weight) * _TRIMMED_BACK
    return float(np.clip((trimmed - 1) / np.average(whole - 1, weights=weight), least, most))


def beta_binomial_fit(part: np.ndarray, whole: np.ndarray, weight: np.ndarray | None = None) -> BetaBinomial:
    """A beta-binomial fitted to counts by robust moments (`overdispersion`); unknown and empty ones are left out.

    Counts may have weights (`mixture.usual_weights`).
    """
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    known = np.isfinite(part) & (whole > 0)
    part, whole = part[known], whole[known]
    weight = np.ones(len(part)) if weight is None else weight[known]
    mean = (weight @ part + 0.5) / (weight @ whole + 1)
    size = 1 / overdispersion(part, whole, mean, weight) - 1
    return BetaBinomial(mean * size, (1 - mean) * size)


def beta_binomial_log_pmf(part: Numbers, whole: Numbers, alpha: Numbers, beta: Numbers) -> np.ndarray:
    """Log probability of exactly `part` of `whole`."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    choices = gammaln(whole + 1) - gammaln(part + 1) - gammaln(whole - part + 1)
    return choices + betaln(part + alpha, whole - part + beta) - betaln(alpha, beta)


def beta_binomial_upper(part: Numbers, whole: Numbers, alpha: Numbers, beta: Numbers) -> np.ndarray:
    """P(K > part) + P(K = part) / 2 of a beta-binomial, for arrays; NaN where a count is not known.

    The half (mid-p) makes the p of counts neither too shy nor too bold on average. Exact: the tail that lies away from
    the mean is summed by the ratio of neighbouring probabilities, the other is its complement.
    """
    beyond, exactly = _tail(part, whole, alpha, beta)
    return np.clip(beyond + exactly / 2, SMALLEST_P, 1)


def beta_binomial_beyond(part: Numbers, whole: Numbers, alpha: Numbers, beta: Numbers) -> np.ndarray:
    """P(K > part) of a beta-binomial: 1 below nothing, 0 from the whole on; NaN where a count is not known."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    beyond, _ = _tail(np.clip(part, 0, whole), whole, alpha, beta)
    return np.where(part < 0, 1.0, np.where(part >= whole, 0.0, np.clip(beyond, 0, 1)))


def _tail(part: Numbers, whole: Numbers, alpha: Numbers, beta: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """P(K > part) and P(K = part)."""
    part, whole, alpha, beta = np.broadcast_arrays(*(np.asarray(each, float) for each in (part, whole, alpha, beta)))
    known = np.isfinite(part) & np.isfinite(whole) & np.isfinite(alpha) & np.isfinite(beta)
    k, n, a, b = part[known], whole[known], alpha[known], beta[known]
    exactly = np.exp(beta_binomial_log_pmf(k, n, a, b))
    above = k * (a + b) >= n * a
    # Seen from the other side the lower tail is an upper one.
    far = _beyond(np.where(above, k, n - k), n, np.where(above, a, b), np.where(above, b, a), exactly)
    tail, point = np.full(part.shape, np.nan), np.full(part.shape, np.nan)
    tail[known], point[known] = np.where(above, far, 1 - far - exactly), exactly
    return tail, point


def _beyond(
    k: np.ndarray, n: np.ndarray, a: np.ndarray, b: np.ndarray, exactly: np.ndarray, block: int = 32
) -> np.ndarray:
    """P(K > k) where k is not below the mean: terms from k up, a block of columns at a time."""
    total = np.zeros(len(k))
    bell = (a >= 1) & (b >= 1)  # only then no later term can be larger than the ratio says
    rows = np.flatnonzero((k < n) & (exactly > 0))
    last, reached = exactly[rows], k[rows]
    while len(rows):
        steps = reached[:, None] + np.arange(block)
        size, left = n[rows, None], a[rows, None]
        ratio = np.where(
            steps < size,
            (size - steps) / (steps + 1) * (steps + left) / np.maximum(size - steps - 1 + b[rows, None], 1e-300),
            0,
        )
        terms = last[:, None] * np.cumprod(ratio, axis=1)
        total[rows] += terms.sum(axis=1)
        last, reached = terms[:, -1], reached + block
        alive = (last > 0) & ~(
            bell[rows] & (last * (n[rows] - reached) < 1e-12 * np.maximum(total[rows] + exactly[rows], SMALLEST_P))
        )
        rows, last, reached = rows[alive], last[alive], reached[alive]
    return total


def poisson_binomial_upper(probability: np.ndarray, happened: np.ndarray, owner: np.ndarray, owners: int) -> np.ndarray:
    """P(X > x) + P(X = x) / 2 for each owner, X the number of independent trials of differing probability that happen.

    One row a trial; `owner` is 0 … `owners` - 1. Trials with a probability of NaN do not count; owners without trials
    are NaN. Exact, by adding one trial of every owner at a time.
    """
    probability, happened, owner = np.asarray(probability, float), np.asarray(happened, float), np.asarray(owner)
    known = np.isfinite(probability)
    order = np.flatnonzero(known)[np.argsort(owner[known], kind="stable")]
    probability, happened, owner = probability[order], happened[order], owner[order]
    trials = np.bincount(owner, minlength=owners)
    hits = np.bincount(owner, weights=happened, minlength=owners).astype(int)
    start = np.r_[0, np.cumsum(trials)[:-1]]
    upper = np.full(owners, np.nan)
    longest, width = int(trials.max(initial=0)), 1
    while width // 2 < longest:  # owners of 1, 2, 3-4, 5-8 … trials at a time: the table stays narrow
        at_once = max(1, TABLE // (width + 1))
        chosen = np.flatnonzero((trials > width // 2) & (trials <= width))
        for first in range(0, len(chosen), at_once):
            rows = chosen[first : first + at_once]
            upper[rows] = _poisson_binomial_block(probability, start[rows], trials[rows], hits[rows], width)
        width *= 2
    return np.where(np.isnan(upper), np.nan, np.clip(upper, SMALLEST_P, 1))


def _poisson_binomial_block(
    probability: np.ndarray, start: np.ndarray, trials: np.ndarray, hits: np.ndarray, width: int
) -> np.ndarray:
    chances = np.zeros((len(start), width + 1))
    chances[:, 0] = 1
    for trial in range(width):
        # A trial that an owner does not have never happens: it changes nothing.
        q = np.where(trial < trials, probability[np.minimum(start + trial, len(probability) - 1)], 0)[:, None]
        chances[:, 1:] = chances[:, 1:] * (1 - q) + chances[:, :-1] * q
        chances[:, :1] *= 1 - q
    beyond = np.arange(width + 1) > hits[:, None]
    return (chances * beyond).sum(axis=1) + chances[np.arange(len(hits)), hits] / 2


def sum_upper(scores: np.ndarray, chances: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """P(S > s) + P(S = s) / 2, S the sum of independent scores, one a period, s the sum of those that came.

    `scores` and `chances` are [organisation, period, outcome], `observed` [organisation, period] the outcome that came,
    NaN where the period is not known. Exact, by adding up all outcomes of the (few) periods; NaN without any period.
    """
    organisations, periods, outcomes = scores.shape
    known = np.isfinite(observed)
    sure = np.arange(outcomes) == 0  # a period that is not known scores nothing, for certain
    scores = np.where(known[..., None], scores, 0.0)
    chances = np.where(known[..., None], chances, sure)
    came = np.where(known, observed, 0).astype(int)
    reached = np.take_along_axis(scores, came[..., None], axis=2)[..., 0].sum(axis=1)
    upper = np.empty(organisations)
    at_once = max(1, TABLE // 5 // outcomes**periods)
    for first in range(0, organisations, at_once):
        rows = slice(first, first + at_once)
        total, chance = np.zeros((len(reached[rows]), 1)), np.ones((len(reached[rows]), 1))
        for period in range(periods):
            total = (total[:, :, None] + scores[rows, period, None, :]).reshape(len(total), -1)
            chance = (chance[:, :, None] * chances[rows, period, None, :]).reshape(len(chance), -1)
        beyond = total - reached[rows, None]
        upper[rows] = (chance * np.where(beyond > 1e-9, 1.0, np.where(beyond > -1e-9, 0.5, 0.0))).sum(axis=1)
    return np.where(known.any(axis=1), np.clip(upper, SMALLEST_P, 1), np.nan)


class Fit(NamedTuple):
    """A regression: what is expected of every row by the rows of other folds, and the weights robustness left."""

    expected: np.ndarray
    kept: np.ndarray


def huber_ridge(
    columns: np.ndarray,
    outcome: np.ndarray,
    weight: np.ndarray,
    fold: np.ndarray,
    *,
    fitted: np.ndarray | None = None,
    penalty: float = 1.0,
    bend: float | None = 1.345,
    rounds: int = 6,
    kept: np.ndarray | None = None,
) -> Fit:
    """Ridge regression by Huber's weights, every row expected without the rows of its own fold.

    `columns` begins with a constant, which is not penalised; `fold` is 0, 1, …; rows where `fitted` is false are
    expected but not learned from; `bend` None is least squares (for a discrete outcome, whose median deviation is 0).
    The robust weights come from all rows together, beginning with `kept` of an earlier fit where given; leaving a fold
    out takes its part from the normal equations.
    """
    use = np.ones(len(outcome), bool) if fitted is None else np.asarray(fitted, bool)
    weight = np.where(use, weight, 0.0)
    weight = weight / max(weight[use].mean() if use.any() else 1.0, 1e-300)
    outcome = np.where(use, outcome, 0.0)
    ridge = np.eye(columns.shape[1]) * penalty
    ridge[0, 0] = 1e-9
    kept = np.ones(len(outcome)) if kept is None else kept
    for _ in range(rounds if bend is not None else 0):
        weighted = columns * (weight * kept)[:, None]
        residual = (outcome - columns @ np.linalg.solve(weighted.T @ columns + ridge, weighted.T @ outcome)) * np.sqrt(
            weight
        )
        scale = max(np.median(np.abs(residual[use])) / 0.6745, 1e-9) if use.any() else 1.0
        kept = np.minimum(1.0, bend * scale / np.maximum(np.abs(residual), 1e-12))
    weighted = columns * (weight * kept)[:, None]
    order = np.argsort(fold, kind="stable")
    bounds = np.flatnonzero(np.r_[True, np.diff(fold[order]) != 0, True]) if len(fold) else np.array([0])
    slices = [order[first:last] for first, last in pairwise(bounds)]
    grams = np.array([weighted[rows].T @ columns[rows] for rows in slices])
    sides = np.array([weighted[rows].T @ outcome[rows] for rows in slices])
    expected = np.full(len(outcome), np.nan)
    if slices:
        whole = len(slices) == 1  # nothing would be left to learn from
        coefficients = np.linalg.solve(
            (grams.sum(axis=0) - (0 if whole else grams)) + ridge,
            (sides.sum(axis=0) - (0 if whole else sides))[..., None],
        )[..., 0]
        for rows, each in zip(slices, coefficients, strict=True):
            expected[rows] = columns[rows] @ each
    return Fit(expected, kept)


def folds(parent: pd.Series, organisation: pd.Series, *, fewest: int = 5, most: int = 1000) -> np.ndarray:
    """Which rows are left out together: those of one parent, so that a district is not judged by its own ways.

    Fewer than `fewest` parents, or none known: ten parts of the organisations by their sorted codes. More than `most`
    parents share folds.
    """
    code, parents = pd.factorize(parent, sort=True)
    if len(parents) < fewest or (code < 0).any():
        code = pd.factorize(organisation, sort=True)[0] % 10
        return np.asarray(code)
    return np.asarray(code % most)


def centre_of_groups(values: np.ndarray, group: np.ndarray, *, shrink: float = 3.0, mean: bool = False) -> np.ndarray:
    """The median (or mean) of each row's group times m / (m + shrink), m finite values in it; 0 without any."""
    values, group = np.asarray(values, float), np.asarray(group)
    centre = np.zeros(len(values))
    finite = np.flatnonzero(np.isfinite(values) & (group >= 0))
    if not len(finite):
        return centre
    order = finite[np.lexsort((values[finite], group[finite]))]
    size = np.bincount(group[finite], minlength=group.max() + 1)
    start = np.r_[0, np.cumsum(size)[:-1]]
    held = np.flatnonzero(size)
    middle = np.zeros(len(size))
    if mean:
        middle[held] = np.bincount(group[finite], weights=values[finite], minlength=len(size))[held] / size[held]
    else:
        low, high = order[start[held] + (size[held] - 1) // 2], order[start[held] + size[held] // 2]
        middle[held] = (values[low] + values[high]) / 2
    rows = group >= 0
    centre[rows] = (middle * size / (size + shrink))[group[rows]]
    return centre


OTHER = "khác"


def pooled_types(kind: pd.Series, *, fewest: int = 40, fewest_left: int = 15) -> pd.Series:
    """Types that are large enough to compare within, aligned with the rows.

    A type of fewer than `fewest` rows becomes "khác" within what stands before "|" in its name; what is still of fewer
    than `fewest_left` rows joins the largest. A missing type is a type of its own ("khác").
    """
    code, names = pd.factorize(kind.astype("object"), use_na_sentinel=True)
    names = np.append(np.asarray(names, dtype=object), None)
    code = np.where(code < 0, len(names) - 1, code)
    size = np.bincount(code, minlength=len(names))
    pooled = [
        OTHER
        if name is None
        else str(name)
        if count >= fewest
        else "".join(str(name).partition("|")[:-1]) + OTHER
        if "|" in str(name)
        else OTHER
        for name, count in zip(names, size, strict=True)
    ]
    left: dict[str, int] = {}
    for name, count in zip(pooled, size, strict=True):
        left[name] = left.get(name, 0) + int(count)
    largest = min(left, key=lambda name: (-left[name], name))
    final = np.array([name if left[name] >= fewest_left else largest for name in pooled], dtype=object)
    return pd.Series(final[code], index=kind.index)


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """The q of every p among those that are known: the least false discovery rate at which it is listed."""
    p = np.asarray(p, float)
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1)
    return q


def largest_of(*deviates: np.ndarray) -> np.ndarray:
    """One deviate for several views of one question: the largest, as if the m known views were independent.

    Its p becomes 1 - (1 - p)^m (Sidak): what Bonferroni gives where p is small, but without lumping the rest at 1,
    which would stretch the middle of the field that `guarded` measures.
    """
    views = np.column_stack(deviates)
    count = np.isfinite(views).sum(axis=1)
    largest = np.where(np.isfinite(views), views, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(count > 0, z_of(-np.expm1(count * np.log1p(-np.minimum(p_of(largest), 1 - 1e-12)))), np.nan)


@dataclass(frozen=True)
class Window:
    """The rows of the judged period and of those before it that speak with it, sorted by organisation and period.

    `grid` spreads columns to [organisation, period]; `here` tells which of the grid's organisations have a row in the
    judged period - `values[window.here]` is aligned with what `signal_rows` wants.
    """

    frame: pd.DataFrame
    grid: Grid
    period: int
    here: np.ndarray = field(repr=False)

    @classmethod
    def of(cls, ratings: Ratings, period: int, most: int = POOLED_PERIODS) -> "Window":
        """The organisations' rows of `period` and of the latest periods before it, `most` in all."""
        frame = latest(ratings.organisations, period, most)
        grid = Grid.of(frame)
        order = np.argsort(grid.row * len(grid.periods) + grid.column, kind="stable")
        frame = frame.iloc[order].reset_index(drop=True)
        grid = Grid(grid.organisations, grid.periods, grid.row[order], grid.column[order])
        here = np.zeros(len(grid.organisations), bool)
        here[grid.row[(frame["period"] == period).to_numpy()]] = True
        return cls(frame, grid, period, here)

    def column(self, name: str) -> np.ndarray:
        """A numeric column of the frame's rows, all NaN where the frame has it not."""
        if name not in self.frame:
            return np.full(len(self.frame), np.nan)
        return pd.to_numeric(self.frame[name]).to_numpy(float, na_value=np.nan)

    def text(self, name: str) -> pd.Series:
        """A text column of the frame's rows, all missing where the frame has it not."""
        return self.frame[name] if name in self.frame else pd.Series(pd.NA, index=self.frame.index, dtype="str")

    def types(self) -> np.ndarray:
        """Of each row the number, 0, 1, …, of the pooled type it is compared within."""
        return pd.factorize(pooled_types(self.text("type")), sort=True)[0]

    def peers(self, judged: np.ndarray) -> np.ndarray:
        """How many `judged` rows there are of each row's pooled type and period."""
        group = self.types() * len(self.grid.periods) + self.grid.column
        return np.bincount(group, weights=judged)[group].astype(int)

    def now(self, values: np.ndarray) -> np.ndarray:
        """Values of the frame's rows in the judged period, in the order of its organisations."""
        return np.asarray(values)[(self.frame["period"] == self.period).to_numpy()]


def latest(frame: pd.DataFrame, period: int, most: int = POOLED_PERIODS) -> pd.DataFrame:
    """The rows of `period` and of the periods before it that the frame has, `most` in all; empty stays empty."""
    if frame.empty:
        return frame
    periods = np.sort(frame["period"].unique())
    return frame[frame["period"].isin(periods[periods <= period][-most:])]


def first_reason(count: int, reasons: Iterable[tuple[np.ndarray | bool, str]]) -> np.ndarray:
    """For each of `count` organisations the first reason whose condition holds, None where none does."""
    answer = np.full(count, None, dtype=object)
    for holds, reason in reversed(list(reasons)):
        answer[np.broadcast_to(holds, count)] = reason
    return answer


def parameters(count: int, /, **values: np.ndarray | float | int | str | None) -> np.ndarray:
    """For each of `count` organisations a JSON object of these values; numbers to four decimals, NaN is null."""
    template, columns = [], []
    for name, value in values.items():
        if np.ndim(value):
            template.append(f"{json.dumps(name)}: %s")
            columns.append(_json_numbers(np.asarray(value)))
        else:
            known = value is None or isinstance(value, str | bool | int)
            template.append(
                f"{json.dumps(name)}: {json.dumps(value) if known else _json_numbers(np.array([value]))[0]}"
            )
            template[-1] = template[-1].replace("%", "%%")
    text = "{" + ", ".join(template) + "}"
    rows = zip(*columns, strict=True) if columns else ((),) * count
    return np.array([text % row for row in rows], dtype=object)


def _json_numbers(values: np.ndarray) -> list[str]:
    if values.dtype.kind in "iu":
        return list(map(str, values.tolist()))
    return [repr(value) if value - value == 0 else "null" for value in np.round(values.astype(float), 4).tolist()]
