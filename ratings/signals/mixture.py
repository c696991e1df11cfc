"""Many who inflate in one and the same way widen the field they are judged in: weights that leave such a group out.

What is usual is first learned from all. Where the counts then clearly are of two groups, a large usual one and a
higher one beside it, it is learned once more with every organisation weighted by its chance to be of the usual group.

Not for LADDER and UNAPPRAISED: many honest clerks who leave a column empty, or claim modestly, look exactly like it. In
the second simulator of `docs/detection.md`, a quarter careless and a quarter modest, 33 honest ones were listed then.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import betaln, expit, logit

from ratings.signals.statistics import Numbers, beta_binomial_fit

FEWEST = 60
"""In fewer organisations no second group is looked for."""

LEARNED_FROM = 5_000
"""Of more organisations the groups are learned from about so many, evenly spaced."""

ROUNDS = 25
"""Steps of expectation and maximisation."""

SUSPECTED = 0.15
"""So large a part, the highest, the second group begins with."""

LEAST_SHARE, MOST_SHARE = 0.125, 0.3
"""A second group holds so much of all: a smaller one is an honest habit as likely as not, and the trimming of
`overdispersion` deals with it; where a larger one is found the counts have another shape than the fit."""

LIKELIER, LEAST_LIKELIER = 0.08, 10.0
"""Two groups are believed where twice the logarithm of the likelihood ratio is so much an organisation, and this …"""

CLEARLY = 0.5
"""… and those in the second group are told from chance so clearly: 0 says no more than its share, 1 leaves no doubt."""

LEAST_OVERDISPERSION, MOST_OVERDISPERSION = 1e-4, 0.6


class Fits(NamedTuple):
    """Beta-binomials of the types, row by row (NaN where a type has too few), and the weights they were fitted with."""

    alpha: np.ndarray
    beta: np.ndarray
    weight: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """The expected share of every row."""
        return self.alpha / (self.alpha + self.beta)


def fits_by_type(part: np.ndarray, whole: np.ndarray, kind: np.ndarray, *, fewest: int) -> Fits:
    """A beta-binomial for every type with `fewest` known counts, fitted without a second, higher group."""
    known = np.isfinite(part) & (whole > 0)
    types = [rows for each in np.unique(kind) if len(rows := np.flatnonzero(known & (kind == each))) >= fewest]

    def fitted(weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        alpha, beta = np.full(len(whole), np.nan), np.full(len(whole), np.nan)
        for rows in types:
            fit = beta_binomial_fit(part[rows], whole[rows], None if weight is None else weight[rows])
            alpha[rows], beta[rows] = fit
        return alpha, beta

    alpha, beta = fitted(None)
    weight = usual_weights(np.where(np.isfinite(alpha), part, np.nan), whole, alpha / (alpha + beta))
    return Fits(*(fitted(weight) if weight.min(initial=1) < 1 else (alpha, beta)), weight)


def usual_weights(
    part: np.ndarray,
    whole: np.ndarray,
    mean: Numbers,
    *,
    owner: np.ndarray | None = None,
    least_share: float = LEAST_SHARE,
    most_share: float = MOST_SHARE,
) -> np.ndarray:
    """The chance of every row to be of the usual group; 1 everywhere where there is no second, higher group.

    Counts `part` of `whole` with expected shares `mean` as all rows together have it; rows of one `owner` are added up.
    Two beta-binomials, each with a shift of the log odds of `mean` and an over-dispersion of its own, are fitted by
    expectation and maximisation (by moments), the second beginning with the highest sixth. They are believed where they
    are likelier than one by `LIKELIER` an organisation, tell their members apart (`CLEARLY`: the mean chance of the
    second group's members to be in it, less what its share alone gives), and the second holds between `least_share` and
    `most_share` (at most a half). What is not known has weight 1.

    Source: Dempster, Laird & Rubin 1977; the two groups of Efron 2008, "Microarrays, empirical Bayes and the two-groups
    model".
    """
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    mean = np.broadcast_to(np.asarray(mean, float), whole.shape)
    if owner is not None:
        known = np.isfinite(part) & np.isfinite(mean)
        counts, totals, expected = (
            np.bincount(owner, weights=np.where(known, values, 0.0)) for values in (part, whole, mean * whole)
        )
        share = expected / np.maximum(totals, 1e-9)
        return usual_weights(counts, totals, share, least_share=least_share, most_share=most_share)[owner]
    weight = np.ones(len(whole))
    known = np.flatnonzero(np.isfinite(part) & (whole > 0) & (mean > 0) & (mean < 1))
    if len(known) < FEWEST:
        return weight
    learned = known[:: -(-len(known) // LEARNED_FROM)]
    groups = _Counts.of(part[learned], whole[learned], mean[learned]).two_groups(least_share, most_share)
    if groups is not None:
        weight[known] = groups.usual(_Counts.of(part[known], whole[known], mean[known]))
    return weight


class _Group(NamedTuple):
    shift: float
    """of the log odds of the expected shares"""
    overdispersion: float


class _Two(NamedTuple):
    common: _Group
    higher: _Group
    share: float
    """of the higher group"""

    def logs(self, counts: "_Counts") -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of each row's likelihood in both groups, with their shares."""
        return (
            np.log1p(-self.share) + counts.log_likelihood(self.common),
            np.log(self.share) + counts.log_likelihood(self.higher),
        )

    def usual(self, counts: "_Counts") -> np.ndarray:
        common, higher = self.logs(counts)
        return expit(common - higher)


class _Counts(NamedTuple):
    part: np.ndarray
    whole: np.ndarray
    odds: np.ndarray
    """logarithms of the expected odds"""

    @classmethod
    def of(cls, part: np.ndarray, whole: np.ndarray, mean: np.ndarray) -> "_Counts":
        return cls(part, whole, logit(np.clip(mean, 1e-4, 1 - 1e-4)))

    def log_likelihood(self, group: _Group) -> np.ndarray:
        """Up to what all groups have in common."""
        mean, size = expit(self.odds + group.shift), 1 / group.overdispersion - 1
        alpha, beta = mean * size, (1 - mean) * size
        return betaln(self.part + alpha, self.whole - self.part + beta) - betaln(alpha, beta)

    def two_groups(self, least_share: float, most_share: float) -> _Two | None:
        everyone = np.ones(len(self.part))
        alone = _Group(0.0, self.overdispersion(0.0, everyone))
        for _ in range(4):
            alone = self.group(everyone, alone)
        mean = expit(self.odds + alone.shift)
        variance = self.whole * mean * (1 - mean) * (1 + (self.whole - 1) * alone.overdispersion)
        above = (self.part - self.whole * mean) / np.sqrt(variance)
        usual = np.where(above > np.quantile(above, 1 - SUSPECTED), 0.0, 1.0)
        if usual.min() == 1:
            return None
        two = _Two(alone, alone, SUSPECTED)
        for _ in range(ROUNDS):
            share = float(np.clip(1 - usual.mean(), 1e-4, 0.5))
            two = _Two(self.group(usual, two.common), self.group(1 - usual, two.higher), share)
            common, higher = two.logs(self)
            usual = expit(common - higher)
        # The one group by its best over-dispersion, as far as moments may have missed it.
        spreads = np.clip(alone.overdispersion * np.geomspace(0.2, 2, 13), LEAST_OVERDISPERSION, 0.8)
        best = max(self.log_likelihood(alone._replace(overdispersion=each)).sum() for each in spreads)
        likelier = 2 * float(np.logaddexp(common, higher).sum() - best)
        clear = float(((1 - usual) ** 2).sum() / (1 - usual).sum())
        believed = (
            two.higher.shift > two.common.shift
            and least_share <= two.share <= most_share
            and likelier >= max(LEAST_LIKELIER, LIKELIER * len(self.part))
            and clear - two.share >= CLEARLY * (1 - two.share)
        )
        return two if believed else None

    def group(self, weight: np.ndarray, before: _Group) -> _Group:
        """The shift by quasi-likelihood, three of Newton's steps held within 1 each; the over-dispersion by moments."""
        certain = weight / (1 + (self.whole - 1) * before.overdispersion)
        shift = before.shift
        for _ in range(3):
            mean = expit(self.odds + shift)
            slope = (certain * self.whole * mean * (1 - mean)).sum() + 1e-9
            shift += float(np.clip((certain * (self.part - self.whole * mean)).sum() / slope, -1, 1))
        shift = float(np.clip(shift, -6, 6))
        return _Group(shift, self.overdispersion(shift, weight))

    def overdispersion(self, shift: float, weight: np.ndarray) -> float:
        mean = expit(self.odds + shift)
        weight = np.where(self.whole > 1, weight, 0.0)
        squares = (self.part - self.whole * mean) ** 2 / (self.whole * mean * (1 - mean))
        total = (weight * (squares - 1)).sum() / max((weight * (self.whole - 1)).sum(), 1e-9)
        return float(np.clip(total, LEAST_OVERDISPERSION, MOST_OVERDISPERSION))
