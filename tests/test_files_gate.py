import gzip
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from pathlib import Path

import pytest

from submissions.files import codes, delimited
from submissions.files.limited import run_limited
from submissions.files.markup import tree
from submissions.files.source import RefusedError, open_source
from submissions.files.taking import check_name, take
from tests.files import (
    good_xls,
    good_xlsx,
    ods,
    ods_row,
    ods_table,
    ods_text,
    read_whole,
    row,
    xlsx,
    xlsx_parts,
    zipped,
)

ROOT = Path(__file__).parents[1]


def refusal(content: bytes, name: str = "bao-cao.xlsx") -> str:
    with pytest.raises(RefusedError) as caught:
        read_whole(content, name)
    assert str(caught.value).strip().endswith((".", "”."))
    return caught.value.code


def with_part(name: str, data: bytes | str) -> bytes:
    return zipped(xlsx_parts(row(1, '<c r="A1"><v>1</v></c>')) | {name: data})


# What is no workbook


@pytest.mark.parametrize(
    "content",
    [
        b"%PDF-1.7\n1 0 obj",
        b"{\\rtf1\\ansi xin chao}",
        gzip.compress(b"xin chao"),
        b"\x89PNG\r\n\x1a\n" + bytes(64),
        b"\xff\xd8\xff\xe0" + bytes(64),
        b"ID;PWXL;N;E\nC;Y1;X1;K1\nE\n",
        b"<html><body><table><tr><td>1</td></tr></table></body></html>",
        b"\xef\xbb\xbf  <!DOCTYPE html><table></table>",
        "\ufeff<html><table></table></html>".encode("utf-16-le"),
        b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"></Workbook>',
        b"MIME-Version: 1.0\nContent-Type: multipart/related\n\n<html>",
        b"xin chao",
        os.urandom(4096),
    ],
    ids=[
        "pdf",
        "rtf",
        "gzip",
        "png",
        "jpeg",
        "sylk",
        "html",
        "html5",
        "utf-16 html",
        "xml 2003",
        "mht",
        "text",
        "noise",
    ],
)
def test_other_files_under_the_name_of_a_workbook_are_refused(content):
    assert refusal(content, "bao-cao.xls") == "NOT_A_WORKBOOK"


@pytest.mark.parametrize("part", ["word/document.xml", "ppt/presentation.xml"])
def test_packages_of_other_programs_are_refused(part):
    types = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
    assert refusal(zipped({"[Content_Types].xml": types, part: "<x/>"})) == "NOT_A_WORKBOOK"


def test_a_zip_without_a_workbook_is_refused():
    assert refusal(zipped({"anh.png": b"\x89PNG"}), "gui.zip") == "NOT_A_WORKBOOK"
    assert refusal(ods("", kind="text"), "van-ban.odt") == "NOT_A_WORKBOOK"


def test_an_empty_file_and_zeros_are_refused():
    assert refusal(b"") == "EMPTY_FILE"
    assert refusal(bytes(10_000)) == "DAMAGED_WORKBOOK"


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("xl/vbaProject.bin", "MACROS"),
        ("xl/macrosheets/sheet1.xml", "MACROS"),
        ("xl/workbook.bin", "XLSB_FILE"),
    ],
)
def test_macros_and_binary_workbooks_are_refused_with_how_to_save_them(part, code):
    assert refusal(with_part(part, b"x")) == code


def test_a_macro_enabled_content_type_is_refused_whatever_the_name():
    types = "<Types><Override ContentType='application/vnd.ms-excel.sheet.macroEnabled.main+xml'/></Types>"
    assert refusal(with_part("[Content_Types].xml", types)) == "MACROS"


# Copied by halves


def test_a_workbook_cut_anywhere_is_refused():
    whole = good_xlsx()
    for end in range(2, len(whole), 97):
        assert refusal(whole[:end]) == "DAMAGED_WORKBOOK", end


def test_a_workbook_whose_second_half_is_zeros_is_refused():
    for whole in (good_xlsx(), good_xls(), ods(ods_table(ods_row(ods_text("a" * 9_000))))):
        for share in (0.3, 0.5, 0.9):
            kept = int(len(whole) * share)
            assert refusal(whole[:kept] + bytes(len(whole) - kept)) == "DAMAGED_WORKBOOK"


def test_an_old_workbook_cut_anywhere_is_refused():
    whole = good_xls()
    for end in range(600, len(whole) - 512, 1_537):
        assert refusal(whole[:end]) == "DAMAGED_WORKBOOK", end


def test_a_few_zeros_behind_the_end_are_a_hazard_and_many_are_damage():
    source = open_source(good_xlsx() + bytes(500), "a.xlsx")
    assert [(met.code, met.count) for met in source.hazards] == [("TRAILING_BYTES", 500)]
    assert refusal(good_xlsx() + bytes(5_000)) == "DAMAGED_WORKBOOK"


