"""Form sets: the agreement with the units as data. One YAML file a version; a new version is a new file and no code."""

import re
from datetime import date
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from submissions.text import fold, strip_marks

FOLDER = Path(__file__).parent / "form_sets"

Effect = Literal["hold", "blank", "report"]
"""What an unlawful cell does: the row is held back; the cell is left empty and the row loads; or it is only told."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


class ListValue(_Part):
    """One value of a list with the other spellings it is known by."""

    value: str
    also: tuple[str, ...] = ()


class Reference(_Part):
    """Where a code must be found: a form of the same workbook, in rows that meet `where`."""

    form: str
    column: str
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    or_unit: bool = False
    """The reporting unit's own code is allowed too."""
    or_superior: bool = False
    """Codes that the unit's own code begins with (the province) are allowed too."""
    described: str
    """Vietnamese: what the code has to be, for messages."""


class Column(_Part):
    """One column of a form."""

    key: str
    heading: str
    also: tuple[str, ...] = ()
    type: Literal["text", "code", "integer", "number", "date", "mark"]
    required: bool = False
    list: str | None = None
    allowed: tuple[int, ...] = ()
    min: float | None = None
    max: float | None = None
    pattern: str | None = None
    pattern_described: str | None = None
    within: Literal["year", "year_and_quarter", "until_year_end"] | None = None
    reference: Reference | None = None
    references_by: dict[str, dict[str, Reference]] = Field(default_factory=dict)
    """``{column: {its value: reference}}``: what the code refers to depends on another column."""
    on_error: Effect
    privacy: Literal["name", "birth_date", "card"] | None = None
    """Names stop here; of a birth date the year is kept; a card number becomes a pseudonymous key."""
    card_when: dict[str, str] = Field(default_factory=dict)
    """``{column: value}``: the code is a card number only in rows where that column has that value."""
    stored_as: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_effect(cls, data: dict) -> dict:
        if isinstance(data, dict) and "on_error" not in data:
            hold = data.get("type") in {"code", "integer", "number"} or data.get("list") == "level"
            data = {**data, "on_error": "hold" if hold else "blank"}
        return data

    @property
    def stored_columns(self) -> tuple[tuple[str, str], ...]:
        """Names and types of what the store keeps of the column; nothing of a name."""
        if self.privacy == "name":
            return ()
        name = self.stored_as or self.key
        if self.card_when:
            stem = name.removesuffix("_code")
            return (f"{stem}_org_code", "text"), (f"{stem}_member_key", "text")
        return ((name, "integer" if self.privacy == "birth_date" else self.type),)

    @cached_property
    def headings(self) -> frozenset[str]:
        """Folded spellings of the heading."""
        return frozenset(fold(heading) for heading in (self.heading, *self.also))


class Relation(_Part):
    """``left <= right`` between two cells of a row, both filled."""

    rule: str
    left: str
    right: str
    report_at: str
    described: str
    on_error: Effect = "hold"


class OnlyWith(_Part):
    """`column` may be filled only where `needs` is."""

    rule: str
    column: str
    needs: str
    report_at: str
    described: str
    on_error: Effect = "hold"


class ExactlyOne(_Part):
    """Of two columns exactly one is filled: a level where the subject is rated, else the reason why not."""

    level: str
    reason: str
    on_error: Effect = "hold"


class Equation(_Part):
    """``line = sum(plus) - sum(minus)`` between rows of a form of totals."""

    line: str
    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()


class Equations(_Part):
    """Equations between the rows of a form of totals."""

    line: str
    value: str
    of: tuple[Equation, ...]


class OneRowForEach(_Part):
    """Every row of another form that meets `where` has one row here."""

    form: str
    column: str
    here: str
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    described: str


class Identity(_Part):
    """The columns that tell a subject without its code, and the form that holds the same subjects."""

    columns: tuple[str, ...]
    partner: str


class Form(_Part):
    """One form: a table in a sheet."""

    table: str
    title: str
    name: str
    sheet: str
    row_key: tuple[str, ...]
    unique: tuple[str, ...] = ()
    identity: Identity | None = None
    columns: tuple[Column, ...]
    relations: tuple[Relation, ...] = ()
    only_with: tuple[OnlyWith, ...] = ()
    exactly_one: ExactlyOne | None = None
    equations: Equations | None = None
    one_row_for_each: OneRowForEach | None = None

    @cached_property
    def by_key(self) -> dict[str, Column]:
        """Columns by key."""
        return {column.key: column for column in self.columns}

    @cached_property
    def by_heading(self) -> dict[str, Column]:
        """Columns by folded heading."""
        return {heading: column for column in self.columns for heading in column.headings}

    @cached_property
    def indispensable(self) -> frozenset[str]:
        """Keys of the columns without whose headings the form cannot be read: required ones, levels and reasons."""
        either = (self.exactly_one.level, self.exactly_one.reason) if self.exactly_one else ()
        return frozenset(
            column.key for column in self.columns if column.required or column.list == "level" or column.key in either
        )

    def is_sheet(self, name: str) -> bool:
        """Whether a sheet name, however drifted, is this form's."""
        return _sheet_name(name) == _sheet_name(self.sheet)


class Cover(_Part):
    """The cover sheet: labels with the value beside them."""

    sheet: str
    fields: tuple[Column, ...]


