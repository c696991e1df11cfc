import hashlib
import json
import os
from pathlib import Path

import pytest
import xlwt

from submissions.files.inspection import inspect_file
from tests.files import DATE_STYLES, good_xls, good_xlsx, ods, ods_row, ods_table, ods_text, row, xls, xlsx


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def inspected(folder: Path, content: bytes, name: str = "bao-cao.xlsx") -> dict:
    found = inspect_file(written(folder, name, content)).to_json(cells=True)
    return json.loads(json.dumps(found, allow_nan=False))


def test_a_good_file_is_told_whole(tmp_path):
    content = good_xlsx()
    found = inspected(tmp_path, content)
    assert found == {
        "file": "bao-cao.xlsx",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "type": "xlsx",
        "state": "read",
        "refusal": None,
        "hazards": [],
        "sheets": [
            {
                "name": "Trang 1",
                "visible": True,
                "rows": 2,
                "columns": 3,
                "cells": [["Mã", "Ngày"], ["67.001", "2024-01-01", 7.5]],
            }
        ],
    }
    without = inspect_file(tmp_path / "bao-cao.xlsx").to_json(cells=False)
    assert without["sheets"] == [{"name": "Trang 1", "visible": True, "rows": 2, "columns": 3}]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('<c r="A1"><v>5</v></c>', 5),
        ('<c r="A1"><v>0.1</v></c>', 0.1),
        ('<c r="A1" t="b"><v>1</v></c>', True),
        ('<c r="A1" t="e"><v>#REF!</v></c>', {"error": "#REF!"}),
        ('<c r="A1"><v>1E999</v></c>', {"error": "#NUM!"}),
        ('<c r="A1" s="1"><v>45292</v></c>', "2024-01-01"),
        ('<c r="A1" s="1"><v>45292.25</v></c>', "2024-01-01T06:00:00"),
        ('<c r="A1" s="1"><v>0.25</v></c>', "06:00:00"),
        ('<c r="A1" s="2"><v>1.5</v></c>', "PT36H0M0S"),
    ],
)
def test_cells_are_told_as_json(tmp_path, cell, value):
    [sheet] = inspected(tmp_path, xlsx(row(1, cell), styles=DATE_STYLES))["sheets"]
    assert sheet["cells"] == [[value]]


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "rong.xlsx", "EMPTY_FILE"),
        (good_xlsx()[:-100], "cut.xlsx", "DAMAGED_WORKBOOK"),
        (b"%PDF-1.7", "a.xlsx", "NOT_A_WORKBOOK"),
        (good_xlsx(), "a\x07.xlsx", "BAD_FILE_NAME"),
        (good_xlsx(), "~$a.xlsx", "TEMPORARY_FILE"),
    ],
)
def test_a_bad_file_is_told_by_code_and_message(tmp_path, content, name, code):
    found = inspected(tmp_path, content, name)
    assert (found["state"], found["refusal"]["code"], found["sheets"]) == ("refused", code, [])
    assert found["refusal"]["message"]


