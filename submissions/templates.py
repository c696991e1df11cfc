"""Templates: a form set written as a workbook for one unit and year, prefilled with what still holds from last year."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from itertools import product
from pathlib import Path

from submissions.files.source import RefusedError, Source, open_source
from submissions.form_set import Form, FormSet, Reference, load_form_sets
from submissions.judging import Judged, judge
from submissions.store import Store
from submissions.values import shown
from submissions.workbook import Workbook, read_workbook

TEMPLATE_VERSION = "1"
"""Written into each template, so that what is sent back tells which layout it was made with."""

MARK_SHEET = "_MAU"
"""Hidden sheet of a template that says what it was written for."""

_ENDED = "closed_on"
"""A row with this date is about something that is no more."""

Row = dict[str, object]


class TemplateError(ValueError):
    """A template that cannot be written; the message is Vietnamese."""


@dataclass(frozen=True)
class PreviousRows:
    """What still holds of a unit's last report. It holds names and card numbers: never to be printed or logged."""

    year: int
    standing: dict[str, list[Row]] = field(repr=False)
    """By table: organisations, members and other standing lists, without what has ended and without figures."""
    totals: dict[str, dict[str, Row]] = field(repr=False)
    """By table of totals: the row of each line."""


@dataclass(frozen=True)
class TemplateMark:
    """What a template says of itself on its hidden sheet."""

    template_version: str
    form_set: str
    unit_code: str
    year: int
    prefilled: str
    """`fingerprint` of the rows it was written with."""


def choose_form_set(form_sets: Mapping[str, FormSet], year: int) -> FormSet:
    """The units' form set that was agreed for `year`, the latest where there are several; raises `TemplateError`."""
    agreed = [
        item
        for item in form_sets.values()
        if item.kind == "unit" and (item.years.first or 0) <= year <= (item.years.last or 9999)
    ]
    if not agreed:
        known = ", ".join(sorted(item.form_set for item in form_sets.values() if item.kind == "unit"))
        raise TemplateError(f"Không có bộ biểu nào dùng cho năm {year}; các bộ biểu đang có: {known or 'không có'}.")
    return max(agreed, key=lambda item: item.years.first or 0)


def previous_rows(
    store: Store, unit_code: str, year: int, form_sets: Mapping[str, FormSet] | None = None
) -> PreviousRows | None:
    """What still holds of the unit's last report in force before `year`; None where there is none.

    The store keeps no names, so the unit's own original is read again. Only lawful cells are carried over, of rows
    whose key is lawful. Raises `TemplateError` where the original is gone, `RefusedError` where it cannot be read.
    """
    sent = store.read_submissions()
    sent = sent[sent["is_in_force"] & (sent["unit_code"] == unit_code) & (sent["year"] < year)]
    if sent.empty:
        return None
    last = sent.loc[sent["year"].idxmax()]
    original = store.original(last["source_hash"])
    if original is None:
        raise TemplateError(f"Kho không còn tệp gốc của báo cáo năm {last['year']:.0f} của đơn vị {unit_code}.")
    workbook = read_workbook(open_source(original.read_bytes(), original.name), form_sets or load_form_sets())
    forms = judge(workbook, unit_code).forms
    return PreviousRows(
        workbook.year,
        standing={table: _still_standing(form, forms.values()) for table, form in forms.items() if _stands(form.form)},
        totals={table: _totals(form) for table, form in forms.items() if form.form.equations is not None},
    )


def write_template(
    path: Path, form_set: FormSet, unit_code: str, unit_name: str, year: int, previous: PreviousRows | None = None
) -> None:
    """Write the form set as a workbook for a unit and year, prefilled from `previous`.

    A prefilled one holds names and card numbers and gets mode 0600. Raises `FileExistsError` where `path` exists:
    a template that was filled in is never written over.
    """
    from submissions.template_writer import template_bytes  # XlsxWriter is not needed to read

    rows = {form.table: _prefilled(form, form_set, unit_code, year, previous) for form in form_set.forms}
    mark = TemplateMark(TEMPLATE_VERSION, form_set.form_set, unit_code, year, fingerprint(rows))
    told = {key: str(value) for key, value in asdict(mark).items()}
    content = template_bytes(form_set, unit_code, unit_name, year, rows, MARK_SHEET, told)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if previous else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def read_mark(source: Source) -> TemplateMark | None:
    """What the template that a file was made with says of itself; None where it was made with none."""
    if not any(sheet.name == MARK_SHEET for sheet in source.sheets):
        return None
    told = {str(row[0]): str(row[1]) for row in source.cells(MARK_SHEET) if len(row) > 1}
    if not {item.name for item in fields(TemplateMark)} <= told.keys() or not re.fullmatch("[0-9]{4}", told["year"]):
        return None
    return TemplateMark(
        told["template_version"], told["form_set"], told["unit_code"], int(told["year"]), told["prefilled"]
    )


def is_untouched(workbook: Workbook, mark: TemplateMark | None) -> bool:
    """Whether the forms hold no more and no less than the template was written with: nothing was reported yet."""
    return mark is not None and mark.prefilled == fingerprint(
        {
            table: [{key: cells[row] for key, cells in found.cells.items()} for row in range(len(found.rows))]
            for table, found in workbook.tables.items()
        }
    )


