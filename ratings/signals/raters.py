"""RATER: one who rates higher than others who rate the same, favours one's own side, or rounds only upwards."""

import json
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import bdtr, gammaln, stdtr

from ratings.signals.frames import Ratings, has, signal_rows
from ratings.signals.rows import numbers
from ratings.signals.statistics import SMALLEST_P, first_reason, latest, z_of

FEWEST_RATERS = 3
"""An object of fewer raters tells nothing about any of them."""

FEWEST_OBJECTS = 10
"""Of a rater of fewer objects nothing is said about leniency or rounding."""

FEWEST_COMPARED = 3
"""So many other raters show how raters differ."""

FEWEST_OWN = 3
"""Of a rater who rated fewer objects of one's own side, or fewer others, nothing is said about favour."""

ROBUST_FROM = 12
"""Of so many other raters the middle and the spread are taken robustly; of fewer, median deviations say too little."""

VIEWS = ("leniency", "favour", "rounding")
TOLD = ("leniency", "favour", "own", "rounded", "rounded_up")

RATER_COLUMNS = {
    "rater": "str",
    "objects": "Int64",
    "leniency": "Float64",
    "leniency_z": "Float64",
    "leniency_p": "Float64",
    "own": "Int64",
    "favour": "Float64",
    "favour_z": "Float64",
    "favour_p": "Float64",
    "rounded": "Int64",
    "rounded_up": "Int64",
    "rounding_p": "Float64",
}


def raters(scores: pd.DataFrame) -> pd.DataFrame:
    """How every rater rates beside the other raters of the same objects; one row a rater, `RATER_COLUMNS`.

    `scores` has one row a rating: `rater`, `object`, `score` (higher is better); where known `is_own` (the object is of
    the rater's own side: country, school, shop) and `stored` (the value the published score was made of).

    - leniency: mean over the objects of the score less the median of the other raters, e its standard error. How much
      raters differ anyway (b) is known from the m others, their means' spread less their errors; so
      z = (leniency - theirs) / sqrt(b^2 (1 + 1/m) + e^2), p by Student's t of m - 1 degrees: to be a little above the
      others is nothing, to stand out is. (Of 12 others and more, b by the median deviation.)
    - favour: that difference on one's own objects less that on the others, within the rater; p by Welch's t, which on
      fewer than 20 objects is cautious.
    - rounding: of the scores that differ from what is stored, how many are above it; binomial with one half.

    p are one-sided and NaN where objects or raters are too few (10 objects of 3 raters; 3 own and 3 others; 10 that
    differ).
    Source: inflation.md; Zitzewitz 2006 (figure skating), Emerson et al. 2009 (diving), Hickey 2015 (Fandango).
    """
    rows = _known(scores)
    rater, names = pd.factorize(rows["rater"], sort=True)
    score = rows["score"].to_numpy(float)
    beyond = score - _others_median(pd.factorize(rows["object"])[0], score)
    own = rows["is_own"].astype("boolean").to_numpy(float, na_value=np.nan) if "is_own" in rows else None
    of_all = _of(rater, beyond, np.isfinite(beyond), len(names))
    leniency_z, leniency_p = _leniency(of_all)
    columns = {"rater": np.asarray(names), "objects": of_all.count, "leniency": of_all.mean}
    columns |= {"leniency_z": leniency_z, "leniency_p": leniency_p}
    if own is not None:
        # A difference to the others is a common one on top of the favour: it is the same on both sides and falls out.
        at_home = _of(rater, beyond, np.isfinite(beyond) & (own == 1), len(names))
        elsewhere = _of(rater, beyond, np.isfinite(beyond) & (own == 0), len(names))
        favour, z, p = _welch(at_home, elsewhere)
        columns |= {"own": at_home.count, "favour": favour, "favour_z": z, "favour_p": p}
    if "stored" in rows:
        rounding = score - numbers(rows, "stored")
        changed = np.bincount(rater[np.abs(rounding) > 1e-9], minlength=len(names))
        up = np.bincount(rater[rounding > 1e-9], minlength=len(names))
        # At one half the upper tail from `up` on is the lower one of what was rounded down.
        down = changed - up
        tail = (
            bdtr(down, np.maximum(changed, 1), 0.5)
            - np.exp(gammaln(changed + 1) - gammaln(up + 1) - gammaln(down + 1) - changed * np.log(2)) / 2
        )
        columns |= {"rounded": changed, "rounded_up": up, "rounding_p": _held(tail, changed >= FEWEST_OBJECTS)}
    return pd.DataFrame(columns).reindex(columns=list(RATER_COLUMNS)).astype(RATER_COLUMNS)


class Favour(NamedTuple):
    """What all raters together give their own side beyond what others give it, in points of the scale."""

    effect: float
    z: float
    p: float
    own: int


