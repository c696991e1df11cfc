"""The register's log: events that are only ever added, each chained to the one before by its hash."""

import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    import pandas as pd

KINDS = frozenset(
    {
        "received",
        "refused",
        "held",
        "accepted",
        "confirmed",
        "duplicate",
        "extended",
        "locked",
        "unlocked",
        "explained",
        "waived",
        "waiver_ended",
        "heading_adopted",
        "returned",
        "dead_letter",
        "published",
        "changes_accepted",
        "rolled_back",
        "restated",
        "same_person",
        "not_same_person",
        "same_person_undone",
        "field_check_drawn",
    }
)
OF_A_FILE = frozenset({"received", "refused", "held", "accepted", "confirmed", "duplicate"})
"""Kinds that tell of one file, which `source_hash` names."""
OF_A_YEAR = frozenset({"extended", "locked", "unlocked", "explained", "waived", "waiver_ended"})
"""Kinds that are about a year, of a unit or of all."""
OF_A_BUILD = frozenset({"published", "changes_accepted", "rolled_back", "restated"})
"""Kinds that tell of what readers were given; they change nothing in any build."""
OF_MEMBERS = frozenset({"same_person", "not_same_person", "same_person_undone"})
"""Kinds that say of two keys of members whether they are one person; no unit is told."""
YEARS = range(1900, 2200)
"""Years that an event can be about."""
REVISION = "0001"
"""The newest migration: compared on every open, so that alembic is imported only where there is something to do."""
VERSION_TABLE = "register_version"
"""Not alembic's own name: the database may be shared with Dagster, which keeps its version under that one."""
START = "0" * 64
"""What the first event is chained to."""

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x7468_7563_6368_6174  # "thucchat" in ASCII
_BUSY_SECONDS = 60
_CONNECT_SECONDS = 10
_NEEDED = {
    "extended": {"until"},
    "explained": {"issue_id", "numbers", "code", "text"},
    "waived": {"rule", "until", "approver", "reason"},
    "waiver_ended": {"rule"},
    "published": {"build", "base", "by"},
    "changes_accepted": {"build", "base", "unexplained", "diff", "by", "reason"},
    "rolled_back": {"build", "base", "by", "reason"},
    "restated": {"build", "base", "table", "figure", "column", "from", "to", "cause", "by"},
    **{kind: {"key_a", "key_b", "by", "reason"} for kind in OF_MEMBERS},
    "field_check_drawn": {"draw_id", "seed", "organisations", "members", "by"},
}
_CHAINED = ("seq", "at", "kind", "key", "unit_code", "year", "source_hash")
GUARDS = {
    "sqlite": ("register_events_no_update", "register_events_no_delete", "register_events_no_replace"),
    "postgresql": ("register_events_append_only", "register_events_no_truncate"),
}

_EVENTS = sa.Table(
    "register_events",
    sa.MetaData(),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("unit_code", sa.Text),
    sa.Column("year", sa.Integer),
    sa.Column("source_hash", sa.Text),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)


class RegisterError(RuntimeError):
    """The register cannot be used as asked; the message is Vietnamese and never holds a password."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a sending, a unit or a year."""

    kind: str
    key: str
    """Names the event once and for all: what has this key already is not appended again."""
    unit_code: str | None = None
    year: int | None = None
    source_hash: str | None = None
    body: dict[str, object] = field(default_factory=dict)
    """JSON; no names of persons and no card numbers, but for file names and the text of explanations."""
    at: datetime | None = None
    """With a time zone; the time of appending where None."""


class Recorded(NamedTuple):
    """An event as the log holds it, with its place in the chain."""

    seq: int
    at: datetime
    kind: str
    key: str
    unit_code: str | None
    year: int | None
    source_hash: str | None
    body: dict[str, object]
    hash: str


