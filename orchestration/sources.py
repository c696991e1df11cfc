"""The second source: a folder elsewhere (SFTP, S3, a mount) whose finished files are brought into the spool.

Nothing there is ever changed or deleted. What is brought lies in ``<data>/spool/source`` under the path it has there,
and goes through the same intake as what lies in the inbox.
"""

import fcntl
import hashlib
import json
import logging
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration import inbox, settings
from orchestration.backlog import ATTEMPTS, Mark, Marks, Sending, key
from orchestration.dead_letters import DeadLetters
from orchestration.inbox import Contents, Entry, Odd, Stamp
from orchestration.settings import Folders
from submissions.files.opening import MAX_SIZE

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from fsspec.spec import AbstractBufferedFile

TICK_SECONDS = 20.0
"""How long one tick of the sensor may fetch; what is half fetched is gone on with at the next."""

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 20.0
"""How long the other side may keep silent."""

PAUSES = (60.0, 300.0, 900.0, 1800.0)
"""Seconds before a source that failed is asked again; the last holds from then on."""

MOST_FILES = 100_000
DEEPEST = 8
CHUNK = 1024 * 1024

CONTEXT = "source"
"""Stands for the contract where the marks count tries of fetching."""


@dataclass(frozen=True)
class Settings:
    """Where the second source is, and how its host is known."""

    url: str
    known_hosts: Path | None = None
    key_file: Path | None = None

    @property
    def place(self) -> str:
        """The source as it may be shown: without user, password or query."""
        try:
            parts = urlsplit(self.url)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return "nguồn thứ hai"
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"

    @property
    def root(self) -> str:
        """The source as the marks name it."""
        return f"source:{hashlib.sha256(self.url.encode()).hexdigest()[:16]}"


def configured() -> Settings | None:
    """The source that the settings name (an fsspec URL), None where there is none.

    Credentials beside a key file come from fsspec's own configuration (``FSSPEC_SFTP_PASSWORD``, ``~/.config/fsspec``)
    or, for S3, from that of AWS.
    """
    chosen = settings.settings()
    if chosen.source is None:
        return None
    return Settings(chosen.source, chosen.source_known_hosts, chosen.source_key)


@dataclass(frozen=True)
class Fetched:
    """What one visit to the source brought."""

    place: str
    files: int = 0
    waiting: int = 0
    problem: str | None = None
    """Why the source could not be used, in Vietnamese, without any secret."""
    is_news: bool = False
    """Whether the problem was met now, and not only remembered."""

    def __str__(self) -> str:
        return self.problem or f"{self.place}: lấy về {self.files} báo cáo, còn đợi {self.waiting}."


class SourceError(RuntimeError):
    """The source cannot be used; the message is Vietnamese and holds no secret."""


class _UnknownHostError(Exception):
    """The host's key is in no list of known hosts."""


