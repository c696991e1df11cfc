"""What dbt ran to make a warehouse, kept so that the same statements make the next one without dbt around them.

dbt spends more on each of its nodes than DuckDB does on the rows. What it has compiled depends on the code alone, so a
build of other data by the same code runs the same statements: every model anew, and every test on what came out.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter
from typing import Any, Self, TypeVar

import duckdb

from orchestration.settings import nodes_at_a_time

DATA = frozenset({"sendings", "register", "lists"})
"""Kinds of a build's inputs that are data; the statements depend on all others."""

KEPT = 3
"""States of the code whose statements are kept."""

AFFIXED = '__dbt_tmp"'
"""How dbt names a relation until it is complete."""


@dataclass(frozen=True)
class Node:
    """A seed, model or test as dbt ran it."""

    unique_id: str
    kind: str
    relation: str
    """``"schema"."name"``; empty for a test."""
    statement: str
    """Empty for a seed, whose rows are kept."""
    compiled: str
    """The rows a test finds fault with; empty for others."""
    severity: str
    """Of a test: ``error`` or ``warn``."""
    parents: tuple[str, ...]

    @property
    def is_test(self) -> bool:
        """Whether it looks at relations rather than makes one."""
        return self.kind == "test"


@dataclass(frozen=True)
class Ran:
    """What came of a node: seconds, and of a test how many rows failed and its status as dbt names it."""

    node: Node
    seconds: float
    status: str = "success"
    failures: int = 0


Seen = TypeVar("Seen")

Look = Callable[[Ran, duckdb.DuckDBPyConnection], Seen]
"""Makes something of a node that has just been run, with a connection on which it can be seen."""


@dataclass(frozen=True)
class Places:
    """Where the statements read and write: what differs in them from one build to the next."""

    database: Path
    store: Path
    findings: Path

    @property
    def written(self) -> tuple[str, ...]:
        """Each as it stands in SQL."""
        folders = (str(folder).replace("'", "''") + "/" for folder in (self.findings, self.store))
        return (f'"{self.database.stem}".', *folders)


