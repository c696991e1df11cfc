"""Findings: what the rules of ``ratings`` say about the marts, landed as Parquet for dbt to read back."""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs import warehouse
from orchestration.previews import table_metadata
from orchestration.warehouse import Workshop, land
from ratings.contradictions import find_contradictions
from ratings.rules import load_rules

OWNER = "team:tham-dinh"

DESCRIPTIONS = {
    "findings": "Các trường hợp xếp loại có dấu hiệu mâu thuẫn với chứng cứ, mỗi trường hợp một dòng.",
    "rule_results": "Kết quả từng quy tắc theo năm và đơn vị: đạt, có phát hiện hay không kiểm tra được.",
}


@dg.multi_asset(
    name="findings",
    specs=[
        dg.AssetSpec(
            ["findings", name],
            description=description,
            group_name="findings",
            owners=[OWNER],
            kinds={"python", "pandas", "parquet"},
            deps=sorted(key for key in warehouse.marts.keys if key.path[0] == "marts"),
        )
        for name, description in DESCRIPTIONS.items()
    ],
)
def findings(workshop: dg.ResourceParam[Workshop]) -> Iterator[dg.MaterializeResult]:
    """Judge the marts of this run by the rule catalogue."""
    found = find_contradictions(workshop.tables(), load_rules())
    land(found.findings, workshop.folders.findings / "findings.parquet")
    land(found.results, workshop.folders.findings / "rule_results.parquet")

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
