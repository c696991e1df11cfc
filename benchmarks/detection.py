"""How well inflated ratings are found, and how often honest ones are named: the battery on made-up provinces.

Usage: ``python benchmarks/detection.py [--seeds 20] [--only NAME …] [--ablation] [--warehouse FILE | --no-sample]
[--json] [--page FILE]``.
Prints the tables, or with ``--json`` everything that was measured; ``--page docs/detection.md`` also writes them
between the markers there.
Provinces come from ``ratings.simulation``; what a scenario holds stands in ``SCENARIOS`` for grassroots organisations,
in ``PARTS`` for cells and reporting units, which go through marts and the review as in the warehouse. Per mechanism and
strength, never only overall. Also ranked: the planted organisations of the sample province where it is there; it is
taken in and built first (a minute or two) unless a warehouse of it is given.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before numpy: one province, one core

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import scipy  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.speed import SAMPLE, run_command  # noqa: E402
from orchestration.warehouse import Tables  # noqa: E402
from ratings.combination import LISTED, combine  # noqa: E402
from ratings.review import level_signals  # noqa: E402
from ratings.rules import load_rules  # noqa: E402
from ratings.signals import battery  # noqa: E402
from ratings.signals.frames import Ratings  # noqa: E402
from ratings.signals.province import CELL, GRASSROOTS, UNIT, province, scale_of  # noqa: E402
from ratings.simulated_marts import LAST_YEAR, marts_of  # noqa: E402
from ratings.simulation import MECHANISMS, Province, simulate, simulate_cells  # noqa: E402
from ratings.tables import read_tables  # noqa: E402

PAGE = ROOT / "docs" / "detection.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

NOMINAL = (0.05, 0.10, 0.20)
LARGEST_SIZE = 0.06
"""A signal that calls more honest organisations than this surprising at .05 is wrong."""

MOST_LISTED_IN_EMPTY = 0.2
"""So many organisations an empty province may have on its list, on average."""

REFERENCE = {
    "auroc": 0.92,
    "auroc_worst": 0.78,
    "precision_25": 0.99,
    "precision_50": 0.87,
    "recall_10": 0.46,
    "fdr_10": 0.046,
    "listed_in_empty": 0.2,
    "auroc_first_year": 0.84,
    "seconds": 0.65,
}
"""What inflation.md asks to beat: another simulator, of six mechanisms."""


@dataclass(frozen=True)
class Scenario:
    """A kind of province, and in words what is special about it."""

    name: str
    title: str
    province: Province
    level: str = GRASSROOTS
    """what is judged in it"""

    @property
    def is_empty(self) -> bool:
        """Whether nobody inflates in it."""
        return self.province.planted == 0 and self.province.whole_districts == 0


_HARD = Province(districts=0.7, leniency=1.0, moods=0.3, persistence=0.8)
_HABITS = Province(careless=1 / 12, steady=1 / 12)

SCENARIOS = (
    Scenario("easy", "little honest leniency, good evidence", Province(leniency=0.2, evidence_noise=0.4)),
    Scenario("ordinary", "the defaults of `Province`", Province()),
    Scenario("half", "as ordinary, mechanisms at half strength", Province(strength=0.5)),
    Scenario("hard", "strong lasting leniency, harsh and mild districts, moods, persistent people", _HARD),
    Scenario("hard_half", "as hard, mechanisms at half strength", replace(_HARD, strength=0.5)),
    Scenario("weak_evidence", "evidence that hardly speaks of the work", Province(evidence_noise=2.0)),
    Scenario("first_year", "no history", Province(periods=1)),
    Scenario("two_years", "one year of history", Province(periods=2)),
    Scenario("small", "150 organisations", Province(organisations=150)),
    Scenario("second_look", "a fifth of the organisations looked at again", Province(rechecked=0.2)),
    Scenario("habits", "a twelfth each leave appraisals out, or stay as they are, by habit", _HABITS),
    Scenario("half_inflate", "every second organisation inflates", Province(planted=0.5)),
    Scenario("empty", "the defaults, nobody inflates", Province(planted=0)),
    Scenario("empty_hard", "as hard, nobody inflates", replace(_HARD, planted=0)),
    Scenario("empty_rounders", "60% round to fives", Province(planted=0, rounders=0.6)),
    Scenario("empty_districts", "very harsh and very mild districts", Province(planted=0, districts=1.2)),
    Scenario("empty_first_year", "no history, half round to fives", Province(planted=0, periods=1, rounders=0.5)),
    Scenario("empty_small_cells", "five members a cell", Province(planted=0, members=5.0)),
    Scenario("empty_reformers", "30% really improve in the last year", Province(planted=0, reformers=0.3)),
    Scenario("empty_weak_evidence", "evidence that hardly speaks", Province(planted=0, evidence_noise=2.0)),
    Scenario("empty_habits", "as habits, nobody inflates", replace(_HABITS, planted=0)),
    Scenario("empty_small", "120 organisations", Province(planted=0, organisations=120)),
    Scenario("empty_second_look", "a fifth looked at again", Province(planted=0, rechecked=0.2)),
)

_MANY_UNITS = Province(parents=60, planted=0)

PARTS = (
    Scenario("cells", "the defaults of `Province`", Province(), CELL),
    Scenario("cells_hard", "strong lasting leniency, harsh and mild districts, moods, persistent people", _HARD, CELL),
    Scenario("cells_empty", "the defaults, nobody inflates", Province(planted=0), CELL),
    Scenario("cells_empty_hard", "as hard, nobody inflates", replace(_HARD, planted=0), CELL),
    Scenario("cells_empty_habits", "as habits, nobody inflates", replace(_HABITS, planted=0), CELL),
    Scenario("cells_empty_first_year", "no history, nobody inflates", Province(planted=0, periods=1), CELL),
    Scenario("units", "in two of twelve everybody inflates", Province(planted=0, whole_districts=2), UNIT),
    Scenario("units_many", "in six of sixty everybody inflates", replace(_MANY_UNITS, whole_districts=6), UNIT),
    Scenario("units_empty", "twelve, nobody inflates", Province(planted=0), UNIT),
    Scenario("units_empty_hard", "twelve, as hard, nobody inflates", replace(_HARD, planted=0), UNIT),
    Scenario("units_empty_many", "sixty, nobody inflates", _MANY_UNITS, UNIT),
)
"""Kinds of province whose cells or reporting units are judged."""

SIZES = (0, 10, 20, 60)
"""Rated members from which a size of organisation begins."""

SCORES = {"list": "the review list", "share": "share of good ratings", "forest": "isolation forest", "flags": "flags"}
"""What organisations are ranked by; flags: how many signals have p <= .05."""


def judged(ratings: Ratings, truth: pd.DataFrame) -> pd.DataFrame:
    """One row an organisation of the last period: truth, place by each of `SCORES`, p of every signal, the list."""
    signals = battery.signals(ratings)
    return with_list(_with_scores(ratings, truth, signals), signals)


def judged_parts(level: str, seed: int, about: Province) -> pd.DataFrame:
    """As `judged`, of the cells (ten rated and more) or the units of a province, through marts and review.

    A cell inflates where anything of it is not as an honest appraisal has it, a unit where everybody in it inflates.
    """
    ratings, truth = simulate(seed, about)
    cells, of_cells = simulate_cells(seed, about)
    rules = load_rules()
    known = province(marts_of(ratings, cells), rules)
    of_level = known.of(level, scale_of(LAST_YEAR, rules, read_tables()))
    signals = level_signals(known, of_level, level, LAST_YEAR)
    if level == CELL:
        truth = of_cells.assign(organisation=of_cells["organisation"] + "." + of_cells["group"])
    else:
        truth = _of_units(ratings, truth)
    key = of_level.organisations.drop_duplicates("org_code").set_index("org_code")["organisation"]
    truth = truth.assign(organisation=key.reindex(truth["organisation"]).to_numpy())
    return with_list(_with_scores(of_level, truth, signals), signals)


def _of_units(ratings: Ratings, truth: pd.DataFrame) -> pd.DataFrame:
    """The truth about units, by their codes in the marts."""
    parent = ratings.organisations.drop_duplicates("organisation").set_index("organisation")["parent"]
    by_unit = truth.groupby("U" + parent.reindex(truth["organisation"]).to_numpy().astype("str"))["mechanism"]
    is_whole = by_unit.count() == by_unit.size()
    units = pd.DataFrame({"organisation": is_whole.index, "mechanism": by_unit.first().where(is_whole).to_numpy()})
    return units.assign(is_tampered=is_whole.to_numpy(), is_reformer=False, contradictions=0)


def with_list(frame: pd.DataFrame, signals: pd.DataFrame, *, dropped: str = "") -> pd.DataFrame:
    """The rows with the review list of the signals, those of one family left out."""
    combined = combine(signals[signals["family"] != dropped]).organisations.set_index("organisation")
    columns = combined[["p", "q", "band", "first_family", "second_family"]].assign(list=-combined["rank"].astype(float))
    return frame.join(columns, on="organisation").astype({"p": float, "q": float})


def _with_scores(ratings: Ratings, truth: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    each = signals.pivot(index="organisation", columns="signal", values="p").astype(float).add_prefix("p_")
    frame = truth.set_index("organisation").join(each, how="right")
    latest = ratings.organisations[ratings.organisations["period"] == battery.latest_period(ratings)]
    latest = latest.set_index("organisation").reindex(frame.index)
    frame["rated"] = latest["rated"]
    frame["share"] = latest["good"] / latest["rated"]
    frame["forest"] = isolation_forest(_features(latest))
    combining = [f"p_{name}" for name in battery.FAMILY_OF if f"p_{name}" in frame]
    frame["flags"] = (frame[combining] <= 0.05).sum(axis=1)
    return frame.reset_index()


def _features(latest: pd.DataFrame) -> np.ndarray:
    """What an isolation forest of the shop is given: shares, size, the own level, the evidence."""
    members = latest["rated"] + latest["excluded"]
    parts = [latest["good"] / latest["rated"], latest["top"] / latest["rated"], latest["excluded"] / members]
    known = ["parent", "type", "period", "good", "top", "rated", "excluded"]
    others = latest.drop(columns=known).select_dtypes("number").dropna(axis=1, how="all")
    columns = np.column_stack([*parts, np.log1p(members), others]).astype(float)
    return np.where(np.isfinite(columns), columns, np.nanmedian(columns, axis=0))


def isolation_forest(columns: np.ndarray, *, trees: int = 100, sample: int = 256, seed: int = 5) -> np.ndarray:
    """Of every row how quickly random cuts set it apart from the others, in (0, 1), larger is stranger.

    Source: Liu, Ting & Zhou 2008.
    """
    random = np.random.default_rng(seed)
    sample = min(sample, len(columns))
    most = int(np.ceil(np.log2(max(sample, 2))))
    depth = np.zeros(len(columns))
    for _ in range(trees):
        chosen = random.permutation(len(columns))[:sample]
        parts = [(chosen, np.arange(len(columns)), 0)]
        while parts:
            learned, rows, level = parts.pop()
            low, high = columns[learned].min(axis=0), columns[learned].max(axis=0)
            differing = np.flatnonzero(high > low)
            if level == most or len(learned) < 2 or not len(differing):
                depth[rows] += level + _mean_depth(len(learned))
                continue
            column = random.choice(differing)
            cut = random.uniform(low[column], high[column])
            for left in (True, False):
                inside = [part[(columns[part, column] < cut) == left] for part in (learned, rows)]
                if len(inside[1]):
                    parts.append((inside[0], inside[1], level + 1))
    return 2.0 ** (-depth / trees / _mean_depth(sample))


def _mean_depth(size: int) -> float:
    """The mean depth of an unsuccessful search among so many."""
    return 2 * (np.log(size - 1) + 0.5772156649) - 2 * (size - 1) / size if size > 2 else float(size == 2)


def auroc(score: np.ndarray, found: np.ndarray, honest: np.ndarray) -> float:
    """The chance that one of `found` scores above one of `honest`, equals by half; what has no score is last."""
    score = np.where(np.isfinite(score), score, -np.inf)
    below = np.sort(score[honest])
    wins = np.searchsorted(below, score[found], "left") + np.searchsorted(below, score[found], "right")
    return float(wins.mean() / (2 * len(below))) if found.any() and len(below) else np.nan


def recall_at(score: np.ndarray, found: np.ndarray, honest: np.ndarray, rate: float = 0.05) -> float:
    """The share of `found` that score above all but a share `rate` of `honest`."""
    score = np.where(np.isfinite(score), score, -np.inf)
    allowed = int(rate * honest.sum())
    limit = np.sort(score[honest])[::-1][allowed]
    return float((score[found] > limit).mean()) if found.any() else np.nan


def precision_at(score: np.ndarray, planted: np.ndarray, length: int) -> float:
    """The share of planted among the first `length`; NaN where not so many are planted."""
    if planted.sum() < length:
        return np.nan
    order = np.argsort(-np.where(np.isfinite(score), score, -np.inf), kind="stable")
    return float(planted[order[:length]].mean())


def inflates(frame: pd.DataFrame) -> pd.Series:
    """Who is to be found: planted, and something on paper differs. Who had nothing to tamper with is honest in fact."""
    return frame["mechanism"].notna() & frame["is_tampered"]


def measured(frame: pd.DataFrame) -> dict[str, object]:
    """Every figure of one province, of `judged`."""
    planted = inflates(frame).to_numpy()
    honest = ~planted
    mechanism = np.where(planted, frame["mechanism"].to_numpy(object, na_value=None), None)
    q, banded = frame["q"].to_numpy(), frame["band"].isin(["A", "B"]).to_numpy()
    tails = [name for name in frame if name.startswith("p_")]
    figures: dict[str, object] = {
        "judged": len(frame),
        "tested": float(np.isfinite(q).mean()),
        "planted": int(planted.sum()),
        "idle": int((frame["mechanism"].notna() & honest).sum()),
        "bands": {band: int((frame["band"] == band).sum()) for band in "ABC"},
        "listed": int(banded.sum()),
        "listed_falsely": int((banded & honest).sum()),
        "reformers_listed": int((banded & honest & frame["is_reformer"]).sum()),
        "honest_with_a_flag": float((frame["flags"] > 0)[honest].mean()),
        "size": {
            name[2:]: float((frame.loc[honest, name] <= 0.05).sum() / known)
            for name in tails
            if (known := frame.loc[honest, name].notna().sum())
        },
        "testable": {name[2:]: float(frame[name].notna().mean()) for name in tails},
        "false_reasons": [
            f"{first}+{other}"
            for first, other in frame.loc[honest & banded, ["first_family", "second_family"]].to_numpy()
        ],
    }
    for nominal in NOMINAL:
        for name, gate in (("", banded), ("_ungated", True)):
            listed = (q <= nominal) & gate
            key = f"{round(nominal * 100)}{name}"
            figures[f"listed_{key}"] = int(listed.sum())
            figures[f"fdr_{key}"] = float((listed & honest).sum() / max(listed.sum(), 1))
            if planted.any():
                figures[f"recall_{key}"] = float((listed & planted).sum() / planted.sum())
    if not planted.any():
        return figures
    for name in SCORES:
        score = frame[name].to_numpy(float)
        figures[f"of_{name}"] = {
            "auroc": auroc(score, planted, honest),
            "recall_at_5": recall_at(score, planted, honest),
            "precision_25": precision_at(score, planted, 25),
            "precision_50": precision_at(score, planted, 50),
        }
    by_rule = (frame["contradictions"] > 0).to_numpy()
    signalled = planted & (mechanism != "contradiction")
    figures |= {
        "auroc_of_signals": auroc(frame["list"].to_numpy(), signalled, honest),
        "rule_finds": float(by_rule[mechanism == "contradiction"].mean()) if (planted & ~signalled).any() else np.nan,
        "rule_finds_honest": float(by_rule[honest].mean()),
        "mechanisms": {},
        "sizes": {},
    }
    listed = (q <= LISTED["A"]) & banded
    for low, high in pairwise((*SIZES, np.inf)):
        inside = ((frame["rated"] >= low) & (frame["rated"] < high)).to_numpy()
        if (planted & inside).any():
            figures["sizes"][f"{low:g} to {high - 1:g}" if np.isfinite(high) else f"from {low:g}"] = {
                "planted": int((planted & inside).sum()),
                "auroc": auroc(frame["list"].to_numpy(), planted & inside, honest & inside),
                "recall_10": float(listed[planted & inside].mean()),
            }
    for name in sorted(set(mechanism[planted])):
        mine = mechanism == name
        singles = {tail[2:]: auroc(-frame[tail].to_numpy(), mine, honest) for tail in tails}
        figures["mechanisms"][name] = {
            "organisations": int(mine.sum()),
            **{f"auroc_{score}": auroc(frame[score].to_numpy(float), mine, honest) for score in SCORES},
            "recall_at_5": recall_at(frame["list"].to_numpy(), mine, honest),
            "recall_10": float(listed[mine].mean()),
            "singles": singles,
        }
    return figures


def one_province(job: tuple[Scenario, int]) -> dict[str, object]:
    """The figures of one seed; a job of the pool."""
    scenario, seed = job
    if scenario.level == GRASSROOTS:
        return measured(judged(*simulate(seed, scenario.province)))
    return measured(judged_parts(scenario.level, seed, scenario.province))


def ablated_province(job: tuple[Scenario, int]) -> dict[str, object]:
    """Family that is left out ("none": none is) -> the main figures of one seed; a job of the pool."""
    scenario, seed = job
    ratings, truth = simulate(seed, scenario.province)
    signals = battery.signals(ratings)
    frame = _with_scores(ratings, truth, signals)
    answer: dict[str, object] = {}
    for family in ("", *signals.loc[signals["is_testable"], "family"].dropna().unique()):
        figures = measured(with_list(frame, signals, dropped=family))
        answer[family or "none"] = {name: figures[name] for name in ("listed", "listed_falsely", "fdr_10")} | {
            name: figures[name] for name in ("recall_10", "auroc_of_signals") if name in figures
        }
    return answer


def averaged(figures: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Means over provinces, key by key; lists are strung together, what a province does not have is left out."""
    keys = dict.fromkeys(key for each in figures for key in each)
    answer: dict[str, object] = {}
    for key in keys:
        values = [each[key] for each in figures if key in each]
        if isinstance(values[0], Mapping):
            answer[key] = averaged(values)
        elif isinstance(values[0], list):
            answer[key] = [item for value in values for item in value]
        else:
            known = [value for value in values if not np.isnan(value)]
            answer[key] = float(np.mean(known)) if known else None
    return answer


