"""The dictionary: what dbt knows of the warehouse as pages, and which heading of a form feeds which column.

Nothing in it is typed: descriptions are those of the models, the way from a heading to a column is read from the SQL.
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import yaml

from orchestration.problems import ProblemError
from orchestration.settings import PROJECT, Folders, dbt_environment
from reports.catalogue import PACKS
from submissions.form_set import FormSet
from submissions.store import (
    CAP_EXCEPTIONS,
    COUNTS,
    ISSUES,
    SUBMISSION,
    UNITS,
    Store,
    form_schemas,
)

if TYPE_CHECKING:
    from sqlglot.expressions import Expression

DBT = PROJECT / "dbt_project"

EXPOSURES = DBT / "models" / "exposures.yml"

CATALOGUE = "trace_catalogue"

OWNER = "Bộ phận tham mưu"

WORDS = {
    "org": "organisation",
    "no": "number",
    "orgs": "organisations",
    "pct": "percent",
    "htt": "good",
    "xs": "excellent",
}
"""Short words of keys, written out in English."""

Column = tuple[str, str]
"""A relation (a model's name, or ``store.`` and a form) and a column of it."""


@dataclass(frozen=True)
class Line:
    """One heading of a form and one column of the warehouse that it feeds; without one, why there is none."""

    form_set: str
    form: str
    heading: str
    also: str
    heading_english: str
    stored_as: str
    mart: str = ""
    column: str = ""
    column_english: str = ""
    description: str = ""
    note: str = ""


NAMES = {
    "form_set": "Bộ biểu", "form": "Biểu", "heading": "Tiêu đề", "also": "Tên khác", "heading_english": "Heading",
    "stored_as": "Lưu trong kho gốc", "mart": "Bảng", "column": "Cột", "column_english": "Column",
    "description": "Ý nghĩa", "note": "Ghi chú",
}  # fmt: skip
"""What the columns of the table are called."""


# --- exposures ---------------------------------------------------------------------------------------------------


def exposures() -> str:
    """Who reads the marts, as dbt takes it: every pack, and every page of it."""
    told = []
    for pack in PACKS.values():
        name = pack.name.replace("-", "_")
        told.append(_exposure(name, f"Gói {pack.title}", f"Tập biểu đồ “{pack.title}” dạng PDF.", pack.tables))
        for number, chart in enumerate(pack.charts, start=1):
            told.append(
                _exposure(
                    f"{name}__{chart.id.replace('-', '_')}",
                    f"{pack.title}, trang {number}: {chart.name}",
                    f"Biểu đồ {number} của tập “{pack.title}”: {chart.name}.",
                    chart.needs,
                )
            )
    head = "# Written by `make docs` from reports/packs.py; not by hand.\n"
    return head + yaml.safe_dump({"exposures": told}, allow_unicode=True, sort_keys=False, width=120)


def _exposure(name: str, label: str, description: str, tables: Iterable[str]) -> dict[str, object]:
    return {
        "name": name,
        "label": label,
        "type": "dashboard",
        "maturity": "high",
        "description": description,
        "owner": {"name": OWNER},
        "depends_on": [f"ref('{table}')" for table in sorted(tables)],
    }


# --- the pages ---------------------------------------------------------------------------------------------------


def write(folders: Folders, out: Path) -> Path:
    """Write the dictionary into `out`; returns its first page."""
    with TemporaryDirectory() as scratch:
        target = _generate(folders, Path(scratch))
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
        lines = headings(Store(folders.store).form_sets, manifest)
        out.mkdir(parents=True, exist_ok=True)
        # The page names an icon and an address of its own that are not there.
        pages = re.sub(r"<link[^>]*>", "", (target / "static_index.html").read_text(encoding="utf-8"))
        (out / "kho.html").write_text(pages, encoding="utf-8")
    _write_csv(lines, out / "bieu-vao-kho.csv")
    (out / "bieu-vao-kho.html").write_text(_page("Tiêu đề của biểu đi vào cột nào", _table(lines)), encoding="utf-8")
    (out / "index.html").write_text(_page("Từ điển dữ liệu", _FIRST), encoding="utf-8")
    return out / "index.html"


def _generate(folders: Folders, scratch: Path) -> Path:
    """Let dbt write its documentation; no warehouse is opened but an empty one."""
    environment = {
        **os.environ,
        **dbt_environment(folders, scratch / "empty.duckdb"),
        "DBT_TARGET_PATH": str(scratch / "target"),
        "DBT_LOG_PATH": str(scratch / "logs"),
    }
    dbt = Path(sys.executable).with_name("dbt")
    command = [dbt, "docs", "generate", "--static", "--empty-catalog", "--project-dir", DBT, "--profiles-dir", DBT]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        told = [line for line in result.stdout.splitlines() if "Error" in line]
        raise ProblemError(f"dbt không lập được từ điển: {'; '.join(told[:3]) or 'xem nhật ký dbt'}")
    return scratch / "target"


_FIRST = """
<ul>
<li><a href="kho.html">Kho dữ liệu</a>: mô tả mọi bảng và cột, câu lệnh, sơ đồ nguồn gốc, ai đọc bảng nào.</li>
<li><a href="bieu-vao-kho.html">Tiêu đề của biểu đi vào cột nào</a>, bằng tiếng Việt và tiếng Anh
(<a href="bieu-vao-kho.csv">tệp CSV</a>).</li>
</ul>
<p>Một số liệu từ đâu mà có: <code>thucchat trace BẢNG KHÓA CỘT</code></p>
"""

_STYLE = """
body { font-family: system-ui, sans-serif; margin: 2rem; color: #1d2329 }
table { border-collapse: collapse; font-size: 0.85rem } th { position: sticky; top: 0; background: #fff }
th, td { border-bottom: 1px solid #c6ccd2; padding: 0.25rem 0.5rem; text-align: left; vertical-align: top }
"""


def _page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="vi">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _table(lines: Iterable[Line]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in NAMES.values())
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(value)}</td>" for value in asdict(line).values()) + "</tr>\n" for line in lines
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"


