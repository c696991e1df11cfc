"""BUNCH: scores that pile up just above a cut-off, for organisations and for whole tables of scores."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr

from ratings.signals.frames import Ratings, Scale, has, signal_rows
from ratings.signals.mixture import usual_weights
from ratings.signals.rows import placed
from ratings.signals.statistics import (
    SMALLEST_P,
    Window,
    beta_binomial_fit,
    beta_binomial_upper,
    first_reason,
    guarded,
    p_of,
    pooled_types,
    spearman,
    z_of,
)

ABOVE, BELOW = 0.02, 0.03
"""An organisation's windows above and below a cut-off, as parts of the scale's range: 2 and 3 points of 100."""

FEWEST_NEAR = 4
"""So many scores an organisation needs in the windows of one cut-off."""

FEWEST_ORGANISATIONS = 15
"""So many organisations of a type are needed to know what is usual."""

ROUNDING = (0.05, 0.5)
"""A group that rounds, of so much of all, is told apart from one that lifts scores over cut-offs."""

WIDTHS = (0.02, 0.03, 0.05)
"""A table's windows, as parts of the scale's range; the middle of the three answers counts."""

FEWEST_SCORES = 200
FEWEST_AT_CUTOFF = 20
FEWEST_PLACEBOS = 8
"""What a unit needs before its whole distribution is judged: scores, scores beside the cut-off, places without one."""

ROUND = (2, 4, 5, 10, 12, 15, 20, 30, 50, 60, 100)
"""Steps of a scale that people round to; a cut-off is compared with other places that are as round as it is."""

CLOCK = (60, 120, 300, 600, 900, 1800, 3600, 7200)
"""Distances of round times in seconds."""

THIN = 0.005
"""Of a place with a smaller share of a unit's scores beside it nothing is said: at the thin ends a scale's own gaps, as
of marks that no sum of points gives, are all there is to see."""

ROUND_PLACES = 5
"""So many places as round as a cut-off show what roundness alone does."""

MEDIAN_SQUARE = 0.4549
"""Half of the squares of a normal deviate are below this."""

BUNCHING_COLUMNS = {
    "unit": "str",
    "cutoff": "Float64",
    "is_placebo": "boolean",
    "is_testable": "boolean",
    "reason_code": "str",
    "above": "Float64",
    "below": "Float64",
    "statistic": "Float64",
    "z": "Float64",
    "p": "Float64",
    "moved": "Float64",
    "moved_share": "Float64",
    "placebos": "Int64",
}


@dataclass(frozen=True)
class Steps:
    """What distinguishes scores: the least difference, and the range nearly all of them lie in."""

    step: float
    low: float
    high: float

    @classmethod
    def of(cls, score: np.ndarray, count: np.ndarray, scale: Scale) -> "Steps":
        """Of a scale as far as it tells, else of the scores: least difference, quantiles of 0.5% and 99.5%."""
        order = np.argsort(score, kind="stable")
        value, weight = score[order], np.cumsum(count[order])
        low, high = value[np.searchsorted(weight, weight[-1] * np.array([0.005, 0.995]))]
        low = low if scale.score_min is None else scale.score_min
        high = high if scale.score_max is None else scale.score_max
        step = scale.score_step
        if step is None:
            differences = np.diff(np.unique(np.round(value, 9)))
            step = float(differences.min()) if len(differences) else 1.0
        finest = 10.0 ** np.floor(np.log10(max(high - low, 1e-12) / 1000))
        if step < finest * 0.999:
            step = finest
        return cls(round(float(step), 12), float(low), float(high))

    def width(self, part: float) -> float:
        """So wide is a part of the range: whole steps, at least one."""
        return max(1, round(part * (self.high - self.low) / self.step)) * self.step


def histogram(ratings: Ratings) -> pd.DataFrame:
    """Scores and how often: `organisation`, `period`, `score`, `count`; without counts one row a subject."""
    if has(ratings.scores, "score"):
        known = ratings.scores["score"].notna().to_numpy() & ratings.scores["count"].notna().to_numpy()
        return ratings.scores.loc[known, ["organisation", "period", "score", "count"]]
    if not has(ratings.subjects, "score"):
        return pd.DataFrame({"organisation": pd.Series(dtype="str"), "period": pd.Series(dtype=int)})
    known = ratings.subjects["score"].notna().to_numpy()
    return ratings.subjects.loc[known, ["organisation", "period", "score"]].assign(count=1.0)


def placebos_of(scale: Scale, steps: Steps) -> tuple[float, ...]:
    """Scores at which nothing begins: those of the scale, else about every twentieth of its range, at round numbers.

    Clear: the windows beside them do not overlap those beside a cut-off. Of 0 to 100 with cut-offs 50, 70 and 90 these
    are the other fives, of 0 to 60 points with 13 and 27 the fives too, of hours in seconds (every cut-off in whole
    minutes) the quarters of an hour. Where the scale has no round numbers they are counted from the first cut-off.
    """
    if scale.placebos is not None:
        return scale.placebos
    cutoffs = np.array(scale.cutoffs, float)
    above, below = steps.width(ABOVE), steps.width(BELOW)
    apart = _round_distance(steps, cutoffs)
    places = np.arange(np.ceil(steps.low / apart), np.floor(steps.high / apart) + 1) * apart
    if not np.allclose(np.round(apart / steps.step), apart / steps.step):
        apart = max(round(apart / steps.step), 1) * steps.step
        places = cutoffs[0] + apart * np.arange(-40, 41)
    clear = (places[:, None] - below >= cutoffs + above - 1e-9) | (places[:, None] + above <= cutoffs - below + 1e-9)
    inside = (places - below >= steps.low - 1e-9) & (places + above <= steps.high + 1e-9)
    return tuple(float(place) for place in np.round(places[clear.all(axis=1) & inside], 9))


def _round_distance(steps: Steps, cutoffs: np.ndarray) -> float:
    """About a twentieth of the range: 1, 2 or 5 times a power of ten, or whole minutes where the cut-offs are times."""
    wanted = max((steps.high - steps.low) / 20, steps.step)
    tens = 10.0 ** np.floor(np.log10(wanted))
    decimal = tens * np.array([1, 2, 5, 10])
    clock = np.array([each for each in CLOCK if steps.step <= each], float)

    def nearest(distances: np.ndarray) -> float:
        return float(distances[np.abs(np.log(distances / wanted)).argmin()])

    def holds(distance: float) -> bool:
        return bool(np.allclose(np.round(cutoffs / distance), cutoffs / distance))

    by_tens = nearest(decimal[decimal >= steps.step * (1 - 1e-9)])
    by_clock = nearest(clock) if len(clock) and holds(60.0) else by_tens
    return by_clock if holds(by_clock) and not holds(by_tens) else by_tens


def bunch(ratings: Ratings, period: int) -> pd.DataFrame:
    """BUNCH: whether scores pile up just above a cut-off.

    For every cut-off c: a = scores in [c, c + 2% of the range), b = in [c - 3%, c); upper mid-p of a among a + b under
    the beta-binomial of the organisation's type; the cut-offs combined with the weights sqrt(a + b) (Liptak). The same
    at placebo cut-offs gives z0, and z = (z_c - beta z0) / sqrt(1 - beta^2), beta = their Spearman correlation over
    organisations held in [0, 0.9]: who rounds to fives does so where nothing begins, too. What is usual is learned
    without a group of many who lift scores at cut-offs only (`mixture`). Guarded; up to three periods are counted
    together.

    `n` is a + b over the cut-offs, `observed` a, `expected` a among the type, `statistic` their difference (scores);
    `parameters`: `cutoffs`, `placebos`, `placebo_z`.
    Source: inflation.md (BUNCH); Saez 2010; Dee, Dobbie, Jacob & Rockoff 2019 (Regents examinations).
    Needs: cut-offs, 4 scores beside one of them, 15 organisations of a type that have them.
    Size at .05: .031 to .049 in the empty provinces of `docs/detection.md`.
    Innocent: a second look at those just below a cut-off that was held by the rules and written down.
    """
    window = Window.of(ratings, period)
    owners = len(window.grid.organisations)
    scores = histogram(ratings)
    places = placed(scores, window)
    inside = places.inside
    cutoffs = np.array(ratings.scale.cutoffs, float)
    near = np.zeros((owners, len(cutoffs)))
    above, expected, z_cut, z_placebo = (np.full(owners, np.nan) for _ in range(4))
    placebos: tuple[float, ...] = ()
    weight = np.ones(owners)
    if inside.any() and len(cutoffs):
        owner = places.owner[inside]
        score, count = (scores[name].to_numpy(float)[inside] for name in ("score", "count"))
        steps = Steps.of(score, count, ratings.scale)
        placebos = placebos_of(ratings.scale, steps)
        kind = _kinds(window)
        table = _Beside(owner, score, count, owners, steps)
        a, near = table.counts(cutoffs)
        beside_placebos = table.counts(np.array(placebos)) if placebos else None
        weight = _not_lifted((a, near), beside_placebos, kind)
        z, usual = _against_type(a, near, kind, weight)
        z_cut = _weighted(z, near)
        above = np.where(np.isfinite(z), a, 0).sum(axis=1)
        expected = np.nansum(usual, axis=1)
        near = np.where(np.isfinite(z), near, 0)
        if beside_placebos is not None:
            a, beside = beside_placebos
            z_placebo = _weighted(_against_type(a, beside, kind)[0], beside)
    z_cut, z_placebo = z_cut[window.here], z_placebo[window.here]
    z = guarded(_without_placebo(z_cut, z_placebo, weight[window.here]), weight[window.here])
    known = np.isfinite(z)
    total = near.sum(axis=1)[window.here]
    reason = first_reason(
        len(z),
        [
            (not inside.any(), "no_scores"),
            (len(cutoffs) == 0, "no_cutoff"),
            (~np.isin(np.flatnonzero(window.here), places.owner[inside]), "no_scores"),
            (known.any(), "too_small"),
            (True, "too_few_peers"),
        ],
    )
    shared = json.dumps({"cutoffs": list(ratings.scale.cutoffs), "placebos": list(placebos)})[:-1]
    return signal_rows(
        "BUNCH",
        ratings,
        period,
        p=p_of(z),
        reason=reason,
        z=z,
        statistic=np.where(known, (above - expected)[window.here], np.nan),
        n=np.where(known, total, np.nan),
        observed=np.where(known, above[window.here], np.nan),
        expected=np.where(known, expected[window.here], np.nan),
        peers=np.where(known, known.sum() - 1, np.nan),
        parameters=[
            f'{shared}, "placebo_z": {value:.3f}}}' if np.isfinite(value) else f"{shared}}}" for value in z_placebo
        ],
    )


class _Beside:
    """Scores counted beside any places, by organisation."""

    def __init__(self, owner: np.ndarray, score: np.ndarray, count: np.ndarray, owners: int, steps: Steps) -> None:
        self.owner, self.score, self.count = owner, score, count
        self.owners, self.steps = owners, steps

    def counts(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of each organisation (rows) and place (columns): scores just above, and on both sides."""
        above, beside = np.zeros((self.owners, len(places))), np.zeros((self.owners, len(places)))
        hair = self.steps.step * 1e-6
        for column, place in enumerate(places):
            upper = (self.score >= place - hair) & (self.score < place + self.steps.width(ABOVE) - hair)
            lower = (self.score < place - hair) & (self.score >= place - self.steps.width(BELOW) - hair)
            above[:, column] = np.bincount(self.owner[upper], weights=self.count[upper], minlength=self.owners)
            beside[:, column] = above[:, column] + np.bincount(
                self.owner[lower], weights=self.count[lower], minlength=self.owners
            )
        return above, beside