def refuse_untouched(source: Source, workbook: Workbook) -> None:
    """Raises `RefusedError` where the file is a template in which nothing was reported yet."""
    if is_untouched(workbook, read_mark(source)):
        raise RefusedError(
            "UNTOUCHED_TEMPLATE",
            f"Đây là bộ biểu mẫu năm {workbook.year} chưa điền số liệu: các biểu còn nguyên như khi được lập sẵn. "
            "Hãy điền số liệu rồi gửi lại.",
        )


def fingerprint(rows: Mapping[str, Iterable[Row]]) -> str:
    """SHA-256 of the rows of forms, whatever their order and however a program saved them."""
    told = {
        table: sorted([[key, shown(row[key])] for key in sorted(row) if shown(row[key])] for row in records)
        for table, records in rows.items()
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _stands(form: Form) -> bool:
    """Whether a form lists what goes on from year to year: one row a code, called for by no other form."""
    if len(form.unique) != 1 or form.one_row_for_each is not None or form.equations is not None:
        return False
    key = form.by_key[form.unique[0]]
    return key.list is None and key.reference is None


def _still_standing(form: Judged, forms: Iterable[Judged]) -> list[Row]:
    """The rows of a standing list that go on; figures are for the unit to report anew."""
    going_on = form.filled(form.form.unique[0])
    for other in forms:
        rule = other.form.one_row_for_each
        if rule is not None and rule.form == form.form.table:
            going_on &= form.meets(rule.where)
    if _ENDED in form.form.by_key:
        going_on &= ~form.filled(_ENDED)
    lasting = [column.key for column in form.form.columns if column.type not in {"integer", "number"}]
    return form.values.loc[going_on, lasting].to_dict("records")


def _totals(form: Judged) -> dict[str, Row]:
    line = form.form.equations.line
    return {row[line]: row for row in form.values[form.filled(line)].to_dict("records")}


def _prefilled(form: Form, form_set: FormSet, unit_code: str, year: int, previous: PreviousRows | None) -> list[Row]:
    """The rows that a form is written with, by column key."""
    if form.equations is not None:
        return _prefilled_totals(form, form_set, year, previous)
    if previous is None:
        return []
    if _stands(form):
        rows = previous.standing.get(form.table, [])
    elif form.one_row_for_each is not None:
        rows = _called_for(form, form_set, previous)
    else:
        rows = _every_combination(form, previous)
    return _without_ended(rows, form, unit_code, previous)


def _prefilled_totals(form: Form, form_set: FormSet, year: int, previous: PreviousRows | None) -> list[Row]:
    """A row for each line of the form's list, with last year's texts, and its figure as the previous one."""
    line, value = form.equations.line, form.equations.value
    names = form_set.lists.get(form.by_key[line].list or "", ())
    last = previous.totals.get(form.table, {}) if previous else {}
    texts = [column.key for column in form.columns if column.type == "text"]
    rows = []
    for name in names:
        known = last.get(name.value, {})
        row: Row = {line: name.value, **{key: known.get(key) for key in texts}}
        if f"{value}_previous" in form.by_key and previous is not None and previous.year == year - 1:
            row[f"{value}_previous"] = known.get(value)
        rows.append(row)
    return rows


def _called_for(form: Form, form_set: FormSet, previous: PreviousRows) -> list[Row]:
    """A row for each one that the form has to answer for, with its code and what tells it without the code."""
    rule = form.one_row_for_each
    told = form.identity.columns if form.identity else ()
    shared = [key for key in told if key in form_set.by_table[rule.form].by_key]
    return [
        {rule.here: row[rule.column], **{key: row.get(key) for key in shared}}
        for row in previous.standing.get(rule.form, [])
        if _meets(row, rule.where)
    ]


def _every_combination(form: Form, previous: PreviousRows) -> list[Row]:
    """Where a row is a code of last year and a small number (a cell and a month), a row for each pair of them."""
    domains: list[list[object]] = []
    for key in form.unique:
        column = form.by_key[key]
        if column.type == "integer" and column.min is not None and column.max is not None:
            domains.append(list(range(int(column.min), int(column.max) + 1)))
        elif column.reference is not None:
            domains.append(_codes(column.reference, previous))
        else:
            return []
    if not any(form.by_key[key].type == "integer" for key in form.unique):
        return []
    return [dict(zip(form.unique, values, strict=True)) for values in product(*domains)]


def _meets(row: Row, where: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a row has the values wanted; an empty cell has the benefit of the doubt, as in judging."""
    return all(row.get(key) is None or row[key] in allowed for key, allowed in where.items())


def _codes(reference: Reference, previous: PreviousRows) -> list[object]:
    rows = previous.standing.get(reference.form, [])
    return [
        row[reference.column] for row in rows if all(row.get(key) in wanted for key, wanted in reference.where.items())
    ]


def _without_ended(rows: list[Row], form: Form, unit_code: str, previous: PreviousRows) -> list[Row]:
    """The rows without codes of what has ended, and without columns that this version of the form does not have."""
    lawful: dict[str, set[object]] = {}
    for column in form.columns:
        if column.reference is not None and column.key not in form.unique:
            own = {unit_code} if column.reference.or_unit else set()
            lawful[column.key] = own.union(_codes(column.reference, previous))
    return [
        {
            key: "x" if value is True else value
            for key, value in row.items()
            if key in form.by_key and value is not None and (key not in lawful or value in lawful[key])
        }
        for row in rows
    ]