def _write_csv(lines: Iterable[Line], path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES.values())
        writer.writerows(asdict(line).values() for line in lines)


# --- from headings to columns ------------------------------------------------------------------------------------


def headings(form_sets: Mapping[str, FormSet], manifest: Mapping) -> list[Line]:
    """A line for each heading of each form and each column of a mart it feeds, in the order of the forms."""
    fed = _fed(manifest, form_sets)
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    lines = []
    for form_set in form_sets.values():
        for form in form_set.forms:
            for column in form.columns:
                stored = [name for name, _ in column.stored_columns]
                head = Line(
                    form_set.form_set,
                    f"{form.title}. {form.name}",
                    column.heading,
                    "; ".join(column.also),
                    english(column.key),
                    ", ".join(stored),
                )
                found = sorted({end for name in stored for end in fed.get((f"store.{form.table}", name), ())})
                if not stored:
                    lines.append(_with(head, note="Họ tên không được đưa vào kho."))
                elif not found:
                    lines.append(_with(head, note="Chỉ có trong kho gốc."))
                lines += [
                    _with(
                        head,
                        mart=mart,
                        column=name,
                        column_english=english(name),
                        description=models[mart]["columns"].get(name, {}).get("description", ""),
                    )
                    for mart, name in found
                ]
    return lines


def _with(line: Line, **values: str) -> Line:
    return Line(**{field.name: values.get(field.name, getattr(line, field.name)) for field in fields(Line)})


def english(key: str) -> str:
    """A key in English words: ``org_code`` is "organisation code"."""
    return " ".join(WORDS.get(word, word) for word in key.split("_"))


def _fed(manifest: Mapping, form_sets: Mapping[str, FormSet]) -> dict[Column, set[Column]]:
    """The columns of marts by the column of the store they are made of, through all models between."""
    made = lineage(manifest, form_sets)
    marts = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }
    roots: dict[Column, set[Column]] = {}

    def of(column: Column) -> set[Column]:
        if column not in roots:
            roots[column] = set()
            for parent in made.get(column, ()):
                roots[column] |= {parent} if parent[0].startswith("store.") else of(parent)
        return roots[column]

    fed: dict[Column, set[Column]] = {}
    for column in list(made):
        if column[0] in marts:
            for root in of(column):
                fed.setdefault(root, set()).add(column)
    return fed


