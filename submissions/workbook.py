"""Reading a workbook as it came: which form set it is, its cover, and each form's table found by its headings."""

import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np
import pandas as pd
from python_calamine import CalamineWorkbook, SheetVisibleEnum

from submissions.form_set import Column, Form, FormSet
from submissions.text import clean, fold, strip_marks
from submissions.values import is_blank, parser, shown

HEADING_ROWS = 200
"""The heading row is looked for in this many rows from the top of a sheet."""

Cells = list[list[object]]


class WorkbookError(ValueError):
    """A file that cannot be read; the message is Vietnamese, for the unit that sent it."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the stable code beside the message."""
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class CoverField:
    """A value of the cover and where it stands."""

    cell: str
    value: object


class CellColumn:
    """The cells of a column, each distinct cell kept once: what is done to a cell is done once for all its like."""

    def __init__(self, codes: np.ndarray, distinct: np.ndarray) -> None:
        """`codes` are positions in `distinct`."""
        self.codes = codes
        self.distinct = distinct

    @classmethod
    def of(cls, cells: list[object]) -> "CellColumn":
        """The column that holds these cells."""
        column = np.empty(len(cells), dtype=object)
        column[:] = cells
        return cls(*pd.factorize(column, use_na_sentinel=False))

    def take(self, rows: np.ndarray) -> "CellColumn":
        """The cells of some rows."""
        taken = CellColumn(self.codes[rows], self.distinct)
        taken.blanks = self.blanks
        return taken

    def __getitem__(self, row: int) -> object:
        """One cell."""
        return self.distinct[self.codes[row]]

    @cached_property
    def blanks(self) -> np.ndarray:
        """Which of the distinct cells are blank."""
        return np.fromiter(map(is_blank, self.distinct), dtype=bool, count=len(self.distinct))

    def map(self, function: Callable[[object], object], dtype: type = object) -> np.ndarray:
        """What `function` makes of each cell."""
        made = np.empty(len(self.distinct), dtype=dtype)
        for position, cell in enumerate(self.distinct):
            made[position] = function(cell)
        return made[self.codes]


@dataclass(frozen=True)
class Table:
    """The rows of one form: cells by column key, and where they stand in the file."""

    form: Form
    sheet: str
    heading_row: int
    letters: dict[str, str]
    """Column letter by column key."""
    rows: np.ndarray
    """Row number of each record, as Excel counts."""
    cells: dict[str, CellColumn]
    missing_headings: tuple[str, ...] = ()
    unknown_headings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Workbook:
    """A workbook in the shape of its form set."""

    form_set: FormSet
    year: int
    cover_sheet: str
    cover: dict[str, CoverField]
    tables: dict[str, Table] = field(default_factory=dict)


