"""The whole dbt build against one SQL script that makes the same tables of the same data, for n times the sample.

Usage: ``python benchmarks/warehouse.py [STORE] [--sizes 1 10 100] [--json]``; the store is one that intake wrote
(default: the sample province is taken in first).

What the script is. Some eighty tables written a second time by hand would only say how fast that hand was. The script
is made of the selects that dbt has compiled, each once, in order, in one DuckDB connection: nothing of dbt around them,
no primary keys, no tests, no check of contracts. It is what a hand-written script could at best be without changing a
select. That its tables are those of dbt is shown table by table, by their logical hashes.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.copies import copy_store  # noqa: E402
from benchmarks.speed import SAMPLE  # noqa: E402
from orchestration.models import EXECUTABLE, FOLDER  # noqa: E402
from orchestration.settings import Folders, dbt_environment  # noqa: E402
from orchestration.warehouse import logical_hash  # noqa: E402

AIM = 1.3
"""At most this many times the script, beyond dbt's start-up."""

RUN = """
import duckdb, json, sys, time
database, script, took, memory = sys.argv[1:]
with duckdb.connect(database, config={"threads": 4, "memory_limit": memory}) as connection, open(script) as statements:
    seconds = {}
    for name, statement in json.load(statements):
        start = time.perf_counter()
        connection.execute(statement)
        seconds[name] = seconds.get(name, 0) + time.perf_counter() - start
with open(took, "w") as file:
    json.dump(seconds, file)
"""
"""Runs a script, statement by statement, in one connection, and tells how long each took."""

MEMORY = "8GB"
"""What DuckDB may use, as in ``profiles.yml``."""


@dataclass(frozen=True)
class Cost:
    """What a process and its children took."""

    seconds: float
    cpu_seconds: float
    peak_gb: float


