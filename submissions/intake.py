"""Intake: files in, store and register out. Each file once, on all cores; one bad file does not stop the others."""

import math
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from submissions.fieldchecks import known_draws
from submissions.files.limited import SECONDS, die_with_parent, limit_this_process, why_it_died
from submissions.files.source import RefusedError
from submissions.form_set import form_sets_of
from submissions.lists import read_lists
from submissions.processes import may_fork
from submissions.pseudonyms import load_secret
from submissions.reading import (
    FileResult,
    OutOfTimeError,
    Task,
    is_misplaced,
    read_bytes,
    read_guarded,
    refuse_unread,
    untaken,
)
from submissions.store import (
    CAP_EXCEPTIONS,
    SUCCESSIONS,
    UNITS,
    Store,
    frame_table,
    hash_bytes,
    reading_context,
    write_table,
)

if TYPE_CHECKING:
    from submissions.register.log import Register
    from submissions.settling import Settled

SUFFIXES = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".zip"}
"""In a folder only these are taken for sendings, and folders that hold nothing but CSV; a file that is named itself is
always tried."""

UNFINISHED = {".tmp", ".part", ".partial", ".crdownload", ".download", ".filepart", ".swp"}
"""What programs call a file that they are still writing."""

MEMORY = 700 * 1024**2
"""Bytes that one file may take beyond what a reader holds; a unit's workbook takes a tenth."""
GRACE_SECONDS = 0.5
"""Processor time after which a reader that does not hear that its time is over is killed, up to a second later: the
system counts whole ones. One that does hear has it twice for keeping the file."""


@dataclass(frozen=True)
class Claim:
    """A file, and the unit in whose inbox it lay (None where it may be anybody's)."""

    path: Path
    unit_code: str | None = None


@dataclass(frozen=True)
class IntakeReport:
    """What became of a batch, in the order of the files."""

    files: list[FileResult]
    ignored: list[Path]
    """What folders hold beside workbooks: other files, links, pipes."""
    settled: "Settled"


