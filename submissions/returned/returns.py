"""What goes back to a unit: for each sending with issues a workbook that lists them all, and what was loaded."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import xlsxwriter

from submissions.form_set import load_form_sets
from submissions.issues import BETWEEN_CELLS, RULE_NAMES
from submissions.store import Store

_HEADINGS = {
    "number": ("STT", 6),
    "severity": ("Mức độ", 10),
    "rule": ("Lỗi", 20),
    "form": ("Biểu", 14),
    "sheet": ("Trang", 14),
    "cell": ("Ô", 8),
    "key": ("Dòng (mã)", 24),
    "column": ("Cột", 18),
    "value": ("Giá trị hiện tại", 24),
    "expected": ("Cần có", 44),
    "message": ("Cách sửa", 60),
}
_SEVERITIES = {"error": "Phải sửa", "warning": "Cần xem"}
_COUNTS = {"form_title": "Biểu", "rows_in": "Số dòng nhận", "loaded": "Đã nạp", "held_back": "Giữ lại chờ sửa"}
_MADE_ON = datetime(2000, 1, 1)
"""A fixed day in the file's properties: the same issues, the same bytes."""


def write_returns(data: Path) -> list[Path]:
    """Write ``<data>/returned/<unit>_<year>_lan<sending>_<hash>_TRA_LAI.xlsx`` for each sending in force with issues.

    A refused file gets one too, with the reason. Returns the paths of all, those written before included.
    """
    store = Store(data / "store")
    folder = data / "returned"
    submissions = store.read_submissions()
    issues = store.read_issues()
    counts = store.read_counts()
    wanted = submissions[submissions["is_in_force"] | (submissions["state"] == "refused")]
    paths = []
    for sent in wanted.itertuples():
        own = issues[issues["source_hash"] == sent.source_hash]
        if own.empty and sent.state == "accepted":
            continue
        path = folder / f"{_stem(sent)}_TRA_LAI.xlsx"
        if not path.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = path.with_suffix(".tmp")
            _write(draft, sent, own, counts[counts["source_hash"] == sent.source_hash])
            draft.replace(path)
        paths.append(path)
    return paths


def _form_headings(version: str) -> dict[tuple[str, str], str]:
    """Headings of a form set's columns by form title and column key, as the unit knows them."""
    form_set = load_form_sets()[version]
    headings = {(form.title, column.key): column.heading for form in form_set.forms for column in form.columns}
    if form_set.cover is not None:
        headings |= {(form_set.cover.sheet, item.key): item.heading for item in form_set.cover.fields}
    return headings


def _stem(sent: tuple) -> str:
    """A file name of codes alone: the unit's own file name may hold a person's name."""
    unit = (
        sent.unit_code if isinstance(sent.unit_code, str) else "so-ky-luat" if sent.state == "accepted" else "khong-ro"
    )
    year = "" if pd.isna(sent.year) else f"_{int(sent.year)}"
    number = "" if pd.isna(sent.sent_no) else f"_lan{int(sent.sent_no)}"
    return f"{unit.replace('/', '-')}{year}{number}_{sent.source_hash[:8]}"


def _write(path: Path, sent: tuple, issues: pd.DataFrame, counts: pd.DataFrame) -> None:
    options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(path, options) as book:
        book.set_properties({"title": "Phiếu trả lời", "author": "Thực Chất", "created": _MADE_ON})
        heading = book.add_format(
            {"bold": True, "bg_color": "#12436D", "font_color": "white", "text_wrap": True, "border": 1}
        )
        text = book.add_format({"num_format": "@", "text_wrap": True, "valign": "top", "border": 1})
        title = book.add_format({"bold": True, "font_size": 14})
        sheet = book.add_worksheet("LOI_CAN_SUA")
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        if sent.state == "refused":
            sheet.write_string(0, 0, "Tệp chưa đọc được", title)
            sheet.write_string(1, 0, f"Tệp đã gửi: {sent.file_name}")
            sheet.write_string(2, 0, f"Mã: {sent.refusal_code}")
            sheet.set_column(0, 0, 110)
            sheet.write_string(3, 0, sent.refusal_message, text)
            return
        whose = f"{sent.unit_name or 'Sổ kỷ luật'} · năm {int(sent.year)}"
        sheet.write_string(0, 0, f"{len(issues)} ô cần sửa hoặc cần xem · {whose}", title)
        sheet.write_string(1, 0, f"Tệp đã gửi: {sent.file_name}")
        for position, (name, width) in enumerate(_HEADINGS.values()):
            sheet.set_column(position, position, width)
            sheet.write_string(3, position, name, heading)
        headings = _form_headings(sent.form_version)
        listed = issues.assign(
            number=range(1, len(issues) + 1),
            severity=issues["severity"].map(_SEVERITIES),
            rule=issues["rule"].map(RULE_NAMES).fillna(BETWEEN_CELLS),
            column=[headings.get(place, place[1]) for place in zip(issues["form"], issues["column"], strict=True)],
        )
        for position, column in enumerate(_HEADINGS):
            cells = listed[column].astype("str").where(listed[column].notna(), "")
            sheet.write_column(4, position, cells.tolist(), text)
        sheet.freeze_panes(4, 0)
        sheet.repeat_rows(3)
        sheet.autofilter(3, 0, 3 + max(len(issues), 1), len(_HEADINGS) - 1)
        _write_counts(book.add_worksheet("TONG_HOP"), counts, title, heading, text)


def _write_counts(
    sheet: xlsxwriter.worksheet.Worksheet,
    counts: pd.DataFrame,
    title: xlsxwriter.format.Format,
    heading: xlsxwriter.format.Format,
    text: xlsxwriter.format.Format,
) -> None:
    """Rows received, loaded and held back, by form: nothing is dropped."""
    sheet.write_string(0, 0, "Số dòng nhận = đã nạp + giữ lại chờ sửa", title)
    sheet.set_column(0, len(_COUNTS) - 1, 18)
    sheet.write_row(2, 0, list(_COUNTS.values()), heading)
    for row, line in enumerate(counts[list(_COUNTS)].itertuples(index=False), start=3):
        sheet.write_row(row, 0, line, text)