def over_seeds(
    work: Callable[[tuple[Scenario, int]], dict[str, object]],
    scenarios: Sequence[Scenario],
    seeds: Sequence[int],
    workers: int,
) -> dict[str, list[dict[str, object]]]:
    """Scenario -> what the work found, seed by seed."""
    jobs = [(scenario, seed) for scenario in scenarios for seed in seeds]
    if workers == 1:
        found = [work(job) for job in jobs]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
            found = list(pool.map(work, jobs, chunksize=2))
    return {
        scenario.name: found[number * len(seeds) : (number + 1) * len(seeds)]
        for number, scenario in enumerate(scenarios)
    }


def run(scenarios: Sequence[Scenario], seeds: Sequence[int], workers: int) -> dict[str, dict[str, object]]:
    """The means of every scenario over the seeds, and how far chance moves those that have an aim."""
    return {
        name: {
            **averaged(each),
            "most_listed": max(figures["listed"] for figures in each),
            "provinces_with_false": sum(figures["listed_falsely"] > 0 for figures in each),
            "auroc_spread": _spread([figures["of_list"]["auroc"] for figures in each if "of_list" in figures]),
            "error": {
                key: (_spread([figures[key] for figures in each]) or 0.0) / len(each) ** 0.5
                for key in ("listed", *(f"fdr_{round(nominal * 100)}" for nominal in NOMINAL))
            },
        }
        for name, each in over_seeds(one_province, scenarios, seeds, workers).items()
    }