def fetch(
    settings: Settings,
    folders: Folders,
    marks: Marks,
    *,
    seconds: float,
    patience_seconds: float = 0.0,
    at: Callable[[], float] = time.time,
) -> Fetched:
    """Bring what has stopped changing into the spool, for at most about `seconds`.

    With `patience_seconds` a second look is taken where there is something new. A source that failed is left alone for
    a while, longer each time. Never raises for what the source does.
    """
    spool = folders.spool
    spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # it would log whole tracebacks
    with (spool / "source.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return Fetched(settings.place)  # another process is at it
        past = _past(spool, settings)
        failures = past.get("failures", 0)
        if failures and 0 <= at() - past["at"] < PAUSES[min(failures, len(PAUSES)) - 1]:
            return Fetched(settings.place, problem=past["problem"])
        visit = _Visit(settings, folders, marks, time.monotonic() + seconds, at)
        try:
            with _opened(settings) as (system, root):
                visit.bring(system, root)
                if visit.waiting and patience_seconds:
                    time.sleep(patience_seconds)
                    visit.bring(system, root)
        except Exception as error:  # noqa: BLE001 - file systems raise what they like; the inbox must go on
            problem = f"Nguồn thứ hai {settings.place}: {_reason(error)} Hộp nhận tại chỗ vẫn hoạt động."
            _remember(spool, settings, {"failures": failures + 1, "at": at(), "problem": problem})
            return Fetched(settings.place, visit.files, visit.waiting, problem, is_news=True)
        _remember(spool, settings, {})
        return Fetched(settings.place, visit.files, visit.waiting)


def _past(spool: Path, settings: Settings) -> dict:
    """What is remembered of failures of this very source."""
    try:
        past = json.loads((spool / "source.json").read_text(encoding="utf-8"))
        return past if past.get("root") == settings.root and past.get("failures") else {}
    except (FileNotFoundError, ValueError):
        return {}


def _remember(spool: Path, settings: Settings, past: dict) -> None:
    draft = spool / ".source.json"
    draft.write_text(json.dumps({"root": settings.root, **past}, ensure_ascii=False), encoding="utf-8")
    draft.replace(spool / "source.json")


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple["AbstractFileSystem", str]]:
    import fsspec
    from fsspec.core import url_to_fs

    protocol = urlsplit(settings.url).scheme
    if protocol in {"sftp", "ssh"}:
        system_class = _sftp()
        options = system_class._get_kwargs_from_urls(settings.url)
        system = system_class(
            **options,
            known_hosts=settings.known_hosts,
            **({"key_filename": str(settings.key_file)} if settings.key_file else {}),
            skip_instance_cache=True,
        )
        try:
            yield system, system._strip_protocol(settings.url).rstrip("/") or "/"
        finally:
            system.client.close()
        return
    if protocol not in {*fsspec.available_protocols()}:
        raise ValueError(protocol)
    limits = {"connect_timeout": CONNECT_SECONDS, "read_timeout": ANSWER_SECONDS, "retries": {"max_attempts": 2}}
    options = {"config_kwargs": limits} if protocol in {"s3", "s3a"} else {}
    system, root = url_to_fs(settings.url, skip_instance_cache=True, use_listings_cache=False, **options)
    yield system, root.rstrip("/")


def _sftp() -> type["AbstractFileSystem"]:
    """The SFTP of fsspec with the host's key checked: by itself it trusts any host that it meets for the first time."""
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem

    class Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: object, hostname: str, key: object) -> None:
            raise _UnknownHostError

    class CheckedSFTP(SFTPFileSystem):
        cachable = False

        def __init__(self, host: str, known_hosts: Path | None = None, **options: object) -> None:
            self.known_hosts = known_hosts
            super().__init__(host, **options)

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            if self.known_hosts:
                self.client.load_system_host_keys(str(self.known_hosts))
            else:
                for path in (Path("/etc/ssh/ssh_known_hosts"), Path.home() / ".ssh" / "known_hosts"):
                    if path.exists():
                        self.client.load_system_host_keys(str(path))
            self.client.set_missing_host_key_policy(Refuse())
            own_key = "key_filename" in self.ssh_kwargs
            waits = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout", "channel_timeout"), CONNECT_SECONDS)
            own = {"allow_agent": not own_key, "look_for_keys": not own_key}
            try:
                self.client.connect(self.host, **{**waits, **own, **self.ssh_kwargs})
                self.ftp = self.client.open_sftp()
                self.ftp.get_channel().settimeout(ANSWER_SECONDS)
            except BaseException:
                self.client.close()
                raise

        @staticmethod
        def _decode_stat(state: "paramiko.SFTPAttributes", parent_path: str | None = None) -> dict[str, object]:
            told = SFTPFileSystem._decode_stat(state, parent_path)
            is_odd = told["type"] == "file" and state.st_mode is not None and not stat.S_ISREG(state.st_mode)
            return told | {"type": "other"} if is_odd else told

    return CheckedSFTP


