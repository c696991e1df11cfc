import os
import subprocess
from pathlib import Path

import openpyxl
import pikepdf
import pytest

from submissions.files.source import open_source
from submissions.form_set import load_form_sets
from submissions.intake import take_in
from submissions.issues import find_issues
from submissions.judging import judge
from submissions.store import Store
from submissions.templates import choose_form_set, is_untouched, previous_rows, read_mark, write_template
from submissions.values import shown
from submissions.workbook import column_letter, read_workbook
from tests.libreoffice import SECONDS, LibreOffice, office  # noqa: F401
from tests.workbooks import UNIT, unit_forms, write_unit

TYPING = """
Sub Fill(template, typed, saved)
    Dim hidden(0) As New com.sun.star.beans.PropertyValue
    hidden(0).Name = "Hidden"
    hidden(0).Value = True
    book = StarDesktop.loadComponentFromURL(template, "_blank", 0, hidden())
    files = createUnoService("com.sun.star.ucb.SimpleFileAccess")
    lines = createUnoService("com.sun.star.io.TextInputStream")
    lines.setInputStream(files.openFileRead(typed))
    lines.setEncoding("UTF-8")
    Do While Not lines.isEOF()
        parts = Split(lines.readLine(), Chr(9))
        If UBound(parts) = 2 Then
            cell = book.Sheets.getByName(parts(0)).getCellRangeByName(parts(1))
            cell.FormulaLocal = parts(2)
        End If
    Loop
    Dim filter(0) As New com.sun.star.beans.PropertyValue
    filter(0).Name = "FilterName"
    filter(0).Value = "Calc MS Excel 2007 XML"
    book.storeToURL(saved, filter())
    book.close(True)
End Sub

Sub FillAll(work)
    files = createUnoService("com.sun.star.ucb.SimpleFileAccess")
    lines = createUnoService("com.sun.star.io.TextInputStream")
    lines.setInputStream(files.openFileRead(work))
    lines.setEncoding("UTF-8")
    Do While Not lines.isEOF()
        parts = Split(lines.readLine(), Chr(9))
        If UBound(parts) = 2 Then Fill(parts(0), parts(1), parts(2))
    Loop
End Sub
"""
LIBRARY = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE {kind} PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "{file}">
"""


class Clerk:
    """Somebody at LibreOffice with Vietnamese settings who types into cells and saves."""

    def __init__(self, folder: Path, any_workbook: Path) -> None:
        self.office = LibreOffice(folder)
        # A new profile gets its own empty library when the office first runs: ours comes after that.
        self.saved = self.office.save(any_workbook)
        self.profile = folder / "profile"
        library = self.profile / "user" / "basic" / "Standard"
        heading = LIBRARY.format(kind="script:module", file="module.dtd")
        macro = TYPING.replace("&", "&amp;").replace('"', "&quot;")
        (library / "Typing.xba").write_text(
            f'{heading}<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Typing" '
            f'script:language="StarBasic">{macro}</script:module>',
            encoding="utf-8",
        )
        heading = LIBRARY.format(kind="library:library", file="library.dtd")
        (library / "script.xlb").write_text(
            f'{heading}<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" '
            'library:readonly="false" library:passwordprotected="false"><library:element library:name="Typing"/>'
            "</library:library>",
            encoding="utf-8",
        )
        settings = self.profile / "user" / "registrymodifications.xcu"
        locale = (
            '<item oor:path="/org.openoffice.Setup/L10N"><prop oor:name="ooSetupSystemLocale" oor:op="fuse">'
            "<value>vi-VN</value></prop></item></oor:items>"
        )
        settings.write_text(settings.read_text(encoding="utf-8").replace("</oor:items>", locale), encoding="utf-8")

    def fill(self, *work: tuple[Path, list[tuple[str, str, str]]]) -> list[Path]:
        """The workbooks after (sheet, cell, what is typed), saved as .xlsx; the office is started once for all."""
        files = []
        for number, (template, typed) in enumerate(work, start=1):
            lines, saved = (self.office.folder / f"{number}.{kind}" for kind in ("typed", "xlsx"))
            lines.write_text("\n".join("\t".join(line) for line in typed), encoding="utf-8")
            files.append((template, lines, saved))
        listed = self.office.folder / "work"
        listed.write_text("\n".join("\t".join(path.as_uri() for path in one) for one in files), encoding="utf-8")
        told = self._run(f'macro:///Standard.Typing.FillAll("{listed.as_uri()}")')
        assert all(saved.exists() for *_, saved in files), f"LibreOffice saved nothing: {told}"
        return [saved for *_, saved in files]

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [
                self.office.program,
                f"-env:UserInstallation={self.profile.as_uri()}",
                "--headless",
                "--norestore",
                "--nolockcheck",
                *arguments,
            ],
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
            env={**os.environ, "HOME": str(self.office.folder), "LC_ALL": "C.UTF-8"},
        )
        return f"{done.stdout} {done.stderr}"


@pytest.fixture(scope="module")
def prefilled(tmp_path_factory):
    """A template of 2026 for a unit whose report of 2025 is in the store."""
    folder = tmp_path_factory.mktemp("mau")
    sent = write_unit(folder / "nam truoc.xlsx", year=2025)
    take_in([sent.path], data=folder / "data", workers=1)
    path = folder / "mau_2026.xlsx"
    previous = previous_rows(Store(folder / "data" / "store"), UNIT, 2026)
    write_template(path, choose_form_set(load_form_sets(), 2026), UNIT, "Huyện Thử Nghiệm", 2026, previous)
    return path


@pytest.fixture(scope="module")
def clerk(prefilled, tmp_path_factory):
    return Clerk(tmp_path_factory.mktemp("clerk"), prefilled)


def read(path):
    source = open_source(path.read_bytes(), path.name)
    return source, read_workbook(source, load_form_sets())


def missing_cells(template, forms):
    """(sheet, cell, text) of all that a person has to type so that the template holds these forms."""
    _, workbook = read(template)
    typed = []
    for table, found in workbook.tables.items():
        places = {key: list(found.letters).index(key) for key in found.letters}
        keys = found.form.unique or found.form.row_key
        rows = {
            tuple(shown(found.cells[key][position]) for key in keys): (position, int(row))
            for position, row in enumerate(found.rows)
        }
        free = int(max(found.rows, default=found.heading_row + 1)) + 1
        for record in forms[table].to_dict("records"):
            known = rows.get(tuple(text_of(record.get(key)) for key in keys))
            position, row = known if known else (None, free)
            free += known is None
            for key in places:
                wanted = text_of(record.get(key))
                stands = "" if position is None else shown(found.cells[key][position])
                if wanted and wanted != stands:
                    typed.append((found.sheet, f"{found.letters[key]}{row}", wanted))
    return typed


def text_of(value):
    """A cell as a person types it."""
    return "" if value is None or value != value else shown(float(value) if isinstance(value, int | float) else value)


def cover_lines(workbook, **typed):
    return [(workbook.cover_sheet, workbook.cover[key].cell, text) for key, text in typed.items()]


def issues_of(path):
    source, workbook = read(path)
    return source, find_issues(workbook, judge(workbook, UNIT), path.name, UNIT)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A template of 2024 for a unit of which nothing is known."""
    path = tmp_path_factory.mktemp("trong") / "mau_2024.xlsx"
    write_template(path, choose_form_set(load_form_sets(), 2024), UNIT, "Huyện Thử Nghiệm", 2024)
    return path


