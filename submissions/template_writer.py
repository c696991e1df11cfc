"""The sheets of a template: what a form set says of each column as headings, drop-downs, limits, notes and prompts."""

import io
import re
from collections.abc import Mapping
from datetime import date, datetime

import numpy as np
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.utility import quote_sheetname, xl_col_to_name, xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from submissions.form_set import Column, Form, FormSet, Reference, heading_key, period
from submissions.values import FIRST_DAY, LAST_DAY, shown

LISTS_SHEET = "_DANH_MUC"
"""Hidden sheet with the values behind the drop-downs."""

ROOM = 2000
"""Rows that every form has room for; more where last year had more."""

_HEADING, _NUMBERS, _FIRST = 6, 7, 8
"""Positions of the row of headings, of the row that numbers the columns, and of the first record."""

SERIAL = "STT"
"""Heading of the column that numbers the rows."""

_MADE_ON = datetime(2000, 1, 1)
"""A fixed day in the file's properties: the same template, the same bytes."""

_LAST_COLUMN = 16383
"""Position of Excel's last column."""

_LONGEST_PROMPT, _LONGEST_TITLE, _LONGEST_FORMULA = 255, 32, 255
"""Excel's limits of a validation."""

Row = dict[str, object]


def template_bytes(
    form_set: FormSet,
    unit_code: str,
    unit_name: str,
    year: int,
    rows: Mapping[str, list[Row]],
    mark_sheet: str,
    mark: Mapping[str, str],
    cover: Mapping[str, object] | None = None,
) -> bytes:
    """The form set as a workbook for a unit and year, its forms filled with `rows` (by table).

    `mark` stands on the hidden sheet `mark_sheet`, a name and a text a row; `cover` is what else its cover says, by
    key.
    """
    content = io.BytesIO()
    # In memory: XlsxWriter's drafts in the temporary folder would hold names.
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        book.set_properties({"title": f"{form_set.form_set} {year}", "author": "Thực Chất", "created": _MADE_ON})
        _Writer(book, form_set, unit_code, unit_name, year, rows, cover or {}).write(mark_sheet, mark)
    return content.getvalue()


