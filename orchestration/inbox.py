"""What lies in the inbox: which of it is a sending, which of it is finished, and which must not be opened."""

import errno
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from submissions.intake import Claim, find_files

QUIET_SECONDS = 10.0
"""A file that has not changed for so long, between two looks, is taken to be whole."""

UNFINISHED_SUFFIXES = (
    ".part",
    ".partial",
    ".crdownload",
    ".download",
    ".tmp",
    ".temp",
    ".filepart",
    ".swp",
    ".opdownload",
    ".aria2",
)
"""Ends of names that browsers, copying programs and editors give to what they have not finished."""

DEEPEST = 16
"""Folders in folders; deeper nesting is nobody's habit, and could be made to exhaust whoever follows it."""

LITTER = frozenset({"thumbs.db", "desktop.ini"})
"""What Windows leaves in folders by itself."""

UNIT_FOLDER = re.compile(r"\d{2}\.\d{3}")
"""A folder of such a name at the top of the inbox is that of the unit with this code (`forms.md`: ``67.uuu``)."""

Stamp = tuple[int, int, int]
"""Size, time of last change (ns) and inode of a file; another file system puts its own mark in the inode's place."""

Look = tuple[tuple[Stamp, ...], float]
"""Stamps of an entry, and since when they have been so (seconds)."""


@dataclass(frozen=True)
class Entry:
    """One sending: a file, or a folder that holds CSV files only, one a form."""

    name: str
    """Path in the inbox, with ``/``."""
    stamps: tuple[Stamp, ...]
    members: tuple[str, ...] = ()
    """Names of the files of a folder; empty for a single file."""

    @property
    def unit_code(self) -> str | None:
        """The unit whose folder it lies in, or is."""
        return unit_of(self.name, is_folder=bool(self.members))

    @property
    def files(self) -> tuple[str, ...]:
        """Paths in the inbox of all its files."""
        return tuple(f"{self.name}/{member}" for member in self.members) or (self.name,)

    @property
    def changed(self) -> float:
        """When the last of its files changed, in seconds."""
        return max(stamp[1] for stamp in self.stamps) / 1e9


@dataclass(frozen=True)
class Odd:
    """Something that is no file: never followed, never opened."""

    name: str
    code: str
    stamp: Stamp

    @property
    def unit_code(self) -> str | None:
        """The unit whose folder it lies in."""
        return unit_of(self.name)


@dataclass(frozen=True)
class Contents:
    """What one look found."""

    entries: tuple[Entry, ...]
    odd: tuple[Odd, ...]
    unfinished: int
    """Files whose names say that they are not whole yet."""


def unit_of(name: str, *, is_folder: bool = False) -> str | None:
    """The unit whose folder something lies in, or is, by its path in the inbox."""
    first, *others = PurePosixPath(name).parts
    return first if (others or is_folder) and UNIT_FOLDER.fullmatch(first) else None


def claims(paths: Iterable[Path], inbox: Path) -> tuple[list[Claim], list[Path]]:
    """(sendings, other files) among files and in folders; a sending that lies in the inbox of a unit is claimed so."""
    files, ignored = find_files(paths)
    roots = {inbox, inbox.resolve()}
    found = []
    for file in files:
        # The folder's true place, but the file itself as it is named: a link is not followed.
        place = Path(os.path.abspath(file))
        place = place.parent.resolve() / place.name
        names = [place.relative_to(root).as_posix() for root in roots if place != root and place.is_relative_to(root)]
        found.append(Claim(file, unit_of(names[0], is_folder=file.is_dir()) if names else None))
    return found, ignored


def is_passed_over(name: str) -> bool:
    """Whether a name is that of a hidden file, of a lock of an office program, or of a system's own file."""
    return name.startswith((".", "~$")) or name.lower() in LITTER


def is_unfinished(name: str) -> bool:
    """Whether a name says that its file is not whole yet."""
    return name.lower().endswith(UNFINISHED_SUFFIXES)


def look_into(inbox: Path) -> Contents:
    """Everything in the inbox and its folders; what vanishes meanwhile is not there."""
    files: dict[str, Stamp] = {}
    odd: list[Odd] = []
    for item, name in _walk(inbox, "") if inbox.exists() else ():
        try:
            state = item.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        stamp = (state.st_size, state.st_mtime_ns, state.st_ino)
        if stat.S_ISREG(state.st_mode):
            files[name] = stamp
        elif stat.S_ISDIR(state.st_mode):
            odd.append(Odd(name, "TOO_DEEP" if name.count("/") >= DEEPEST else "CLOSED_FOLDER", stamp))
        else:
            odd.append(Odd(name, "SYMLINK" if stat.S_ISLNK(state.st_mode) else "SPECIAL_FILE", stamp))
    return arrange(files, odd)


