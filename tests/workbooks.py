# ruff: noqa: E501 - drawn tables are as wide as the forms
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path

import pandas as pd
import xlsxwriter

from submissions.files.source import open_source
from submissions.form_set import Column, load_form_sets
from submissions.intake import take_in
from submissions.issues import find_issues
from submissions.judging import Judgement, judge
from submissions.workbook import Workbook, column_letter, read_workbook
from tests.drawing import table

UNIT = "67.001"
FORMS_2024 = {
    "membership_movements": """
        line | label                     | count | count_previous
        -----+---------------------------+-------+---------------
        A    | Cuối kỳ trước chuyển sang | 3     | 3
        B    | Tăng trong kỳ             | 2     | 0
        B1   | Kết nạp                   | 2     | 0
        B2   | Chuyển đến                | 0     | 0
        B3   | Phục hồi                  | 0     | 0
        C    | Giảm trong kỳ             | 1     | 0
        C1   | Từ trần                   | 1     | 0
        C2   | Khai trừ                  | 0     | 0
        C3   | Xóa tên                   | 0     | 0
        C4   | Xin ra                    | 0     | 0
        C5   | Chuyển đi                 | 0     | 0
        D    | Cuối kỳ                   | 4     | 3
        """,
    "organisations": """
        org_code           | org_name         | org_kind          | org_sector | parent_code        | commune | founded_on | closed_on | member_count
        -------------------+------------------+-------------------+------------+--------------------+---------+------------+-----------+-------------
        67.001.001.000.000 | Đảng bộ xã Một   | Đảng bộ cơ sở     | Xã         | 67.001             | Xã Một  | 15/03/2005 |           | 3
        67.001.001.000.001 | Chi bộ Bon Thử   | Chi bộ trực thuộc | Xã         | 67.001.001.000.000 | Xã Một  | 15/03/2005 |           | 2
        67.001.001.000.002 | Chi bộ Thôn Hai  | Chi bộ trực thuộc | Xã         | 67.001.001.000.000 | Xã Một  |            |           | 1
        67.001.002.000.000 | Chi bộ Trường Ba | Chi bộ cơ sở      | Khác       | 67.001             |         |            |           | 1
        """,
    "members": """
        card_no      | full_name       | born_on    | gender | ethnicity | cell_code          | admitted_on | official_on | school | qualification | theory   | occupation | status     | is_head | local
        -------------+-----------------+------------+--------+-----------+--------------------+-------------+-------------+--------+---------------+----------+------------+------------+---------+------
        670000000001 | Nguyễn Văn Thử  | 02/09/1970 | Nam    | Kinh      | 67.001.001.000.001 | 03/02/1995  | 03/02/1996  | THPT   | Đại học       | Trung cấp | Viên chức | Chính thức | x       | x
        670000000002 | Trần Thị Mẫu    | 19/05/1985 | Nữ     | M’Nông    | 67.001.001.000.001 | 19/05/2010  | 19/05/2011  | THPT   |               | Sơ cấp   | Nông dân   | Chính thức |         | x
        670000000003 | Lê Quý Nháp     | 01/01/1990 | Nam    | Ê Đê      | 67.001.001.000.002 | 01/07/2015  | 01/07/2016  | THCS   | Trung cấp     |          | Khác       | Miễn sinh hoạt | x   |
        670000000004 | Điểu Thị Giả    | 30/04/2001 | Nữ     |           | 67.001.002.000.000 | 22/12/2024  |             | THPT   | Cao đẳng      |          | Viên chức  | Dự bị      | x       |
        670000000005 | Hoàng Văn Cũ    | 12/12/1940 | Nam    | Tày       | 67.001.002.000.000 | 12/12/1965  | 12/12/1966  |        |               |          | Hưu trí    | Từ trần    |         |
        """,
    "organisation_assessments": """
        org_code           | org_name         | self_level                   | appraised_level        | final_level            | self_on    | appraised_on | decided_on | decision_no | decided_by_code    | tasks_assigned | tasks_done | tasks_late | not_rated_reason
        -------------------+------------------+------------------------------+------------------------+------------------------+------------+--------------+------------+-------------+--------------------+----------------+------------+------------+-----------------
        67.001.001.000.000 | Đảng bộ xã Một   | Hoàn thành xuất sắc nhiệm vụ | Hoàn thành tốt nhiệm vụ | Hoàn thành tốt nhiệm vụ | 05/12/2024 | 10/12/2024  | 15/01/2025 | 11-QĐ       | 67.001             | 20             | 20         | 0          |
        67.001.001.000.001 | Chi bộ Bon Thử   | Hoàn thành tốt nhiệm vụ      | Hoàn thành tốt nhiệm vụ | Hoàn thành tốt nhiệm vụ | 05/12/2024 | 10/12/2024  | 20/12/2024 | 12-QĐ       | 67.001.001.000.000 | 12             | 10         | 2          |
        67.001.001.000.002 | Chi bộ Thôn Hai  |                              |                        |                        |            |              |            |             |                    | 5              | 5          | 0          | Khác
        67.001.002.000.000 | Chi bộ Trường Ba | Hoàn thành nhiệm vụ          | Hoàn thành nhiệm vụ    | Hoàn thành nhiệm vụ    | 05/12/2024 | 10/12/2024   | 20/12/2024 | 13-QĐ       | 67                 | 8              | 6          | 0          |
        """,
    "member_assessments": """
        card_no      | full_name      | cell_code          | self_level                   | proposed_level          | final_level             | decided_on | state_level | not_rated_reason
        -------------+----------------+--------------------+------------------------------+-------------------------+-------------------------+------------+-------------+-----------------
        670000000001 | Nguyễn Văn Thử | 67.001.001.000.001 | Hoàn thành xuất sắc nhiệm vụ | Hoàn thành tốt nhiệm vụ | Hoàn thành tốt nhiệm vụ | 20/12/2024 | Hoàn thành tốt nhiệm vụ |
        670000000002 | Trần Thị Mẫu   | 67.001.001.000.001 | Hoàn thành tốt nhiệm vụ      | Hoàn thành tốt nhiệm vụ | Hoàn thành tốt nhiệm vụ | 20/12/2024 |             |
        670000000003 | Lê Quý Nháp    | 67.001.001.000.002 |                              |                         |                         |            |             | Miễn công tác và sinh hoạt đảng
        670000000004 | Điểu Thị Giả   | 67.001.002.000.000 |                              |                         |                         |            |             | Kết nạp dưới 6 tháng
        """,
    "cell_meetings": """
        cell_code          | month | held_on    | expected | attended | thematic | points | band | superior_attended
        -------------------+-------+------------+----------+----------+----------+--------+------+------------------
        67.001.001.000.001 | 1     | 05/01/2024 | 2        | 2        |          | 82.5   | Khá  |
        67.001.001.000.001 | 2     | 05/02/2024 | 2        | 1        | x        | 90     | Tốt  | x
        67.001.001.000.001 | 3     |            |          |          |          |        |      |
        67.001.001.000.002 | 1     | 06/01/2024 | 1        | 1        |          | 70     | Khá  |
        67.001.001.000.002 | 2     | 06/02/2024 | 1        | 0        |          | 40     | Kém  |
        67.001.001.000.002 | 3     | 06/03/2024 | 1        | 1        |          | 65     | Khá  |
        """,
    "inspections": """
        conductor_code     | conductor       | article | kind                | subject      | subject_code       | concluded_on | violation_found | planned
        -------------------+-----------------+---------+---------------------+--------------+--------------------+--------------+-----------------+--------
        67.001             | Ban thường vụ   | 30      | Kiểm tra chấp hành  | Tổ chức đảng | 67.001.001.000.000 | 14/05/2024   |                 | x
        67.001.001.000.000 | Ủy ban kiểm tra | 32      | Giám sát chuyên đề  | Đảng viên    | 670000000002       | 20/06/2024   | x               |
        """,
    "disciplines": """
        subject      | subject_code       | org_code           | form       | duty_related | corruption | violated_on | decided_on | decision_no | self_reported
        -------------+--------------------+--------------------+------------+--------------+------------+-------------+------------+-------------+--------------
        Đảng viên    | 670000000002       | 67.001.001.000.001 | Khiển trách | x           |            | 01/06/2023  | 01/07/2024 | 21-QĐ/UBKT  | x
        Tổ chức đảng | 67.001.002.000.000 | 67.001.002.000.000 | Cảnh cáo   |              |            |             | 02/08/2024 | 22-QĐ/UBKT  |
        """,
    "admissions": """
        card_no      | full_name    | cell_code          | admitted_on | born_on    | gender | ethnicity | group    | local
        -------------+--------------+--------------------+-------------+------------+--------+-----------+----------+------
        670000000004 | Điểu Thị Giả | 67.001.002.000.000 | 22/12/2024  | 30/04/2001 | Nữ     |           | Khác     |
                     | Y Tên Mới    | 67.001.001.000.001 | 20/12/2024  | 08/03/2003 | Nam    | Ê Đê      | Nông dân | x
        """,
    "hamlets": """
        hamlet_code | hamlet_name | commune | cell_code          | members | local_members
        ------------+-------------+---------+--------------------+---------+--------------
        01A         | Bon Thử     | Xã Một  | 67.001.001.000.001 | 2       | 2
        02A         | Thôn Hai    | Xã Một  | 67.001.001.000.002 | 1       | 0
        03A         | Thôn Ba     | Xã Một  |                    | 0       | 0
        """,
    "trainings": """
        org_code           | topic                        | held_on    | invited | attended
        -------------------+------------------------------+------------+---------+---------
        67.001.001.000.000 | Nghiệp vụ kiểm tra, giám sát | 20/06/2024 | 9       | 8
        """,
    "programme_uptakes": """
        org_code           | document  | plan_on    | in_inspection_programme
        -------------------+-----------+------------+------------------------
        67.001.001.000.000 | 12-CTr/TU | 15/07/2021 | x
        67.001.002.000.000 | 12-CTr/TU |            |
        67.001.001.000.000 | 48-CTr/TU | 20/09/2023 |
        67.001.002.000.000 | 48-CTr/TU | 21/09/2023 | x
        """,
}  # fmt: skip
POINTS_2025 = {
    "organisation_assessments": """
        common_points | task_points | score | tasks_exceeded | shortcomings | shortcomings_fixed
        --------------+-------------+-------+----------------+--------------+-------------------
        25.5          | 60          | 85.5  | 6              | 4            | 4
        24            | 58          | 82    | 3              | 2            | 1
                      |             |       | 0              | 0            | 0
        20            | 45          | 65    | 0              | 3            | 1
        """,
    "member_assessments": """
        score
        -----
        84.5
        80
        """,
}
REGISTER = """
    decision_no | decided_on | subject      | subject_code       | org_code           | form        | duty_related | corruption
    ------------+------------+--------------+--------------------+--------------------+-------------+--------------+-----------
    21-QĐ/UBKT  | 01/07/2024 | Đảng viên    | 670000000002       | 67.001.001.000.001 | Khiển trách | x            |
    22-QĐ/UBKT  | 02/08/2024 | Tổ chức đảng | 67.001.002.000.000 | 67.001.002.000.000 | Cảnh cáo    |              |
    """