@dataclass(frozen=True)
class Anchor:
    """How long the log was and its last hash. Kept elsewhere, it shows that the tail was cut or all was rewritten."""

    count: int
    hash: str

    def __str__(self) -> str:
        return f"{self.count}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The anchor that `str` wrote; raises `RegisterError` where the text is none."""
        count, _, told = text.strip().partition(":")
        if not count.isdigit() or len(told) != len(START):
            raise RegisterError("Điểm neo của sổ đăng ký phải có dạng “số sự kiện:mã băm 64 ký tự”.")
        return cls(int(count), told)


@dataclass(frozen=True)
class Verification:
    """What `Register.verify` found: `fault` is None where the chain is whole."""

    count: int
    fault: str | None = None
    seq: int | None = None
    """The first event that is missing or does not fit."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found."""
        return self.fault is None


class Register:
    """The log of events, in SQLite or PostgreSQL. Safe to share between threads; processes open their own."""

    def __init__(
        self, engine: Engine, place: str, secrets: tuple[str, ...] = (), until: datetime | None = None
    ) -> None:
        """Use `open`."""
        self._engine = engine
        self._place = place
        self._secrets = secrets
        self._until = until

    @classmethod
    def open(cls, url_or_path: str | Path) -> Self:
        """The register at a path (SQLite) or URL (`postgresql://…`, `sqlite:///…`), made or brought up to date.

        Raises `RegisterError` where it cannot be reached, is newer than the program, or is no register.
        """
        url = _url(url_or_path)
        if url.get_backend_name() == "sqlite":
            path = Path(url.database).absolute()
            register = cls(_sqlite(path), str(path))
        else:
            place = f"{url.host or 'máy này'}{f':{url.port}' if url.port else ''}/{url.database or ''}"
            secrets = tuple(str(part) for part in (url.password, url.query.get("password")) if part)
            engine = sa.create_engine(
                url,
                # Nothing is shared with forked processes, and a restarted server is met afresh.
                poolclass=NullPool,
                hide_parameters=True,
                # Whatever the server's default: who waited for the lock must see what was appended meanwhile.
                isolation_level="READ COMMITTED",
                connect_args={} if "connect_timeout" in url.query else {"connect_timeout": _CONNECT_SECONDS},
            )
            register = cls(engine, f"PostgreSQL {place}", secrets)
        register._migrate()
        return register

    @classmethod
    def scratch(cls, path: Path) -> Self:
        """An empty register at a path that is thrown away: without the guards and migrations of one that is kept."""
        register = cls(_sqlite(path.absolute()), str(path))
        with register._transaction(write=True) as connection:
            _EVENTS.metadata.create_all(connection)
        return register

    def as_known(self, until: datetime) -> Self:
        """The register as it stood at a moment (which counts): to be read only."""
        return type(self)(self._engine, self._place, self._secrets, until)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def append(self, events: Iterable[Event]) -> list[Event]:
        """Add events in one transaction, all or none; those whose key is there already are left out.

        Returns what was added, with its time. Other writers wait meanwhile.
        """
        now = datetime.now(UTC)
        if self._until is not None:
            raise ValueError("The register as it stood cannot be added to.")
        drawn = {row["key"]: (row, event) for event in reversed(list(events)) for row in [_row(event, now)]}
        if not drawn:
            return []
        with self._transaction(write=True) as connection:
            last = connection.execute(
                sa.select(_EVENTS.c.seq, _EVENTS.c.hash).order_by(_EVENTS.c.seq.desc()).limit(1)
            ).one_or_none()
            seq, previous = last or (0, START)
            known = _known(connection, list(drawn))
            rows, added = [], []
            for key, (row, event) in reversed(drawn.items()):
                if key in known:
                    continue
                seq += 1
                previous = _hash(previous, row | {"seq": seq})
                rows.append(row | {"seq": seq, "hash": previous})
                added.append(replace(event, at=_time(row["at"])))
            if rows:
                connection.execute(sa.insert(_EVENTS), rows)
        return added

    def read(
        self, kinds: Sequence[str] | None = None, unit_code: str | None = None, year: int | None = None
    ) -> list[Recorded]:
        """The events in the order of the log, all or of some kinds, a unit, a year."""
        wanted = sa.select(_EVENTS).order_by(_EVENTS.c.seq)
        if kinds is not None:
            wanted = wanted.where(_EVENTS.c.kind.in_(sorted(kinds)))
        if unit_code is not None:
            wanted = wanted.where(_EVENTS.c.unit_code == unit_code)
        if year is not None:
            wanted = wanted.where(_EVENTS.c.year == int(year))
        if self._until is not None:
            wanted = wanted.where(_EVENTS.c.at <= _moment(self._until))
        with self._transaction() as connection:
            rows = connection.execute(wanted).all()
        try:
            return [
                Recorded(seq, _time(at), kind, key, unit, of_year, source_hash, json.loads(body), chained)
                for seq, at, kind, key, unit, of_year, source_hash, body, chained in rows
            ]
        except ValueError as error:
            raise RegisterError(
                f"{self._place}: nội dung một sự kiện đã hỏng; hãy chạy kiểm tra chuỗi băm của sổ đăng ký."
            ) from error

    def events(
        self, kinds: Sequence[str] | None = None, unit_code: str | None = None, year: int | None = None
    ) -> "pd.DataFrame":
        """As `read`, as a frame: seq, at (UTC), kind, key, unit_code, year (Int64), source_hash, body (dict), hash."""
        import pandas as pd

        records = self.read(kinds, unit_code, year)
        frame = pd.DataFrame(records, columns=list(Recorded._fields))
        return frame.astype({"seq": "int64", "year": "Int64", "at": "datetime64[us, UTC]"})

    def anchor(self) -> Anchor:
        """The number of events and the last hash, to be kept outside the database (see `verify`)."""
        with self._transaction() as connection:
            return _anchor(connection)

    def verify(self, anchor: Anchor | None = None) -> Verification:
        """Go through the whole chain; the first fault is named by the number of its event.

        Without an `anchor` from outside, a tail that was cut off or a log rewritten from some event on cannot be told.
        """
        previous, count, fault = START, 0, None
        with self._transaction() as connection:
            missing = _missing_guards(connection)
            rows = connection.execution_options(yield_per=5000).execute(sa.select(_EVENTS).order_by(_EVENTS.c.seq))
            for row in rows.mappings():
                if row["seq"] != count + 1:
                    fault = f"Thiếu sự kiện số {count + 1}: sau số {count} là số {row['seq']}."
                elif row["hash"] != (previous := _hash(previous, row)):
                    fault = f"Sự kiện số {row['seq']} (“{row['kind']}”) không khớp mã băm: đã bị sửa hoặc chèn."
                elif anchor is not None and row["seq"] == anchor.count and previous != anchor.hash:
                    fault = f"Sự kiện số {row['seq']} khác với điểm neo: sổ đã được viết lại."
                if fault:
                    return Verification(count, fault, count + 1)
                count += 1
        if anchor is not None and count < anchor.count:
            return Verification(
                count, f"Sổ có {count} sự kiện, điểm neo ghi {anchor.count}: phần cuối đã bị cắt.", count + 1
            )
        if missing:
            return Verification(count, f"Thiếu khóa chống sửa của cơ sở dữ liệu: {', '.join(missing)}.")
        return Verification(count)

    def _migrate(self) -> None:
        with self._transaction() as connection:
            version = _version(connection)
        if version == REVISION:
            return
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with self._transaction(write=True) as connection:
            # Another process may have come first: what counts is read under the lock.
            version = _version(connection)
            if version == REVISION:
                return
            known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
            if version is not None and version not in known:
                raise RegisterError(
                    f"{self._place}: sổ đăng ký ở phiên bản “{version}”, mới hơn chương trình này (“{REVISION}”). "
                    "Hãy nâng cấp chương trình; sổ không bị thay đổi."
                )
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def _transaction(self, *, write: bool = False) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(write=write) as connection, connection.begin():
                if write and connection.dialect.name == "postgresql":
                    connection.execute(sa.text("SET LOCAL synchronous_commit = on"))
                    connection.execute(sa.text(f"SET LOCAL lock_timeout = '{_BUSY_SECONDS}s'"))
                    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
                yield connection
        except SQLAlchemyError as error:
            # "from None": what SQLAlchemy chains may show the URL with its password.
            raise RegisterError(self._told(error)) from None

    def _told(self, error: SQLAlchemyError) -> str:
        original = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        reason = " ".join(original.split())
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        if "locked" in reason or "busy" in reason or "lock timeout" in reason:
            advice = "Sổ đăng ký đang bận quá lâu vì chương trình khác; hãy thử lại."
        elif "malformed" in reason or "not a database" in reason or "corrupted" in reason:
            advice = "Sổ đăng ký đã hỏng hoặc không phải là sổ đăng ký; không xóa, hãy phục hồi từ bản sao lưu."
        elif "append-only" in reason:
            advice = "Sổ đăng ký chỉ được ghi thêm, không được sửa hay xóa."
        elif "full" in reason or "No space" in reason:
            advice = "Hết chỗ trên đĩa; hãy dọn chỗ rồi chạy lại, chưa có gì bị mất."
        elif "readonly" in reason or "permission denied" in reason or "no schema has been selected" in reason:
            advice = "Không có quyền ghi vào sổ đăng ký."
        elif "no such table" in reason or "no such column" in reason or "does not exist" in reason:
            advice = "Không tìm thấy cơ sở dữ liệu hoặc sổ đăng ký thiếu bảng; hãy kiểm tra địa chỉ và bản sao lưu."
        else:
            advice = "Không mở được sổ đăng ký; hãy kiểm tra địa chỉ, máy chủ, tên và mật khẩu (THUCCHAT_REGISTER)."
        return f"{self._place}: {advice} ({reason})"


