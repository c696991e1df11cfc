"""Reading a file in the shape of its form set: its cover, and each form's table found by its headings."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from itertools import zip_longest

import numpy as np

from submissions.coded import Coded, factorise, objects
from submissions.drift import DriftError, Proposal, likeness, looks_like, moved_columns, propose
from submissions.files.source import Cells, ErrorCell, RefusedError, Source, Uncalculated
from submissions.form_set import LONGEST_HEADING, Column, Form, FormSet, heading_key, heading_words, sheet_key
from submissions.text import clean, fold, quotable, strip_marks
from submissions.values import is_blank, shown

HEADING_ROWS = 200
"""The heading row is looked for in this many rows from the top of a sheet."""
LIKELY_HEADING_ROWS = 40
"""Rows that are compared with the headings where none of those is found."""
LEVELS = 3
"""Headings may be written over this many rows: a group's name above, the headings below."""
WIDEST = 256
"""Columns in which headings are looked for; a form has twenty."""
LARGEST_COPY = 1_000_000
"""Places (rows times columns) of a sheet that is looked at though no form is named so; no form has a tenth of it."""


@dataclass(frozen=True)
class CoverField:
    """A value of the cover and where it stands."""

    cell: str
    value: object


class CellColumn(Coded):
    """The cells of a column."""

    @classmethod
    def of(cls, cells: Sequence[object]) -> "CellColumn":
        """The column that holds these cells."""
        codes, distinct = factorise(cells)
        # TRUE equals 1 in Python, and is no number to a reader.
        if (1 in distinct or 0 in distinct) and bool in set(map(type, cells)):
            return cls.of([shown(cell) if isinstance(cell, bool) else cell for cell in cells])
        return cls(codes, objects(list(distinct)))

    def take(self, rows: np.ndarray) -> "CellColumn":
        """The cells of some rows."""
        taken = CellColumn(self.codes[rows], self.distinct)
        taken.blanks = self.blanks
        return taken

    @cached_property
    def blanks(self) -> np.ndarray:
        """Which of the distinct cells are blank."""
        # Most cells begin with a letter or digit: that is asked here, without a call.
        blank = [
            cell is None or (cell.__class__ is str and not (cell and cell[0].isalnum()) and is_blank(cell))
            for cell in self.distinct
        ]
        return np.array(blank, dtype=bool)


@dataclass(frozen=True)
class UnknownHeading:
    """A heading over filled cells that no form set knows; an empty text where the cells have no heading."""

    heading: str
    cell: str
    filled: int
    """How many of the records have a cell under it."""


@dataclass(frozen=True)
class Table:
    """The rows of one form: cells by column key, and where they stand in the file."""

    form: Form
    sheet: str
    heading_row: int
    """The row above the first record or column number, as Excel counts: the last one of the headings."""
    letters: dict[str, str]
    """Column letter by column key."""
    rows: np.ndarray
    """Row number of each record, as Excel counts."""
    cells: dict[str, CellColumn]
    unknown: tuple[UnknownHeading, ...] = ()
    """Columns beside a complete table that are not read."""

    @property
    def unknown_headings(self) -> tuple[str, ...]:
        """The headings of those columns; for one without a heading, where it stands."""
        return tuple(item.heading or f"cột ở ô {item.cell} không có tiêu đề" for item in self.unknown)


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


def read_workbook(source: Source, form_sets: Mapping[str, FormSet]) -> Workbook:
    """A file in the shape of its form set.

    Raises `RefusedError` naming what was looked for and what was found, all sheets and headings at once; a
    `DriftError` where headings differ from the agreed ones.
    """
    return read_tables(source, read_cover(source, form_sets), form_sets)


def read_tables(source: Source, cover: Workbook, form_sets: Mapping[str, FormSet]) -> Workbook:
    """The workbook of which `cover` was read, with its tables; raises as `read_workbook`."""
    tables = _find_tables(_Sheets(source), cover, list(form_sets.values()))
    return replace(cover, tables=tables)


def read_cover(source: Source, form_sets: Mapping[str, FormSet]) -> Workbook:
    """Which form set and year a file is of, and its cover, without tables; raises `RefusedError`."""
    sheets = _Sheets(source)
    unit_sets = [form_set for form_set in form_sets.values() if form_set.kind == "unit"]
    covered = [form_set for form_set in form_sets.values() if form_set.cover is not None]
    cover_sheet, cover = _find_cover(sheets, covered)
    if cover_sheet is None:
        register = _find_register(sheets, [item for item in form_sets.values() if item.cover is None])
        if register is None:
            raise _no_cover(sheets, unit_sets)
        form_set, year = register
        cover_sheet = ""
    else:
        _refuse_uncalculated({cover_sheet: [item.cell for item in cover.values() if _is_uncalculated(item.value)]})
        form_set = _form_set_of(cover_sheet, cover, covered)
        year = _year_of(cover_sheet, cover)
    return Workbook(form_set, year, cover_sheet, cover)