def favour_of_all(scores: pd.DataFrame) -> Favour:
    """Whether raters as a body favour their own side.

    The difference to the median of the other raters, regressed on `is_own` with a constant for every rater. The
    standard error is the larger of those clustered by object and by rater, p one-sided by Student's t of the fewer
    clusters less one. NaN where fewer than 3 raters have own objects and others.
    """
    rows = _known(scores)
    rater, object_ = pd.factorize(rows["rater"])[0], pd.factorize(rows["object"])[0]
    score, own = numbers(rows, "score"), rows["is_own"].astype("boolean").to_numpy(float, na_value=np.nan)
    beyond = score - _others_median(object_, score)
    used = np.isfinite(beyond) & np.isfinite(own)
    rater, object_, beyond, own = rater[used], object_[used], beyond[used], own[used]
    beyond, own = beyond - _mean_by(rater, beyond), own - _mean_by(rater, own)
    telling = np.unique(rater[own != 0])
    if len(telling) < FEWEST_RATERS:
        return Favour(np.nan, np.nan, np.nan, 0)
    length = (own**2).sum()
    effect = float((own * beyond).sum() / length)
    left = own * (beyond - effect * own)
    errors, clusters = [], []
    for cluster in (rater, object_):
        sums = np.bincount(cluster, weights=left)
        count = len(np.unique(cluster[own != 0]))
        errors.append(np.sqrt((sums**2).sum() * count / max(count - 1, 1)) / length)
        clusters.append(count)
    z = effect / max(*errors, 1e-12)
    return Favour(effect, z, float(np.clip(stdtr(min(clusters) - 1, -z), SMALLEST_P, 1)), int((own > 0).sum()))


def _mean_by(group: np.ndarray, value: np.ndarray) -> np.ndarray:
    return (np.bincount(group, weights=value) / np.maximum(np.bincount(group), 1))[group]


def rater(ratings: Ratings, period: int) -> pd.DataFrame:
    """RATER: whether one rates higher than others do who rate the same.

    The organisation is the one that rates (a judge, a site, a school that marks): its rows of `subjects` against
    those of other organisations on the same subject and period, three periods together; several raters of one
    organisation are averaged. Leniency, favour to one's own (`is_own`) and one-sided rounding (`stored`) as in
    `raters`; the smallest p times the number of those that could be asked.

    `n` objects, `observed` its leniency, `expected` the middle leniency of all, `statistic` the favour where that is
    what counts, the share rounded up, or the leniency again; `parameters`: `view`, `leniency`, `favour`, `own`,
    `rounded`, `rounded_up`. Size at .05: .05 of each of the three, of honest judges (tests). Source and needs: as
    `raters`. Innocent: its objects are better in what only it sees; another scale of its own.
    """
    codes = np.sort(ratings.organisations.loc[ratings.organisations["period"] == period, "organisation"].to_numpy())
    has_raters = has(ratings.subjects, "rater", "subject", "score")
    each = raters(_by_organisation(latest(ratings.subjects, period))) if has_raters else raters(_NO_RATINGS)
    middle = float(each["leniency"].median()) if each["leniency"].notna().any() else np.nan
    each = each.set_index("rater").reindex(codes)
    value = {name: each[name].to_numpy(float, na_value=np.nan) for name in each}
    tails = np.column_stack([value[f"{view}_p"] for view in VIEWS])
    asked = np.isfinite(tails).sum(axis=1)
    view = np.where(np.isfinite(tails), tails, np.inf).argmin(axis=1)
    p = np.where(asked > 0, np.minimum(np.where(np.isfinite(tails), tails, 2).min(axis=1) * asked, 1), np.nan)
    tested = asked > 0
    shown = np.column_stack([value["leniency"], value["favour"], value["rounded_up"] / np.maximum(value["rounded"], 1)])
    reason = first_reason(
        len(p), [(not has_raters, "no_raters"), (value["objects"] > 0, "too_small"), (True, "no_raters")]
    )
    told = [value[name] for name in TOLD]
    return signal_rows(
        "RATER",
        ratings,
        period,
        p=p,
        reason=reason,
        z=z_of(p),
        statistic=np.where(tested, shown[np.arange(len(p)), view], np.nan),
        n=np.where(tested, value["objects"], np.nan),
        observed=np.where(tested, value["leniency"], np.nan),
        expected=np.where(tested, middle, np.nan),
        peers=np.where(tested, tested.sum() - 1, np.nan),
        parameters=np.full(len(p), json.dumps({"view": VIEWS[0]}), dtype=object)
        if not has_raters
        else [
            json.dumps(
                {"view": VIEWS[which]}
                | {name: round(number, 4) for name, number in zip(TOLD, numbers_of, strict=True) if np.isfinite(number)}
            )
            for which, *numbers_of in zip(view, *told, strict=True)
        ],
    )


_NO_RATINGS = pd.DataFrame({name: pd.Series(dtype="str") for name in ("rater", "object", "score")})


def _by_organisation(subjects: pd.DataFrame) -> pd.DataFrame:
    """Ratings with the organisation as the rater, and a subject of every period as an object."""
    columns = [name for name in ("is_own", "stored") if name in subjects]
    rows = subjects.loc[subjects["rater"].notna(), ["organisation", "subject", "period", "score", *columns]]
    rows = rows.assign(object=pd.MultiIndex.from_frame(rows[["subject", "period"]]).factorize()[0])
    return rows.rename(columns={"organisation": "rater"})[["rater", "object", "score", *columns]]


