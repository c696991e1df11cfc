"""The semantic layer is the seed of indicators in dbt's words, and dbt takes it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from store_builder import PROJECT

from orchestration.semantics import METRICS, read_indicators, semantic_layer


def test_the_file_is_what_the_seed_gives():
    told = "chạy lại: python -m orchestration.semantics"
    assert METRICS.read_text(encoding="utf-8") == semantic_layer(read_indicators()), told


def test_dbt_reads_a_metric_an_indicator_with_its_definition_and_grain(tmp_path):
    environment = {
        **os.environ,
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
        "DO_NOT_TRACK": "1",
    }
    dbt = Path(sys.executable).with_name("dbt")
    command = [dbt, "parse", "--project-dir", PROJECT, "--profiles-dir", PROJECT]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    manifest = json.loads((tmp_path / "target" / "manifest.json").read_text(encoding="utf-8"))
    ratios = {metric["name"]: metric for metric in manifest["metrics"].values() if metric["type"] == "ratio"}
    assert ratios.keys() == {row["indicator_id"] for row in read_indicators()}
    assert all(metric["description"] and metric["config"]["meta"]["grain"] for metric in ratios.values())
    (part,) = (node for node in manifest["nodes"].values() if node["name"] == "indicator_part")
    for name in ratios:
        assert f"'{name}'" in part["raw_code"], name
