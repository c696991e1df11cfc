"""Issues: one for each mistake, at its cell, in Vietnamese: what was found, what was expected, how to mend it."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from submissions.form_set import Column, Form, FormSet, period
from submissions.judging import Judged, Judgement, MissingRow
from submissions.rules import load_rules
from submissions.text import fold
from submissions.values import FORMER_NAME, shown
from submissions.workbook import Workbook

COLUMNS = (
    "file", "unit_code", "year", "form", "sheet", "cell", "key", "column",
    "rule", "severity", "value", "expected", "message",
)  # fmt: skip
"""The columns of an issue list, in order."""

ERROR, QUERY = "error", "query"

IDENTITY = ("unit_code", "year", "rule", "form", "key", "column")
"""What makes two issues of two sendings the same issue."""

_LONGEST = 60
"""Characters of a found value that a sentence quotes."""
_PERSONAL = re.compile(r"\d{9}")
"""A card or identity number: sentences do not repeat it."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def find_issues(
    workbook: Workbook,
    judgement: Judgement,
    file_name: str,
    unit_code: str | None,
    cover_faults: Iterable[tuple[Column, str]] = (),
) -> pd.DataFrame:
    """Every issue of a workbook: a row an issue with `COLUMNS`, in the order of forms, rows and columns."""
    issues = issues_frame(collect_issues(workbook, judgement, cover_faults))
    return issues.assign(file=file_name, unit_code=unit_code, year=workbook.year)


def collect_issues(
    workbook: Workbook, judgement: Judgement, cover_faults: Iterable[tuple[Column, str]] = ()
) -> list[dict[str, object]]:
    """Every issue of a workbook as `find_issues` has it, without what is the same for all: file, unit and year."""
    forms = judgement.forms.values()
    found = _cover_issues(workbook, cover_faults)
    found += [issue for form in forms for issue in _cell_issues(form, workbook)]
    found += [issue for form in forms for issue in _former_name_issues(form, workbook)]
    found += [issue for form in forms for issue in _heading_issues(form)]
    found += _missing_row_issues(judgement.missing)
    return [_WITHOUT | issue for issue in found]


_WITHOUT = {"key": "", "value": ""}
"""What an issue has that has no key and no value."""


