"""The semantic layer: dbt's metrics on `indicator_part`, written from the seed of indicators: nothing is typed twice.

``python -m orchestration.semantics`` writes the file; a test holds it to the seed.
"""

import csv
from pathlib import Path

import yaml

from orchestration.settings import PROJECT

INDICATORS = PROJECT / "dbt_project" / "seeds" / "indicators.csv"
QUESTIONS = INDICATORS.with_name("article_questions.csv")
METRICS = PROJECT / "dbt_project" / "models" / "marts" / "indicators" / "_metrics.yml"

HEADING = """\
# Sinh ra từ seeds/indicators.csv bằng lệnh: python -m orchestration.semantics. Không sửa bằng tay.
"""

ABOUT = ("name_en", "unit_of_measure", "source_forms", "grain", "legal_source", "direction", "target_id")


def read_indicators(path: Path = INDICATORS) -> list[dict[str, str]]:
    """The rows of the seed."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_questions(path: Path = QUESTIONS) -> list[dict[str, str]]:
    """What the article asks: the rows of that seed."""
    return read_indicators(path)


def semantic_layer(indicators: list[dict[str, str]]) -> str:
    """The YAML of the semantic model and of a metric an indicator: the one number over the other."""
    return HEADING + yaml.safe_dump(
        {"semantic_models": [_model()], "metrics": [_metric(row) for row in indicators]},
        allow_unicode=True,
        sort_keys=False,
        width=160,
    )


def _model() -> dict[str, object]:
    dimensions = [
        {
            "name": "year_end",
            "type": "time",
            "expr": "make_date(year, 12, 31)",
            "type_params": {"time_granularity": "year"},
        },
        {"name": "indicator_id", "type": "categorical"},
    ]
    entities = [
        {
            "name": "part",
            "type": "primary",
            "expr": "indicator_id || '/' || year || '/' || unit_code || '/' || org_code",
        },
        {"name": "unit", "type": "foreign", "expr": "unit_code"},
        {"name": "organisation", "type": "foreign", "expr": "unit_code || '/' || org_code"},
    ]
    measures = [
        {"name": "part_numerator", "agg": "sum", "expr": "numerator", "description": "Tử số.", "create_metric": True},
        {
            "name": "part_denominator",
            "agg": "sum",
            "expr": "denominator",
            "description": "Mẫu số.",
            "create_metric": True,
        },
    ]
    return {
        "name": "indicator_parts",
        "description": "Mọi chỉ số dưới dạng hai số cộng được; mỗi chỉ số là một phép chia.",
        "model": "ref('indicator_part')",
        "defaults": {"agg_time_dimension": "year_end"},
        "entities": entities,
        "dimensions": dimensions,
        "measures": measures,
    }


def defined(row: dict[str, str]) -> str:
    """What an indicator is and how it is worked out, in words."""
    scale = f"{row['scale']} × " if row["scale"] != "1" else ""
    return f"{row['definition']} Giá trị = {scale}({row['numerator_says']}) / ({row['denominator_says']})."


def _metric(row: dict[str, str]) -> dict[str, object]:
    return {
        "name": row["indicator_id"],
        "label": row["name_vi"],
        "description": defined(row),
        "type": "ratio",
        "type_params": {"numerator": "part_numerator", "denominator": "part_denominator"},
        "filter": f"{{{{ Dimension('part__indicator_id') }}}} = '{row['indicator_id']}'",
        "config": {"meta": {"scale": int(row["scale"]), **{name: row[name] for name in ABOUT if row[name]}}},
    }


if __name__ == "__main__":
    METRICS.write_text(semantic_layer(read_indicators()), encoding="utf-8")