def _known(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a rater and object: several are averaged, and of the rater's own side where most were."""
    rows = scores[scores["score"].notna() & scores["rater"].notna() & scores["object"].notna()]
    if not rows.duplicated(["rater", "object"]).any():
        return rows
    numeric = [name for name in ("score", "is_own", "stored") if name in rows]
    rows = rows.astype(dict.fromkeys(numeric, "Float64"))
    rows = rows.groupby(["rater", "object"], as_index=False)[numeric].mean()
    return rows.assign(is_own=rows["is_own"] > 0.5) if "is_own" in rows else rows


def _others_median(group: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Of every row the median of the other rows of its group; NaN in groups of fewer than `FEWEST_RATERS` rows."""
    order = np.lexsort((value, group))
    ordered, sorted_group = value[order], group[order]
    size = np.bincount(group) if len(group) else np.zeros(0, int)
    start = np.r_[0, np.cumsum(size)[:-1]][sorted_group]
    rank, others = np.arange(len(order)) - start, size[sorted_group] - 1
    last = len(order) - 1

    def other(place: np.ndarray) -> np.ndarray:
        # Of the others in order, those from the row's own rank on stand one further.
        return ordered[np.clip(start + place + (place >= rank), 0, last)]

    median = (other((others - 1) // 2) + other(others // 2)) / 2 if len(order) else ordered
    answer = np.full(len(value), np.nan)
    answer[order] = np.where(size[sorted_group] >= FEWEST_RATERS, median, np.nan)
    return answer


class _Sample(NamedTuple):
    count: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


def _of(rater: np.ndarray, value: np.ndarray, used: np.ndarray, raters: int) -> _Sample:
    """Number, mean and variance of the used values of every rater."""
    by = rater[used]
    count = np.bincount(by, minlength=raters)
    mean = np.bincount(by, weights=value[used], minlength=raters) / np.maximum(count, 1)
    squares = np.bincount(by, weights=(value[used] - mean[by]) ** 2, minlength=raters)
    known = np.where(count > 0, mean, np.nan)
    return _Sample(count, known, np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan))


def _leniency(sample: _Sample) -> tuple[np.ndarray, np.ndarray]:
    """How far each rater stands from the field of the others, and the upper tail of it."""
    judged = (sample.count >= FEWEST_OBJECTS) & np.isfinite(sample.variance)
    z, p = np.full(len(judged), np.nan), np.full(len(judged), np.nan)
    z[judged], p[judged] = beyond_others(sample.mean[judged], sample.variance[judged] / sample.count[judged])
    return z, p


def beyond_others(value: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far above the field of the others each value stands, and the upper tail; `error` is its own variance.

    z = (value - theirs) / sqrt(b^2 (1 + 1/m) + error), b^2 by how much more than their errors the m others differ
    (robustly of 12 and more), p by Student's t of m - 1 degrees. NaN where there are fewer than 3 others.
    """
    others = len(value) - 1
    if others < FEWEST_COMPARED:
        return np.full(len(value), np.nan), np.full(len(value), np.nan)
    if others < ROBUST_FROM:
        centre = (value.sum() - value) / others
        apart = np.maximum(((value**2).sum() - value**2) / others - centre**2, 0) * others / (others - 1)
    else:
        centre = np.full(len(value), np.median(value))
        apart = np.full(len(value), (np.median(np.abs(value - centre)) / 0.6745) ** 2)
    between = np.maximum(apart - (error.sum() - error) / others, 0)
    z = (value - centre) / np.maximum(np.sqrt(between * (1 + 1 / others) + error), 1e-12)
    return z, np.clip(stdtr(others - 1, -z), SMALLEST_P, 1)


def _welch(own: _Sample, others: _Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The difference of means, its deviate and its upper tail."""
    enough = (own.count >= FEWEST_OWN) & (others.count >= FEWEST_OWN)
    parts = [np.where(enough, each.variance / np.maximum(each.count, 1), np.nan) for each in (own, others)]
    spread = parts[0] + parts[1]
    enough &= spread > 0
    spread = np.where(enough, spread, 1.0)
    difference = np.where(enough, own.mean - others.mean, np.nan)
    degrees = [
        np.where(enough, part, 0.0) ** 2 / np.maximum(each.count - 1, 1)
        for part, each in zip(parts, (own, others), strict=True)
    ]
    freedom = np.where(enough, spread**2 / np.maximum(degrees[0] + degrees[1], 1e-300), 1.0)
    z = difference / np.sqrt(spread)
    return difference, z, _held(stdtr(freedom, -np.where(enough, z, 0)), enough)


def _held(p: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.where(known, np.clip(p, SMALLEST_P, 1), np.nan)


SIGNALS: dict[str, Callable[[Ratings, int], pd.DataFrame]] = {"RATER": rater}
