"""Ratings that are too much alike: everyone good, everyone on one level, every part on one share."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import gammainc, gammaln

from ratings.signals.frames import Ratings, has, signal_rows
from ratings.signals.mixture import fits_by_type
from ratings.signals.statistics import (
    SMALLEST_P,
    Window,
    beta_binomial_fit,
    beta_binomial_log_pmf,
    beta_binomial_upper,
    first_reason,
    guarded,
    largest_of,
    latest,
    p_of,
    parameters,
    stouffer,
    z_of,
)

FEWEST_RATED, FEWEST_PEERS = 8, 15
FEWEST_GROUPS = 3
"""Parts of one organisation that are compared with one another."""

FEWEST_SHARES = 8
"""Parts from which on it is counted how many stand on one share."""

DRAWS, SEED = 50, 5
"""Permutations of MODAL, and where they begin."""


def uniform(ratings: Ratings, period: int) -> pd.DataFrame:
    """UNIFORM: whether everyone is rated the same.

    The largest (Sidak) of three views, guarded:
    - everyone: half of P(K = n) of a beta-binomial fitted by type where all rated are good, else (1 + P(K = n)) / 2;
      periods pooled by correlated Stouffer;
    - commonest: upper mid-p of how many have the level that is commonest of all, over the latest three periods
      together, beta-binomial by type with the over-dispersion of those sums (`mixture`);
    - groups: lower tail of the homogeneity chi-square of good among the parts, both margins fixed: sum (k - nK/N)^2 / n
      over its hypergeometric mean, by Wilson and Hilferty's cube root; periods pooled by correlated Stouffer.
    `statistic` is the z before the guard, `observed` and `expected` are those on the commonest level in the period, `n`
    the rated, `peers` the organisations of its type; `parameters`: the z of every view.

    Source: inflation.md (the first and the third); chi-squares too good to be true: Fisher 1936 on Mendel.
    Needs: 8 rated, 15 organisations of the type; 3 parts of two or more for the third view.
    Size at .05: .004 to .011 in the empty provinces of `docs/detection.md`.
    Innocent: a small or a young organisation where all do the same work; a cap that leaves one level for nearly all.
    """
    window = Window.of(ratings, period)
    kind = window.types()
    rated, common = window.column("rated"), commonest(window, ratings)
    large = rated >= FEWEST_RATED
    good = np.where(large, window.column("good"), np.nan)
    common = np.where(large, common, np.nan)
    everyone, same = _everyone_good(window, kind, good, rated), _on_commonest(window, kind, common, rated)
    between = _between_groups(window, ratings, period)
    peers = window.now(window.peers(np.isfinite(good)))
    now = window.now(np.isfinite(good))
    statistic = np.where(now, largest_of(everyone, same.z, between)[window.here], np.nan)
    z = guarded(statistic, same.weight[window.here])
    return signal_rows(
        "UNIFORM",
        ratings,
        period,
        p=p_of(z),
        reason=first_reason(
            len(z),
            [
                (~np.isfinite(window.now(rated)) | ~np.isfinite(window.now(window.column("good"))), "no_subjects"),
                (~now, "too_small"),
                (peers < FEWEST_PEERS, "too_few_peers"),
                (True, "no_variance"),
            ],
        ),
        statistic=statistic,
        z=z,
        n=window.now(rated),
        observed=window.now(common),
        expected=window.now(same.share * rated),
        peers=peers,
        parameters=parameters(
            len(z), everyone=everyone[window.here], commonest=same.z[window.here], groups=between[window.here]
        ),
    )


def commonest(window: Window, ratings: Ratings) -> np.ndarray:
    """How many of each row have the level that is the commonest of all rows together.

    Without counts by level: those who are good and not top, or the good where no top is known.
    """
    levels = ratings.scale.level_columns
    if has(window.frame, *levels):
        counts = np.column_stack([window.column(level) for level in levels])
        return counts[:, np.nansum(counts, axis=0).argmax()]
    top = window.column("top")
    return window.column("good") - (top if np.isfinite(top).any() else 0)


class _Same(NamedTuple):
    z: np.ndarray
    """by organisation of the grid"""
    share: np.ndarray
    """expected share by row"""
    weight: np.ndarray
    """the chance of every organisation to be of the usual group"""


def _everyone_good(window: Window, kind: np.ndarray, good: np.ndarray, rated: np.ndarray) -> np.ndarray:
    z = np.full(len(rated), np.nan)
    for each in np.unique(kind):
        rows = (kind == each) & np.isfinite(good)
        if rows.sum() >= FEWEST_PEERS and 0 < good[rows].sum() < rated[rows].sum():
            chance = np.exp(
                beta_binomial_log_pmf(rated[rows], rated[rows], *beta_binomial_fit(good[rows], rated[rows]))
            )
            z[rows] = z_of(np.where(good[rows] == rated[rows], chance / 2, (1 + chance) / 2))
    return stouffer(window.grid.spread(z))[0]


def _on_commonest(window: Window, kind: np.ndarray, common: np.ndarray, rated: np.ndarray) -> _Same:
    row, known = window.grid.row, np.isfinite(common)
    counts, whole = (np.bincount(row, weights=np.where(known, values, 0.0)) for values in (common, rated))
    kinds = np.empty(len(counts), dtype=int)
    kinds[row] = kind  # the latest period's: rows are sorted by period
    usual = fits_by_type(np.where(whole > 0, counts, np.nan), whole, kinds, fewest=FEWEST_PEERS)
    number, total = (np.bincount(kinds, weights=values)[kinds] for values in (counts, whole))
    varies = (number > 0) & (number < total)
    z = np.where(varies, z_of(beta_binomial_upper(counts, whole, usual.alpha, usual.beta)), np.nan)
    return _Same(z, usual.mean[row], usual.weight)


def _between_groups(window: Window, ratings: Ratings, period: int) -> np.ndarray:
    organisations, periods = len(window.grid.organisations), len(window.grid.periods)
    levels = ratings.scale.level_columns
    groups = latest(ratings.groups, period)
    if not has(groups, *levels):
        return np.full(organisations, np.nan)
    n, k = _parts(groups, ratings)
    row = window.grid.organisations.get_indexer(groups["organisation"])
    column = window.grid.periods.get_indexer(groups["period"])
    used = (n >= 2) & (row >= 0) & (column >= 0)
    n, k, cell = n[used], k[used], (row * periods + column)[used]

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell, weights=values, minlength=organisations * periods)

    whole, good, parts = total(n), total(k), total(np.ones(len(n)))
    share = good / np.maximum(whole, 1)
    square = total((k - n * share[cell]) ** 2 / n)
    mean = total(share[cell] * (1 - share[cell]) * (whole[cell] - n) / np.maximum(whole[cell] - 1, 1))
    tested = (parts >= FEWEST_GROUPS) & (good > 0) & (good < whole)
    spread = 2 / (9 * np.maximum(parts - 1, 1))
    root = np.cbrt(square / np.where(tested, mean, 1))
    z = np.where(tested, (1 - spread - root) / np.sqrt(spread), np.nan)
    return stouffer(z.reshape(organisations, periods))[0]


def _parts(groups: pd.DataFrame, ratings: Ratings) -> tuple[np.ndarray, np.ndarray]:
    """How many each part rated, and how many of them good."""
    counts = groups[ratings.scale.level_columns].to_numpy(float, na_value=np.nan)
    return counts.sum(axis=1), counts[:, : ratings.scale.good_levels].sum(axis=1)


def modal(ratings: Ratings, period: int) -> pd.DataFrame:
    """MODAL: whether many parts of an organisation stand on one identical share of good ratings.

    For reporting units, whose parts (`groups`) are their organisations. The largest number of parts with one k/n, parts
    without any or with only good ratings left out, is compared with what comes out when shares are dealt anew among all
    such parts of a like size (terciles), 50 times from a fixed seed: p is the Poisson mid-p of that number with
    the mean of the dealt ones, guarded. `statistic` is the z
    before the guard, `observed` and `expected` the largest number, `n` the parts, `peers` the organisations compared;
    `parameters`: `share` on which they stand.

    Source: inflation.md; repeated values as a mark of made-up returns: Nigrini 2012, "Benford's Law".
    Needs: 8 such parts, 3 organisations that have them.
    Size at .05: .000 to .008 in the empty provinces of `docs/detection.md`.
    Innocent: a quota set from above; parts of one and the same size. Shown, not combined.
    """
    codes = np.sort(ratings.organisations.loc[ratings.organisations["period"] == period, "organisation"].to_numpy())
    count = len(codes)
    levels = ratings.scale.level_columns
    groups = ratings.groups
    known = has(groups, *levels)
    parts, largest, share, dealt = np.zeros(count), *(np.full(count, np.nan) for _ in range(3))
    if known:
        groups = groups[groups["period"] == period].sort_values(["organisation", "group"], kind="stable")
        n, k = _parts(groups, ratings)
        owner = pd.Index(codes).get_indexer(groups["organisation"])
        used = (k > 0) & (k < n) & (owner >= 0)
        owner, n, k = owner[used], n[used], k[used]
        parts = np.bincount(owner, minlength=count)
        value, shares = pd.factorize(np.round(k / n, 9), sort=True)
        largest, modal_value = _largest_share(owner, value, count)
        share = np.where(modal_value >= 0, shares[modal_value] if len(shares) else np.nan, np.nan)
        dealt = _dealt(owner, value, n, count)
    large = parts >= FEWEST_SHARES
    peers = int(large.sum())
    tested = large & (peers >= 3)
    upper = gammainc(np.where(tested, largest, 1), np.where(tested, dealt, 1))  # P(X >= largest)
    exactly = np.exp(largest * np.log(np.where(tested, dealt, 1)) - np.where(tested, dealt, 1) - gammaln(largest + 1))
    statistic = np.where(tested, z_of(np.clip(upper - exactly / 2, SMALLEST_P, 1)), np.nan)
    z = guarded(statistic)
    return signal_rows(
        "MODAL",
        ratings,
        period,
        p=p_of(z),
        reason=first_reason(count, [(not known, "no_groups"), (~large, "too_small"), (True, "too_few_peers")]),
        statistic=statistic,
        z=z,
        n=parts,
        observed=largest,
        expected=dealt,
        peers=peers,
        parameters=parameters(count, share=share),
    )


def _largest_share(owner: np.ndarray, value: np.ndarray, owners: int) -> tuple[np.ndarray, np.ndarray]:
    """How many parts of each owner have its most frequent value, and which that is (the least of several; -1: none)."""
    values = int(value.max(initial=0)) + 1
    key, times = np.unique(owner * values + value, return_counts=True)
    largest, which = np.zeros(owners), np.full(owners, -1)
    order = np.lexsort((-key, times))  # ascending: the last one written is the most frequent, the least of equals
    largest[key[order] // values], which[key[order] // values] = times[order], key[order] % values
    return largest, which


def _dealt(owner: np.ndarray, value: np.ndarray, n: np.ndarray, owners: int) -> np.ndarray:
    """The mean largest number on one value when values are dealt anew among parts of a like size."""
    random = np.random.default_rng(SEED)
    low, high = np.quantile(n, [1 / 3, 2 / 3]) if len(n) else (0, 0)
    sizes = [np.flatnonzero(part) for part in (n <= low, (n > low) & (n <= high), n > high)]
    total = np.zeros(owners)
    for _ in range(DRAWS):
        anew = value.copy()
        for rows in sizes:
            anew[rows] = random.permutation(value[rows])
        total += _largest_share(owner, anew, owners)[0]
    return np.maximum(total / DRAWS, 1e-9)


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"UNIFORM": uniform, "MODAL": modal}
