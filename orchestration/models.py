"""The dbt project as Dagster sees it: its manifest, how its nodes are described, how it is run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject
from dagster_dbt.asset_utils import get_asset_check_key_for_test
from packaging.version import Version

from orchestration import ahead, failures, statements
from orchestration.manifests import source_files
from orchestration.previews import counts_by_period, table_metadata
from orchestration.settings import PROJECT, Folders, dbt_environment, export, nodes_at_a_time
from orchestration.statements import Places, Ran, Statements, failing_rows
from orchestration.warehouse import Workshop, reading

FOLDER = PROJECT / "dbt_project"

EXECUTABLE = str(Path(sys.executable).with_name("dbt"))

FINDINGS = "tag:findings"
"""Models that rest on the findings, and so are built after them."""

OWNER = "team:kho-du-lieu"

Event = dg.Output | dg.AssetCheckResult | dg.AssetObservation


class LocalDbt(DbtCliResource):
    """The dbt of this environment, without what Dagster starts beside it before each command.

    It would run ``dbt --version``, which asks a package index for newer ones, and load an adapter into this process
    for column metadata that nobody asks for.
    """

    @property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> None:
        return None


class Described(DagsterDbtTranslator):
    """Describes nodes; their keys are the default ones, schema and table."""

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> dg.AssetSpec:
        """Take the project's own words, without the SQL, and group by schema."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = manifest["nodes"].get(unique_id) or manifest["sources"][unique_id]
        group = "findings" if "findings" in node.get("tags", []) else spec.key.path[0]
        return spec.replace_attributes(description=node.get("description") or None, owners=[OWNER], group_name=group)


@cache
def manifest() -> Path:
    """The manifest of the dbt project as its files are now; parsed once for each state of them.

    The folder is made aside and renamed, so that several processes may load the definitions at once.
    """
    digest = hashlib.sha256()
    for path in (Path(__file__), Path(failures.__file__), *source_files("dbt_project")):
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    place = FOLDER / "target" / digest.hexdigest()[:16]
    if not (place / "manifest.json").exists():
        place.parent.mkdir(exist_ok=True)
        aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=".parsing-"))
        try:
            _parse(aside)
            _attach_tests(aside / "manifest.json")
            os.rename(aside, place)
        except OSError:
            if not (place / "manifest.json").exists():  # nobody was quicker either
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return place / "manifest.json"


def _parse(target: Path) -> None:
    nowhere = Folders(target / "nowhere")
    environment = {**os.environ, **dbt_environment(nowhere, nowhere.data / "warehouse.duckdb")}
    command = [EXECUTABLE, "parse", "--project-dir", FOLDER, "--profiles-dir", FOLDER]
    result = subprocess.run(
        [*command, "--target-path", target, "--log-path", target / "logs"],
        env=environment,
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"dbt cannot parse {FOLDER}:\n{result.stdout}{result.stderr}")
    shutil.rmtree(target / "logs", ignore_errors=True)


def _attach_tests(path: Path) -> None:
    """Say what each test asks for, and name a model for each over several, so that Dagster shows it as a check there.

    It is the first model the test speaks of, or the first that is built with the findings, after the others.
    """
    parsed = json.loads(path.read_text(encoding="utf-8"))
    for node in parsed["nodes"].values():
        if node["resource_type"] == "test":
            node["meta"] = {**node.get("meta", {}), "description": failures.description(node)}
        if node["resource_type"] != "test" or node.get("attached_node") or node["config"]["meta"].get("dagster"):
            continue
        parents = [parsed["nodes"][parent] for parent in node["depends_on"]["nodes"] if parent in parsed["nodes"]]
        late = [parent for parent in parents if "findings" in parent["tags"]]
        if parents:
            node["config"]["meta"]["dagster"] = {"ref": {"name": (late or parents)[0]["name"]}}
    path.write_text(json.dumps(parsed), encoding="utf-8")


def build(
    context: dg.AssetExecutionContext, dbt: DbtCliResource, workshop: Workshop, database: Path
) -> Iterator[Event]:
    """Make the models of this step in `database`, test them, and report each of them.

    By ``dbt build``, in a process of its own; or, where dbt has made a warehouse by this very code before, by the
    statements that it ran then. Nothing is taken from the former warehouse.
    """
    export(dbt_environment(workshop.folders, database))
    workshop.ahead.settle()
    if not context.is_subset:
        ahead.warm()
    step = _Step(context, workshop, database)
    yield from step.by_statements()
    if not step.is_made:
        yield from step.by_dbt(dbt)
    if why := step.why_not():
        raise dg.Failure(why, allow_retries=False)