def column_letter(position: int) -> str:
    """Excel's letters of a column counted from 0."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def read_workbook(content: bytes, form_sets: Mapping[str, FormSet]) -> Workbook:
    """Read a workbook; raises `WorkbookError` naming what was looked for and what was found."""
    source = _open(content)
    visible = [sheet.name for sheet in source.sheets_metadata if sheet.visible == SheetVisibleEnum.Visible]
    sheets = _Sheets(source, visible, [name for name in source.sheet_names if name not in visible])
    unit_sets = [form_set for form_set in form_sets.values() if form_set.kind == "unit"]
    cover_sheet, cover = _find_cover(sheets, unit_sets)
    if cover_sheet is None:
        register = _find_register(sheets, [item for item in form_sets.values() if item.kind == "register"])
        if register is None:
            names = " hoặc ".join(sorted({f"“{item.cover.sheet}”" for item in unit_sets if item.cover}))
            raise WorkbookError(
                "NO_COVER",
                f"Không tìm thấy trang bìa {names} (nhãn “Mẫu biểu”, “Mã đơn vị báo cáo”, “Kỳ báo cáo” ở cột A). "
                f"Các trang có trong tệp: {_listed(visible)}. Hãy dùng đúng bộ biểu và gửi lại.",
            )
        form_set, year = register
        cover_sheet = ""
    else:
        form_set = _form_set_of(cover_sheet, cover, unit_sets)
        year = _year_of(cover_sheet, cover)
    return Workbook(form_set, year, cover_sheet, cover, _find_tables(sheets, form_set, year))


def _open(content: bytes) -> CalamineWorkbook:
    if not content:
        raise WorkbookError("EMPTY_FILE", "Tệp rỗng (0 byte). Hãy lưu lại tệp rồi gửi lại.")
    if content[:2] != b"PK" and content[:8] != b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1":
        raise WorkbookError(
            "NOT_A_WORKBOOK",
            "Tệp không phải là sổ tính Excel (cần .xlsx). Hãy mở bằng Excel, chọn Lưu thành .xlsx rồi gửi lại.",
        )
    if content[:2] != b"PK" and b"E\0n\0c\0r\0y\0p\0t\0e\0d\0P\0a\0c\0k\0a\0g\0e" in content:
        raise WorkbookError(
            "PASSWORD_PROTECTED", "Tệp đặt mật khẩu. Hãy bỏ mật khẩu (Tệp › Thông tin › Bảo vệ) rồi gửi lại."
        )
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(content))
    except Exception as error:  # noqa: BLE001 - the reader raises many kinds, also its own panics, for damaged files
        if "password" in f"{type(error).__name__} {error}".lower():
            raise WorkbookError(
                "PASSWORD_PROTECTED", "Tệp đặt mật khẩu. Hãy bỏ mật khẩu (Tệp › Thông tin › Bảo vệ) rồi gửi lại."
            ) from None
        raise WorkbookError(
            "DAMAGED_WORKBOOK",
            "Tệp hỏng hoặc chép chưa xong, không mở được như một sổ tính Excel. Hãy lưu lại và gửi lại.",
        ) from None


class _Sheets:
    """The sheets of a file, each read once."""

    def __init__(self, source: CalamineWorkbook, visible: list[str], hidden: list[str]) -> None:
        self._source = source
        self.visible = visible
        self.hidden = hidden
        self._read: dict[str, Cells] = {}

    def __getitem__(self, name: str) -> Cells:
        if name not in self._read:
            try:
                self._read[name] = self._source.get_sheet_by_name(name).to_python(skip_empty_area=False)
            except Exception:  # noqa: BLE001 - as in _open
                raise WorkbookError(
                    "DAMAGED_SHEET", f"Không đọc được trang “{name}”: dữ liệu của trang bị hỏng."
                ) from None
        return self._read[name]

    def drop(self, name: str) -> None:
        """Let go of a sheet that was read."""
        self._read.pop(name, None)


def _listed(names: Iterable[str]) -> str:
    quoted = [f"“{name}”" for name in names]
    return ", ".join(quoted) if quoted else "không có"


def _find_cover(sheets: _Sheets, form_sets: list[FormSet]) -> tuple[str | None, dict[str, CoverField]]:
    """The cover's sheet and fields by key, of whichever form set; (None, {}) where no sheet is a cover."""
    labels: dict[str, str] = {}
    wanted = set()
    for form_set in form_sets:
        if form_set.cover is not None:
            wanted.add(strip_marks(form_set.cover.sheet))
            labels |= {heading: item.key for item in form_set.cover.fields for heading in item.headings}
    named = [name for name in sheets.visible if strip_marks(name) in wanted]
    for name in (*named, *(name for name in sheets.visible[:3] if name not in named)):
        found: dict[str, CoverField] = {}
        for number, row in enumerate(sheets[name][:HEADING_ROWS], start=1):
            filled = [(position, cell) for position, cell in enumerate(row) if not is_blank(cell)]
            if not filled or not isinstance(filled[0][1], str):
                continue
            key = labels.get(fold(filled[0][1].rstrip(" :")))
            if key and key not in found:
                position, value = filled[1] if len(filled) > 1 else (filled[0][0] + 1, None)
                found[key] = CoverField(f"{column_letter(position)}{number}", value)
        # Two labels in one sheet are no accident; which of them are missing is said below.
        if name in named or len(found) >= 2:
            return name, found
    return None, {}


def _cover_text(cover: Mapping[str, CoverField], key: str) -> str:
    return shown(cover[key].value) if key in cover else ""


def _form_set_of(sheet: str, cover: Mapping[str, CoverField], form_sets: list[FormSet]) -> FormSet:
    version = _cover_text(cover, "form_version")
    known = {fold(form_set.form_set): form_set for form_set in form_sets}
    if fold(version) not in known:
        found = f"tìm thấy “{version}”" if version else "không thấy hoặc để trống"
        raise WorkbookError(
            "UNKNOWN_FORM_VERSION",
            f"Trang “{sheet}”, nhãn “Mẫu biểu”: {found}; cần một trong {_listed(item.form_set for item in form_sets)}.",
        )
    return known[fold(version)]


def _year_of(sheet: str, cover: Mapping[str, CoverField]) -> int:
    text = _cover_text(cover, "year")
    years = re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)
    if len(years) != 1:
        found = f"tìm thấy “{text}”" if text else "không thấy hoặc để trống"
        raise WorkbookError("NO_YEAR", f"Trang “{sheet}”, nhãn “Kỳ báo cáo”: {found}; cần một năm, ví dụ “Năm 2024”.")
    return int(years[0])


