"""Ratings that sit just above a target."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ratings.signals.frames import Ratings, signal_rows
from ratings.signals.statistics import (
    Window,
    beta_binomial_beyond,
    beta_binomial_fit,
    beta_binomial_log_pmf,
    correlation,
    first_reason,
    guarded,
    p_of,
    parameters,
    sum_upper,
    z_of,
)

FEWEST_RATED, FEWEST_PEERS, FEWEST_PERIODS = 10, 15, 2

WIDTH = 0.015
"""What counts as just above a target: so large a share of the rated beyond it, three subjects at least."""

CHASED = 0.9
"""How often an organisation that chases a target is taken to reach it."""

LANDING = np.array([0.45, 0.3, 0.15, 0.1])
"""Where it is taken to land: on the least count that reaches the target, one above, two above, farther but within
`WIDTH`. Only the order of organisations hangs on it; the p is exact whatever is written here."""

OWN_WEIGHT, MOST_OWN = 0.3, 6.0
"""What an organisation's other periods weigh in its own expectation, and how many times the type's at most."""


def target(ratings: Ratings, period: int) -> pd.DataFrame:
    """TARGET: whether the count of good ratings sits just above the target, period after period.

    K, the good of n, is beta-binomial: fitted by type, drawn towards what the organisation rated in its other periods.
    Every period has one of six outcomes: below the target, on the least count ceil(Tn) that reaches it, one above, two
    above, farther within 1.5% of n, beyond. Each scores the logarithm of how much likelier it is if whatever lay below
    had been lifted just above the target. Where more of a parent's organisations land just above the target in a period
    than the fit says, their chances of doing so are raised to that. p is the exact upper tail (mid-p) of the sum of the
    scores, its z divided by sqrt(1 + (m - 1) rho) for what m periods have in common (rho: median rank correlation of
    the scores less what was expected of them), guarded. A share far above the target scores nothing, one below speaks
    against it. `statistic` is the z before the guard, `observed` the good of the period, `expected` the least count
    that reaches the target, `n` the rated, `peers` the organisation-periods of its type; `parameters`: `target`,
    `periods`, `hits` (periods just above it).

    Source: Bevan and Hood 2006, "What's measured is what matters" (ambulance times just below their target).
    Needs: a target, 10 rated in 2 of the latest 3 periods, 15 organisation-periods of the type.
    Size at .05: .010 to .028 in the empty provinces of `docs/detection.md`.
    Innocent: the same people stay and earn the same; a target set where everybody already is; few members, where one
    count above the target is nearly the only one.
    """
    window = Window.of(ratings, period)
    wanted = ratings.scale.target
    rated, good = window.column("rated"), window.column("good")
    judged = (rated >= FEWEST_RATED) & np.isfinite(good) & (wanted is not None)
    kind = window.types()
    alpha, beta = np.full(len(rated), np.nan), np.full(len(rated), np.nan)
    peers = np.zeros(len(rated), int)
    for each in np.unique(kind):
        rows = judged & (kind == each)
        peers[kind == each] = rows.sum()
        if rows.sum() >= FEWEST_PEERS:
            alpha[rows], beta[rows] = beta_binomial_fit(good[rows], rated[rows])
    judged &= np.isfinite(alpha)
    least = np.ceil((wanted or 0) * rated - 1e-9)
    bounds = np.minimum([least - 1, least, least + 1, least + 2, least + np.maximum(3, np.floor(WIDTH * rated))], rated)
    outcome = np.where(judged, (good > bounds).sum(axis=0), np.nan)
    outcomes = window.grid.spread(outcome)
    periods = np.isfinite(outcomes).sum(axis=1)
    hits = ((outcomes >= 1) & (outcomes <= len(LANDING))).sum(axis=1)
    chances = _as_they_come(_chances(bounds, rated, *_own(window, good, rated, alpha, beta, judged)), outcome, window)
    scores = _scores(chances, bounds)
    exact = z_of(sum_upper(_by_period(window, scores), _by_period(window, chances), outcomes))
    came = np.take_along_axis(scores, np.nan_to_num(outcome).astype(int)[:, None], axis=1)[:, 0]
    surprise = np.where(judged, came - (chances * scores).sum(axis=1), np.nan)
    rho = correlation(window.grid.spread(surprise))
    exact /= np.sqrt(1 + np.maximum(periods - 1, 0) * rho)
    tested = window.now(judged) & (periods >= FEWEST_PERIODS)[window.here]
    statistic = np.where(tested, exact[window.here], np.nan)
    z = guarded(statistic)
    return signal_rows(
        "TARGET",
        ratings,
        period,
        p=p_of(z),
        reason=first_reason(
            len(z),
            [
                (wanted is None, "no_target"),
                (~np.isfinite(window.now(rated)) | ~np.isfinite(window.now(good)), "no_subjects"),
                (window.now(rated) < FEWEST_RATED, "too_small"),
                (window.now(peers) < FEWEST_PEERS, "too_few_peers"),
                (True, "no_history"),
            ],
        ),
        statistic=statistic,
        z=z,
        n=window.now(rated),
        observed=window.now(good),
        expected=window.now(least) if wanted is not None else None,
        peers=window.now(peers),
        parameters=parameters(len(z), target=wanted, periods=periods[window.here], hits=hits[window.here]),
    )


def _own(
    window: Window, good: np.ndarray, rated: np.ndarray, alpha: np.ndarray, beta: np.ndarray, judged: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The type's beta-binomial drawn towards the organisation's other periods."""

    def others(values: np.ndarray) -> np.ndarray:
        values = np.where(judged, values, 0.0)
        return np.bincount(window.grid.row, weights=values)[window.grid.row] - values

    a, b = alpha + OWN_WEIGHT * others(good), beta + OWN_WEIGHT * others(rated - good)
    held = np.minimum(1, MOST_OWN * (alpha + beta) / (a + b))
    return a * held, b * held