STATEMENTS = "statements.duckdb"

LAST = "findings_marts"
"""The step after which every statement is known."""

ROWS_SHOWN = 20
"""Of the rows that a test finds fault with, how many are named."""


def _target(folders: Folders, run_id: str) -> Path:
    """One folder for both commands of a run: the second finds the project parsed. Only the last run's is kept."""
    target = folders.dagster / "dbt" / run_id[:8]
    for former in target.parent.glob("*"):
        if former != target:
            shutil.rmtree(former, ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    return target


def _statements_of(workshop: Workshop) -> Path:
    """Where the statements lie that dbt ran when it last built by this code."""
    name = statements.key(workshop.manifest.inputs, manifest().parent.name)
    return workshop.folders.dagster / "statements" / f"{name}.duckdb"


@cache
def _nodes() -> dict[str, Any]:
    return json.loads(manifest().read_text(encoding="utf-8"))


class _Step:
    """The models and tests of one step, made in one of two ways and told to Dagster once."""

    def __init__(self, context: dg.AssetExecutionContext, workshop: Workshop, database: Path) -> None:
        self._context, self._workshop, self._database = context, workshop, database
        self._places = Places(database, workshop.folders.store, workshop.folders.findings)
        self._kept = None if context.is_subset else Statements.read(_statements_of(workshop))
        self._told: dict[object, Event] = {}
        self._target: Path | None = None
        self.is_made = False

    def by_statements(self) -> Iterator[Event]:
        """Run what dbt ran before; leaves the step unmade where that does not cover it, or DuckDB refuses a part."""
        keys = _covered(self._context, self._kept) if self._kept else None
        if keys is None:
            return
        is_new = not self._database.exists()

        def look(ran: Ran, connection: duckdb.DuckDBPyConnection) -> Event:
            return self._seen(_event(ran, keys[ran.node.unique_id], self._context), connection)

        try:
            # What Dagster does with an event takes as long as DuckDB with a node: it is given each at once.
            for event in self._kept.run(self._places, lambda node: node.unique_id in keys, self._on_made, look):
                self._told[_identity(event)] = event
                yield event
        except duckdb.Error as error:
            # Not the message: it may quote a row.
            told = f"Câu lệnh dbt đã lưu không chạy được ({type(error).__name__}); dựng lại bằng dbt."
            self._context.log.warning(told)
            if is_new:
                self._database.unlink(missing_ok=True)
            return
        self.is_made = True

    def by_dbt(self, dbt: DbtCliResource) -> Iterator[Event]:
        """Run dbt and keep what it runs; nothing is told again that was told of former statements."""
        context, folders = self._context, self._workshop.folders
        self._workshop.ahead.settle()
        self._target = _target(folders, context.run.run_id)
        # The unit tests try the SQL on inputs of their own: they are for whoever changes it, not for every run.
        command = ["build", "--exclude-resource-type", "unit_test"]
        invocation = dbt.cli(command, context=context, target_path=self._target, raise_on_error=False)
        events = list(invocation.stream())
        self.is_made = invocation.is_successful()
        noted = self._database.parent / STATEMENTS
        is_whole = self.is_made and not context.is_subset and statements.note(noted, self._target, self._places)
        if is_whole and context.assets_def.op.name == LAST:
            statements.keep(noted, _statements_of(self._workshop))
        if self.is_made:
            self._on_made()
        if self._database.exists():
            with reading(self._database) as connection, ThreadPoolExecutor(nodes_at_a_time(folders.store)) as pool:
                events = list(pool.map(lambda event: self._seen(event, connection.cursor()), events))
        yield from (event for event in events if _identity(event) not in self._told)
        self._told |= {_identity(event): event for event in events}

    def why_not(self) -> str | None:
        """What is wrong, for whoever has to mend it; None where everything was made and no test failed."""
        failed = [event for event in self._told.values() if _failed(event)]
        if self.is_made and not failed:
            return None
        if self._database.exists():
            counts = {_text(one.metadata["unique_id"]): _count(one) for one in failed}
            about = {"nodes": _nodes()["nodes"], "compiled": self._compiled, "data": self._workshop.folders.data}
            with reading(self._database) as connection:
                if why := failures.why(counts, **about, connection=connection, target=self._target):
                    return why
        if self._target:
            return f"dbt không dựng được kho; nhật ký nằm trong {self._target}."
        return "Kiểm tra của dbt không đạt, xem ở từng bảng."

    def _on_made(self) -> None:
        if not self._context.is_subset:
            names = {key.path[-1] for key in self._context.selected_asset_keys}
            self._workshop.ahead.begin(self._database, names)

    @cached_property
    def _compiled(self) -> dict[str, str]:
        """The rows that each test finds fault with, as SQL."""
        if self._kept:
            at = self._places
            return {node.unique_id: self._kept.at(at, node.compiled) for node in self._kept.nodes if node.is_test}
        parsed = self._target / "manifest.json"
        nodes = json.loads(parsed.read_text(encoding="utf-8"))["nodes"] if parsed.exists() else {}
        return {
            unique_id: node["compiled_code"]
            for unique_id, node in nodes.items()
            if node["resource_type"] == "test" and node.get("compiled_code")
        }

    def _seen(self, event: Event, connection: duckdb.DuckDBPyConnection) -> Event:
        """The event with what the file says: rows by period, or the keys of rows that fail."""
        if isinstance(event, dg.Output):
            schema, name = self._context.asset_key_for_output(event.output_name).path
            rows = connection.execute(f'select count(*) from "{schema}"."{name}"').fetchone()[0]
            preview = counts_by_period(connection, f'"{schema}"."{name}"')
            more = {"dagster/row_count": rows} | ({"Theo năm và đơn vị": preview} if preview else {})
            return event.with_metadata({**event.metadata, **more})
        if isinstance(event, dg.AssetCheckResult) and not event.passed:
            unique_id = _text(event.metadata["unique_id"])
            if sql := self._compiled.get(unique_id):
                nodes = _nodes()["nodes"]
                keys = failures.primary_key(nodes.get(nodes[unique_id].get("attached_node") or "", {}))
                columns, rows = failing_rows(connection, sql, keys, ROWS_SHOWN)
                named = [(name, "string") for name in columns]
                shown = table_metadata(named, [[str(one) for one in row] for row in rows])
                return event._replace(metadata={**event.metadata, "Dòng không đạt": shown})
        return event


def _covered(context: dg.AssetExecutionContext, kept: Statements) -> dict[str, dg.AssetKey | dg.AssetCheckKey] | None:
    """What Dagster calls the nodes of the step, by their names for dbt; None where what was kept does not cover it."""
    translator = Described()
    keys: dict[str, dg.AssetKey | dg.AssetCheckKey] = {}
    for node in kept.nodes:
        if node.is_test:
            key = get_asset_check_key_for_test(_nodes(), translator, node.unique_id, None)
        else:
            key = translator.get_asset_key(_nodes()["nodes"][node.unique_id])
        if key in context.selected_asset_keys or key in context.selected_asset_check_keys:
            keys[node.unique_id] = key
    return keys if {*keys.values()} == context.selected_asset_keys | context.selected_asset_check_keys else None


def _event(ran: Ran, key: dg.AssetKey | dg.AssetCheckKey, context: dg.AssetExecutionContext) -> Event:
    about = {"unique_id": ran.node.unique_id, "Execution Duration": round(ran.seconds, 3)}
    if not ran.node.is_test:
        return dg.Output(None, context.assets_def.get_output_name_for_asset_key(key), metadata=about)
    return dg.AssetCheckResult(
        passed=ran.status == "pass",
        asset_key=key.asset_key,
        check_name=key.name,
        severity=dg.AssetCheckSeverity.WARN if ran.status == "warn" else dg.AssetCheckSeverity.ERROR,
        metadata={**about, "status": ran.status, "dagster_dbt/failed_row_count": ran.failures},
    )


def _identity(event: Event) -> object:
    """The same for what is told twice of one node."""
    if isinstance(event, dg.Output):
        return event.output_name
    return type(event), event.asset_key, getattr(event, "check_name", None)


def _failed(event: Event) -> bool:
    is_check = isinstance(event, dg.AssetCheckResult)
    return is_check and not event.passed and event.severity == dg.AssetCheckSeverity.ERROR


def _text(value: object) -> str:
    return getattr(value, "value", value)


def _count(failed: dg.AssetCheckResult) -> int:
    """Rows that a test finds fault with."""
    return int(_text(failed.metadata.get("dagster_dbt/failed_row_count", 1)))
