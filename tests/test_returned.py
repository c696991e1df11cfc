"""What goes back to a unit for one sending: the marked workbook, the page and the JSON."""

import json
import re
import stat
from concurrent.futures import ProcessPoolExecutor
from html.parser import HTMLParser

import pandas as pd
import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

from submissions.files.source import open_source
from submissions.returned.returns import stem, write_return
from tests.libreoffice import office  # noqa: F401
from tests.returns import about, drawn_issues

MIXED = """
    sheet  | form   | cell | severity | rule        | column | value | expected | message          | status    | status_reason
    -------+--------+------+----------+-------------+--------+-------+----------+------------------+-----------+-----------------
    Biểu 1 | Biểu 1 | B2   | query    | total_moved | count  | 12    | 10       | Hãy xem lại số.  | open      |
    Biểu 1 | Biểu 1 | B3   | error    | not_integer | count  | mười  | số nguyên | Hãy sửa thành số. | open     |
    Biểu 1 | Biểu 1 | B4   | query    | total_moved | count  | 9     | 10       | Hãy xem lại số.  | explained |
    Biểu 1 | Biểu 1 | B5   | query    | total_moved | count  | 9     | 10       | Hãy xem lại số.  | waived    | Miễn trừ đến hết ngày 28/02/2025.
    """  # noqa: E501


@pytest.fixture
def original(tmp_path) -> bytes:
    path = tmp_path / "don vi.xlsx"
    with xlsxwriter.Workbook(path) as book:
        book.add_worksheet("Biểu 1").write_column("B2", [12, "mười", 9, 9])
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "returned"


def rows_of(path, sheet="LOI_CAN_SUA"):
    return CalamineWorkbook.from_path(path).get_sheet_by_name(sheet).to_python()


def listed(path) -> list[dict[str, object]]:
    rows = rows_of(path)
    top = next(number for number, row in enumerate(rows) if row[0] == "STT")
    return [dict(zip(rows[top], row, strict=True)) for row in rows[top + 1 :]]


def told(path) -> str:
    return "\n".join(str(cell) for row in rows_of(path) for cell in row if cell)


class _Page(HTMLParser):
    """The words of a page, and whatever it would load from elsewhere."""

    def __init__(self):
        super().__init__()
        self.words, self.loaded = [], []

    def handle_data(self, data):
        self.words.append(data.strip())

    def handle_starttag(self, tag, attrs):
        self.loaded += [tag, *attrs] if tag in ("script", "link", "img", "iframe") else []


def page(path) -> tuple[str, list]:
    reader = _Page()
    reader.feed(path.read_text(encoding="utf-8"))
    return " ".join(filter(None, reader.words)), reader.loaded


def test_three_files_go_back_named_by_codes_and_readable_by_their_owner_alone(original, folder):
    paths = write_return(folder, original, "xlsx", about(file_name="Nguyễn Văn A.xlsx"), drawn_issues(MIXED))

    beginning = "67.001_2024_lan1_abababab"
    assert [path.name for path in paths] == [
        f"{beginning}_TRA_LAI.xlsx",
        f"{beginning}_TOM_TAT.html",
        f"{beginning}_TOM_TAT.json",
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, *paths)] == [0o700, 0o600, 0o600, 0o600]


def test_a_unit_code_never_leads_out_of_the_folder(original, folder):
    paths = write_return(folder, original, "xlsx", about(unit_code="../../x\n/é"), drawn_issues(MIXED))

    assert {path.parent for path in paths} == {folder}
    assert re.fullmatch(r"[A-Za-z0-9._-]+", stem(about(unit_code="../../x\n/é")))


def test_what_must_be_mended_comes_first_and_what_is_settled_last(original, folder):
    path, *_ = write_return(folder, original, "xlsx", about(), drawn_issues(MIXED))

    lines = listed(path)
    assert [(line["STT"], line["Mức độ"], line["Ô"]) for line in lines] == [
        (1, "Phải sửa", "B3"),
        (2, "Sửa hoặc giải trình", "B2"),
        (3, "Sửa hoặc giải trình", "B4"),
        (4, "Sửa hoặc giải trình", "B5"),
    ]
    assert [line["Tình trạng"] for line in lines] == [
        "Chờ sửa",
        "Chờ sửa hoặc giải trình",
        "Đã nhận giải trình",
        "Được miễn có thời hạn. Miễn trừ đến hết ngày 28/02/2025.",
    ]
    assert (lines[0]["Lỗi"], lines[0]["Cột"], lines[0]["Giá trị hiện tại"]) == (
        "Không phải số nguyên",
        "Kỳ này",
        "mười",
    )
    assert (lines[0]["Vì sao / Cần có"], lines[0]["Cách sửa"]) == ("số nguyên", "Hãy sửa thành số.")


def test_above_the_list_stands_whose_it_is_what_to_do_and_by_when(original, folder):
    path, *_ = write_return(folder, original, "xlsx", about(), drawn_issues(MIXED))

    text = told(path)
    assert text.startswith("1 chỗ phải sửa · 1 chỗ sửa hoặc giải trình · 2 chỗ đã giải trình hoặc được miễn")
    for part in (
        "67.001 Huyện Thử Nghiệm",
        "Năm 2024",
        "Lần gửi 1",
        "Số dòng nhận 12 = đã nạp 10 + giữ lại chờ sửa 2",
        "ghi Lần gửi là 2",
        "Hạn gửi lại: hết ngày 30/01/2025",
    ):
        assert part in text


