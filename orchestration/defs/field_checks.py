"""What the field check says of everybody, landed as Parquet for dbt to read back beside the findings."""

from collections.abc import Iterator

import dagster as dg

from orchestration.defs.findings import OWNER
from orchestration.field_checks import land_field_checks
from orchestration.warehouse import Workshop

DESCRIPTIONS = {
    "field_check_province": "Tỷ lệ thật từ tốt trở lên của toàn tỉnh, ước lượng từ mẫu thẩm định lại tại chỗ.",
    "field_check_precision": "Độ đúng của từng chỉ báo theo mẫu thẩm định lại tại chỗ.",
}


@dg.multi_asset(
    name="field_check_estimates",
    specs=[
        dg.AssetSpec(
            ["findings", name],
            description=description,
            group_name="findings",
            owners=[OWNER],
            kinds={"python", "pandas", "parquet"},
            deps=[dg.AssetKey(["marts", "fct_field_check"]), dg.AssetKey(["findings", "signals"])],
        )
        for name, description in DESCRIPTIONS.items()
    ],
)
def field_check_estimates(workshop: dg.ResourceParam[Workshop]) -> Iterator[dg.MaterializeResult]:
    """Estimate from the results of this run's marts and from its signals."""
    found = land_field_checks(workshop.tables(), workshop.folders.findings)
    for name, frame in {"field_check_province": found.province, "field_check_precision": found.precision}.items():
        yield dg.MaterializeResult(
            asset_key=["findings", name],
            metadata={"dagster/row_count": len(frame), "Ước lượng được": int(frame["is_estimable"].sum())},
        )
