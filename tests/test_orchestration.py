"""The definitions, and what the whole job leaves behind in Dagster."""

import json
import os
import re
import sqlite3
import subprocess
import threading
import time
import zipfile
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

import dagster as dg
import pandas as pd
import pytest
import yaml

from orchestration import lock, sendings
from orchestration.definitions import defs
from orchestration.instance import SETTINGS, fail_lost_runs, open_instance
from orchestration.settings import Folders, set_environment
from orchestration.warehouse import base_tables, published_build, reading
from submissions.store import Store
from tests.provinces import CANARY, UNIT


@pytest.fixture(scope="session")
def definitions() -> dg.Definitions:
    return defs()


@pytest.fixture(scope="session")
def graph(definitions):
    return definitions.resolve_asset_graph()


@pytest.fixture
def instance(whole):
    with open_instance(whole) as instance:
        yield instance


def test_the_definitions_are_valid(definitions):
    dg.Definitions.validate_loadable(definitions)


def test_every_asset_is_described_in_vietnamese_and_owned(graph):
    vietnamese = re.compile("[ăâđêôơưáàảãạéèẻẽẹíìỉĩịóòỏõọúùủũụýỳỷỹỵ]")
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert vietnamese.search(node.description.lower()), f"{key}: {node.description}"
        assert node.owners, key
        assert node.kinds, key


def test_a_click_on_materialize_all_needs_no_partition(graph):
    for key in graph.executable_asset_keys:
        assert not graph.get(key).is_partitioned, key
    assert graph.get(sendings.KEY).is_partitioned
    assert sendings.KEY not in graph.executable_asset_keys


def test_nothing_is_upstream_of_nothing_from_inbox_to_pack(graph):
    packs = [key for key in graph.get_all_asset_keys() if key.path[0] == "packs"]
    assert packs
    for pack in packs:
        upstream = graph.get_ancestor_asset_keys(pack)
        assert sendings.KEY in upstream
        assert dg.AssetKey(["store", "members"]) in upstream
        assert dg.AssetKey(["findings", "findings"]) in upstream
        assert dg.AssetKey(["findings", "review_list"]) in upstream
        assert dg.AssetKey(["published"]) in upstream


def test_every_mart_that_readers_rely_on_has_a_blocking_suite(graph):
    from expectations.suites import SUITES
    from expectations.tables import TABLES
    from orchestration.checks import key

    assert set(TABLES) == set(SUITES)
    for table in TABLES:
        assert graph.get(key(table)).blocking


def test_the_pack_is_asked_for_in_vietnam_time_for_the_year_just_ended(definitions):
    from orchestration.defs.packs import publication_schedules
    from reports.packs import PACKS

    for schedule, pack in zip(publication_schedules, PACKS.values(), strict=True):
        assert schedule.execution_timezone == "Asia/Ho_Chi_Minh"
        due = datetime.fromisoformat(f"2026-{pack.due_month:02}-{pack.due_day:02}T07:00:00+07:00")
        assert schedule.cron_schedule == f"0 7 {pack.due_day} {pack.due_month} *"
        with dg.build_schedule_context(scheduled_execution_time=due) as context:
            (request,) = schedule.evaluate_tick(context).run_requests
        (config,) = request.run_config["ops"].values()
        assert config == {"config": {"year": 2025}}


def test_the_sensor_starts_the_whole_job_for_new_files_and_says_why_it_does_not(tmp_path, definitions):
    from orchestration.defs.automation import inbox_sensor

    folders = Folders(tmp_path)
    set_environment(folders)
    folders.inbox.mkdir()
    workbook = folders.inbox / "a.xlsx"
    workbook.write_bytes(b"content")
    os.utime(workbook, (1_700_000_000, 1_700_000_000))
    with open_instance(folders) as instance:
        first = inbox_sensor.evaluate_tick(
            dg.build_sensor_context(instance=instance, definitions=definitions, sensor_name="inbox_sensor")
        )
        second = inbox_sensor.evaluate_tick(
            dg.build_sensor_context(
                instance=instance, definitions=definitions, sensor_name="inbox_sensor", cursor=first.cursor
            )
        )

    assert not first.run_requests
    assert "chưa đủ lâu" in first.skip_message
    assert len(second.run_requests) == 1
    assert inbox_sensor.job_name == "whole"


def test_the_instance_is_quiet_watches_its_runs_and_takes_one_at_a_time(whole, instance):
    written = yaml.safe_load((whole.dagster / "dagster.yaml").read_text(encoding="utf-8"))

    assert written == SETTINGS
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds > 0
    assert instance.run_retries_enabled
    assert not instance.telemetry_enabled
    assert not instance.nux_enabled
    assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 1
    assert whole.dagster.stat().st_mode & 0o777 == 0o700


