"""CSV as a source: every agreed encoding and separator reads the same; what cannot be told is refused with its line."""

import csv
import io
import os
import re
import time
import unicodedata
import zipfile

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from submissions.files.delimited import (
    HAZARDS,
    REFUSALS,
    is_delimited_zip,
    open_delimited,
    open_delimited_zip,
    pack_folder,
)
from submissions.files.source import RefusedError
from tests.test_legacy import in_tcvn3, in_vni

TABLE = """\
HUYỆN THỬ NGHIỆM;;;
BIỂU 2: DANH SÁCH TỔ CHỨC ĐẢNG;;;

Mã tổ chức;Tên tổ chức;Điểm;Ghi chú
67.001;Đảng bộ xã Một;82,5;"đã ""xem"" xong"
67.002;"Chi bộ; thôn Hai";1.234,5;
67.003;"Chi bộ
cơ quan";7;x

Tổng cộng;;3;
;NGƯỜI LẬP BIỂU;;TRƯỞNG BAN
"""
CELLS = [
    ["HUYỆN THỬ NGHIỆM", "", "", ""],
    ["BIỂU 2: DANH SÁCH TỔ CHỨC ĐẢNG", "", "", ""],
    [],
    ["Mã tổ chức", "Tên tổ chức", "Điểm", "Ghi chú"],
    ["67.001", "Đảng bộ xã Một", "82,5", 'đã "xem" xong'],
    ["67.002", "Chi bộ; thôn Hai", "1.234,5", ""],
    ["67.003", "Chi bộ\ncơ quan", "7", "x"],
    [],
    ["Tổng cộng", "", "3", ""],
    ["", "NGƯỜI LẬP BIỂU", "", "TRƯỞNG BAN"],
]


def in_1258(text: str) -> bytes:
    """Windows-1258 as Windows types it: a letter it lacks is written with the tone after it."""
    made = b""
    for letter in text:
        try:
            made += letter.encode("cp1258")
        except UnicodeEncodeError:
            parts = unicodedata.normalize("NFD", letter)
            tones = "".join(mark for mark in parts if mark in "\u0300\u0301\u0303\u0309\u0323")
            base = unicodedata.normalize("NFC", "".join(mark for mark in parts if mark not in tones))
            made += base.encode("cp1258") + tones.encode("cp1258")
    return made


ENCODED = {
    "utf-8": lambda text: text.encode(),
    "utf-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be with a mark": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "windows-1258": in_1258,
    "tcvn3": lambda text: in_tcvn3(text).encode("latin-1"),
    "vni": lambda text: in_vni(text).encode("latin-1"),
    "vni in utf-8": lambda text: in_vni(text).encode(),
    "utf-8 scrambled": lambda text: text.encode().decode("latin-1").encode(),
}


def read(content: bytes, name: str = "Biểu 2.csv") -> list[list[object]]:
    source = open_delimited(content, name)
    assert source.kind == "csv"
    return source.cells(source.sheets[0].name)