def _walk(folder: Path, prefix: str) -> Iterator[tuple[os.DirEntry, str]]:
    """Everything that is no folder, and the folders into which we may or will not look."""
    with os.scandir(folder) as found:
        items = sorted(found, key=lambda item: item.name)
    for item in items:
        if is_passed_over(item.name):
            continue
        if not item.is_dir(follow_symlinks=False) or prefix.count("/") >= DEEPEST:
            yield item, f"{prefix}{item.name}"
            continue
        try:
            yield from _walk(Path(item.path), f"{prefix}{item.name}/")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            yield item, f"{prefix}{item.name}"


def arrange(files: Mapping[str, Stamp], odd: Iterable[Odd] = ()) -> Contents:
    """Put files, by their paths, together to sendings: a folder of nothing but CSV files is one, any other file is one.

    A folder in which a file is not whole yet is not whole either.
    """
    folders: dict[str, list[str]] = {}
    for name in files:
        folders.setdefault(name.rpartition("/")[0] or ".", []).append(name)
    above = {str(parent) for folder in folders for parent in PurePosixPath(folder).parents}
    entries, unfinished = [], 0
    for folder, names in sorted(folders.items()):
        whole = [name for name in names if not is_unfinished(name)]
        unfinished += len(names) - len(whole)
        if folder != "." and folder not in above and whole and all(name.lower().endswith(".csv") for name in whole):
            if len(whole) == len(names):
                members = tuple(sorted(name.rpartition("/")[2] for name in whole))
                entries.append(Entry(folder, tuple(files[f"{folder}/{member}"] for member in members), members))
        else:
            entries += [Entry(name, (files[name],)) for name in sorted(whole)]
    return Contents(tuple(entries), tuple(odd), unfinished)


def being_written(root: Path, entries: Iterable[Entry]) -> set[str]:
    """Names of the entries of which some process of this machine has a file open for writing.

    Two questions are asked. The kernel refuses a read lease on a file that anybody has open for writing; it answers
    for files of our own user only (or to root), on local file systems. Then the open files of every process that we
    may look at are compared by device and inode. A writer on another machine (NFS, SMB) or of another user, when we
    are not root, is seen by neither: that its stamps stand still is all there is to tell then.
    """
    entries = list(entries)
    writing = _inodes_open_for_writing() if entries else set()
    found = set()
    for entry in entries:
        for name in entry.files:
            path = root / name
            try:
                state = path.lstat()
            except FileNotFoundError:
                found.add(entry.name)  # gone or renamed: the next look will tell
                continue
            if (state.st_dev, state.st_ino) in writing or _lease_is_refused(path):
                found.add(entry.name)
    return found


def _lease_is_refused(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False  # no right to read, or a link by now: whoever reads it will say so
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return False
    except OSError as error:
        return error.errno in (errno.EAGAIN, errno.EBUSY)  # EACCES, EINVAL: the kernel does not answer here
    finally:
        os.close(descriptor)


def _inodes_open_for_writing() -> set[tuple[int, int]]:
    """Device and inode of every regular file that a process we may look at has open for writing."""
    found = set()
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            descriptors = os.listdir(process / "fd")
        except OSError:  # ended, or another user's
            continue
        for descriptor in descriptors:
            try:
                with (process / "fdinfo" / descriptor).open() as info:
                    flags = next(int(line.split()[1], 8) for line in info if line.startswith("flags:"))
                if flags & os.O_ACCMODE == os.O_RDONLY:
                    continue
                state = (process / "fd" / descriptor).stat()
            except (OSError, StopIteration):  # closed meanwhile
                continue
            if stat.S_ISREG(state.st_mode):
                found.add((state.st_dev, state.st_ino))
    return found


def settled(now: Iterable[Entry], before: Mapping[str, Look], *, at: float) -> tuple[list[Entry], list[Entry]]:
    """Entries that have stopped changing, and those that have not.

    `before` gives the stamps of the last look and since when they have been so. An entry is settled when it looks
    the same and is `QUIET_SECONDS` old: by its own time, or, since a clock may be wrong or a time copied, by ours.
    """
    ready, restless = [], []
    for entry in now:
        stamps, since = before.get(entry.name, ((), at))
        quiet = at - entry.changed >= QUIET_SECONDS or at - since >= QUIET_SECONDS
        (ready if stamps == entry.stamps and quiet else restless).append(entry)
    return ready, restless


def wait_until_settled(inbox: Path, *, patience_seconds: float = 60.0) -> tuple[list[Entry], list[Entry], Contents]:
    """Look until everything has stopped changing or patience ends: what is ready, what is not, and the last look."""
    until = time.monotonic() + patience_seconds
    before = remembered(look_into(inbox).entries, {}, time.time())
    while True:
        found, at = look_into(inbox), time.time()
        ready, restless = settled(found.entries, before, at=at)
        if not restless or time.monotonic() >= until:
            return ready, restless, found
        before = remembered(found.entries, before, at)
        time.sleep(0.5)


def remembered(entries: Iterable[Entry], before: Mapping[str, Look], at: float) -> dict[str, Look]:
    """What to remember of a look: the stamps of each entry, and since when they have been so."""
    return {
        entry.name: last if (last := before.get(entry.name)) and last[0] == entry.stamps else (entry.stamps, at)
        for entry in entries
    }
