"""Taking a file from a folder: what it may be called and be, and its bytes as they were at one moment."""

import errno
import os
import re
import stat
import unicodedata
from pathlib import Path

from submissions.files.codes import hazard, refused
from submissions.files.opening import MAX_SIZE
from submissions.files.source import Hazard

_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_TEMPORARY = re.compile(r"^~|^\.|\.(?:part|partial|tmp|crdownload|download|filepart|swp|lock)$|~$|#$", re.IGNORECASE)
_RESERVED = re.compile(r"^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)
_KINDS = (
    (stat.S_ISLNK, "liên kết (symlink)"),
    (stat.S_ISDIR, "thư mục"),
    (stat.S_ISFIFO, "ống dẫn (FIFO)"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISBLK, "thiết bị"),
    (stat.S_ISCHR, "thiết bị"),
)


def readable_name(path: Path | str) -> str:
    """The last part of a path as text that can be shown; bytes that are no UTF-8 stand as replacement characters."""
    return os.fsencode(Path(path).name).decode("utf-8", "replace")


def check_name(path: Path | str) -> list[Hazard]:
    """What is odd about a file's name; raises `RefusedError` for names that are not taken."""
    raw = os.fsencode(Path(path).name)
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise refused("BAD_FILE_NAME", why="không phải chữ Unicode (UTF-8)") from None
    if any(unicodedata.category(letter) in {"Cc", "Cs"} for letter in name):
        raise refused("BAD_FILE_NAME", why="có ký tự điều khiển")
    if _BIDI.search(name):
        raise refused("BAD_FILE_NAME", why="có ký tự đảo chiều chữ")
    if "\\" in name:
        raise refused("BAD_FILE_NAME", why="có dấu “\\”")
    if _TEMPORARY.search(name):
        raise refused("TEMPORARY_FILE")
    if name != name.strip():
        return [hazard("ODD_FILE_NAME", why="có dấu cách ở đầu hoặc cuối")]
    if _RESERVED.match(name):
        return [hazard("ODD_FILE_NAME", why="trùng tên riêng của Windows")]
    return []


def take(path: Path | str) -> bytes:
    """The bytes of a regular file that did not change meanwhile; raises `RefusedError`.

    Links are not followed, and nothing that could wait (a FIFO, a device) is opened.
    """
    try:
        _regular(os.lstat(path))
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        raise _refusal(error) from None
    try:
        before = os.fstat(handle)
        _regular(before)
        if before.st_size == 0:
            raise refused("EMPTY_FILE")
        if before.st_size > MAX_SIZE:
            raise refused("TOO_LARGE", size=-(-before.st_size // 2**20), limit=MAX_SIZE // 2**20)
        content = _read(handle, before.st_size)
        after = os.fstat(handle)
    except OSError as error:
        raise _refusal(error) from None
    finally:
        os.close(handle)
    same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if not same or len(content) != before.st_size:
        raise refused("FILE_CHANGED")
    return content


def _read(handle: int, size: int) -> bytes:
    pieces = []
    left = size + 1  # one more: a file that grows shows itself
    while left > 0 and (piece := os.read(handle, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _regular(found: os.stat_result) -> None:
    for is_kind, what in _KINDS:
        if is_kind(found.st_mode):
            raise refused("NOT_A_REGULAR_FILE", what=what)


def _refusal(error: OSError) -> Exception:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return refused("NO_SUCH_FILE")
    if error.errno == errno.ELOOP:
        return refused("NOT_A_REGULAR_FILE", what="liên kết (symlink)")
    why = "không có quyền đọc" if error.errno in (errno.EACCES, errno.EPERM) else "lỗi ổ đĩa hoặc đường dẫn"
    return refused("UNREADABLE_FILE", why=why)
