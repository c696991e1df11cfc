"""The semantic layer is the seed of indicators in dbt's words, and dbt takes it."""

from orchestration.semantics import METRICS, read_indicators, semantic_layer
from tests.store_builder import built_by_dbt


def test_the_file_is_what_the_seed_gives():
    told = "chạy lại: python -m orchestration.semantics"
    assert METRICS.read_text(encoding="utf-8") == semantic_layer(read_indicators()), told


def test_dbt_reads_a_metric_an_indicator_with_its_definition_and_grain():
    ratios = {
        metric["name"]: metric for metric in built_by_dbt().manifest["metrics"].values() if metric["type"] == "ratio"
    }
    assert ratios.keys() == {row["indicator_id"] for row in read_indicators()}
    assert all(metric["description"] and metric["config"]["meta"]["grain"] for metric in ratios.values())
    part = built_by_dbt().nodes["indicator_part"]
    for name in ratios:
        assert f"'{name}'" in part["raw_code"], name
