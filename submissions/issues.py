"""Issues: one for each mistake, at its cell, in Vietnamese: what was found, what was expected, how to mend it."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from submissions.form_set import Column, Form, FormSet, period
from submissions.judging import Judged, Judgement, MissingRow
from submissions.values import shown
from submissions.workbook import Workbook

COLUMNS = (
    "file", "unit_code", "year", "form", "sheet", "cell", "key", "column",
    "rule", "severity", "value", "expected", "message",
)  # fmt: skip
"""The columns of an issue list, in order."""

ERROR, WARNING = "error", "warning"


def find_issues(
    workbook: Workbook,
    judgement: Judgement,
    file_name: str,
    unit_code: str | None,
    cover_faults: Iterable[tuple[Column, str]] = (),
) -> pd.DataFrame:
    """Every issue of a workbook: a row an issue with `COLUMNS`, in the order of forms, rows and columns."""
    parts = [
        _cover_issues(workbook, cover_faults),
        *(_cell_issues(form, workbook) for form in judgement.forms.values()),
    ]
    parts += [_heading_issues(form) for form in judgement.forms.values()]
    parts.append(_missing_row_issues(judgement.missing))
    issues = pd.DataFrame([issue for part in parts for issue in part], columns=list(COLUMNS), dtype=object)
    return issues.assign(file=file_name, unit_code=unit_code, year=workbook.year)


def _issue(form: Form | None, sheet: str, cell: str, **details: object) -> dict[str, object]:
    base = {
        "form": form.title if form else sheet,
        "sheet": sheet,
        "cell": cell,
        "key": "",
        "severity": ERROR,
        "value": "",
    }
    return {**base, **details}


def row_keys(form: Judged, rows: np.ndarray) -> list[str]:
    """The keys of rows as they were sent, parts joined with ``/``."""
    parts = [[shown(form.table.cells[key][row]) for row in rows] for key in form.form.row_key]
    return ["/".join(key) for key in zip(*parts, strict=True)]


def _cell_issues(form: Judged, workbook: Workbook) -> list[dict[str, object]]:
    columns = [column.key for column in form.form.columns]
    rules = form.rules.loc[:, columns]
    rows, places = np.nonzero(rules.notna().to_numpy())
    keys = row_keys(form, rows)
    found = []
    for row, place, key in zip(rows, places, keys, strict=True):
        column = form.form.by_key[columns[place]]
        rule = rules.iat[row, place]
        expected, mend = _explain(rule, column, form.form, workbook)
        found.append(
            _issue(
                form.form,
                form.table.sheet,
                f"{form.table.letters[column.key]}{form.table.rows[row]}",
                key=key,
                column=column.key,
                rule=rule,
                # A name is shown to nobody, even to the unit that sent it.
                value="" if column.privacy == "name" else shown(form.table.cells[column.key][row]),
                expected=expected,
                message=mend,
            )
        )
    return found


def _heading_issues(form: Judged) -> list[dict[str, object]]:
    table = form.table
    found = ", ".join(f"“{heading}”" for heading in table.unknown_headings) or "không có"
    return [
        _issue(
            form.form,
            table.sheet,
            f"A{table.heading_row}",
            column=next(column.key for column in form.form.columns if column.heading == heading),
            rule="heading_missing",
            severity=WARNING,
            expected=f"cột “{heading}”",
            message=f"Bảng không có cột “{heading}” nên cột này coi như chưa báo cáo; tiêu đề lạ: {found}. "
            "Hãy đặt lại đúng tiêu đề nếu cột có trong bảng.",
        )
        for heading in table.missing_headings
    ]


def _missing_row_issues(missing: list[MissingRow]) -> list[dict[str, object]]:
    found = []
    for item in missing:
        rule = item.form.form.one_row_for_each
        assert rule is not None
        place = f"{item.caller.table.letters[rule.column]}{item.caller.table.rows[item.row]}"
        found.append(
            _issue(
                item.form.form,
                item.form.table.sheet,
                f"{item.form.table.letters[rule.here]}{item.form.table.heading_row}",
                key=row_keys(item.caller, np.array([item.row]))[0],
                column=rule.here,
                rule="row_missing",
                expected=rule.described,
                message=f"{item.form.form.title} thiếu dòng cho mã ở {item.caller.form.title}, "
                f"ô {place}: hãy bổ sung dòng.",
            )
        )
    return found


def _cover_issues(workbook: Workbook, faults: Iterable[tuple[Column, str]]) -> list[dict[str, object]]:
    """Cover fields that leave the sending readable, and a form version that was not agreed for the year."""
    found = []
    for column, rule in faults:
        place = workbook.cover.get(column.key)
        expected, mend = _explain(rule, column, None, workbook)
        found.append(
            _issue(
                None,
                workbook.cover_sheet,
                place.cell if place else "A1",
                column=column.key,
                rule=rule,
                value="" if column.privacy == "name" or place is None else shown(place.value),
                expected=expected,
                message=mend,
            )
        )
    form_set = workbook.form_set
    years = form_set.years
    if workbook.cover and not (years.first or 0) <= workbook.year <= (years.last or 9999):
        span = f"đến năm {years.last}" if years.last else f"từ năm {years.first}"
        found.append(
            _issue(
                None,
                workbook.cover_sheet,
                workbook.cover["form_version"].cell,
                column="form_version",
                rule="version_out_of_years",
                severity=WARNING,
                value=form_set.form_set,
                expected=f"mẫu dùng cho năm {workbook.year}",
                message=f"Mẫu {form_set.form_set} chỉ dùng {span}: hãy lập lại theo mẫu của năm {workbook.year}.",
            )
        )
    return found


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


_RULES: dict[str, tuple[Callable[[Column, FormSet, int], str], str]] = {
    "required": (lambda column, form_set, year: "không được để trống", "Hãy điền “{heading}”."),
    "not_integer": (lambda column, form_set, year: "số nguyên, ví dụ 1.234", "Hãy sửa “{heading}” thành số nguyên."),
    "not_number": (lambda column, form_set, year: "số, ví dụ 82,5", "Hãy sửa “{heading}” thành số."),
    "not_date": (
        lambda column, form_set, year: "ngày có thật dạng dd/mm/yyyy",
        "Hãy sửa “{heading}” thành ngày dạng dd/mm/yyyy.",
    ),
    "not_mark": (lambda column, form_set, year: "x hoặc để trống", "Hãy đánh dấu “{heading}” bằng x, hoặc xóa ô."),
    "not_in_list": (
        lambda column, form_set, year: _options(form_set, column),
        "Hãy chọn một giá trị của danh mục cho “{heading}”.",
    ),
    "out_of_range": (
        lambda column, form_set, year: _range(column),
        "Hãy kiểm tra lại “{heading}”: giá trị ngoài giới hạn.",
    ),
    "outside_period": (
        lambda column, form_set, year: _period(column, year),
        "Hãy kiểm tra lại “{heading}”: ngày nằm ngoài kỳ báo cáo.",
    ),
    "pattern": (
        lambda column, form_set, year: column.pattern_described or "mã đúng khuôn",
        "Hãy sửa “{heading}” cho đúng khuôn mã.",
    ),
    "code_as_number": (
        lambda column, form_set, year: "mã gõ dạng văn bản (Text)",
        "Ô “{heading}” là số nên có thể đã mất số 0 ở đầu hoặc cuối: hãy định dạng ô là Text rồi gõ lại mã.",
    ),
    "duplicate": (
        lambda column, form_set, year: "mỗi mã chỉ có một dòng",
        "“{heading}” trùng với một dòng khác trong bảng: hãy sửa mã của dòng này hoặc xóa dòng thừa.",
    ),
    "key_mismatch": (
        lambda column, form_set, year: "mã mà các biểu khác dùng cho cùng đối tượng",
        "Các biểu khác ghi đối tượng này với mã khác: hãy sửa “{heading}” cho thống nhất.",
    ),
    "unknown_code": (
        lambda column, form_set, year: _referred(column),
        "Không tìm thấy mã này: hãy sửa “{heading}” hoặc bổ sung dòng còn thiếu ở biểu được dẫn chiếu.",
    ),
    "level_missing": (
        lambda column, form_set, year: "một mức xếp loại, hoặc lý do không xếp loại",
        "Không có mức xếp loại mà cũng không có lý do: hãy điền một trong hai.",
    ),
    "level_with_reason": (
        lambda column, form_set, year: "để trống khi đã ghi lý do không xếp loại",
        "Vừa có mức xếp loại vừa có lý do không xếp loại: hãy bỏ một trong hai.",
    ),
}


RULE_NAMES = {
    "required": "Để trống",
    "not_integer": "Không phải số nguyên",
    "not_number": "Không phải số",
    "not_date": "Không phải ngày",
    "not_mark": "Dấu không hợp lệ",
    "not_in_list": "Ngoài danh mục",
    "out_of_range": "Ngoài giới hạn",
    "outside_period": "Ngoài kỳ báo cáo",
    "pattern": "Mã sai khuôn",
    "code_as_number": "Mã gõ thành số",
    "duplicate": "Trùng mã",
    "key_mismatch": "Mã không thống nhất",
    "unknown_code": "Mã không có",
    "level_missing": "Thiếu mức xếp loại",
    "level_with_reason": "Thừa mức xếp loại",
    "equation": "Tổng không khớp",
    "row_missing": "Thiếu dòng",
    "heading_missing": "Thiếu cột",
    "version_out_of_years": "Mẫu sai năm",
}
"""What a rule is called before its readers; a rule between cells has none of its own."""

BETWEEN_CELLS = "Các ô không khớp nhau"


def _explain(rule: str, column: Column, form: Form | None, workbook: Workbook) -> tuple[str, str]:
    """What was expected of a cell, and how to mend it."""
    if rule == "equation" and form is not None and form.equations is not None:
        sums = [
            f"{equation.line} = {' + '.join(equation.plus)}{''.join(f' − {line}' for line in equation.minus)}"
            for equation in form.equations.of
        ]
        return "; ".join(sums), "Số của dòng tổng không khớp các dòng thành phần: hãy cộng lại."
    if rule in _RULES:
        expected, mend = _RULES[rule]
        return expected(column, workbook.form_set, workbook.year), mend.format(heading=column.heading)
    assert form is not None, rule
    described = next(item.described for item in (*form.relations, *form.only_with) if item.rule == rule)
    return described, f"Hãy kiểm tra lại “{column.heading}”: cần {described}."
