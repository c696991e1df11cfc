"""Ratings against what was done: members' ratings, the excellent among them, the organisation's own, and their rise.

What an organisation may expect to have been rated is learned from the organisations of other parents: a regression of
the share (on the arcsine scale) on the evidence, its type, size and period. What the whole parent adds or takes in
common is then granted to all its organisations, so that a harsh or a mild district costs nobody.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ratings.signals.frames import Ratings, signal_rows
from ratings.signals.mixture import usual_weights
from ratings.signals.shares import SHRINKAGE
from ratings.signals.statistics import (
    Window,
    angle,
    beta_binomial_upper,
    centre_of_groups,
    correlation,
    first_reason,
    folds,
    guarded,
    huber_ridge,
    overdispersion,
    p_of,
    parameters,
    stouffer,
    sum_upper,
    z_of,
)

FEWEST_RATED = 8
FEWEST_ROWS, FEWEST_PEERS = 100, 15
"""Evidence is learned from so many organisation-periods on; organisations are compared with so many peers on."""

LEAST_EXPLAINED = 0.10
"""Where the evidence explains less of the ratings, left-out parents predicted, ranks are compared instead."""

EDGE = 3.0
"""Evidence farther than so many standard deviations from the middle is no better evidence."""

CERTAIN = 0.003
"""No share is expected to be nearer to nothing or to all than this."""

LARGEST_JUMP = 0.001
"""The least p of a rise: a real reform looks the same."""

LEAST_LIFTED = 0.05
"""So large a group whose own levels are lifted is left out: of the lifted only those with room to be show it."""

NEIGHBOURS = 61
"""An organisation's own level is compared with so many whose work is nearest to its own."""


@dataclass(frozen=True)
class Expectation:
    """What share of its rated each row of a window may expect."""

    counts: np.ndarray
    """the counts that are judged; NaN where the row is not"""
    rated: np.ndarray
    share: np.ndarray
    """expected share; NaN where the row is not judged"""
    explained: float
    """the part of the variance that left-out parents' evidence, type and period explain"""
    variant: str
    """`evidence`, `ranks` (the evidence says too little) or `peers` (there is none)"""
    peers: np.ndarray
    """judged rows of the same type and period"""
    gap: np.ndarray
    """RANK-GAP of the row; NaN in the other variants"""

    def by_row(self) -> np.ndarray:
        """The deviate of every row's count."""
        return count_deviates(self.counts, self.rated, self.share)

    def by_organisation(self, window: Window) -> np.ndarray:
        """One deviate per organisation of the window's grid, its periods together."""
        if self.variant == "ranks":
            return stouffer(window.grid.spread(self.gap))[0]
        counts, rated, expected = self.sums(window)
        some = rated > 0
        share = np.where(some, expected / np.maximum(rated, 1), np.nan)
        return count_deviates(np.where(some, counts, np.nan), rated, share)

    def sums(self, window: Window) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts, rated and expected counts of each organisation of the window's grid, its periods added up."""
        judged = np.isfinite(self.counts)
        owner, owners = window.grid.row[judged], len(window.grid.organisations)
        counts, rated, expected = (
            np.bincount(owner, weights=values[judged], minlength=owners)
            for values in (self.counts, self.rated, self.rated * np.where(judged, self.share, 0))
        )
        return counts, rated, expected


