"""A suite of expectations as an asset check: three outcomes, and never "passed" for what was not checked."""

from collections import Counter
from typing import TYPE_CHECKING

import dagster as dg

from expectations.tables import TABLES
from orchestration.previews import table_metadata
from orchestration.warehouse import Workshop

if TYPE_CHECKING:
    from expectations.validation import ValidationResult

NAME = "expectations"

STATUSES = {"passed": "Đạt", "failed": "Không đạt", "not_checked": "Không kiểm tra được"}

SEVERITIES = {"critical": "Bắt buộc", "warning": "Cảnh báo"}


def key(table: str) -> dg.AssetCheckKey:
    """The check of a mart by its suite."""
    return dg.AssetCheckKey(dg.AssetKey(["marts", table]), NAME)


def suite_check(table: str) -> dg.AssetChecksDefinition:
    """Check a mart by the suite that bears its name."""

    @dg.asset_check(
        name=NAME,
        asset=["marts", table],
        blocking=True,
        description=f"{TABLES[table]}: bộ kỳ vọng mà người đọc dựa vào. Kỳ vọng bắt buộc không đạt thì không công bố.",
    )
    def check(context: dg.AssetCheckExecutionContext, workshop: dg.ResourceParam[Workshop]) -> dg.AssetCheckResult:
        from expectations.suites import suite  # Great Expectations takes seconds to import
        from expectations.validation import validate

        result = as_check(validate(workshop.tables()[table], suite(table)))
        if not result.passed:
            context.log.warning(f"{TABLES[table]}: {result.description}")
        return result

    return check


def as_check(result: "ValidationResult") -> dg.AssetCheckResult:
    """An asset check's result from a suite's: only what blocks is an error, and what was not checked has not passed."""
    counts = Counter(outcome.status for outcome in result.outcomes)
    told = ", ".join(f"{counts[status]} {name.lower()}" for status, name in STATUSES.items() if counts[status])
    return dg.AssetCheckResult(
        passed=result.status == "passed",
        severity=dg.AssetCheckSeverity.ERROR if result.is_blocking else dg.AssetCheckSeverity.WARN,
        description=told or "không có gì để kiểm tra",
        metadata={
            "Kết quả": STATUSES[result.status],
            **{name: counts[status] for status, name in STATUSES.items()},
            "Từng kỳ vọng": table_metadata(
                [("Kỳ vọng", "string"), ("Mức độ", "string"), ("Kết quả", "string"), ("Vì sao", "string")],
                [
                    (outcome.description, SEVERITIES[outcome.severity], STATUSES[outcome.status], outcome.reason or "")
                    for outcome in result.outcomes
                ],
            ),
        },
    )
