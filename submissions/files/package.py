"""Zip packages (.xlsx, .ods, zip of CSV): taken apart with every size and place checked before a byte is believed."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable

from submissions.files.codes import refused

MAX_PARTS = 2_000
MAX_EXPANDED = 400 * 2**20
MAX_RATIO = 150
"""How many times its packed size a part above `RATIO_FROM` may expand to; Apache POI stops at 100."""
RATIO_FROM = 2**20
MAX_PADDING = 4_096
"""So many zero bytes after the end are a block-wise copy's padding; more are a copy that was not finished."""

_END = b"PK\5\6"
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")


class Package:
    """The parts of a zip file, by name; reading a part proves its length and checksum."""

    def __init__(self, content: bytes) -> None:
        """Check the directory of the package; raises `RefusedError`."""
        self.content, self.padding = _without_padding(content)
        try:
            with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, struct.error, ValueError, NotImplementedError, OverflowError, EOFError):
            raise refused("DAMAGED_WORKBOOK", why="không có mục lục của tệp nén") from None
        self._entries = {entry.filename: entry for entry in entries if not entry.is_dir()}
        self._places = self._check(entries)
        self._folded = {name.replace("\\", "/").lstrip("/").casefold(): name for name in self._entries}
        self._read: dict[str, bytes] = {}

    @property
    def names(self) -> list[str]:
        """The names of the parts, folders left out."""
        return list(self._entries)

    def find(self, name: str) -> str | None:
        """The part of this name, whatever its case; None where there is none."""
        return self._folded.get(name.lstrip("/").casefold())

    def read(self, name: str) -> bytes:
        """The bytes of a part; raises `RefusedError` where they are not what the directory says."""
        if name not in self._read:
            self._read[name] = self._inflate(name)
        return self._read[name]

    def forget(self, name: str) -> None:
        """Let go of a part that was read."""
        self._read.pop(name, None)

    def _check(self, entries: list[zipfile.ZipInfo]) -> dict[str, int]:
        """Where the data of each part begin; raises `RefusedError` for what no spreadsheet program writes."""
        if not entries:
            raise refused("DAMAGED_WORKBOOK", why="tệp nén rỗng")
        if len(entries) > MAX_PARTS:
            raise refused("UNSAFE_PACKAGE", why=f"có {len(entries)} phần, nhiều hơn {MAX_PARTS}")
        if any(entry.flag_bits & 0x2041 for entry in entries):
            raise refused("PASSWORD_PROTECTED")
        seen: set[str] = set()
        for entry in entries:
            _check_name(entry)
            folded = entry.filename.casefold()
            if folded in seen:
                raise refused("UNSAFE_PACKAGE", why="hai phần trùng tên")
            seen.add(folded)
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise refused("UNSAFE_PACKAGE", why="kiểu nén lạ")
            if entry.file_size > RATIO_FROM and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
                raise refused("EXPANDS_TOO_MUCH", why=f"hơn {MAX_RATIO} lần")
        total = sum(entry.file_size for entry in entries)
        if total > MAX_EXPANDED:
            raise refused("EXPANDS_TOO_MUCH", why=f"{total // 2**20} MB")
        return self._place(entries)

    def _place(self, entries: list[zipfile.ZipInfo]) -> dict[str, int]:
        places: dict[str, int] = {}
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.header_offset):
            if entry.header_offset < end:
                raise refused("UNSAFE_PACKAGE", why="các phần chồng lên nhau")
            if end == 0 and entry.header_offset != 0:
                raise refused("UNSAFE_PACKAGE", why="có dữ liệu lạ ở đầu tệp")
            header = self.content[entry.header_offset : entry.header_offset + _LOCAL.size]
            if len(header) < _LOCAL.size or header[:4] != b"PK\3\4":
                raise refused("DAMAGED_WORKBOOK", why="mục lục của tệp nén không khớp")
            _, _, flags, method, _, _, _, packed, size, name_length, extra_length = _LOCAL.unpack(header)
            start = entry.header_offset + _LOCAL.size
            name = self.content[start : start + name_length]
            if method != entry.compress_type or not _same_name(name, entry):
                raise refused("UNSAFE_PACKAGE", why="mục lục của tệp nén không khớp với nội dung")
            if flags & 0x2041:
                raise refused("PASSWORD_PROTECTED")
            written = flags & 8 == 0 and 0xFFFFFFFF not in (packed, size)
            if written and (packed, size) != (entry.compress_size, entry.file_size):
                raise refused("UNSAFE_PACKAGE", why="kích thước ghi trong tệp nén không khớp")
            places[entry.filename] = start + name_length + extra_length
            end = places[entry.filename] + entry.compress_size
            if end > len(self.content):
                raise refused("DAMAGED_WORKBOOK", why="thiếu phần cuối")
        return places

    def _inflate(self, name: str) -> bytes:
        entry = self._entries[name]
        start = self._places[name]
        packed = self.content[start : start + entry.compress_size]
        if entry.compress_type == zipfile.ZIP_STORED:
            data, whole = packed, len(packed) == entry.file_size
        else:
            inflater = zlib.decompressobj(-15)
            try:
                # One byte more than was declared: a part that is longer shows itself.
                data = inflater.decompress(packed, entry.file_size + 1)
                if len(data) == entry.file_size and not inflater.eof:
                    data += inflater.decompress(inflater.unconsumed_tail, 1)
            except zlib.error:
                raise refused("DAMAGED_WORKBOOK", why="dữ liệu nén bị hỏng") from None
            if len(data) > entry.file_size:
                raise refused("UNSAFE_PACKAGE", why="kích thước ghi trong tệp nén không khớp")
            whole = inflater.eof and not inflater.unused_data
        if not whole or len(data) != entry.file_size or zlib.crc32(data) != entry.CRC:
            raise refused("DAMAGED_WORKBOOK", why="dữ liệu nén bị hỏng")
        return data