def started_run(instance: dg.DagsterInstance) -> str:
    """A run that the books say has just started, and whose process is gone; its id."""
    run_id = instance.create_run_for_job(_nothing).run_id
    instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, "nothing"), run_id)
    return run_id


@dg.job(name="nothing")
def _nothing() -> None:
    """Do nothing."""


def test_a_run_that_was_killed_is_failed_so_that_the_queue_goes_on(tmp_path):
    folders = Folders(tmp_path)
    with open_instance(folders) as instance:
        lost = started_run(instance)

        assert fail_lost_runs(instance, folders) == []
        assert instance.get_run_by_id(lost).status == dg.DagsterRunStatus.STARTED
        assert fail_lost_runs(instance, folders, at=time.time() + 3600) == [lost]
        assert instance.get_run_by_id(lost).status == dg.DagsterRunStatus.FAILURE


def test_a_run_that_ends_between_two_looks_is_not_taken_for_lost(tmp_path):
    folders = Folders(tmp_path)
    with open_instance(folders) as instance:
        ending = started_run(instance)
        success = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_SUCCESS.value, "nothing")
        threading.Timer(0.5, instance.report_dagster_event, [success, ending]).start()

        assert fail_lost_runs(instance, folders, at=time.time() + 3600) == []
        assert instance.get_run_by_id(ending).status == dg.DagsterRunStatus.SUCCESS


def test_a_run_that_holds_the_build_lock_is_left_alone_however_long_it_takes(tmp_path):
    folders = Folders(tmp_path)
    with open_instance(folders) as instance:
        slow = started_run(instance)
        with lock.hold(folders.lock, "dựng kho", run_id=slow):
            assert fail_lost_runs(instance, folders, at=time.time() + 3600) == []


def test_the_sendings_are_partitioned_by_year_and_unit(instance):
    found = {tuple(key.split("|")) for key in instance.get_materialized_partitions(sendings.KEY)}

    assert set(instance.get_dynamic_partitions("units")) == {UNIT, sendings.REGISTER}
    assert set(instance.get_dynamic_partitions("years")) == {"2022", "2023", "2024", "2025"}
    years = ("2022", "2023", "2024", "2025")
    assert found == {(unit, year) for unit in (UNIT, sendings.REGISTER) for year in years}


def test_a_sending_is_reported_when_it_comes_into_force_and_not_again(whole, instance):
    def count():
        return len(instance.fetch_materializations(sendings.KEY, limit=1000).records)

    logged = []
    before = count()
    assert sendings.report(instance, Store(whole.store), log=logged.append) == 0
    assert (logged, before) == ([], 8)


def test_every_asset_shows_its_rows(whole, instance, graph):
    for key in graph.executable_asset_keys:
        materialization = instance.get_latest_materialization_event(key)
        assert materialization, key
        if key.path[0] in {"store", "staging", "seeds", "marts", "findings"}:
            assert "dagster/row_count" in materialization.asset_materialization.metadata, key


def test_row_counts_are_those_of_the_published_warehouse(whole, instance):
    with reading(whole.published) as connection:
        for schema, name in base_tables(connection):
            (rows,) = connection.execute(f'select count(*) from "{schema}"."{name}"').fetchone()
            event = instance.get_latest_materialization_event(dg.AssetKey([schema, name]))
            assert event.asset_materialization.metadata["dagster/row_count"].value == rows, name


def test_every_check_ran_and_what_is_not_passed_is_shown_so(instance, graph):
    (run,) = [run for run in instance.get_runs() if run.job_name == "whole"]
    evaluations = [
        entry.get_dagster_event().asset_check_evaluation_data
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    ]

    assert {evaluation.asset_check_key for evaluation in evaluations} == set(graph.asset_check_keys)
    for evaluation in evaluations:
        shown = evaluation.metadata.get("Kết quả")
        if shown and shown.value != "Đạt":
            assert not evaluation.passed


def test_a_refused_file_is_a_warning_and_the_others_go_on(whole, instance):
    key = dg.AssetCheckKey(dg.AssetKey(["store", "submissions"]), "moi_tep_doc_duoc")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)

    assert not record.event.dagster_event.asset_check_evaluation_data.passed
    states = Store(whole.store).read_submissions()["state"].value_counts()
    assert states.to_dict() == {"accepted": 8, "refused": 1}


def test_the_warehouse_holds_tables_of_marts_and_seeds_only(whole):
    with reading(whole.published) as connection:
        assert {schema for schema, _ in base_tables(connection)} == {"marts", "seeds"}