@dataclass
class _Visit:
    """One visit: looks, and brings what was the same at the last look."""

    settings: Settings
    folders: Folders
    marks: Marks
    until: float
    at: Callable[[], float]
    files: int = 0
    waiting: int = 0

    def bring(self, system: "AbstractFileSystem", root: str) -> None:
        """Look, remember the look, and bring what is ready."""
        before = self.marks.of(self.settings.root)
        found = listing(system, root, self.until)
        at = self.at()
        last = {
            entry.name: (mark.stamps, mark.since) for entry in found.entries if (mark := before.get(key(entry.name)))
        }
        ready, restless = inbox.settled(found.entries, last, at=at)
        now = inbox.remembered(found.entries, last, at)
        changed = {
            key(name): Mark(stamps, since)
            for name, (stamps, since) in now.items()
            if key(name) not in before or before[key(name)].stamps != stamps
        }
        self.marks.keep(self.settings.root, changed, before.keys() - {key(entry.name) for entry in found.entries})
        letters = DeadLetters(self.folders.dead_letters)
        for odd in found.odd:
            letters.put_odd(odd)
        dead = letters.ids(CONTEXT)
        tries = self.marks.tries(CONTEXT)
        wanted = [
            (sum(tries.get(mark := _mark(self.settings, entry), (0, 0))), entry, mark)
            for entry in ready
            if not before[key(entry.name)].handled and _mark(self.settings, entry)[:32] not in dead
        ]
        self.waiting = len(restless) + found.unfinished + len(wanted)
        # Whatever gave trouble comes last, so that it does not stand in the others' way.
        for tried, entry, mark in sorted(wanted, key=lambda item: (item[0], item[1].name)):
            if time.monotonic() >= self.until:
                return
            target = self.folders.spool / "source" / safe_path(entry.name)
            if target.exists():
                continue  # an earlier one of this name has not been read yet
            if tried >= ATTEMPTS:
                sending = Sending(Path(root), entry, mark, readable=False)
                message = f"Không lấy được từ nguồn thứ hai sau {ATTEMPTS} lần thử; hãy gửi lại hoặc gửi cách khác."
                letters.put("SOURCE_UNREADABLE", message, sending=sending, context=CONTEXT)
                self.marks.end([mark])
            elif self._bring_one(system, root, entry, target, mark):
                self.marks.keep(self.settings.root, {key(entry.name): Mark(entry.stamps, at, mark, handled=True)})
                self.marks.end([mark])
                self.files += 1
                self.waiting -= 1

    def _bring_one(self, system: "AbstractFileSystem", root: str, entry: Entry, target: Path, mark: str) -> bool:
        """Bring one entry aside and rename it whole; False where time is up or it changed meanwhile."""
        aside = self.folders.spool / "fetching" / mark
        aside.mkdir(parents=True, exist_ok=True, mode=0o700)
        had = sum(part.stat().st_size for part in aside.iterdir())
        self.marks.begin([mark], CONTEXT)
        fault: Exception | None = None
        try:
            for number, (name, stamp) in enumerate(zip(entry.files, entry.stamps, strict=True)):
                if not self._copy(system, f"{root}/{name}", aside / str(number), stamp):
                    self.marks.survived([mark], CONTEXT)
                    return False
        except (PermissionError, FileNotFoundError):
            return False  # this one's own fault: it is counted, and the others go on
        except Exception as error:
            fault = error
            raise
        finally:
            if fault is not None and sum(part.stat().st_size for part in aside.iterdir()) > had:
                self.marks.survived([mark], CONTEXT)  # a line that broke while it moved
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if entry.members:
            for number, member in enumerate(entry.members):
                (aside / str(number)).rename(aside / safe_path(member))
            aside.rename(target)
        else:
            (aside / "0").rename(target)
            aside.rmdir()
        return True

    def _copy(self, system: "AbstractFileSystem", source: str, target: Path, stamp: Stamp) -> bool:
        """Go on copying where the last visit stopped; False where time is up or the file has changed."""
        size = min(stamp[0], MAX_SIZE + 1)  # intake reads no more than that of any file
        have = target.stat().st_size if target.exists() else 0
        if have < size or not target.exists():
            with system.open(source, "rb") as file, target.open("ab") as copy:
                if have:
                    file.seek(have)
                while have < size:
                    if time.monotonic() >= self.until:
                        return False
                    have += copy.write(chunk := _chunk(file, have, min(CHUNK, size - have)))
                    if not chunk:
                        break
                copy.flush()
                os.fsync(copy.fileno())
        if have != size or _stamp(system.info(source)) != stamp:
            target.unlink()
            return False
        os.utime(target, ns=(stamp[1], stamp[1]))
        return True


def _chunk(file: "AbstractBufferedFile", start: int, length: int) -> bytes:
    """Bytes of a file; over SFTP with all requests under way at once: one by one, each would wait for its answer."""
    return b"".join(file.readv([(start, length)])) if hasattr(file, "readv") else file.read(length)


def _mark(settings: Settings, entry: Entry) -> str:
    return hashlib.sha256(repr((settings.root, entry.name, entry.stamps)).encode("utf-8", "replace")).hexdigest()


