"""What of the inbox is still to be read, and the reading of it: in batches, each file a bounded number of times.

Whether a file was read is for the store to say, and what could not be handled for the dead letters. The marks kept
here are a convenience: they save hashing what stands still, and count tries. Losing them loses nothing.
"""

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestration import dead_letters, inbox
from orchestration.inbox import Contents, Entry, Stamp
from orchestration.problems import ProblemError
from orchestration.settings import Folders
from submissions.files.delimited import pack_folder
from submissions.files.source import RefusedError
from submissions.files.taking import check_name, readable_name
from submissions.intake import Claim
from submissions.reading import FileResult, file_bytes, is_misplaced
from submissions.store import Store
from submissions.units import ListError

BATCH = 50
"""Files that are read together; what is done with a batch is done before the next begins."""

ATTEMPTS = 3
"""How often one file may be found unreadable before it becomes a dead letter."""

BREAKS = 10
"""How often a run may end, without a word, while it was reading this file and (from the second time on) no other.
More than `ATTEMPTS`: files are read in processes of their own; a run that is gone was most likely killed from outside.
"""

LOOK_BYTES = 512 * 1024**2
"""What one look of the sensor hashes at most; the rest waits for the next look."""

NOT_THE_FILE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""Errors of the machine: no file is to blame."""


@dataclass
class Mark:
    """What is remembered of an entry."""

    stamps: tuple[Stamp, ...]
    since: float
    content: str | None = None
    """Hash of the content that has these stamps, once it was needed."""
    handled: bool | None = False
    """Whether this name with these stamps has been through intake; None where it was met when nothing was remembered:
    then it has, if the store knows its content."""


class Marks:
    """Marks in an SQLite file, by hashes of names: a unit may write a person's name into the name of a file."""

    def __init__(self, path: Path) -> None:
        """Open the marks, or begin anew where there are none or they are damaged."""
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise
            path.unlink(missing_ok=True)
            self._prepare()

    def _prepare(self) -> None:
        with self._open() as connection:
            connection.execute(
                "create table if not exists looked (root text, name text, stamps text, since real, content text,"
                " handled integer, primary key (root, name)) without rowid"
            )
            connection.execute(
                "create table if not exists tried (content text, context text, failed integer default 0,"
                " broken integer default 0, asked integer default 0, asked_at real default 0,"
                " primary key (content, context)) without rowid"
            )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=30)) as connection, connection:
            yield connection

    def of(self, root: str) -> dict[str, Mark]:
        """The marks of a root by key of name."""
        with self._open() as connection:
            rows = connection.execute("select name, stamps, since, content, handled from looked where root = ?", [root])
            return {name: Mark(_stamps(stamps), *others) for name, stamps, *others in rows}

    def keep(self, root: str, marks: Mapping[str, Mark], gone: Iterable[str] = ()) -> None:
        """Write these marks and forget those that are gone."""
        rows = [(root, name, json.dumps(m.stamps), m.since, m.content, m.handled) for name, m in marks.items()]
        with self._open() as connection:
            connection.executemany("insert or replace into looked values (?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("delete from looked where root = ? and name = ?", [(root, name) for name in gone])

    def tries(self, context: str) -> dict[str, tuple[int, int]]:
        """How often each content failed under a contract, and how often a run broke off over it."""
        with self._open() as connection:
            rows = connection.execute("select content, failed, broken from tried where context = ?", [context])
            return {content: (failed, broken) for content, failed, broken in rows}

    def asks(self, context: str) -> dict[str, tuple[int, float]]:
        """How often a run was asked for because of each content, and when last."""
        with self._open() as connection:
            rows = connection.execute("select content, asked, asked_at from tried where context = ?", [context])
            return {content: (asked, asked_at) for content, asked, asked_at in rows}

    def ask(self, contents: Iterable[str], context: str, at: float) -> None:
        """Note that a run was asked for."""
        with self._open() as connection:
            connection.executemany(
                "insert into tried (content, context, asked, asked_at) values (?, ?, 1, ?)"
                " on conflict do update set asked = asked + 1, asked_at = excluded.asked_at",
                [(content, context, at) for content in contents],
            )

    def begin(self, contents: Iterable[str], context: str) -> None:
        """Note, before they are read, that these contents are being tried: a kill cannot hide who was being read."""
        with self._open() as connection:
            connection.executemany(
                "insert into tried (content, context, broken) values (?, ?, 1)"
                " on conflict do update set broken = broken + 1",
                [(content, context) for content in contents],
            )

    def survived(self, contents: Iterable[str], context: str, failed: int = 0) -> None:
        """Take back what `begin` noted: the run lives on; the contents did, or did not, fail in it."""
        with self._open() as connection:
            connection.executemany(
                "update tried set broken = max(0, broken - 1), failed = failed + ? where content = ? and context = ?",
                [(failed, content, context) for content in contents],
            )

    def end(self, contents: Iterable[str]) -> None:
        """Forget the tries of contents that are handled."""
        with self._open() as connection:
            connection.executemany("delete from tried where content = ?", [(content,) for content in contents])


def _stamps(written: str) -> tuple[Stamp, ...]:
    return tuple((size, changed, inode) for size, changed, inode in json.loads(written))


def key(name: str) -> str:
    """A name as the marks keep it; names need not be valid Unicode."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:24]


@dataclass(frozen=True)
class Sending:
    """An entry that is ready to be read, with the hash of its content."""

    root: Path
    entry: Entry
    content: str
    readable: bool = True


@dataclass
class Survey:
    """One look at a root, against the marks."""

    root: Path
    found: Contents
    ready: list[Entry]
    restless: list[Entry]
    marks: dict[str, Mark] = field(repr=False)
    """By name of entry."""


def roots(folders: Folders) -> list[Path]:
    """Where sendings lie: the inbox, and what was fetched from the second source."""
    return [folders.inbox, folders.spool / "source"]


def survey(root: Path, marks: Marks, *, at: float, patience_seconds: float | None = None) -> Survey:
    """Look into a root and remember the look; with patience, look again until everything stands still."""
    before = marks.of(str(root))
    if patience_seconds is None:
        found = inbox.look_into(root)
        keys = {entry.name: key(entry.name) for entry in found.entries}
        seen = {name: (mark.stamps, mark.since) for name, kept in keys.items() if (mark := before.get(kept))}
        ready, restless = inbox.settled(found.entries, seen, at=at)
    else:
        ready, restless, found = inbox.wait_until_settled(root, patience_seconds=patience_seconds)
        keys = {entry.name: key(entry.name) for entry in found.entries}
    now, changed = {}, {}
    for entry in found.entries:
        mark = before.get(keys[entry.name])
        if mark is None or mark.stamps != entry.stamps:
            mark = changed[keys[entry.name]] = Mark(entry.stamps, at, handled=False if before else None)
        now[entry.name] = mark
    gone = before.keys() - keys.values()
    if changed or gone:
        marks.keep(str(root), changed, gone)
    return Survey(root, found, ready, restless, now)


def sendings(
    seen: Survey,
    marks: Marks,
    known: Callable[[str], bool],
    *,
    again: Container[str] = (),
    limit_bytes: float = float("inf"),
) -> tuple[list[Sending], list[Entry]]:
    """Entries that are ready, whole and have not been through intake, with their hashes; and those left for later.

    Contents that are to be read `again` come even if they have been through it.
    """
    fresh = [
        entry
        for entry in seen.ready
        if not (mark := seen.marks[entry.name]).handled or (mark.content and mark.content in again)
    ]
    writing = inbox.being_written(seen.root, [entry for entry in fresh if seen.marks[entry.name].content is None])
    found, later, changed, hashed = [], [], {}, 0
    for entry in fresh:
        mark, name = seen.marks[entry.name], key(entry.name)
        readable = True
        if mark.content is None:
            if entry.name in writing or hashed >= limit_bytes:
                later.append(entry)
                continue
            hashed += sum(stamp[0] for stamp in entry.stamps)
            try:
                content = read(seen.root, entry)
            except ChangedError:
                later.append(entry)
                continue
            except (OSError, RefusedError):
                readable, content = False, repr((name, entry.stamps)).encode()
            mark.content = hashlib.sha256(content).hexdigest()
            if readable:
                changed[name] = mark
        if mark.handled is None and known(mark.content, entry.unit_code) and mark.content not in again:
            mark.handled = True
            changed[name] = mark
            continue
        found.append(Sending(seen.root, entry, mark.content, readable))
    if changed:
        marks.keep(str(seen.root), changed)
    return found, later


class ChangedError(Exception):
    """A file is no longer what was looked at."""


def read(root: Path, entry: Entry) -> bytes:
    """The bytes of an entry as intake takes them: a file's own, a folder's CSV files as one zip.

    Raises `ChangedError` where it is not what was looked at, `OSError` where it cannot be read.
    """
    _compare(root, entry)
    content = pack_folder([root / name for name in entry.files]) if entry.members else file_bytes(root / entry.name)
    _compare(root, entry)
    return content


def _compare(root: Path, entry: Entry) -> None:
    for name, stamp in zip(entry.files, entry.stamps, strict=True):
        try:
            state = (root / name).lstat()
        except FileNotFoundError as error:
            raise ChangedError from error
        if not stat.S_ISREG(state.st_mode) or (state.st_size, state.st_mtime_ns, state.st_ino) != stamp:
            raise ChangedError


@contextmanager
def claims(batch: Sequence[Sending], folders: Folders) -> Iterator[dict[Path, Sending]]:
    """The batch as paths that intake can take: folders as zips, and files with unspeakable names, lie in the spool.

    For the holder of the build lock: what a killed run left in the spool is removed.
    """
    spool = folders.spool / "folders"
    placed: dict[Path, Sending] = {}
    try:
        _remove(spool)
        for sending in batch:
            path = sending.root / sending.entry.name
            if sending.entry.members or not _is_sound(path.name):
                try:
                    content = read(sending.root, sending.entry)
                except (ChangedError, OSError, RefusedError):
                    continue  # the next look will tell
                place = spool / key(str(path))  # not by content: two units may send the same
                place.mkdir(parents=True, exist_ok=True, mode=0o700)
                name = "".join(letter if _is_sound(letter) else "\ufffd" for letter in readable_name(path))
                path = place / (f"{name}.zip" if sending.entry.members else name)
                path.write_bytes(content)
            placed[path] = sending
        yield placed
    finally:
        _remove(spool)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _is_sound(name: str) -> bool:
    """Whether intake takes a file of this name: the system allows any bytes, also such as turn the text around."""
    try:
        check_name(f"a{name}a")
    except RefusedError:
        return False
    return True


def batches(waiting: Sequence[Sending], broken: Mapping[str, int], largest: int = BATCH) -> Iterator[list[Sending]]:
    """First, in batches of `largest`, what no run broke off over; then one by one what was being read when one did."""
    whole = [sending for sending in waiting if not broken.get(sending.content)]
    for start in range(0, len(whole), largest):
        yield whole[start : start + largest]
    for sending in sorted(waiting, key=lambda sending: broken.get(sending.content, 0)):
        if broken.get(sending.content):
            yield [sending]


TRIED_IN_VAIN = (
    f"Đã thử đọc {BREAKS} lần nhưng lần nào chương trình cũng bị ngắt giữa chừng. Hãy lưu lại tệp bằng Excel hoặc "
    "LibreOffice rồi gửi lại; nếu vẫn vậy, báo cho kỹ sư dữ liệu."
)

Take = Callable[[list[Claim]], Iterable[FileResult]]


def work_off(
    waiting: Sequence[Sending],
    take: Take,
    *,
    folders: Folders,
    marks: Marks,
    letters: dead_letters.DeadLetters,
    context: str,
    largest: int = BATCH,
    is_over: Callable[[], bool] = lambda: False,
) -> Iterator[list[FileResult]]:
    """Have every sending taken in, batch by batch; yields each batch's results when it is done.

    What failed `ATTEMPTS` times, or broke `BREAKS` runs off, becomes a dead letter instead. `is_over` may end the work
    between batches.
    """
    dead = letters.ids(context)
    waiting = [sending for sending in waiting if sending.content[:32] not in dead]
    tries = marks.tries(context)
    broken = {content: breaks for content, (_, breaks) in tries.items()}
    for sending in waiting:
        if broken.get(sending.content, 0) >= BREAKS:
            letters.put("TRIED_IN_VAIN", TRIED_IN_VAIN, sending=sending, context=context)
            marks.end([sending.content])
    waiting = [sending for sending in waiting if broken.get(sending.content, 0) < BREAKS]
    for batch in batches(waiting, broken, largest):
        if is_over():
            return
        with claims(batch, folders) as placed:
            contents = {sending.content for sending in placed.values()}
            marks.begin(contents, context)
            try:
                results = list(take([Claim(path, sending.entry.unit_code) for path, sending in placed.items()]))
            except (ListError, ProblemError):
                marks.survived(contents, context)
                raise
            except OSError as error:
                if error.errno in NOT_THE_FILE:
                    marks.survived(contents, context)
                raise
            failed = {placed[one.path]: one.message for one in results if one.state == "failed" and one.path in placed}
            marks.survived({sending.content for sending in failed}, context, failed=1)
            for sending, message in failed.items():
                if tries.get(sending.content, (0, 0))[0] + 1 >= ATTEMPTS:
                    letters.put("READ_FAILED", message, sending=sending, context=context)
                    marks.end([sending.content])
            done = {placed[one.path] for one in results if one.path in placed} - failed.keys()
            _handled(marks, done)
        yield results


def _handled(marks: Marks, done: Iterable[Sending]) -> None:
    by_root: dict[Path, dict[str, Mark]] = {}
    for sending in done:
        mark = Mark(sending.entry.stamps, 0.0, sending.content, handled=True)
        by_root.setdefault(sending.root, {})[key(sending.entry.name)] = mark
    for root, found in by_root.items():
        marks.keep(str(root), found)
        marks.end(mark.content for mark in found.values())


def known_to(store: Store) -> Callable[[str, str | None], bool]:
    """Whether the store has read a content for good, given the unit in whose inbox it lies; answered from one listing.

    What was refused for lying in another unit's inbox is read again in this one.
    """
    received = store.received()

    def known(content: str, unit_code: str | None = None) -> bool:
        return content in received and not is_misplaced(store.submission(content), unit_code)

    return known


def again(store: Store, context: str) -> set[str]:
    """Contents that could not be read under another contract: now they may be."""
    read = store.submissions_of(store.received())
    return set(read.loc[(read["state"] == "refused") & (read["reading_context"] != context), "source_hash"])


def present(folders: Folders, marks: Marks) -> set[str]:
    """Hashes of the contents that lie in the inbox."""
    return {mark.content for mark in marks.of(str(folders.inbox)).values() if mark.content}


def clear_spool(folders: Folders, marks: Marks) -> None:
    """Remove from the spool what intake has dealt with: the store has its bytes now, and the source its own."""
    root = folders.spool / "source"
    kept = marks.of(str(root))
    for entry in inbox.look_into(root).entries:
        mark = kept.get(key(entry.name))
        if mark and mark.handled and mark.stamps == entry.stamps:
            for name in entry.files:
                (root / name).unlink()
            if entry.members:
                (root / entry.name).rmdir()