class _Sheets:
    """The sheets of a file, each read once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.visible = [sheet.name for sheet in source.sheets if sheet.visible]
        self.hidden = [sheet.name for sheet in source.sheets if not sheet.visible]
        self.may_be_copies = [
            sheet.name for sheet in source.sheets if sheet.visible and 0 < sheet.rows * sheet.columns <= LARGEST_COPY
        ]
        self.kind = source.kind
        self._read: dict[str, Cells] = {}
        # LibreOffice names the files of a CSV export after workbook and sheet: ``bao cao-Biểu 5.csv``.
        before = {name[: name.rfind("-") + 1] for name in self.visible} if source.kind == "csv_zip" else set()
        self._before = before.pop() if len(before) == 1 else ""

    def __getitem__(self, name: str) -> Cells:
        if name not in self._read:
            self._read[name] = self._source.cells(name)
        return self._read[name]

    def called(self, name: str) -> str:
        """A sheet's name without what all the files of a sending have before it."""
        return name.removeprefix(self._before)

    def of(self, form: Form) -> list[str]:
        """The visible sheets that have the form's name."""
        return [name for name in self.visible if form.is_sheet(self.called(name))]

    def drop(self, name: str) -> None:
        """Let go of a sheet that was read."""
        self._read.pop(name, None)


def _listed(names: Iterable[str]) -> str:
    return _joined([f"“{_safe(name)}”" for name in names])


def _joined(told: Sequence[str], most: int = 30) -> str:
    """What is listed in a message, which stays readable whatever a file holds."""
    more = [f"và {len(told) - most} mục khác"] if len(told) > most else []
    return ", ".join([*told[:most], *more]) or "không có"


_LONG_NUMBER = re.compile(r"\d{9,}")


def _safe(text: str) -> str:
    """A name or heading as it may stand in a message: short, and no card number that was typed into its place."""
    text = _LONG_NUMBER.sub("…", clean(text))
    return text if len(text) <= 80 else f"{text[:79]}…"


def _is_uncalculated(cell: object) -> bool:
    return isinstance(cell, Uncalculated)


def _refuse_uncalculated(places: Mapping[str, Sequence[str]]) -> None:
    """Raise for cells by sheet that hold a formula without a result."""
    if problem := _uncalculated_problem(places):
        raise RefusedError("FORMULA_NOT_CALCULATED", problem)


def _uncalculated_problem(places: Mapping[str, Sequence[str]]) -> str:
    count = sum(map(len, places.values()))
    if not count:
        return ""
    told = []
    for sheet, cells in places.items():
        if cells:
            more = f" và {len(cells) - 10} ô khác" if len(cells) > 10 else ""
            told.append(f"trang “{_safe(sheet)}”: {', '.join(cells[:10])}{more}")
    return (
        f"Có {count} ô là công thức mà tệp không lưu kết quả ({'; '.join(told)}). "
        "Hãy mở tệp bằng Excel, bấm F9 để tính lại, lưu lại rồi gửi lại."
    )


# The cover


def _find_cover(sheets: _Sheets, form_sets: list[FormSet]) -> tuple[str | None, dict[str, CoverField]]:
    """The cover's sheet and fields by key, of whichever form set; (None, {}) where no sheet is a cover."""
    labels: dict[str, str] = {}
    wanted = set()
    for form_set in form_sets:
        if form_set.cover is not None:
            wanted.add(sheet_key(form_set.cover.sheet))
            labels |= {heading: item.key for item in form_set.cover.fields for heading in item.headings}
    labels |= {strip_marks(label): key for label, key in labels.items()}
    named = [name for name in sheets.visible if sheet_key(sheets.called(name)) in wanted]
    for name in (*named, *(name for name in sheets.visible if name not in named)):
        found = _cover_fields(name, sheets[name], labels)
        # Two labels in one sheet are no accident; which of them are missing is said below.
        if name in named or len(found) >= 2:
            return name, found
    return None, {}