class Years(_Part):
    """First and last year (inclusive) that a version is agreed for."""

    first: int | None = None
    last: int | None = None


class FormSet(_Part):
    """One version of a form set."""

    form_set: str
    title: str
    kind: Literal["unit", "register"]
    years: Years = Years()
    cover: Cover | None = None
    lists: dict[str, tuple[ListValue, ...]] = Field(default_factory=dict)
    total_rows: tuple[str, ...]
    end_of_table: tuple[str, ...]
    forms: tuple[Form, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "FormSet":
        tables = {form.table: form for form in self.forms}
        problems = []
        if (self.kind == "unit") != (self.cover is not None):
            problems.append("a unit's form set has a cover, a register has none")
        for form in self.forms:
            problems += [f"{form.title}: {problem}" for problem in _problems(form, tables, self.lists)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def by_table(self) -> dict[str, Form]:
        """Forms by table."""
        return {form.table: form for form in self.forms}

    @cached_property
    def spellings(self) -> dict[str, dict[str, str]]:
        """Per list: folded spelling -> value."""
        return {
            name: {fold(spelling): item.value for item in items for spelling in (item.value, *item.also)}
            for name, items in self.lists.items()
        }


def _problems(form: Form, tables: dict[str, Form], lists: dict[str, tuple[ListValue, ...]]) -> list[str]:
    """What is wrong with a form as data: unknown columns, lists and forms, one heading for two columns."""
    own = {column.key for column in form.columns}
    named = [*form.row_key, *form.unique]
    for relation in form.relations:
        named += [relation.left, relation.right, relation.report_at]
    for rule in form.only_with:
        named += [rule.column, rule.needs, rule.report_at]
    if form.exactly_one:
        named += [form.exactly_one.level, form.exactly_one.reason]
    if form.equations:
        named += [form.equations.line, form.equations.value]
    found = [f"no column {key!r}" for key in named if key not in own]
    if len(own) != len(form.columns):
        found.append("a column key stands twice")
    headings = [heading for column in form.columns for heading in column.headings]
    found += [f"two columns with the heading {heading!r}" for heading in {*headings} if headings.count(heading) > 1]
    places: list[tuple[str, str, dict]] = []
    for column in form.columns:
        if column.list is not None and column.list not in lists:
            found.append(f"{column.key}: no list {column.list!r}")
        if column.pattern is not None:
            re.compile(column.pattern)
        references = [column.reference] if column.reference else []
        found += [
            f"{column.key}: no column {by!r}" for by in (*column.references_by, *column.card_when) if by not in own
        ]
        for choices in column.references_by.values():
            references += choices.values()
        places += [(reference.form, reference.column, reference.where) for reference in references]
    if form.one_row_for_each:
        rule = form.one_row_for_each
        places.append((rule.form, rule.column, rule.where))
    if form.identity:
        places += [(form.identity.partner, key, {}) for key in form.identity.columns]
    for table, key, where in places:
        # A register refers to the units' forms, which are other files: such a reference is judged in the warehouse.
        if table not in tables:
            found.append(f"no form {table!r}")
            continue
        other = {column.key for column in tables[table].columns}
        found += [f"{table} has no column {name!r}" for name in (key, *where) if name not in other]
    return found


def _sheet_name(name: str) -> str:
    return re.sub(r"\bso (?=\d)", "", strip_marks(name)).replace(" ", "")


def _merged(base: object, change: object) -> object:
    """`base` with `change` laid over it: mappings key by key, lists of keyed items item by item."""
    if isinstance(base, dict) and isinstance(change, dict):
        return {**base, **{key: _merged(base.get(key), value) for key, value in change.items()}}
    if isinstance(base, list) and isinstance(change, list) and change and isinstance(change[0], dict):
        name = next((name for name in ("key", "table", "rule") if name in change[0]), None)
        if name:
            changes = {item[name]: item for item in change}
            kept = [_merged(item, changes.pop(item[name], {})) for item in base]
            return kept + list(changes.values())
    return change


def _read_yaml(path: Path) -> dict:
    data = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    base = data.pop("extends", None)
    return data if base is None else _merged(_read_yaml(path.with_name(f"{base}.yaml")), data)


@cache
def load_form_sets(folder: Path = FOLDER) -> dict[str, FormSet]:
    """Every form set of the folder by its version; raises `ValueError` naming the file where one is not valid."""
    form_sets = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            form_set = FormSet.model_validate(_read_yaml(path))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        if form_set.form_set != path.stem:
            raise ValueError(f"{path.name}: holds the form set {form_set.form_set!r}")
        form_sets[form_set.form_set] = form_set
    return form_sets


def period(within: str, year: int) -> tuple[date | None, date]:
    """First and last day that a date may have in a report of `year` (inclusive); no first day means any past day.

    ``year_and_quarter`` is for the steps of rating: units that cannot close by the year's end finish in the first
    weeks of the next (43-HD/BTCTW, section 4), and dossiers go up until 1 March.
    """
    match within:
        case "year":
            return date(year, 1, 1), date(year, 12, 31)
        case "year_and_quarter":
            return date(year, 1, 1), date(year + 1, 3, 31)
        case "until_year_end":
            return None, date(year, 12, 31)
    raise ValueError(f"unknown period {within!r}")