def find_files(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """(sendings, other files) among files and in folders, sorted; files being copied or opened are passed over.

    A folder that holds nothing but CSV files is one sending.
    """
    files, ignored = [], []
    for path in paths:
        if not path.is_dir():
            files.append(path)
        else:
            _search(path, files, ignored)
    return files, ignored


def _search(folder: Path, files: list[Path], ignored: list[Path]) -> None:
    items = [
        item
        for item in sorted(folder.iterdir())
        if not item.name.startswith((".", "~$")) and item.suffix.lower() not in UNFINISHED
    ]
    if items and all(item.suffix.lower() == ".csv" and item.is_file() and not item.is_symlink() for item in items):
        files.append(folder)
        return
    for item in items:
        if item.is_dir() and not item.is_symlink():
            _search(item, files, ignored)
        else:
            taken = item.suffix.lower() in SUFFIXES and item.is_file() and not item.is_symlink()
            (files if taken else ignored).append(item)


def take_in(
    paths: Iterable[Path | Claim],
    *,
    data: Path,
    store: Store | None = None,
    register: "Register | Callable[[], Register] | None" = None,
    workers: int | None = None,
    now: datetime | None = None,
    on_progress: Callable[[FileResult], None] | None = None,
) -> IntakeReport:
    """Take files and folders of files into ``<data>/store`` and tell the register.

    A file that was read before is passed over. A file that cannot be read as a workbook is refused, with its original
    kept; one that the system does not let us read (gone, no right, a link, a pipe) has failed; the others go on.
    Raises `units.ListError` for a bad list, `RegisterError` where the register cannot be used; what was read by then
    is settled by the next batch. With ``workers=1`` files are read in this process, without its limits. `register` is
    left open where it was given; what opens it is called while files are read.
    """
    claims = [path if isinstance(path, Claim) else Claim(path) for path in paths]
    found = [(find_files([claim.path]), claim.unit_code) for claim in claims]
    files = [Claim(path, unit) for (taken, _), unit in found for path in taken]
    ignored = [path for (_, others), _ in found for path in others]
    store = store or Store(data / "store")
    store.prepare()
    secret = load_secret(data / "secrets")
    lists = read_lists(data)
    units = lists.units
    write_table(frame_table(units, UNITS), store.root / "units.parquet")
    write_table(frame_table(lists.cap_exceptions, CAP_EXCEPTIONS), store.root / "cap_exceptions.parquet")
    write_table(frame_table(lists.successions, SUCCESSIONS), store.root / "successions.parquet")
    context = reading_context(form_sets_of(data), units, known_draws(store))

    now = now or datetime.now(UTC)
    results: dict[int, FileResult] = {}
    tasks: dict[int, Task] = {}
    met: dict[str, Path] = {}
    again: list[tuple[Claim, str]] = []
    for position, claim in enumerate(files):
        path = claim.path
        try:
            content = read_bytes(path)
        except RefusedError as error:
            results[position] = untaken(path, error)
            continue
        source_hash = hash_bytes(content)
        if source_hash in met:
            results[position] = FileResult(
                path, source_hash, "known", message=f"Trùng nội dung với {met[source_hash].name}."
            )
            again.append((claim, source_hash))
            continue
        met[source_hash] = path
        known = store.submission(source_hash)
        same = known is not None and known["reading_context"] == context and not is_misplaced(known, claim.unit_code)
        if known is not None and (known["state"] == "accepted" or same):
            results[position] = _known(path, known)
            again.append((claim, source_hash))
            continue
        received_at = known["received_at"] if known is not None else now + timedelta(microseconds=position)
        tasks[position] = Task(
            path,
            source_hash,
            len(content),
            received_at,
            store.root,
            store.base,
            secret,
            frozenset(units["unit_code"]),
            context,
            claim.unit_code,
        )
    for position, result in results.items():
        if on_progress is not None and position not in tasks:
            on_progress(result)
    with ExitStack() as stack:
        opened = cache(lambda: _make_ready(register, data / "register.sqlite", stack))
        results |= _run(tasks, workers, on_progress, opened)
        if elsewhere := _in_another_inbox(tasks, files, results, store):
            moved = {task.source_hash for task in elsewhere.values()}
            again += [
                (Claim(task.path, task.claimed_unit), task.source_hash)
                for task in tasks.values()
                if task.source_hash in moved
            ]
            results |= _run(elsewhere, workers, on_progress)
        from submissions.settling import settle

        settled = settle(store, opened(), data=data, units=units, again=again, now=now, workers=workers)
    return IntakeReport([_told(results[position], settled) for position in sorted(results)], ignored, settled)


def _make_ready(register: "Register | Callable[[], Register] | None", place: Path, stack: ExitStack) -> "Register":
    """The register, with all else that settling needs and reading does not: loaded while the readers work."""
    from submissions.register.log import Register
    from submissions.settling import prepare

    prepare()
    if register is None:
        return stack.enter_context(Register.open(place))
    return register if isinstance(register, Register) else register()


def _in_another_inbox(
    tasks: Mapping[int, Task], files: Sequence[Claim], results: Mapping[int, FileResult], store: Store
) -> dict[int, Task]:
    """Files whose bytes were refused in this batch for the inbox they lay in, and that lie in another one too."""
    read = {task.source_hash: task for task in tasks.values()}
    found: dict[str, tuple[int, Task]] = {}
    for position, claim in enumerate(files):
        task = read.get(results[position].source_hash)
        if task is not None and position not in tasks:
            known = store.submission(task.source_hash)
            if is_misplaced(known, claim.unit_code) and task.source_hash not in found:
                again = replace(task, path=claim.path, claimed_unit=claim.unit_code)
                found[task.source_hash] = position, again
    return dict(found.values())


def _known(path: Path, known: dict) -> FileResult:
    accepted = known["state"] == "accepted"
    return FileResult(
        path,
        known["source_hash"],
        "known" if accepted else "refused",
        known["unit_code"],
        known["year"],
        known["form_version"],
        known["sent_no"],
        "Tệp này đã được đọc trước đây." if accepted else known["refusal_message"],
        known["refusal_code"] or "",
    )


def _told(result: FileResult, settled: "Settled") -> FileResult:
    """The result with what was decided of the sending, and with what was asked beside what was found in its cells."""
    decision = settled.decisions.get(result.source_hash)
    if decision is None or result.state not in {"accepted", "known"}:
        return result
    if decision.state != "accepted":
        return replace(result, state=decision.state, code=decision.code, message=decision.message)
    return replace(result, issues=result.issues + settled.queries.get(result.source_hash, 0))


def _run(
    tasks: dict[int, Task],
    workers: int | None,
    on_progress: Callable[[FileResult], None] | None,
    meanwhile: Callable[[], object] = lambda: None,
) -> dict[int, FileResult]:
    """Read the files on all cores, the largest first; a file whose reader dies is tried once more, alone.

    `meanwhile` is done here while they are read elsewhere, if anywhere.
    """
    results: dict[int, FileResult] = {}

    def done(position: int, result: FileResult) -> None:
        results[position] = result
        if on_progress is not None:
            on_progress(result)

    if workers == 1 or not tasks:
        for position, task in tasks.items():
            done(position, read_guarded(task))
        return results
    order = sorted(tasks, key=lambda position: -tasks[position].size)
    broken = []
    others = set(multiprocessing.active_children())
    with reader_pool(min(workers or os.cpu_count() or 1, len(tasks))) as pool:
        futures: dict[int, Future[FileResult]] = {}
        try:
            for position in order:
                futures[position] = pool.submit(_read_limited, tasks[position], SECONDS, GRACE_SECONDS)
        except BrokenProcessPool:
            broken += [position for position in order if position not in futures]
        readers = set(multiprocessing.active_children()) - others
        meanwhile()
        places = {future: position for position, future in futures.items()}
        for future in as_completed(places):
            try:
                done(places[future], future.result())
            except MemoryError:  # it had not even enough left to say so itself
                done(places[future], refuse_unread(tasks[places[future]], "TOO_MUCH_MEMORY"))
            except BrokenProcessPool:
                broken.append(places[future])
    for position in sorted(broken):
        task = tasks[position]
        with reader_pool(1) as pool:
            # Readers that cannot even start are no fault of the file: this raises.
            pool.submit(os.getpid).result()
            if len(tasks) > 1:  # else it was alone already
                readers = set(multiprocessing.active_children()) - others
                try:
                    done(position, pool.submit(_read_limited, task, SECONDS, GRACE_SECONDS).result())
                except MemoryError:
                    done(position, refuse_unread(task, "TOO_MUCH_MEMORY"))
                except BrokenProcessPool:
                    pass  # how its reader ended is known once the pool is closed
        if position not in results:
            done(position, refuse_unread(task, why_it_died(reader.exitcode for reader in readers)))
    return results


def reader_pool(workers: int) -> ProcessPoolExecutor:
    """A pool of quiet, limited processes, forked where this process may, else from a fork server."""
    context = multiprocessing.get_context("fork" if may_fork() else "forkserver")
    if not may_fork():
        context.set_forkserver_preload(["submissions.intake"])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(MEMORY,))


def _begin(memory: int) -> None:
    """What a dying reader prints (a trace of its memory) is shown to nobody; the result tells what happened."""
    die_with_parent()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    limit_this_process(memory, writes=True)


def _read_limited(task: Task, seconds: float, grace: float) -> FileResult:
    """Read one file; the processor time that it may take is counted from here."""
    _kill_after(seconds + grace)
    signal.signal(signal.SIGPROF, partial(_end_reading, grace))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        return read_guarded(task)
    except OutOfTimeError:  # just when it was done
        return refuse_unread(task, "TOO_SLOW")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _kill_after(seconds: float) -> None:
    """Have this process killed when it has taken so many more seconds of processor time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = math.ceil(used.ru_utime + used.ru_stime + seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard))


def _end_reading(grace: float, *_: object) -> None:
    _kill_after(2 * grace)
    raise OutOfTimeError