def _chances(bounds: np.ndarray, rated: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """Chances of the outcomes that `bounds` (last count of each but the last) part, one row a row."""
    beyond = [beta_binomial_beyond(bounds[0], rated, alpha, beta)]
    for bound, last in zip(bounds[1:-1], bounds, strict=False):  # one count farther, or none where all are counted
        exactly = np.exp(beta_binomial_log_pmf(bound, rated, alpha, beta))
        beyond.append(np.where(bound > last, np.where(bound < rated, beyond[-1] - exactly, 0), beyond[-1]))
    beyond.append(beta_binomial_beyond(bounds[-1], rated, alpha, beta))
    beyond = np.vstack([np.ones(len(rated)), *beyond, np.zeros(len(rated))])
    chances = np.clip(beyond[:-1] - beyond[1:], 1e-9, 1).T
    return chances / chances.sum(axis=1, keepdims=True)


def _as_they_come(chances: np.ndarray, outcome: np.ndarray, window: Window) -> np.ndarray:
    """The chances with those just above the target raised to how often they came among the parent's in the period.

    Never lowered. Where most of a district stand near the target anyway more of them land just above it than the fit
    says.
    """
    parent = pd.factorize(window.text("parent"), sort=True)[0] + 1
    group = parent * len(window.grid.periods) + window.grid.column
    judged = np.isfinite(outcome)
    inner = slice(1, len(LANDING) + 1)
    hit = judged & (outcome >= 1) & (outcome <= len(LANDING))
    came = np.bincount(group, weights=hit)
    expected = np.bincount(group, weights=np.where(judged, chances[:, inner].sum(axis=1), 0))
    raised = chances.copy()
    raised[:, inner] *= np.maximum(1.0, (came + 1) / (expected + 1))[group, None]
    return raised / raised.sum(axis=1, keepdims=True)


def _scores(chances: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Logarithm of how much likelier each outcome is where all that lay below was lifted just above the target."""
    landing = np.where(bounds[1:] > bounds[:-1], LANDING[:, None], 0.0).T
    landing /= np.maximum(landing.sum(axis=1, keepdims=True), 1e-9)
    lifted = chances.copy()
    lifted[:, 0] *= 1 - CHASED
    lifted[:, 1:-1] += CHASED * chances[:, :1] * landing
    return np.log(lifted / chances)


def _by_period(window: Window, values: np.ndarray) -> np.ndarray:
    """Columns of the window's rows as [organisation, period, column]."""
    return np.stack([window.grid.spread(column) for column in values.T], axis=2)


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"TARGET": target}
