"""The gate: what blocks it, and what it leaves untouched."""

import dagster as dg
import duckdb
import pandas as pd
import pytest

from orchestration import gate, lock, publications
from orchestration.checks import as_check
from orchestration.definitions import defs
from orchestration.defs.resources import WorkshopResource
from orchestration.instance import open_instance
from orchestration.problems import ProblemError
from orchestration.runs import run_job
from orchestration.settings import Folders, set_environment
from reports.packs import PACKS


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


def test_no_pack_is_made_of_a_published_warehouse_that_was_changed(own):
    before = state(own)[2]
    own.published.chmod(0o644)
    with duckdb.connect(str(own.published)) as connection:
        connection.execute("delete from marts.dim_date where date_day = (select max(date_day) from marts.dim_date)")
    (pack,) = PACKS

    with pytest.raises(ProblemError, match=r"Không làm tập biểu đồ: .*marts\.dim_date"):
        publications.write(pack, 2024, own, "Đắk Mẫu")
    assert state(own)[2] == before


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

    assert result.metadata["Bảng"].value == dg.AssetKey(["marts", "coverage"])
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