def _cover_fields(sheet: str, cells: Cells, labels: Mapping[str, str]) -> dict[str, CoverField]:
    """The fields of a cover by key: a label in a row's first filled cell, the value in the next, or after a colon."""
    found: dict[str, CoverField] = {}
    for number, row in enumerate(cells[:HEADING_ROWS], start=1):
        filled = [(position, cell) for position, cell in enumerate(row[:WIDEST]) if not is_blank(cell)]
        if not filled or not isinstance(filled[0][1], str) or len(filled[0][1]) > LONGEST_HEADING:
            continue
        (position, label), *rest = filled
        key = labels.get(heading_key(label))
        if key:
            position, value = rest[0] if rest else (position + 1, None)
        elif not rest and ":" in label:
            label, value = (part.strip() for part in label.split(":", 1))
            key = labels.get(heading_key(label))
        if not key:
            continue
        place = CoverField(f"{column_letter(position)}{number}", value)
        if key in found and shown(found[key].value) != shown(value):
            raise RefusedError(
                "DOUBLED_LABEL",
                f"Trang “{_safe(sheet)}”: nhãn “{_safe(label)}” có hai giá trị khác nhau (ô {found[key].cell} và ô "
                f"{place.cell}); hãy giữ một.",
            )
        found.setdefault(key, place)
    return found


def _no_cover(sheets: _Sheets, form_sets: list[FormSet]) -> RefusedError:
    """Why there is no cover: it is hidden, the file is a single form, or it is no sending at all."""
    covers = {item.cover.sheet for item in form_sets if item.cover}
    keys = {sheet_key(name) for name in covers}
    if hidden := [name for name in sheets.hidden if sheet_key(sheets.called(name)) in keys]:
        return RefusedError("NO_COVER", f"Trang bìa {_listed(hidden)} đang bị ẩn: hãy bỏ ẩn rồi gửi lại.")
    wanted = " hoặc ".join(f"“{name}”" for name in sorted(covers))
    if sheets.kind == "csv":
        forms = {form.title: form for item in form_sets for form in item.forms}
        own = {
            title
            for title, form in forms.items()
            for name in sheets.visible
            if form.is_sheet(name) or _titled(sheets[name], form)
        }
        missing = [title for title in forms if title not in own]
        return RefusedError(
            "SINGLE_CSV",
            f"Một tệp .csv chỉ chứa một trang, chưa đủ một lần gửi: thiếu trang bìa {wanted} và "
            f"{', '.join(missing)}. Hãy gửi sổ tính .xlsx, hoặc nén tất cả các tệp .csv (mỗi trang một tệp, đặt tên "
            "theo trang) vào một tệp .zip.",
        )
    errors = [
        f"“{_safe(name)}” ô {column_letter(0)}{number}"
        for name in sheets.visible[:3]
        for number, row in enumerate(sheets[name][:20], start=1)
        if row and isinstance(row[0], ErrorCell | Uncalculated)
    ]
    told = f" Các ô nhãn bị lỗi công thức: {', '.join(errors[:10])}." if errors else ""
    return RefusedError(
        "NO_COVER",
        f"Không tìm thấy trang bìa {wanted} (nhãn “Mẫu biểu”, “Mã đơn vị báo cáo”, “Kỳ báo cáo” ở cột A). "
        f"Các trang có trong tệp: {_listed(sheets.visible)}.{told} Hãy dùng đúng bộ biểu và gửi lại.",
    )


def _cover_text(cover: Mapping[str, CoverField], key: str) -> str:
    return shown(cover[key].value) if key in cover else ""


def _form_set_of(sheet: str, cover: Mapping[str, CoverField], form_sets: list[FormSet]) -> FormSet:
    version = _cover_text(cover, "form_version")
    known = {_letters_and_digits(form_set.form_set): form_set for form_set in form_sets}
    found = known.get(_letters_and_digits(version)) if version else None
    if found is None:
        told = f"tìm thấy “{quotable(version)}”" if version else "không thấy hoặc để trống"
        raise RefusedError(
            "UNKNOWN_FORM_VERSION",
            f"Trang “{_safe(sheet)}”, nhãn “Mẫu biểu”: {told}; cần một trong "
            f"{_listed(item.form_set for item in form_sets if item.kind == 'unit')}.",
        )
    return found


def _letters_and_digits(text: str) -> str:
    """``B12 – 2025`` and ``b12-2025`` are one version."""
    return re.sub(r"[\W_]", "", fold(text))


def _year_of(sheet: str, cover: Mapping[str, CoverField]) -> int:
    text = _cover_text(cover, "year")
    years = re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)
    if len(years) != 1:
        told = f"tìm thấy “{quotable(text)}”" if text else "không thấy hoặc để trống"
        raise RefusedError(
            "NO_YEAR", f"Trang “{_safe(sheet)}”, nhãn “Kỳ báo cáo”: {told}; cần một năm, ví dụ “Năm 2024”."
        )
    return int(years[0])


def _find_register(sheets: _Sheets, form_sets: list[FormSet]) -> tuple[FormSet, int] | None:
    for form_set in form_sets:
        form = form_set.forms[0]
        for name in sheets.of(form) or [name for name in sheets.visible if _titled(sheets[name], form)]:
            heading = _find_heading(sheets[name], form)
            for row in sheets[name][: heading.top if heading is not None else HEADING_ROWS]:
                for cell in row:
                    if found := re.search(r"năm\s*((?:19|20)\d\d)(?!\d)", fold(shown(cell))):
                        return form_set, int(found.group(1))
            raise RefusedError(
                "NO_YEAR", f"Trang “{_safe(name)}”: không thấy năm ở các dòng phía trên bảng (ví dụ “Năm 2024”)."
            )
    return None


