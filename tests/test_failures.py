"""What a user is told when tests of a warehouse fail: what they ask for, which rows, where those stand, what to do."""

import json
import re
from pathlib import Path

import duckdb
import pytest
import yaml

from orchestration import failures, models
from orchestration.definitions import defs
from orchestration.settings import PROJECT

SENDING = "0123456789abcdef" + "0" * 48
VIETNAMESE = re.compile(r"[ăâđêôơưáàảãạấầẩẫậắằẳẵặéèẻẽẹếềểễệíìỉĩịóòỏõọốồổỗộớờởỡợúùủũụứừửữựýỳỷỹỵ]")


@pytest.fixture
def warehouse():
    """A warehouse with one sending and a mart of three rows."""
    with duckdb.connect() as connection:
        connection.execute("create schema staging")
        connection.execute(
            "create table staging.stg_submissions as select ? as source_hash, 'unit' as source_kind, "
            "'67.001' as unit_code, 2024 as year",
            [SENDING],
        )
        connection.execute("create schema marts")
        connection.execute(
            "create table marts.fct_drawn as from (values ('0123456789abcdef/members/17', null), "
            "('0123456789abcdef/members/18', 'x'), ('0123456789abcdef/members/19', null)) as t (record_id, cell_code)"
        )
        yield connection


def drawn_node(name="assert_drawn", description="Mỗi mã phải có thật.", attached=None, **about):
    return {
        "name": name,
        "description": description,
        "attached_node": attached,
        "config": {"meta": about.pop("meta", {})},
        **about,
    }


def why(connection, data: Path, node: dict, sql: str, count: int, *, target: Path | None = None) -> list[str]:
    mart = {
        "name": "fct_drawn",
        "schema": "marts",
        "constraints": [{"type": "primary_key", "columns": ["record_id"]}],
    }
    told = failures.why(
        {"test.drawn": count},
        nodes={"test.drawn": node, "model.thucchat.fct_drawn": mart},
        compiled={"test.drawn": sql},
        connection=connection,
        data=data,
        target=target,
    )
    return [line.strip() for line in told.splitlines()]


def test_a_test_is_told_by_what_it_asks_for_with_its_first_rows_and_what_to_do(warehouse, tmp_path):
    codes = [f"('67.{number:03}')" for number in range(failures.ROWS_SHOWN + 3)]
    sql = f"select * from (values {', '.join(codes)}) as t (old_code)"
    node = drawn_node(meta={"list": "successions.csv", "mend": "Hãy sửa mã."})

    told = why(warehouse, tmp_path, node, sql, len(codes))

    assert told == [
        "1 kiểm tra bắt buộc của kho không đạt.",
        f"- Mỗi mã phải có thật. Tìm thấy {len(codes)} dòng không đạt (assert_drawn):",
        *(f"old_code = 67.{number:03}" for number in range(failures.ROWS_SHOWN)),
        "… và 3 dòng khác.",
        "Hãy sửa mã.",
    ]


def test_a_row_of_a_list_is_told_with_its_lines(warehouse, tmp_path):
    (tmp_path / "successions.csv").write_text("old_code,new_code\n67.001,\n67.002,68.002\n67.001,\n", encoding="utf-8")
    sql = "select '67.001' as old_code, null as new_code, 'khác' as elsewhere"

    told = why(warehouse, tmp_path, drawn_node(meta={"list": "successions.csv"}), sql, 1)

    assert told[-1] == "successions.csv, dòng 2, 4; old_code = 67.001, elsewhere = khác, new_code trống"


def test_a_row_of_a_seed_is_told_with_its_line(warehouse, tmp_path):
    first = (PROJECT / "dbt_project/seeds/regimes.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0]
    node = drawn_node(attached="seed.thucchat.regimes")

    assert why(warehouse, tmp_path, node, f"select '{first}' as regime_id", 1)[-1] == (
        f"seeds/regimes.csv, dòng 2; regime_id = {first}"
    )


def test_a_row_of_a_report_is_told_by_unit_year_form_and_row_and_never_by_its_file(warehouse, tmp_path):
    node = drawn_node(attached="model.thucchat.fct_drawn", column_name="cell_code")
    sql = "select cell_code from marts.fct_drawn where cell_code is null"

    # The test itself says only that something is missing twice.
    assert why(warehouse, tmp_path, node, sql, 2)[2:] == [
        "báo cáo 67.001 năm 2024, Biểu 3, dòng 17; record_id = 0123456789abcdef/members/17, cell_code trống",
        "báo cáo 67.001 năm 2024, Biểu 3, dòng 19; record_id = 0123456789abcdef/members/19, cell_code trống",
    ]
    assert why(warehouse, tmp_path, drawn_node(), f"select '{SENDING}' as source_hash", 1)[-1].startswith(
        "báo cáo 67.001 năm 2024; "
    )


def test_all_failed_tests_are_named_and_only_the_first_are_told_at_length(tmp_path):
    tests = [
        failures.FailedTest(drawn_node(f"assert_{number:02}"), 1, ("a",), [(number,)])
        for number in range(failures.TESTS_SHOWN + 2)
    ]
    told = failures.told(tests, data=tmp_path, sendings=lambda _: None).splitlines()

    assert told[0] == f"{len(tests)} kiểm tra bắt buộc của kho không đạt."
    assert sum(line.startswith("- ") for line in told) == failures.TESTS_SHOWN
    assert told[-1] == "… và 2 kiểm tra khác: assert_10, assert_11."


def test_a_table_that_could_not_be_made_is_named_and_what_was_left_out_is_counted(warehouse, tmp_path):
    results = [("model.thucchat.fct_drawn", "error"), ("model.thucchat.a", "skipped"), ("test.b", "skipped")]
    ran = {"results": [{"unique_id": name, "status": status} for name, status in results]}
    (tmp_path / "run_results.json").write_text(json.dumps(ran), encoding="utf-8")

    told = failures.why(
        {},
        nodes={"model.thucchat.fct_drawn": {"name": "fct_drawn"}},
        compiled={},
        connection=warehouse,
        data=tmp_path,
        target=tmp_path,
    )

    assert told.splitlines() == [
        "1 bảng không dựng được: fct_drawn.",
        "2 bảng, kiểm tra phụ thuộc vào đó chưa chạy; sửa xong hãy dựng lại.",
    ]


def test_every_test_of_the_warehouse_says_in_vietnamese_what_it_asks_for():
    """In the message of a failed build and as the description of Dagster's check."""
    nodes = json.loads(models.manifest().read_text(encoding="utf-8"))["nodes"].values()
    tests = [node for node in nodes if node["resource_type"] == "test"]
    said = {node["name"]: node["meta"]["description"] for node in tests}

    assert [name for name, text in said.items() if not VIETNAMESE.search(text.lower()) or not text.endswith(".")] == []


def test_every_test_in_a_file_of_its_own_is_described_and_no_other():
    folder = PROJECT / "dbt_project/tests"
    described = yaml.safe_load((folder / "_tests.yml").read_text(encoding="utf-8"))["data_tests"]

    assert sorted(one["name"] for one in described) == sorted(path.stem for path in folder.glob("*.sql"))


def test_checks_in_dagster_carry_the_descriptions():
    checks = {
        spec.name: spec
        for one in defs().resolve_asset_graph().assets_defs
        for spec in one.check_specs
        if spec.name.startswith("assert_")
    }
    described = yaml.safe_load((PROJECT / "dbt_project/tests/_tests.yml").read_text(encoding="utf-8"))["data_tests"]

    assert {one["name"]: one["description"] for one in described} == {
        name: spec.description for name, spec in checks.items()
    }