def measured(command: Sequence[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end; raises `SystemExit` with its words where it fails."""
    with tempfile.TemporaryFile() as told:
        start = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, stdout=told, stderr=told)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            told.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{told.read().decode()[-4000:]}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9)


class Bench:
    """A place where the store changes its size and everything else stays, so that dbt parses once."""

    def __init__(self, store: Path, place: Path) -> None:
        self._store, self._place = store, place
        self._folders = Folders(place / "data")
        self._warehouse = place / "dbt" / "warehouse.duckdb"
        self._by_hand = place / "script" / "warehouse.duckdb"
        self._script, self._took = place / "script" / "script.json", place / "script" / "seconds.json"
        self._target = place / "target"
        for path in (self._warehouse, self._by_hand):
            path.parent.mkdir(parents=True)

    def dbt(self, *arguments: str) -> Cost:
        """A dbt command on the store as it is now."""
        environment = dbt_environment(self._folders, self._warehouse)
        places = ["--project-dir", FOLDER, "--profiles-dir", FOLDER, "--target-path", self._target]
        places += ["--log-path", self._place / "logs"]
        return measured([EXECUTABLE, *arguments, *map(str, places)], environment)

    def build(self) -> Cost:
        """The whole build, as a run of the program starts it."""
        self._warehouse.unlink(missing_ok=True)
        return self.dbt("build", "--exclude-resource-type", "unit_test")

    def script(self) -> Cost:
        """The same tables by the script, in a process of its own."""
        self._by_hand.unlink(missing_ok=True)
        self._script.write_text(json.dumps(self._written()), encoding="utf-8")
        places = (self._by_hand, self._script, self._took)
        return measured([sys.executable, "-c", RUN, *map(str, places), MEMORY])

    def resize(self, n: int) -> None:
        """Put n times the store in the place of what was there."""
        shutil.rmtree(self._folders.store, ignore_errors=True)
        copy_store(self._store, self._folders.store, n)

    def differing(self) -> list[str]:
        """Tables that the script makes otherwise than dbt."""
        dbt, script = (logical_hash(path) for path in (self._warehouse, self._by_hand))
        return sorted(name for name in {*dbt, *script} if dbt.get(name) != script.get(name))

    def sizes(self) -> tuple[float, float]:
        """Megabytes of dbt's file and of the script's."""
        return self._warehouse.stat().st_size / 1e6, self._by_hand.stat().st_size / 1e6

    def rows(self) -> dict[str, int]:
        """Rows by table of dbt's file."""
        return {name: int(told.split("(")[1].rstrip(")")) for name, told in logical_hash(self._warehouse).items()}

    def node_seconds(self) -> tuple[Counter[str], list[tuple[str, float, float]]]:
        """Seconds of dbt's nodes by kind, and its slowest models with what the script took for them."""
        results = json.loads((self._target / "run_results.json").read_text(encoding="utf-8"))["results"]
        by_hand = json.loads(self._took.read_text(encoding="utf-8"))
        by_kind: Counter[str] = Counter()
        models = []
        for result in results:
            kind, _, name = result["unique_id"].split(".")[:3]
            by_kind[kind] += result["execution_time"]
            models.append((name, result["execution_time"], by_hand.get(name, 0.0)))
        return by_kind, sorted(models, key=lambda told: -told[1])[:5]

    def _written(self) -> list[tuple[str, str]]:
        """The script by what it makes: every seed and model once, in dbt's order, with the columns of the contract."""
        nodes = json.loads((self._target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
        results = json.loads((self._target / "run_results.json").read_text(encoding="utf-8"))["results"]
        script = [("settings", "set preserve_insertion_order = false")]
        script += [(schema, f"create schema {schema}") for schema in ("seeds", "staging", "marts")]
        for node in (nodes[result["unique_id"]] for result in results if result["unique_id"] in nodes):
            name = f"{node['schema']}.{node['name']}"
            statements = []
            if node["resource_type"] == "seed":
                types = ", ".join(f"'{column}': '{kind}'" for column, kind in node["config"]["column_types"].items())
                path = FOLDER / node["original_file_path"]
                statements += [f"create table {name} as from read_csv('{path}', header = true, types = {{{types}}})"]
            elif node["resource_type"] == "model" and node["config"]["contract"]["enforced"]:
                columns = ", ".join(f'"{column}" {told["data_type"]}' for column, told in node["columns"].items())
                statements += [
                    f"create table {name} ({columns})",
                    f"insert into {name} by name {node['compiled_code']}",
                ]
            elif node["resource_type"] == "model":
                statements += [f"create {node['config']['materialized']} {name} as {node['compiled_code']}"]
            script += [(node["name"], statement) for statement in statements]
        return script


def measure(store: Path, sizes: Sequence[int]) -> dict[str, object]:
    """Everything measured, by name; seconds unless the name says otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(store, Path(folder))
        told: dict[str, object] = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
            "script": "dbt's own selects in one connection; no keys, no tests (see benchmarks/warehouse.py)",
        }
        bench.resize(0)
        bench.dbt("parse")
        bare = bench.dbt("build", "--select", "levels")
        empty = bench.build()
        told["dbt, bare start-up (one seed)"] = bare.seconds
        told["dbt, every node on an empty store"] = empty.seconds
        by_size = {}
        for n in sizes:
            bench.resize(n)
            dbt, script = bench.build(), bench.script()
            by_size[n] = dbt, script
            kinds, slowest = bench.node_seconds()
            rows = bench.rows()
            if differing := bench.differing():
                raise SystemExit(f"x{n}: the script's tables are not dbt's: {', '.join(differing)}")
            members, meetings = rows["marts.dim_member"], rows["marts.fct_cell_meeting"]
            told |= {
                f"x{n}: input": f"{members:,} members, {meetings:,} meetings, {sum(rows.values()):,} rows",
                f"x{n}: load of the machine": os.getloadavg()[0],
                f"x{n}: dbt build": dbt.seconds,
                f"x{n}: script": script.seconds,
                f"x{n}: processor seconds, dbt and script": f"{dbt.cpu_seconds:8.1f} {script.cpu_seconds:.1f}",
                f"x{n}: dbt's nodes, seconds by kind": ", ".join(f"{k} {s:.1f}" for k, s in kinds.items()),
                f"x{n}: slowest models (the script's seconds)": ", ".join(
                    f"{name} {seconds:.1f} ({script_seconds:.1f})" for name, seconds, script_seconds in slowest
                ),
                f"x{n}: ratio beyond every node's start-up (aim <= {AIM})": (dbt.seconds - empty.seconds)
                / script.seconds,
                f"x{n}: the same of processor seconds": (dbt.cpu_seconds - empty.cpu_seconds) / script.cpu_seconds,
                f"x{n}: ratio beyond the bare start-up": (dbt.seconds - bare.seconds) / script.seconds,
                f"x{n}: peak GB, dbt and script (aim <= 12)": f"{dbt.peak_gb:8.2f} {script.peak_gb:.2f}",
                f"x{n}: file MB, dbt and script": "{:8.0f} {:.0f}".format(*bench.sizes()),
                f"x{n}: tables equal to the script's": f"all {len(rows)}",
            }
        for small, large in [*pairwise(sizes), *([(sizes[0], sizes[-1])] if len(sizes) > 2 else [])]:
            (few, few_by_hand), (many, many_by_hand) = by_size[small], by_size[large]
            told |= {
                f"growth x{small} to x{large}: dbt's processor beyond start-up": (many.cpu_seconds - empty.cpu_seconds)
                / (few.cpu_seconds - empty.cpu_seconds),
                f"growth x{small} to x{large}: dbt beyond the bare start-up": (many.seconds - bare.seconds)
                / (few.seconds - bare.seconds),
                f"growth x{small} to x{large}: script": many_by_hand.seconds / few_by_hand.seconds,
            }
    return told


def sample_store(place: Path) -> Path:
    """The store of the sample province, taken in into `place`."""
    from submissions.intake import take_in

    take_in(sorted(SAMPLE.glob("*.xlsx")), data=place, workers=os.cpu_count() or 1)
    return Folders(place).store


def main() -> None:
    """Print what was measured."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("store", nargs="?", type=Path)
    arguments.add_argument("--sizes", nargs="+", type=int, default=[1, 10])
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = measure(chosen.store or sample_store(Path(place)), chosen.sizes)
    if chosen.json:
        print(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for name, value in found.items():
        print(f"{name:62} {value if isinstance(value, str) else f'{value:8.2f}'}")


if __name__ == "__main__":
    main()