def _kinds(window: Window) -> np.ndarray:
    """The type of every organisation of the grid, that of its latest row."""
    kind = pd.Series(pd.NA, index=range(len(window.grid.organisations)), dtype="str")
    last = np.r_[window.grid.row[1:] != window.grid.row[:-1], True] if len(window.grid.row) else np.array([], bool)
    kind.iloc[window.grid.row[last]] = window.text("type").to_numpy()[last]
    return pooled_types(kind).to_numpy()


def _not_lifted(
    at_cutoffs: tuple[np.ndarray, np.ndarray], at_placebos: tuple[np.ndarray, np.ndarray] | None, kind: np.ndarray
) -> np.ndarray:
    """The chance of every organisation not to be of a group that lifts scores over cut-offs (`usual_weights`).

    Those who pile up scores where nothing begins, too, round: they are looked for first and are no such group.
    """
    plain = np.ones(len(kind))
    if at_placebos is not None:
        plain = usual_weights(*_all_places(*at_placebos, kind), least_share=ROUNDING[0], most_share=ROUNDING[1])
    above, beside, usual = _all_places(*at_cutoffs, kind)
    return 1 - plain * (1 - usual_weights(np.where(plain < 0.5, np.nan, above), beside, usual))


def _all_places(above: np.ndarray, beside: np.ndarray, kind: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores just above and on both sides of all places that are judged, and the share that is usual above."""
    usual = _against_type(above, beside, kind)[1]
    judged = np.isfinite(usual)
    whole = np.where(judged, beside, 0).sum(axis=1)
    return np.where(judged, above, 0).sum(axis=1), whole, np.nansum(usual, axis=1) / np.maximum(whole, 1)


def _against_type(
    above: np.ndarray, beside: np.ndarray, kind: np.ndarray, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Deviates and expected numbers of the scores above, by organisation and place; a small type is judged with all."""
    alpha, beta = np.full(above.shape, np.nan), np.full(above.shape, np.nan)
    code, kinds = pd.factorize(kind, sort=True)
    for place in range(above.shape[1]):
        judged = beside[:, place] >= FEWEST_NEAR
        if judged.sum() < FEWEST_ORGANISATIONS:
            continue
        large = np.bincount(code[judged], minlength=len(kinds)) >= FEWEST_ORGANISATIONS
        among = [judged & (code == one) for one in np.flatnonzero(large)]
        rest = judged & ~large[code]
        for rows, learned in [*zip(among, among, strict=True), *([(rest, judged)] if rest.any() else [])]:
            counted = None if weight is None else weight[learned]
            fit = beta_binomial_fit(above[learned, place], beside[learned, place], counted)
            alpha[rows, place], beta[rows, place] = fit.alpha, fit.beta
    return z_of(beta_binomial_upper(above, beside, alpha, beta)), beside * alpha / (alpha + beta)


def _weighted(z: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """One deviate an organisation, every place with the weight sqrt of what lies beside it."""
    weight = np.where(np.isfinite(z), np.sqrt(beside), 0)
    length = np.sqrt((weight**2).sum(axis=1))
    total = (weight * np.nan_to_num(z)).sum(axis=1)
    return np.where(length > 0, total / np.where(length > 0, length, 1), np.nan)


def _without_placebo(z: np.ndarray, placebo: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What of a deviate is not already so where nothing begins, as far as the usual ones have both in common."""
    both = np.isfinite(z) & np.isfinite(placebo)
    if both.sum() < FEWEST_ORGANISATIONS:
        return z
    usual = both & (weight > 0.5)
    beta = min(max(spearman(z[usual], placebo[usual]), 0.0), 0.9)
    # Without anything beside the placebos the deviate is believed as far as the placebos would leave it.
    return (z - beta * np.where(both, placebo, 0)) / np.where(both, np.sqrt(1 - beta**2), 1.0)


def bunching(
    scores: pd.DataFrame,
    cutoffs: Sequence[float],
    *,
    placebos: Sequence[float] = (),
    also_declared: Sequence[float] = (),
    scale: Scale | None = None,
) -> pd.DataFrame:
    """Whether the scores of a whole table (of each `unit` of it) pile up at cut-offs, and not where nothing begins.

    `scores` has `score` and, where known, `count` and `unit` (a province's district, an examination, a borough). Higher
    is better; where less is better, give score and cut-offs with their signs turned. Any scale, in steps or continuous.

    Of a place c and a width w, with the counts b2, b, a, a2 in [c - 2w, c - w), [c - w, c), [c, c + w), [c + w, c +
    2w), 1/2 added to each: D = log(a / b) - log(a2 / b2) / 3; a smooth distribution has D near 0 whatever its slope.
    All other places of the scale, none of whose two inner windows touches a cut-off or one `also_declared`, say what
    D is usual (median), how much it differs beyond Poisson (by the median square), and what more it is at places as
    round as c (scores heap at round numbers). z is the middle one of three widths, 2, 3 and 5% of the range in whole
    steps; p by Student's t with as many degrees of freedom as placebo windows fit side by side.

    Returns `BUNCHING_COLUMNS`, one row per unit and cut-off or placebo: `above` and `below` in the middle windows,
    `statistic` the middle D less what is usual there (a log ratio), `moved` how many scores would have to go back below
    the cut-off for the ratio to be the usual one, `moved_share` their part of what belongs below, `placebos` how many
    places were compared with. Fewer than 200 scores of a unit, 20 or 0.5% of them beside the place (`too_small`) or 8
    placebos (`too_few_peers`) are not testable, nor is a place whose windows leave the scale.
    Size at .05: .00 to .03 for smooth and for heaped distributions of 500 to 100,000 scores (tests).
    Source: McCrary 2008; Saez 2010; Dee, Dobbie, Jacob & Rockoff 2019, made a permutation over places.
    """
    known = scores[scores["score"].notna()]
    places = np.r_[np.array(cutoffs, float), np.array(placebos, float)]
    if known.empty or not len(places):
        return pd.DataFrame(columns=list(BUNCHING_COLUMNS)).astype(BUNCHING_COLUMNS)
    score = known["score"].to_numpy(float)
    count = known["count"].to_numpy(float) if "count" in known else np.ones(len(known))
    unit, units = pd.factorize(known["unit"], sort=True) if "unit" in known else (np.zeros(len(known), int), [""])
    steps = Steps.of(score, count, scale or Scale())
    declared = np.r_[np.array(cutoffs, float), np.array(also_declared, float)]
    line = _Line.of(steps, score, count, unit, len(units), declared)
    views = [line.judge(places, declared, width) for width in sorted({steps.width(part) for part in WIDTHS})]
    z, freedom, excess = (
        _middle(np.stack([getattr(view, name) for view in views])) for name in ("z", "freedom", "excess")
    )
    middle = views[len(views) // 2]
    is_placebo = np.arange(len(places)) >= len(cutoffs)
    # Beside the end of a scale only the narrowest windows have room, and see its last gaps.
    z = np.where(is_placebo & ~np.isfinite(middle.z), np.nan, z)
    tested = np.isfinite(z)
    p = np.where(tested, np.clip(stdtr(freedom, -z), SMALLEST_P, 1), np.nan)
    fewest = np.maximum(FEWEST_AT_CUTOFF, THIN * line.total)[:, None]
    small = (line.total[:, None] < FEWEST_SCORES) | (middle.above + middle.below < fewest)
    shape = (len(units), len(places))
    columns = {
        "unit": np.broadcast_to(np.asarray(units, object)[:, None], shape),
        "cutoff": np.broadcast_to(places, shape),
        "is_placebo": np.broadcast_to(is_placebo, shape),
        "is_testable": tested,
        "reason_code": np.where(tested, None, np.where(small, "too_small", "too_few_peers")),
        "above": middle.above,
        "below": middle.below,
        "statistic": np.where(tested, excess, np.nan),
        "z": z,
        "p": p,
        "moved": np.where(tested, middle.moved, np.nan),
        "moved_share": np.where(
            tested, np.maximum(middle.moved, 0) / np.maximum(middle.below + middle.moved, 1), np.nan
        ),
        "placebos": np.where(tested, middle.placebos, 0),
    }
    return pd.DataFrame({name: np.asarray(values).ravel() for name, values in columns.items()}).astype(BUNCHING_COLUMNS)


def _middle(views: np.ndarray) -> np.ndarray:
    """The median over the first axis of what is known."""
    known = np.isfinite(views).any(axis=0)
    return np.where(known, np.nanmedian(np.where(known, views, 0), axis=0), np.nan)


@dataclass(frozen=True)
class _View:
    """Every unit (rows) and place (columns) seen through windows of one width."""

    z: np.ndarray
    freedom: np.ndarray
    excess: np.ndarray
    above: np.ndarray
    below: np.ndarray
    moved: np.ndarray
    placebos: np.ndarray


@dataclass(frozen=True)
class _Line:
    """Scores of every unit counted up along the steps of their scale."""

    steps: Steps
    origin: float
    first: int
    counted: np.ndarray
    support: np.ndarray

    @classmethod
    def of(
        cls, steps: Steps, score: np.ndarray, count: np.ndarray, unit: np.ndarray, units: int, declared: np.ndarray
    ) -> "_Line":
        """Steps are counted from 0 where the cut-offs lie on them, else from the first cut-off."""
        on_steps = np.allclose(np.round(declared / steps.step), declared / steps.step, rtol=0, atol=1e-6)
        origin = 0.0 if on_steps else float(declared[0])
        place = np.floor((score - origin) / steps.step + 1e-6).astype(int)
        first, last = int(place.min()), int(place.max())
        table = np.zeros((units, last - first + 2))
        np.add.at(table, (unit, place - first + 1), count)
        everywhere = np.cumsum(table.sum(axis=0))
        ends = np.searchsorted(everywhere, everywhere[-1] * np.array([0.005, 0.995])) + first - 1
        return cls(steps, origin, first, np.cumsum(table, axis=1), ends)

    @property
    def total(self) -> np.ndarray:
        """Scores of every unit."""
        return self.counted[:, -1]

    def between(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Scores of every unit from one step up to another that no longer counts."""
        last = self.counted.shape[1] - 1
        return (
            self.counted[:, np.clip(high - self.first, 0, last)] - self.counted[:, np.clip(low - self.first, 0, last)]
        )

    def judge(self, places: np.ndarray, declared: np.ndarray, width: float) -> _View:
        """The places against all others of the scale."""
        wide = round(width / self.steps.step)
        at, taken = (np.round((each - self.origin) / self.steps.step).astype(int) for each in (places, declared))
        others = np.arange(self.support[0] + 2 * wide, self.support[1] + 2 - 2 * wide)
        away = np.abs(others[:, None] - taken).min(axis=1)
        if (away > wide).sum() < FEWEST_PLACEBOS:
            # On a scale full of cut-offs the places between them are all there is: their mirror images widen the field.
            away = np.where(away > 0, wide + 1, 0)
        others = others[away > wide]
        usual, variance, above, below, _ = self._ratios(others, wide)
        counts = (above + below >= FEWEST_AT_CUTOFF) & (self.total >= FEWEST_SCORES)[:, None]
        centre = _median(usual, counts)
        residual = usual - centre[:, None]
        enough = counts.sum(axis=1) >= FEWEST_PLACEBOS
        field = _beyond_chance(residual, variance, counts)

        ratio, variance_at, above, below, slope = self._ratios(at, wide)
        more, spread, alike = self._of_the_round(at, others, residual, variance, counts)
        spread = np.where(np.isfinite(spread), spread, field[:, None])
        excess = ratio - centre[:, None] - more
        side_by_side = np.maximum(3.0, counts.sum(axis=1) / (2 * wide))[:, None]
        inside = (at - 2 * wide >= self._step(self.steps.low)) & (at + 2 * wide <= self._step(self.steps.high) + 1)
        fewest = np.maximum(FEWEST_AT_CUTOFF, THIN * self.total)[:, None]
        tested = enough[:, None] & (above + below >= fewest) & inside
        odds = np.exp(np.clip(centre[:, None] + more + slope, -30, 30))
        return _View(
            z=np.where(tested, excess / np.sqrt(variance_at + spread), np.nan),
            freedom=np.where(tested, np.minimum(side_by_side, np.maximum(alike - 1, 3)), np.nan),
            excess=np.where(tested, excess, np.nan),
            above=above,
            below=below,
            moved=above - (above + below) * odds / (1 + odds),
            placebos=np.broadcast_to(counts.sum(axis=1)[:, None], tested.shape),
        )

    def _step(self, score: float) -> int:
        return int(np.floor((score - self.origin) / self.steps.step + 1e-6))

    def _ratios(self, at: np.ndarray, wide: int) -> tuple[np.ndarray, ...]:
        """D and its Poisson variance, the counts above and below, and what the slope further out makes of the ratio."""
        above, below = self.between(at, at + wide), self.between(at - wide, at)
        beyond, before = self.between(at + wide, at + 2 * wide), self.between(at - 2 * wide, at - wide)
        slope = np.log((beyond + 0.5) / (before + 0.5)) / 3
        variance = 1 / (above + 0.5) + 1 / (below + 0.5) + (1 / (beyond + 0.5) + 1 / (before + 0.5)) / 9
        return np.log((above + 0.5) / (below + 0.5)) - slope, variance, above, below, slope

    def _of_the_round(
        self, at: np.ndarray, others: np.ndarray, residual: np.ndarray, variance: np.ndarray, counts: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """By how much places as round as each are above the usual, how they spread, and how many they are.

        Where places are too few of a roundness the spread is NaN, and all places are what is compared with.
        """
        more, spread = np.zeros((len(counts), len(at))), np.full((len(counts), len(at)), np.nan)
        alike = np.broadcast_to(counts.sum(axis=1)[:, None], more.shape).astype(float).copy()
        for column, place in enumerate(at):
            for step in ROUND:  # from the less round to the roundest that has places enough
                if self.origin != 0 or place % step:
                    continue
                alone = (others % step == 0) & (others != place)
                same, left = counts[:, alone], residual[:, alone]
                enough = same.sum(axis=1) >= ROUND_PLACES
                # A few places of that roundness cannot say what is usual there, but it is no less than their most.
                most = np.where(same, left, -np.inf).max(axis=1, initial=-np.inf)
                more[:, column] = np.maximum(more[:, column], np.where(enough, _median(left, same), most))
                own = _beyond_chance(left - more[:, [column]], variance[:, alone], same)
                spread[:, column] = np.where(enough, own, spread[:, column])
                alike[:, column] = np.where(enough, same.sum(axis=1), alike[:, column])
        return more, spread, alike


def _median(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Of every row the median of what counts, 0 where nothing does."""
    return _middle(np.where(counted, values, np.nan).T) if counted.any() else np.zeros(len(values))


def _beyond_chance(residual: np.ndarray, variance: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The variance that, added to that of chance, makes half the squares smaller than a normal's median square."""
    return np.maximum(0, _median(residual**2 / MEDIAN_SQUARE - variance, counted))


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"BUNCH": bunch}