# The tables


def _find_tables(sheets: _Sheets, cover: Workbook, form_sets: list[FormSet]) -> dict[str, Table]:
    """Every form's table; raises one error that names all sheets and headings that are missing."""
    form_set, year = cover.form_set, cover.year
    tables: dict[str, Table] = {}
    problems: list[str] = []
    codes: list[str] = []
    proposals: list[Proposal] = []
    uncalculated: dict[str, list[str]] = {}
    for form in form_set.forms:
        names = sheets.of(form)
        if not names:
            unnamed = [name for name in sheets.visible if not any(name in sheets.of(other) for other in form_set.forms)]
            names = [name for name in unnamed if _titled(sheets[name], form)]
            # A list of contents has the titles too, and no table.
            names = [name for name in names if _find_heading(sheets[name], form)] or names
        if len(names) != 1:
            problems.append(_sheet_problem(form, names, sheets))
            codes.append("DOUBLED_SHEET" if names else "MISSING_SHEET")
            continue
        try:
            table = _read_table(form, form_set, year, names[0], sheets[names[0]])
        except RefusedError as error:
            problems.append(str(error))
            codes.append(error.code)
            proposals += error.proposals if isinstance(error, DriftError) else []
        else:
            tables[form.table] = table
            if places := _uncalculated_cells(table):
                uncalculated[table.sheet] = places
        sheets.drop(names[0])
    taken = {cover.cover_sheet, *(name for form in form_set.forms for name in sheets.of(form))}
    taken |= {table.sheet for table in tables.values()}
    copies: dict[str, list[str]] = {}
    for name in sheets.may_be_copies:
        if name not in taken and (table := _copied(name, sheets[name], tables, form_set, year)):
            copies.setdefault(table, []).append(name)
        sheets.drop(name)
    for table, names in copies.items():
        problems.append(_sheet_problem(tables[table].form, [tables[table].sheet, *names], sheets))
        codes.append("DOUBLED_SHEET")
    if told := _uncalculated_problem(uncalculated):
        problems.append(told)
        codes.append("FORMULA_NOT_CALCULATED")
    if proposals and (other := _other_version(proposals, form_set, form_sets)):
        problems.append(
            f"Các tiêu đề lạ là của mẫu {other}: hãy kiểm tra nhãn “Mẫu biểu” ở trang bìa "
            f"(đang ghi {form_set.form_set})."
        )
    if proposals:
        raise DriftError(codes[0], " ".join(problems), tuple(proposals))
    if problems:
        raise RefusedError(codes[0], " ".join(problems))
    return tables


def _other_version(proposals: Iterable[Proposal], form_set: FormSet, form_sets: Iterable[FormSet]) -> str | None:
    """Another form set that knows every strange heading."""
    strange = [(proposal.form, heading) for proposal in proposals for heading in proposal.new]
    for other in form_sets:
        if strange and other.form_set != form_set.form_set and other.kind == form_set.kind:
            forms = other.by_table
            if all(form in forms and forms[form].column_of(heading) for form, heading in strange):
                return other.form_set
    return None


def _uncalculated_cells(table: Table) -> list[str]:
    """Cells of the records that hold a formula without a result."""
    found = []
    for key, cells in table.cells.items():
        if Uncalculated in set(map(type, cells.distinct)):
            places = [place for place, cell in enumerate(cells.distinct) if _is_uncalculated(cell)]
            found += [f"{table.letters[key]}{row}" for row in table.rows[cells.where(places)]]
    return found


def _copied(sheet: str, cells: Cells, tables: Mapping[str, Table], form_set: FormSet, year: int) -> str | None:
    """The one of the forms read of which another sheet holds all headings, with rows under them."""
    texts = {cell for row in cells[:HEADING_ROWS] for cell in row[:WIDEST] if cell.__class__ is str and cell}
    for table, found in tables.items():
        form = found.form
        named = sheet_key(form.sheet) in sheet_key(sheet)  # ``Biểu 3 (2)``
        if named or len({column.key for text in texts if (column := form.column_of(text))}) * 2 > len(form.columns):
            heading = _find_heading(cells, form)
            if heading is not None and heading.known == len(form.columns):
                places = {column.key: position for position, column in heading.columns.items()}
                body = _Body(cells[heading.bottom + 1 :], form_set)
                columns = {key: body[position] for key, position in places.items()}
                if len(_data_rows(columns, body, form, form_set, year, min(places.values()))):
                    return table
    return None