def issues_frame(issues: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Issues as a list with `COLUMNS`; key and value are empty text where an issue has none."""
    return pd.DataFrame([{**_WITHOUT, **issue} for issue in issues], columns=list(COLUMNS), dtype=object)


def explanation_issues(problems: pd.DataFrame) -> list[dict[str, object]]:
    """What cannot be used of the explanations in a file (sheet, cell, value, message), as in `collect_issues`."""
    return [
        {
            **_WITHOUT,
            "form": problem["sheet"],
            "sheet": problem["sheet"],
            "cell": problem["cell"],
            "column": "explanation",
            **describe("explanation_unusable", found=problem["message"]),
        }
        for problem in problems.to_dict("records")
    ]


def describe(rule: str, **words: object) -> dict[str, str]:
    """What a list says of a rule broken: `rule`, `severity`, `expected`, `message`, from the catalogue's templates.

    `words` fill the templates: `heading`, `found`, and whatever the rule's own template asks for.
    """
    entry = load_rules().rule(rule)
    expected = entry.expected.format_map(words)
    mend = entry.mend.format_map(words)
    message = entry.message.format_map({**words, "expected": expected, "mend": mend})
    return {"rule": rule, "severity": entry.severity, "expected": expected, "message": message}


def identify(issues: pd.DataFrame) -> pd.DataFrame:
    """The issues with `issue_id`, the same for the same issue in every sending, and `numbers`, which it is about.

    An explanation holds while `numbers` is unchanged: they are hashed from the value shown and from the numbers that it
    is compared with, so that another wording of a rule asks nobody again. The id of an *error* is made from a key that
    may be a card number, and could be guessed back: only ids of queries, whose keys hold none, belong in the register.
    """
    first, *others = (_texts(issues[name]) for name in IDENTITY)
    text = first.str.cat(others, sep="|")
    compared = _texts(issues["expected"]).map(lambda told: " ".join(_NUMBER.findall(told)))
    numbers = _texts(issues["value"]).str.cat(compared, sep="|")
    return issues.assign(issue_id=text.map(_short_hash), numbers=numbers.map(_short_hash))


def _texts(values: pd.Series) -> pd.Series:
    """Values as text, an empty one for none, whole numbers alike of whatever type (a year beside a missing one)."""
    if pd.api.types.is_numeric_dtype(values):
        values = values.astype("Int64")
    return values.astype("str").fillna("").replace("<NA>", "")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def row_keys(form: Judged, rows: Iterable[int]) -> list[str]:
    """The keys of rows as they were sent, parts joined with ``/``."""
    parts = [[shown(form.table.cells[key][row]) for row in rows] for key in form.form.row_key]
    return ["/".join(key) for key in zip(*parts, strict=True)]


def _cell_issues(form: Judged, workbook: Workbook) -> list[dict[str, object]]:
    """The issues of a form's cells; the sentences are made once for all cells that hold the same."""
    broken = sorted(
        (row, place, rule)
        for place, column in enumerate(form.form.columns)
        for row, rule in form.broken[column.key].items()
    )
    numbers = form.table.rows
    others = _other_rows(form, [row for row, _, rule in broken if rule == "duplicate"])
    told: dict[tuple[str, int, object], tuple[str, dict[str, str]]] = {}
    found = []
    keys = row_keys(form, [row for row, _, _ in broken])
    for (row, place, rule), key in zip(broken, keys, strict=True):
        column = form.form.columns[place]
        cells = form.table.cells.get(column.key)
        # The position among the distinct cells of the column, and what else the sentence is about.
        about = (rule, place, cells.codes[row] if cells is not None else -1, _about(form, rule, row, others))
        if about not in told:
            cell = None if cells is None else cells[row]
            words = _words(rule, column, form.form, workbook) | {"other": about[3] or "một dòng khác trong bảng"}
            if rule == "equation":
                words["sums"] = about[3]
            if rule == "parent_circle":
                words["circle"] = about[3]
            # A name is shown to nobody, even to the unit that sent it.
            value = "" if column.privacy == "name" else shown(cell)
            found_here = _found(value, column) + (about[3] if rule in form.effects else "")
            told[about] = value, describe(rule, **words, found=found_here)
        value, description = told[about]
        cell = f"{form.table.letters[column.key]}{numbers[row]}" if column.key in form.table.letters else "A1"
        about_form = {"form": form.form.title, "sheet": form.table.sheet}
        found.append({**about_form, "cell": cell, "key": key, "column": column.key, "value": value, **description})
    return found


def _about(form: Judged, rule: str, row: int, others: Mapping[int, str]) -> str:
    """What the sentence of a cell names beside the cell itself."""
    match rule:
        case "duplicate":
            return others.get(row, "")
        case "equation":
            return _sum(form, row)
        case "parent_circle":
            return form.circles.get(row, "")
        case _ if rule in form.effects:
            return _compared(form, rule, row)
        case _:
            return ""


def _compared(form: Judged, rule: str, row: int) -> str:
    """The other cell of a relation between two: ``ô H12 ghi “15”``; nothing of a date that tells a person."""
    for relation in form.form.relations:
        if relation.rule == rule:
            other = relation.left if relation.report_at == relation.right else relation.right
            cells = form.table.cells.get(other)
            if cells is not None and form.form.by_key[other].privacy is None:
                return f", ô {form.table.letters[other]}{form.table.rows[row]} ghi “{shown(cells[row])}”"
    return ""


def _found(value: str, column: Column) -> str:
    """What a sentence says was found; it repeats nothing that tells a person."""
    if column.privacy is not None or _PERSONAL.search(value):
        return "Ô có giá trị không dùng được"
    if not value:
        return "Ô để trống"
    return f"Ô ghi “{value if len(value) <= _LONGEST else value[:_LONGEST] + '…'}”"


def _other_rows(form: Judged, rows: Sequence[int]) -> dict[int, str]:
    """For rows whose key stands elsewhere too: the cell of the other row, by row."""
    if len(rows) == 0:
        return {}
    cells = [form.table.cells[key] for key in form.form.unique]
    folded = [np.array([fold(shown(one)) for one in cell.distinct], dtype=object)[cell.codes] for cell in cells]
    keys = pd.Series(list(zip(*folded, strict=True)))
    alike = keys[keys.isin(keys.loc[rows])]
    letter = form.table.letters[form.form.unique[0]]
    found = {}
    for _, group in alike.groupby(alike, sort=False):
        first, *rest = group.index
        more = f" và {len(rest) - 1} dòng khác" if len(rest) > 1 else ""
        for row in group.index if rest else ():
            found[row] = f"ô {letter}{form.table.rows[rest[0] if row == first else first]}{more}"
    return found


def _sum(form: Judged, row: int) -> str:
    """How a total comes about, with the number it should be where its parts are known: ``D = A + B − C = 2.597``."""
    equations = form.form.equations
    assert equations is not None
    lines = form.table.cells[equations.line]
    line = shown(lines[row])
    values = dict(zip(*(form.columns[key].items() for key in (equations.line, equations.value)), strict=True))
    told = ""
    for equation in equations.of:
        parts = [values.get(part) for part in (*equation.plus, *equation.minus)]
        total = None
        if all(part is not None for part in parts):
            total = sum(values[part] for part in equation.plus) - sum(values[part] for part in equation.minus)
            # As in judging: a total found wrong is corrected before it serves as a part of another.
            values[equation.line] = total if values.get(equation.line) is None else values[equation.line]
        if equation.line == line:
            told = f"{line} = {' + '.join(equation.plus)}{''.join(f' − {part}' for part in equation.minus)}"
            told += f" = {number(total)}" if total is not None else ""
    return told


def number(value: float, digits: int = 0) -> str:
    """A number as Vietnamese reports write it: ``1.234,5``."""
    return f"{value:,.{digits}f}".replace(",", " ").replace(".", ",").replace(" ", ".")


def _former_name_issues(form: Judged, workbook: Workbook) -> list[dict[str, object]]:
    """Queries on values that were read from a name of former years.

    A few are asked cell by cell; of many with one name once, at the first. Forms whose rows are known by a card are
    asked the second way always: the key of a query is kept, and must not be one.
    """
    personal = any(form.form.by_key[key].privacy for key in form.form.row_key)
    least = load_rules().threshold("listed_one_by_one")
    found = []
    for key, rows in form.queried.items():
        column, cells = form.form.by_key[key], form.table.cells[key]
        by_name: dict[str, list[int]] = {}
        for row in rows:
            if row not in form.broken[key]:
                by_name.setdefault(shown(cells[row]), []).append(row)
        for name, named in by_name.items():
            one_by_one = not personal and len(named) <= least
            for row in named if one_by_one else named[:1]:
                more = "" if len(named) == 1 or one_by_one else f" (và {number(len(named) - 1)} ô khác của cột này)"
                told = describe(
                    FORMER_NAME,
                    heading=column.heading,
                    found=f"{_found(name, column)}{more}",
                    current=form.columns[key][row],
                    year=str(workbook.year),
                )
                found.append(
                    {
                        "form": form.form.title,
                        "sheet": form.table.sheet,
                        "cell": f"{form.table.letters[key]}{form.table.rows[row]}",
                        "key": row_keys(form, [row])[0] if one_by_one else name,
                        "column": key,
                        "value": name if one_by_one else f"{name} ({number(len(named))} ô)",
                        **told,
                    }
                )
    return found


def _heading_issues(form: Judged) -> list[dict[str, object]]:
    """One query for the columns that the form does not have."""
    if not form.table.unknown:
        return []
    headings = ", ".join(f"“{heading}”" for heading in form.table.unknown_headings)
    return [
        {
            "form": form.form.title,
            "sheet": form.table.sheet,
            "cell": form.table.unknown[0].cell,
            "column": "",
            "value": headings,
            **describe("heading_unknown", headings=headings),
        }
    ]


def _missing_row_issues(missing: list[MissingRow]) -> list[dict[str, object]]:
    found = []
    for item in missing:
        rule = item.form.form.one_row_for_each
        assert rule is not None
        caller = item.caller
        other = f"{caller.form.title}, ô {caller.table.letters[rule.column]}{caller.table.rows[item.row]}"
        found.append(
            {
                "form": item.form.form.title,
                "sheet": item.form.table.sheet,
                "cell": f"{item.form.table.letters[rule.here]}{item.form.table.heading_row}",
                "key": row_keys(caller, [item.row])[0],
                "column": rule.here,
                **describe("row_missing", form=item.form.form.title, other=other, described=rule.described),
            }
        )
    return found


def _cover_issues(workbook: Workbook, faults: Iterable[tuple[Column, str]]) -> list[dict[str, object]]:
    """Cover fields that leave the sending readable, and a form version that was not agreed for the year."""
    found = []
    for column, rule in faults:
        place = workbook.cover.get(column.key)
        value = "" if column.privacy == "name" or place is None else shown(place.value)
        words = _words(rule, column, None, workbook)
        found.append(
            {
                "cell": place.cell if place else "A1",
                "column": column.key,
                "value": value,
                **describe(rule, **words, found=_found(value, column)),
            }
        )
    form_set = workbook.form_set
    years = form_set.years
    if workbook.cover and not (years.first or 0) <= workbook.year <= (years.last or 9999):
        span = f"đến năm {years.last}" if years.last else f"từ năm {years.first}"
        found.append(
            {
                "cell": workbook.cover["form_version"].cell,
                "column": "form_version",
                "value": form_set.form_set,
                **describe("version_out_of_years", form_set=form_set.form_set, span=span, year=workbook.year),
            }
        )
    return [{**issue, "form": workbook.cover_sheet, "sheet": workbook.cover_sheet} for issue in found]


def _words(rule: str, column: Column, form: Form | None, workbook: Workbook) -> dict[str, str]:
    """What the templates of a cell's rule may name: the column's heading, list, range, period, pattern, references."""
    words = {"heading": column.heading, "described": "các ô khớp nhau", "year": str(workbook.year)}
    match rule:
        case "not_in_list":
            words["options"] = _options(workbook.form_set, column)
        case "out_of_range":
            words["range"] = _range(column)
        case "outside_period":
            words["period"] = _period(column, workbook.year)
        case "pattern":
            words["pattern"] = column.pattern_described or "mã đúng khuôn"
        case "unknown_code":
            words["referred"] = _referred(column)
        case _ if form is not None:
            described = [one.described for one in (*form.relations, *form.only_with) if one.rule == rule]
            words["described"] = described[0] if described else words["described"]
    return words


def _options(form_set: FormSet, column: Column) -> str:
    if column.allowed:
        return " hoặc ".join(map(str, column.allowed))
    return " · ".join(item.value for item in form_set.lists[column.list or ""])


def _range(column: Column) -> str:
    low = None if column.min is None else f"{column.min:g}"
    high = None if column.max is None else f"{column.max:g}"
    if low and high:
        return f"từ {low} đến {high}"
    return f"không nhỏ hơn {low}" if low else f"không lớn hơn {high}"


def _period(column: Column, year: int) -> str:
    if column.within is None:
        return "một ngày từ năm 1900 đến năm 2100"
    first, last = period(column.within, year)
    return f"một ngày từ {first:%d/%m/%Y} đến {last:%d/%m/%Y}" if first else f"một ngày không sau {last:%d/%m/%Y}"


def _referred(column: Column) -> str:
    references = [column.reference] if column.reference else []
    references += [one for choices in column.references_by.values() for one in choices.values()]
    return "; hoặc ".join(dict.fromkeys(reference.described for reference in references))