@pytest.fixture(scope="module")
def filled(prefilled, empty, clerk):
    """What the clerk has made of the prefilled template, of the empty one, and of one with a heading typed over."""
    workbook, members = read(prefilled)[1], read(prefilled)[1].tables["members"]
    whole = cover_lines(workbook, prepared_on="15/01/2027", prepared_by="Nguyễn Văn Lập")
    new = cover_lines(read(empty)[1], prepared_on="10/1/2025")
    saved = clerk.fill(
        (prefilled, whole + missing_cells(prefilled, unit_forms(2026))),
        (empty, new + missing_cells(empty, unit_forms(2024))),
        (prefilled, [(members.sheet, f"B{members.heading_row}", "Cột khác")]),
    )
    return dict(zip(("prefilled", "empty", "heading"), saved, strict=True))


def test_a_prefilled_template_filled_in_by_a_person_passes_intake(filled):
    source, issues = issues_of(filled["prefilled"])
    workbook = read(filled["prefilled"])[1]

    assert issues.to_dict("records") == []
    assert shown(workbook.cover["prepared_on"].value) == "15/01/2027"
    assert not is_untouched(workbook, read_mark(source))


def test_an_empty_template_filled_in_by_a_person_passes_intake(filled):
    source, issues = issues_of(filled["empty"])

    assert issues.to_dict("records") == []
    told = {table: len(found.rows) for table, found in read(filled["empty"])[1].tables.items()}
    assert told == {table: len(form) for table, form in unit_forms(2024).items()}
    assert read_mark(source).unit_code == UNIT