def _sheet_problem(form: Form, names: list[str], sheets: _Sheets) -> str:
    if names:
        return (
            f"Có nhiều trang cùng là {form.title} ({_listed(names)}): hãy giữ một trang, xóa hoặc ẩn trang "
            "thừa; nếu trang đó là biểu khác thì hãy đặt lại đúng tên."
        )
    if any(form.is_sheet(sheets.called(name)) for name in sheets.hidden):
        return f"Trang {form.title} đang bị ẩn: hãy bỏ ẩn rồi gửi lại."
    return f"Thiếu trang “{form.sheet}” ({form.name}); các trang có trong tệp: {_listed(sheets.visible)}."


def _titled(cells: Cells, form: Form) -> bool:
    """Whether a sheet says above its table that it is this form: ``BIỂU 5: XẾP LOẠI ĐẢNG VIÊN``."""
    title = re.compile(rf"^{re.escape(strip_marks(form.sheet))}(?!\d)")
    return any(
        isinstance(cell, str) and title.match(re.sub(r"\bso (?=\d)", "", strip_marks(cell)))
        for row in cells[:12]
        for cell in row[:WIDEST]
        if cell
    )


@dataclass(frozen=True)
class _Heading:
    """Where a table's headings stand: the rows (positions, both inclusive), and the heading of each column."""

    top: int
    bottom: int
    texts: dict[int, str]
    """By position, group and own words together."""
    own: dict[int, str]
    """By position, without the groups above."""
    columns: dict[int, Column]
    """By position; where two positions have one column, the heading is doubled."""

    @property
    def known(self) -> int:
        """How many of the form's columns were found."""
        return len({column.key for column in self.columns.values()})


def _find_heading(cells: Cells, form: Form) -> _Heading | None:
    """The headings of a form: the row, or up to `LEVELS` rows, in which the most of them stand; at least two."""
    best, most = None, 1
    for position, row in enumerate(cells[:HEADING_ROWS]):
        texts = [cell for cell in row[:WIDEST] if cell.__class__ is str and cell]
        if len(texts) <= most:
            continue
        count = len({column.key for text in texts if (column := form.column_of(text))})
        if count > most:
            best, most = position, count
            if count == len(form.columns):
                break
    found = None if best is None else _heading_at(cells, best, best, form)
    if most < len(form.columns):
        promising = [_speaks_of(row, form) for row in cells[:HEADING_ROWS]]
        for height in range(2, LEVELS + 1):
            for top in range(len(promising) - height + 1):
                if all(promising[top : top + height]):
                    block = _heading_at(cells, top, top + height - 1, form)
                    if block.known > most:
                        found, most = block, block.known
    return found


def _speaks_of(row: Sequence[object], form: Form) -> bool:
    """Whether a cell of the row is made of words of the form's headings, as a part of one is."""
    return any(
        cell.__class__ is str and 1 < len(cell) <= 80 and heading_words(cell) <= form.heading_words
        for cell in row[:WIDEST]
    )


def _heading_at(cells: Cells, top: int, bottom: int, form: Form) -> _Heading:
    """What stands in the rows as headings. A group's name goes on to the right over the headings below it."""
    rows = [row[:WIDEST] for row in cells[top : bottom + 1]]
    width = max(map(len, rows))
    grid = [
        [cell if isinstance(cell, str) and not is_blank(cell) else "" for cell in row] + [""] * (width - len(row))
        for row in rows
    ]
    texts: dict[int, str] = {}
    lowest: dict[int, str] = {}
    columns: dict[int, Column] = {}
    groups = [""] * len(grid)
    for position in range(width):
        own = [level for level, row in enumerate(grid) if row[position]]
        if not own:
            groups = [""] * len(grid)
            continue
        parts: list[str] = []
        for level in range(own[-1] + 1):
            # A heading of this level ends the groups of the levels below it, and one that goes down to the last row
            # stands beside the groups, not under them.
            if grid[level][position]:
                groups[level:] = [grid[level][position], *[""] * (len(grid) - level - 1)]
            parts.append(groups[level])
        if own[-1] < len(grid) - 1:
            groups = [""] * len(grid)
        words = [clean(part) for part in parts if part]
        texts[position], lowest[position] = " ".join(words), words[-1]
        for start in range(len(words)):
            if column := form.column_of(" ".join(words[start:])):
                columns[position] = column
                break
    return _Heading(top, bottom, texts, lowest, columns)