def count_deviates(counts: np.ndarray, rated: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Deviates of counts above what shares expect, by the mid-p of a beta-binomial with their own over-dispersion."""
    dispersion = overdispersion(counts, rated, np.where(np.isfinite(share), share, 0), most=0.4)
    size = 1 / dispersion - 1
    return z_of(beta_binomial_upper(counts, rated, share * size, (1 - share) * size))


def evidence_columns(window: Window, ratings: Ratings, rows: np.ndarray) -> np.ndarray:
    """The evidence of the window's rows, each column centred at its median, in standard deviations, held within +-3.

    What is missing lies at the median; columns that do not vary among `rows`, or that fewer than half of them know, are
    left out. More is better in every column.
    """
    columns = []
    for name, sign in ratings.evidence.items():
        values = sign * window.column(name)
        known = np.isfinite(values) & rows
        if known.sum() * 2 < rows.sum() or known.sum() < 2:
            continue
        middle, spread = np.median(values[known]), values[known].std()
        if spread <= 1e-12 * max(1.0, abs(middle)):
            continue
        columns.append(np.clip((np.where(np.isfinite(values), values, middle) - middle) / spread, -EDGE, EDGE))
    return np.column_stack(columns) if columns else np.empty((len(rows), 0))


def of_other_periods(window: Window, work: np.ndarray) -> np.ndarray:
    """The mean evidence of each row's organisation in the other periods of the window, 0 (the median) where none."""
    row = window.grid.row
    others = np.bincount(row)[row, None] - 1
    total = np.column_stack([np.bincount(row, weights=column)[row] for column in work.T])
    return (total - work) / np.maximum(others, 1) * (others > 0)


def expectation(window: Window, ratings: Ratings, part: np.ndarray) -> Expectation:
    """What share `part` of the rated each row may expect."""
    rated = window.column("rated")
    judged = (rated >= FEWEST_RATED) & np.isfinite(part)
    peers = window.peers(judged)
    judged &= judged.sum() >= FEWEST_PEERS
    counts = np.where(judged, part, np.nan)
    unknown = np.full(len(rated), np.nan)
    shares = counts / np.maximum(rated, 1)
    if not judged.any() or np.nanmax(shares) == np.nanmin(shares):
        return Expectation(unknown, rated, unknown, np.nan, "peers", peers, unknown)
    work = evidence_columns(window, ratings, judged) if judged.sum() >= FEWEST_ROWS else np.empty((len(rated), 0))
    whole = np.where(judged, rated, 1)
    outcome = np.where(judged, angle(np.where(judged, part, 0), whole), 0.0)
    noise = 1 / (4 * whole + 2)
    columns = np.column_stack([np.ones(len(rated)), work, _background(window, np.log(whole))])
    fold = folds(window.text("parent"), window.frame["organisation"])
    between, kept = 0.0, None
    for rounds in (6, 3):
        fit = huber_ridge(columns, outcome, 1 / (noise + between), fold, fitted=judged, rounds=rounds, kept=kept)
        kept = fit.kept
        residual = np.where(judged, outcome - fit.expected, np.nan)
        low, high = np.quantile(residual[judged], [0.1, 0.9])
        trimmed = np.clip(residual[judged] - np.median(residual[judged]), low, high)
        between = max(1e-6, (trimmed**2).mean() / SHRINKAGE - noise[judged].mean())
    explained = float(1 - residual[judged].var() / outcome[judged].var())
    share = np.sin(np.clip(fit.expected + centre_of_groups(residual, _parent_periods(window)), 0, np.pi / 2)) ** 2
    share = np.where(judged, np.clip(share, CERTAIN, 1 - CERTAIN), np.nan)
    variant = "peers" if not work.shape[1] else "evidence" if explained >= LEAST_EXPLAINED else "ranks"
    gap = rank_gap(window, shares, work) if variant == "ranks" else unknown
    return Expectation(counts, rated, share, explained, variant, peers, gap)


def rank_gap(window: Window, share: np.ndarray, work: np.ndarray) -> np.ndarray:
    """RANK-GAP: how much higher a share ranks than the evidence does, among the type in the period, in robust deviates.

    Percentile rank of the share minus the mean percentile rank of the columns of evidence; centred and scaled by median
    and interquartile range over all rows judged.
    """
    group = window.types() * len(window.grid.periods) + window.grid.column
    judged = np.isfinite(share)
    ranked = pd.DataFrame(np.column_stack([share, work])[judged]).groupby(group[judged]).rank(pct=True).to_numpy()
    gap = np.full(len(share), np.nan)
    gap[judged] = ranked[:, 0] - ranked[:, 1:].mean(axis=1)
    low, middle, high = np.quantile(gap[judged], [0.25, 0.5, 0.75])
    return (gap - middle) / max((high - low) / 1.349, 1e-9)


def evidence(ratings: Ratings, period: int) -> pd.DataFrame:
    """EVIDENCE: whether more are rated good than the work done lets expect.

    y = asin sqrt((k + .375) / (n + .75)) is regressed on the evidence (each column in standard deviations from its
    median, held within +-3), the type, the period and log n: ridge (penalty 1) with Huber's weights, every organisation
    predicted by the organisations of other parents. The median residual of its parent and period, times m / (m + 3), is
    added; the sine squared of the sum is the expected share mu. k and n mu of the latest three periods are added up: p
    is the upper mid-p of a beta-binomial with the over-dispersion that the sums of all organisations show, guarded.
    Variants (`parameters.variant`): `ranks` where the evidence explains less than a tenth of y's variance (RANK-GAP:
    percentile rank of the share minus the mean percentile rank of the evidence, within type and period); `peers` where
    there is no evidence or there are fewer than 100 organisation-periods (type, size and parent alone).
    `statistic` is the z before the guard, `observed` and `expected` the good of the period, `n` the rated, `peers` the
    organisations of its type; `parameters`: `variant`, `explained`, `expected_share`, `periods`, and of these together
    `all_observed`, `all_rated`, `all_expected`.

    Source: risk adjustment as in Spiegelhalter et al. 2012, "Statistical methods for healthcare regulation"; Huber
    1964; the empirical null of Efron 2004.
    Needs: 8 rated, 15 organisation-periods.
    Size at .05: .009 to .037 in the empty provinces of `docs/detection.md`.
    Innocent: work that the forms do not count; a new leadership; a year in which the evidence fell for outer reasons.
    """
    return _against_evidence("EVIDENCE", "good", ratings, period)


def top(ratings: Ratings, period: int) -> pd.DataFrame:
    """TOP: whether more are rated excellent than the work done lets expect.

    As EVIDENCE, of the top instead of the good; `observed` and `expected` are the top of the period. Part of the family
    of EVIDENCE in the combination, for both ask the same of one evidence.

    Size at .05: .029 to .048 in the empty provinces of `docs/detection.md`.
    Innocent: as EVIDENCE; a cap that others do not fill.
    """
    return _against_evidence("TOP", "top", ratings, period)


def _against_evidence(name: str, part: str, ratings: Ratings, period: int) -> pd.DataFrame:
    window = Window.of(ratings, period)
    expected = expectation(window, ratings, window.column(part))
    judged = np.isfinite(window.now(expected.counts))
    pooled = np.where(judged, expected.by_organisation(window)[window.here], np.nan)
    answer = guarded(pooled)
    together = dict(zip(_TOGETHER, expected.sums(window), strict=True))
    return signal_rows(
        name,
        ratings,
        period,
        p=p_of(answer),
        reason=_why_not(window, window.column(part), expected),
        statistic=pooled,
        z=answer,
        n=window.now(expected.rated),
        observed=window.now(window.column(part)),
        expected=window.now(expected.share * expected.rated),
        peers=window.now(expected.peers),
        parameters=parameters(
            len(answer),
            variant=expected.variant,
            explained=expected.explained,
            expected_share=window.now(expected.share),
            periods=np.isfinite(window.grid.spread(expected.counts)).sum(axis=1)[window.here],
            **{total: values[window.here] for total, values in together.items()},
        ),
    )


_TOGETHER = ("all_observed", "all_rated", "all_expected")
"""Sums of the periods, as the parameters name them."""


def own(ratings: Ratings, period: int) -> pd.DataFrame:
    """OWN: whether the organisation's own level is higher than those of organisations that did as much.

    An index of the work (ridge regression of the level on the evidence of the period and of the other two, type and
    period, left-out parents predicted, the parent's mean residual of the period added) sorts all organisation-periods;
    the chances of each level are its shares among the 61 nearest, the organisation-period itself left out, two more
    drawn from all; both without a group of many whose levels are lifted (`mixture`). A level scores the normal deviate
    of its upper mid-p; p is the exact upper tail (mid-p) of the sum of the scores of the latest three periods, its z
    divided by sqrt(1 + (m - 1) rho) for what m periods have in common (rho: median rank correlation of the scores),
    guarded. `statistic` is the z before the guard, `observed` and `expected` levels (0 = lowest) in the period, `n` 1,
    `peers` the organisations of its type; `parameters`: `periods`, `rho`.

    Source: inflation.md (EVIDENCE for the organisation's own rating); local frequencies: Stone 1977.
    Needs: an own level, evidence, 100 organisation-periods with a level, more than one level given.
    Size at .05: .011 to .027 in the empty provinces of `docs/detection.md`.
    Innocent: as EVIDENCE; a level decided for a merit that no count shows.
    """
    window = Window.of(ratings, period)
    level = window.column("own_level")
    rated = np.isfinite(level)
    peers = window.peers(rated)
    work = evidence_columns(window, ratings, rated)
    enough = rated.sum() >= FEWEST_ROWS
    varies = enough and np.unique(level[rated]).size > 1
    outcomes = len(ratings.scale.levels)
    scores = chances = np.zeros((len(level), outcomes))
    z = np.full(len(window.grid.organisations), np.nan)
    expected = np.full(len(level), np.nan)
    rho = 0.0
    weight, usual = np.ones(len(level)), np.ones(len(z))
    if enough and varies and work.shape[1]:
        columns = [np.ones(len(level)), work, _background(window)]
        columns = np.column_stack(
            [*columns, of_other_periods(window, work)] if len(window.grid.periods) > 1 else columns
        )
        fold = folds(window.text("parent"), window.frame["organisation"])
        for _ in range(2):
            fit = huber_ridge(columns, np.where(rated, level, 0.0), weight, fold, fitted=rated, bend=None)
            residual = np.where(rated & (weight > 0.5), level - fit.expected, np.nan)
            place = fit.expected + centre_of_groups(residual, _parent_periods(window), shrink=3.0, mean=True)
            chances = _chances_nearby(place, level, outcomes, weight)
            expected = (chances * np.arange(outcomes)).sum(axis=1)
            if weight.min() < 1:
                break
            highest = np.where(rated, level[rated].max(), 0.0)
            share = expected / np.maximum(highest, 1)
            weight = usual_weights(level, highest, share, owner=window.grid.row, least_share=LEAST_LIFTED)
            if weight.min() == 1:
                break
        usual[window.grid.row] = weight
        above = 1 - np.cumsum(chances, axis=1)
        scores = np.clip(z_of(np.clip(above + chances / 2, 1e-4, 1 - 1e-4)), -4, 4)
        spread = window.grid.spread
        z = z_of(
            sum_upper(
                np.stack([spread(scores[:, each]) for each in range(outcomes)], axis=2),
                np.stack([spread(chances[:, each]) for each in range(outcomes)], axis=2),
                spread(level),
            )
        )
        came = np.full(len(level), np.nan)
        came[rated] = scores[rated, level[rated].astype(int)]
        yearly = spread(came)
        rho = correlation(yearly[usual > 0.5])
        z /= np.sqrt(1 + np.maximum(np.isfinite(yearly).sum(axis=1) - 1, 0) * rho)
    here, now = z[window.here], window.now(rated)
    answer = np.where(now, guarded(np.where(now, here, np.nan), usual[window.here]), np.nan)
    return signal_rows(
        "OWN",
        ratings,
        period,
        p=p_of(answer),
        reason=first_reason(
            len(answer),
            [
                (~now, "no_own_level"),
                (not work.shape[1], "no_evidence"),
                (not enough, "too_few_peers"),
                (not varies, "no_variance"),
            ],
        ),
        statistic=here,
        z=answer,
        n=now.astype(int),
        observed=window.now(level),
        expected=window.now(expected),
        peers=window.now(peers),
        parameters=parameters(
            len(answer), rho=rho, periods=np.isfinite(window.grid.spread(level)).sum(axis=1)[window.here]
        ),
    )


def _chances_nearby(place: np.ndarray, level: np.ndarray, outcomes: int, weight: np.ndarray) -> np.ndarray:
    """Chances of every level among the rows nearest on `place`, counted by `weight`, the row itself left out."""
    rated = np.flatnonzero(np.isfinite(level))
    order = rated[np.argsort(place[rated], kind="stable")]
    came = np.eye(outcomes)[level[order].astype(int)] * weight[order, None]
    sums = np.vstack([np.zeros(outcomes), np.cumsum(came, axis=0)])
    first = np.clip(np.arange(len(order)) - NEIGHBOURS // 2, 0, max(len(order) - NEIGHBOURS, 0))
    last = np.minimum(first + NEIGHBOURS, len(order))
    nearby = sums[last] - sums[first] - came + 2 * came.sum(axis=0) / weight[order].sum()
    chances = np.full((len(level), outcomes), np.nan)
    chances[order] = nearby / nearby.sum(axis=1, keepdims=True)
    return chances


def jump(ratings: Ratings, period: int) -> pd.DataFrame:
    """JUMP: whether the share of good ratings rose without a rise in the work done.

    The deviate of EVIDENCE's regression in the period minus the one of the period before, over sqrt(2 (1 - rho)), rho
    the median correlation of periods, guarded; p is never below .001, because a real reform looks the same.
    `statistic` is that difference before the guard, `observed` and `expected` the good of the period, `n` the rated,
    `peers` the organisations of its type; `parameters`: `variant`, `explained`, `rho`.

    Source: inflation.md; regression to the mean kept in by comparing residuals, not shares (Healy and Goldstein 1978).
    Needs: 8 rated in the period and in the one before it, 15 organisation-periods.
    Size at .05: .033 to .048 in the empty provinces of `docs/detection.md`.
    Innocent: a reform, a new leadership, a merger, a change of what is counted.
    """
    window = Window.of(ratings, period)
    expected = expectation(window, ratings, window.column("good"))
    z = window.grid.spread(expected.by_row())
    _, rho = stouffer(z)
    before = z[:, -2] if z.shape[1] > 1 else np.full(len(z), np.nan)
    rise = ((z[:, -1] - before) / np.sqrt(2 * (1 - min(0.9, rho))))[window.here]
    answer = np.minimum(guarded(rise), z_of(LARGEST_JUMP))
    return signal_rows(
        "JUMP",
        ratings,
        period,
        p=p_of(answer),
        reason=_why_not(window, window.column("good"), expected),
        statistic=rise,
        z=answer,
        n=window.now(expected.rated),
        observed=window.now(expected.counts),
        expected=window.now(expected.share * expected.rated),
        peers=window.now(expected.peers),
        parameters=parameters(len(answer), variant=expected.variant, explained=expected.explained, rho=rho),
    )


def _why_not(window: Window, counts: np.ndarray, expected: Expectation) -> np.ndarray:
    counted, rated = window.now(counts), window.now(window.column("rated"))
    return first_reason(
        len(counted),
        [
            (~np.isfinite(rated) | ~np.isfinite(counted), "no_subjects"),
            (rated < FEWEST_RATED, "too_small"),
            (np.isfinite(expected.explained), "no_history"),  # only JUMP asks of those who are judged
            (((window.column("rated") >= FEWEST_RATED) & np.isfinite(counts)).sum() < FEWEST_PEERS, "too_few_peers"),
            (True, "no_variance"),
        ],
    )


def _background(window: Window, *more: np.ndarray) -> np.ndarray:
    """What is no evidence but may shift ratings: the type, the period, and `more`."""
    kind = window.types()
    kinds, periods = np.eye(kind.max(initial=0) + 1)[kind], np.eye(len(window.grid.periods))[window.grid.column]
    return np.column_stack([kinds, periods[:, 1:], *more])


def _parent_periods(window: Window) -> np.ndarray:
    """A number for every parent and period, -1 where the parent is not known."""
    parent = pd.factorize(window.text("parent"), sort=True)[0]
    return np.where(parent < 0, -1, parent * len(window.grid.periods) + window.grid.column)


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {
    "EVIDENCE": evidence,
    "TOP": top,
    "OWN": own,
    "JUMP": jump,
}