def _without_padding(content: bytes) -> tuple[bytes, int]:
    """The package up to its end record, and how many zero bytes and line ends stand behind it."""
    at = content.rfind(_END)
    if at < 0 or at + 22 > len(content):
        raise refused("DAMAGED_WORKBOOK", why="thiếu phần cuối")
    end = at + 22 + int.from_bytes(content[at + 20 : at + 22], "little")
    if end > len(content):
        raise refused("DAMAGED_WORKBOOK", why="thiếu phần cuối")
    rest = content[end:]
    if rest.strip(b"\0\r\n"):
        raise refused("UNSAFE_PACKAGE", why="có dữ liệu lạ ở cuối tệp")
    if len(rest) > MAX_PADDING:
        raise refused("DAMAGED_WORKBOOK", why="phần cuối toàn byte 0")
    return content[:end] if rest else content, len(rest)


def _check_name(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename
    pieces = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in pieces or ":" in name or any(ord(letter) < 32 for letter in name):
        raise refused("UNSAFE_PACKAGE", why="tên phần không an toàn")
    # The upper half of the attributes holds a Unix mode: a link inside a package leads out of it.
    if entry.create_system == 3 and (entry.external_attr >> 28) == 0xA:
        raise refused("UNSAFE_PACKAGE", why="có liên kết tới nơi khác")


def _same_name(local: bytes, entry: zipfile.ZipInfo) -> bool:
    for encoding in ("utf-8", "cp437"):
        try:
            if local.decode(encoding) == entry.orig_filename:
                return True
        except UnicodeDecodeError:
            continue
    return False


def stored(parts: Iterable[tuple[str, bytes]]) -> bytes:
    """A package of these parts, not compressed: what was checked, and nothing else, for a reader to open."""
    pieces: list[bytes] = []
    central: list[bytes] = []
    offset = 0
    for name, data in parts:
        raw, check, size = name.encode(), zlib.crc32(data), len(data)
        pieces += [_LOCAL.pack(b"PK\3\4", 20, 0x800, 0, 0, 33, check, size, size, len(raw), 0), raw, data]
        central += [
            _CENTRAL.pack(b"PK\1\2", 20, 20, 0x800, 0, 0, 33, check, size, size, len(raw), 0, 0, 0, 0, 0, offset),
            raw,
        ]
        offset += _LOCAL.size + len(raw) + size
    count, length = len(central) // 2, sum(map(len, central))
    return b"".join([*pieces, *central, struct.pack("<4s4H2IH", _END, 0, 0, count, count, length, offset, 0)])