def _url(url_or_path: str | Path) -> URL:
    text = str(url_or_path)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    if text.count("@") > 1:
        # Read as it stands, part of the password would be taken for the host and shown.
        raise RegisterError(
            "Địa chỉ sổ đăng ký (THUCCHAT_REGISTER) có hơn một dấu @: ký tự đặc biệt trong mật khẩu phải viết "
            "dạng phần trăm, ví dụ @ thành %40, / thành %2F, : thành %3A."
        )
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise RegisterError(
            "Địa chỉ sổ đăng ký (THUCCHAT_REGISTER) không đúng; cần dạng postgresql://tên:mật_khẩu@máy:cổng/cơ_sở, "
            "trong mật khẩu ký tự đặc biệt viết dạng phần trăm."
        ) from None
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg2")
    if url.drivername == "postgresql+psycopg2" or (url.drivername == "sqlite" and url.database):
        return url
    raise RegisterError(
        f"Sổ đăng ký không dùng được cơ sở dữ liệu “{url.drivername}”; cần đường dẫn tệp SQLite hoặc postgresql://…"
    )


def _sqlite(path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made before SQLite makes it: its files beside (-wal, -shm) take their mode from this one.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise RegisterError(f"{path}: không mở được sổ đăng ký ({error.strerror}).") from error
    engine = sa.create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        connect_args={"timeout": _BUSY_SECONDS, "isolation_level": None, "check_same_thread": False},
    )

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: object, _: object) -> None:
        cursor = connection.cursor()
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _use_wal(cursor)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # The driver's own BEGIN comes late and deferred; a writer must wait before it reads the last hash.
        writes = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _use_wal(cursor: object) -> None:
    """Change to WAL; SQLite does not wait by itself when two connections change at once."""
    import sqlite3

    until = time.monotonic() + _BUSY_SECONDS
    while True:
        with suppress(sqlite3.OperationalError):
            if cursor.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
        if time.monotonic() > until:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        time.sleep(0.01)