# Packages that lie


def test_other_bytes_before_or_behind_a_package_are_refused():
    assert refusal(good_xlsx() + b"<?php") == "UNSAFE_PACKAGE"
    assert refusal(b"PK" + bytes(30) + good_xlsx()) == "UNSAFE_PACKAGE"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "xl\\..\\..\\x", "C:/x"])
def test_names_that_lead_out_of_the_package_are_refused(name):
    assert refusal(with_part(name, b"x")) == "UNSAFE_PACKAGE"


def test_links_inside_a_package_are_refused():
    parts = xlsx_parts(row(1, '<c r="A1"><v>1</v></c>'))
    content = bytearray(zipped(parts))
    at = content.rfind(b"PK\1\2")
    content[at + 5] = 3  # made on Unix
    content[at + 38 : at + 42] = struct.pack("<I", 0o120777 << 16)
    assert refusal(bytes(content)) == "UNSAFE_PACKAGE"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused_whatever_their_case():
    assert refusal(with_part("XL/Workbook.xml", "<workbook/>")) == "UNSAFE_PACKAGE"


def test_a_small_file_that_expands_beyond_measure_is_refused():
    assert refusal(with_part("xl/media/image1.png", bytes(20 * 2**20))) == "EXPANDS_TOO_MUCH"
    assert refusal(xlsx(row(1, '<c r="A1"><v>1</v></c>') + " " * 8 * 2**20)) == "EXPANDS_TOO_MUCH"


@pytest.mark.parametrize("declared", [10, 10_000_000])
def test_sizes_that_lie_are_refused(declared):
    content = bytearray(zipped({**xlsx_parts(row(1, '<c r="A1"><v>1</v></c>')), "xl/z.xml": b"<z>" + b"a" * 90_000}))
    central = content.rfind(b"PK\1\2")
    local = content.rfind(b"PK\3\4")
    for at in (central + 24, local + 22):
        content[at : at + 4] = struct.pack("<I", declared)
    assert refusal(bytes(content)) == ("EXPANDS_TOO_MUCH" if declared > 1_000_000 else "UNSAFE_PACKAGE")


def test_a_sheet_longer_or_shorter_than_declared_is_refused():
    for change in (-5, 5):
        content = bytearray(zipped(xlsx_parts(row(1, '<c r="A1"><v>1</v></c>')), zipfile.ZIP_DEFLATED))
        for mark, offset in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
            at = content.rfind(mark)
            size = struct.unpack_from("<I", content, at + offset)[0]
            struct.pack_into("<I", content, at + offset, size + change)
        assert refusal(bytes(content)) in {"UNSAFE_PACKAGE", "DAMAGED_WORKBOOK"}


def test_a_wrong_checksum_is_damage():
    content = bytearray(zipped(xlsx_parts(row(1, '<c r="A1"><v>1</v></c>'))))
    for mark, offset in ((b"PK\1\2", 16), (b"PK\3\4", 14)):
        content[content.rfind(mark) + offset] ^= 1
    assert refusal(bytes(content)) == "DAMAGED_WORKBOOK"


def test_overlapping_parts_are_refused():
    # Two directory entries for one run of packed bytes: what a bomb of overlapping parts is made of.
    body = zlib.compress(b"<a/>" * 50)[2:-4]
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, 0, len(body), 200, 5, 0)
    content = local + b"a.xml" + body

    def entry(name: bytes) -> bytes:
        return struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, 0, len(body), 200, 5, 0, 0, 0, 0, 0, 0) + name

    central = entry(b"a.xml") + entry(b"b.xml")
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 2, 2, len(central), len(content), 0)
    assert refusal(content + central + end) == "UNSAFE_PACKAGE"


def test_a_password_in_the_zip_is_told():
    content = bytearray(good_xlsx())
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = content.rfind(mark)
        content[at + offset] |= 1
    assert refusal(bytes(content)) == "PASSWORD_PROTECTED"


def test_too_many_parts_are_refused():
    parts = xlsx_parts(row(1, '<c r="A1"><v>1</v></c>')) | {f"xl/x{number}.xml": b"" for number in range(2_100)}
    assert refusal(zipped(parts)) == "UNSAFE_PACKAGE"


# Declarations


BOMB = '<!DOCTYPE lol [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/passwd">'


