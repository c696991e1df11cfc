"""How long the battery and the review list take, from a province to a nation, and whether a nation's list holds.

Usage: ``python benchmarks/nation.py [--only NAME …] [--json]``.
Every size is made by ``ratings.simulation`` in one process, written as Parquet, and judged in another, whose time is
that of all signals and the list (the reading of the data stands beside it) and whose peak memory is its own, reading
included. The growth compares with the size before: seconds of the processor, which others on the machine hardly touch,
against rows. At a nation's size it is also counted who is listed where one in a hundred inflates, and where nobody
does.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before numpy: what one core takes

if TYPE_CHECKING:
    from ratings.signals.frames import Ratings

# A child's peak begins with what its parent holds: this module imports nothing large until it is in the child.
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

FRAMES = ("organisations", "groups", "subjects", "scores", "rechecks")
ROUNDS = 5
SLOWEST = 5
MADE, JUDGED = "--made", "--judged"
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Size:
    """A made-up country of so many organisations, and what may be asked of judging it."""

    name: str
    organisations: int
    periods: int
    parents: int
    has_members: bool = True
    """otherwise members come as counts: by cell and level, by step of the ladder, by score"""
    planted: float = 0.15
    rounds: int = 1
    seconds: float | None = None
    peak_gb: float | None = None


SIZES = (
    Size("province", 500, 3, 12, rounds=ROUNDS, seconds=0.65),
    Size("ten provinces", 5_000, 5, 70, rounds=3),
    Size("nation", 51_000, 5, 700, seconds=60, peak_gb=4),
    Size("nation, counts", 51_000, 5, 700, has_members=False, planted=0.01, seconds=60, peak_gb=4),
    Size("nation, counts, nobody inflates", 51_000, 5, 700, has_members=False, planted=0, seconds=60, peak_gb=4),
)


def counted(ratings: "Ratings") -> "Ratings":
    """The ratings without their members: the ladder as counts by organisation and period, scores as a histogram."""
    import pandas as pd

    key = ["organisation", "period"]
    rows = ratings.subjects
    own, appraised, final = (rows[name] for name in ("own", "appraised", "final"))
    ladder = rows[key].assign(
        claims=own.notna() | appraised.notna(),
        lowered=(final < own) | (appraised < own) | (final < appraised),
        raised=(final > own) & ~(final <= appraised) | (final > appraised) & ~(final <= own),
        unappraised=own.isna() | appraised.isna(),
    )
    counts = ladder.groupby(key, sort=False).sum().reset_index()
    scored = rows.loc[rows["score"].notna(), [*key, "score"]]
    scores = scored.value_counts(sort=False).rename("count").reset_index()
    organisations = ratings.organisations.merge(counts, how="left", on=key, validate="one_to_one")
    return type(ratings)(
        organisations=organisations,
        scale=ratings.scale,
        evidence=ratings.evidence,
        groups=ratings.groups,
        subjects=pd.DataFrame(),
        scores=scores,
        rechecks=ratings.rechecks,
    )


def make(size: Size, folder: Path, seed: int = 1) -> None:
    """Draw a country and write its tables and the truth into a folder."""
    from ratings.simulation import Province, simulate

    province = Province(size.organisations, size.periods, size.planted, parents=size.parents)
    ratings, truth = simulate(seed, province)
    if not size.has_members:
        ratings = counted(ratings)
    truth.to_parquet(folder / "truth.parquet", index=False)
    for name in FRAMES:
        if len(frame := getattr(ratings, name)):
            frame.to_parquet(folder / f"{name}.parquet", index=False)


def read(folder: Path) -> "Ratings":
    """The tables of a folder that `make` wrote."""
    import pandas as pd

    from ratings.signals.frames import Ratings
    from ratings.simulation import EVIDENCE, SCALE

    frames = {name: pd.read_parquet(path) for name in FRAMES if (path := folder / f"{name}.parquet").exists()}
    return Ratings(
        scale=SCALE, evidence={name: sign for name, (sign, _) in EVIDENCE.items()} | {"discipline": -1}, **frames
    )


def judge(folder: Path, rounds: int) -> dict[str, object]:
    """What judging the tables of a folder takes (median of the rounds), and who is listed."""
    import pandas as pd

    from ratings.combination import LISTED, combine
    from ratings.signals import battery

    ratings, reading = timed(lambda: read(folder))
    times, used = [], time.process_time()
    for _ in range(rounds):
        signals, of_signals = timed(lambda: battery.signals(ratings))
        combined, of_list = timed(lambda signals=signals: combine(signals))
        times.append((of_signals + of_list, of_list))
    used = (time.process_time() - used) / rounds
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    period = battery.latest_period(ratings)
    known = battery.recent(ratings, period)
    alone = {name: timed(lambda signal=signal: signal(known, period))[1] for name, signal in battery.SIGNALS.items()}
    truth = pd.read_parquet(folder / "truth.parquet")
    inflated = set(truth.loc[truth["mechanism"].notna() & truth["is_tampered"], "organisation"])
    listed = combined.listed[combined.listed["band"].isin(list(LISTED))]
    return {
        "organisations": ratings.organisations["organisation"].nunique(),
        "periods": ratings.organisations["period"].nunique(),
        "rows": {name: len(getattr(ratings, name)) for name in FRAMES},
        "reading": reading,
        "seconds": statistics.median(whole for whole, _ in times),
        "processor_seconds": used,
        "list_seconds": statistics.median(of_list for _, of_list in times),
        "slowest": dict(sorted(alone.items(), key=lambda item: -item[1])[:SLOWEST]),
        "peak_gb": peak,
        "inflate": len(inflated),
        "listed": combined.budget.listed | {"falsely": int((~listed["organisation"].isin(inflated)).sum())},
        "announced": max(combined.budget.expected_false.values()),
    }


def timed(work: Callable[[], Answer]) -> tuple[Answer, float]:
    """What a piece of work answers, and the seconds it took."""
    start = time.perf_counter()
    answer = work()
    return answer, time.perf_counter() - start


def in_a_process(what: str, size: Size, folder: Path) -> dict[str, object]:
    """`make` or `judge` in a process of its own; raises `SystemExit` with its words where it fails."""
    command = [sys.executable, __file__, what, str(folder), "--size", json.dumps(asdict(size))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{size.name} failed:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout)


def measure(sizes: Sequence[Size]) -> dict[str, object]:
    """Every size, with the growth beside the one before."""
    found: dict[str, dict[str, object]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as place:
            in_a_process(MADE, size, Path(place))
            load = os.getloadavg()[0]
            found[size.name] = in_a_process(JUDGED, size, Path(place)) | {
                "load": load,
                "aim": {"seconds": size.seconds, "peak_gb": size.peak_gb},
            }
    for before, size in pairwise(sizes):
        if before.has_members == size.has_members and before.organisations < size.organisations:
            small, large = found[before.name], found[size.name]
            large["growth"] = {
                "processor_seconds": large["processor_seconds"] / small["processor_seconds"],
                "rows": sum(large["rows"].values()) / sum(small["rows"].values()),
            }
    machine = f"{platform.machine()}, {os.cpu_count()} cores (one used), Python {platform.python_version()}"
    return {"machine": machine, "sizes": found}


def told(name: str, found: Mapping) -> str:
    """One size in words."""
    rows = ", ".join(f"{count:,} {frame}" for frame, count in found["rows"].items() if count)
    aim = "".join(
        f" (aim <= {most:g} {unit})" for unit, most in zip(("s", "GB"), found["aim"].values(), strict=True) if most
    )
    lines = [
        f"{name}: {found['organisations']:,} organisations, {found['periods']} periods; rows: {rows}",
        f"  signals and list {found['seconds']:.2f} s ({found['processor_seconds']:.2f} s of processor), peak "
        f"{found['peak_gb']:.2f} GB{aim}; reading {found['reading']:.2f} s, the list {found['list_seconds']:.2f} s; "
        f"load {found['load']:.1f}",
        "  slowest: " + ", ".join(f"{each} {seconds:.2f} s" for each, seconds in found["slowest"].items()),
        f"  {found['inflate']:,} inflate; listed A {found['listed']['A']}, B {found['listed']['B']}, of them falsely "
        f"{found['listed']['falsely']} (announced: at most {found['announced']:.1f})",
    ]
    if growth := found.get("growth"):
        times = (
            f"{growth['processor_seconds']:.1f} times the processor's seconds for {growth['rows']:.1f} times the rows"
        )
        lines.insert(2, f"  growth: {times}")
    return "\n".join(lines)


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=[size.name for size in SIZES], metavar="NAME")
    parser.add_argument("--json", action="store_true")
    for step in (MADE, JUDGED):
        parser.add_argument(step, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--size", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.made or asked.judged:
        size = Size(**json.loads(asked.size))
        answer = make(size, asked.made) if asked.made else judge(asked.judged, size.rounds)
        print(json.dumps(answer))
        return
    measured = measure([size for size in SIZES if not asked.only or size.name in asked.only])
    if asked.json:
        print(json.dumps(measured, ensure_ascii=False, indent=1))
        return
    print(measured["machine"])
    for name, found in measured["sizes"].items():
        print(told(name, found))


if __name__ == "__main__":
    main()
