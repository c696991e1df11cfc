"""COPY: ratings that were carried over from last year, or from another organisation, instead of given anew."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln, xlogy

from ratings.signals.frames import Ratings, has, signal_rows
from ratings.signals.mixture import usual_weights
from ratings.signals.rows import numbers, placed, steps
from ratings.signals.scores import histogram
from ratings.signals.statistics import (
    SMALLEST_P,
    Window,
    beta_binomial_upper,
    first_reason,
    guarded,
    p_of,
    poisson_binomial_upper,
    stouffer,
    z_of,
)

FEWEST_MEMBERS = 3
"""A group of fewer is the same in two years too easily."""

FEWEST_PAIRS = 50
"""So many groups of equal size in two periods a table must have before the chance of a match can be fitted."""

FEWEST_KEPT = 8
"""Of fewer subjects rated in both periods nothing is said."""

FEWEST_ORGANISATIONS = 15
"""With fewer there is nothing to compare with."""

FLOOR = 0.003
"""Least p of what one and the same people got twice; chosen on made-up provinces with persistent
people, where without it .25 honest ones were listed (`benchmarks/detection.py --ablation`)."""

TWINS = 0.05
"""So much of the tolerated error is spent on looking for twins (Bonferroni with weights)."""


class Repeats(NamedTuple):
    """By organisation: how often something could repeat itself, did, was expected to by chance, and the upper tail.

    `weight` is the chance not to be of a group of many who repeat (`mixture`).
    """

    could: np.ndarray
    did: np.ndarray
    expected: np.ndarray
    p: np.ndarray
    weight: np.ndarray

    @classmethod
    def none(cls, owners: int) -> "Repeats":
        """Nothing known of any organisation."""
        return cls(*(np.full(owners, np.nan) for _ in range(4)), np.ones(owners))


def copy(ratings: Ratings, period: int) -> pd.DataFrame:
    """COPY: whether the ratings are last year's, or another organisation's.

    Against what honest persistence makes usual in this table:

    - groups: groups (cells; the organisation itself where groups are not known) of equal size n >= 3 in two
      neighbouring periods whose vector of levels is identical. The chance of a match is a logistic function of log n,
      the vector's concentration (sum of squared shares), their product and its square; Poisson-binomial upper mid-p.
    - levels, scores: subjects rated in both periods with the same level (score). Expected: the sum of the products of
      both periods' shares, s, and of the rest, 1 - s, the part kappa that persists in the whole table (Cohen).
      Beta-binomial upper mid-p; its overdispersion is the variance of kappa between organisations times (1 - s)^2.
    - twins: another organisation (for scores also an earlier period) with the identical multiset of scores, or of
      vectors of its groups. The chance is bounded by the multinomial probability of the multiset under its own
      shares, so what is all alike proves nothing.

    The first three are learned without a group of many who repeat (`mixture`), guarded, combined by correlated
    Stouffer and guarded again; p is the smaller of that p / .95 and the twins' p / .05. `n`, `observed` and `expected`
    are those of the view that says most, `statistic` is observed less expected; `parameters`: `view`, and for twins
    `twin`, the other's code. At most two steps between three periods.
    Source: inflation.md (COPY); Cohen 1960 for kappa.
    Needs: two neighbouring periods of groups or of subjects with keys; twins need one period.
    Size at .05: .035 to .051 in the empty provinces of `docs/detection.md`.
    Innocent: the same few people honestly rated alike; few levels in use; an organisation that was reported twice.
    """
    window = Window.of(ratings, period)
    groups, here = _groups(ratings), window.here
    views = {
        "groups": _same_groups(groups, ratings.scale.level_columns, window),
        "levels": _same_values(ratings, "final", window),
        "scores": _same_values(ratings, "score", window),
    }
    # Very persistent people look the same as a copy: alone they are never an overwhelming reason.
    views |= {name: views[name]._replace(p=np.maximum(views[name].p, FLOOR)) for name in ("levels", "scores")}
    z = np.column_stack([guarded(z_of(view.p[here]), view.weight[here]) for view in views.values()])
    weight = np.min([view.weight[here] for view in views.values()], axis=0)
    repeated = p_of(guarded(stouffer(z)[0], weight))
    twins, twin = _twins(ratings, groups, window)
    # Not to have a twin is no evidence: then nothing is known of it, and the others decide.
    of_twin = twins.p[here] / TWINS
    p = np.fmin(np.minimum(repeated / (1 - TWINS), 1), of_twin)
    known = np.isfinite(p)
    is_twin = of_twin <= np.where(np.isfinite(repeated), repeated, np.inf)
    view = np.where(is_twin, len(views), np.where(np.isfinite(z), z, -np.inf).argmax(axis=1))
    shown = np.stack([np.column_stack(each[:4])[here] for each in (*views.values(), twins)])[view, np.arange(len(p))]
    could, did, expected, _ = np.where(known[:, None], shown, np.nan).T
    reason = first_reason(
        len(p),
        [
            (groups.empty and not has(ratings.subjects, "final"), "no_groups"),
            (len(window.grid.periods) < 2, "no_history"),
            (~known.any(), "too_few_peers"),
            (True, "too_small"),
        ],
    )
    names = np.array([*views, "twins"])[view]
    return signal_rows(
        "COPY",
        ratings,
        period,
        p=p,
        reason=reason,
        z=z_of(p),
        statistic=did - expected,
        n=could,
        observed=did,
        expected=expected,
        peers=np.where(known, known.sum() - 1, np.nan),
        parameters=[
            f'{{"view": "{name}", "twin": "{other}"}}' if name == "twins" else f'{{"view": "{name}"}}'
            for name, other in zip(names, twin[here], strict=True)
        ],
    )


def _groups(ratings: Ratings) -> pd.DataFrame:
    """Counts by level of every part of the organisations, or of the organisations where no parts are known."""
    columns = ratings.scale.level_columns
    if has(ratings.groups, *columns):
        return ratings.groups
    if has(ratings.organisations, *columns):
        return ratings.organisations.assign(group=ratings.organisations["organisation"])
    return pd.DataFrame()


def _same_groups(groups: pd.DataFrame, columns: list[str], window: Window) -> Repeats:
    owners = len(window.grid.organisations)
    if groups.empty or len(window.grid.periods) < 2:
        return Repeats.none(owners)
    places = placed(groups, window)
    counts = groups[columns].to_numpy(float, na_value=np.nan)
    size = counts.sum(axis=1)
    earlier, later = steps(places, pd.factorize(groups["group"])[0], size >= FEWEST_MEMBERS)
    equal = size[earlier] == size[later]
    earlier, later = earlier[equal], later[equal]
    by = places.owner[later]
    if len(later) < FEWEST_PAIRS or len(np.unique(by)) < FEWEST_ORGANISATIONS:
        return Repeats.none(owners)
    same = (counts[earlier] == counts[later]).all(axis=1).astype(float)
    concentration = ((counts[later] / size[later, None]) ** 2).sum(axis=1)
    log_size = np.log(size[later])
    constant, weight = np.ones(len(later)), np.ones(owners)
    columns = np.column_stack([constant, log_size, concentration, log_size * concentration, concentration**2])

    def by_chance() -> np.ndarray:
        # Beyond what the table has seen a chance is not believed.
        return np.clip(_logistic(columns, same, weight[by]), 0.5 / len(later), 1 - 0.5 / len(later))

    chance = by_chance()
    weight[by] = usual_weights(same, constant, chance, owner=by)
    chance = by_chance() if weight.min() < 1 else chance
    could = np.bincount(by, minlength=owners).astype(float)
    return Repeats(
        np.where(could > 0, could, np.nan),
        np.bincount(by, weights=same, minlength=owners),
        np.bincount(by, weights=chance, minlength=owners),
        poisson_binomial_upper(chance, same, by, owners),
        weight,
    )


def _logistic(
    columns: np.ndarray, outcome: np.ndarray, weight: np.ndarray, *, penalty: float = 0.01, rounds: int = 25
) -> np.ndarray:
    """Fitted chances of a ridge logistic regression, by Newton's steps."""
    coefficients = np.zeros(columns.shape[1])
    for _ in range(rounds):
        chance = expit(np.clip(columns @ coefficients, -30, 30))
        hessian = columns.T @ (columns * (weight * chance * (1 - chance))[:, None]) + penalty * np.eye(
            len(coefficients)
        )
        step = np.linalg.solve(hessian, columns.T @ (weight * (outcome - chance)) - penalty * coefficients)
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-9:
            break
    return expit(np.clip(columns @ coefficients, -30, 30))


