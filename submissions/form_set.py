"""Form sets: the agreement with the units as data. One YAML file a version; a new version is a new file and no code."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from submissions.text import fold, strip_marks

FOLDER = Path(__file__).parent / "form_sets"
LONGEST_HEADING = 300
"""Letters of a heading that are looked at."""
ALIASES = "aliases.yaml"
"""In ``<data>/form_sets``: the headings that persons have adopted; written by `submissions.drift`."""

Effect = Literal["hold", "blank", "report"]
"""What an unlawful cell does: the row is held back; the cell is left empty and the row loads; or it is only told."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, ignored_types=(cached_property,))


class Years(_Part):
    """First and last year (inclusive); None where there is no limit."""

    first: int | None = None
    last: int | None = None

    def __contains__(self, year: int) -> bool:
        return (self.first or 0) <= year <= (self.last or 9999)


class FormerName(_Part):
    """What a value was called in the reports of some years: it is read so in the forms named, with a query."""

    name: str
    forms: tuple[str, ...]
    years: Years


class ListValue(_Part):
    """One value of a list with the other spellings it is known by."""

    value: str
    also: tuple[str, ...] = ()
    former: tuple[FormerName, ...] = ()


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
        """Spellings of the heading, as headings are compared."""
        return frozenset(heading_key(heading) for heading in (self.heading, *self.also))


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
        """Columns by heading, as headings are compared (`heading_key`)."""
        return {heading: column for column in self.columns for heading in column.headings}

    @cached_property
    def _by_plain_heading(self) -> dict[str, Column | None]:
        """Columns by heading without marks; None where two columns share it."""
        plain: dict[str, Column | None] = {}
        for heading, column in self.by_heading.items():
            key = strip_marks(heading)
            plain[key] = column if plain.get(key, column) is column else None
        return plain

    def column_of(self, text: str) -> Column | None:
        """The column that a heading names, however it is written; None where it names none.

        A heading typed wholly without marks (``Ma to chuc``) names the one column it can mean. One with some marks
        missing or wrong names none: that is for a person to say.
        """
        if len(text) >= LONGEST_HEADING:
            return None
        key = heading_key(text)
        return self.by_heading.get(key) or (self._by_plain_heading.get(key) if key.isascii() else None)

    @cached_property
    def heading_words(self) -> frozenset[str]:
        """All words of the form's headings, without marks."""
        return frozenset().union(*(heading_words(heading) for heading in self.by_heading))

    def effect(self, column: str, rule: str) -> Effect:
        """What a rule broken at a column does: that of the rule between cells, else that of the column."""
        for relation in (*self.relations, *self.only_with):
            if relation.rule == rule:
                return relation.on_error
        if self.exactly_one and rule in {"level_missing", "level_with_reason"}:
            return self.exactly_one.on_error
        return self.by_key[column].on_error if column in self.by_key else "report"

    def is_sheet(self, name: str) -> bool:
        """Whether a sheet name, however drifted, is this form's: ``bieu_5``, ``Biểu số 05``, ``Biểu 5. Xếp loại``."""
        found, own = sheet_key(name), sheet_key(self.sheet)
        rest = found.removeprefix(own)
        # The form's name may follow, cut at Excel's 31 letters.
        return found == own or (rest != found and len(rest) >= 4 and sheet_key(self.name).startswith(rest))


class Cover(_Part):
    """The cover sheet: labels with the value beside them."""

    sheet: str
    fields: tuple[Column, ...]