def test_the_summary_says_the_same_as_page_and_as_json(original, folder):
    repairs = pd.DataFrame({"repair": [f"Việc {n}" for n in range(7)], "issues": range(9, 2, -1), "rows_released": 3})
    _, html, data = write_return(folder, original, "xlsx", about(repairs=repairs), drawn_issues(MIXED))

    facts = json.loads(data.read_text(encoding="utf-8"))
    assert (facts["errors"], facts["queries"], facts["settled"]) == (1, 1, 2)
    assert facts["counts"] == [
        {"form": "Biểu 1", "rows_in": 12, "loaded": 10, "held_back": 2, "errors": 1, "queries": 1}
    ]
    assert [one["repair"] for one in facts["repairs"]] == ["Việc 0", "Việc 1", "Việc 2", "Việc 3", "Việc 4"]
    assert facts["due_before"] == "2025-01-31"
    text, loaded = page(html)
    assert loaded == []
    for part in (
        "Cần sửa và gửi lại",
        "1 phải sửa",
        "Việc 4 5 3",
        "Biểu 1 12 10 2 1 1",
        "Hạn gửi lại: hết ngày 30/01/2025",
    ):
        assert part in text


def test_names_of_files_and_units_are_text_on_the_page(original, folder):
    _, html, _ = write_return(
        folder, original, "xlsx", about(file_name="<img src=x onerror=alert(1)>.xlsx"), drawn_issues(MIXED)
    )

    text, loaded = page(html)
    assert loaded == []
    assert "<img src=x onerror=alert(1)>.xlsx" in text


def test_a_refused_file_goes_back_as_its_reason(folder):
    refused = about(
        state="refused",
        sent_no=None,
        counts=pd.DataFrame(),
        code="HEADINGS_MISSING",
        message="Biểu 5 thiếu cột “Mã chi bộ”. Có lẽ “Mã CB cũ” (ô D5) là “Mã chi bộ”.",
    )

    path, html, _ = write_return(
        folder, b"%PDF-1.4 not a workbook", "xlsx", refused, drawn_issues("sheet | cell\n--+--")
    )

    for text in (told(path), page(html)[0]):
        assert "bị từ chối" in text
        assert "HEADINGS_MISSING" in text
        assert refused.message in text


def test_a_held_sending_says_what_it_waits_for(original, folder):
    held = about(state="held", code="FAR_FEWER_ROWS", message="Biểu 3 có 5 dòng, năm trước có 2.000: hãy xác nhận.")

    path, html, _ = write_return(folder, original, "xlsx", held, drawn_issues("sheet | cell\n--+--"))

    assert "chờ xác nhận" in told(path)
    assert "hãy xác nhận" in page(html)[0]


@pytest.mark.parametrize("kind", ["xls", "ods"])
def test_other_kinds_of_workbook_come_back_as_a_copy_with_the_same_marks(original, folder, office, tmp_path, kind):  # noqa: F811
    sent = tmp_path / "sent.xlsx"
    sent.write_bytes(original)
    content = office.convert(sent, kind).read_bytes()

    path, *_ = write_return(folder, content, kind, about(file_name=f"sent.{kind}"), drawn_issues(MIXED))

    assert "không phải .xlsx" in told(path)
    assert [row[-1] for row in rows_of(path, "Biểu 1")] == [12, "mười", 9, 9]
    assert len(listed(path)) == 4


def test_a_csv_comes_back_as_a_workbook(folder):
    content = "Mã dòng;Kỳ này\nA;12\nB;=1+1\n".encode()
    name = open_source(content, "Biểu 1.csv").sheets[0].name
    text = f"sheet | cell | severity | rule\n--+--+--+--\n{name} | B3 | error | not_integer"

    path, *_ = write_return(folder, content, "csv", about(file_name="Biểu 1.csv"), drawn_issues(text))

    sheets = CalamineWorkbook.from_path(path).sheet_names
    assert [str(cell) for row in rows_of(path, sheets[1]) for cell in row if cell][-1] == "=1+1"
    assert listed(path)[0]["Ô"] == "B3"


def test_the_same_input_gives_the_same_bytes_and_files_are_replaced_whole(original, folder):
    first = {
        path.name: path.read_bytes() for path in write_return(folder, original, "xlsx", about(), drawn_issues(MIXED))
    }
    second = write_return(folder, original, "xlsx", about(), drawn_issues(MIXED))

    assert {path.name: path.read_bytes() for path in second} == first
    assert len(list(folder.iterdir())) == 3


def _write(folder, original, number):
    sent = about(source_hash=f"{number:064x}", unit_code=f"67.{number:03}")
    return len(write_return(folder, original, "xlsx", sent, drawn_issues(MIXED)))


def test_answers_are_written_file_by_file_by_any_number_of_processes(original, folder):
    with ProcessPoolExecutor(2) as pool:
        written = [pool.submit(_write, folder, original, number) for number in range(6)]

    assert sum(one.result() for one in written) == len(list(folder.iterdir())) == 18