def _likely_heading(cells: Cells, form: Form) -> _Heading | None:
    """The row that resembles the form's headings where none holds two of them, for proposing what they are."""
    agreed = [heading for column in form.columns for heading in (column.heading, *column.also)]
    best, most = None, max(1, len(form.columns) // 3)
    for position, row in enumerate(cells[:LIKELY_HEADING_ROWS]):
        texts = [cell for cell in row[:WIDEST] if not is_blank(cell)]
        # A row with a number in it may be a person's, whose name would be told for a heading.
        if most < len(texts) <= 60 and all(isinstance(cell, str) and not _has_digits(cell) for cell in texts):
            alike = sum(max(likeness(text, heading) for heading in agreed) >= 0.6 for text in texts)
            if alike > most:
                best, most = position, alike
    return None if best is None else _heading_at(cells, best, best, form)


def _has_digits(text: str) -> bool:
    return any(letter.isdigit() for letter in text)


def _read_table(form: Form, form_set: FormSet, year: int, sheet: str, cells: Cells) -> Table:
    heading = _find_heading(cells, form) or _likely_heading(cells, form)
    if heading is None:
        raise RefusedError(
            "MISSING_HEADING",
            f"Trang “{_safe(sheet)}” ({form.title}): không tìm thấy dòng tiêu đề của bảng; "
            f"cần các cột {_listed(column.heading for column in form.columns)}.",
        )
    places: dict[str, int] = {}
    doubled = []
    for position, column in heading.columns.items():
        if column.key in places:
            letters = f"cột {column_letter(places[column.key])} và {column_letter(position)}"
            doubled.append(f"“{_safe(heading.texts[position])}” ({letters})")
        else:
            places[column.key] = position
    columns = _Body(cells[heading.bottom + 1 :], form_set)
    table = {key: columns[position] for key, position in places.items()}
    kept = _data_rows(table, columns, form, form_set, year, min(places.values(), default=0))
    table = {key: column.take(kept) for key, column in table.items()}
    strange = {
        position: text
        for position, text in heading.texts.items()
        if position not in heading.columns
        and not {heading_key(text), heading_key(heading.own[position])} & form_set.ignored_headings
    }
    row = heading.bottom + 1
    where = f"Trang “{_safe(sheet)}” ({form.title}), dòng {row}"
    missing = [column for column in form.columns if column.key not in places]
    if missing or doubled:
        proposal = propose(
            form_set,
            form,
            sheet,
            year,
            missing,
            [
                (_safe(text), f"{column_letter(position)}{row}", columns[position].take(kept))
                for position, text in strange.items()
            ],
        )
        told = [f"tiêu đề lặp lại {', '.join(doubled)}, hãy giữ một cột"] if doubled else []
        if missing:
            told.append(f"thiếu cột {_listed(column.heading for column in missing)}")
            found = [
                f"“{_safe(text)}” (ô {column_letter(position)}{row}{_fault(text)})"
                for position, text in strange.items()
            ]
            told.append(f"các tiêu đề không nhận ra: {_joined(found)}")
        raise DriftError(
            "DOUBLED_HEADING" if doubled else "MISSING_HEADING",
            " ".join([f"{where}: {'; '.join(told)}.", proposal.told()]).strip(),
            (proposal,),
        )
    ordered = {key: form.by_key[key] for key in sorted(places, key=places.__getitem__)}
    if moved := moved_columns(form_set, ordered, table, year):
        pairs = [(form.by_key[key].heading, form.by_key[other].heading) for key, other in moved]
        told = [
            f"cột {column_letter(places[key])} có tiêu đề “{heading}” nhưng nội dung là của cột “{content}”"
            for (key, _), (heading, content) in zip(moved, pairs, strict=True)
        ]
        raise DriftError(
            "HEADINGS_SWAPPED",
            f"{where}: tiêu đề đặt nhầm cột: {'; '.join(told)}. Hãy đặt lại tiêu đề cho đúng cột rồi gửi lại.",
            (Proposal(form_set.form_set, form.table, form.title, sheet, (), (), (), tuple(pairs)),),
        )
    return Table(
        form=form,
        sheet=sheet,
        heading_row=row,
        letters={key: column_letter(position) for key, position in places.items()},
        rows=kept + row + 1,
        cells=table,
        unknown=tuple(_unknown(columns, strange, heading, kept)),
    )


def _fault(text: str) -> str:
    """What is wrong with a heading that a formula should have made."""
    if text.startswith("#"):
        return ", ô bị lỗi công thức"
    return ", công thức chưa có kết quả" if text.startswith("=") else ""


class _Body:
    """What stands under the headings, down to the signatures, by column."""

    def __init__(self, rows: Cells, form_set: FormSet) -> None:
        self.rows = rows[: _end_of_table(rows, form_set)]
        widths = set(map(len, self.rows))
        self.width = max(widths, default=0)
        self._columns: list[tuple[object, ...]] | None = None
        if self.width <= WIDEST:
            turned = zip(*self.rows, strict=True) if len(widths) <= 1 else zip_longest(*self.rows)
            self._columns = list(turned)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, position: int) -> CellColumn:
        """The cells of a column."""
        return CellColumn.of(self.cells(position))

    def cells(self, position: int) -> Sequence[object]:
        """The cells of a column as they stand; None where a row ends before it."""
        if self._columns is not None:
            return self._columns[position] if position < self.width else (None,) * len(self.rows)
        return [row[position] if position < len(row) else None for row in self.rows]