def key(inputs: Mapping[str, object], project: str) -> str:
    """Name of the statements that these inputs of a build and this state of the dbt project give."""
    code = {kind: told for kind, told in inputs.items() if kind not in DATA}
    told = json.dumps([code, project], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Statements:
    """The statements of one state of the code, in the order in which dbt ran them."""

    path: Path
    written: tuple[str, ...]
    """The places they were compiled for."""
    nodes: tuple[Node, ...]

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """The statements at `path`, None where none are kept."""
        if not path.exists():
            return None
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = connection.execute("select places, node from statements order by position").fetchall()
        nodes = (json.loads(node) for _, node in rows)
        nodes = tuple(Node(**(node | {"parents": tuple(node["parents"])})) for node in nodes)
        return cls(path, tuple(json.loads(rows[0][0])), nodes)

    def run(
        self,
        places: Places,
        wanted: Callable[[Node], bool],
        on_made: Callable[[], None] = lambda: None,
        look: Look = lambda ran, _: ran,
    ) -> Iterator[Seen]:
        """Run the nodes that are `wanted` at these places: each after its parents, tests after all models.

        What `look` makes of each, seeing the warehouse as it is then, comes out as soon as it is there; the others do
        not wait for whoever takes it. `on_made` is called after the last model; from then on the warehouse is only
        read. Raises `duckdb.Error` where a model cannot be made.
        """
        return _beside(self._all(places, wanted, on_made, look))

    def _all(
        self, places: Places, wanted: Callable[[Node], bool], on_made: Callable[[], None], look: Look
    ) -> Iterator[Seen]:
        chosen = {node.unique_id: node for node in self.nodes if wanted(node)}
        models = {name: node for name, node in chosen.items() if not node.is_test}
        workers = nodes_at_a_time(places.store)
        with duckdb.connect(str(places.database), config=SETTINGS) as connection:
            connection.execute(f"attach {_quoted(self.path)} as kept (read_only)")
            for schema in sorted({node.relation.split(".")[0] for node in models.values()}):
                connection.execute(f"create schema if not exists {schema}")
            yield from _in_order(models, partial(self._run, connection, places, self._make, look), workers)
        on_made()
        with duckdb.connect(str(places.database), read_only=True, config=SETTINGS) as connection:
            tests = {name: node for name, node in chosen.items() if node.is_test}
            yield from _in_order(tests, partial(self._run, connection, places, self._test, look), workers)

    def _run(
        self,
        connection: duckdb.DuckDBPyConnection,
        places: Places,
        work: Callable[[duckdb.DuckDBPyConnection, Places, Node], tuple[str, int]],
        look: Look,
        node: Node,
    ) -> Seen:
        with connection.cursor() as cursor:
            start = perf_counter()
            status, failures = work(cursor, places, node)
            return look(Ran(node, perf_counter() - start, status, failures), cursor)

    def _make(self, cursor: duckdb.DuckDBPyConnection, places: Places, node: Node) -> tuple[str, int]:
        if node.kind == "seed":
            cursor.execute(f"create table {node.relation} as from kept.{node.relation}")
        else:
            cursor.execute(self.at(places, node.statement))
        return "success", 0

    def _test(self, cursor: duckdb.DuckDBPyConnection, places: Places, node: Node) -> tuple[str, int]:
        failures, warns, fails = cursor.execute(self.at(places, node.statement)).fetchone()
        return "fail" if fails and node.severity == "error" else "warn" if warns else "pass", failures

    def at(self, places: Places, text: str) -> str:
        """A statement as dbt would have compiled it for these places."""
        for former, now in zip(self.written, places.written, strict=True):
            text = text.replace(former, now)
        return text


SETTINGS = {
    "threads": 4,
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": "8GB",
}
"""As in ``profiles.yml``."""


def _in_order(nodes: Mapping[str, Node], run: Callable[[Node], Seen], workers: int) -> Iterator[Seen]:
    """Several nodes at a time, each after those of its parents that are among them."""
    order = TopologicalSorter(
        {name: [parent for parent in node.parents if parent in nodes] for name, node in nodes.items()}
    )
    order.prepare()
    with ThreadPoolExecutor(workers) as pool:
        running: dict[Future[Ran], str] = {}
        while order.is_active():
            running |= {pool.submit(run, nodes[name]): name for name in order.get_ready()}
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                order.done(running.pop(done))
                yield done.result()


def _beside(source: Iterator[Seen]) -> Iterator[Seen]:
    """What comes from `source`, which goes on in a thread of its own until it ends or nobody takes any more."""
    came: SimpleQueue[tuple[bool, Seen | Exception | None]] = SimpleQueue()
    is_left = threading.Event()

    def follow() -> None:
        try:
            with closing(source):
                for one in source:
                    came.put((True, one))
                    if is_left.is_set():
                        return
        except Exception as error:  # noqa: BLE001 - raised where it is taken
            came.put((False, error))
        else:
            came.put((False, None))

    thread = threading.Thread(target=follow)
    thread.start()
    try:
        while True:
            is_one, found = came.get()
            if is_one:
                yield found
            elif found is not None:
                raise found
            else:
                return
    finally:
        is_left.set()
        thread.join()


# --- keeping -----------------------------------------------------------------------------------------------------


def note(path: Path, target: Path, places: Places) -> bool:
    """Add what the dbt command that has just ended in `target` ran at these places to the file at `path`.

    False, and nothing is kept, where a node does more than its one statement says (hooks).
    """
    parsed = json.loads((target / "manifest.json").read_text(encoding="utf-8"))["nodes"]
    results = json.loads((target / "run_results.json").read_text(encoding="utf-8"))["results"]
    ran = [parsed[result["unique_id"]] for result in results if result["unique_id"] in parsed]
    if any(node["config"].get(hook) for node in ran for hook in ("pre-hook", "post-hook")):
        return False
    nodes = [_node(node) for node in ran if node["resource_type"] in {"seed", "model", "test"}]
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table if not exists statements (position integer, places varchar, node varchar)")
        first = connection.execute("select count(*) from statements").fetchone()[0]
        connection.executemany(
            "insert into statements values (?, ?, ?)",
            [
                (position, json.dumps(places.written), json.dumps(asdict(node), ensure_ascii=False))
                for position, node in enumerate(nodes, start=first)
            ],
        )
        connection.execute(f"attach {_quoted(places.database)} as built (read_only)")
        for node in nodes:
            if node.kind == "seed":
                connection.execute(f"create schema if not exists {node.relation.split('.')[0]}")
                connection.execute(f"create table {node.relation} as from built.{node.relation}")
    return True


def keep(path: Path, place: Path) -> None:
    """Put what was noted where the next build finds it; of former states of the code only the last are kept."""
    place.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, place)
    for former in sorted(place.parent.iterdir(), key=lambda file: file.stat().st_mtime)[:-KEPT]:
        former.unlink()


def _node(node: Mapping[str, Any]) -> Node:
    kind = node["resource_type"]
    statement = "" if kind == "seed" else Path(node["build_path"]).read_text(encoding="utf-8").replace(AFFIXED, '"')
    return Node(
        unique_id=node["unique_id"],
        kind=kind,
        relation="" if kind == "test" else f'"{node["schema"]}"."{node["name"]}"',
        statement=statement,
        compiled=node["compiled_code"] if kind == "test" else "",
        severity=node["config"]["severity"].lower() if kind == "test" else "",
        parents=tuple(node["depends_on"]["nodes"]) if kind != "seed" else (),
    )


def failing_rows(
    connection: duckdb.DuckDBPyConnection, compiled: str, keys: Iterable[str], limit: int
) -> tuple[list[str], list[tuple]]:
    """Columns and first rows of what a test finds fault with: `keys` alone where the rows have them, else all columns.

    The rows come in one order, whatever the order in which they are found.
    """
    named = [column[0] for column in connection.execute(f"select * from ({compiled}\n) as f limit 0").description]
    columns = [name for name in keys if name in named] or named
    chosen = ", ".join(f'"{name}"' for name in columns)
    rows = connection.execute(f"select {chosen} from ({compiled}\n) as f order by all limit {limit}").fetchall()
    return columns, rows


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