def test_the_pack_names_the_published_build(whole):
    (pack,) = whole.packs.rglob("*.pdf")

    assert published_build(whole) in pack.name
    assert pack.parent.name == "2025"


NAME = re.compile(r"(?:[A-ZĐÀ-Ỹ][a-zđà-ỹ]+ ){2,}[A-ZĐÀ-Ỹ][a-zđà-ỹ]+")

CARD = re.compile(r"(?=(67\d{10}))")

ESCAPED = re.compile(r"\\u([0-9a-f]{4})")
"""A letter as JSON writes it."""


def names_of_members(folders: Folders) -> set[str]:
    """Full names in the workbooks, as they are written there."""
    found = set()
    for workbook in folders.inbox.glob("*Biên*"):
        with zipfile.ZipFile(workbook) as parts:
            strings = [name for name in parts.namelist() if name.endswith(("sharedStrings.xml", "sheet4.xml"))]
            for name in strings:
                for text in ElementTree.fromstring(parts.read(name)).itertext():
                    if NAME.fullmatch(text.strip()):
                        found.add(text.strip())
    return found


def cards_of_members(folders: Folders) -> set[str]:
    """Card numbers in the workbooks."""
    found = set()
    for workbook in folders.inbox.glob("*Biên*"):
        with zipfile.ZipFile(workbook) as parts:
            for name in parts.namelist():
                if name.startswith("xl/") and name.endswith(".xml"):
                    found |= set(re.findall(r"(?<!\d)67\d{10}(?!\d)", parts.read(name).decode()))
    return found


def texts_of(path: Path) -> str:
    """Whatever can be read in a file of the product."""
    if path.suffix == ".duckdb":
        with reading(path) as connection:
            tables = base_tables(connection)
            return "\n".join(
                connection.execute(f'select * from "{schema}"."{name}"').df().astype("str").to_csv()
                for schema, name in tables
            )
    if path.suffix == ".parquet":
        return pd.read_parquet(path).astype("str").to_csv()
    if path.suffix == ".pdf":
        return subprocess.run(["pdftotext", path, "-"], capture_output=True, encoding="utf-8", check=True).stdout
    if path.suffix == ".db":
        with sqlite3.connect(path) as connection:
            return "\n".join(connection.iterdump())
    return path.read_bytes().decode("utf-8", errors="replace")


def told_in(text: str, secrets: set[str]) -> set[str]:
    """Names and card numbers of `secrets` in a text, wherever they stand in it and also as JSON writes them."""
    plain = ESCAPED.sub(lambda letter: chr(int(letter[1], 16)), text)
    told = set(CARD.findall(plain))
    for words in map(str.split, set(NAME.findall(plain))):
        ends = range(len(words) + 1)
        told |= {" ".join(words[first:last]) for first in ends for last in ends[first + 3 :]}
    return told & secrets


def test_the_search_for_names_and_card_numbers_finds_them_wherever_they_stand():
    secrets = {"Nguyễn Văn An", "670000000001"}

    assert told_in("Đồng chí Nguyễn Văn An, Thôn Một", secrets) == {"Nguyễn Văn An"}
    assert told_in("Bà Trần Nguyễn Văn An Bình", secrets) == {"Nguyễn Văn An"}
    assert told_in(json.dumps({"x": "Nguyễn Văn An"}), secrets) == {"Nguyễn Văn An"}
    assert told_in("m:9670000000001", secrets) == {"670000000001"}
    assert told_in("Nguyễn Văn Bình 67000000000", secrets) == set()


def test_no_name_and_no_card_number_leaves_the_originals_the_issues_and_what_goes_back_to_the_unit(whole):
    secrets = names_of_members(whole) | cards_of_members(whole) | {CANARY}
    assert len(secrets) > 1000
    allowed = (whole.inbox, whole.store / "originals", whole.store / "issues", whole.returned)
    allowed += (whole.outbox, whole.dead_letters, whole.spool)
    # Which file it was is kept beside the originals; a unit may write a name into it.
    with_file_names = (whole.store / "submissions", whole.store / "queries", whole.register)

    searched = {}
    for path in sorted(whole.data.rglob("*")):
        if not path.is_file() or path.is_relative_to(whole.inbox) or any(path.is_relative_to(a) for a in allowed):
            continue
        file = path.stat().st_ino  # the published warehouse and its build are one
        if file not in searched:
            searched[file] = told_in(texts_of(path), secrets)
        found = set(searched[file])
        if any(path.is_relative_to(place) or path.name.startswith(place.name) for place in with_file_names):
            found.discard(CANARY)
        assert not found, f"{path.relative_to(whole.data)} holds {len(found)} names or card numbers"
    assert len(searched) > 50