class FormSet(_Part):
    """One version of a form set."""

    form_set: str
    title: str
    kind: Literal["unit", "register", "field_check"]
    years: Years = Years()
    """The years that the version is agreed for."""
    cover: Cover | None = None
    lists: dict[str, tuple[ListValue, ...]] = Field(default_factory=dict)
    total_rows: tuple[str, ...]
    end_of_table: tuple[str, ...]
    beside: tuple[str, ...] = ()
    """Headings of columns that may be added to any form and are not read: serial numbers, remarks."""
    guidance: tuple[str, ...] = ()
    """Vietnamese: how it is filled in, where that is otherwise than a unit fills in its report."""
    forms: tuple[Form, ...]

    @cached_property
    def ignored_headings(self) -> frozenset[str]:
        """`beside`, as headings are compared, with marks and without."""
        keys = {heading_key(heading) for heading in self.beside}
        return frozenset(keys | {strip_marks(key) for key in keys})

    @model_validator(mode="after")
    def _consistent(self) -> "FormSet":
        tables = {form.table: form for form in self.forms}
        problems = []
        if self.kind == "unit" and self.cover is None:
            problems.append("a unit's form set has a cover")
        for form in self.forms:
            problems += [f"{form.title}: {problem}" for problem in _problems(form, tables, self.lists)]
            ignored = self.ignored_headings & form.by_heading.keys()
            problems += [f"{form.title}: the heading {heading!r} is also one that is not read" for heading in ignored]
        problems += _former_problems(self.lists, self.spellings, tables)
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

    def former_names(self, table: str, column: Column, year: int) -> dict[str, str]:
        """Folded former name -> value, of a column of a form in the reports of a year."""
        return {
            fold(former.name): item.value
            for item in self.lists.get(column.list or "", ())
            for former in item.former
            if table in former.forms and year in former.years
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


def _former_problems(
    lists: dict[str, tuple[ListValue, ...]], spellings: dict[str, dict[str, str]], tables: dict[str, Form]
) -> list[str]:
    """Former names that are also present ones, or of forms that have no column of the list."""
    found = []
    for name, items in lists.items():
        for former in (former for item in items for former in item.former):
            if fold(former.name) in spellings[name]:
                found.append(f"list {name!r}: the former name {former.name!r} is also a spelling")
            for table in former.forms:
                if table not in tables or all(column.list != name for column in tables[table].columns):
                    found.append(f"list {name!r}: the former name {former.name!r} is of no column of {table!r}")
    return found


_ESCAPED = re.compile(r"_x000[9AaDd]_")
"""A line break or tab as some writers of workbooks leave it."""
_ROUND_A_SIGN = re.compile(r"\s*([,/()&+:;–-])\s*")
_NOTE_AT_THE_END = re.compile(
    r"(?:[\s.:;,*†]|\((?:[\d\s.,:;=+*%–-]*|x|dd/mm/yyyy|d/m/yyyy|ngày/tháng/năm)\)|\[\d*\])+$"
)
_NUMBER_BEFORE = re.compile(r"^(?:\(\d{1,2}\)|\d{1,2}[.)])\s*(?=\D)")


@lru_cache(maxsize=8192)
def heading_key(text: str) -> str:
    """A heading as headings are compared.

    Without difference of case, composition, tone placement, spaces and line breaks; without a number before it
    (``1. Mã chi bộ``) or a sign or note of form after it (``:``, ``*``, ``(2)``, ``(dd/mm/yyyy)``). Words in brackets
    stay: ``Số đảng viên (nữ)`` is another column than ``Số đảng viên``.
    """
    # No heading is longer than this, and patterns are slow on what a hostile file holds. Ð and ð (eth) look like Đ and
    # đ and are typed for them.
    text = _ESCAPED.sub(" ", text[:LONGEST_HEADING]).replace("Ð", "Đ").replace("ð", "đ")
    key = _ROUND_A_SIGN.sub(r"\1", fold(text))
    return _NUMBER_BEFORE.sub("", _NOTE_AT_THE_END.sub("", key)) or key


@lru_cache(maxsize=8192)
def heading_words(text: str) -> frozenset[str]:
    """The words of a heading, without marks; one empty word where there are none."""
    return frozenset(re.findall(r"[^\W_]+", strip_marks(heading_key(text))) or [""])


@lru_cache(maxsize=1024)
def sheet_key(name: str) -> str:
    """A sheet's name as such names are compared: ``bieu5`` for ``Biểu số 5``, ``BIEU_05`` and ``biểu-5``."""
    plain = re.sub(r"[\s_.:–-]+", " ", strip_marks(name)).strip()
    return re.sub(r"\b(?:so )?0*(?=\d)", "", plain).replace(" ", "")


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


def read_yaml(path: Path) -> object:
    """What a YAML file holds; None for an empty one."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _read_form_set(path: Path, folders: tuple[Path, ...], extending: tuple[Path, ...] = ()) -> dict:
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise ValueError("no form set")
    base = data.pop("extends", None)
    if base is None:
        return data
    found = [folder / f"{base}.yaml" for folder in folders if (folder / f"{base}.yaml").is_file()]
    if not found or found[0] in (path, *extending):
        raise ValueError(f"extends {base!r}, which is not there or extends this one")
    return _merged(_read_form_set(found[0], folders, (path, *extending)), data)


def _with_aliases(data: dict, aliases: Iterable[Mapping[str, str]]) -> dict:
    """A form set's data with adopted headings laid over it."""
    also: dict[tuple[str, str], list[str]] = {}
    for alias in aliases:
        if alias["form_set"] == data.get("form_set"):
            also.setdefault((alias["form"], alias["column"]), []).append(alias["heading"])
    if not also:
        return data
    forms = []
    for form in data["forms"]:
        columns = [
            column | {"also": [*column.get("also", ()), *also.pop((form["table"], column["key"]), ())]}
            for column in form["columns"]
        ]
        forms.append(form | {"columns": columns})
    if also:
        raise ValueError(f"{ALIASES}: no column {', '.join('.'.join(place) for place in sorted(also))}")
    return data | {"forms": forms}


def adopted(records: object) -> list[dict[str, str]]:
    """The headings in force of what an alias file holds: the last word on each; raises `ValueError` for other data."""
    if not isinstance(records, list):
        raise ValueError("a list of adopted headings is needed")
    last: dict[tuple[str, ...], dict[str, str]] = {}
    for record in records:
        if not isinstance(record, dict) or not {"form_set", "form", "column", "heading"} <= record.keys():
            raise ValueError("an adopted heading needs form_set, form, column and heading")
        key = (record["form_set"], record["form"], record["column"], heading_key(str(record["heading"])))
        last[key] = record
    return [record for record in last.values() if record.get("action", "adopted") == "adopted"]


def load_form_sets(folder: Path = FOLDER, aliases: Path | None = None, more: Path | None = None) -> dict[str, FormSet]:
    """Every form set of the folder, and of `more`, by its version, with the adopted headings of the file `aliases`.

    A form set of `more` may extend one of `folder` and may not have its name. Raises `ValueError` naming the file where
    one is not valid. What was loaded is kept while the files are unchanged.
    """
    paths = [path for place in (folder, more) if place for path in sorted(place.glob("*.yaml")) if path.name != ALIASES]
    if aliases is not None and aliases.is_file():
        return _load(tuple(paths), _stamps([*paths, aliases]), folder, more, aliases)
    return _load(tuple(paths), _stamps(paths), folder, more, None)


def _stamps(paths: Iterable[Path]) -> tuple[tuple[int, int, int], ...]:
    found = [path.stat() for path in paths]
    return tuple((item.st_ino, item.st_mtime_ns, item.st_size) for item in found)


@lru_cache(maxsize=8)
def _load(
    paths: tuple[Path, ...], stamps: tuple[object, ...], folder: Path, more: Path | None, aliases: Path | None
) -> dict[str, FormSet]:
    # The stamps are part of what is asked for, so that a changed file is read again.
    laid_over: list[dict[str, str]] = []
    if aliases is not None:
        try:
            laid_over = adopted(read_yaml(aliases))
        except (ValueError, yaml.YAMLError) as error:
            raise ValueError(f"{aliases.name}: {error}") from error
    form_sets: dict[str, FormSet] = {}
    for path in paths:
        try:
            data = _read_form_set(path, tuple(place for place in (path.parent, folder, more) if place))
            form_set = FormSet.model_validate(_with_aliases(data, laid_over))
        except (ValueError, yaml.YAMLError) as error:
            raise ValueError(f"{path.name}: {error}") from error
        if form_set.form_set != path.stem:
            raise ValueError(f"{path.name}: holds the form set {form_set.form_set!r}")
        if form_set.form_set in form_sets:
            raise ValueError(f"{path}: there is a form set {form_set.form_set!r} already; give it a name of its own")
        form_sets[form_set.form_set] = form_set
    if unknown := {alias["form_set"] for alias in laid_over} - form_sets.keys():
        raise ValueError(f"{ALIASES}: no form set {', '.join(sorted(unknown))}")
    return form_sets


def form_sets_of(data: Path) -> dict[str, FormSet]:
    """The form sets in force for a data folder: the agreed ones, its own and its adopted headings.

    Its own lie in ``<data>/form_sets/*.yaml`` (another province's form set is a change of data), the adopted headings
    in ``<data>/form_sets/aliases.yaml``.
    """
    own = data / "form_sets"
    return load_form_sets(FOLDER, own / ALIASES, own if own.is_dir() else None)


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