@dataclass(frozen=True)
class Layout:
    """How a workbook differs from the tidy one."""

    headings: dict[str, str] = field(default_factory=dict)
    """Agreed heading -> what is written instead."""
    sheets: dict[str, str] = field(default_factory=dict)
    """Agreed sheet name -> what is written instead."""
    order: dict[str, list[str]] = field(default_factory=dict)
    """Table -> keys of the columns to put first."""
    above: int = 4
    """Rows above the headings."""
    below: tuple[tuple[object, ...], ...] = ()
    """Rows under each table, from its first column."""
    extra: str | None = None
    """Heading of a column that no form has."""
    numbered: bool = True
    """Whether a row numbers the columns."""
    hidden: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    scrap: str | None = None
    """Name of a hidden sheet that looks like Biểu 5."""


@dataclass(frozen=True)
class Written:
    """A workbook on disk, and where its cells stand."""

    path: Path
    places: dict[tuple[str, int, str], str]

    def cell(self, form: str, row: int, key: str) -> str:
        """Excel's name of a cell, rows counted from 0 under the heading."""
        return self.places[form, row, key]

    @cached_property
    def _read(self) -> Workbook:
        return read_workbook(open_source(self.path.read_bytes(), self.path.name), load_form_sets())

    def read(self) -> Workbook:
        """The workbook as the product reads it."""
        return self._read

    def judge(self, unit_code: str | None = UNIT) -> Judgement:
        """The workbook as the product judges it."""
        return judge(self.read(), unit_code)

    def issues(self, unit_code: str | None = UNIT) -> pd.DataFrame:
        """The issues the product finds in it."""
        return find_issues(self.read(), self.judge(unit_code), self.path.name, unit_code)

    def found(self) -> set[tuple[str, str]]:
        """(cell, rule) of all issues."""
        issues = self.issues()
        assert len(issues) == len(set(zip(issues["form"], issues["cell"], issues["rule"], strict=True)))
        return set(zip(issues["cell"], issues["rule"], strict=True))