def test_a_name_that_is_no_text_can_be_told(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe1o.xlsx"))
    path.write_bytes(good_xlsx())
    found = inspect_file(path).to_json()
    assert (found["file"], found["refusal"]["code"]) == ("b\ufffdo.xlsx", "BAD_FILE_NAME")


def test_formulas_without_result_in_a_shown_sheet_refuse_the_file_naming_cells(tmp_path):
    formula = row(1, '<c r="B1"><f>A1*2</f></c>')
    body = f"<sheetData>{formula}</sheetData>"
    content = xlsx({"Biểu 1": body, "nháp": body}, states={"nháp": "hidden"})
    found = inspected(tmp_path, content)
    assert found["refusal"]["code"] == "FORMULA_NOT_CALCULATED"
    assert "“Biểu 1” B1" in found["refusal"]["message"]
    assert "nháp" not in found["refusal"]["message"]
    only_hidden = xlsx({"Biểu 1": "<sheetData/>", "nháp": body}, states={"nháp": "hidden"})
    found = inspected(tmp_path, only_hidden)
    assert found["refusal"] is None
    assert "FORMULA_NOT_CALCULATED" in {hazard["code"] for hazard in found["hazards"]}


def test_numbers_as_text_and_codes_as_numbers_are_told(tmp_path):
    rows = "".join(
        row(
            line,
            f'<c r="A{line}" t="inlineStr"><is><t>{line}</t></is></c><c r="B{line}"><v>67000000000{line}</v></c>'
            f'<c r="C{line}" t="inlineStr"><is><t>67.001.00{line}</t></is></c>',
        )
        for line in range(1, 5)
    )
    hazards = {hazard["code"]: hazard for hazard in inspected(tmp_path, xlsx(rows))["hazards"]}
    assert (hazards["NUMBERS_AS_TEXT"]["cell"], hazards["NUMBERS_AS_TEXT"]["count"]) == ("A1", 4)
    assert (hazards["CODE_AS_NUMBER"]["cell"], hazards["CODE_AS_NUMBER"]["count"]) == ("B1", 4)
    assert set(hazards) == {"NUMBERS_AS_TEXT", "CODE_AS_NUMBER"}


def test_the_kind_is_told_by_what_a_file_holds(tmp_path):
    for content, name, kind in (
        (good_xls(), "a.xls", "xls"),
        (ods(ods_table(ods_row(ods_text("a")))), "a.ods", "ods"),
        ("Mã;Số\n67.001;5\n".encode(), "a.csv", "csv"),
    ):
        found = inspected(tmp_path, content, name)
        assert (found["type"], found["hazards"]) == (kind, [])
    found = inspected(tmp_path, good_xlsx(), "a.xls")
    assert (found["type"], [hazard["code"] for hazard in found["hazards"]]) == ("xlsx", ["WRONG_EXTENSION"])


def test_a_workbook_without_a_filled_cell_is_told(tmp_path):
    found = inspected(tmp_path, xlsx(row(1, '<c r="A1" s="1"/>')))
    assert [hazard["code"] for hazard in found["hazards"]] == ["EMPTY_WORKBOOK"]


def test_a_date_under_a_format_of_elapsed_time_is_told_as_a_date_whatever_the_kind_of_file(tmp_path):
    def fill(book, sheet):
        sheet.write(0, 0, 38426, xlwt.easyxf(num_format_str="[h]:mm"))

    hours = '<table:table-cell office:value-type="time" office:time-value="PT922224H00M00S"/>'
    for name, content in (("a.xls", xls(fill)), ("a.ods", ods(ods_table(ods_row(hours))))):
        found = inspect_file(written(tmp_path, name, content)).to_json(cells=True)
        assert found["sheets"][0]["cells"] == [["2005-03-15"]], name


def test_a_folder_of_csv_is_looked_at_as_one_sending(tmp_path):
    folder = tmp_path / "bieu"
    folder.mkdir()
    (folder / "Biểu 1.csv").write_text("Mã dòng;Kỳ này\nA;3\n", encoding="utf-8")
    (folder / "Biểu 2.csv").write_text("Mã tổ chức;Số đảng viên\n67.001;3\n", encoding="utf-8")
    found = inspect_file(folder).to_json()
    assert (found["type"], found["state"]) == ("csv_zip", "read")
    assert [sheet["name"] for sheet in found["sheets"]] == ["Biểu 1", "Biểu 2"]


def test_a_folder_of_more_text_than_a_sending_can_be_is_refused(tmp_path):
    for number in range(3):
        (tmp_path / f"Biểu {number}.csv").write_bytes(b"a;b\n" + b"1;%s\n" % (b"x" * 1000) * 10_000)
    assert inspect_file(tmp_path).refusal.code == "CSV_TOO_LARGE"


def test_a_folder_with_a_link_or_without_csv_is_refused(tmp_path):
    (tmp_path / "anh.png").write_bytes(b"\x89PNG")
    assert inspect_file(tmp_path).refusal.code == "NOT_A_REGULAR_FILE"
    (tmp_path / "Biểu 1.csv").symlink_to("/etc/passwd")
    assert inspect_file(tmp_path).refusal.code == "NOT_A_REGULAR_FILE"


def test_a_file_that_takes_too_long_is_refused(tmp_path):
    path = written(
        tmp_path,
        "a.xlsx",
        xlsx("".join(row(line, f'<c r="A{line}" t="e"><v>#N/A</v></c>') for line in range(1, 60_000))),
    )
    assert inspect_file(path, seconds=0.01).refusal.code == "TOO_SLOW"
    assert inspect_file(path).state == "read"


def test_no_refusal_shows_what_a_cell_holds(tmp_path):
    name = "Nguyễn Văn Thử"
    for rows in (
        row(1, f'<c r="A1" t="inlineStr"><is><t>{name}</t></is></c>') * 2,
        row(1, f'<c r="A1" t="{name}"><v>1</v></c>'),
        row(1, f'<c r="A1"><f>"{name}"</f></c>'),
    ):
        found = inspect_file(written(tmp_path, "a.xlsx", xlsx(rows))).to_json()
        assert found["state"] == "refused"
        assert name not in json.dumps(found, ensure_ascii=False)
