"""How right the field check is: intervals, precision of indicators and the size, on made-up provinces.

Usage: ``python benchmarks/field_check.py [--draws 200] [--organisations 40] [--json]``.
Each province (``ratings.simulation``) is drawn so many times, everybody drawn is looked at, and what is reckoned is
compared with what looking at everybody would have found. A second look is stricter than the decision by chance too, and
in some organisations more often than in others, so that members of one organisation are alike. Indicators are pooled
over the draws in which they can be estimated. The power is that of a t test between two arms of the size reckoned.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy.stats import ttest_ind_from_stats  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ratings import fieldcheck  # noqa: E402
from ratings.combination import combine  # noqa: E402
from ratings.fieldcheck import Size  # noqa: E402
from ratings.signals import battery  # noqa: E402
from ratings.simulation import HTT, Province, simulate  # noqa: E402

PROVINCES: Mapping[str, Province] = {
    "ordinary": Province(),
    "everyone inflates": Province(planted=0.9),
    "nobody inflates": Province(planted=0.0),
    "half-hearted": Province(planted=0.4, strength=0.5),
    "harsh and mild": Province(districts=1.0, leniency=1.0, moods=0.5),
    "small": Province(organisations=80),
}
BASE_RATE, CORRELATION = 0.08, 0.1
"""Share of ratings of good that a second look lowers by chance, and how alike the members of an organisation are."""


@dataclass(frozen=True)
class World:
    """A province of which is known what a second look at everybody would find."""

    members: pd.DataFrame
    """`organisation`, `cell`, `member`, `was_good`, `is_good`"""
    risk: pd.Series
    signals: pd.DataFrame
    period: int

    @property
    def share(self) -> float:
        """Found good of all."""
        return float(self.members["is_good"].mean())

    def lowered(self, organisations: set[str] | None = None) -> float:
        """Found lower of those decided good, of some organisations."""
        rows = self.members[self.members["was_good"]]
        rows = rows if organisations is None else rows[rows["organisation"].isin(organisations)]
        return float((~rows["is_good"]).mean())

    def marked(self, signal: str) -> set[str]:
        """The organisations that a signal points to."""
        rows = self.signals[(self.signals["signal"] == signal) & (self.signals["p"] <= fieldcheck.LEVEL)]
        return set(rows["organisation"])


def world(seed: int, province: Province) -> World:
    """A province and the truth about its last period."""
    ratings, _ = simulate(seed, province)
    honest, _ = simulate(seed, replace(province, planted=0.0))
    period = int(ratings.organisations["period"].max())
    key = ["organisation", "group", "period", "subject"]
    rows = ratings.subjects[(ratings.subjects["period"] == period) & ratings.subjects["final"].notna()]
    rows = rows.merge(honest.subjects[[*key, "final"]], on=key, how="left", suffixes=("", "_honest"))
    deserved = np.fmin(rows["final"].to_numpy(float), rows["final_honest"].to_numpy(float, na_value=np.nan))
    random = np.random.default_rng([seed, 9])
    place, codes = pd.factorize(rows["organisation"])
    like = 1 / CORRELATION - 1
    stricter = random.random(len(rows)) < random.beta(BASE_RATE * like, (1 - BASE_RATE) * like, len(codes))[place]
    told = battery.signals(ratings, period)
    return World(
        pd.DataFrame(
            {
                "organisation": rows["organisation"].to_numpy(),
                "cell": rows["group"].to_numpy(),
                "member": rows["subject"].astype(str).to_numpy(),
                "was_good": rows["final"].to_numpy(float) >= HTT,
                "is_good": (deserved >= HTT) & ~stricter,
            }
        ),
        combine(told).organisations.set_index("organisation")["t"],
        told,
        period,
    )


def looked_at(made: World, seed: int, size: Size) -> pd.DataFrame:
    """What came back of one draw, as estimates read it (`fieldcheck.RESULTS`)."""
    drawn = fieldcheck.draw(made.members, made.risk, year=made.period, seed=seed, size=size)
    of = drawn.organisations[["organisation", "arm", "probability", "rated"]]
    rows = drawn.members.drop(columns="probability").merge(of, on="organisation")
    return rows.assign(draw_id=drawn.draw_id, year=made.period).astype({"was_good": "boolean", "is_good": "boolean"})


def measure(made: World, draws: int, organisations: int) -> dict[str, object]:
    """Coverage and bias over so many draws; `indicators` are those that could be estimated in a tenth of them."""
    population = made.members["organisation"].nunique()
    size = Size(min(organisations, population), 10, 0.15, BASE_RATE, CORRELATION, population, np.nan)
    results = pd.concat([looked_at(made, seed, size) for seed in range(draws)])
    shares, told = fieldcheck.province_shares(results), fieldcheck.precision(results, made.signals)
    told = told[told["is_estimable"]]
    indicators = {}
    for name, rows in told.groupby("signal"):
        if len(rows) >= draws / 10:
            truth = made.lowered(made.marked(name))
            indicators[name] = {
                "marked": len(made.marked(name)),
                "draws": len(rows),
                "true": truth,
                "mean": float(rows["share"].mean()),
                "error": float(rows["share"].std() / np.sqrt(len(rows))),
                "covered": float(((rows["low"] <= truth) & (rows["high"] >= truth)).mean()),
            }
    lowered = made.lowered()
    return {
        "population": population,
        "per_arm": size.organisations,
        "true": made.share,
        "mean": float(shares["share"].mean()),
        "error": float(shares["share"].std() / np.sqrt(draws)),
        "covered": float(((shares["low"] <= made.share) & (shares["high"] >= made.share)).mean()),
        "width": float((shares["high"] - shares["low"]).mean()),
        "lowered": lowered,
        "lowered_covered": float(((shares["lowered_low"] <= lowered) & (shares["lowered_high"] >= lowered)).mean()),
        "indicators": indicators,
    }


def power(size: Size, times: int, seed: int = 1, members: int = 400) -> float:
    """How often two arms of `size`, each of its own organisations, differ significantly where they should.

    Organisations of many members, whose shares vary as `correlation` says; the finite population correction is taken
    off the variance between them, as in `sample_size`.
    """
    random = np.random.default_rng(seed)
    like = 1 / max(size.correlation, 1e-9) - 1
    seen = 0
    for _ in range(times):
        sides = []
        for rate in (size.base_rate, size.base_rate + size.difference):
            chances = random.beta(rate * like, (1 - rate) * like, size.population)
            good = random.binomial(members, chances)
            drawn = random.permutation(size.population)[: size.organisations]
            shares = random.hypergeometric(good[drawn], members - good[drawn], size.members) / size.members
            within = (shares * (1 - shares)).mean() / (size.members - 1)
            spread = max(shares.var(ddof=1) - within, 0) * (1 - size.organisations / size.population) + within
            sides.append((shares.mean() - (good / members).mean() + rate, np.sqrt(spread), size.organisations))
        seen += ttest_ind_from_stats(*sides[0], *sides[1], equal_var=False).pvalue <= fieldcheck.LEVEL
    return seen / times


SIZES = (
    {"difference": 0.15, "population": 500},
    {"difference": 0.1, "population": 500},
    {"difference": 0.15, "population": 60},
    {"difference": 0.2, "population": 500, "base_rate": 0.05, "members": 5},
    {"difference": 0.15, "population": 500, "correlation": 0.25},
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--organisations", type=int, nargs="+", default=[30, 40, 60])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    measured: dict[str, object] = {"provinces": {}, "sizes": []}
    for name, kind in PROVINCES.items():
        made = world(3, kind)
        for count in options.organisations:
            found = measure(made, options.draws, count)
            measured["provinces"][f"{name}, {count}"] = found
            if not options.json:
                print(
                    f"{name:18} {found['population']:4} organisations, {count} an arm: true {found['true']:.4f}, mean "
                    f"{found['mean']:.4f} ± {found['error']:.4f}, covered {found['covered']:.3f}, width "
                    f"{found['width']:.3f}; lowered {found['lowered']:.3f}, covered {found['lowered_covered']:.3f}",
                    flush=True,
                )
                for signal, told in found["indicators"].items():
                    print(
                        f"    {signal:12} marks {told['marked']:3}, {told['draws']:4} draws: true {told['true']:.3f}, "
                        f"mean {told['mean']:.3f} ± {told['error']:.3f}, covered {told['covered']:.3f}"
                    )
    for asked in SIZES:
        size = fieldcheck.sample_size(**asked, fewest=2)
        found = power(size, 2000)
        measured["sizes"].append({**asked, "organisations": size.organisations, "told": size.power, "found": found})
        if not options.json:
            print(f"size {asked}: {size.organisations} an arm, power told {size.power:.3f}, found {found:.3f}")
    if options.json:
        print(json.dumps(measured, indent=1))


if __name__ == "__main__":
    main()