def unit_forms(year: int = 2024) -> dict[str, pd.DataFrame]:
    """The forms of a small lawful unit, by table; every one may be changed."""
    return {name: form.copy() for name, form in _drawn(year).items()}


@cache
def _drawn(year: int) -> dict[str, pd.DataFrame]:
    forms = {name: table(text) for name, text in FORMS_2024.items()}
    if year >= 2025:
        for name, text in POINTS_2025.items():
            points = table(text).reindex(range(len(forms[name])))
            forms[name] = pd.concat([forms[name], points], axis=1)
    return {name: form.map(lambda cell: _shifted(cell, year - 2024)).astype(object) for name, form in forms.items()}


def _shifted(cell: object, years: int) -> object:
    """Days of the last years move with the year reported; those long ago stay."""
    if isinstance(cell, str) and cell.endswith(("/2023", "/2024", "/2025")):
        return f"{cell[:-4]}{int(cell[-4:]) + years}"
    return cell


def write_unit(
    path: Path,
    forms: dict[str, pd.DataFrame] | None = None,
    *,
    year: int = 2024,
    layout: Layout | None = None,
    cover: dict[str, object] | None = None,
) -> Written:
    """Write a unit's workbook; `cover` changes what stands on the cover sheet (None: the label is left out)."""
    layout = layout or Layout()
    version = "B12-2021" if year < 2025 else "B12-2025"
    form_set = load_form_sets()[version]
    values = {
        "form_version": version,
        "unit_code": UNIT,
        "unit_name": "Huyện Thử Nghiệm",
        "year": f"Năm {year}",
        "sent_no": 1,
        "prepared_on": f"10/01/{year + 1}",
        "prepared_by": "Nguyễn Văn Lập",
        "approved_by": "Trần Thị Duyệt",
        **(cover or {}),
    }
    places: dict[tuple[str, int, str], str] = {}
    forms = forms or unit_forms(year)
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        if form_set.cover.sheet not in layout.left_out:
            sheet = book.add_worksheet(form_set.cover.sheet)
            lines = [(item, values[item.key]) for item in form_set.cover.fields if values[item.key] is not None]
            for row, (item, value) in enumerate(lines, start=2):
                sheet.write(row, 0, item.heading)
                sheet.write(row, 1, value)
        if layout.scrap:
            sheet = book.add_worksheet(layout.scrap)
            sheet.hide()
            sheet.write_column(0, 0, ["BIỂU 5: NHÁP", "Số thẻ đảng viên", "670000000009"])
        for form in form_set.forms:
            if form.sheet not in layout.left_out:
                sheet = book.add_worksheet(layout.sheets.get(form.sheet, form.sheet))
                if form.sheet in layout.hidden:
                    sheet.hide()
                title = f"{form.title}: {form.name}".upper()
                _write_form(book, sheet, form.table, form.columns, forms[form.table], title, layout, places)
    return Written(path, places)