def _version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(sa.select(sa.column("version_num")).select_from(sa.table(VERSION_TABLE))).scalar()


def _missing_guards(connection: Connection) -> list[str]:
    dialect = connection.dialect.name
    wanted = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'register_events'",
        # "A": fires always, also for replicas.
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'register_events'::regclass AND tgenabled = 'A'",
    }[dialect]
    found = set(connection.execute(sa.text(wanted)).scalars())
    return [name for name in GUARDS[dialect] if name not in found]


def _anchor(connection: Connection) -> Anchor:
    last = connection.execute(
        sa.select(_EVENTS.c.seq, _EVENTS.c.hash).order_by(_EVENTS.c.seq.desc()).limit(1)
    ).one_or_none()
    return Anchor(*last) if last else Anchor(0, START)


def _known(connection: Connection, keys: list[str]) -> set[str]:
    known: set[str] = set()
    for start in range(0, len(keys), 1000):
        wanted = sa.select(_EVENTS.c.key).where(_EVENTS.c.key.in_(keys[start : start + 1000]))
        known.update(connection.execute(wanted).scalars())
    return known


def _row(event: Event, now: datetime) -> dict[str, object]:
    if event.kind not in KINDS:
        raise ValueError(f"Unknown kind of event {event.kind!r}; known are {sorted(KINDS)}.")
    # What is wrong here would be wrong for ever: nothing can be taken back.
    if not event.key:
        raise ValueError(f"An event {event.kind!r} without a key.")
    if event.kind in OF_A_FILE and not event.source_hash:
        raise ValueError(f"The event {event.key!r} does not say of which file it is.")
    if event.year not in YEARS and (event.year is not None or event.kind in OF_A_YEAR):
        raise ValueError(f"The event {event.key!r} is about the year {event.year}.")
    if missing := _NEEDED.get(event.kind, set()) - event.body.keys():
        raise ValueError(f"The body of event {event.key!r} lacks {sorted(missing)}.")
    if "until" in event.body:
        date.fromisoformat(str(event.body["until"]))
    at = event.at or now
    if at.tzinfo is None:
        raise ValueError(f"The time of event {event.key!r} has no time zone.")
    return {
        "at": _moment(at),
        "kind": event.kind,
        "key": _storable(event.key),
        "unit_code": _storable(event.unit_code),
        "year": None if event.year is None else int(event.year),
        "source_hash": _storable(event.source_hash),
        "body": _json(event.body),
    }


def _storable(text: str | None) -> str | None:
    """Text as both databases take it: a NUL or half a surrogate out of a hostile file becomes a mark."""
    return text and text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _json(value: object) -> str:
    """Canonical JSON in ASCII: a value has one text, whatever the database's encoding."""
    text = _dump(value)
    if "\\ud" not in text:
        return text
    # Half a surrogate, out of a hostile file, becomes a mark; whole pairs stay.
    readable = json.dumps(json.loads(text), ensure_ascii=False)
    return _dump(json.loads(readable.encode("utf-8", "replace")))


def _dump(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, date):
        return value.isoformat()
    if hasattr(value, "item"):  # a number of numpy
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot stand in an event's body")


def _hash(previous: str, row: sa.RowMapping | dict[str, object]) -> str:
    """SHA-256 over the previous hash and the event's canonical JSON; the body goes in as the text that is stored."""
    chained = ",".join([*(f'"{name}":{_json(row[name])}' for name in _CHAINED), f'"body":{row["body"]}'])
    return hashlib.sha256(f"{previous}{{{chained}}}".encode()).hexdigest()


def _moment(at: datetime) -> str:
    """A moment as the log has it: texts are in the order of time."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
