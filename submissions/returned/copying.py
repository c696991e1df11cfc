"""A workbook to put marks into where the unit's own cannot be marked: a copy of the cells that were read, or none."""

import math
import zipfile
from datetime import date, datetime, time
from io import BytesIO

import xlsxwriter

from submissions.files.source import ErrorCell, Source
from submissions.returned.package import LINKS, MAIN, OFFICE, TYPES, lawful
from submissions.values import shown

_MADE_ON = datetime(2000, 1, 1)
"""A fixed day in the file's properties: the same cells, the same bytes."""
_LONGEST_NAME = 31
"""Letters of a sheet's name in Excel."""


def copy_of(source: Source) -> tuple[bytes, dict[str, str]]:
    """A new .xlsx with the cells of a source; and for each of its sheets the name it has in the copy.

    Texts stay texts, also those that look like formulas; so do error cells and formulas without a value.
    """
    written = BytesIO()
    names: dict[str, str] = {}
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
        "nan_inf_to_errors": True,
    }
    with xlsxwriter.Workbook(written, options) as book:
        book.set_properties({"author": "Thực Chất", "created": _MADE_ON})
        formats = {
            date: book.add_format({"num_format": "dd/mm/yyyy"}),
            datetime: book.add_format({"num_format": "dd/mm/yyyy hh:mm"}),
            time: book.add_format({"num_format": "hh:mm:ss"}),
            str: book.add_format({"num_format": "@"}),
        }
        for info in source.sheets:
            names[info.name] = _lawful_name(info.name, set(names.values()))
            sheet = book.add_worksheet(names[info.name])
            if not info.visible:
                sheet.hide()
            _write(sheet, source.cells(info.name), formats)
        if all(not info.visible for info in source.sheets):
            book.add_worksheet("Trang")
    return written.getvalue(), names


def _write(sheet: xlsxwriter.worksheet.Worksheet, rows: list[list[object]], formats: dict[type, object]) -> None:
    widest = max(map(len, rows), default=0)
    if widest:
        sheet.set_column(0, widest - 1, 16)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            if cell is None or cell == "":
                continue
            if isinstance(cell, bool):
                sheet.write_boolean(row, column, cell)
            elif isinstance(cell, (int, float)) and math.isfinite(cell) and abs(cell) < 1e15:
                sheet.write_number(row, column, cell)
            elif isinstance(cell, datetime) and cell.year >= 1900:
                kind = datetime if cell.time() != time() else date
                sheet.write_datetime(row, column, cell.replace(tzinfo=None), formats[kind])
            elif isinstance(cell, date) and not isinstance(cell, datetime) and cell.year >= 1900:
                sheet.write_datetime(row, column, cell, formats[date])
            elif isinstance(cell, time):
                sheet.write_datetime(row, column, cell, formats[time])
            else:
                text = str(cell) if isinstance(cell, (str, ErrorCell)) else shown(cell)
                sheet.write_string(row, column, lawful(text).replace("_x005F_", "_"), formats[str])


def _lawful_name(name: str, taken: set[str]) -> str:
    """A sheet's name as Excel allows it, and not one that stands already."""
    kept = (
        "".join("_" if letter in "[]:*?/\\" else letter for letter in lawful(name)).strip("'")[:_LONGEST_NAME]
        or "Trang"
    )
    used = {other.casefold() for other in taken} | {"history"}
    number = 1
    free = kept
    while free.casefold() in used:
        number += 1
        tail = f" ({number})"
        free = kept[: _LONGEST_NAME - len(tail)] + tail
    return free


def bare_workbook() -> bytes:
    """A package without a sheet, for an answer that has nothing to copy: sheets are put in before it is a workbook."""
    declared = "application/vnd.openxmlformats-"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{TYPES}"><Default Extension="rels" ContentType="{declared}package.'
        'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{declared}officedocument.spreadsheetml.sheet.main+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{LINKS}"><Relationship Id="rId1" Type="{OFFICE}/officeDocument" '
        'Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><bookViews><workbookView/></bookViews>'
        "<sheets/></workbook>",
    }
    written = BytesIO()
    with zipfile.ZipFile(written, "w") as target:
        for name, content in parts.items():
            target.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()