def _unknown(
    columns: _Body, strange: Mapping[int, str], heading: _Heading, kept: np.ndarray
) -> Iterable[UnknownHeading]:
    """The columns beside the table that hold something and are not read; those without a heading from half full on."""
    for position in range(min(columns.width, WIDEST)):
        if position in heading.columns or (position in heading.texts and position not in strange):
            continue
        column = columns[position].take(kept)
        filled = int(np.count_nonzero(~column.blanks[column.codes]))
        named = position in strange
        if filled and (named or (filled * 2 >= len(kept) and not _counts_up(column))):
            cell = f"{column_letter(position)}{heading.bottom + 1}"
            yield UnknownHeading(_safe(strange.get(position, "")), cell, filled)


def _counts_up(column: CellColumn) -> bool:
    """Whether a column only numbers its rows."""
    numbers = [shown(cell).rstrip(".") for cell in column.distinct[column.codes] if not is_blank(cell)]
    return all(number.isdecimal() and len(number) <= 6 for number in numbers)


def _end_of_table(rows: Cells, form_set: FormSet) -> int:
    """How many rows stand above the signature block, which is looked for from the bottom up among thin rows."""
    initials, marks = _signatures(form_set.end_of_table)
    end = len(rows)
    for position in range(len(rows) - 1, -1, -1):
        filled = [cell for cell in rows[position] if cell is not None and cell != ""]
        if len(filled) > 5:
            break
        texts = (cell for cell in filled if cell.__class__ is str and cell.lstrip()[:1].casefold() in initials)
        signed = any(fold(text) in marks for text in texts)
        if signed and all(isinstance(cell, str) for cell in filled):
            end = position
    return end


@cache
def _signatures(words: tuple[str, ...]) -> tuple[frozenset[str], frozenset[str]]:
    """First letters of the words of a signature block, and the words, folded."""
    folded = frozenset(fold(word) for word in words)
    return frozenset(word[0] for word in folded), folded


_NUMBER_OF_A_COLUMN = re.compile(r"[(\[]?\d{1,2}[)\].]?|-\d{1,2}|\(?[A-Za-z]\)?|\(?\d{1,2}\)?\s*=[\d\s()+/*x-]+")
"""``(1)``, which Excel may have turned into -1, ``[1]``, ``1.``; a letter numbers the columns of labels; ``4=2+3``."""
_FIRST_NUMBER = 4
"""The highest number of the first column that is read: columns of numbers and notes may stand before it."""


def _data_rows(
    table: Mapping[str, CellColumn], body: _Body, form: Form, form_set: FormSet, year: int, margin: int
) -> np.ndarray:
    """Positions of the rows that are records: not blank, no column numbers, no total, no remark, no heading again."""
    if not table or not len(body):
        return np.empty(0, dtype=np.intp)
    filled_by = {key: ~cells.blanks[cells.codes] for key, cells in table.items()}
    filled = np.sum(list(filled_by.values()), axis=0)
    required = [filled_by[column.key] for column in form.columns if column.required and column.key in table]
    keep = filled > 0
    for position in range(margin):
        beside = CellColumn.of(body.cells(position))
        if sums := _totals_among(beside, form_set, whole=False):
            # Before the table no name stands that could begin so (``Cộng Hòa``): a sum of a part, where no key stands.
            keyed = np.logical_or.reduce([filled_by[key] for key in form.row_key if key in table] or [filled < 0])
            keep &= ~beside.where(_totals_among(beside, form_set)) & (keyed | ~beside.where(sums))
    # What is no code of the usual kind in each column of the key: there are few.
    odd = {
        key: [
            place
            for place, cell in enumerate(table[key].distinct)
            if not (cell.__class__ is str and len(cell) > 11 and cell[0].isdigit())
        ]
        for key in form.row_key
        if key in table
    }
    key = next(iter(odd), None)
    numbers = [place for place in odd.get(key, ()) if _NUMBER_OF_A_COLUMN.fullmatch(shown(table[key].distinct[place]))]
    first = int(np.argmax(keep))
    for position in np.flatnonzero(keep & table[key].where(numbers)) if numbers else ():
        own = [shown(cells[position]) for name, cells in table.items() if filled_by[name][position]]
        # On a later page the numbers stand under all headings; a row with gaps is a broken record.
        if len(own) > 1 and (position == first or len(own) == len(table)):
            keep[position] = not _number_columns(own)
    # Where all that is required stands, the row is a record; the others are looked at one by one.
    whole = np.logical_and.reduce(required) & (filled >= 3) if required else np.zeros(len(keep), dtype=bool)
    looks: dict[str, Callable[[object], bool]] = {}
    for position in np.flatnonzero(keep & ~whole):
        looks = looks or {key: looks_like(form.by_key[key], form_set, year) for key in table}
        cells = {key: column[position] for key, column in table.items() if filled_by[key][position]}
        stands = sum(bool(column[position]) for column in required)
        keep[position] = (
            not _is_total(body.rows[position], form_set)
            and not _is_sum(cells, form, form_set)
            and (stands >= 3 or _is_record(cells, form, looks, stands))
        )
    for key, places in odd.items():
        column = form.by_key[key]
        again = [
            place
            for place in places
            if isinstance(cell := table[key].distinct[place], str) and heading_key(cell) in column.headings
        ]
        # No code begins with such a word; a text may: ``Tổng số hóa dữ liệu``.
        if dropped := [*again, *_totals_among(table[key], form_set, places, whole=column.type != "code")]:
            keep &= ~table[key].where(dropped)
    return np.flatnonzero(keep)