def _spread(values: list[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def timed(rounds: int = 5) -> dict[str, float]:
    """Seconds of a province of 500 organisations and three years, on one core: median of `rounds`."""
    taken: dict[str, list[float]] = {"simulate": [], "signals": [], "combine": []}
    for seed in range(rounds + 1):
        start = time.perf_counter()
        ratings, _ = simulate(seed, Province(periods=3))
        made = time.perf_counter()
        signals = battery.signals(ratings)
        found = time.perf_counter()
        combine(signals)
        done = time.perf_counter()
        if seed:  # the first one warms up
            for name, seconds in zip(taken, (made - start, found - made, done - found), strict=True):
                taken[name].append(seconds)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return {**medians, "seconds": medians["signals"] + medians["combine"], "subjects": float(len(ratings.subjects))}


def sample_ratings(warehouse: Path) -> Ratings:
    """The grassroots organisations of a warehouse of the sample, all years, on the scale of the last."""
    rules = load_rules()
    known = province(Tables(warehouse), rules)
    return known.of(GRASSROOTS, scale_of(known.years[-1], rules, read_tables()))


def ranked_sample(warehouse: Path | None) -> dict[str, object]:
    """Where the planted organisations of the sample stand on the list of its last year."""
    with tempfile.TemporaryDirectory() as folder:
        if warehouse is None:
            run_command(["intake", str(SAMPLE)], Path(folder))
            run_command(["build"], Path(folder))
            warehouse = Path(folder) / "published.duckdb"
        ratings = sample_ratings(warehouse)
    planted = pd.read_csv(SAMPLE / "planted.csv", dtype=str).set_index("org_code")["mechanism"]
    codes = ratings.organisations.drop_duplicates("organisation").set_index("organisation")["org_code"].sort_index()
    mechanism = planted.reindex(codes)
    truth = pd.DataFrame(
        {"organisation": codes.index, "mechanism": mechanism.to_numpy(), "is_tampered": mechanism.notna()}
    )
    frame = judged(ratings, truth.assign(is_reformer=False, contradictions=0))
    figures = measured(frame)
    order = frame.sort_values("list", ascending=False)
    lists = frame[frame["band"].isin(["A", "B"])]
    return {
        "organisations": len(frame),
        "planted": figures["planted"],
        "auroc": figures["of_list"]["auroc"],
        "auroc_share": figures["of_share"]["auroc"],
        "first": [int(inflates(order.head(length)).sum()) for length in (10, 25, 50)],
        "listed": len(lists),
        "listed_planted": int(inflates(lists).sum()),
        "mechanisms": {
            name: {**told, "listed": int((lists["mechanism"] == name).sum())}
            for name, told in figures["mechanisms"].items()
        },
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table in Markdown; numbers to two decimals, nothing known is a dash."""
    lines = [heads, ["---"] * len(heads), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _three(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _marked(value: float | None, wrong: bool, digits: int = 3) -> str:
    text = "–" if value is None else f"{value:.{digits}f}"
    return f"**{text}**" if wrong else text


def page(result: Mapping[str, object]) -> str:
    """What was measured, as it stands in the page."""
    found: dict[str, dict] = result["scenarios"]
    planted = [each for each in SCENARIOS if each.name in found and not each.is_empty]
    empty = [each for each in SCENARIOS if each.name in found and each.is_empty]
    parts = [
        f"Measured by `make bench-detection`: {result['machine']}; {result['input']}.\n",
        "### Against the reference\n",
        _against_reference(found, result),
        "### Provinces in which some inflate\n",
        _planted_table(planted, found),
        "### By mechanism: AUROC of the list\n",
        _by_mechanism(planted, found, "auroc_list"),
        _by_rule(planted, found),
        "### By mechanism: recall at 5% false positives\n",
        _by_mechanism(planted, found, "recall_at_5"),
        "### By mechanism: share listed at q <= .10 with a second reason\n",
        _by_mechanism(planted, found, "recall_10"),
        "### By mechanism: other ways to rank, and the best single signals\n",
        _baselines(planted, found),
        "### By size of the organisation, among those of its size\n",
        _by_size(planted, found),
        "### What a second reason costs\n",
        _gate(planted, found),
        "### Provinces in which nobody inflates\n",
        _empty_table(empty, found),
        "### Size of every signal: honest organisations with p <= .05\n",
        _sizes(empty, found),
        "### Time\n",
        _times(result["time"]),
    ]
    if result.get("parts"):
        parts += ["### Cells and reporting units\n", _parts(result["parts"])]
    if result.get("ablation"):
        parts += ["### Without one family\n", _ablation(result["ablation"])]
    if result.get("sample"):
        parts += ["### The sample province\n", _sample_table(result["sample"])]
    of_parts = [each for each in PARTS if each.name in result.get("parts", {})]
    planted += [each for each in of_parts if not each.is_empty]
    empty += [each for each in of_parts if each.is_empty]
    weak = _weak(planted, empty, found | result.get("parts", {}), result)
    return "\n".join([*parts, "### What is weak\n", weak])


def _of_list(figures: Mapping, name: str) -> float | None:
    return figures.get("of_list", {}).get(name)


def _worst(figures: Mapping, *, without: Sequence[str] = ("contradiction",)) -> float | None:
    """The lowest AUROC of a mechanism that signals look for."""
    values = [each["auroc_list"] for name, each in figures.get("mechanisms", {}).items() if name not in without]
    return min(values) if values else None


def _mean_listed(empty: Iterable[Mapping]) -> float | None:
    values = [each["listed"] for each in empty]
    return statistics.mean(values) if values else None


def _against_reference(found: Mapping[str, Mapping], result: Mapping) -> str:
    shown = [name for name in ("easy", "ordinary", "hard") if name in found]
    empties = [found[each.name] for each in SCENARIOS if each.is_empty and each.name in found]
    first_year = found.get("first_year", {})
    rows = [
        ("AUROC", REFERENCE["auroc"], *(_of_list(found[name], "auroc") for name in shown)),
        ("AUROC without contradictions", "", *(found[name].get("auroc_of_signals") for name in shown)),
        ("AUROC, worst mechanism of the signals", REFERENCE["auroc_worst"], *(_worst(found[name]) for name in shown)),
        ("precision at 25", REFERENCE["precision_25"], *(_of_list(found[name], "precision_25") for name in shown)),
        ("precision at 50", REFERENCE["precision_50"], *(_of_list(found[name], "precision_50") for name in shown)),
        ("recall, q <= .10", REFERENCE["recall_10"], *(found[name].get("recall_10") for name in shown)),
        ("realised FDR, q <= .10", _three(REFERENCE["fdr_10"]), *(_three(found[name]["fdr_10"]) for name in shown)),
        ("listed in an empty province, mean", REFERENCE["listed_in_empty"], _mean_listed(empties), "", ""),
        ("AUROC in a first year", REFERENCE["auroc_first_year"], _of_list(first_year, "auroc"), "", ""),
        ("seconds a province", REFERENCE["seconds"], result["time"]["seconds"], "", ""),
    ]
    return table(["", "reference", *shown], [row[: 2 + len(shown)] for row in rows])


def _planted_table(scenarios: Sequence[Scenario], found: Mapping[str, Mapping]) -> str:
    heads = [
        "province",
        "planted",
        "AUROC (sd)",
        "share",
        "forest",
        "flags",
        "recall at 5%",
        "P@25",
        "P@50",
        "listed A+B",
    ]
    heads += ["recall q<=.10", *(f"FDR at {nominal:.2f}" for nominal in NOMINAL), "honest with a flag"]
    rows = []
    for each in scenarios:
        figures = found[each.name]
        spread = figures.get("auroc_spread")
        rows.append(
            [
                f"`{each.name}`: {each.title}",
                f"{figures['planted']:.0f}",
                f"{_cell(_of_list(figures, 'auroc'))} ({_cell(spread)})",
                *(figures[f"of_{name}"]["auroc"] for name in ("share", "forest", "flags")),
                *(_of_list(figures, name) for name in ("recall_at_5", "precision_25", "precision_50")),
                f"{figures['listed']:.1f}",
                figures["recall_10"],
                *(_marked(fdr := figures[f"fdr_{round(nominal * 100)}"], fdr > nominal) for nominal in NOMINAL),
                figures["honest_with_a_flag"],
            ]
        )
    return table(heads, rows)


def _by_mechanism(scenarios: Sequence[Scenario], found: Mapping[str, Mapping], figure: str) -> str:
    rows = [
        [f"`{name}`", *(found[each.name]["mechanisms"].get(name, {}).get(figure) for each in scenarios)]
        for name in MECHANISMS
    ]
    return table(["mechanism", *(f"`{each.name}`" for each in scenarios)], rows)


def _by_rule(scenarios: Sequence[Scenario], found: Mapping[str, Mapping]) -> str:
    """What rule R01 sees of the contradictions, which is not in the list."""
    told = ", ".join(
        f"`{each.name}` {_cell(figures['rule_finds'])} and {_cell(figures['rule_finds_honest'])}"
        for each in scenarios
        if (figures := found[each.name]).get("rule_finds") is not None
    )
    return (
        "Beside the list: what rule R01 looks for, a disciplined member rated good, is there in these shares of "
        f"`contradiction` and of the honest: {told}.\n"
    )


def _baselines(scenarios: Sequence[Scenario], found: Mapping[str, Mapping]) -> str:
    rows = []
    for scenario in [each for each in scenarios if each.name in {"ordinary", "hard"}] or scenarios[:1]:
        for name, figures in found[scenario.name]["mechanisms"].items():
            singles = {signal: value for signal, value in figures["singles"].items() if value is not None}
            best = sorted(singles, key=singles.get, reverse=True)[:3]
            rows.append(
                [
                    f"`{scenario.name}`",
                    f"`{name}`",
                    *(figures[f"auroc_{score}"] for score in SCORES),
                    ", ".join(f"{signal} {singles[signal]:.2f}" for signal in best),
                ]
            )
    return table(["province", "mechanism", *SCORES.values(), "best signals"], rows)


def _by_size(scenarios: Sequence[Scenario], found: Mapping[str, Mapping]) -> str:
    chosen = [each for each in scenarios if each.name in {"easy", "ordinary", "hard", "half"}] or scenarios[:1]
    names = list(dict.fromkeys(name for each in chosen for name in found[each.name]["sizes"]))
    rows = [
        [
            name,
            *(
                f"{_cell(told.get('auroc'))}, {_cell(told.get('recall_10'))}"
                for each in chosen
                for told in [found[each.name]["sizes"].get(name, {})]
            ),
        ]
        for name in sorted(names, key=lambda name: float(name.removeprefix("from ").split()[0]))
    ]
    return "AUROC, and the share listed at q <= .10:\n\n" + table(
        ["rated members", *(f"`{each.name}`" for each in chosen)], rows
    )


def _gate(scenarios: Sequence[Scenario], found: Mapping[str, Mapping]) -> str:
    rows = [
        [
            f"`{each.name}`",
            f"{found[each.name]['listed_10']:.1f}",
            found[each.name]["recall_10"],
            _three(found[each.name]["fdr_10"]),
            f"{found[each.name]['listed_10_ungated']:.1f}",
            found[each.name]["recall_10_ungated"],
            _three(found[each.name]["fdr_10_ungated"]),
        ]
        for each in scenarios
    ]
    heads = ["province", "listed, q<=.10", "recall", "FDR", "listed if one reason were enough", "recall", "FDR"]
    return table(heads, rows)


def _empty_table(scenarios: Sequence[Scenario], found: Mapping[str, Mapping]) -> str:
    rows = []
    for each in scenarios:
        figures = found[each.name]
        rows.append(
            [
                f"`{each.name}`: {each.title}",
                _marked(figures["listed"], figures["listed"] > MOST_LISTED_IN_EMPTY, 2),
                figures["bands"]["A"],
                figures["most_listed"],
                figures["provinces_with_false"],
                figures["honest_with_a_flag"],
                _commonest(figures["false_reasons"]),
            ]
        )
    heads = ["province", "listed A+B, mean", "band A, mean", "most", "provinces with any", "honest with a flag"]
    return table([*heads, "reasons of the listed, all seeds"], rows)


def _sizes(scenarios: Sequence[Scenario], found: Mapping[str, Mapping]) -> str:
    rows = []
    for signal in battery.SIGNALS:
        sizes = [found[each.name]["size"].get(signal) for each in scenarios]
        if any(size is not None for size in sizes):
            rows.append([signal, *(_marked(size, size is not None and size > LARGEST_SIZE) for size in sizes)])
    return table(["signal", *(f"`{each.name.removeprefix('empty_')}`" for each in scenarios)], rows)


def _parts(found: Mapping[str, Mapping]) -> str:
    """What was measured of cells and units."""
    heads = ["province", "judged", "tested", "planted", "AUROC", "recall at 5%", "listed A+B", "band A", "most"]
    heads += ["recall q<=.10", *(f"FDR at {nominal:.2f}" for nominal in NOMINAL), "reasons of those listed falsely"]
    rows = []
    shown = [each for each in PARTS if each.name in found]
    for each in shown:
        figures = found[each.name]
        rows.append(
            [
                f"`{each.name}`: {each.title}",
                f"{figures['judged']:.0f}",
                figures["tested"],
                f"{figures['planted']:.0f}",
                *(_of_list(figures, name) for name in ("auroc", "recall_at_5")),
                _marked(figures["listed"], each.is_empty and figures["listed"] > MOST_LISTED_IN_EMPTY, 2),
                figures["bands"]["A"],
                figures["most_listed"],
                figures.get("recall_10"),
                *(_marked(fdr := figures[f"fdr_{round(nominal * 100)}"], fdr > nominal) for nominal in NOMINAL),
                _commonest(figures["false_reasons"]),
            ]
        )
    told = (
        "Through the marts and the review that the warehouse uses. Judged: cells with ten rated members or more, each "
        "with tasks, meetings and a level of its own; units by all their members together. A cell is planted where "
        "anything of it is not as an honest appraisal has it, a unit where everybody in it inflates.\n\n"
    )
    sizes = "\nHonest cells and units with p <= .05:\n\n" + _sizes(shown, found)
    return told + table(heads, rows) + sizes


def _commonest(reasons: Sequence[str]) -> str:
    common = sorted(set(reasons), key=lambda pair: (-reasons.count(pair), pair))[:3]
    return ", ".join(f"{pair} {reasons.count(pair)}" for pair in common) or "–"


def _times(time: Mapping[str, float]) -> str:
    rows = [[name, f"{time[name]:.2f}"] for name in ("simulate", "signals", "combine", "seconds")]
    text = f"A province of 500 organisations, three periods and {time['subjects']:,.0f} ratings, one core, median:\n\n"
    return text + table(["", "seconds"], rows)


def _ablation(ablation: Mapping[str, Mapping]) -> str:
    families = list(dict.fromkeys(family for figures in ablation.values() for family in figures))
    rows = [[family, *(_without(figures.get(family)) for figures in ablation.values())] for family in families]
    text = (
        "Where some inflate: AUROC (without contradictions), recall and realised FDR at q <= .10. "
        "Where nobody does: listings (A and B), mean.\n\n"
    )
    return text + table(["without", *(f"`{name}`" for name in ablation)], rows)


def _without(figures: Mapping | None) -> str:
    if not figures:
        return "–"
    if figures.get("auroc_of_signals") is None:
        return f"{figures['listed']:.2f}"
    return f"{figures['auroc_of_signals']:.3f}, {figures['recall_10']:.2f}, {figures['fdr_10']:.3f}"


def _sample_table(sample: Mapping) -> str:
    rows = [
        [f"`{name}`", figures["organisations"], figures["auroc_list"], figures["auroc_share"], figures["listed"]]
        for name, figures in sample["mechanisms"].items()
    ]
    told = (
        f"{sample['organisations']} organisations, {sample['planted']} planted. AUROC {sample['auroc']:.2f} "
        f"(share of good ratings {sample['auroc_share']:.2f}); planted among the first 10, 25, 50: "
        f"{', '.join(str(count) for count in sample['first'])}. Listed (A and B) {sample['listed']}, "
        f"of them planted {sample['listed_planted']}. Nothing is tuned on it; it is measured only.\n\n"
    )
    return told + table(["mechanism", "organisations", "AUROC", "AUROC of the share", "listed"], rows)


def _weak(planted: Sequence[Scenario], empty: Sequence[Scenario], found: Mapping[str, Mapping], result: Mapping) -> str:
    """What does not reach its aim, in sentences made of the figures."""
    lines = []
    for each in planted:
        figures = found[each.name]
        low = {name: told["auroc_list"] for name, told in figures["mechanisms"].items()}
        low = {name: value for name, value in low.items() if value < REFERENCE["auroc_worst"]}
        if low and each.level == GRASSROOTS:
            told = ", ".join(f"`{name}` {low[name]:.2f}" for name in sorted(low, key=low.get))
            lines.append(f"`{each.name}`: mechanisms ranked below AUROC {REFERENCE['auroc_worst']:.2f}: {told}.")
        for nominal in NOMINAL:
            if (fdr := figures[f"fdr_{round(nominal * 100)}"]) > nominal:
                error = figures["error"][f"fdr_{round(nominal * 100)}"]
                lines.append(
                    f"`{each.name}`: realised FDR {fdr:.3f} (standard error {error:.3f}) is above the nominal "
                    f"{nominal:.2f}."
                )
    for each in empty:
        figures = found[each.name]
        if figures["listed"] > MOST_LISTED_IN_EMPTY:
            lines.append(
                f"`{each.name}`: {figures['listed']:.2f} organisations listed on average (standard error "
                f"{figures['error']['listed']:.2f}), aim at most {MOST_LISTED_IN_EMPTY}."
            )
        lines += [
            f"`{each.name}`: {signal} calls {size:.3f} of the honest surprising at .05."
            for signal, size in figures["size"].items()
            if size > LARGEST_SIZE
        ]
    if result["time"]["seconds"] > REFERENCE["seconds"]:
        lines.append(f"A province takes {result['time']['seconds']:.2f} s, aim {REFERENCE['seconds']:.2f} s.")
    return "\n".join(f"- {line}" for line in lines or ["Nothing misses its aim."]) + "\n"


def write_page(path: Path, text: str) -> None:
    """Put the text between the markers of a page; raises ValueError where they are not there once each."""
    before = path.read_text(encoding="utf-8")
    if before.count(BEGIN) != 1 or before.count(END) != 1:
        raise ValueError(f"{path} must hold {BEGIN} and {END} once each")
    head, _, rest = before.partition(BEGIN)
    path.write_text(f"{head}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", nargs="+", choices=[each.name for each in (*SCENARIOS, *PARTS)])
    parser.add_argument("--ablation", action="store_true", help="also the list without each family of signals")
    parser.add_argument("--warehouse", type=Path, help="a warehouse of the sample, instead of building one")
    parser.add_argument("--no-sample", action="store_true")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--page", type=Path, help=f"write the tables into this page ({PAGE.relative_to(ROOT)})")
    asked = parser.parse_args(arguments)
    scenarios, parts = (
        [each for each in kinds if asked.only is None or each.name in asked.only] for kinds in (SCENARIOS, PARTS)
    )
    seeds = range(asked.seeds)
    result: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, "
        f"Python {platform.python_version()}, "
        + ", ".join(f"{each.__name__} {each.__version__}" for each in (np, pd, scipy)),
        "input": f"{len(scenarios) + len(parts)} kinds of provinces, {asked.seeds} seeds each, from "
        "`ratings.simulation`",
        "time": timed(),
    }
    start = time.perf_counter()
    result["scenarios"] = run(scenarios, seeds, asked.workers)
    result["parts"] = run(parts, seeds, asked.workers)
    if asked.ablation:
        found = over_seeds(ablated_province, scenarios, seeds, asked.workers)
        result["ablation"] = {name: averaged(each) for name, each in found.items()}
    result["seconds"] = time.perf_counter() - start
    if SAMPLE.is_dir() and not asked.no_sample:
        result["sample"] = ranked_sample(asked.warehouse)
    text = page(result)
    if asked.page:
        write_page(asked.page, text)
    print(json.dumps(result, indent=1, ensure_ascii=False) if asked.json else text)


if __name__ == "__main__":
    main()
