"""The gate: what blocks it, what it leaves untouched, and that a killed run loses nothing."""

import os
import signal
import subprocess
import sys

import dagster as dg
import pandas as pd
import pytest

from orchestration import gate, lock
from orchestration.checks import as_check
from orchestration.definitions import defs
from orchestration.defs.resources import WorkshopResource
from orchestration.instance import open_instance
from orchestration.runs import run_job
from orchestration.settings import PROJECT, Folders, set_environment
from orchestration.warehouse import logical_hash, published_build
from tests.provinces import lay_out


def state(folders: Folders) -> tuple:
    """What readers would notice."""
    packs = {path: path.stat().st_mtime_ns for path in folders.packs.rglob("*.pdf")}
    return folders.published.stat().st_ino, folders.published.stat().st_mtime_ns, packs


def lose_a_row(folders: Folders) -> None:
    """Make the store say that one more row was read than was loaded or held back."""
    path = next(path for path in sorted((folders.store / "counts").glob("*.parquet")) if path.stem != "_schema")
    counts = pd.read_parquet(path)
    counts.loc[0, "rows_in"] += 1
    counts.to_parquet(path, index=False)


def test_a_failed_blocking_check_leaves_the_published_warehouse_and_the_packs_untouched(own):
    before = state(own)
    lose_a_row(own)

    outcome = run_job("whole", own)

    assert not outcome.succeeded
    assert state(own) == before
    with open_instance(own) as instance:
        events = {
            entry.dagster_event.asset_key
            for entry in instance.all_logs(outcome.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        }
    assert dg.AssetKey(["published"]) not in events
    assert not [key for key in events if key.path[0] in {"marts", "findings", "packs"}]


def test_choosing_the_gate_alone_does_not_get_around_the_checks(own):
    set_environment(own)
    before = state(own)
    job = defs().resolve_implicit_global_asset_job_def()
    with open_instance(own) as instance:
        result = job.execute_in_process(
            instance=instance, asset_selection=[dg.AssetKey(["published"])], raise_on_error=False
        )
        message = result.failure_data_for_node("published").error.message

    assert not result.success
    assert "không dựng kho từ đầu" in message
    assert state(own) == before


def test_a_second_run_while_another_builds_is_refused_with_the_holder_named(own):
    set_environment(own)
    before = state(own)
    with (
        lock.hold(own.lock, "người khác đang dựng"),
        open_instance(own) as instance,
        pytest.raises(dg.DagsterResourceFunctionError) as refusal,
    ):
        defs().resolve_job_def("build").execute_in_process(
            instance=instance, resources={"workshop": WorkshopResource(wait_seconds=0)}
        )

    assert isinstance(refusal.value.__cause__, lock.LockBusyError)
    assert "người khác đang dựng" in str(refusal.value.__cause__)
    assert state(own) == before


KEY = dg.AssetCheckKey(dg.AssetKey(["marts", "coverage"]), "expectations")


def run_with(instance: dg.DagsterInstance, *, passed: bool, severity: dg.AssetCheckSeverity) -> str:
    """Record a run in which one check came out so."""

    @dg.asset(key=KEY.asset_key, check_specs=[dg.AssetCheckSpec(KEY.name, asset=KEY.asset_key)])
    def coverage():
        return dg.MaterializeResult(
            check_results=[dg.AssetCheckResult(check_name=KEY.name, passed=passed, severity=severity)]
        )

    return dg.materialize([coverage], instance=instance).run_id


@pytest.mark.parametrize(
    ("passed", "severity", "may_publish"),
    [
        (True, dg.AssetCheckSeverity.ERROR, True),
        (False, dg.AssetCheckSeverity.WARN, True),
        (False, dg.AssetCheckSeverity.ERROR, False),
    ],
)
def test_a_recorded_error_blocks_and_a_warning_does_not(passed, severity, may_publish):
    with dg.DagsterInstance.ephemeral() as instance:
        standing = gate.standing(instance, run_with(instance, passed=passed, severity=severity), [KEY])

    assert standing.may_publish is may_publish


def test_a_check_that_has_no_result_in_this_run_blocks_even_if_it_once_passed():
    other = dg.AssetCheckKey(dg.AssetKey(["marts", "dim_unit"]), "unique")
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = run_with(instance, passed=True, severity=dg.AssetCheckSeverity.ERROR)
        assert not gate.standing(instance, run_id, [KEY, other]).may_publish
        assert not gate.standing(instance, "another-run", [KEY]).may_publish


def suite_result(severity: str, status: str, *, could_run: bool = True):
    from expectations.validation import Outcome, ValidationResult

    outcome = Outcome("Expect", ("column",), "Cột phải có.", severity, status, None, could_run)
    return as_check(ValidationResult("coverage", (outcome,)))


@pytest.mark.parametrize(
    ("severity", "status", "could_run", "passed", "blocks"),
    [
        ("critical", "passed", True, True, False),
        ("critical", "failed", True, False, True),
        ("warning", "failed", True, False, False),
        ("critical", "not_checked", True, False, False),
        ("critical", "not_checked", False, False, True),
        ("warning", "not_checked", False, False, False),
    ],
)
def test_a_suite_has_three_outcomes_and_what_was_not_checked_has_not_passed(
    severity, status, could_run, passed, blocks
):
    result = suite_result(severity, status, could_run=could_run)

    assert result.passed is passed
    assert (result.severity == dg.AssetCheckSeverity.ERROR) is blocks
    assert (
        result.metadata["Kết quả"].value
        == {
            "passed": "Đạt",
            "failed": "Không đạt",
            "not_checked": "Không kiểm tra được",
        }[status]
    )


KILLED_AFTER = ["Tiếp nhận báo cáo vào kho gốc", "Kiểm tra: Cơ cấu xếp loại", "Đưa phát hiện vào kho"]
"""A kill right after these hits dbt at work, the checks, and the moment before publication."""


def build_and_kill(folders: Folders, after: str) -> None:
    """Start a build as a user does and kill it without warning, together with nothing else, once a step has ended."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "orchestration.command", "--data", folders.data, "build"],
        stdout=subprocess.PIPE,
        encoding="utf-8",
        cwd=PROJECT,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    for line in process.stdout:
        if after in line:
            os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


@pytest.mark.timeout(900)
def test_builds_killed_at_every_stage_leave_the_same_warehouse_once_one_is_let_through(whole, tmp_path):
    folders = lay_out(Folders(tmp_path / "killed"))
    (folders.data / "secrets").mkdir()
    key = (whole.data / "secrets" / "member_key").read_bytes()
    (folders.data / "secrets" / "member_key").write_bytes(key)
    (folders.data / "secrets" / "member_key").chmod(0o600)

    for step in KILLED_AFTER:
        build_and_kill(folders, step)
        assert not folders.published.exists()
    read_at = {path: path.stat().st_mtime_ns for path in (folders.store / "forms").rglob("*.parquet")}
    outcome = run_job("build", folders)

    assert outcome.succeeded, outcome.errors
    assert logical_hash(folders.published) == logical_hash(whole.published)
    assert published_build(folders) == published_build(whole)
    assert {path: path.stat().st_mtime_ns for path in (folders.store / "forms").rglob("*.parquet")} == read_at
    assert not list(folders.builds.glob("*.building"))
    assert lock.holder(folders.lock) is None