_FORMS = re.compile(r"read_parquet\('[^']*?/(?:forms/)?(\w+)(?:/\*)?\.parquet'(?:,\s*union_by_name\s*=\s*true)?\)")


def lineage(manifest: Mapping, form_sets: Mapping[str, FormSet]) -> dict[Column, set[Column]]:
    """Each column of each model with the columns of models, seeds and the store that its value is made of."""
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage as trace
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    schema: dict[str, dict[str, dict[str, str]]] = {"store": _store_columns(form_sets), "seeds": {}}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "seed":
            with (DBT / node["original_file_path"]).open(encoding="utf-8", newline="") as file:
                schema["seeds"][node["name"]] = dict.fromkeys(next(csv.reader(file)), "text")
    made: dict[Column, set[Column]] = {}
    plain = set(schema["seeds"])
    for node in _in_order(manifest):
        if node["name"] == CATALOGUE:  # made of what the models say of themselves, not of any column
            continue
        sql = _FORMS.sub(r"store.\1", node["compiled_code"])
        sql = re.sub(r'"\w+"\."(seeds|staging|marts)"\.', r"\1.", sql)
        parsed = parse_one(sql, dialect="duckdb")
        query = qualify(parsed, schema=schema, dialect="duckdb", validate_qualify_columns=False)
        _look_up(query, plain)
        names = [name for name in query.named_selects if name != "*"]
        schema.setdefault(node["schema"], {})[node["name"]] = dict.fromkeys(names, "text")
        scope = build_scope(query)
        for name in names:
            root = trace(name, query, schema, scope=scope, dialect="duckdb", trim_selects=False)
            made[node["name"], name] = {
                (_relation(leaf.expression), leaf.name.rsplit(".", 1)[-1].strip('"'))
                for leaf in root.walk()
                if not leaf.downstream and isinstance(leaf.expression, exp.Table)
            }
        if all(parent[0] in plain for name in names for parent in made[node["name"], name]):
            plain.add(node["name"])
    return made


def _look_up(query: "Expression", plain: set[str]) -> None:
    """Let a column that is looked up in a seed be made of what it is looked up by too: a level's code of its name."""
    from sqlglot import exp

    within = {}
    for cte in query.find_all(exp.CTE):
        tables = [table.name for table in cte.this.find_all(exp.Table)]
        within[cte.alias] = bool(tables) and all(name in plain or within.get(name) for name in tables)
    for select in query.find_all(exp.Select):
        for join in select.args.get("joins") or ():
            alias, on = join.this.alias_or_name, join.args.get("on")
            name = join.this.name if isinstance(join.this, exp.Table) else ""
            if on is None or not (name in plain or within.get(name)):
                continue
            by = [column for column in on.find_all(exp.Column) if column.table != alias]
            for selected in select.expressions:
                for column in [one for one in selected.find_all(exp.Column) if one.table == alias]:
                    column.replace(exp.Coalesce(this=column.copy(), expressions=[one.copy() for one in by]))


def _relation(table: object) -> str:
    """A table as `lineage` names it: forms of the store with their room, models and seeds by their name alone."""
    return f"store.{table.name}" if table.db == "store" else table.name


def _store_columns(form_sets: Mapping[str, FormSet]) -> dict[str, dict[str, str]]:
    told = {name: schema.names for name, schema in form_schemas(form_sets).items()}
    told |= {"submissions": SUBMISSION.names, "counts": COUNTS.names, "issues": ISSUES.names, "queries": ISSUES.names}
    told |= {"units": UNITS.names, "cap_exceptions": CAP_EXCEPTIONS.names}
    return {name: dict.fromkeys(names, "text") for name, names in told.items()}


def _in_order(manifest: Mapping) -> list[dict]:
    """Models, each after those it reads."""
    models = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] == "model"}
    ordered: dict[str, dict] = {}

    def place(key: str) -> None:
        if key in models and key not in ordered:
            for parent in models[key]["depends_on"]["nodes"]:
                place(parent)
            ordered[key] = models[key]

    for key in sorted(models):
        place(key)
    return list(ordered.values())


if __name__ == "__main__":
    EXPOSURES.write_text(exposures(), encoding="utf-8")