def write_register(path: Path, register: pd.DataFrame | None = None, *, title: str = "Năm 2024") -> Written:
    """Write the Commission's register of discipline."""
    form = load_form_sets()["so-ky-luat"].forms[0]
    places: dict[tuple[str, int, str], str] = {}
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet(form.sheet)
        rows = table(REGISTER) if register is None else register
        _write_form(book, sheet, form.table, form.columns, rows, title, Layout(numbered=False), places)
    return Written(path, places)


def _write_form(
    book: xlsxwriter.Workbook,
    sheet: xlsxwriter.worksheet.Worksheet,
    name: str,
    columns: tuple[Column, ...],
    rows: pd.DataFrame,
    title: str,
    layout: Layout,
    places: dict[tuple[str, int, str], str],
) -> None:
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    first = layout.order.get(name, [])
    ordered = sorted(columns, key=lambda column: first.index(column.key) if column.key in first else len(first))
    headings = ["STT", *(layout.headings.get(column.heading, column.heading) for column in ordered)]
    if layout.above:
        sheet.write(0, 0, "HUYỆN THỬ NGHIỆM")
        sheet.write(layout.above - 1, 2, title)
    sheet.write_row(layout.above, 0, [*headings, *([layout.extra] if layout.extra else [])])
    top = layout.above + 1
    if layout.numbered:
        sheet.write_row(top, 0, [f"({number})" for number in range(1, len(headings) + 1)])
        top += 1
    for row, record in enumerate(rows.to_dict("records")):
        sheet.write(top + row, 0, row + 1)
        for place, column in enumerate(ordered, start=1):
            places[name, row, column.key] = f"{column_letter(place)}{top + row + 1}"
            cell = record.get(column.key)
            if isinstance(cell, datetime):
                sheet.write_datetime(top + row, place, cell, day)
            elif isinstance(cell, str) or not pd.isna(cell):
                sheet.write(top + row, place, cell)
        if layout.extra:
            sheet.write(top + row, len(headings), "đã xem")
    for row, line in enumerate(layout.below):
        sheet.write_row(top + len(rows) + row, 0, line)


def changed(form: str, row: int, /, *, year: int = 2024, **cells: object) -> dict[str, pd.DataFrame]:
    """The lawful forms with some cells of one row changed."""
    forms = unit_forms(year)
    for key, cell in cells.items():
        forms[form].loc[forms[form].index[row], key] = cell
    return forms


def take_one(path: Path, data: Path):
    """Take one file in, in this process; what became of it."""
    return take_in([path], data=data, workers=1).files[0]
