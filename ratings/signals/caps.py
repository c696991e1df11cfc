"""CAPFILL and ROTATE: "excellent" handed out by the cap instead of by merit."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ratings.signals.frames import Ratings, Scale, has, signal_rows
from ratings.signals.mixture import usual_weights
from ratings.signals.rows import numbers, placed, steps
from ratings.signals.statistics import (
    Window,
    beta_binomial_upper,
    first_reason,
    guarded,
    overdispersion,
    p_of,
    z_of,
)

FEWEST_CAPPED = 60
"""So many organisations and periods with a cap of at least one are needed to know how often a cap is met."""

SIZES = 6
"""Organisations are compared with the sixth of those that are of their size."""

FEWEST_EXCELLENT = 4
"""Of fewer excellent ratings that could have been repeated nothing is said."""

FEWEST_ORGANISATIONS = 30
"""So many organisations show how usual it is that the same are excellent again."""


def allowed(scale: Scale, cap: np.ndarray, rated: np.ndarray, good: np.ndarray, top: np.ndarray) -> np.ndarray:
    """How many a cap allows, rounded down: a share of the good that are not top, of the good, or of all rated."""
    base = {"good": good - top, "good_or_above": good, "rated": rated}[scale.cap_base]
    # Without the small addition 0.2 of 15 would be 2.
    return np.floor(cap * base + 1e-9)


def capfill(ratings: Ratings, period: int) -> pd.DataFrame:
    """CAPFILL: whether the cap is always filled to the brim.

    An organisation meets its cap (the scale's, or one decided for it) where top >= allowed >= 1. The chance is how
    often the others of its size (sixths of log rated, this row left out, + 1/2) do. p = upper mid-p of the periods in
    which it was met, of up to three, under a beta-binomial with the mean of these chances and the over-dispersion that
    all organisations show (to be at the cap persists for honest reasons), guarded.

    `n` is rated, `observed` top, `statistic` how many periods of those tested it was met, `expected` how many of the
    judged period's size meet it (share); `parameters`: `allowed`, `periods`, `cap`, `cap_base`.
    Source: inflation.md (CAPFILL); ratchet and quota responses, Weitzman 1980.
    Needs: a cap that allows one, 60 organisations and periods.
    Size at .05: .001 to .052 in the empty provinces of `docs/detection.md`.
    Innocent: more deserve it than the cap allows, so that it binds every year.
    """
    window = Window.of(ratings, period)
    rated, good, top = (window.column(name) for name in ("rated", "good", "top"))
    of_its_own = window.column("cap")
    share = np.where(np.isfinite(of_its_own), of_its_own, ratings.scale.cap or 0.0)
    cap = allowed(ratings.scale, share, rated, good, top)
    capped = cap >= 1
    met = capped & (top >= cap)
    usual = np.full(len(rated), np.nan)
    if capped.sum() >= FEWEST_CAPPED and 0 < met.sum() < capped.sum():
        size = np.log(rated[capped])
        band = np.searchsorted(np.unique(np.quantile(size, np.arange(1, SIZES) / SIZES)), size, side="left")
        hit = met[capped].astype(float)
        inside = np.bincount(band)
        usual[capped] = (np.bincount(band, weights=hit)[band] - hit + 0.5) / inside[band]
    chances = window.grid.spread(usual)[window.here]
    hits = np.where(np.isfinite(chances), window.grid.spread(met.astype(float))[window.here], 0).sum(axis=1)
    tested = np.isfinite(chances).sum(axis=1)
    now = window.now(capped) & np.isfinite(window.now(usual))
    z_now = guarded(np.where(now, _always(hits, tested, np.nansum(chances, axis=1)), np.nan))
    reason = first_reason(
        len(now),
        [
            (not ratings.scale.cap, "no_cap"),
            (~np.isfinite(window.now(top)), "no_subjects"),
            (~window.now(capped), "no_cap"),
            (capped.sum() < FEWEST_CAPPED, "too_few_peers"),
            (True, "no_variance"),
        ],
    )
    return signal_rows(
        "CAPFILL",
        ratings,
        period,
        p=p_of(z_now),
        reason=reason,
        z=z_now,
        statistic=np.where(now, hits, np.nan),
        n=np.where(now, window.now(rated), np.nan),
        observed=np.where(now, window.now(top), np.nan),
        expected=np.where(now, window.now(usual), np.nan),
        peers=np.where(now, now.sum() - 1, np.nan),
        parameters=[
            f'{{"allowed": {many:g}, "periods": {count}, "cap": {part:g}, "cap_base": "{ratings.scale.cap_base}"}}'
            for many, count, part in zip(np.nan_to_num(window.now(cap)), tested, window.now(share), strict=True)
        ],
    )


def _always(hits: np.ndarray, tested: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Deviates of how often the cap was met: beta-binomial, as much alike from period to period as all are."""
    mean = np.where(tested > 0, np.clip(expected / np.maximum(tested, 1), 0.01, 0.99), np.nan)
    size = 1 / overdispersion(hits, tested, np.nan_to_num(mean), most=0.9) - 1
    return z_of(beta_binomial_upper(np.where(tested > 0, hits, np.nan), tested, mean * size, (1 - mean) * size))


def rotate(ratings: Ratings, period: int) -> pd.DataFrame:
    """ROTATE: whether "excellent" is passed round.

    Of the excellent of a period who were rated in the one before (b), x had been excellent then. Expected by chance
    b a/m, with a of m kept subjects excellent before; the whole table's odds of a repeat multiply those of chance (one
    odds ratio, by moments). p = upper mid-p of the b - x new ones under a beta-binomial with that mean; steps of three
    periods pooled; odds ratio and over-dispersion without a group of many who rotate (`mixture`); guarded.

    `n` is b, `observed` b - x, `expected` its mean, `statistic` the share of new ones; `parameters`: `repeated`.
    Source: inflation.md ("worth adding": rotation); Mantel & Haenszel 1959 for one odds ratio of many tables.
    Needs: subjects with keys in two periods, 4 excellent who could have been so before.
    Size at .05: .016 to .032 in the empty provinces of `docs/detection.md`.
    Innocent: an organisation that honours another group of its people every year by an open decision.
    """
    window = Window.of(ratings, period)
    owners = len(window.grid.organisations)
    excellent, chance, new = (np.zeros(owners) for _ in range(3))
    has_keys = has(ratings.subjects, "subject", "final")
    expected = np.full(owners, np.nan)
    p, weight = np.full(owners, np.nan), np.ones(owners)
    if has_keys and len(window.grid.periods) > 1:
        step, kept, before, after, both = _kept_excellent(ratings, window)
        counted = (before > 0) & (before < kept) & (after > 0)
        step, kept, before, after, both = (each[counted] for each in (step, kept, before, after, both))
        by = step // len(window.grid.periods)
        excellent = np.bincount(by, weights=after, minlength=owners)
        new = np.bincount(by, weights=after - both, minlength=owners)
        enough = excellent >= FEWEST_EXCELLENT

        def by_chance() -> np.ndarray:
            repeat = _repeat_chance(before / kept, weight[by] * after, weight[by] * both)
            return np.bincount(by, weights=after * (1 - repeat), minlength=owners)

        chance = by_chance()
        weight = usual_weights(np.where(enough, new, np.nan), excellent, chance / np.maximum(excellent, 1))
        chance = by_chance() if weight.min(initial=1) < 1 else chance
        if enough.sum() >= FEWEST_ORGANISATIONS:
            mean = np.clip(chance / np.maximum(excellent, 1), 1e-6, 1 - 1e-6)
            size = 1 / overdispersion(new[enough], excellent[enough], mean[enough], weight[enough]) - 1
            p = beta_binomial_upper(np.where(enough, new, np.nan), excellent, mean * size, (1 - mean) * size)
            expected = chance
    z = guarded(z_of(p)[window.here], weight[window.here])
    known = np.isfinite(z)
    excellent, new, expected = excellent[window.here], new[window.here], expected[window.here]
    reason = first_reason(
        len(z),
        [
            (not has_keys, "no_subjects"),
            (len(window.grid.periods) < 2, "no_history"),
            (excellent < FEWEST_EXCELLENT, "too_small"),
            (True, "too_few_peers"),
        ],
    )
    return signal_rows(
        "ROTATE",
        ratings,
        period,
        p=p_of(z),
        reason=reason,
        z=z,
        statistic=np.where(known, new / np.maximum(excellent, 1), np.nan),
        n=np.where(known, excellent, np.nan),
        observed=np.where(known, new, np.nan),
        expected=np.where(known, expected, np.nan),
        peers=np.where(known, known.sum() - 1, np.nan),
        parameters=[f'{{"repeated": {count:g}}}' for count in excellent - new],
    )


def _kept_excellent(ratings: Ratings, window: Window) -> tuple[np.ndarray, ...]:
    """By step (organisation and later period): kept subjects, excellent before, excellent after, excellent twice."""
    level = numbers(ratings.subjects, "final")
    places = placed(ratings.subjects, window)
    earlier, later = steps(places, pd.factorize(ratings.subjects["subject"])[0], np.isfinite(level))
    top = level >= len(ratings.scale.levels) - ratings.scale.top_levels
    owner_and_period = places.owner[later] * len(window.grid.periods) + places.column[later]
    step, place = np.unique(owner_and_period, return_inverse=True)
    counts = (np.ones(len(later)), top[earlier], top[later], top[earlier] & top[later])
    return step, *(np.bincount(place, weights=each.astype(float), minlength=len(step)) for each in counts)


def _repeat_chance(share: np.ndarray, after: np.ndarray, both: np.ndarray, rounds: int = 40) -> np.ndarray:
    """The chance that one excellent now was so before: the odds of chance times the table's one odds ratio."""
    odds = share / (1 - share)
    low, high = -4.0, 8.0
    for _ in range(rounds):
        middle = (low + high) / 2
        repeat = odds * np.exp(middle) / (1 + odds * np.exp(middle))
        low, high = (middle, high) if (after * repeat).sum() < both.sum() else (low, middle)
    return odds * np.exp(low) / (1 + odds * np.exp(low))


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"CAPFILL": capfill, "ROTATE": rotate}
