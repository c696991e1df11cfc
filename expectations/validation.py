"""Running a suite on a frame. Every outcome is passed, failed or not checked; no value of the frame is in it."""

import os

import pandas as pd

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read while the package is imported

import great_expectations as gx
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.datasource.fluent.interfaces import Batch
from great_expectations.expectations.expectation import BatchExpectation, Expectation

from expectations.outcomes import Outcome, Severity, Status, ValidationResult

__all__ = ["Outcome", "Severity", "Status", "SuiteError", "ValidationResult", "validate"]

FILLED = ("ExpectColumnValuesToNotBeNull", "ExpectFilledWhen")
"""Expectations for which an empty column is something to judge."""


NUMBER = "number"
"""Under this an expectation's place in its suite goes along, because results come in an order of their own."""

COUNTED = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""How many rows do not meet an expectation, and none of their values."""


class SuiteError(ValueError):
    """A suite that was not written with care: each expectation needs a severity and a description."""


def validate(frame: pd.DataFrame, suite: gx.ExpectationSuite) -> ValidationResult:
    """Check a frame against a suite."""
    for expectation in suite.expectations:
        if expectation.severity not in ("critical", "warning") or not expectation.description:
            raise SuiteError(f"{suite.name}: {type(expectation).__name__} needs a severity and a description")
    reasons = [_why_not(expectation, frame) for expectation in suite.expectations]
    judged = _judge(frame, suite, [number for number, reason in enumerate(reasons) if reason is None])
    return ValidationResult(
        suite.name,
        tuple(
            _outcome(expectation, frame, reason, judged.get(number))
            for number, (expectation, reason) in enumerate(zip(suite.expectations, reasons, strict=True))
        ),
    )


def _judge(
    frame: pd.DataFrame, suite: gx.ExpectationSuite, chosen: list[int]
) -> dict[int, ExpectationValidationResult]:
    """What the chosen expectations say, by their number: all in one go, which reads each column once."""
    numbered = [suite.expectations[number].copy(update={"meta": {NUMBER: number}}) for number in chosen]
    if not numbered:
        return {}
    at_once = gx.ExpectationSuite(name=suite.name, expectations=numbered)
    results = _batch(frame, suite.name).validate(at_once, result_format=COUNTED).results
    return {result.expectation_config.meta[NUMBER]: result for result in results}


def _batch(frame: pd.DataFrame, name: str) -> Batch:
    """The frame as Great Expectations wants it, in a context that keeps nothing and reports nowhere."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas(name="frames").add_dataframe_asset(name=name)
    return asset.add_batch_definition_whole_dataframe("whole").get_batch(batch_parameters={"dataframe": frame})


def _why_not(expectation: Expectation, frame: pd.DataFrame) -> str | None:
    """Why an expectation is not asked of the frame, None where it is."""
    columns = _columns(expectation)
    if absent := [column for column in columns if column not in frame.columns]:
        return f"Không chạy được: bảng thiếu cột {', '.join(absent)}."
    return _nothing_to_check(expectation, columns, frame)


def _outcome(
    expectation: Expectation, frame: pd.DataFrame, reason: str | None, result: ExpectationValidationResult | None
) -> Outcome:
    """Outcome of one expectation."""
    columns = _columns(expectation)
    status: Status = "not_checked"
    could_run = set(columns) <= set(frame.columns)
    if reason is None:
        error = _error(result.exception_info) if result else "lỗi không rõ"
        if error:
            could_run, reason = False, f"Không chạy được: {error}."
        else:
            status = "passed" if result.success else "failed"
            reason = None if result.success else _how_many(result)
    return Outcome(
        expectation=type(expectation).__name__,
        columns=columns,
        description=expectation.description,
        severity=str(getattr(expectation.severity, "value", expectation.severity)),
        status=status,
        reason=reason,
        could_run=could_run,
    )


def _how_many(result: ExpectationValidationResult) -> str | None:
    """In how many rows of the table an expectation is not met, where it asks something of rows."""
    rows = result.result.get("unexpected_count")
    return None if rows is None else f"{rows:,} dòng.".replace(",", ".")


def _columns(expectation: Expectation) -> tuple[str, ...]:
    """Columns an expectation reads."""
    single = [getattr(expectation, name, None) for name in ("column", "column_A", "column_B")]
    return tuple(name for name in (*single, *(getattr(expectation, "column_list", None) or ())) if name)


def _nothing_to_check(expectation: Expectation, columns: tuple[str, ...], frame: pd.DataFrame) -> str | None:
    """Why there is nothing to check, where there is nothing: an expectation is not passed for want of rows."""
    if not columns or not isinstance(expectation, BatchExpectation):
        return None
    if frame.empty:
        return "Bảng không có dòng nào để kiểm tra."
    if type(expectation).__name__ not in FILLED and frame[list(columns)].isna().all(axis=None):
        return "Cột không có giá trị nào để kiểm tra."
    why = getattr(expectation, "why_not_checked", None)
    return why(frame) if why else None


def _error(exception_info: dict) -> str | None:
    """Kind of error that kept an expectation from running; never its message, which may quote a value."""
    if "raised_exception" in exception_info and not exception_info["raised_exception"]:
        return None
    traces = [exception_info, *(info for info in exception_info.values() if isinstance(info, dict))]
    lines = [str(trace.get("exception_traceback") or "").strip().splitlines() for trace in traces]
    last = next((line[-1] for line in lines if line), "")
    kind = last.split(":")[0].split(".")[-1].strip()
    return kind if kind.isidentifier() else "lỗi không rõ"
