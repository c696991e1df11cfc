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
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import yaml

from orchestration import described
from orchestration.problems import ProblemError
from orchestration.semantics import defined, read_indicators, read_questions
from orchestration.settings import PROJECT, Folders, dbt_environment
from reports.catalogue import PACKS
from submissions.form_set import FormSet
from submissions.register.snapshots import OBLIGATIONS, SENDINGS
from submissions.store import (
    CAP_EXCEPTIONS,
    COUNTS,
    FIELD_CHECK_DRAWS,
    ISSUES,
    MEMBER_IDENTITIES,
    SUBMISSION,
    SUCCESSIONS,
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
Made = Mapping[Column, set[Column]]
"""Each column with those that its value is made of."""


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
    form_sets = Store(folders.store).form_sets
    made, types = lineage(manifest, form_sets)
    lines = headings(form_sets, manifest, made)
    pages = {
        "kho.html": described.page(manifest, types),
        "bieu-vao-kho.html": _page("Tiêu đề của biểu đi vào cột nào", _SEARCH + _headings_table(lines)),
        "chi-so.html": _page("Bài viết hỏi gì, chỉ số nào trả lời", _indicators_table(form_sets)),
        "index.html": _page("Từ điển dữ liệu", _FIRST),
    }
    out.mkdir(parents=True, exist_ok=True)
    _write_csv(lines, out / "bieu-vao-kho.csv")
    for name, text in pages.items():
        (out / name).write_text(text, encoding="utf-8")
    return out / "index.html"


def _generate(folders: Folders, scratch: Path) -> Path:
    """Let dbt write its documentation; no warehouse is opened but an empty one."""
    environment = {
        **os.environ,
        **dbt_environment(folders, scratch / "kho.duckdb"),
        "DBT_TARGET_PATH": str(scratch / "target"),
        "DBT_LOG_PATH": str(scratch / "logs"),
    }
    dbt = Path(sys.executable).with_name("dbt")
    command = [dbt, "docs", "generate", "--empty-catalog", "--project-dir", DBT, "--profiles-dir", DBT]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        told = [line for line in result.stdout.splitlines() if "Error" in line]
        raise ProblemError(f"dbt không lập được từ điển: {'; '.join(told[:3]) or 'xem nhật ký dbt'}")
    return scratch / "target"


_FIRST = """
<ul>
<li><a href="kho.html">Kho dữ liệu</a>: mô tả mọi bảng và cột, câu lệnh, sơ đồ nguồn gốc, ai đọc bảng nào.</li>
<li><a href="chi-so.html">Bài viết hỏi gì, chỉ số nào trả lời</a>: định nghĩa, tử số, mẫu số, biểu nguồn, căn cứ.</li>
<li><a href="bieu-vao-kho.html">Tiêu đề của biểu đi vào cột nào</a>, bằng tiếng Việt và tiếng Anh
(<a href="bieu-vao-kho.csv">tệp CSV</a>).</li>
</ul>
<p>Một số liệu từ đâu mà có: <code>thucchat trace BẢNG KHÓA CỘT</code></p>
"""

_SEARCH = """
<p><input id="tim" type="search" size="40" placeholder="Tìm tiêu đề, bảng, cột" aria-label="Tìm tiêu đề, bảng, cột"></p>
<script>
document.getElementById("tim").addEventListener("input", function () {
  const wanted = this.value.toLowerCase()
  for (const row of document.querySelectorAll("tbody tr"))
    row.hidden = !row.textContent.toLowerCase().includes(wanted)
})
</script>
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


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>"


HOLDING = ("fct_", "dim_")
"""What the names of tables that hold a form's cells themselves begin with."""
OF_HEADING = ("form_set", "form", "heading", "also", "heading_english", "stored_as")


def _headings_table(lines: Iterable[Line]) -> str:
    """A row a heading; the columns that hold its cells are shown, what is worked out from them unfolds."""
    rows = []
    for of_heading, fed in groupby(lines, key=attrgetter(*OF_HEADING)):
        held, derived, notes = [], [], []
        for mart, columns in groupby(fed, key=attrgetter("mart")):
            told = list(columns)
            if not mart:
                notes += [escape(line.note) for line in told]
                continue
            for place, is_held in ((held, True), (derived, False)):
                named = [_named(line) for line in told if _holds(line) == is_held]
                place += [f"<b>{escape(mart)}</b>: {'; '.join(named)}"] if named else []
        cell = "<br>".join([*notes, *held])
        if derived:
            counted = f"{len(derived)} bảng tính từ đó"
            cell += f"<details><summary>{counted}</summary>{'<br>'.join(derived)}</details>"
        rows.append([*map(escape, of_heading), cell])
    return _table([*(NAMES[name] for name in OF_HEADING), "Đi vào bảng và cột"], rows)


def _named(line: Line) -> str:
    return f"{escape(line.column)} ({escape(line.description)})"


def _holds(line: Line) -> bool:
    """Whether the column is the heading's own cell in a fact or a dimension, not worked out from it."""
    own = {name for stored in line.stored_as.split(", ") for name in (stored, f"is_{stored}")}
    return line.mart.startswith(HOLDING) and line.column in own


def _indicators_table(form_sets: Mapping[str, FormSet]) -> str:
    """What the article asks, and the indicators that answer it; where none does, why."""
    titles = {form.table: form.title for form_set in form_sets.values() for form in form_set.forms}
    answers: dict[str, list[dict[str, str]]] = {}
    for row in read_indicators():
        answers.setdefault(row["question_id"], []).append(row)
    rows = []
    for question in read_questions():
        asked = f"<b>{escape(question['question_vi'])}</b><br>{escape(question['article_says'])}"
        if question["no_number_because"]:
            rows.append([asked, "", escape(question["no_number_because"]), *[""] * 4])
        for row in answers.get(question["question_id"], ()):
            forms = ", ".join(titles.get(form, form) for form in row["source_forms"].split())
            name = f"{escape(row['name_vi'])}<br><code>{escape(row['indicator_id'])}</code>"
            rest = (defined(row), row["unit_of_measure"], forms, row["grain"], row["legal_source"])
            rows.append([asked, name, *map(escape, rest)])
            asked = ""
    return _table(
        ["Bài viết hỏi", "Chỉ số", "Định nghĩa và công thức", "Đơn vị tính", "Biểu nguồn", "Đếm theo", "Căn cứ"], rows
    )


def _write_csv(lines: Iterable[Line], path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(NAMES.values())
        writer.writerows(asdict(line).values() for line in lines)


# --- from headings to columns ------------------------------------------------------------------------------------


def headings(form_sets: Mapping[str, FormSet], manifest: Mapping, made: Made) -> list[Line]:
    """A line for each heading of each form and each column of a mart it feeds, in the order of the forms.

    `made` is the `lineage` of the manifest.
    """
    fed = _fed(manifest, made)
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


def _fed(manifest: Mapping, made: Made) -> dict[Column, set[Column]]:
    """The columns of marts by the column of the store they are made of, through all models between."""
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


def lineage(manifest: Mapping, form_sets: Mapping[str, FormSet]) -> tuple[Made, dict[Column, str]]:
    """Each column of each model with the columns of models, seeds and the store that its value is made of.

    Beside it the type of each column of the store and of the models that declare none, as far as the SQL tells.
    """
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage as trace
    from sqlglot.optimizer.annotate_types import annotate_types
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    schema: dict[str, dict[str, dict[str, str]]] = {"store": _store_columns(form_sets), "seeds": {}}
    types = {
        (f"store.{form}", name): told for form, columns in schema["store"].items() for name, told in columns.items()
    }
    for node in manifest["nodes"].values():
        if node["resource_type"] == "seed":
            with (DBT / node["original_file_path"]).open(encoding="utf-8", newline="") as file:
                declared = node["config"].get("column_types") or {}
                schema["seeds"][node["name"]] = {name: declared.get(name, "varchar") for name in next(csv.reader(file))}
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
        declared = {name: column.get("data_type") for name, column in node["columns"].items()}
        if not all(declared.values()):
            plainer = query.copy()
            for best in [*plainer.find_all(exp.ArgMax)]:  # of the type of what is taken, which sqlglot does not say
                (best.parent if isinstance(best.parent, exp.Filter) else best).replace(exp.Max(this=best.this))
            annotated = annotate_types(plainer, schema=schema, dialect="duckdb")
            told = {one.alias_or_name: one.type.sql("duckdb").lower() for one in annotated.selects if one.type}
            declared |= {name: TYPES.get(told[name], told[name]) for name in told if told[name] not in UNTOLD}
            types |= {(node["name"], name): type_ for name, type_ in declared.items() if type_}
        of_node = {name: declared.get(name) or "varchar" for name in names}
        schema.setdefault(node["schema"], {})[node["name"]] = of_node
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
    return made, types


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


TYPES = {
    "string": "varchar", "int64": "bigint", "int32": "integer", "bool": "boolean", "date32[day]": "date",
    "timestamp[us, tz=UTC]": "timestamp with time zone", "decimal128(9, 6)": "decimal(9, 6)", "text": "varchar",
    "int": "integer", "timestamptz": "timestamp with time zone",
}  # fmt: skip
"""Types of the store's files, and what the reader of SQL calls them, in the words of the warehouse."""
UNTOLD = {"unknown", "null"}


def _store_columns(form_sets: Mapping[str, FormSet]) -> dict[str, dict[str, str]]:
    schemas = {**form_schemas(form_sets), "submissions": SUBMISSION, "counts": COUNTS}
    schemas |= {"sendings": SENDINGS, "obligations": OBLIGATIONS}
    schemas |= {"issues": ISSUES, "queries": ISSUES, "units": UNITS, "cap_exceptions": CAP_EXCEPTIONS}
    schemas |= {
        "successions": SUCCESSIONS,
        "member_identities": MEMBER_IDENTITIES,
        "field_check_draws": FIELD_CHECK_DRAWS,
    }
    return {
        name: {field.name: TYPES.get(str(field.type), str(field.type)) for field in schema}
        for name, schema in schemas.items()
    }


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