def refusal(content: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        open_delimited(content, "Biểu 2.csv")
    assert refused.value.code in REFUSALS
    assert "Biểu 2" in str(refused.value)
    return refused.value


@pytest.mark.parametrize("encoding", ENCODED)
def test_every_encoding_reads_the_same(encoding):
    assert read(ENCODED[encoding](TABLE)) == CELLS


@pytest.mark.parametrize("encoding", ["windows-1258", "tcvn3", "vni"])
def test_an_old_encoding_is_told(encoding):
    hazards = open_delimited(ENCODED[encoding](TABLE), "a.csv").hazards
    assert [hazard.code for hazard in hazards] == ["CSV_LEGACY_ENCODING"]
    assert encoding.casefold() in hazards[0].message.casefold()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_reads_the_same(end):
    assert read(TABLE.replace("\n", end).encode()) == [[cell.replace("\n", end) for cell in row] for row in CELLS]


def test_mixed_line_ends_are_read_and_told():
    source = open_delimited(TABLE.replace("\n", "\r\n", 4).encode(), "Biểu 2.csv")
    assert source.cells("Biểu 2") == CELLS
    assert [hazard.code for hazard in source.hazards] == ["CSV_MIXED_LINE_ENDS"]


def test_the_sheet_is_named_after_the_file_and_says_how_far_it_reaches():
    sheet = open_delimited(TABLE.encode(), "thư mục/Biểu 2.csv").sheets[0]
    assert (sheet.name, sheet.visible, sheet.rows, sheet.columns) == ("Biểu 2", True, 10, 4)


WORDS = st.text(alphabet="aăâbcdđeêghiklmnoôơpqrstuưvxyáạảAĐ 0123456789.,;\t|\"\n'", max_size=12)


@given(
    rows=st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=12),
    separator=st.sampled_from(";\t,|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_a_program_writes_is_read_back(rows, separator, encoding, end):
    # Lines that are whole rows by themselves are taken for rows, and a quote that joins them for one left open.
    assume(not any("\n" in "".join(row) and separator in "".join(row) for row in rows))
    heading = ("Mã tổ chức", "Tên tổ chức", "Ghi chú")
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([heading, *rows, ("", "", "hết")])

    cells = read(written.getvalue().encode(encoding))

    assert cells == [list(heading), *(list(row) for row in rows), ["", "", "hết"]]


@pytest.mark.parametrize("separator", list(";\t,|"))
def test_the_separator_is_found_among_texts_that_hold_others(separator):
    rows = [["Mã", "Tên", "Điểm", "Xã"], ["1", "Chi bộ A", "82,5", "Xã B; xã C"], ["2", "Chi | bộ", "7,25", "D\tE"]]
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=separator).writerows(rows)
    assert read(written.getvalue().encode()) == rows


def test_decimal_commas_are_no_separators():
    assert read(b"a;b;c;d\n82,5;70,1;60,2;1,5\n1,5;2,5;3,5;4,5\n")[1] == ["82,5", "70,1", "60,2", "1,5"]


def test_commas_between_whole_numbers_are():
    assert read(b"a,b,c\n1,2,3\n4,5,6\n")[1:] == [["1", "2", "3"], ["4", "5", "6"]]


@pytest.mark.parametrize("line", ["sep=^", '"sep=^"', "SEP=^"])
def test_a_separator_that_is_declared_is_used_and_the_line_is_no_row(line):
    assert read(f"{line}\r\na^b;c\r\n1^2\r\n".encode()) == [["a", "b;c"], ["1", "2"]]


def test_one_column_is_a_table():
    assert read("Tên\nA\nB\n".encode()) == [["Tên"], ["A"], ["B"]]


def test_numbers_that_were_marked_as_text_for_excel_are_text():
    assert read(b'a;b\n="00123";"=""045"""\n')[1] == ["00123", "045"]


def test_rows_may_lack_their_empty_cells_and_have_more_of_them():
    assert read(b"a;b;c\n1\n1;2\n1;2;3;;\n1;2;;;\n")[1:] == [
        ["1"], ["1", "2"], ["1", "2", "3", "", ""], ["1", "2", "", "", ""],
    ]  # fmt: skip


TWENTY = "a;b;c;d\n" + "1;2;3;4\n" * 20
REFUSED = [
    ("\n \n", "CSV_EMPTY", ""),
    ("", "CSV_EMPTY", ""),
    ("a;b\n1;\0\n", "CSV_NUL", "dòng 2"),
    (TABLE + "\0" * 64, "CSV_NUL", "dòng 12"),
    ("a;b\n1;\x01\x02\x03\x04\n", "CSV_NOT_TEXT", ""),
    ('a;b\n1;"x\n2;y\n', "CSV_UNTERMINATED_QUOTE", "dòng 2"),
    ('a;b\n1;"x"y"\n2;y\n', "CSV_UNTERMINATED_QUOTE", "dòng 2"),
    ('a;b\n1;"x"y\n2;y\n', "CSV_STRAY_QUOTE", "dòng 2"),
    ('a;b\n1;x "y"\n2;y\n', "CSV_STRAY_QUOTE", "dòng 2"),
    ('a;b\n1; "x;y"\n2;y\n', "CSV_STRAY_QUOTE", "dòng 2"),
    ('a;b;c;d\n1;"x";3;4\n1;"x;3;4\n2;y";3;4\n1;"x";3;4\n', "CSV_UNTERMINATED_QUOTE", "dòng 3"),
    ("a;b;c\n1;2;3\n1;2;3;4\n1;2;3\n", "CSV_RAGGED", "dòng 3"),
    (TWENTY + "1;x;2;;\n", "CSV_RAGGED", "dòng 22"),
    ("a;b;c\n" + "1;2;3\n" * 9 + "1;2;3;4\n" * 9, "CSV_RAGGED", "dòng 11"),
    (TWENTY + "1;2\n3;4;5\n" + "1;2;3;4\n" * 20, "CSV_BROKEN_ROW", "dòng 22"),
    (TWENTY + "1;2;3", "CSV_CUT_OFF", "dòng 22"),
    ("a;b\n1;" + "x" * 32_768 + "\n", "CSV_FIELD_TOO_LONG", "dòng 2"),
    ("a;b\n1;" + "x" * 200_000 + "\n", "CSV_FIELD_TOO_LONG", "dòng 2"),
    (";".join("a" * 1_001) + "\n", "CSV_TOO_MANY_CELLS", ""),
    ("a:b\n1:2\n3:4\n", "CSV_NO_SEPARATOR", ":"),
    ("a;b,c\n1;2,x\n", "CSV_NO_SEPARATOR", ""),
    ("82,5\n70,1\n60,2\n", "CSV_NO_SEPARATOR", ","),
]


@pytest.mark.parametrize(("text", "code", "told"), REFUSED)
def test_what_cannot_be_told_is_refused_with_its_line(text, code, told):
    error = refusal(text.encode())
    assert error.code == code
    assert told in str(error)


def test_a_cell_of_the_greatest_length_is_read():
    assert len(read(("a;b\n1;" + "x" * 32_767 + "\n").encode())[1][1]) == 32_767


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (TABLE.encode("utf-32"), "CSV_UNKNOWN_ENCODING", "UTF-32"),
        ("编号;姓名;单位\n1;张三;北京市\n".encode("gb18030"), "CSV_UNKNOWN_ENCODING", "GB18030"),
        ("Код;Фамилия\n1;Кузнецова\n".encode("cp1251"), "CSV_UNKNOWN_ENCODING", "1251"),
        ("Mã;Tên\n1;Zoé\n2;Hélène\n".encode("cp1252"), "CSV_UNKNOWN_ENCODING", "1252"),
        (TABLE.encode()[: TABLE.encode().index("Ổ".encode()) + 1], "CSV_CUT_OFF", "dòng 2"),
        (TABLE.encode("utf-16")[:-1], "CSV_CUT_OFF", "dòng"),
        (TABLE.encode() + in_tcvn3("Đảng bộ").encode("latin-1"), "CSV_MIXED_ENCODING", "dòng 12"),
    ],
)
def test_another_encoding_is_refused_by_its_likely_name(content, code, told):
    error = refusal(content)
    assert error.code == code
    assert told in str(error)


