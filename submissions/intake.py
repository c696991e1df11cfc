"""Intake: files in, store out. Each file once, on all cores; one bad file does not stop the others."""

import errno
import multiprocessing
import os
import re
import resource
import stat
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from submissions.form_set import Column, load_form_sets
from submissions.issues import COLUMNS as ISSUE_COLUMNS
from submissions.issues import find_issues
from submissions.judging import Judged, judge
from submissions.pseudonyms import load_secret, member_keys
from submissions.store import (
    CAP_EXCEPTIONS,
    COUNTS,
    ISSUES,
    SUBMISSION,
    UNITS,
    Store,
    birth_years,
    form_schemas,
    frame_table,
    hash_bytes,
    reading_context,
    row_table,
    write_table,
)
from submissions.units import read_cap_exceptions, read_units
from submissions.values import is_blank, parser, shown
from submissions.workbook import Workbook, WorkbookError, read_workbook

SUFFIXES = {".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"}
"""In a folder only these are taken for sendings; a file that is named itself is always tried."""

LARGEST = 50 * 1024 * 1024
"""Bytes; a unit's workbook has half a million."""
MEMORY = 4 * 1024**3
"""Bytes of address space for one reader; a unit's workbook takes a tenth."""
SECONDS = 120
"""Processor time for one file; a unit's workbook takes one."""


@dataclass(frozen=True)
class FileResult:
    """What became of one file."""

    path: Path
    source_hash: str
    state: str
    """``accepted``, ``refused``, ``known`` (read before) or ``failed`` (could not be read this time: try again)."""
    unit_code: str | None = None
    year: int | None = None
    form_version: str | None = None
    sent_no: int | None = None
    message: str = ""
    issues: int = 0
    counts: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["form", "rows_in", "loaded", "held_back"])
    )


@dataclass(frozen=True)
class IntakeReport:
    """What became of a batch, in the order of the files."""

    files: list[FileResult]
    ignored: list[Path]
    """What folders hold beside workbooks: other files, links, pipes."""


@dataclass(frozen=True)
class _Task:
    path: Path
    source_hash: str
    size: int
    received_at: datetime
    data: Path
    units: frozenset[str]
    context: str


