"""Trace: the chain from a figure of a build back to the cells of the files that were sent.

How a figure is found again stands in the yml of its mart (`config.meta.trace`) and travels with every build in
`marts.trace_catalogue`. A figure whose rows give another value than the one shown is not answered.
"""

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pandas as pd

from orchestration.problems import ProblemError
from orchestration.settings import PROJECT, Folders
from orchestration.terminal import hidden
from orchestration.warehouse import CATALOGUE, SHARED, NotBuiltError, Tables, primary_keys
from submissions.originals import Address, Original
from submissions.pseudonyms import load_secret
from submissions.store import Store

if TYPE_CHECKING:
    from ratings.rules import Catalogue

ORGANISATION = "organisation_key"

UNKNOWN = 2
"""Exit code for a mart, key or figure that there is not."""

EXAMPLES = 5

RECORD = re.compile(r"(?:.+_)?record_id(?:_\d+)?")
"""Columns of a trace's rows that name a record of the store."""

SEEDS = PROJECT / "dbt_project" / "seeds"

LISTS = {
    "units.csv": "units.parquet",
    "cap_exceptions.csv": "cap_exceptions.parquet",
    "successions.csv": "successions.parquet",
    "register": "register/obligations.parquet",
    "sendings": "register/sendings.parquet",
}
"""Lists that are no workbook, and what the store keeps of them; ``.csv`` are those of the province."""

LIST_NAMES = {
    "register": "Sổ đăng ký báo cáo",
    "sendings": "Sổ đăng ký: các lần gửi",
    "issues": "Danh sách lỗi và câu hỏi",
}

OUTCOMES = {"tested": ("passed", "found"), "found": ("found",), "not_checked": ("not_checked",)}
"""Outcomes of the subjects that a count of a rule's results is of."""

MOST_SHOWN = 200
"""Letters of a value that are told."""


class TraceError(ProblemError):
    """A figure that cannot be traced; the message says why, and what there is instead."""


@dataclass(frozen=True)
class Place:
    """A cell (or row) that a figure rests on. Nothing of a person is in it but the address."""

    source_hash: str | None
    file: str | None
    unit_code: str | None
    year: int | None
    sending: int | None
    form: str
    sheet: str
    cell: str
    column: str
    record: str
    value: str | None = None
    """What the cell says in the file; None where that was not looked up, or is not to be told."""
    stored: str | None = None
    """What the store keeps of it."""
    agrees: bool | None = None
    """Whether reading the file again gives what the store keeps; None where that was not looked up."""
    problem: str = ""


@dataclass(frozen=True)
class Line:
    """The cells of one column of one sending that a figure rests on, in brief: no file is named."""

    unit_code: str | None
    year: int | None
    sending: int | None
    form: str
    column: str
    rows: int
    cells: str
    """From the first to the last of them."""


@dataclass(frozen=True)
class Figure:
    """A figure with everything it was made of."""

    mart: str
    place: Mapping[str, object]
    """The values of the mart's primary key."""
    column: str
    description: str
    value: object
    formula: str
    sql: str
    recomputed: object
    rows: int
    """How many rows were counted, added or looked up."""
    places: tuple[Place, ...] = ()
    parts: tuple["Figure", ...] = ()
    lines: tuple[Line, ...] = ()
    """The places in brief, where that was asked for."""

    @property
    def key(self) -> str:
        """The key as the command takes it."""
        return ",".join(f"{name}={_text(value)}" for name, value in self.place.items())

    @property
    def is_proven(self) -> bool:
        """Whether every cell was looked up and bears what the store keeps."""
        return all(place.agrees for place in self.places) and all(part.is_proven for part in self.parts)

    def every_line(self) -> Iterator[Line]:
        """The lines of the figure and of its parts."""
        yield from self.lines
        for part in self.parts:
            yield from part.every_line()

    def every_place(self) -> Iterator[tuple["Figure", Place]]:
        """The places of the figure and of its parts."""
        for place in self.places:
            yield self, place
        for part in self.parts:
            yield from part.every_place()

    def as_json(self) -> dict[str, object]:
        """The chain for programs."""
        return {
            "mart": self.mart,
            "key": {name: _plain(value) for name, value in self.place.items()},
            "column": self.column,
            "description": self.description,
            "value": _plain(self.value),
            "formula": self.formula,
            "sql": self.sql,
            "recomputed": _plain(self.recomputed),
            "row_count": self.rows,
            "rows": [{name: value for name, value in vars(place).items()} for place in self.places],
            "parts": [part.as_json() for part in self.parts],
        }

    def as_frame(self) -> pd.DataFrame:
        """A row for each cell, for a list."""
        rows = [
            {"mart": figure.mart, "key": figure.key, "figure": figure.column, "figure_value": _text(figure.value)}
            | {name: value for name, value in vars(place).items() if name != "source_hash"}
            for figure, place in self.every_place()
        ]
        names = ["mart", "key", "figure", "figure_value", *(name for name in Place.__dataclass_fields__)]
        return pd.DataFrame(rows, columns=[name for name in names if name != "source_hash"])