def listing(system: "AbstractFileSystem", root: str, until: float) -> Contents:
    """Everything under `root`, put together to sendings; links and special files are named, never followed."""
    files: dict[str, Stamp] = {}
    odd: list[Odd] = []
    folders = [(root, "", 0)]
    system.invalidate_cache()
    while folders:
        folder, prefix, depth = folders.pop()
        if time.monotonic() >= until:
            raise TimeoutError
        for detail in system.ls(folder, detail=True):
            name = str(detail["name"]).rstrip("/").rsplit("/", 1)[-1]
            if not name or name in {".", ".."} or inbox.is_passed_over(name):
                continue
            if detail["type"] == "directory" and not detail.get("islink"):
                if depth < DEEPEST:
                    folders.append((f"{folder.rstrip('/')}/{name}", f"{prefix}{name}/", depth + 1))
            elif detail["type"] == "file" and not detail.get("islink"):
                files[f"{prefix}{name}"] = _stamp(detail)
            else:
                is_link = detail["type"] == "link" or bool(detail.get("islink"))
                odd.append(Odd(f"{prefix}{name}", "SYMLINK" if is_link else "SPECIAL_FILE", (0, 0, 0)))
        if len(files) > MOST_FILES:
            raise SourceError(f"có hơn {MOST_FILES} tệp; hãy chỉ vào thư mục hẹp hơn.")
    return inbox.arrange(files, odd)


def _stamp(detail: Mapping[str, object]) -> Stamp:
    """Size, time of change and the mark of the content, as far as the file system tells them."""
    changed = next(
        (detail[name] for name in ("mtime", "LastModified", "last_modified", "updated") if detail.get(name)), 0
    )
    seconds = changed.timestamp() if isinstance(changed, datetime) else float(changed)
    tag = str(detail.get("ETag") or detail.get("etag") or detail.get("ino") or "")
    mark = int(hashlib.sha256(tag.encode()).hexdigest()[:12], 16) if tag else 0
    return int(detail["size"] or 0), round(seconds * 1e6) * 1000, mark


def safe_path(name: str) -> Path:
    """The path under which a name of the source lies in the spool: no way out of it, and no name too long for it."""
    parts = [
        part
        if part not in {"", ".", ".."} and len(os.fsencode(part)) <= 200 and "\0" not in part
        else f"{key(part)}{PurePosixPath(part[-12:]).suffix}"
        for part in name.split("/")
    ]
    return Path(*parts)


def _reason(error: Exception) -> str:
    """Why the source cannot be used. The words of the error are not shown: they may hold a password."""
    if isinstance(error, SourceError):
        return str(error)
    name = type(error).__name__
    by_name = {
        "_UnknownHostError": "khóa của máy chủ chưa có trong danh sách máy đã biết (known_hosts). Hãy đối chiếu "
        "dấu vân tay với người quản trị máy chủ rồi thêm vào tệp mà THUCCHAT_SOURCE_KNOWN_HOSTS chỉ.",
        "BadHostKeyException": "khóa của máy chủ KHÁC với khóa đã biết (known_hosts): có thể là máy giả mạo, không "
        "kết nối. Hãy hỏi người quản trị máy chủ.",
        "AuthenticationException": "máy chủ không chấp nhận tài khoản, khóa hoặc mật khẩu.",
        "BadAuthenticationType": "máy chủ không chấp nhận cách đăng nhập này.",
        "PasswordRequiredException": "khóa riêng có mật khẩu; hãy dùng khóa không mật khẩu hoặc ssh-agent.",
        "NoValidConnectionsError": "máy chủ không nhận kết nối (đang tắt, hoặc sai cổng).",
        "NoCredentialsError": "không có tài khoản để đọc kho S3.",
        "EndpointConnectionError": "không kết nối được tới kho S3.",
    }
    if name in by_name:
        return by_name[name]
    if isinstance(error, socket.gaierror):
        return "không tìm thấy máy chủ có tên này."
    if isinstance(error, TimeoutError):
        return "máy chủ trả lời quá chậm."
    if isinstance(error, ConnectionError | EOFError):
        return "kết nối bị ngắt hoặc máy chủ không nhận kết nối."
    if isinstance(error, FileNotFoundError):
        return "không có thư mục này, hoặc không thấy tệp khóa hay known_hosts."
    if isinstance(error, PermissionError):
        return "không có quyền đọc."
    if isinstance(error, ImportError):
        return "thiếu gói đọc loại nguồn này (với S3: cài gói s3fs)."
    if isinstance(error, ValueError):
        return "địa chỉ (THUCCHAT_SOURCE) không hợp lệ."
    return f"không dùng được ({name})."
