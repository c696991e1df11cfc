"""The dbt project as Dagster sees it: its manifest, how its nodes are described, how it is run."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject
from packaging.version import Version

from orchestration.manifests import source_files
from orchestration.previews import counts_by_period
from orchestration.settings import PROJECT, Folders, dbt_environment, export
from orchestration.warehouse import reading

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
    for path in (Path(__file__), *source_files("dbt_project")):
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
    """Name a model for each test over several of them, so that Dagster shows it as a check there.

    It is the first model the test speaks of, or the first that is built with the findings, after the others.
    """
    parsed = json.loads(path.read_text(encoding="utf-8"))
    for node in parsed["nodes"].values():
        if node["resource_type"] != "test" or node.get("attached_node") or node["config"]["meta"].get("dagster"):
            continue
        parents = [parsed["nodes"][parent] for parent in node["depends_on"]["nodes"] if parent in parsed["nodes"]]
        late = [parent for parent in parents if "findings" in parent["tags"]]
        if parents:
            node["config"]["meta"]["dagster"] = {"ref": {"name": (late or parents)[0]["name"]}}
    path.write_text(json.dumps(parsed), encoding="utf-8")


def build(context: dg.AssetExecutionContext, dbt: DbtCliResource, folders: Folders, database: Path) -> Iterator[Event]:
    """Run ``dbt build`` on `database` in a process of its own and pass on what it reports.

    Rows are counted when dbt has closed the file, because a file has one writer.
    """
    export(dbt_environment(folders, database))
    # One folder for both commands of a run: the second finds the project parsed. Only the last run's is kept.
    target = folders.dagster / "dbt" / context.run.run_id[:8]
    for former in target.parent.glob("*"):
        if former != target:
            shutil.rmtree(former, ignore_errors=True)
    target.mkdir(parents=True, exist_ok=True)
    # The unit tests try the SQL on inputs of their own: they are for whoever changes it, not for every run.
    command = ["build", "--exclude-resource-type", "unit_test"]
    invocation = dbt.cli(command, context=context, target_path=target, raise_on_error=False)
    events = list(invocation.stream())
    failed = not invocation.is_successful()
    if database.exists():
        with reading(database) as connection:
            events = [_counted(event, context, connection) for event in events]
    yield from events
    if failed:
        raise dg.Failure(f"dbt không dựng được kho; nhật ký nằm trong {target}.", allow_retries=False)


def _counted(event: Event, context: dg.AssetExecutionContext, connection: duckdb.DuckDBPyConnection) -> Event:
    if not isinstance(event, dg.Output):
        return event
    schema, name = context.asset_key_for_output(event.output_name).path
    rows = connection.execute(f'select count(*) from "{schema}"."{name}"').fetchone()[0]
    preview = counts_by_period(connection, f'"{schema}"."{name}"')
    more = {"dagster/row_count": rows} | ({"Theo năm và đơn vị": preview} if preview else {})
    return event.with_metadata({**event.metadata, **more})
