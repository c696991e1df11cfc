"""A suite of expectations as an asset check: three outcomes, and never "passed" for what was not checked."""

from collections import Counter
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from expectations.tables import TABLES
from orchestration import ahead
from orchestration.judging import check_table
from orchestration.previews import table_metadata
from orchestration.warehouse import Workshop

if TYPE_CHECKING:
    from expectations.validation import ValidationResult

NAME = "expectations"

STATUSES = {"passed": "Đạt", "failed": "Không đạt", "not_checked": "Không kiểm tra được"}

SEEN_BY = {
    "fct_finding": "thucchat findings",
    "rule_result": "thucchat findings",
    "fct_signal": "thucchat review",
    "mart_review_list": "thucchat review",
    "coverage": "thucchat register",
}
"""Commands that show what a table tells."""

SEVERITIES = {"critical": "Bắt buộc", "warning": "Cảnh báo"}


def key(table: str) -> dg.AssetCheckKey:
    """The check of a mart by its suite."""
    return dg.AssetCheckKey(dg.AssetKey(["marts", table]), NAME)


def suite_check(table: str) -> dg.AssetChecksDefinition:
    """Check a mart by the suite that bears its name."""
    ahead.announce(check_table, table, needs={table}, imports="expectations.suites", hand=0)

    @dg.asset_check(
        name=NAME,
        asset=["marts", table],
        blocking=True,
        description=f"{TABLES[table]}: bộ kỳ vọng mà người đọc dựa vào. Kỳ vọng bắt buộc không đạt thì không công bố.",
    )
    def check(context: dg.AssetCheckExecutionContext, workshop: dg.ResourceParam[Workshop]) -> dg.AssetCheckResult:
        result = as_check(workshop.judged(check_table, table))
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
            "Bảng": dg.MetadataValue.asset(key(result.suite).asset_key),
            **({"Xem": SEEN_BY[result.suite]} if result.suite in SEEN_BY else {}),
            "Từng kỳ vọng": table_metadata(
                [("Kỳ vọng", "string"), ("Mức độ", "string"), ("Kết quả", "string"), ("Vì sao", "string")],
                [
                    (outcome.description, SEVERITIES[outcome.severity], STATUSES[outcome.status], outcome.reason or "")
                    for outcome in result.outcomes
                ],
            ),
        },
    )


REVIEW_NAME = f"review_{NAME}"

REVIEW_KEY = dg.AssetCheckKey(dg.AssetKey(["marts", "mart_review_list"]), REVIEW_NAME)

LEVELS = {"grassroots": "Tổ chức cơ sở đảng", "cell": "Chi bộ", "unit": "Đơn vị báo cáo"}


def review_check() -> dg.AssetChecksDefinition:
    """Say how many organisations the review list of the latest year names, beside those of the year before."""

    @dg.asset_check(
        name=REVIEW_NAME,
        asset=REVIEW_KEY.asset_key,
        additional_deps=[["marts", "review_budget"]],
        description="Danh sách đề nghị thẩm định lại: năm nay nêu bao nhiêu tổ chức, năm trước bao nhiêu.",
    )
    def check(context: dg.AssetCheckExecutionContext, workshop: dg.ResourceParam[Workshop]) -> dg.AssetCheckResult:
        result = of_review(workshop.tables()["review_budget"])
        if not result.passed:
            context.log.warning(f"Danh sách đề nghị thẩm định lại: {result.description}")
        return result

    return check


def of_review(budgets: pd.DataFrame) -> dg.AssetCheckResult:
    """A warning with counts where bands A and B of the latest year name somebody; not checked where nothing was tested.

    `budgets` is the mart `review_budget`.
    """
    year = int(budgets["year"].max()) if len(budgets) else None
    now = budgets[budgets["year"] == year].set_index("organisation_level").reindex(LEVELS)
    before = budgets[budgets["year"] == (year or 0) - 1].set_index("organisation_level").reindex(LEVELS)
    tested = int(now["tested"].fillna(0).sum())
    listed = {band: int(now[f"listed_{band.lower()}"].fillna(0).sum()) for band in "ABC"}
    status = "not_checked" if not tested else "failed" if listed["A"] + listed["B"] else "passed"
    false = f"{now['expected_false_b'].fillna(0).sum():.1f}".replace(".", ",")
    told = (
        f"năm {year} nêu {listed['A']} tổ chức ở nhóm A, {listed['B']} ở nhóm B, trong đó nhiều nhất khoảng {false} "
        f"có thể chỉ do ngẫu nhiên; kiểm tra được {tested} tổ chức"
    )
    columns = {
        "tested": "Kiểm tra được", "listed_a": "Nhóm A", "listed_b": "Nhóm B", "listed_c": "Nhóm C",
        "expected_false_b": "Có thể do ngẫu nhiên (A và B)",
    }  # fmt: skip
    rows = [
        (name, *(_figure(frame.at[level, column]) for column in columns for frame in (now, before)))
        for level, name in LEVELS.items()
    ]
    return dg.AssetCheckResult(
        passed=status == "passed",
        severity=dg.AssetCheckSeverity.WARN,
        description=told if tested else "không có tổ chức nào kiểm tra được",
        metadata={
            "Kết quả": STATUSES[status],
            **{f"Nhóm {band}": count for band, count in listed.items()},
            "Năm nay và năm trước": table_metadata(
                [
                    ("Cấp", "string"),
                    *((f"{name}{when}", "float") for name in columns.values() for when in ("", ", năm trước")),
                ],
                rows,
            ),
            "Danh sách": dg.MetadataValue.asset(REVIEW_KEY.asset_key),
            "Xem": f"thucchat review{f' --year {year}' if year else ''}",
        },
    )


def _figure(value: object) -> float | None:
    return None if pd.isna(value) else float(value)
