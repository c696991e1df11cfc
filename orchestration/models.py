"""The dbt project as Dagster sees it: its manifest, how its nodes are described, how it is run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
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
from orchestration.statements import Places, Statements, failing_rows
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
    places = Places(database, workshop.folders.store, workshop.folders.findings)
    place = _statements_of(workshop)
    kept = None if context.is_subset else Statements.read(place)
    target = None

    def on_made() -> None:
        if not context.is_subset:
            names = {key.path[-1] for key in context.selected_asset_keys}
            workshop.ahead.begin(database, names)

    if kept and (events := _again(context, kept, places, on_made)) is not None:
        failed, told = any(_failed(event) for event in events), "Kiểm tra của dbt không đạt, xem ở từng bảng."
    else:
        workshop.ahead.settle()
        target = _target(workshop.folders, context.run.run_id)
        # The unit tests try the SQL on inputs of their own: they are for whoever changes it, not for every run.
        command = ["build", "--exclude-resource-type", "unit_test"]
        invocation = dbt.cli(command, context=context, target_path=target, raise_on_error=False)
        events = list(invocation.stream())
        failed = not invocation.is_successful()
        told = f"dbt không dựng được kho; nhật ký nằm trong {target}."
        noted = database.parent / STATEMENTS
        is_whole = not failed and not context.is_subset and statements.note(noted, target, places)
        if is_whole and context.assets_def.op.name == LAST:
            statements.keep(noted, place)
        if not failed:
            on_made()
    if database.exists():
        with reading(database) as connection:
            compiled = partial(_compiled_tests, kept, places, workshop.folders, context.run.run_id)
            with ThreadPoolExecutor(nodes_at_a_time(workshop.folders.store)) as pool:
                told_of = partial(_told, context=context, connection=connection, compiled=compiled)
                events = list(pool.map(told_of, events))
            if failed:
                counts = {_text(one.metadata["unique_id"]): _count(one) for one in events if _failed(one)}
                told = (
                    failures.why(
                        counts,
                        nodes=_nodes()["nodes"],
                        compiled=compiled(),
                        connection=connection,
                        data=workshop.folders.data,
                        target=target,
                    )
                    or told
                )
    yield from events
    if failed:
        raise dg.Failure(told, allow_retries=False)


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


def _again(
    context: dg.AssetExecutionContext, kept: Statements, places: Places, on_made: Callable[[], None]
) -> list[Event] | None:
    """Run the step's part of what was kept; None where it does not cover the step, or DuckDB refuses a statement."""
    translator = Described()
    assets = {
        unique_id: translator.get_asset_key(node)
        for unique_id, node in _nodes()["nodes"].items()
        if node["resource_type"] in {"seed", "model"}
    }
    checks = {
        node.unique_id: get_asset_check_key_for_test(_nodes(), translator, node.unique_id, None)
        for node in kept.nodes
        if node.is_test
    }
    mine = {node.unique_id for node in kept.nodes if assets.get(node.unique_id) in context.selected_asset_keys}
    mine |= {name for name, key in checks.items() if key in context.selected_asset_check_keys}
    if {assets[name] for name in mine if name in assets} != context.selected_asset_keys or (
        {checks[name] for name in mine if name in checks} != context.selected_asset_check_keys
    ):
        return None
    existed = places.database.exists()
    try:
        ran = kept.run(places, lambda node: node.unique_id in mine, on_made)
    except duckdb.Error as error:
        # Not the message: it may quote a row.
        context.log.warning(f"Câu lệnh dbt đã lưu không chạy được ({type(error).__name__}); dựng lại bằng dbt.")
        if not existed:
            places.database.unlink(missing_ok=True)
        return None
    events: list[Event] = []
    for one in ran:
        about = {"unique_id": one.node.unique_id, "Execution Duration": round(one.seconds, 3)}
        if one.node.is_test:
            key = checks[one.node.unique_id]
            events.append(
                dg.AssetCheckResult(
                    passed=one.status == "pass",
                    asset_key=key.asset_key,
                    check_name=key.name,
                    severity=dg.AssetCheckSeverity.WARN if one.status == "warn" else dg.AssetCheckSeverity.ERROR,
                    metadata={**about, "status": one.status, "dagster_dbt/failed_row_count": one.failures},
                )
            )
        else:
            key = assets[one.node.unique_id]
            events.append(dg.Output(None, context.assets_def.get_output_name_for_asset_key(key), metadata=about))
    return events


def _failed(event: Event) -> bool:
    is_check = isinstance(event, dg.AssetCheckResult)
    return is_check and not event.passed and event.severity == dg.AssetCheckSeverity.ERROR


def _compiled_tests(kept: Statements | None, places: Places, folders: Folders, run_id: str) -> dict[str, str]:
    """The rows that each test finds fault with, as SQL."""
    if kept:
        return {node.unique_id: kept.at(places, node.compiled) for node in kept.nodes if node.is_test}
    parsed = _target(folders, run_id) / "manifest.json"
    nodes = json.loads(parsed.read_text(encoding="utf-8"))["nodes"] if parsed.exists() else {}
    return {
        unique_id: node["compiled_code"]
        for unique_id, node in nodes.items()
        if node["resource_type"] == "test" and node.get("compiled_code")
    }


def _told(
    event: Event,
    context: dg.AssetExecutionContext,
    connection: duckdb.DuckDBPyConnection,
    compiled: Callable[[], Mapping[str, str]],
) -> Event:
    """The event with what the finished file says: rows by period, or the keys of rows that fail."""
    if isinstance(event, dg.Output):
        schema, name = context.asset_key_for_output(event.output_name).path
        with connection.cursor() as own:
            rows = own.execute(f'select count(*) from "{schema}"."{name}"').fetchone()[0]
            preview = counts_by_period(own, f'"{schema}"."{name}"')
        more = {"dagster/row_count": rows} | ({"Theo năm và đơn vị": preview} if preview else {})
        return event.with_metadata({**event.metadata, **more})
    if isinstance(event, dg.AssetCheckResult) and not event.passed:
        unique_id = _text(event.metadata["unique_id"])
        if sql := compiled().get(unique_id):
            nodes = _nodes()["nodes"]
            keys = failures.primary_key(nodes.get(nodes[unique_id].get("attached_node") or "", {}))
            with connection.cursor() as own:
                columns, rows = failing_rows(own, sql, keys, ROWS_SHOWN)
            shown = table_metadata([(name, "string") for name in columns], [[str(one) for one in row] for row in rows])
            return event._replace(metadata={**event.metadata, "Dòng không đạt": shown})
    return event


def _text(value: object) -> str:
    return getattr(value, "value", value)


def _count(failed: dg.AssetCheckResult) -> int:
    """Rows that a test finds fault with."""
    return int(_text(failed.metadata.get("dagster_dbt/failed_row_count", 1)))