class _Writer:
    """One template being written."""

    def __init__(
        self,
        book: xlsxwriter.Workbook,
        form_set: FormSet,
        unit_code: str,
        unit_name: str,
        year: int,
        rows: Mapping[str, list[Row]],
        cover: Mapping[str, object],
    ) -> None:
        self.book = book
        self.cover = cover
        self.form_set = form_set
        self.unit_code = unit_code
        self.unit_name = unit_name
        self.year = year
        self.rows = rows
        self.lists = {name: f"DANH_MUC_{number}" for number, name in enumerate(form_set.lists, start=1)}
        font = {"font_name": "Times New Roman", "font_size": 11}
        self.fonts = font
        self.left = book.add_format({**font, "bold": True})
        self.title = book.add_format({**font, "bold": True, "font_size": 14, "align": "center"})
        self.subtitle = book.add_format({**font, "italic": True, "align": "center"})
        heading = {**font, "bold": True, "text_wrap": True, "align": "center", "valign": "vcenter", "border": 1}
        self.heading = book.add_format({**heading, "bg_color": "#DCE6F1"})
        self.required = book.add_format({**heading, "bg_color": "#12436D", "font_color": "white"})
        self.number = book.add_format({**font, "italic": True, "align": "center", "border": 1, "font_size": 9})
        self.locked = book.add_format(font)
        self.begun = book.add_format({"border": 1})
        self.lacking = book.add_format({"border": 1, "bg_color": "#FFF2CC"})
        self._cells: dict[tuple[str, str], Format] = {}
        self._named: set[str] = set()

    def write(self, mark_sheet: str, mark: Mapping[str, str]) -> None:
        """Cover, forms, and what is hidden."""
        cover = self.book.add_worksheet(self.form_set.cover.sheet)
        sheets = {form.table: self.book.add_worksheet(form.sheet) for form in self.form_set.forms}
        self._write_cover(cover)
        for form in self.form_set.forms:
            self._write_form(sheets[form.table], form)
        self._write_lists()
        self._write_mark(mark_sheet, mark)
        cover.activate()

    def _last(self, form: Form) -> int:
        """Position of the last row that there is room for."""
        return _FIRST + max(ROOM, len(self.rows[form.table]) * 3 // 2) - 1

    @staticmethod
    def _position(form: Form, key: str) -> int:
        """Position of a column: the first one of a sheet numbers the rows."""
        return 1 + list(form.by_key).index(key)

    def _name(self, table: str, key: str) -> str:
        """The name of a form's column in formulas, defined when it is first used."""
        name = re.sub(r"\W", "_", f"BANG_{table}_{key}")
        if name not in self._named:
            form = self.form_set.by_table[table]
            letter = xl_col_to_name(self._position(form, key), col_abs=True)
            place = f"{letter}${_FIRST + 1}:{letter}${self._last(form) + 1}"
            self.book.define_name(name, f"={quote_sheetname(form.sheet)}!{place}")
            self._named.add(name)
        return name

    def _cell(self, column: Column) -> Format:
        """How a cell of a column looks that may be filled in."""
        if column.type == "date":
            shape = ("dd/mm/yyyy", "center")
        elif column.type == "integer":
            shape = ("0", "right")
        elif column.type == "number":
            shape = ("General", "right")
        else:
            shape = ("@", "center" if column.type == "mark" else "left")
        if shape not in self._cells:
            style = {"num_format": shape[0], "align": shape[1], "valign": "vcenter", "text_wrap": shape[0] == "@"}
            self._cells[shape] = self.book.add_format({**self.fonts, **style, "locked": False})
        return self._cells[shape]

    def _put(self, sheet: Worksheet, row: int, position: int, value: object, style: Format) -> None:
        match value:
            case None:
                sheet.write_blank(row, position, None, style)
            case int() | float():
                sheet.write_number(row, position, value, style)
            case date():
                sheet.write_datetime(row, position, value, style)
            case _:
                sheet.write_string(row, position, str(value), style)

    def _protect(self, sheet: Worksheet) -> None:
        allowed = ("format_columns", "format_rows", "insert_rows", "delete_rows", "sort", "autofilter")
        sheet.protect("", dict.fromkeys(allowed, True))

    def _print_out(self, sheet: Worksheet, name: str) -> None:
        sheet.set_paper(9)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.fit_to_pages(1, 0)
        whose = f"{self.unit_name} · {name} · Năm {self.year}".replace("&", "&&")
        sheet.set_footer(f'&L&"Times New Roman"&9{whose[:150]}&R&"Times New Roman"&9Trang &P/&N')

    def _write_cover(self, sheet: Worksheet) -> None:
        cover = self.form_set.cover
        sheet.set_column(0, 0, 34, self.locked)
        sheet.set_column(1, 1, 64, self.locked)
        sheet.hide_gridlines(2)
        sheet.write_string(0, 0, self.unit_name.upper(), self.left)
        sheet.write_string(1, 0, "BAN TỔ CHỨC", self.left)
        self._put(
            sheet,
            3,
            1,
            self.form_set.title.upper(),
            self.book.add_format({**self.fonts, "bold": True, "font_size": 14}),
        )
        self._put(sheet, 4, 1, f"Năm {self.year}", self.book.add_format({**self.fonts, "italic": True}))
        known = {
            "form_version": self.form_set.form_set,
            "unit_code": self.unit_code,
            "unit_name": self.unit_name,
            "year": f"Năm {self.year}",
            "sent_no": 1,
            **self.cover,
        }
        box = {**self.fonts, "border": 1, "align": "left", "valign": "vcenter"}
        label = self.book.add_format({**box, "bold": True, "bg_color": "#DCE6F1"})
        fixed = self.book.add_format({**box, "num_format": "@"})
        for row, item in enumerate(cover.fields, start=6):
            sheet.set_row(row, 20)
            sheet.write_string(row, 0, item.heading, label)
            shape = "dd/mm/yyyy" if item.type == "date" else "0" if item.type == "integer" else "@"
            # What says which report this is stays as it is; the rest is the unit's to write.
            free = self.book.add_format({**box, "num_format": shape, "locked": False})
            lasting = item.key in known and item.type != "integer"
            self._put(sheet, row, 1, known.get(item.key), fixed if lasting else free)
            self._validate(sheet, item, (row, 1, row, 1), None)
        below = 6 + len(cover.fields) + 1
        wrapped = self.book.add_format({**self.fonts, "text_wrap": True, "valign": "top"})
        sheet.write_string(below, 0, "Cách điền", self.book.add_format({**self.fonts, "bold": True, "valign": "top"}))
        for row, line in enumerate(self._guidance(), start=below):
            sheet.write_string(row, 1, line, wrapped)
            sheet.set_row(row, 16 * (1 + len(line) // 68))
        self._print_out(sheet, cover.sheet)
        self._protect(sheet)

    def _guidance(self) -> list[str]:
        if self.form_set.guidance:
            return list(self.form_set.guidance)
        lines = [
            "Điền lần lượt từ biểu đầu đến biểu cuối: biểu sau dùng mã của biểu trước.",
            "Tiêu đề cột xanh đậm là cột bắt buộc; ô vàng là ô còn phải điền ở dòng đã bắt đầu. "
            "Để con trỏ ở tiêu đề để xem ghi chú của cột.",
            "Không đổi tên trang, tiêu đề cột. Được thêm, xóa dòng, lọc và sắp xếp. Mã giữ ở dạng văn bản (Text).",
            "Gửi lại báo cáo đã sửa: tăng “Lần gửi” thêm 1.",
        ]
        if any(self.rows[form.table] for form in self.form_set.forms if form.equations is None):
            lines.insert(
                1,
                "Những dòng điền sẵn lấy từ báo cáo trước: hãy sửa cho đúng cuối kỳ này, xóa dòng không còn, "
                "thêm dòng mới.",
            )
        return lines

    def _write_form(self, sheet: Worksheet, form: Form) -> None:
        last, width = self._last(form), len(form.columns)
        sheet.set_landscape()
        # Excel deletes a row of a protected sheet only where all of its cells are unlocked, to the last column.
        sheet.set_column(0, _LAST_COLUMN, None, self.book.add_format({"locked": False}))
        sheet.dim_colmax = width
        counting = self.book.add_format({**self.fonts, "locked": False, "align": "center", "valign": "vcenter"})
        sheet.set_column(0, 0, 5, counting)
        for position, column in enumerate(form.columns, start=1):
            sheet.set_column(position, position, self._width(column), self._cell(column))
        for row in range(_FIRST):
            sheet.set_row(row, self._heading_height(form) if row == _HEADING else None, self.locked)
        sheet.write_string(0, 0, self.unit_name.upper(), self.left)
        sheet.write_string(1, 0, "BAN TỔ CHỨC", self.left)
        middle = self._middle(form)
        sheet.write_string(3, middle, f"{form.title}: {form.name}".upper(), self.title)
        sheet.write_string(4, middle, f"Năm {self.year}", self.subtitle)
        # A serial number has a heading only where the form set knows it as one that is not read.
        serial = SERIAL if heading_key(SERIAL) in self.form_set.ignored_headings else ""
        sheet.write_string(_HEADING, 0, serial, self.heading)
        sheet.write_string(_NUMBERS, 0, "(1)", self.number)
        for position, column in enumerate(form.columns, start=1):
            style = self.required if column.required else self.heading
            sheet.write_string(_HEADING, position, column.heading, style)
            sheet.write_string(_NUMBERS, position, f"({position + 1})", self.number)
            note = self._note(form, column)
            sheet.write_comment(
                _HEADING, position, note, {"width": 280, "height": 24 + 15 * (note.count("\n") + 1 + len(note) // 44)}
            )
            self._validate(sheet, column, (_FIRST, position, last, position), form)
        for row, record in enumerate(self.rows[form.table]):
            sheet.write_number(_FIRST + row, 0, row + 1, counting)
            lines = 1
            for key, value in record.items():
                column = form.by_key[key]
                self._put(sheet, _FIRST + row, self._position(form, key), value, self._cell(column))
                lines = max(lines, -(-len(shown(value)) // (self._width(column) + 4)))
            if lines > 1:
                sheet.set_row(_FIRST + row, 15 * lines)
        self._mark_what_lacks(sheet, form, last, width)
        sheet.ignore_errors({"number_stored_as_text": f"A1:{xl_rowcol_to_cell(last, width)}"})
        # From the row of numbers down: neither sorting nor filtering can then take the headings along.
        sheet.autofilter(_NUMBERS, 0, last, width)
        sheet.freeze_panes(_FIRST, 1 + self._leading(form))
        sheet.repeat_rows(_HEADING, _NUMBERS)
        self._print_out(sheet, form.title)
        self._protect(sheet)

    @staticmethod
    def _leading(form: Form) -> int:
        """How many of the first columns tell what a row is about."""
        telling = {*form.row_key[:1], *(form.identity.columns if form.identity else ())}
        telling |= {column.key for column in form.columns if column.privacy == "name"}
        own = [column.key in telling for column in form.columns[:3]]
        return own.index(False) if False in own else len(own)

    def _width(self, column: Column) -> int:
        if column.list is not None:
            longest = max(len(item.value) for item in self.form_set.lists[column.list])
            return min(max(longest + 2, 10), 18)
        if column.privacy == "card" and not column.card_when:
            return 15
        return {"code": 20, "text": 28 if column.required else 17, "date": 12, "integer": 10, "number": 10, "mark": 9}[
            column.type
        ]

    def _heading_height(self, form: Form) -> int:
        lines = max(-(-len(column.heading) // (self._width(column) - 3)) for column in form.columns)
        return max(32, 15 * (lines + 1))

    def _middle(self, form: Form) -> int:
        """The column at the middle of the sheet's width, over which the title is centred without merging cells."""
        edges = np.cumsum([5, *(self._width(column) for column in form.columns)])
        middles = edges - np.diff(edges, prepend=0) / 2
        return int(np.abs(middles - edges[-1] / 2).argmin())

    def _mark_what_lacks(self, sheet: Worksheet, form: Form, last: int, width: int) -> None:
        """Lines around the rows that were begun, and colour where they lack what is required."""
        row = _FIRST + 1
        begun = f"COUNTA($B{row}:${xl_col_to_name(width)}{row})>0"

        def letter(key: str) -> str:
            return xl_col_to_name(self._position(form, key))

        wanted = {column.key: [column.key] for column in form.columns if column.required}
        if form.exactly_one:
            wanted[form.exactly_one.level] = [form.exactly_one.level, form.exactly_one.reason]
        for key, either in wanted.items():
            empty = ",".join(f'${letter(one)}{row}=""' for one in either)
            place = (_FIRST, self._position(form, key), last, self._position(form, key))
            rule = {"type": "formula", "criteria": f"=AND({begun},{empty})", "format": self.lacking}
            sheet.conditional_format(*place, rule)
        rule = {"type": "formula", "criteria": f"={begun}", "format": self.begun}
        sheet.conditional_format(_FIRST, 0, last, width, rule)

    def _write_lists(self) -> None:
        sheet = self.book.add_worksheet(LISTS_SHEET)
        for position, (name, values) in enumerate(self.form_set.lists.items()):
            sheet.write_string(0, position, name)
            sheet.write_column(1, position, [item.value for item in values], self.book.add_format({"num_format": "@"}))
            letter = xl_col_to_name(position, col_abs=True)
            self.book.define_name(self.lists[name], f"={LISTS_SHEET}!{letter}$2:{letter}${len(values) + 1}")
        sheet.protect()
        sheet.hide()

    def _write_mark(self, name: str, mark: Mapping[str, str]) -> None:
        sheet = self.book.add_worksheet(name)
        for row, line in enumerate(mark.items()):
            for position, text in enumerate(line):
                sheet.write_string(row, position, text)
        sheet.protect()
        sheet.hide()

    def _options(self, column: Column) -> list[str]:
        if column.allowed:
            return [str(number) for number in column.allowed]
        return [item.value for item in self.form_set.lists[column.list or ""]]

    def _expected(self, column: Column) -> str:
        """What may stand in a cell of the column, in one sentence."""
        if column.list is not None or column.allowed:
            return f"Chọn một trong: {' · '.join(self._options(column))}."
        low = "" if column.min is None else f" từ {column.min:g}"
        high = "" if column.max is None else f" đến {column.max:g}"
        match column.type:
            case "integer":
                return f"Số nguyên{low}{high}."
            case "number":
                return f"Số{low}{high}, ví dụ 82,5."
            case "mark":
                return "Gõ x nếu có; để trống nếu không."
            case "date":
                first, last = self._period(column)
                since = f" từ {first:%d/%m/%Y}" if first > FIRST_DAY else ""
                until = f" đến {last:%d/%m/%Y}" if last < LAST_DAY else ""
                return f"Ngày dạng dd/mm/yyyy{since}{until}."
            case "code":
                shape = f", {column.pattern_described}" if column.pattern_described and not column.card_when else ""
                return f"Mã gõ dạng văn bản{shape}."
        return "Văn bản."

    def _period(self, column: Column) -> tuple[date, date]:
        first, last = period(column.within, self.year) if column.within else (None, LAST_DAY)
        return first or FIRST_DAY, last

    def _note(self, form: Form, column: Column) -> str:
        """The note on a heading: what the column has to hold."""
        references = [column.reference] if column.reference else []
        references += [one for choices in column.references_by.values() for one in choices.values()]
        lines = [column.heading, "Bắt buộc." if column.required else "Không bắt buộc.", self._expected(column)]
        if column.key in form.unique:
            beside = [form.by_key[key].heading for key in form.unique if key != column.key]
            lines.append("Mỗi mã một dòng." if not beside else f"Cùng với “{'”, “'.join(beside)}”: mỗi cặp một dòng.")
        lines += [f"Cần là {one}." for one in dict.fromkeys(reference.described for reference in references)]
        if column.card_when:
            (by, value), *_ = column.card_when.items()
            lines.append(f"Khi “{form.by_key[by].heading}” là “{value}”: {column.pattern_described}.")
        rules = [rule for rule in (*form.relations, *form.only_with) if rule.report_at == column.key]
        lines += [f"Cần {rule.described}." for rule in rules]
        if form.exactly_one and column.key in {form.exactly_one.level, form.exactly_one.reason}:
            level, reason = (form.by_key[key].heading for key in (form.exactly_one.level, form.exactly_one.reason))
            lines.append(f"Điền đúng một trong hai: “{level}” hoặc “{reason}”.")
        if form.one_row_for_each and column.key == form.one_row_for_each.here:
            lines.append(f"Cần {form.one_row_for_each.described}.")
        if form.equations and column.key == form.equations.value:
            lines += [
                f"{one.line} = {' + '.join(one.plus)}{''.join(f' − {line}' for line in one.minus)}."
                for one in form.equations.of
            ]
        return "\n".join(lines)

    def _validate(self, sheet: Worksheet, column: Column, place: tuple[int, int, int, int], form: Form | None) -> None:
        """What the program that fills the template in lets through: what intake would let through, told beforehand."""
        rule, order_matters = self._rule(column, place, form)
        expected = self._expected(column)
        title = column.heading[:_LONGEST_TITLE]
        told = f"{'Bắt buộc. ' if column.required else ''}{expected}"
        stops = column.on_error == "hold" and not order_matters
        mend = expected if rule["validate"] != "custom" else self._custom_error(column, expected, form)
        sheet.data_validation(
            *place,
            {
                **rule,
                "ignore_blank": True,
                "input_title": title,
                "input_message": _shortened(told),
                "error_title": title,
                "error_message": _shortened(mend),
                "error_type": "stop" if stops else "warning",
            },
        )

    def _custom_error(self, column: Column, expected: str, form: Form | None) -> str:
        parts = [expected]
        if form is not None and [column.key] == list(form.unique):
            parts.append("Mỗi mã chỉ có một dòng.")
        references = [column.reference] if column.reference else []
        references += [one for choices in column.references_by.values() for one in choices.values()]
        parts += [f"Cần là {one}." for one in dict.fromkeys(reference.described for reference in references)]
        return " ".join(parts)

    def _rule(self, column: Column, place: tuple[int, int, int, int], form: Form | None) -> tuple[dict, bool]:
        """A column's validation, and whether a cell that breaks it may become lawful by what is filled in later."""
        if column.list is not None:
            return {"validate": "list", "source": f"={self.lists[column.list]}"}, False
        if column.allowed:
            return {"validate": "list", "source": self._options(column)}, False
        match column.type:
            case "mark":
                return {"validate": "list", "source": ["x"]}, False
            case "date":
                first, last = self._period(column)
                return {"validate": "date", "criteria": "between", "minimum": first, "maximum": last}, False
            case "integer" | "number":
                return self._bounds(column), False
            case "code":
                return self._code_rule(column, place, form)
        return {"validate": "any"}, False

    @staticmethod
    def _bounds(column: Column) -> dict:
        kind = "integer" if column.type == "integer" else "decimal"
        if column.min is not None and column.max is not None:
            return {"validate": kind, "criteria": "between", "minimum": column.min, "maximum": column.max}
        if column.max is not None:
            return {"validate": kind, "criteria": "<=", "value": column.max}
        return {"validate": kind, "criteria": ">=", "value": -(10**12) if column.min is None else column.min}

    def _code_rule(self, column: Column, place: tuple[int, int, int, int], form: Form | None) -> tuple[dict, bool]:
        """Text, of the pattern's length, once in its column, and known where it refers to: as far as 255 letters go."""
        cell = xl_rowcol_to_cell(place[0], place[1])
        tests, order_matters = [f"ISTEXT({cell})"], False
        digits = re.fullmatch(r"\\d\{(\d+)\}", column.pattern or "")
        if digits and not column.card_when:
            tests += [f"LEN({cell})={digits[1]}", f"ISNUMBER(VALUE({cell}))"]
        if form is not None and [column.key] == list(form.unique):
            tests.append(f"SUMPRODUCT(--({self._name(form.table, column.key)}={cell}))=1")
        if form is not None and column.reference is not None:
            tests.append(self._known(column.reference, cell))
            order_matters = not self._stands_before(column.reference.form, form)
        for by, choices in column.references_by.items():
            other = xl_rowcol_to_cell(place[0], self._position(form, by), col_abs=True)
            cases = [f'AND({other}="{value}",{self._known(one, cell)})' for value, one in choices.items()]
            tests.append(f'OR({other}="",{",".join(cases)})')
            order_matters |= not all(self._stands_before(one.form, form) for one in choices.values())
        while len(formula := f"=AND({','.join(tests)})") > _LONGEST_FORMULA:
            tests.pop()
        return {"validate": "custom", "value": formula}, order_matters

    def _stands_before(self, table: str, form: Form) -> bool:
        tables = list(self.form_set.by_table)
        return tables.index(table) < tables.index(form.table)

    def _known(self, reference: Reference, cell: str) -> str:
        """Whether a cell's code is one that it may refer to."""
        where = [
            "+".join(f'({self._name(reference.form, key)}="{value}")' for value in allowed)
            for key, allowed in reference.where.items()
        ]
        code = f"({self._name(reference.form, reference.column)}={cell})"
        found = f"SUMPRODUCT({'*'.join([code, *(f'({one})' for one in where)])}" + ("*1)" if not where else ")") + ">0"
        ways = [found]
        if reference.or_unit:
            ways.append(f'{cell}="{self.unit_code}"')
        if reference.or_superior:
            ways.append(f'LEFT("{self.unit_code}",LEN({cell})+1)={cell}&"."')
        return found if len(ways) == 1 else f"OR({','.join(ways)})"


def _shortened(text: str) -> str:
    """A message that Excel takes: at most 255 letters."""
    return text if len(text) <= _LONGEST_PROMPT else f"{text[: _LONGEST_PROMPT - 1]}…"