@pytest.mark.parametrize("declaration", [BOMB, OUTSIDE], ids=["bomb", "outside"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "part",
    [
        "[Content_Types].xml",
        "_rels/.rels",
        "xl/workbook.xml",
        "xl/_rels/workbook.xml.rels",
        "xl/styles.xml",
        "xl/sharedStrings.xml",
        "xl/worksheets/sheet1.xml",
    ],
)
def test_declarations_are_refused_in_every_part_and_encoding(part, encoding, declaration):
    parts = xlsx_parts(row(1, '<c r="A1" t="s"><v>0</v></c>'), "<si><t>a</t></si>")
    text = str(parts[part]).removeprefix('<?xml version="1.0" encoding="UTF-8"?>')
    parts[part] = (declaration + text).encode(encoding)
    assert refusal(zipped(parts)) == "DOCTYPE"


def test_declarations_are_refused_in_open_documents():
    whole = zipfile.ZipFile(__import__("io").BytesIO(ods(ods_table(ods_row(ods_text("a"))))))
    content = whole.read("content.xml").replace(b"?><", b"?>" + BOMB.encode() + b"<", 1)
    assert refusal(zipped({"mimetype": whole.read("mimetype"), "content.xml": content}), "a.ods") == "DOCTYPE"


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", "_rels/.rels"])
def test_parts_that_are_no_xml_are_told(part):
    parts = xlsx_parts(row(1, '<c r="A1" t="s"><v>0</v></c>'), "<si><t>a</t></si>")
    parts[part] = str(parts[part])[:-9]
    assert refusal(zipped(parts)) == "BAD_XML"


# Files as they lie in a folder


def taken(path: Path) -> str:
    with pytest.raises(RefusedError) as caught:
        take(path)
    return caught.value.code


def test_only_regular_files_are_taken(tmp_path):
    real = tmp_path / "that.xlsx"
    real.write_bytes(good_xlsx())
    assert take(real) == good_xlsx()
    (tmp_path / "link.xlsx").symlink_to(real)
    (tmp_path / "gone.xlsx").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.xlsx")
    (tmp_path / "folder.xlsx").mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.xlsx"))
        for name in ("link", "gone", "pipe", "folder", "socket"):
            assert taken(tmp_path / f"{name}.xlsx") == "NOT_A_REGULAR_FILE"
    assert taken(Path("/dev/zero")) == "NOT_A_REGULAR_FILE"
    assert taken(tmp_path / "missing.xlsx") == "NO_SUCH_FILE"
    assert taken(real / "below.xlsx") == "NO_SUCH_FILE"


def test_files_that_are_empty_too_large_or_locked_are_told(tmp_path):
    (tmp_path / "empty.xlsx").touch()
    assert taken(tmp_path / "empty.xlsx") == "EMPTY_FILE"
    with open(tmp_path / "large.xlsx", "wb") as file:
        file.truncate(51 * 2**20)
    assert taken(tmp_path / "large.xlsx") == "TOO_LARGE"
    locked = tmp_path / "locked.xlsx"
    locked.write_bytes(b"x")
    locked.chmod(0)
    if os.geteuid() != 0:  # nothing is locked for root
        assert taken(locked) == "UNREADABLE_FILE"


GROW = """
import sys
with open(sys.argv[1], "ab", buffering=0) as file:
    while True:
        file.write(b"x")
"""


def taken_at_last(path: Path) -> str | None:
    for _ in range(100):
        try:
            take(path)
        except RefusedError as refusal:
            return refusal.code
    return None


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "grows.xlsx"
    path.write_bytes(bytes(20 * 2**20))
    size = path.stat().st_size
    # A process of its own: a thread of this one may not have its turn while the file is read. On a busy machine the
    # writer may not have it either; then nothing changed, and the file is looked at again.
    with subprocess.Popen([sys.executable, "-c", GROW, str(path)]) as writer:
        try:
            while path.stat().st_size == size:
                time.sleep(0.01)
            assert taken_at_last(path) == "FILE_CHANGED"
        finally:
            writer.kill()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (b"~$bao-cao.xlsx", "TEMPORARY_FILE"),
        (b".~lock.bao-cao.ods#", "TEMPORARY_FILE"),
        (b"bao-cao.xlsx.part", "TEMPORARY_FILE"),
        (b"bao-cao.xlsx.crdownload", "TEMPORARY_FILE"),
        (b".an.xlsx", "TEMPORARY_FILE"),
        (b"bao\ncao.xlsx", "BAD_FILE_NAME"),
        (b"bao\x1b[31mcao.xlsx", "BAD_FILE_NAME"),
        ("bao\u202excslx.exe".encode(), "BAD_FILE_NAME"),
        (b"bao\\cao.xlsx", "BAD_FILE_NAME"),
        (b"b\xe1o c\xe1o.xlsx", "BAD_FILE_NAME"),
    ],
)
def test_names_that_deceive_are_refused(name, code):
    with pytest.raises(RefusedError) as caught:
        check_name(os.fsdecode(name))
    assert caught.value.code == code


