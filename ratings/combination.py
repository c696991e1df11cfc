"""One review list of all signals: two reasons for everyone on it, and how many may be on it wrongly.

A family of signals (`battery.FAMILIES`) is one reason. An organisation's sum of its two largest reasons is compared
with what the two largest of so many, as correlated as reasons are here, come to by chance.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from ratings.signals.battery import FAMILIES
from ratings.signals.statistics import benjamini_hochberg, largest_of, p_of, ranks, z_of

LEAST, MOST = -4.0, 7.0
"""A single reason counts for no less and no more than so many deviations."""

FEWEST_PAIRS = 30
"""Of so many organisations with both the correlation of two families is taken …"""

ASSUMED = 0.3
"""… of fewer it is taken to be this."""

DRAWS, SEED = 40_000, 5

COUNTED = 200
"""Where fewer draws are as large, the chance is the bound of `_bound`: it needs no draws."""

MOST_PATTERNS = 40
"""For so many patterns of what could be tested draws are counted, the commonest first; for others the bound stands."""

FEWEST_FOR_A = 30
"""Band A is given where so many could be tested: below that the spread of the signals is not known."""

SECOND_REASON = {"A": 1.28, "B": 0.67}
"""So many deviations (p = .10, .25) the second reason needs for a band: one reason alone lists nobody."""

MADE_UP = 0.5
"""So much of the caution of all signals together is made up for. All of it would be exact where the simulated provinces
are right; the rest is kept for what they do not have."""

LISTED = {"A": 0.10, "B": 0.20}
"""Largest q of a band."""

LIST_LENGTH = 50
"""Bands A, B and C together hold so many, as far as C has to fill up."""

NOT_TESTED = {
    "one_reason": "chỉ có một loại dấu hiệu kiểm tra được, cần ít nhất hai",
    "no_reason": "không có dấu hiệu nào kiểm tra được",
}
"""Why an organisation is in no list, as it is told."""

LIST_COLUMNS = {
    "organisation": "str",
    "period": "Int64",
    "rank": "Int64",
    "is_testable": "boolean",
    "reason_code": "str",
    "band": "str",
    "t": "Float64",
    "p": "Float64",
    "q": "Float64",
    "certainty": "Float64",
    "first_family": "str",
    "first_z": "Float64",
    "second_family": "str",
    "second_z": "Float64",
    "families": "Int64",
    "members_above": "Float64",
}
"""Of `Combined.organisations`, one row an organisation: band A, band B, then the others, by p. `t` is the sum of the
two largest deviates, `p` its chance, `q` Benjamini and Hochberg's, `certainty` 1 - q; `band` A, B, C or empty;
`families` how many reasons could be asked for; `members_above` rated good beyond what the evidence lets expect
(EVIDENCE, at least 0)."""


@dataclass(frozen=True)
class Budget:
    """What the list costs: how many could be tested, and how many of the listed may be there by chance."""

    organisations: int
    tested: int
    not_tested: dict[str, int]
    """`NOT_TESTED` code -> organisations"""
    listed: dict[str, int]
    """band -> organisations"""
    expected_false: dict[str, float]
    """band A, and A with B: of so many listed at most so many are expected to be there by chance"""
    signals: pd.DataFrame
    """`signal`, `family`, `tested`, `not_tested`, `at_5_percent` (p <= .05), `expected_at_5_percent`"""
    reasons: pd.DataFrame
    """`signal`, `reason_code`, `organisations`: why signals could not be tested"""
    centre: float
    """The middle of all deviates before they were moved; above 0 nothing was moved"""
    spread: float
    """How much wider the middle of all p is than chance, seen from its lower half; 1 where it is as it should be"""
    correlation: pd.DataFrame
    """The correlation of the families that was reckoned with"""


@dataclass(frozen=True)
class Combined:
    """The organisations of one period in the order in which they should be looked at, and the budget."""

    organisations: pd.DataFrame
    budget: Budget

    @property
    def listed(self) -> pd.DataFrame:
        """Those of bands A, B and C."""
        return self.organisations[self.organisations["band"].notna()]


def combine(signals: pd.DataFrame, *, draws: int = DRAWS) -> Combined:
    """The review list of one period's signals (`battery.signals`); deterministic.

    z of a family is the largest of its signals' (Sidak), held in [-4, 7]. T = sum of an organisation's two largest; its
    p is that of the two largest of a Gaussian copula with the correlation of the families (2 sin(pi/6 Spearman), never
    below 0), over the families that could be tested there. Far out, p = sum over pairs of P(z_i + z_j >= T), which is
    never too small since T is the largest of these sums. Where the middle of all lies below that of chance they are
    moved half-way to it (`_recentred`). Then Benjamini and Hochberg.

    Bands: A q <= .10 and a second reason of p <= .10, B q <= .20 and one of p <= .25, C the next with p <= .5, up to 50
    in all (in tables of under 500 a tenth, at least 3). Organisations with fewer than two families are not testable.
    Source: inflation.md; two strongest reasons as an order statistic; Benjamini and Hochberg 1995.
    Raises ValueError where the rows are of more than one period.
    """
    if signals["period"].nunique() > 1:
        raise ValueError(f"signals of one period are wanted, found {sorted(signals['period'].unique())}")
    codes, families, z = family_deviates(signals)
    known = np.isfinite(z)
    count = known.sum(axis=1)
    held = np.where(known, np.clip(z, LEAST, MOST), -np.inf)
    related = correlation(np.where(known, np.clip(z, LEAST, MOST), np.nan))
    first, second = _two_largest(held)
    tested = count >= 2
    largest = np.take_along_axis(held, np.stack([first, second], axis=1), axis=1) if held.shape[1] > 1 else held
    t = np.where(tested, largest.sum(axis=1), np.nan) if held.shape[1] > 1 else np.full(len(codes), np.nan)
    p, centre, spread = _recentred(_chances(t, known, related, draws))
    q = benjamini_hochberg(p)
    second_z = np.where(tested, largest[:, -1], np.nan) if held.shape[1] else np.full(len(codes), np.nan)
    order = np.lexsort((codes, -np.nan_to_num(t, nan=-np.inf), np.where(tested, p, 2.0)))
    names = np.array([*families, None], dtype=object)
    frame = pd.DataFrame(
        {
            "organisation": codes,
            "period": signals["period"].iloc[0] if len(signals) else pd.NA,
            "is_testable": tested,
            "reason_code": np.where(tested, None, np.where(count == 1, "one_reason", "no_reason")),
            "t": t,
            "p": p,
            "q": q,
            "certainty": 1 - q,
            "first_family": names[np.where(count >= 1, first, -1)],
            "first_z": np.where(count >= 1, largest[:, 0] if held.shape[1] else np.nan, np.nan),
            "second_family": names[np.where(tested, second, -1)],
            "second_z": second_z,
            "families": count,
            "members_above": _members_above(signals, codes),
        }
    ).iloc[order]
    frame["band"] = _bands(*(frame[name].to_numpy(float) for name in ("p", "q", "second_z")))
    frame = frame.iloc[np.argsort(frame["band"].map({"A": 0, "B": 1}).fillna(2).to_numpy(), kind="stable")]
    frame["rank"] = np.where(frame["is_testable"], np.arange(1, len(frame) + 1), None)
    frame = frame.reindex(columns=list(LIST_COLUMNS)).astype(LIST_COLUMNS).reset_index(drop=True)
    return Combined(frame, _budget(signals, frame, centre, spread, pd.DataFrame(related, families, families)))


def family_deviates(signals: pd.DataFrame) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Codes (sorted), families that could be tested somewhere, and the deviate of each [organisation, family]."""
    row, codes = pd.factorize(signals["organisation"], sort=True)
    codes = np.asarray(codes, dtype=object)
    p = signals["p"].to_numpy(float, na_value=np.nan)
    name, names = pd.factorize(signals["signal"])
    families, columns = [], []
    for family, members in FAMILIES.items():
        views = []
        for member in members:
            mine = name == names.get_indexer([member])[0]
            if np.isfinite(p[mine]).any():
                views.append(np.full(len(codes), np.nan))
                views[-1][row[mine]] = z_of(p[mine])
        if views:
            families.append(family)
            columns.append(views[0] if len(views) == 1 else largest_of(*views))
    return codes, families, np.column_stack(columns) if columns else np.empty((len(codes), 0))


