"""Which reader a file goes to, by what it holds and not by its name."""

import re
from collections.abc import Callable
from typing import TypeVar

from submissions.files.codes import hazard, refused
from submissions.files.source import Hazard, RefusedError, Source

_Read = TypeVar("_Read")

MAX_SIZE = 50 * 2**20

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "đây là tệp PDF"),
    (b"{\\rtf", "đây là văn bản RTF"),
    (b"\x1f\x8b", "đây là tệp nén gzip"),
    (b"Rar!", "đây là tệp nén RAR"),
    (b"7z\xbc\xaf\x27\x1c", "đây là tệp nén 7z"),
    (b"BZh", "đây là tệp nén bzip2"),
    (b"\xfd7zXZ\0", "đây là tệp nén xz"),
    (b"\x28\xb5\x2f\xfd", "đây là tệp nén zstd"),
    (b"\x89PNG", "đây là hình ảnh"),
    (b"\xff\xd8\xff", "đây là hình ảnh"),
    (b"GIF8", "đây là hình ảnh"),
    (b"II*\0", "đây là hình ảnh"),
    (b"MM\0*", "đây là hình ảnh"),
    (b"BM", "đây là hình ảnh"),
    (b"RIFF", "đây là hình ảnh hoặc âm thanh"),
    (b"\x7fELF", "đây là chương trình"),
    (b"MZ", "đây là chương trình"),
    (b"SQLite format 3\0", "đây là tệp cơ sở dữ liệu"),
    (b"PAR1", "đây là tệp Parquet"),
    (b"ID;P", "đây là tệp SYLK"),
    (b"\x09\x00\x04\x00", "đây là tệp Excel quá cũ"),
    (b"\x09\x02\x06\x00", "đây là tệp Excel quá cũ"),
    (b"\x09\x04\x06\x00", "đây là tệp Excel quá cũ"),
)
"""First bytes of files that are no workbooks."""
_EXTENSIONS = {
    "xlsx": {"xlsx"},
    "xls": {"xls"},
    "ods": {"ods"},
    "csv": {"csv", "txt", "tsv"},
    "csv_zip": {"zip"},
}
_KINDS = {
    "xlsx": "sổ tính Excel (.xlsx)",
    "xls": "sổ tính Excel 97-2003 (.xls)",
    "ods": "sổ tính OpenDocument (.ods)",
    "csv": "văn bản CSV",
    "csv_zip": "tệp nén chứa CSV",
}


def open_file(content: bytes, name: str) -> Source:
    """The file as sheets of cells; raises `RefusedError`. `name` tells what the file is called, not what it is."""
    if not content:
        raise refused("EMPTY_FILE")
    if len(content) > MAX_SIZE:
        raise refused("TOO_LARGE", size=len(content) // 2**20, limit=MAX_SIZE // 2**20)
    source = _guarded(lambda: _open(content, name))
    met = _extension_hazards(source.kind, name)
    if all(sheet.rows == 0 for sheet in source.sheets):
        met.append(hazard("EMPTY_WORKBOOK"))
    return Source(
        source.kind,
        source.sheets,
        (*met, *source.hazards),
        lambda sheet: _guarded(lambda: source.read(sheet)),
    )


def _guarded(read: Callable[[], _Read]) -> _Read:
    """What `read` returns; a file on which a reader fails in a way that nobody foresaw is refused as one."""
    try:
        return read()
    except (RefusedError, MemoryError):
        raise
    except Exception as error:
        raise refused("READER_DIED") from error


def _open(content: bytes, name: str) -> Source:
    if content[:2] == b"PK":
        return _open_package(content, name)
    if content[:8] == _OLE:
        from submissions.files.xls import open_xls

        return open_xls(content)
    if not content.strip(b"\0"):
        raise refused("DAMAGED_WORKBOOK", why="toàn byte 0")
    for start, what in _OTHERS:
        if content.startswith(start):
            raise refused("NOT_A_WORKBOOK", what=what)
    if what := _marked_up(content):
        raise refused("NOT_A_WORKBOOK", what=what)
    # Zero bytes in odd and even places are no UTF-16 either.
    if (
        content.count(b"\0", 0, 4096) * 8 > min(len(content), 4096)
        and b"\0" in content[:4096:2]
        and b"\0" in content[1:4096:2]
    ):
        raise refused("NOT_A_WORKBOOK", what="không nhận ra loại tệp")
    if _extension(name) in {"xlsx", "xlsm", "xls", "ods"}:
        # Text under the name of a workbook is no table that anyone agreed on.
        raise refused("NOT_A_WORKBOOK", what="không nhận ra loại tệp")
    from submissions.files.delimited import open_delimited

    return open_delimited(content, name)


def _open_package(content: bytes, name: str) -> Source:
    from submissions.files.package import Package

    package = Package(content)
    if (kind := package.find("mimetype")) is not None:
        from submissions.files.ods import open_ods

        return open_ods(package, package.read(kind))
    if package.find("[Content_Types].xml") is None:
        from submissions.files.delimited import is_delimited_zip, open_delimited

        if is_delimited_zip(package.names):
            return open_delimited(content, name)
    from submissions.files.xlsx import open_xlsx

    return open_xlsx(package)


def _marked_up(content: bytes) -> str | None:
    """What a file is that is markup; None where it is none."""
    head = content[:4096]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        head = head.decode("utf-16", "replace").encode("utf-8", "replace")
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not head.startswith(b"<") and not re.match(rb"mime-version:|content-type:", head):
        return None
    if b"urn:schemas-microsoft-com:office:spreadsheet" in head:
        return "đây là tệp XML Spreadsheet 2003"
    if b"office:document" in head:
        return "đây là tệp OpenDocument dạng XML phẳng"
    if re.search(rb"<(?:!doctype html|html|table|body|head|meta|div|style)\b", head) or head.startswith(b"mime"):
        return "đây là trang web (HTML) mang tên sổ tính"
    return "đây là tệp XML"


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _extension_hazards(kind: str, name: str) -> list[Hazard]:
    extension = _extension(name)
    if not extension or extension in _EXTENSIONS.get(kind, {extension}):
        return []
    return [hazard("WRONG_EXTENSION", kind=_KINDS[kind])]
