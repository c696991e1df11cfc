"""Why a warehouse could not be built, in words: what each failed test asks for, which rows fail it, what to do."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from orchestration.statements import failing_rows
from ratings.tables import SEEDS
from submissions.form_set import load_form_sets

TESTS_SHOWN = 10
"""Of the tests that failed, how many are told with their rows; the others by their names."""

ROWS_SHOWN = 5
"""Of the rows that a test finds fault with, how many are told."""

LINES_SHOWN = 5
"""Of the lines of a list that a row speaks of, how many are named."""

REFERENCE = re.compile(r"'([^']+)'")
RECORD = re.compile(r"(?P<sending>[0-9a-f]{16})/(?P<form>\w+)/(?P<row>\d+)")


@dataclass(frozen=True)
class FailedTest:
    """A test that failed."""

    node: Mapping[str, Any]
    """As the manifest has it."""
    count: int
    """Rows that it finds fault with."""
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    """The first of them."""


def why(
    failed: Mapping[str, int],
    *,
    nodes: Mapping[str, Any],
    compiled: Mapping[str, str],
    connection: duckdb.DuckDBPyConnection,
    data: Path,
    target: Path | None = None,
) -> str:
    """Why a build failed: `told` of the tests that failed (by their ids, with how many rows), read from what was built.

    `nodes` are those of the manifest, `compiled` the SQL of tests by their ids; `target` is where dbt says what became
    of its nodes, None where it was not dbt that ran.
    """
    tests = [_looked_up(nodes, name, count, compiled, connection) for name, count in failed.items()]
    results = target / "run_results.json" if target else None
    ran = json.loads(results.read_text(encoding="utf-8"))["results"] if results and results.exists() else []
    names = {status: [one["unique_id"] for one in ran if one["status"] == status] for status in ("error", "skipped")}
    unbuilt = [nodes[name]["name"] for name in names["error"] if name in nodes]
    whose = sendings_of(connection)
    return told(tests, data=data, sendings=whose, unbuilt=unbuilt, skipped=len(names["skipped"]))


def _looked_up(
    nodes: Mapping[str, Any],
    name: str,
    count: int,
    compiled: Mapping[str, str],
    connection: duckdb.DuckDBPyConnection,
) -> FailedTest:
    """The test with the first rows it finds fault with; of a column alone, with the keys of the rows it is in."""
    node, sql = nodes[name], compiled.get(name)
    if sql is None:
        return FailedTest(node, count, (), ())
    model = nodes.get(node.get("attached_node") or "", {})
    keys = primary_key(model)
    column = node.get("column_name")
    if column and keys and column not in keys:
        relation = f'"{model["schema"]}"."{model["name"]}"'
        named = connection.execute(f"select * from ({sql}\n) as f limit 0").description[0][0]
        sql = (
            f"select * from {relation} as t where exists "
            f'(from ({sql}\n) as f where f."{named}" is not distinct from t."{column}")'
        )
        keys = [*keys, column]
    columns, rows = failing_rows(connection, sql, keys, ROWS_SHOWN)
    return FailedTest(node, count, columns, rows)


def primary_key(model: Mapping[str, Any]) -> list[str]:
    """Columns of the primary key of a model, as the manifest has it; none of an empty one."""
    return [name for one in model.get("constraints", []) if one["type"] == "primary_key" for name in one["columns"]]


def told(
    tests: Sequence[FailedTest],
    *,
    data: Path,
    sendings: Callable[[str], str | None],
    unbuilt: Sequence[str] = (),
    skipped: int = 0,
) -> str:
    """Everything that failed, most tests with their first rows, all others counted; Vietnamese, several lines.

    `unbuilt` are tables that could not be made at all, `skipped` is how much was left out because of that or of a test.
    `sendings` says of whom and which year a sending is, by the first signs of its hash. Lists lie in `data`. Empty
    where nothing of that sort failed.
    """
    lines = []
    if unbuilt:
        lines.append(f"{len(unbuilt)} bảng không dựng được: {', '.join(sorted(unbuilt))}.")
    if tests:
        lines.append(f"{len(tests)} kiểm tra bắt buộc của kho không đạt.")
    ordered = sorted(tests, key=lambda test: test.node["name"])
    for test in ordered[:TESTS_SHOWN]:
        lines += _of_test(test, data, sendings)
    if more := ordered[TESTS_SHOWN:]:
        lines.append(f"… và {len(more)} kiểm tra khác: {', '.join(test.node['name'] for test in more)}.")
    if skipped:
        lines.append(f"{skipped} bảng, kiểm tra phụ thuộc vào đó chưa chạy; sửa xong hãy dựng lại.")
    return "\n".join(lines)


def _of_test(test: FailedTest, data: Path, sendings: Callable[[str], str | None]) -> list[str]:
    about = test.node["config"]["meta"]
    listed = about.get("list") or _seed_of(test.node)
    lines = [f"- {description(test.node)} Tìm thấy {test.count} dòng không đạt ({test.node['name']}):"]
    for row in test.rows[:ROWS_SHOWN]:
        found = {name: value for name, value in zip(test.columns, row, strict=True) if value is not None}
        blank = [name for name in test.columns if name not in found]
        places = [_in_list(listed, dict(zip(test.columns, row, strict=True)), data) if listed else None]
        places += [_in_sending(value, sendings) for value in found.values()]
        said = ", ".join(
            [*(f"{name} = {value}" for name, value in found.items()), *(f"{name} trống" for name in blank)]
        )
        lines.append(f"    {'; '.join([*dict.fromkeys(filter(None, places)), said])}")
    if test.count > ROWS_SHOWN:
        lines.append(f"    … và {test.count - ROWS_SHOWN} dòng khác.")
    return [*lines, f"    {about['mend']}"] if "mend" in about else lines


def _seed_of(node: Mapping[str, Any]) -> str | None:
    """The seed that a test looks at, where it is about one."""
    kind, _, name = (node.get("attached_node") or "").split(".") if node.get("attached_node") else ("", "", "")
    return f"seeds/{name}.csv" if kind == "seed" else None


def _in_list(listed: str, row: Mapping[str, object], data: Path) -> str | None:
    """The lines of a list or seed that say what `row` says, in all columns that both have."""
    path = SEEDS / listed.removeprefix("seeds/") if listed.startswith("seeds/") else data / listed
    if not path.exists():
        return None
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        shared = [name for name in row if name in (reader.fieldnames or [])]
        wanted = {name: _text(row[name]) for name in shared}
        lines = [
            reader.line_num
            for line in reader
            if shared and all(_text(line[name]) == value for name, value in wanted.items())
        ]
    if not lines:
        return None
    more = f" và {len(lines) - LINES_SHOWN} dòng khác" if len(lines) > LINES_SHOWN else ""
    return f"{listed}, dòng {', '.join(map(str, lines[:LINES_SHOWN]))}{more}"


def _text(value: object) -> str:
    return "" if value is None else str(value).strip().lower()


def _in_sending(value: object, sendings: Callable[[str], str | None]) -> str | None:
    """Whose report a record or the hash of a file is of, and where it stands there; files are not named."""
    if not isinstance(value, str):
        return None
    if record := RECORD.fullmatch(value):
        whose = sendings(record["sending"])
        return f"{whose}, {_forms().get(record['form'], record['form'])}, dòng {record['row']}" if whose else None
    return sendings(value[:16]) if re.fullmatch(r"[0-9a-f]{64}", value) else None


@cache
def _forms() -> dict[str, str]:
    return {form.table: form.title for forms in load_form_sets().values() for form in forms.forms}


def sendings_of(connection: duckdb.DuckDBPyConnection) -> Callable[[str], str | None]:
    """What says of a sending, by the first signs of its hash, whose report of which year it is."""
    known = "select 1 from information_schema.tables where table_schema = 'staging' and table_name = 'stg_submissions'"
    is_known = connection.execute(known).fetchone() is not None

    @cache
    def whose(begin: str) -> str | None:
        if not is_known:
            return None
        found = connection.execute(
            "select source_kind, unit_code, year from staging.stg_submissions where starts_with(source_hash, ?)",
            [begin],
        ).fetchone()
        if found is None:
            return None
        kind, unit, year = found
        if kind == "field_check":
            return f"kết quả thẩm định lại năm {year}"
        return f"Sổ kỷ luật năm {year}" if kind == "register" else f"báo cáo {unit} năm {year}"

    return whose


# --- what tests ask for ------------------------------------------------------------------------------------------


def description(node: Mapping[str, Any]) -> str:
    """What a test asks for, in one Vietnamese sentence: its own words, or those of its kind."""
    if own := node.get("description"):
        return own
    if told := node.get("meta", {}).get("description"):
        return told
    about = node.get("test_metadata")
    if not about:
        return node["name"]
    given = about["kwargs"]
    where = (REFERENCE.search(given.get("model", "")) or [None, "?"])[1]
    column = f"Cột {given['column_name']} của bảng {where}" if given.get("column_name") else f"Bảng {where}"
    match about["name"]:
        case "not_null":
            return f"{column} không được để trống."
        case "unique":
            return f"{column} không được có giá trị lặp lại."
        case "unique_combination":
            return f"{column}: mỗi bộ ({_listed(given['combination'])}) chỉ được một dòng."
        case "accepted_values":
            return f"{column} chỉ nhận các giá trị: {_listed(given['values'])}."
        case "relationships":
            return f"{column}: mỗi giá trị phải có ở cột {given['field']} của bảng {_referred(given['to'])}."
        case "organisation_exists":
            return f"{column}: mỗi tổ chức được ghi phải có trong danh mục tổ chức của đơn vị trong năm đó."
        case "within":
            return f"{column} phải từ {given['lowest']} đến {given['highest']}."
        case "no_overlap":
            return (
                f"{column}: các khoảng thời gian của cùng một ({_listed(given['durable'])}) không được chồng lên nhau."
            )
        case kind:
            return f"{column}: kiểm tra {kind}."


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _referred(reference: str) -> str:
    return (REFERENCE.search(reference) or [None, reference])[1]