def correlation(z: np.ndarray) -> np.ndarray:
    """The correlation of columns as a Gaussian copula has it: of Spearman's, at least 0, made positive definite.

    `ASSUMED` where fewer than `FEWEST_PAIRS` rows have both.
    """
    width = z.shape[1]
    related = np.eye(width)
    known = np.isfinite(z)
    ranked: dict[bytes, np.ndarray] = {}
    for first in range(width):
        for second in range(first):
            both = known[:, first] & known[:, second]
            if both.sum() < FEWEST_PAIRS:
                related[first, second] = related[second, first] = ASSUMED
                continue
            key = both.tobytes() if both.sum() == len(both) else b""
            pair = []
            for column in (first, second):
                name = key + bytes([column])
                if not key or name not in ranked:
                    ranked[name] = ranks(z[both, column])
                pair.append(ranked[name] - ranked[name].mean())
            scale = np.sqrt((pair[0] ** 2).sum() * (pair[1] ** 2).sum())
            rank = (pair[0] * pair[1]).sum() / scale if scale > 0 else 0.0
            related[first, second] = related[second, first] = max(0.0, 2 * np.sin(np.pi / 6 * rank))
    values, vectors = np.linalg.eigh(related)
    related = (vectors * np.maximum(values, 1e-3)) @ vectors.T
    scale = np.sqrt(np.diag(related))
    return related / scale / scale[:, None] if width else related