def _number_columns(numbers: Sequence[str]) -> bool:
    """Whether a row's cells number its columns: ``(1) (2) (3)``, ``A B 1 2``, ``1 2 3=1+2``."""
    if not all(_NUMBER_OF_A_COLUMN.fullmatch(number) for number in numbers):
        return False
    counted = [int(found.group()) for number in numbers if (found := re.search(r"\d+", number))]
    # A line of totals without its label may hold a letter and two numbers too.
    begins = not counted or counted[0] <= _FIRST_NUMBER
    return begins and len({*numbers}) == len(numbers) and counted == sorted(counted)


def _is_total(row: Sequence[object], form_set: FormSet) -> bool:
    """Whether the first text of a row is a word for a total: ``Tổng cộng``, ``TỔNG CỘNG:``, ``Tổng số (12)``."""
    text = next((cell for cell in row if isinstance(cell, str) and not is_blank(cell)), "")
    return _totals(form_set.total_rows)[1].match(fold(text)) is not None


def _totals_among(
    column: CellColumn, form_set: FormSet, places: Iterable[int] | None = None, *, whole: bool = True
) -> list[int]:
    """Positions of the distinct cells that are words for a total, or only begin with one: ``Cộng xã Một``.

    Where `places` are given, only those cells are looked at.
    """
    initials, pattern, beginning = _totals(form_set.total_rows)
    pattern = pattern if whole else beginning
    cells = enumerate(column.distinct) if places is None else ((place, column.distinct[place]) for place in places)
    return [
        place for place, cell in cells if cell.__class__ is str and cell[:1] in initials and pattern.match(fold(cell))
    ]


@cache
def _totals(words: tuple[str, ...]) -> tuple[frozenset[str], re.Pattern[str], re.Pattern[str]]:
    """How a text can begin that is a word for a total; the pattern of such a word, alone and with words after it."""
    folded = [fold(word) for word in words]
    initials = frozenset(letter for word in folded for letter in (word[0], word[0].upper()))
    either = "|".join(map(re.escape, folded))
    return (
        initials | frozenset(" \t\n\r\u00a0\u200b\ufeff"),
        re.compile(rf"(?:{either})(?!\s*[^\W\d_])"),
        re.compile(rf"(?:{either})(?![^\W_])"),
    )


def _is_sum(cells: Mapping[str, object], form: Form, form_set: FormSet) -> bool:
    """Whether a row without a key holds only numbers, beside at most words such as ``Tổng cộng toàn huyện``.

    Or only formulas that were drawn further than the data and came to nothing.
    """
    # A form of totals has lines that are called so, and one of them may have lost its key.
    if form.equations is not None or any(key in cells for key in form.row_key):
        return False
    if all(isinstance(cell, ErrorCell | Uncalculated) for cell in cells.values()):
        return True
    others = [cell for key, cell in cells.items() if form.by_key[key].type not in {"integer", "number"}]
    beginning = _totals(form_set.total_rows)[2]
    return not others or (len(others) == 1 and isinstance(others[0], str) and bool(beginning.match(fold(others[0]))))


def _is_record(
    cells: Mapping[str, object], form: Form, looks: Mapping[str, Callable[[object], bool]], stands: int
) -> bool:
    """Whether a row with gaps holds data: cells that look like their columns, not just a remark or a signature."""
    alike = sum(not isinstance(cell, str) or looks[key](cell) for key, cell in cells.items())
    return alike >= 2 or (alike == 1 and (stands >= 2 or any(key in cells for key in form.row_key)))