def _find_register(sheets: _Sheets, form_sets: list[FormSet]) -> tuple[FormSet, int] | None:
    for form_set in form_sets:
        form = form_set.forms[0]
        for name in sheets.visible:
            if not form.is_sheet(name):
                continue
            heading = _find_heading(sheets[name], form)
            above = sheets[name][: heading if heading is not None else HEADING_ROWS]
            for row in above:
                for cell in row:
                    if found := re.search(r"năm\s*((?:19|20)\d\d)(?!\d)", fold(shown(cell))):
                        return form_set, int(found.group(1))
            raise WorkbookError(
                "NO_YEAR", f"Trang “{name}”: không thấy năm ở các dòng phía trên bảng (ví dụ “Năm 2024”)."
            )
    return None


def _find_tables(sheets: _Sheets, form_set: FormSet, year: int) -> dict[str, Table]:
    """Every form's table; raises one error that names all sheets and headings that are missing."""
    tables, problems, code = {}, [], "MISSING_SHEET"
    for form in form_set.forms:
        names = [name for name in sheets.visible if form.is_sheet(name)]
        names = names or [name for name in sheets.visible if _titled(sheets, name, form, form_set)]
        if len(names) != 1:
            problems.append(_sheet_problem(form, names, sheets))
            code = "DOUBLED_SHEET" if names else code
            continue
        try:
            tables[form.table] = _read_table(form, form_set, year, names[0], sheets[names[0]])
        except WorkbookError as error:
            problems.append(str(error))
            code = error.code
        sheets.drop(names[0])
    if problems:
        raise WorkbookError(code, " ".join(problems))
    return tables


def _sheet_problem(form: Form, names: list[str], sheets: _Sheets) -> str:
    if names:
        return f"Có nhiều trang cùng là {form.title} ({_listed(names)}): hãy giữ một trang."
    if any(form.is_sheet(name) for name in sheets.hidden):
        return f"Trang {form.title} đang bị ẩn: hãy bỏ ẩn rồi gửi lại."
    return f"Thiếu trang “{form.sheet}” ({form.name}); các trang có trong tệp: {_listed(sheets.visible)}."


def _titled(sheets: _Sheets, name: str, form: Form, form_set: FormSet) -> bool:
    """Whether a sheet of another name says above its table that it is this form: ``BIỂU 5: XẾP LOẠI ĐẢNG VIÊN``."""
    if any(other.is_sheet(name) for other in form_set.forms):
        return False
    title = re.compile(rf"^{re.escape(strip_marks(form.sheet))}(?!\d)")
    return any(
        isinstance(cell, str) and title.match(strip_marks(cell)) for row in sheets[name][:12] for cell in row if cell
    )


def _find_heading(cells: Cells, form: Form) -> int | None:
    """Position of the row that holds the most of the form's headings (at least two); None where none does."""
    best, most = None, 1
    for position, row in enumerate(cells[:HEADING_ROWS]):
        texts = [cell for cell in row if isinstance(cell, str) and cell]
        if len(texts) <= most:
            continue
        count = len({form.by_heading[fold(text)].key for text in texts if fold(text) in form.by_heading})
        if count > most:
            best, most = position, count
    return best


def _read_table(form: Form, form_set: FormSet, year: int, sheet: str, cells: Cells) -> Table:
    heading = _find_heading(cells, form)
    if heading is None:
        raise WorkbookError(
            "MISSING_HEADING",
            f"Trang “{sheet}” ({form.title}): không tìm thấy dòng tiêu đề của bảng; "
            f"cần các cột {_listed(form.by_key[key].heading for key in form.by_key if key in form.indispensable)}.",
        )
    places: dict[str, int] = {}
    doubled, unknown = [], []
    for position, cell in enumerate(cells[heading]):
        if not isinstance(cell, str) or is_blank(cell):
            continue
        column = form.by_heading.get(fold(cell))
        if column is None:
            unknown.append(clean(cell))
        elif column.key in places:
            doubled.append(f"“{clean(cell)}” (cột {column_letter(places[column.key])} và {column_letter(position)})")
        else:
            places[column.key] = position
    if doubled:
        raise WorkbookError(
            "DOUBLED_HEADING",
            f"Trang “{sheet}” ({form.title}), dòng {heading + 1}: "
            f"tiêu đề lặp lại {', '.join(doubled)}; hãy giữ một cột.",
        )
    missing = [column for column in form.columns if column.key not in places]
    if absent := [column.heading for column in missing if column.key in form.indispensable]:
        raise WorkbookError(
            "MISSING_HEADING",
            f"Trang “{sheet}” ({form.title}), dòng {heading + 1}: thiếu cột {_listed(absent)}; "
            f"các tiêu đề không nhận ra: {_listed(unknown)}.",
        )
    body = cells[heading + 1 :]
    body = body[: _end_of_table(body, form_set)]
    margin = min(places.values())
    body = [row if not _is_total(row[:margin], form_set) else [] for row in body]
    table = {key: CellColumn.of([row[position] if row else "" for row in body]) for key, position in places.items()}
    looks = {key: _looks_like(form.by_key[key], form_set, year) for key in places}
    kept = _data_rows(table, body, form, form_set, looks)
    return Table(
        form=form,
        sheet=sheet,
        heading_row=heading + 1,
        letters={key: column_letter(position) for key, position in places.items()},
        rows=kept + heading + 2,
        cells={key: column.take(kept) for key, column in table.items()},
        missing_headings=tuple(column.heading for column in missing),
        unknown_headings=tuple(unknown),
    )