def test_odd_names_are_taken_with_a_hazard():
    assert check_name("Báo cáo năm 2025 – Huyện Đắk Mây (sửa).xlsx") == []
    assert [met.code for met in check_name(" bao cao.xlsx")] == ["ODD_FILE_NAME"]
    assert [met.code for met in check_name("CON.xlsx")] == ["ODD_FILE_NAME"]


# The limited process


def test_answers_come_back_from_the_limited_process():
    assert run_limited(_values) == {"a": [1, 2.5, "Đắk Mây", None, True]}
    assert run_limited(bytes, [0, 255]) == b"\0\xff"


def test_refusals_come_back_with_their_code():
    with pytest.raises(RefusedError) as caught:
        run_limited(_refuse)
    assert (caught.value.code, str(caught.value)) == ("EMPTY_FILE", "Tệp rỗng.")


def _values() -> dict[str, list[object]]:
    return {"a": [1, 2.5, "Đắk Mây", None, True]}


def _refuse() -> None:
    raise RefusedError("EMPTY_FILE", "Tệp rỗng.")


def _fill_memory() -> int:
    return len(bytearray(2**31))


def _kill_itself() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _spin() -> None:
    while True:
        pass


def _fail() -> None:
    raise ValueError("Nguyễn Văn Thử")


def _object() -> object:
    return threading.Thread()


@pytest.mark.parametrize(
    ("function", "args", "code"),
    [
        (_fill_memory, (), "TOO_MUCH_MEMORY"),
        (os.abort, (), "TOO_MUCH_MEMORY"),  # as libraries end that get none
        (_kill_itself, (), "READER_DIED"),
        (_fail, (), "READER_DIED"),
        (_object, (), "READER_DIED"),
        (time.sleep, (60,), "TOO_SLOW"),
        (_spin, (), "TOO_SLOW"),
    ],
)
@pytest.mark.parametrize("threads", [False, True], ids=["fork", "forkserver"])
def test_whatever_happens_to_the_limited_process_is_a_refusal(function, args, code, threads):
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    if threads:
        other.start()
    try:
        with pytest.raises(RefusedError) as caught:
            run_limited(function, *args, seconds=3, memory=2**29)
        assert caught.value.code == code
        assert "Nguyễn" not in str(caught.value)
    finally:
        done.set()
        if threads:
            other.join()


def _parse_long_xml() -> None:
    tree(b"<a>" + b'<b x="1"/>' * 3_000_000 + b"</a>", "xl/workbook.xml")


def test_xml_that_no_memory_was_left_for_is_not_called_damaged():
    with pytest.raises(RefusedError) as caught:
        run_limited(_parse_long_xml, memory=2**28)
    assert caught.value.code == "TOO_MUCH_MEMORY"


def _reach(folder: str, port: int) -> list[str]:
    held = []
    try:
        with open(f"{folder}/written", "w") as file:
            file.write("x" * 10_000)
        held.append("written")
    except OSError:
        pass
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
        held.append("network")
    except OSError:
        pass
    return held


def test_the_limited_process_writes_no_files_and_reaches_no_network(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        reached = run_limited(_reach, str(tmp_path), port)
    assert "written" not in reached
    if "network" in reached:
        assert "CI" not in os.environ or os.geteuid() != 0, "the network could be cut off here"
        pytest.skip("the system does not let a process shut itself off the network")


# The table of codes


def test_every_code_is_in_the_documentation_and_no_other():
    page = (ROOT / "docs" / "hazards.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([A-Z0-9_]+)`", page, re.MULTILINE))
    tables = (codes.REFUSALS, codes.HAZARDS, delimited.REFUSALS, delimited.HAZARDS)
    assert documented == set().union(*tables)


def test_every_code_that_the_code_names_is_in_a_table():
    known = {*codes.REFUSALS, *codes.HAZARDS, *delimited.REFUSALS, *delimited.HAZARDS}
    for path in (ROOT / "submissions" / "files").glob("*.py"):
        named = re.findall(r"\b(?:refused|hazard|_refused|_met|RefusedError)\(\s*\"([A-Z0-9_]+)\"", path.read_text())
        assert set(named) <= known, path.name


def test_every_message_says_what_to_do():
    for table in (codes.REFUSALS, codes.HAZARDS, delimited.REFUSALS, delimited.HAZARDS):
        for code, entry in table.items():
            assert entry.found.endswith("."), code
            assert len(entry.advice) > 10, code
            assert entry.advice.endswith((".", "”.")), code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_in_a_part_that_nobody_here_reads(encoding):
    text = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><a>&b;</a>'
    assert refusal(with_part("docProps/app.xml", text.encode(encoding))) == "DOCTYPE"