def test_intake_takes_what_a_person_filled_in_without_an_issue(filled, tmp_path):
    result = take_in([filled["prefilled"]], data=tmp_path / "data", workers=1).files[0]

    assert (result.state, result.unit_code, result.year, result.issues) == ("accepted", UNIT, 2026, 0)
    assert result.counts["held_back"].sum() == 0


def test_a_template_saved_as_ods_reads_the_same(prefilled, office):  # noqa: F811
    source, workbook = read(office.convert(prefilled, "ods"))

    assert source.kind == "ods"
    assert is_untouched(workbook, read_mark(source))


def test_what_is_typed_over_a_heading_does_not_change_it(prefilled, filled):
    before, after = (read(path)[1].tables["members"] for path in (prefilled, filled["heading"]))

    assert after.letters == before.letters


def test_a_template_saved_without_typing_is_still_known_as_untouched(clerk):
    source, workbook = read(clerk.saved)

    assert is_untouched(workbook, read_mark(source))


def test_drop_downs_limits_and_protection_survive_libreoffice(prefilled, clerk):
    before, after = openpyxl.load_workbook(prefilled), openpyxl.load_workbook(clerk.saved)

    for sheet in before:
        kept = after[sheet.title]
        assert kept.sheet_state == sheet.sheet_state
        assert kept.protection.sheet == sheet.protection.sheet
        assert rules(kept) == rules(sheet)
    assert {name: place.attr_text.replace("'", "") for name, place in after.defined_names.items()} == {
        name: place.attr_text.replace("'", "") for name, place in before.defined_names.items()
    }


def rules(sheet):
    """Validations by the first cell they hold at, as far as programs agree to write them."""
    return {
        str(rule.sqref).split(":")[0]: (
            rule.type,
            number_or_text(rule.formula1) if rule.type else None,
            number_or_text(rule.formula2)
            if rule.type != "list" and (rule.operator or "between") == "between"
            else None,
            rule.errorStyle or "stop",
            rule.prompt,
            rule.error,
        )
        for rule in sheet.data_validations.dataValidation
        if rule.type
    }


def number_or_text(formula):
    try:
        return float(formula or 0)
    except ValueError:
        return formula


def test_a_form_prints_on_wide_pages_with_its_headings_and_without_empty_ones(prefilled, clerk, office):  # noqa: F811
    pages = pikepdf.Pdf.open(office.pages(prefilled)).pages

    kept = openpyxl.load_workbook(clerk.saved)
    assert {sheet.print_title_rows for sheet in kept if sheet.title.startswith("Biểu")} == {"$7:$8"}
    # A page a sheet, though each has room for 2,000 rows; the 36 rows of cell meetings take two.
    assert len(pages) == len(load_form_sets()["B12-2025"].forms) + 1 + 1
    assert all(page.mediabox[2] > page.mediabox[3] for page in pages[1:])


def test_letters_of_columns_stand_as_the_form_set_has_them(prefilled):
    _, workbook = read(prefilled)

    for found in workbook.tables.values():
        assert list(found.letters.values()) == [column_letter(place + 1) for place in range(len(found.form.columns))]