def _end_of_table(body: Cells, form_set: FormSet) -> int:
    """How many rows stand above the signature block, which is looked for from the bottom up among thin rows."""
    marks = {fold(mark) for mark in form_set.end_of_table}
    end = len(body)
    for position in range(len(body) - 1, -1, -1):
        filled = [cell for cell in body[position] if cell not in ("", None)]
        if len(filled) > 5:
            break
        if any(isinstance(cell, str) and fold(cell) in marks for cell in filled) and not _has_number(filled):
            end = position
    return end


def _has_number(cells: list[object]) -> bool:
    return any(not isinstance(cell, str) for cell in cells)


_NUMBER_OF_A_COLUMN = re.compile(r"\(?\d{1,2}\)?|-\d{1,2}|[A-Z]")
"""``(1)``, which Excel may have turned into -1; a letter numbers the columns of labels."""


def _data_rows(
    table: dict[str, CellColumn], body: Cells, form: Form, form_set: FormSet, looks: dict[str, Callable[[object], bool]]
) -> np.ndarray:
    """Positions of the rows that are records: not blank, no column numbers, no total, no remark, no heading again."""
    blank = {key: cells.blanks[cells.codes] for key, cells in table.items()}
    filled = np.sum([~column for column in blank.values()], axis=0)
    required = [~blank[column.key] for column in form.columns if column.required]
    keep = filled > 0
    first = np.flatnonzero(keep)[:1]
    if first.size:
        numbers = [shown(cells[first[0]]) for key, cells in table.items() if not blank[key][first[0]]]
        if len(numbers) > 1 and len({*numbers}) == len(numbers):
            keep[first] = not all(_NUMBER_OF_A_COLUMN.fullmatch(number) for number in numbers)
    # Where all that is required stands, the row is a record; the others are looked at one by one.
    whole = np.logical_and.reduce(required) & (filled >= 3)
    for position in np.flatnonzero(keep & ~whole):
        cells = {key: column[position] for key, column in table.items() if not blank[key][position]}
        stands = int(np.sum([column[position] for column in required]))
        keep[position] = not _is_total(body[position], form_set) and (
            stands >= 3 or _is_record(cells, form, looks, stands)
        )
    for key in form.row_key:
        headings = form.by_key[key].headings
        keep &= ~table[key].map(
            lambda cell, own=headings: (
                isinstance(cell, str)
                and not cell[:1].isdigit()  # most keys are codes: no word begins so
                and (_is_total([cell], form_set) or fold(cell) in own)
            ),
            bool,
        )
    return np.flatnonzero(keep)


def _is_total(row: list[object], form_set: FormSet) -> bool:
    """Whether the first text of a row is a word for a total: ``Tổng cộng``, ``TỔNG CỘNG:``, ``Tổng số (12)``."""
    text = next((cell for cell in row if isinstance(cell, str) and not is_blank(cell)), "")
    initials, pattern = _totals(form_set.total_rows)
    return text.lstrip()[:1].casefold() in initials and pattern.match(fold(text)) is not None


@cache
def _totals(words: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str]]:
    """First letters of the words for a total, and how a folded text begins that is one."""
    folded = [fold(word) for word in words]
    return frozenset(word[0] for word in folded), re.compile(rf"(?:{'|'.join(map(re.escape, folded))})(?!\s*[^\W\d_])")


def _is_record(cells: dict[str, object], form: Form, looks: dict[str, Callable[[object], bool]], stands: int) -> bool:
    """Whether a row with gaps holds data: cells that look like their columns, not just a remark or a signature."""
    alike = sum(not isinstance(cell, str) or looks[key](cell) for key, cell in cells.items())
    return alike >= 2 or (alike == 1 and (stands >= 2 or any(key in cells for key in form.row_key)))


def _looks_like(column: Column, form_set: FormSet, year: int) -> Callable[[object], bool]:
    """Whether a text looks like what the column holds, lawful or not; free text looks like nothing."""
    if column.type == "code" and column.list is None:
        return lambda cell: re.fullmatch(r"\S*\d\S*", clean(cell)) is not None
    if column.type == "text" and column.list is None:
        return lambda cell: False
    parse = parser(column, form_set.spellings, year)
    return lambda cell: parse(cell)[1] not in {"not_in_list", "not_integer", "not_number", "not_date", "not_mark"}