@contextmanager
def tracing(folders: Folders, database: Path | None = None, *, in_brief: bool = False) -> Iterator["Tracer"]:
    """A tracer of a build, by default of the published one; `in_brief` it gives lines instead of places."""
    database = database or folders.published
    if not database.exists():
        raise NotBuiltError(f"Chưa có kho dữ liệu ({database.name}). Hãy chạy: thucchat build")
    with duckdb.connect() as connection:
        place = str(database).replace("'", "''")
        connection.execute(f"attach '{place}' as build (read_only)")
        connection.execute("use build")
        yield Tracer(folders, database, connection, in_brief)


class Tracer:
    """What is asked of one build."""

    def __init__(
        self, folders: Folders, database: Path, connection: duckdb.DuckDBPyConnection, in_brief: bool = False
    ) -> None:
        """`connection` has the build attached and in use."""
        self._in_brief = in_brief
        self._folders = folders
        self._database = database
        self._connection = connection
        self._store = Store(folders.store)
        self._originals: dict[str, Original] = {}
        self._views: set[str] = set()
        self._looked_at: dict[str, pd.DataFrame] = {}
        self._columns: dict[str, dict[str, str]] = {}
        self._traced: dict[tuple, Figure] = {}
        self._kept: tuple = ()
        self._lists: dict[str, tuple[list[tuple[int, dict]], list[tuple[int, dict]]]] = {}

    # --- what there is -------------------------------------------------------------------------------------------

    @cached_property
    def _declared(self) -> dict[str, dict[str, tuple[str, str, dict]]]:
        """By mart and column: description, formula and what the mart says of finding it again."""
        try:
            rows = self._connection.execute(
                f"select mart, figure, figure_description, formula, how from marts.{CATALOGUE} order by all"
            ).fetchall()
        except duckdb.CatalogException as error:
            raise TraceError(
                f"Bản dựng {self._database.stem} có từ trước khi kho mang theo danh mục truy vết. "
                "Hãy dựng lại: thucchat build"
            ) from error
        found: dict[str, dict[str, tuple[str, str, dict]]] = {}
        for mart, figure, description, formula, how in rows:
            found.setdefault(mart, {})[figure] = (description, formula or "", json.loads(how))
        return found

    @cached_property
    def catalogue(self) -> dict[str, dict[str, tuple[str, str, dict]]]:
        """By mart and figure: description, formula and how it is found again."""
        return {mart: figures for mart in self._declared if (figures := self._columns_of(mart, is_traced=True))}

    @cached_property
    def reasons(self) -> dict[str, dict[str, str]]:
        """By mart and column: why it cannot be traced."""
        return {
            mart: {column: told["how"]["why"] for column, (_, _, told) in columns.items()}
            for mart in self._declared
            if (columns := self._columns_of(mart, is_traced=False))
        }

    def _columns_of(self, mart: str, *, is_traced: bool) -> dict[str, tuple[str, str, dict]]:
        keys = {SHARED, *self.primary_key(mart)}
        return {
            column: declared
            for column, declared in self._declared[mart].items()
            if column not in keys and ("why" not in declared[2]["how"]) == is_traced
        }

    def _sets(self, mart: str) -> dict[str, str]:
        """The sets of rows that the figures of a mart are found in: its own, and those it takes from other marts."""
        _, _, told = self._declared[mart].get(SHARED, ("", "", {}))
        taken = [self._sets(other) for other in told.get("with", ())]
        return {name: sql for sets in [*taken, told.get("sets", {})] for name, sql in sets.items()}

    def primary_key(self, mart: str) -> list[str]:
        """The columns that name a row of a mart."""
        return self._keys.get(f"marts.{mart}", [])

    @cached_property
    def _keys(self) -> dict[str, list[str]]:
        return primary_keys(self._connection, "build")

    def columns(self, mart: str) -> dict[str, str]:
        """The types of all columns of a mart, in their order."""
        if mart not in self._columns:
            self._columns[mart] = dict(
                self._connection.execute(
                    "select column_name, data_type from duckdb_columns() where database_name = 'build' "
                    "and schema_name = 'marts' and table_name = ? order by column_index",
                    [mart],
                ).fetchall()
            )
        return self._columns[mart]

    # --- a figure ------------------------------------------------------------------------------------------------

    def figure(self, mart: str, key: str | Mapping[str, object], column: str) -> Figure:
        """The figure with its rows, recomputed; no file is opened.

        Raises `TraceError` where there is none such, or where the rows give another value.
        """
        self._check(mart, column, key)
        return self._trace(mart, self._row(mart, key), column)

    def total(self, mart: str, key: str | Mapping[str, object], column: str) -> Figure:
        """The sum of a figure over all rows that a part of a key names, each of them recomputed."""
        self._check(mart, column, key)
        rows = self._rows(mart, key)
        how = self.catalogue[mart][column][2]["how"]
        if "of" in how or not all(isinstance(row[column], int) and not isinstance(row[column], bool) for row in rows):
            raise TraceError(f"Cột “{column}” của {mart} không phải số đếm nên không cộng được.", UNKNOWN)
        parts = tuple(self._trace(mart, row, column) for row in rows)
        names = [name for name in self._wanted(mart, key) if name in self.primary_key(mart)]
        return Figure(
            mart,
            {name: rows[0][name] for name in names},
            column,
            self.catalogue[mart][column][0],
            sum(row[column] for row in rows),
            f"Cộng {column} của {len(rows)} dòng.",
            "",
            sum(part.recomputed for part in parts),
            len(parts),
            parts=parts,
        )

    def _check(self, mart: str, column: str, key: str | Mapping[str, object]) -> None:
        """Whether there is such a figure; a key that names nothing is told before why a column has no trace."""
        figures = self.catalogue.get(mart)
        if column in self.reasons.get(mart, {}):
            self._rows(mart, key)
            raise TraceError(f"Không truy vết {mart}.{column}: {self.reasons[mart][column]}", UNKNOWN)
        if mart in self.reasons and column not in self.columns(mart):
            raise TraceError(
                f"Cột “{column}” không có trong bảng. Các cột của {mart}: {', '.join(self.columns(mart))}.", UNKNOWN
            )
        if figures is None:
            raise TraceError(
                f"Không truy vết được bảng “{mart}”. Các bảng truy vết được: {', '.join(self.catalogue)}.", UNKNOWN
            )
        if column not in figures:
            is_key = column in self.primary_key(mart)
            why = "là khóa của dòng, không phải số liệu" if is_key else "không có trong bảng"
            raise TraceError(f"Cột “{column}” {why}. Các cột truy vết được của {mart}: {', '.join(figures)}.", UNKNOWN)

    def _wanted(self, mart: str, key: str | Mapping[str, object]) -> dict[str, object]:
        """The values by column that a key asks for."""
        names = self.primary_key(mart)
        wanted = dict(key) if isinstance(key, Mapping) else _parsed(key, names)
        if not wanted or set(wanted) - set(self.columns(mart)):
            raise TraceError(
                f"Khóa “{key}” viết chưa đúng. Khóa của {mart} gồm: {', '.join(names)}; "
                f"ví dụ: {'; '.join(self._examples(mart, {}))}.",
                UNKNOWN,
            )
        return wanted

    def _rows(self, mart: str, key: str | Mapping[str, object]) -> list[dict[str, object]]:
        """The rows of a mart that a key, or a part of one, names; there is at least one."""
        wanted = self._wanted(mart, key)
        condition = " and ".join(f'cast("{name}" as varchar) = ?' for name in wanted)
        found = self._connection.execute(
            f'select * from marts."{mart}" where {condition} order by all', [_text(value) for value in wanted.values()]
        )
        titles = [item[0] for item in found.description]
        rows = [dict(zip(titles, row, strict=True)) for row in found.fetchall()]
        if not rows:
            raise self._not_one("Không có dòng nào", mart, key)
        return rows

    def _row(self, mart: str, key: str | Mapping[str, object]) -> dict[str, object]:
        """The row of a mart that a key names."""
        row, *others = self._rows(mart, key)
        if others:
            raise self._not_one("Có hơn một dòng", mart, key)
        return row

    def _not_one(self, why: str, mart: str, key: str | Mapping[str, object]) -> TraceError:
        wanted = self._wanted(mart, key)
        known, near = self._nearest(mart, wanted)
        given = [name for name in self.primary_key(mart) if name in wanted]
        unknown = f" (không có {given[known]} “{_text(wanted[given[known]])}”)" if near and known < len(given) else ""
        there = "; ".join(near) or "bảng không có dòng nào"
        names = ", ".join(self.primary_key(mart))
        told = f"{why} của {mart} có khóa “{key}”{unknown}. Khóa gồm: {names}; các dòng gần nhất: {there}."
        return TraceError(told, UNKNOWN)

    def _examples(self, mart: str, wanted: Mapping[str, object]) -> list[str]:
        """Keys of rows that agree with as much of a wanted key as any do."""
        return self._nearest(mart, wanted)[1]

    def _nearest(self, mart: str, wanted: Mapping[str, object]) -> tuple[int, list[str]]:
        """How many columns of a wanted key any rows agree with, from its first on, and the keys of some of these."""
        names = self.primary_key(mart)
        given = [name for name in names if name in wanted]
        for length in range(len(given), -1, -1):
            condition = " and ".join(["true", *(f'cast("{name}" as varchar) = ?' for name in given[:length])])
            rows = self._connection.execute(
                f'select {", ".join(names)} from marts."{mart}" where {condition} order by all limit {EXAMPLES}',
                [_text(wanted[name]) for name in given[:length]],
            ).fetchall()
            if rows:
                return length, ["/".join(map(_text, row)) for row in rows]
        return 0, []

    def _trace(self, mart: str, row: Mapping[str, object], column: str) -> Figure:
        place = {name: row[name] for name in self.primary_key(mart)}
        asked = (mart, *place.values(), column)
        if asked not in self._traced:
            self._traced[asked] = self._found_again(mart, place, row, column)
        return self._traced[asked]

    def _found_again(self, mart: str, place: Mapping[str, object], row: Mapping[str, object], column: str) -> Figure:
        description, formula, told = self.catalogue[mart][column]
        how, sets = _case(told["how"], row), self._sets(mart)
        formula = self._said(how.get("formula", formula), row)
        figure = Figure(mart, place, column, description, row[column], formula, "", None, 0)
        if told.get("rules"):
            figure = self._of_rules(figure, told["rules"])
        elif "of" in how:
            figure = self._of_parts(figure, row, how)
        elif "each" in how:
            figure = self._of_each(figure, row, how, sets)
        else:
            figure = self._of_rows(figure, row, how, sets)
        if not _same(figure.value, figure.recomputed):
            raise TraceError(
                f"Không trả lời: {mart} ({figure.key}) ghi {column} = {_text(figure.value) or 'trống'}, "
                f"nhưng tính lại từ {figure.rows} dòng thì được {_text(figure.recomputed) or 'trống'}. "
                "Kho và các bảng chi tiết không khớp nhau; hãy dựng lại kho: thucchat build"
            )
        return figure

    def _of_parts(self, figure: Figure, row: Mapping[str, object], how: Mapping) -> Figure:
        """A figure made of other figures of its row, each of them recomputed."""
        parts = tuple(self._trace(figure.mart, row, name) for name in how["of"])
        instead = ", ".join(f'cast($part_{part.column} as {self.columns(figure.mart)[part.column]}) as "{part.column}"'
                            for part in parts)  # fmt: skip
        condition = " and ".join(f'"{name}" = $key_{name}' for name in figure.place)
        replaced = f"* replace ({instead})" if parts else "*"
        sql = f'select {how["value"]} from (select {replaced} from marts."{figure.mart}" where {condition}) as facts'
        values = {f"part_{part.column}": part.recomputed for part in parts}
        values |= {f"key_{name}": value for name, value in figure.place.items()}
        (recomputed,) = self._run(sql, values).fetchone()
        return replace(figure, sql=sql, recomputed=recomputed, rows=len(parts), parts=parts)

    def _of_each(self, figure: Figure, row: Mapping[str, object], how: Mapping, sets: Mapping[str, str]) -> Figure:
        """A figure made of a part for each row of a set: a figure of another mart, or what the rows of a group give."""
        part = how["part"]
        found = self._run(f"{_with({'set': how['each']}, sets)} select * from ({how['each']}) order by all", row)
        titles = {item[0]: str(item[1]) for item in found.description}
        each = [dict(zip(titles, values, strict=True)) for values in found.fetchall()]
        if "mart" in part:
            names = self.primary_key(part["mart"])
            kind = self.columns(part["mart"])[part["column"]]
            parts = tuple(
                self._trace(part["mart"], self._row(part["mart"], {name: one[name] for name in names}), part["column"])
                for one in each
            )
        else:
            kind = self.columns(figure.mart)[figure.column]
            parts = tuple(self._group(figure, {**row, **one}, one, part, sets) for one in each)
        types = [*titles.values(), kind]
        values = {
            f"v_{at}_{position}": value
            for at, (one, told) in enumerate(zip(each, parts, strict=True))
            for position, value in enumerate((*one.values(), told.recomputed))
        }
        rows = ", ".join(
            "(" + ", ".join(f"cast($v_{at}_{position} as {type_})" for position, type_ in enumerate(types)) + ")"
            for at in range(len(each))
        )
        nothing = ", ".join(f"cast(null as {type_})" for type_ in types)
        source = f"values {rows}" if rows else f"select {nothing} where false"
        names = ", ".join(f'"{title}"' for title in (*titles, "part"))
        sql = f"select {how['value']} from ({source}) as facts ({names})"
        (recomputed,) = self._run(sql, {**row, **values}).fetchone()
        told = f"select {how['value']} from ({how['each']}) as facts"
        return replace(figure, sql=told, recomputed=recomputed, rows=len(parts), parts=parts)

    def _group(
        self,
        figure: Figure,
        row: Mapping[str, object],
        own: Mapping[str, object],
        how: Mapping,
        sets: Mapping[str, str],
    ) -> Figure:
        """What the rows of one group of a figure give; `own` is what names the group."""
        place = {name: value for name, value in own.items() if name in how["key"]}
        formula = self._said(how["formula"], row)
        group = Figure(figure.mart, place, figure.column, figure.description, None, formula, "", None, 0)
        found = self._of_rows(group, row, how, sets)
        return replace(found, value=found.recomputed)

    def _said(self, formula: str, row: Mapping[str, object]) -> str:
        """A formula in words; one that depends on the row is a query for them."""
        if not formula.startswith("select "):
            return formula
        told = self._run(formula, row).fetchone()
        return str(told[0]) if told and told[0] else ""

    def _of_rows(self, figure: Figure, row: Mapping[str, object], how: Mapping, sets: Mapping[str, str]) -> Figure:
        """A figure counted, added or looked up in rows."""
        how = {**how, "set": how["set"].format_map(row)}
        if "kept" in how:
            how["set"] = self._keep(how, row, sets)
        head = _with(how, sets)
        chosen = f"select * from {how['set']} as facts"
        if "where" in how:
            chosen += f" where {how['where']}"
        if "pick" in how:
            chosen += f" order by {how['pick']} desc limit 1"
        (recomputed,) = self._run(f"{head} select {how['value']} from ({chosen}) as facts", row).fetchone()
        found = self._run(f"{head} {chosen}", row)
        titles = [item[0] for item in found.description]
        rows = [dict(zip(titles, values, strict=True)) for values in found.fetchall()]
        places, lines = self._evidence(rows, how.get("cells", ""))
        if "beside" in how and not self._in_brief:
            found = self._run(f"{_with({'set': how['beside']}, sets)} {how['beside']}", row)
            titles = [item[0] for item in found.description]
            others = [dict(zip(titles, values, strict=True)) for values in found.fetchall()]
            places = _distinct((*places, *self._evidence(others, "")[0]))
        sql = f"{head} select {how['value']} from ({chosen}) as facts"
        return replace(figure, sql=sql, recomputed=recomputed, rows=len(rows), places=places, lines=lines)

    def _keep(self, how: Mapping, row: Mapping[str, object], sets: Mapping[str, str]) -> str:
        """The name of a table of the rows of a set, in which the groups of a figure are found one after the other."""
        asked = (how["set"], *(row[name] for name in how["kept"]))
        if asked != self._kept:
            self._run(f"create or replace temp table kept as {_with(how, sets)} select * from {how['set']}", row)
            self._kept = asked
        return "temp.main.kept"

    def _run(self, sql: str, values: Mapping[str, object]) -> duckdb.DuckDBPyConnection:
        """Run a statement of the catalogue with the values of a row; `store.x` is what the store keeps of form x."""
        for name in set(re.findall(r"\bstore\.(\w+)", sql)) - self._views:
            self._show(name)
        for name in set(re.findall(r"\bevery\.(\w+)", sql)):
            # All sendings, in force or not.
            files = sorted(self._store.form(name).glob("*.parquet"))
            sql = re.sub(rf"\bevery\.{name}\b", _parquet(files), sql)
        sql = re.sub(r"\bstore\.(\w+)", r"temp.main.store_\1", sql)
        named = {name: values[name] for name in set(re.findall(r"\$(\w+)", sql))}
        return self._connection.execute(sql, named)

    def _show(self, name: str) -> None:
        """Make a view of a list of the store, or of the records of a form in the sendings that this build counts."""
        lists = {Path(path).stem: path for path in LISTS.values()}
        if name in lists:
            source = _parquet([self._folders.store / lists[name]])
            self._connection.execute(f"create temp view store_{name} as select * from {source}")
        elif name == "issues":
            files = [path for kind in ("issues", "queries") for path in (self._folders.store / kind).glob("*.parquet")]
            self._connection.execute(f"create temp table store_issues as select * from {_parquet(sorted(files))}")
        else:
            folder = self._store.submissions if name == "submissions" else self._store.form(name)
            files = [folder / "_schema.parquet", *(folder / f"{hash_}.parquet" for hash_ in self._in_force)]
            source = _parquet([path for path in files if path.exists()])
            told = "" if name == "submissions" else (
                f", substr(records.source_hash, 1, 16) || '/{name}/' || cast(records.row as varchar) as record_id, "
                "sent.unit_code, sent.year"
            )  # fmt: skip
            self._connection.execute(
                f"create temp view store_{name} as select records.*{told} from {source} as records "
                "inner join build.marts.fct_submission as sent on records.source_hash = sent.source_hash"
            )
        self._views.add(name)

    @cached_property
    def _in_force(self) -> list[str]:
        return [
            name
            for (name,) in self._connection.execute(
                "select source_hash from marts.fct_submission where is_in_force order by source_hash"
            ).fetchall()
        ]

    # --- what the rules found ------------------------------------------------------------------------------------

    @cached_property
    def _rules(self) -> "Catalogue":
        from ratings.rules import load_rules

        return load_rules()

    @cached_property
    def _judged(self) -> dict[str, pd.DataFrame]:
        """What the rules say of this build's marts today."""
        from ratings.contradictions import find_contradictions

        found = find_contradictions(Tables(self._database), self._rules)
        return {"findings": found.findings, "results": found.results}

    @cached_property
    def _typed(self) -> Mapping[str, pd.DataFrame]:
        from ratings.marts import typed

        return typed(Tables(self._database))

    def _subjects(self, rule_id: str) -> pd.DataFrame:
        """What a rule looked at in this build's marts, with the outcomes."""
        from ratings.contradictions import RULES

        if rule_id not in self._looked_at:
            rule = next(rule for rule in self._rules.rules if rule.id == rule_id)
            self._looked_at[rule_id] = RULES[rule_id](self._typed, rule, self._rules)
        return self._looked_at[rule_id]

    def _of_rules(self, figure: Figure, which: str) -> Figure:
        """A figure that the rules gave: they are applied to the marts once more."""
        frame = self._judged[which]
        mask = pd.Series(True, frame.index)
        for name, value in figure.place.items():
            mask &= frame[name].fillna("UNKNOWN").astype("str") == _text(value)
        (row,) = frame[mask].to_dict("records") or [{}]
        recomputed = row.get(figure.column)
        if which == "results":
            looked_at = self._subjects(str(figure.place["rule_id"]))
            same = (looked_at["year"] == figure.place["year"]) & (looked_at["unit_code"] == figure.place["unit_code"])
            outcomes = OUTCOMES.get(figure.column)
            rows = looked_at[same & (looked_at["outcome"].isin(outcomes) if outcomes else True)]
            count = int(rows["cases"].sum())
        else:
            rows, count = frame[mask], int(mask.sum())
        places, lines = self._evidence(rows[["record_id_1", "record_id_2"]].to_dict("records"), "")
        return replace(
            figure,
            formula=f"Quy tắc {_text(row.get('rule_id'))}, áp dụng lại cho các bảng của bản dựng.",
            sql="ratings.contradictions.find_contradictions",
            recomputed=None if pd.isna(recomputed) else recomputed,
            rows=count,
            places=places,
            lines=lines,
        )

    # --- places --------------------------------------------------------------------------------------------------

    def _evidence(self, rows: list[dict[str, object]], cells: str) -> tuple[tuple[Place, ...], tuple[Line, ...]]:
        """The places of the rows of a trace, or their lines."""
        if self._in_brief:
            return (), tuple(self._lines(rows, cells))
        return _distinct(place for one in rows for place in self._places(one, cells)), ()

    def _lines(self, rows: list[dict[str, object]], cells: str) -> Iterator[Line]:
        """The records of rows, by sending, form and column."""
        titles = [title for title in (rows[0] if rows else ()) if RECORD.fullmatch(title)]
        by_cells: dict[tuple[str, str, str], set[int]] = {}
        for row in rows:
            own = row.get("cells") or cells
            for title in titles:
                if isinstance(value := row[title], str):
                    prefix, table, number = value.split("/")
                    by_cells.setdefault((prefix, table, own), set()).add(int(number))
        found: dict[tuple[str, str, str | None], set[int]] = {}
        for (prefix, table, own), numbers in by_cells.items():
            for name in [name.strip() for name in own.split(",") if name.strip()] or [None]:
                found.setdefault((prefix, table, name), set()).update(numbers)
        for (prefix, table, name), numbers in sorted(found.items(), key=str):
            original = self._original(prefix)
            first, last = (original.address(table, number, name) for number in (min(numbers), max(numbers)))
            about = original.about
            yield Line(
                about.get("unit_code"),
                None if about.get("year") is None else int(about["year"]),
                self._numbers.get(original.source_hash),
                first.form,
                first.heading,
                len(numbers),
                first.cell if first == last else f"{first.cell} … {last.cell}",
            )

    def _places(self, row: Mapping[str, object], cells: str) -> Iterator[Place]:
        """Where one row of a trace stands: in a file that was sent, in a list, or in a seed."""
        names = [name.strip() for name in str(row.get("cells") or cells).split(",") if name.strip()]
        records = [value for title, value in row.items() if RECORD.fullmatch(title) and isinstance(value, str)]
        for record in records:
            yield from self._in_file(record, names)
        # A row that is no record is a sending as a whole.
        is_listed = isinstance(row.get("list"), str)
        if not records and not is_listed and isinstance(source_hash := row.get("source_hash"), str):
            yield from self._on_cover(source_hash, names)
        if is_listed and "at" in row:
            yield self._in_issues(str(row["list"]), row)
        elif is_listed:
            yield from self._in_list(str(row["list"]), str(row["place"]), names)

    def _in_file(self, record: str, names: list[str]) -> Iterator[Place]:
        prefix, table, row = record.split("/")
        original = self._original(prefix)
        for name in names or [None]:
            address = original.address(table, int(row), name)
            stored = None if address.is_personal else _text(original.stored(table, int(row), name))
            yield self._place(original, address, f"{record}#{name or ''}", stored)

    def _on_cover(self, source_hash: str, names: list[str]) -> Iterator[Place]:
        original = self._original(source_hash)
        for name in names:
            address = Address("", "", "Trang bìa", "", name, is_personal=False)
            yield self._place(original, address, f"{source_hash[:16]}/cover/0#{name}", _text(original.about.get(name)))

    def _place(self, original: Original, address: Address, record: str, stored: str | None) -> Place:
        about = original.about
        return Place(
            source_hash=original.source_hash,
            file=_text(about.get("file_name")) or None,
            unit_code=about.get("unit_code"),
            year=None if about.get("year") is None else int(about["year"]),
            sending=self._numbers.get(original.source_hash),
            form=address.form,
            sheet=address.sheet,
            cell=address.cell,
            column=address.heading,
            record=record,
            stored=stored,
        )

    def _in_issues(self, listed: str, row: Mapping[str, object]) -> Place:
        """An entry of a list that is about a cell of a sending."""
        source_hash = str(row["source_hash"])
        about = self._original(source_hash).about
        cell, sheet, form = (_text(row[name]) for name in ("at", "sheet", "form"))
        record = f"{listed}/{source_hash[:16]}/{sheet}/{cell}/{row['rule']}#"
        return Place(
            None, LIST_NAMES[listed], about.get("unit_code"), about.get("year"), self._numbers.get(source_hash), form,
            sheet, cell, "", record, _text(row["rule"]), _text(row["rule"]), agrees=True,
        )  # fmt: skip

    def _in_list(self, listed: str, place: str, names: list[str]) -> Iterator[Place]:
        """Lines of a seed or of one of the province's lists, found by the values that name them."""
        wanted = dict(part.split("=", 1) for part in place.split(","))
        kept, lines = ([one for one in every if _is_line(one[1], wanted)] for every in self._list(listed))
        if len(lines) != len(kept):
            # What is computed has no lines, nor has a list that was taken away since.
            lines = [(None, line) for _, line in kept]
        told = LIST_NAMES.get(listed, f"seeds/{listed.removeprefix('seed/')}.csv" if "/" in listed else listed)
        for (number, line), (_, stored) in zip(lines, kept, strict=True):
            at = place if number is None else f"dòng {number}"
            for name in names or [next(iter(wanted))]:
                value, in_store = _text(line.get(name)), _text(stored.get(name))
                yield Place(
                    None, told, wanted.get("unit_code"), None, None, "Danh mục", "", at, name,
                    f"{listed}/{at}#{name}", value, in_store, agrees=_is_same_text(value, in_store),
                )  # fmt: skip

    def _list(self, listed: str) -> tuple[list[tuple[int, dict]], list[tuple[int, dict]]]:
        """The lines of a list as they are kept, and as they lie in its file today with their numbers."""
        if listed not in self._lists:
            is_seed = listed.startswith("seed/")
            path = SEEDS / f"{listed.removeprefix('seed/')}.csv" if is_seed else self._folders.data / listed
            lines = _csv_lines(path) if path.suffix == ".csv" and path.exists() else []
            kept = lines
            if not is_seed:
                frame = pd.read_parquet(self._folders.store / LISTS[listed])
                kept = list(enumerate(frame.to_dict("records")))
            self._lists[listed] = kept, lines
        return self._lists[listed]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Which sending of its unit and year a file was, as receipts count them."""
        return dict(
            self._connection.execute(
                "select source_hash, min(number) from marts.fct_sending where number is not null group by source_hash"
            ).fetchall()
        )

    @cached_property
    def _secret(self) -> bytes:
        folder = self._folders.data / "secrets"
        return load_secret(folder) if (folder / "member_key").exists() else b""

    def _original(self, source_hash: str) -> Original:
        """The sending of a hash, or of the first signs of one."""
        if source_hash not in self._originals:
            (whole,) = self._connection.execute(
                "select source_hash from marts.fct_submission where starts_with(source_hash, ?)", [source_hash]
            ).fetchone() or (source_hash,)
            known = self._originals.get(whole) or Original(self._store, whole, self._secret)
            self._originals |= {whole: known, source_hash: known}
        return self._originals[source_hash]

    # --- the files -----------------------------------------------------------------------------------------------

    def look_up(self, figure: Figure) -> Figure:
        """The same figure with what the cells say in the files, each read again and compared with the store."""
        return replace(
            figure,
            places=tuple(place if place.source_hash is None else self._looked_up(place) for place in figure.places),
            parts=tuple(self.look_up(part) for part in figure.parts),
        )

    def _looked_up(self, place: Place) -> Place:
        original = self._original(str(place.source_hash))
        if original.problem:
            return replace(place, agrees=False, problem=original.problem)
        record, name = place.record.rsplit("#", 1)
        _, table, row = record.split("/")
        if table == "cover":
            address = original.cover(name)
            if address is None:
                return replace(place, agrees=False, problem="trang bìa không có nhãn này")
            value = original.value(address)
            place = replace(place, sheet=address.sheet, cell=address.cell, column=address.heading)
            return replace(place, value=hidden(value[:MOST_SHOWN]), agrees=_on_cover(value, place.stored))
        address = original.address(table, int(row), name or None)
        agrees = original.agrees(table, int(row), name or None)
        problem = "" if agrees else "tệp gốc đọc lại khác với kho"
        value = None if address.is_personal or address.column is None else hidden(original.value(address)[:MOST_SHOWN])
        return replace(place, value=value, agrees=agrees, problem=problem)


def _on_cover(value: str, stored: str | None) -> bool:
    """Whether a cell of the cover says what the store keeps: a year may stand in words ("Năm 2024")."""
    return bool(stored) and (value == stored or str(stored) in value)


def _with(how: Mapping, sets: Mapping[str, str]) -> str:
    """The sets that a figure needs, each after those it is made of."""
    ordered: list[str] = []

    def need(text: str, above: tuple[str, ...] = ()) -> None:
        for name in sets:
            if name not in (*ordered, *above) and re.search(rf"(?<![.\w]){name}\b", text):
                need(sets[name], (*above, name))
                ordered.append(name)

    need(" ".join([how["set"], how.get("where", ""), how.get("value", "")]))
    return "with " * bool(ordered) + ", ".join(f"{name} as ({sets[name]})" for name in ordered)


def _case(how: Mapping, row: Mapping[str, object]) -> Mapping:
    """How a figure is found again, where that depends on a column of its row."""
    if not how.get("by"):
        return how
    cases = how["cases"]
    return _case({**how, "by": None, **cases.get(_text(row[how["by"]]), cases.get("else", {}))}, row)


def _csv_lines(path: Path) -> list[tuple[int, dict]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        return [
            (reader.line_num, {key: (value or "").strip() for key, value in line.items() if key}) for line in reader
        ]


def _is_line(line: Mapping[str, object], wanted: Mapping[str, str]) -> bool:
    return all(_text(line.get(name)) == value for name, value in wanted.items())


def _is_same_text(one: str, other: str) -> bool:
    """Whether two cells say the same; a share may be written with a comma or with more zeros, and 1 left out."""
    try:
        return Decimal(one.replace(",", ".") or other or 0) == Decimal(other.replace(",", ".") or 0)
    except InvalidOperation:
        return one == other


def _distinct(places: Iterable[Place]) -> tuple[Place, ...]:
    found = {place.record: place for place in places}
    return tuple(sorted(found.values(), key=_order))


def _order(place: Place) -> tuple:
    number = re.search(r"\d+", place.cell)
    return (
        place.year or 0, place.unit_code or "", place.source_hash or "", place.sheet, place.form,
        int(number[0]) if number else 0, place.cell, place.record,
    )  # fmt: skip


def _parsed(key: str, names: list[str]) -> dict[str, object]:
    """A key as it is typed: ``year=2024,unit_code=67.001``, or the values alone with ``/`` between."""
    starts = [match for match in re.finditer(r"(?:^|,)\s*(\w+)\s*=", key)]
    if starts and starts[0].start() == 0:
        ends = [*(match.start() for match in starts[1:]), len(key)]
        return {match[1]: key[match.end() : end].strip() for match, end in zip(starts, ends, strict=True)}
    values = [key] if len(names) == 1 else key.split("/")
    # An organisation's own value has a stroke: unit/organisation.
    if (more := len(values) - len(names)) > 0 and ORGANISATION in names:
        at = names.index(ORGANISATION)
        values[at : at + more + 1] = ["/".join(values[at : at + more + 1])]
    return dict(zip(names, (value.strip() for value in values), strict=True)) if len(values) == len(names) else {}


def _parquet(files: list[Path]) -> str:
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in files)
    return f"read_parquet([{listed}], union_by_name = true)"


def _same(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is None and other is None
    if isinstance(one, bool) or isinstance(other, bool):
        return bool(one) == bool(other)
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return one == other
    try:
        return math.isclose(float(one), float(other), rel_tol=1e-12, abs_tol=1e-12)
    except (TypeError, ValueError):
        return str(one) == str(other)


def _text(value: object) -> str:
    """A value as it is told and as keys are compared."""
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return str(value)


def told(value: object) -> str:
    """A value as it is shown on the screen."""
    if isinstance(value, bool):
        return "có" if value else "không"
    if isinstance(value, Decimal):
        return _text(value).replace(".", ",")
    if isinstance(value, float) and not value.is_integer():
        return repr(value).replace(".", ",")
    return _text(value) or "(trống)"


def _plain(value: object) -> object:
    """A value as JSON takes it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return float(value) if hasattr(value, "as_tuple") else str(value)