def test_no_message_holds_what_stands_in_a_cell():
    for text, _, _ in REFUSED:
        assert "Bí Mật" not in str(refusal(text.replace("1;", "Bí Mật;").encode()))


def test_text_whose_encoding_is_in_doubt_is_left_and_told():
    source = open_delimited("Mã;Tên\n1;Điểu B×\n2;B×\n".encode(), "a.csv")
    assert source.cells("a")[2] == ["2", "B×"]
    assert [(hazard.code, hazard.cell, hazard.count) for hazard in source.hazards] == [("LEGACY_DOUBT", "B2", 2)]


def test_decomposed_text_and_look_alikes_are_told():
    source = open_delimited(f"Mã;Tên\n1;{unicodedata.normalize('NFD', 'Điểu')}\n2;Ðảng\n".encode(), "a.csv")
    assert {hazard.code: hazard.cell for hazard in source.hazards} == {
        "DECOMPOSED_TEXT": "B2",
        "LOOKALIKE_LETTERS": "B3",
    }


# Zips and folders


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_a_zip_holds_a_sheet_for_each_file():
    content = zipped(**{
        "bộ biểu/Biểu 1.csv": b"a;b\n1;2\n",
        "bộ biểu/Biểu 2.csv": TABLE.encode("utf-16"),
        "__MACOSX/._Biểu 1.csv": b"\0\1",
        "bộ biểu/.DS_Store": b"\0",
    })  # fmt: skip

    source = open_delimited(content, "bo bieu.zip")

    assert (source.kind, [sheet.name for sheet in source.sheets]) == ("csv_zip", ["Biểu 1", "Biểu 2"])
    assert source.cells("Biểu 2") == CELLS


def test_a_zip_that_does_not_say_utf_8_keeps_its_names():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Bieu_2.csv", b"a;b\n1;2\n")
    content = packed.getvalue().replace(b"Bieu_2", "Biểu".encode())
    assert [sheet.name for sheet in open_delimited_zip(content).sheets] == ["Biểu"]