def find_files(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """(workbooks, other files) among files and in folders, sorted; files being copied or opened are passed over."""
    files, ignored = [], []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        for found in sorted(item for item in path.rglob("*") if item.is_symlink() or not item.is_dir()):
            if not found.name.startswith((".", "~$")) and found.suffix.lower() not in {".tmp", ".part"}:
                taken = found.suffix.lower() in SUFFIXES and found.is_file() and not found.is_symlink()
                (files if taken else ignored).append(found)
    return files, ignored


def _read_bytes(path: Path) -> bytes:
    """The bytes of a regular file; raises `OSError` for a link, and for a pipe without waiting for a writer."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        return file.read(LARGEST + 1)


def _unreadable(path: Path, error: OSError) -> FileResult:
    reasons = {
        errno.ENOENT: "Không có tệp này (có thể vừa bị chuyển hoặc xóa).",
        errno.EACCES: "Không có quyền đọc tệp.",
        errno.ELOOP: "Đây là liên kết, không phải tệp; hãy đưa chính tệp vào.",
        errno.EINVAL: "Đây không phải là tệp thường.",
    }
    told = reasons.get(error.errno or 0, f"Hệ điều hành không cho đọc tệp (mã {error.errno}).")
    return FileResult(path, "", "failed", message=told)


def take_in(
    paths: Iterable[Path],
    *,
    data: Path,
    workers: int | None = None,
    on_progress: Callable[[FileResult], None] | None = None,
) -> IntakeReport:
    """Take files and folders of files into ``<data>/store``.

    A file that was read before is passed over. A file that cannot be read as a workbook is refused, with its original
    kept; one that the system does not let us read (gone, no right, a link, a pipe) has failed; the others go on.
    Raises `units.ListError` for a bad list. With ``workers=1`` files are read in this process, without its limits.
    """
    files, ignored = find_files(paths)
    store = Store(data / "store")
    store.prepare()
    load_secret(data / "secrets")
    units = read_units(data / "units.csv")
    write_table(frame_table(units, UNITS), store.root / "units.parquet")
    exceptions = read_cap_exceptions(data / "cap_exceptions.csv")
    write_table(frame_table(exceptions, CAP_EXCEPTIONS), store.root / "cap_exceptions.parquet")
    context = reading_context(load_form_sets(), units)

    now = datetime.now(UTC)
    results: dict[int, FileResult] = {}
    tasks: dict[int, _Task] = {}
    met: dict[str, Path] = {}
    for position, path in enumerate(files):
        try:
            content = _read_bytes(path)
        except OSError as error:
            results[position] = _unreadable(path, error)
            continue
        source_hash = hash_bytes(content)
        if source_hash in met:
            results[position] = FileResult(
                path, source_hash, "known", message=f"Trùng nội dung với {met[source_hash].name}."
            )
            continue
        met[source_hash] = path
        known = store.submission(source_hash)
        if known is not None and (known["state"] == "accepted" or known["reading_context"] == context):
            results[position] = _known(path, known)
            continue
        received_at = known["received_at"] if known is not None else now + timedelta(microseconds=position)
        listed = frozenset(units["unit_code"])
        tasks[position] = _Task(path, source_hash, len(content), received_at, data, listed, context)
    for position, result in results.items():
        if on_progress is not None and position not in tasks:
            on_progress(result)
    results |= _run(tasks, workers, on_progress)
    return IntakeReport([results[position] for position in sorted(results)], ignored)


def _known(path: Path, known: dict) -> FileResult:
    told = "Tệp này đã được đọc trước đây." if known["state"] == "accepted" else known["refusal_message"]
    state = "known" if known["state"] == "accepted" else "refused"
    return FileResult(
        path,
        known["source_hash"],
        state,
        known["unit_code"],
        known["year"],
        known["form_version"],
        known["sent_no"],
        told,
    )


def _run(
    tasks: dict[int, _Task], workers: int | None, on_progress: Callable[[FileResult], None] | None
) -> dict[int, FileResult]:
    """Read the files on all cores, the largest first; a file whose reader dies is tried once more, alone."""
    results: dict[int, FileResult] = {}

    def done(position: int, result: FileResult) -> None:
        results[position] = result
        if on_progress is not None:
            on_progress(result)

    if workers == 1 or not tasks:
        for position, task in tasks.items():
            done(position, _read_guarded(task))
        return results
    order = sorted(tasks, key=lambda position: -tasks[position].size)
    broken = []
    with _pool(min(workers or os.cpu_count() or 1, len(tasks))) as pool:
        futures: dict[int, Future[FileResult]] = {}
        try:
            for position in order:
                futures[position] = pool.submit(_read_limited, tasks[position])
        except BrokenProcessPool:
            broken += [position for position in order if position not in futures]
        places = {future: position for position, future in futures.items()}
        for future in as_completed(places):
            try:
                done(places[future], future.result())
            except BrokenProcessPool:
                broken.append(places[future])
    for position in sorted(broken):
        with _pool(1) as pool:
            # Readers that cannot even start are no fault of the file: this raises.
            pool.submit(os.getpid).result()
            try:
                done(position, pool.submit(_read_limited, tasks[position]).result())
            except BrokenProcessPool:
                done(position, _refuse_deadly(tasks[position]))
    return results


def _refuse_deadly(task: _Task) -> FileResult:
    try:
        content = _read_bytes(task.path)
    except OSError as error:
        return _unreadable(task.path, error)
    message = "Tệp làm chương trình đọc dừng đột ngột (quá lớn khi mở, hoặc hỏng); hãy lưu lại tệp rồi gửi lại."
    return _refuse(task, content, WorkbookError("READER_DIED", message))


def _pool(workers: int) -> ProcessPoolExecutor:
    # Not fork: the caller may have threads (Dagster's web server has).
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["submissions.intake"])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_be_quiet)


def _be_quiet() -> None:
    """What a dying reader prints (a trace of its memory) is shown to nobody; the result tells what happened."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _read_limited(task: _Task) -> FileResult:
    """Read one file in a process of its own kind, which a file cannot make take memory or time without end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard), hard))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    until = int(time.process_time()) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (until if hard == resource.RLIM_INFINITY else min(until, hard), hard))
    return _read_guarded(task)


def _read_guarded(task: _Task) -> FileResult:
    """Read one file; a fault of the program is told without any value of the file, which will be read again."""
    pa.set_cpu_count(1)
    try:
        return _read(task)
    except Exception as error:  # noqa: BLE001 - the other files go on; the result says that this one failed
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} ở {Path(place.filename).name}:{place.lineno}"
        message = f"Lỗi của chương trình, không phải của tệp ({where}). Hãy báo cho kỹ sư dữ liệu; tệp sẽ được đọc lại."
        return FileResult(task.path, task.source_hash, "failed", message=message)


def _read(task: _Task) -> FileResult:
    try:
        content = _read_bytes(task.path)
    except OSError as error:
        return _unreadable(task.path, error)
    if hash_bytes(content) != task.source_hash:
        return FileResult(task.path, task.source_hash, "failed", message="Tệp thay đổi trong lúc đọc; sẽ được đọc lại.")
    cover: _Cover | None = None
    try:
        if len(content) > LARGEST:
            raise WorkbookError("TOO_LARGE", f"Tệp lớn hơn {LARGEST // 1024 // 1024} MB.")
        workbook = read_workbook(content, load_form_sets())
        cover = _read_cover(workbook)
        if task.units and workbook.form_set.kind == "unit" and cover.unit_code not in task.units:
            raise WorkbookError(
                "UNIT_NOT_ON_LIST",
                f"Trang “{workbook.cover_sheet}”, ô {workbook.cover['unit_code'].cell}: đơn vị “{cover.unit_code}” "
                f"không có trong danh sách {len(task.units)} đơn vị phải báo cáo (units.csv).",
            )
    except WorkbookError as error:
        return _refuse(task, content, error, cover)
    return _accept(task, content, workbook, cover)


@dataclass(frozen=True)
class _Cover:
    """What the cover says of the sending; a register has none, and its only sender is the Commission."""

    unit_code: str | None = None
    unit_name: str | None = None
    sent_no: int | None = None
    prepared_on: date | None = None
    faults: tuple[tuple[Column, str], ...] = ()


def _read_cover(workbook: Workbook) -> _Cover:
    """The cover's values; raises `WorkbookError` where the sending cannot be placed without one of them."""
    form_set = workbook.form_set
    if form_set.cover is None:
        return _Cover()
    values: dict[str, object] = {}
    faults, fatal = [], []
    for column in form_set.cover.fields:
        place = workbook.cover.get(column.key)
        cell = place.value if place else None
        rule = None
        if is_blank(cell):
            rule = "required" if column.required else None
        else:
            values[column.key], rule = parser(column, form_set.spellings, workbook.year)(cell)
        if rule is not None and column.key in {"unit_code", "sent_no"}:
            found = f"tìm thấy “{shown(cell)}”" if not is_blank(cell) else "không thấy hoặc để trống"
            wanted = "mã dạng văn bản, ví dụ 67.001" if column.key == "unit_code" else "số nguyên từ 1"
            fatal.append(f"Trang “{workbook.cover_sheet}”, nhãn “{column.heading}”: {found}; cần {wanted}.")
        elif rule is not None:
            faults.append((column, rule))
    if fatal:
        raise WorkbookError("BAD_COVER", " ".join(fatal))
    wanted = ("unit_code", "unit_name", "sent_no", "prepared_on")
    return _Cover(**{key: values.get(key) for key in wanted}, faults=tuple(faults))


def _submission(task: _Task, content: bytes, cover: "_Cover | None", **details: object) -> dict[str, object]:
    return {
        "source_hash": task.source_hash,
        "file_name": task.path.name,
        "unit_code": cover.unit_code if cover else None,
        "unit_name": cover.unit_name if cover else None,
        "sent_no": cover.sent_no if cover else None,
        "prepared_on": cover.prepared_on if cover else None,
        "received_at": task.received_at,
        "size_bytes": len(content),
        "reading_context": task.context,
        **details,
    }


def _refuse(task: _Task, content: bytes, error: WorkbookError, cover: _Cover | None = None) -> FileResult:
    store = Store(task.data / "store")
    store.keep_original(content, task.source_hash, task.path.suffix.lower())
    row = _submission(task, content, cover, state="refused", refusal_code=error.code, refusal_message=str(error))
    write_table(row_table(row, SUBMISSION), store.submissions / f"{task.source_hash}.parquet")
    return FileResult(task.path, task.source_hash, "refused", cover.unit_code if cover else None, message=str(error))


def _accept(task: _Task, content: bytes, workbook: Workbook, cover: _Cover) -> FileResult:
    """Judge and store a workbook; what is known of the sending is written last, so that a killed run reads it again."""
    store = Store(task.data / "store")
    store.keep_original(content, task.source_hash, task.path.suffix.lower())
    judgement = judge(workbook, cover.unit_code)
    secret = load_secret(task.data / "secrets")
    name = f"{task.source_hash}.parquet"
    counts = []
    for table, judged in judgement.forms.items():
        held = judged.held_back()
        records = _records(judged, held, task.source_hash, secret)
        write_table(frame_table(records, form_schemas()[table]), store.form(table) / name)
        counts.append(
            (task.source_hash, table, judged.form.title, judged.table.sheet, len(held), (~held).sum(), held.sum())
        )
    counted = pd.DataFrame(counts, columns=COUNTS.names)
    write_table(frame_table(counted, COUNTS), store.counts / name)
    issues = find_issues(workbook, judgement, task.path.name, cover.unit_code, cover.faults)
    issues = issues.assign(source_hash=task.source_hash)
    write_table(frame_table(issues, ISSUES), store.issues / name)
    row = _submission(
        task,
        content,
        cover,
        source_kind=workbook.form_set.kind,
        form_version=workbook.form_set.form_set,
        year=workbook.year,
        state="accepted",
    )
    write_table(row_table(row, SUBMISSION), store.submissions / name)
    return FileResult(
        task.path,
        task.source_hash,
        "accepted",
        cover.unit_code,
        workbook.year,
        workbook.form_set.form_set,
        cover.sent_no,
        issues=len(issues),
        counts=counted.loc[:, ["form", "rows_in", "loaded", "held_back"]],
    )


def _records(judged: Judged, held: np.ndarray, source_hash: str, secret: bytes) -> pd.DataFrame:
    """A form's records as the store keeps them: without names, birth dates as years, card numbers as keys."""
    columns: dict[str, object] = {
        "source_hash": source_hash,
        "sheet": judged.table.sheet,
        "row": judged.table.rows,
        "is_held_back": held,
    }
    for column in judged.form.columns:
        columns |= _stored(judged, column, secret)
    return pd.DataFrame(columns, index=judged.values.index)


def _stored(judged: Judged, column: Column, secret: bytes) -> dict[str, pd.Series | np.ndarray]:
    names = [name for name, _ in column.stored_columns]
    values = judged.values[column.key]
    if not names:
        return {}
    if column.privacy == "birth_date":
        return {names[0]: birth_years(values)}
    if column.card_when:
        (by, value), *_ = column.card_when.items()
        # Where the row does not say which it is, a code of the card's shape is taken for a card.
        is_card = (judged.values[by] == value) | _card_shaped(values)
        return {names[0]: values.where(~is_card, None), names[1]: member_keys(values.where(is_card, None), secret)}
    if column.privacy == "card":
        return {names[0]: member_keys(values, secret)}
    if column.type == "mark":
        return {names[0]: np.where(judged.blank(column.key), False, values)}
    if column.type in {"text", "code"} and column.list is None:
        # A card number typed into a wrong column goes no further than the issue list.
        return {names[0]: values.where(~_card_shaped(values), None)}
    return {names[0]: values}


_CARD = re.compile(r"(?<!\d)\d{12}(?!\d)")


def _card_shaped(values: pd.Series) -> np.ndarray:
    """Where a value holds a card number; each distinct value is looked at once."""
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    shaped = np.array([isinstance(value, str) and _CARD.search(value) is not None for value in distinct], dtype=bool)
    return shaped[codes]


def list_issues(data: Path, *, every_sending: bool = False) -> pd.DataFrame:
    """The issues of the sendings in force (or of every sending), and the refusals: columns of an issue list.

    For the units: `key` and `value` may hold card numbers.
    """
    store = Store(data / "store")
    submissions = store.read_submissions()
    issues = store.read_issues()
    if not every_sending:
        issues = issues[issues["source_hash"].isin(submissions.loc[submissions["is_in_force"], "source_hash"])]
    refused = submissions[submissions["state"] == "refused"]
    refusals = pd.DataFrame(
        {
            "file": refused["file_name"],
            "unit_code": refused["unit_code"],
            "year": refused["year"],
            "rule": refused["refusal_code"],
            "severity": "error",
            "message": refused["refusal_message"],
        }
    ).reindex(columns=list(ISSUE_COLUMNS), fill_value="")
    listed = pd.concat([issues.loc[:, list(ISSUE_COLUMNS)], refusals], ignore_index=True)
    return listed.assign(year=listed["year"].astype("Int64"))
