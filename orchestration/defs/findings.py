"""Findings and signals: what ``ratings`` says about the marts, landed as Parquet for dbt to read back."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from orchestration import ahead
from orchestration.defs import warehouse
from orchestration.judging import land_findings, land_review
from orchestration.previews import table_metadata
from orchestration.warehouse import Workshop

OWNER = "team:tham-dinh"

ahead.announce(land_findings, imports="ratings.contradictions", hand=1)
ahead.announce(land_review, imports="ratings.review", hand=2)

DESCRIPTIONS = {
    "findings": "Các trường hợp xếp loại có dấu hiệu mâu thuẫn với chứng cứ, mỗi trường hợp một dòng.",
    "rule_results": "Kết quả từng quy tắc theo năm và đơn vị: đạt, có phát hiện hay không kiểm tra được.",
}


SIGNAL_DESCRIPTIONS = {
    "signals": "Mọi dấu hiệu thống kê của mọi tổ chức và năm: kiểm tra được hay vì sao không.",
    "review_list": "Danh sách đề nghị thẩm định lại: mỗi tổ chức và năm một dòng, kèm các lý do mạnh nhất.",
    "review_budgets": "Mỗi danh sách kiểm tra được bao nhiêu tổ chức và có thể nêu nhầm bao nhiêu.",
}


def _specs(descriptions: dict[str, str]) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            ["findings", name],
            description=description,
            group_name="findings",
            owners=[OWNER],
            kinds={"python", "pandas", "parquet"},
            deps=sorted(key for key in warehouse.marts.keys if key.path[0] == "marts"),
        )
        for name, description in descriptions.items()
    ]


@dg.multi_asset(name="findings", specs=_specs(DESCRIPTIONS))
def findings(workshop: dg.ResourceParam[Workshop]) -> Iterator[dg.MaterializeResult]:
    """Judge the marts of this run by the rule catalogue."""
    found = workshop.judged(land_findings)
    by_rule = found.findings.groupby(["rule_id", "year", "severity"]).size().reset_index()
    yield dg.MaterializeResult(
        asset_key=["findings", "findings"],
        metadata={
            "dagster/row_count": len(found.findings),
            "Theo quy tắc": table_metadata(
                [("Quy tắc", "string"), ("Năm", "int"), ("Mức độ", "string"), ("Số phát hiện", "int")],
                by_rule.to_numpy().tolist(),
            ),
        },
    )
    statuses = found.results.groupby(["rule_id", "status"])[["tested", "found", "not_checked"]].sum().reset_index()
    yield dg.MaterializeResult(
        asset_key=["findings", "rule_results"],
        metadata={
            "dagster/row_count": len(found.results),
            "Theo quy tắc": table_metadata(
                [
                    ("Quy tắc", "string"),
                    ("Kết quả", "string"),
                    ("Đã kiểm tra", "int"),
                    ("Phát hiện", "int"),
                    ("Không kiểm tra được", "int"),
                ],
                statuses.to_numpy().tolist(),
            ),
        },
    )


@dg.multi_asset(name="signals", specs=_specs(SIGNAL_DESCRIPTIONS))
def signals(workshop: dg.ResourceParam[Workshop]) -> Iterator[dg.MaterializeResult]:
    """Judge the organisations of this run's marts by the signals, and list whom to look at again."""
    reviewed = workshop.judged(land_review)
    level = [("Cấp", "string"), ("Năm", "int")]

    by_signal = reviewed.signals.groupby(["organisation_level", "year", "signal"])["is_testable"].agg(["sum", "size"])
    yield dg.MaterializeResult(
        asset_key=["findings", "signals"],
        metadata={
            "dagster/row_count": len(reviewed.signals),
            "Kiểm tra được": table_metadata(
                [*level, ("Dấu hiệu", "string"), ("Kiểm tra được", "int"), ("Tổ chức", "int")],
                by_signal.reset_index().to_numpy().tolist(),
            ),
        },
    )
    by_band = reviewed.listed.groupby(["organisation_level", "year", "band"]).size().reset_index()
    yield dg.MaterializeResult(
        asset_key=["findings", "review_list"],
        metadata={
            "dagster/row_count": len(reviewed.listed),
            "Theo nhóm": table_metadata([*level, ("Nhóm", "string"), ("Tổ chức", "int")], by_band.to_numpy().tolist()),
        },
    )
    yield dg.MaterializeResult(
        asset_key=["findings", "review_budgets"],
        metadata={"dagster/row_count": len(reviewed.budgets), "Có thể nêu nhầm": _budgets(reviewed.budgets)},
    )


def _budgets(budgets: pd.DataFrame) -> dg.TableMetadataValue:
    shown = {
        "organisation_level": ("Cấp", "string"),
        "year": ("Năm", "int"),
        "organisations": ("Tổ chức", "int"),
        "tested": ("Kiểm tra được", "int"),
        "listed_a": ("Nhóm A", "int"),
        "expected_false_a": ("Trong A có thể nhầm", "float"),
        "listed_b": ("Nhóm B", "int"),
        "expected_false_b": ("Trong A và B có thể nhầm", "float"),
    }
    return table_metadata(list(shown.values()), budgets[list(shown)].to_numpy(object).tolist())