def _two_largest(held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Columns of the largest and of the second largest value of every row; the earlier column of equals."""
    order = np.argsort(-held, axis=1, kind="stable")
    none = np.zeros(len(held), int)
    return (order[:, 0] if held.shape[1] else none), (order[:, 1] if held.shape[1] > 1 else none)


def _chances(t: np.ndarray, known: np.ndarray, related: np.ndarray, draws: int) -> np.ndarray:
    p = np.full(len(t), np.nan)
    if known.shape[1] < 2:
        return p
    patterns, of, sizes = _patterns(known)
    commonest = set(np.argsort(-sizes, kind="stable")[:MOST_PATTERNS])
    random = np.random.default_rng(SEED)
    lower = np.linalg.cholesky(related).T
    drawn = np.clip(random.standard_normal((draws, len(related))) @ lower, LEAST, MOST).T
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(sizes)
    for number, pattern in enumerate(patterns):
        chosen = np.flatnonzero(pattern)
        rows = order[ends[number] - sizes[number] : ends[number]]
        if len(chosen) < 2:
            continue
        p[rows] = _bound(t[rows], related[np.ix_(chosen, chosen)])
        if number in commonest:
            reached = _as_large(t[rows], drawn[chosen])
            counted = (reached + 1) / (draws + 1)
            p[rows] = np.where(reached >= COUNTED, counted, np.minimum(p[rows], (COUNTED + 1) / (draws + 1)))
    return p


def _patterns(known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct rows of `known`, which of them every row is, and how many rows each has."""
    code = known @ (np.int64(1) << np.arange(known.shape[1], dtype=np.int64))
    _, first, of, sizes = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
    return known[first], of, sizes


def _as_large(t: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """How many of the draws (columns) have a sum of their two largest that is at least t, for every t."""
    first, second = np.maximum(drawn[0], drawn[1]), np.minimum(drawn[0], drawn[1])
    for more in drawn[2:]:
        second = np.maximum(second, np.minimum(first, more))
        first = np.maximum(first, more)
    order = np.argsort(t, kind="stable")
    place = np.searchsorted(t[order], first + second, side="right")  # so many t are not larger than the draw's
    reached = np.bincount(place, minlength=len(t) + 1)[::-1].cumsum()[::-1][1:]
    answer = np.empty(len(t), int)
    answer[order] = reached
    return answer


def _bound(t: np.ndarray, related: np.ndarray) -> np.ndarray:
    """At least the chance of two largest summing to t: the sum over pairs of the chance that the pair does."""
    first, second = np.triu_indices(len(related), 1)
    spread, times = np.unique(np.round(np.sqrt(2 + 2 * related[first, second]), 6), return_counts=True)
    total = np.zeros(len(t))
    for each, many in zip(spread, times, strict=True):
        total += many * ndtr(-t / each)
    return np.clip(total, 1e-12, 1)


def _bands(p: np.ndarray, q: np.ndarray, second_z: np.ndarray) -> np.ndarray:
    """A, B, C or None, for organisations in their order."""
    tested = np.isfinite(p)
    band = np.full(len(p), None, dtype=object)
    band[tested & (second_z >= SECOND_REASON["B"]) & (q <= LISTED["B"])] = "B"
    if tested.sum() >= FEWEST_FOR_A:
        band[tested & (second_z >= SECOND_REASON["A"]) & (q <= LISTED["A"])] = "A"
    length = min(LIST_LENGTH, max(3, int(np.ceil(tested.sum() / 10))))
    left = max(0, length - int((band != None).sum()))  # noqa: E711 - elementwise
    band[np.flatnonzero(tested & (band == None) & (p <= 0.5))[:left]] = "C"  # noqa: E711 - elementwise
    return band


def _members_above(signals: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    rows = signals[(signals["signal"] == "EVIDENCE") & signals["is_testable"]]
    above = np.full(len(codes), np.nan)
    above[pd.Index(codes).get_indexer(rows["organisation"])] = np.maximum(
        0, (rows["observed"] - rows["expected"]).to_numpy(float, na_value=np.nan)
    )
    return above


def _recentred(p: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Chances moved half-way to where their middle is that of chance; where it was, how wide the lower half is.

    Every signal errs on the cautious side, so that the middle organisation looks less surprising than chance would make
    it. Deviates are moved up by `MADE_UP` of that, never down (Efron's empirical null, its location alone). Few
    organisations are left as they are. Those who inflate move the middle up: the more there are, the more cautious.
    """
    z = z_of(p[np.isfinite(p)])
    if len(z) < FEWEST_PAIRS:
        return p, 0.0, 1.0
    low, middle = np.quantile(z, [0.25, 0.5])
    moved = np.where(np.isfinite(p), p_of(z_of(p) - MADE_UP * min(0.0, middle)), np.nan)
    return moved, float(middle), float(max(1.0, (middle - low) / 0.6745))


def _budget(signals: pd.DataFrame, frame: pd.DataFrame, centre: float, spread: float, related: pd.DataFrame) -> Budget:
    tested = signals["is_testable"].to_numpy(bool)
    by = signals.assign(hit=(signals["p"] <= 0.05).fillna(False)).groupby("signal", sort=False)
    each = by.agg(family=("family", "first"), tested=("is_testable", "sum"), at_5_percent=("hit", "sum"))
    each["not_tested"] = by.size() - each["tested"]
    each["expected_at_5_percent"] = 0.05 * each["tested"].astype(float)
    reasons = signals[~tested].groupby(["signal", "reason_code"], sort=False).size().rename("organisations")
    listed = {name: int((frame["band"] == name).sum()) for name in ("A", "B", "C")}
    return Budget(
        organisations=len(frame),
        tested=int(frame["is_testable"].sum()),
        not_tested={name: int(count) for name, count in frame["reason_code"].value_counts().items()},
        listed=listed,
        expected_false={
            "A": LISTED["A"] * listed["A"],
            "B": LISTED["B"] * (listed["A"] + listed["B"]),
        },
        signals=each.reset_index(),
        reasons=reasons.reset_index(),
        centre=centre,
        spread=spread,
        correlation=related,
    )