def test_all_that_is_wrong_in_a_zip_is_told_at_once():
    content = zipped(**{"Biểu 1.csv": b"a;b\n1;\0\n", "Biểu 2.csv": b"a;b;c\n1;2;3;4\n", "Biểu 3.csv": b"a;b\n"})
    with pytest.raises(RefusedError) as refused:
        open_delimited_zip(content)
    assert refused.value.code == "CSV_NUL"
    assert "Biểu 1" in str(refused.value)
    assert "Biểu 2" in str(refused.value)
    assert "Biểu 3" not in str(refused.value)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"a/Biểu 1.csv": b"a;b\n", "b/biểu 1.csv": b"a;b\n"}, "CSV_DOUBLED_NAME"),
        ({"Biểu 1.csv": b"a;b\n", "thư.docx": b"x"}, "CSV_OTHER_FILE"),
    ],
)
def test_a_zip_with_more_than_the_forms_is_refused(members, code):
    assert is_delimited_zip(members)
    with pytest.raises(RefusedError) as refused:
        open_delimited_zip(zipped(**members))
    assert refused.value.code == code


@pytest.mark.parametrize("names", [["a.xlsx", "b.xlsx"], ["__MACOSX/a.csv"], []])
def test_a_zip_without_csv_is_something_else(names):
    assert not is_delimited_zip(names)


def test_a_folder_packs_into_the_same_bytes_every_time(tmp_path):
    for name in ("Biểu 2.csv", "Biểu 1.csv", ".DS_Store"):
        (tmp_path / name).write_text(f"a;b\n1;{name}\n")
    files = sorted(tmp_path.iterdir())

    first = pack_folder(files)
    for path in files:
        os.utime(path, (time.time() - 1e6, time.time() - 1e6))
    again = pack_folder(reversed(files))

    assert first == again
    assert [sheet.name for sheet in open_delimited_zip(first).sheets] == ["Biểu 1", "Biểu 2"]


def test_a_link_or_another_file_in_a_folder_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a;b\n")
    (tmp_path / "b.csv").symlink_to(tmp_path / "a.csv")
    (tmp_path / "thư.docx").write_text("x")
    for name in ("b.csv", "thư.docx"):
        with pytest.raises(RefusedError) as refused:
            pack_folder([tmp_path / "a.csv", tmp_path / name])
        assert refused.value.code == "CSV_OTHER_FILE"
    with pytest.raises(RefusedError):
        pack_folder([])


LONG = b"a;b\n" + b"1;%s\n" % (b"x" * 1000) * 10_000
"""Ten megabytes: three are more than a sending may have."""


def test_more_text_than_a_sending_can_be_is_refused_in_one_file_in_a_zip_and_in_a_folder(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.csv").write_bytes(LONG)
    for read in (
        lambda: open_delimited(LONG * 3, "a.csv"),
        lambda: open_delimited(zipped(**{f"{number}.csv": LONG for number in range(3)}), "a.zip"),
        lambda: pack_folder(tmp_path.iterdir()),
    ):
        with pytest.raises(RefusedError, match="quá mức 20 MB") as refused:
            read()
        assert refused.value.code == "CSV_TOO_LARGE"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a;b\n" + b"1;2\n" * 100_001, "dòng (hơn 300.000, tính đến tệp “2”)"),
        (b";".join([b"1"] * 900) + b"\n", "ô (hơn 2.000.000, tính đến tệp “2”)"),
    ],
)
def test_lines_and_cells_are_counted_over_all_files_of_a_sending(text, told):
    text *= -(-700_000 // 900) if told.startswith("ô") else 1

    with pytest.raises(RefusedError) as refused:
        open_delimited(zipped(**{f"{number}.csv": text for number in range(4)}), "a.zip")

    assert refused.value.code == "CSV_TOO_MANY_CELLS"
    assert str(refused.value).count("Có quá nhiều") == 1
    assert told in str(refused.value)


def test_a_unit_of_eight_thousand_members_and_all_their_meetings_is_read():
    members = "".join(f"67.{n:09};Nguyễn Văn Đảng viên {n};05/03/1970;{';'.join('x' * 12)}\n" for n in range(8_000))
    meetings = "".join(f"67.{n % 8_000:09};{n % 12 + 1};05/03/2025;x;Nghị quyết {n}\n" for n in range(96_000))
    content = zipped(**{
        "Biểu 5.csv": ("Số thẻ;Họ tên;Ngày sinh;" + ";".join("abcdefghijkl") + "\n" + members).encode(),
        "Biểu 6.csv": ("Số thẻ;Tháng;Ngày;Có mặt;Nội dung\n" + meetings).encode(),
    })  # fmt: skip

    assert [sheet.rows for sheet in open_delimited(content, "a.zip").sheets] == [8_001, 96_001]


def test_every_code_says_what_was_found_and_what_to_do():
    for code, entry in (REFUSALS | HAZARDS).items():
        assert code.startswith("CSV_")
        for sentence in (entry.found, entry.advice):
            assert re.search(r"[àáảãạăâđêôơưÀ-ỹ]", sentence), code
            assert sentence.endswith("."), code