def _same_values(ratings: Ratings, name: str, window: Window) -> Repeats:
    """Subjects of an organisation whose level or score is that of the period before."""
    owners, periods = len(window.grid.organisations), len(window.grid.periods)
    if periods < 2 or not has(ratings.subjects, "subject", name) or "rater" in ratings.subjects:
        return Repeats.none(owners)
    value = numbers(ratings.subjects, name)
    places = placed(ratings.subjects, window)
    earlier, later = steps(places, pd.factorize(ratings.subjects["subject"])[0], np.isfinite(value))
    if not len(later):
        return Repeats.none(owners)
    code, values = pd.factorize(value[np.r_[earlier, later]])
    before, after = code[: len(earlier)], code[len(earlier) :]
    same = (before == after).astype(float)
    owner = places.owner[later]

    # Each step of each organisation by itself: its shares in both periods say what chance alone would repeat.
    step = owner * periods + places.column[later]
    kept = np.bincount(step, minlength=owners * periods).astype(float)
    at, cell = pd.factorize(np.r_[step * len(values) + before, step * len(values) + after])
    shares = [np.bincount(half, minlength=len(cell)) for half in (at[: len(step)], at[len(step) :])]
    alike = np.bincount(cell // len(values), weights=shares[0] * shares[1], minlength=len(kept)) / np.maximum(kept, 1)
    could = kept.reshape(owners, periods).sum(axis=1)
    chance = alike.reshape(owners, periods).sum(axis=1)
    did = np.bincount(owner, weights=same, minlength=owners)
    enough = could >= FEWEST_KEPT
    room = could - chance
    if enough.sum() < FEWEST_ORGANISATIONS or room[enough].sum() <= 0:
        return Repeats.none(owners)
    part = room / np.maximum(could, 1)
    weight = np.ones(owners)

    def by_kappa() -> np.ndarray:
        kappa = np.clip((weight * (did - chance))[enough].sum() / (weight * room)[enough].sum(), 0.0, 0.999)
        return chance + kappa * room

    expected = by_kappa()
    weight = usual_weights(np.where(enough, did, np.nan), could, expected / np.maximum(could, 1))
    expected = by_kappa() if weight.min() < 1 else expected
    mean = np.clip(expected / np.maximum(could, 1), 1e-6, 1 - 1e-6)
    differing = _kappas_differ(did[enough], could[enough], mean[enough], part[enough], weight[enough])
    # Where little could change, another persistence changes little.
    size = 1 / np.clip(differing * part**2 / (mean * (1 - mean)), 1e-4, 0.9) - 1
    p = beta_binomial_upper(np.where(enough, did, np.nan), could, mean * size, (1 - mean) * size)
    return Repeats(np.where(enough, could, np.nan), did, expected, p, weight)


def _kappas_differ(
    did: np.ndarray, could: np.ndarray, mean: np.ndarray, part: np.ndarray, usual: np.ndarray, rounds: int = 20
) -> float:
    """The variance of kappa from organisation to organisation: what squares exceed chance by, weighted by certainty."""
    squares, chance = (did - could * mean) ** 2, could * mean * (1 - mean)
    more = could * (could - 1) * part**2
    variance = 0.02
    for _ in range(rounds):
        weight = usual * more / (chance + variance * more) ** 2
        variance = max(1e-6, (weight * (squares - chance)).sum() / max((weight * more).sum(), 1e-300))
    return float(variance)


def _twins(ratings: Ratings, groups: pd.DataFrame, window: Window) -> tuple[Repeats, np.ndarray]:
    """Identical multisets elsewhere, unknown where there are none, and the code of the first other organisation."""
    owners = len(window.grid.organisations)
    best, twin = Repeats.none(owners), np.full(owners, None, dtype=object)
    for tokens in (_score_tokens(ratings, window), _group_tokens(groups, ratings.scale.level_columns, window)):
        if tokens is None:
            continue
        found, other = _twins_among(*tokens, window=window)
        better = np.isfinite(found.p) & ~(best.p <= found.p)
        best = Repeats(*(np.where(better, new, old) for new, old in zip(found, best, strict=True)))
        twin = np.where(better, other, twin)
    return best, twin


def _score_tokens(ratings: Ratings, window: Window) -> tuple[np.ndarray, ...] | None:
    scores = histogram(ratings)
    if scores.empty:
        return None
    places, periods = placed(scores, window), len(window.grid.periods)
    inside = places.inside
    if not inside.any():
        return None
    value, values = pd.factorize(scores["score"].to_numpy(float)[inside])
    row = places.owner[inside] * periods + places.column[inside]
    at, cell = pd.factorize(row * len(values) + value)
    count = np.bincount(at, weights=scores["count"].to_numpy(float)[inside], minlength=len(cell))
    return (
        cell // len(values),
        _mixed(cell % len(values)) * count.astype(np.uint64),
        count.astype(np.uint64),
        xlogy(count, count) - gammaln(count + 1),
        count,
    )


def _group_tokens(groups: pd.DataFrame, columns: list[str], window: Window) -> tuple[np.ndarray, ...] | None:
    if groups.empty or "group" not in groups or groups["group"].equals(groups["organisation"]):
        return None
    places, periods = placed(groups, window), len(window.grid.periods)
    now = (places.owner >= 0) & (places.column == periods - 1)
    if not now.any():
        return None
    counts = np.nan_to_num(groups[columns].to_numpy(float, na_value=np.nan)[now])
    size = counts.sum(axis=1)
    vector = np.zeros(len(counts), np.uint64)
    for level in counts.astype(np.uint64).T:
        vector = _mixed(vector + level)
    return (
        places.owner[now] * periods + places.column[now],
        vector,
        _mixed(size),
        gammaln(size + 1) - xlogy(size, size) + (xlogy(counts, counts) - gammaln(counts + 1)).sum(axis=1),
        np.zeros(len(counts)),
    )


def _twins_among(
    owner_and_period: np.ndarray,
    token: np.ndarray,
    size_token: np.ndarray,
    log_own: np.ndarray,
    counted: np.ndarray,
    *,
    window: Window,
) -> tuple[Repeats, np.ndarray]:
    """Rows (organisation and period) whose tokens add up to another row's: the sum knows no order."""
    owners, now = len(window.grid.organisations), len(window.grid.periods) - 1
    row, place = np.unique(owner_and_period, return_inverse=True)
    multiset, sizes = (_added(each, place, len(row)) for each in (token, size_token))
    total = np.bincount(place, weights=counted, minlength=len(row))
    log_chance = np.bincount(place, weights=log_own, minlength=len(row))
    log_chance += gammaln(total + 1) - xlogy(total, total)

    group, like = np.unique(multiset ^ _mixed(sizes), return_inverse=True)
    order = np.argsort(like, kind="stable")
    first = np.r_[0, np.cumsum(np.bincount(like, minlength=len(group)))][:-1]
    alike = np.bincount(like, minlength=len(group))[like] - 1
    head = order[first[like]]
    second = order[np.minimum(first[like] + 1, len(order) - 1)]
    other = np.where(head == np.arange(len(row)), second, head)
    size_code = np.unique(sizes, return_inverse=True)[1]
    peers = np.bincount(size_code)[size_code] - 1
    chance = -np.expm1(peers * np.log1p(-np.minimum(np.exp(log_chance), 1 - 1e-12)))
    # What could be alike anyway is not worth telling.
    p = np.where((alike > 0) & (chance <= TWINS), np.maximum(chance, SMALLEST_P), np.nan)

    found, twin = Repeats.none(owners), np.full(owners, None, dtype=object)
    here = row % (now + 1) == now
    by = row[here] // (now + 1)
    for values, filled in (
        (found.could, peers),
        (found.did, alike),
        (found.expected, peers * np.exp(log_chance)),
        (found.p, p),
    ):
        values[by] = np.asarray(filled, float)[here]
    twin[by] = np.asarray(window.grid.organisations)[row[other[here]] // (now + 1)]
    return found, twin


def _mixed(values: np.ndarray) -> np.ndarray:
    """Whole numbers as evenly spread 64-bit ones (splitmix64), so that sums of different multisets differ."""
    mixed = (np.asarray(values, np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _added(values: np.ndarray, place: np.ndarray, places: int) -> np.ndarray:
    added = np.zeros(places, np.uint64)
    np.add.at(added, place, values)
    return added


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"COPY": copy}
