"""The semantic layer is the seed of indicators in dbt's words, and dbt takes it."""

from orchestration.semantics import METRICS, read_indicators, read_questions, semantic_layer
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


def test_what_the_article_asks_has_an_indicator_or_a_reason_why_it_has_none():
    answered = {row["question_id"] for row in read_indicators()}
    without_number = {row["question_id"] for row in read_questions() if row["no_number_because"]}
    assert answered | without_number == {row["question_id"] for row in read_questions()}
    assert not answered & without_number
