"""Reading one file that was sent: gate, form set, judgement, what the store keeps of it. Runs in limited processes."""

import gc
import json
import re
import traceback
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from submissions.coded import Values
from submissions.copies import fingerprint
from submissions.fieldchecks import TABLE as FIELD_CHECKS
from submissions.fieldchecks import judge_against_draw, read_draw
from submissions.files.delimited import pack_folder
from submissions.files.source import RefusedError, Source, open_source
from submissions.files.taking import check_name, take
from submissions.form_set import Column
from submissions.issues import collect_issues, explanation_issues
from submissions.judging import Judged, judge
from submissions.pseudonyms import member_key
from submissions.returned.explanations import ReturnMark, read_explanations, recognise
from submissions.store import (
    COUNTS,
    ISSUES,
    SUBMISSION,
    Records,
    Store,
    hash_bytes,
    records_table,
    row_table,
    rows_table,
    write_explanations,
    write_table,
    writing,
)
from submissions.templates import refuse_untouched
from submissions.text import quotable
from submissions.values import is_blank, parser, shown
from submissions.workbook import Workbook, read_cover, read_tables


@dataclass(frozen=True)
class FileResult:
    """What became of one file."""

    path: Path
    source_hash: str
    state: str
    """``accepted``, ``held`` (a person has to confirm it), ``refused``, ``known`` (read before) or ``failed`` (could
    not be read this time: try again)."""
    unit_code: str | None = None
    year: int | None = None
    form_version: str | None = None
    sent_no: int | None = None
    message: str = ""
    code: str = ""
    issues: int = 0
    counts: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=["form", "rows_in", "loaded", "held_back"])
    )


@dataclass(frozen=True)
class Task:
    """A file to be read, and where to put what it holds."""

    path: Path
    source_hash: str
    size: int
    received_at: datetime
    store: Path
    """The store's folder; the province's own form sets lie beside it."""
    base: Store | None
    """The store in which is looked for what this one has not."""
    secret: bytes = field(repr=False)
    units: Collection[str]
    """Units expected to report; none where the province gave no list."""
    context: str
    claimed_unit: str | None = None


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file (none of an empty one), or a folder of CSV files as one zip.

    Raises `RefusedError` for what is no regular file or has a name that is not taken, without waiting for anybody.
    """
    if path.is_dir() and not path.is_symlink():
        return pack_folder(sorted(item for item in path.iterdir() if not item.name.startswith(".")))
    check_name(path)
    return file_bytes(path)


def file_bytes(path: Path) -> bytes:
    """The bytes of a regular file, whatever its name; none of an empty one. Raises `RefusedError`."""
    try:
        return take(path)
    except RefusedError as error:
        if error.code == "EMPTY_FILE":
            return b""
        raise


MISPLACED = {"UNIT_MISMATCH", "RETURNED_COPY"}
"""Codes of refusals that depend on whose inbox a file lay in."""


def is_misplaced(known: Mapping[str, object] | None, unit_code: str | None) -> bool:
    """Whether a file was refused for the inbox it lay in, and now lies in another (of the unit; None: anybody's)."""
    return known is not None and known["refusal_code"] in MISPLACED and known["claimed_unit"] != unit_code


AGAIN = {"NO_SUCH_FILE", "UNREADABLE_FILE", "FILE_CHANGED"}
"""Codes of what may be otherwise next time."""


def untaken(path: Path, error: RefusedError) -> FileResult:
    """The result for a file whose bytes could not be taken: to be tried again, or refused for what it is."""
    state = "failed" if error.code in AGAIN else "refused"
    return FileResult(path, "", state, message=str(error), code=error.code)


class OutOfTimeError(BaseException):
    """Raised in a reader when a file has taken the processor time allowed; no part of the reading may swallow it."""


def read_guarded(task: Task) -> FileResult:
    """Read one file; a fault of the program is told without any value of the file, which will be read again."""
    pa.set_cpu_count(1)
    # A workbook is a million objects that are let go of one by one: to look through them for circles takes a tenth.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _read(task)
    except MemoryError:
        code = "TOO_MUCH_MEMORY"
    except OutOfTimeError:
        code = "TOO_SLOW"
    except Exception as error:  # noqa: BLE001 - the other files go on; the result says that this one failed
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} ở {Path(place.filename).name}:{place.lineno}"
        message = f"Lỗi của chương trình, không phải của tệp ({where}). Hãy báo cho kỹ sư dữ liệu; tệp sẽ được đọc lại."
        return FileResult(task.path, task.source_hash, "failed", message=message)
    finally:
        if collects:
            gc.enable()
    # Here, where what the error held in memory is let go of.
    return refuse_unread(task, code)


_UNREAD = {
    "TOO_MUCH_MEMORY": "Tệp cần quá nhiều bộ nhớ khi mở. Hãy xóa trang, ô thừa rồi gửi lại.",
    "TOO_SLOW": "Đọc tệp quá lâu. Hãy xóa vùng thừa trong các trang, lưu lại rồi gửi lại.",
    "READER_DIED": "Tệp làm chương trình đọc dừng đột ngột (quá lớn khi mở, hoặc hỏng); hãy lưu lại tệp rồi gửi lại.",
}


def refuse_unread(task: Task, code: str) -> FileResult:
    """Refuse a file whose reader did not finish (a code of `_UNREAD`); its bytes are kept like any other's."""
    try:
        content = read_bytes(task.path)
    except RefusedError as error:
        return untaken(task.path, error)
    return _refuse(task, content, RefusedError(code, _UNREAD[code]))


def _read(task: Task) -> FileResult:

    try:
        content = read_bytes(task.path)
    except RefusedError as error:
        return untaken(task.path, error)
    if hash_bytes(content) != task.source_hash:
        return FileResult(task.path, task.source_hash, "failed", message="Tệp thay đổi trong lúc đọc; sẽ được đọc lại.")
    cover: Cover | None = None
    source: Source | None = None
    head: Workbook | None = None
    try:
        source = open_source(content, task.path.name)
        if (mark := recognise(source)) is not None:
            raise _returned_copy(task, source, mark)
        form_sets = Store(task.store).form_sets
        head = read_cover(source, form_sets)
        cover = _read_cover(head)
        if head.form_set.kind == "unit":
            _check_unit(task, head, cover)
        elif task.claimed_unit is not None:
            raise RefusedError(
                "UNIT_MISMATCH",
                f"Đây là {head.form_set.title}, không phải báo cáo của đơn vị “{task.claimed_unit}”. "
                "Hãy để tệp vào hộp nhận chung.",
            )
        if cover.draw_id is not None:
            _check_draw(task, head, cover)
        workbook = read_tables(source, head, form_sets)
        refuse_untouched(source, workbook)
    except RefusedError as error:
        return _refuse(task, content, error, cover, source, head)
    return _accept(task, content, workbook, cover, source)


def _returned_copy(task: Task, source: Source, mark: ReturnMark) -> RefusedError:
    """Keep what was explained in a marked copy; the copy itself is no report. Returns the refusal."""
    given = read_explanations(source)
    store = Store(task.store, task.base)
    told = ["Đây là bản trả lại có đánh dấu lỗi, không phải báo cáo. Hãy sửa trong tệp của đơn vị rồi gửi tệp đó."]
    # One unit must not explain for another: the copy answers a sending that we know, of the unit that sends it back.
    sent = store.submission(mark.source_hash) if mark.source_hash else None
    known = sent is not None and (sent["unit_code"], sent["year"]) == (mark.unit_code, mark.year)
    if mark.unit_code is None or not known or task.claimed_unit not in {None, mark.unit_code}:
        told.append("Không rõ bản này trả lời lần gửi nào của đơn vị nên phần giải trình chưa được ghi nhận.")
    else:
        write_explanations(store, task.source_hash, given.given.assign(unit_code=mark.unit_code, year=mark.year))
        told.append(f"Đã ghi nhận {len(given.given)} giải trình ghi trong bản này.")
    told += [f"Trang “{one.sheet}”, ô {one.cell}: {one.message}" for one in given.problems.itertuples()]
    return RefusedError("RETURNED_COPY", " ".join(told))


def _check_unit(task: Task, workbook: Workbook, cover: "Cover") -> None:
    """The unit of the cover is one that has to report, and the one whose folder the file lay in."""
    place = f"Trang “{workbook.cover_sheet}”, ô {workbook.cover['unit_code'].cell}: đơn vị “{cover.unit_code}”"
    if task.units and cover.unit_code not in task.units:
        raise RefusedError(
            "UNIT_NOT_ON_LIST",
            f"{place} không có trong danh sách {len(task.units)} đơn vị phải báo cáo (units.csv).",
        )
    if task.claimed_unit is not None and cover.unit_code != task.claimed_unit:
        raise RefusedError(
            "UNIT_MISMATCH",
            f"{place} không phải là đơn vị của hộp nhận “{task.claimed_unit}”. "
            "Hãy gửi vào hộp nhận của đúng đơn vị, hoặc sửa mã đơn vị ở trang bìa.",
        )


def _check_draw(task: Task, workbook: Workbook, cover: "Cover") -> None:
    """The draw of the cover is one that was made, of the year that the cover says."""
    drawn = read_draw(Store(task.store, task.base), cover.draw_id or "")
    place = f"Trang “{workbook.cover_sheet}”, ô {workbook.cover['draw_id'].cell}: mẫu “{cover.draw_id}”"
    if drawn.empty:
        raise RefusedError(
            "UNKNOWN_DRAW",
            f"{place} chưa từng được rút ở đây. Hãy dùng đúng tệp do lệnh thucchat field-check draw ghi ra.",
        )
    if int(drawn["year"].iloc[0]) != workbook.year:
        raise RefusedError(
            "UNKNOWN_DRAW",
            f"{place} rút cho năm {int(drawn['year'].iloc[0])}, trang bìa ghi năm {workbook.year}. "
            "Hãy giữ nguyên trang bìa của tệp đã rút.",
        )


@dataclass(frozen=True)
class Cover:
    """What the cover says of the sending; a register has none, and its only sender is the Commission."""

    unit_code: str | None = None
    unit_name: str | None = None
    sent_no: int | None = None
    prepared_on: date | None = None
    draw_id: str | None = None
    faults: tuple[tuple[Column, str], ...] = ()


_PLACES = {
    "unit_code": "mã dạng văn bản, ví dụ 67.001",
    "sent_no": "số nguyên từ 1",
    "draw_id": "mã mẫu như khi rút, ví dụ TDL-2025-1a2b3c4d",
}
"""What a sending cannot be placed without, and how it looks."""


def _read_cover(workbook: Workbook) -> Cover:
    """The cover's values; raises `RefusedError` where the sending cannot be placed without one of them."""
    form_set = workbook.form_set
    if form_set.cover is None:
        return Cover()
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
        if rule is not None and column.key in _PLACES:
            found = f"tìm thấy “{quotable(shown(cell))}”" if not is_blank(cell) else "không thấy hoặc để trống"
            wanted = _PLACES[column.key]
            fatal.append(f"Trang “{workbook.cover_sheet}”, nhãn “{column.heading}”: {found}; cần {wanted}.")
        elif rule is not None:
            faults.append((column, rule))
    if fatal:
        raise RefusedError("BAD_COVER", " ".join(fatal))
    wanted = ("unit_code", "unit_name", "sent_no", "prepared_on", "draw_id")
    return Cover(**{key: values.get(key) for key in wanted}, faults=tuple(faults))


def _submission(
    task: Task, content: bytes, cover: Cover | None, source: Source | None, **details: object
) -> dict[str, object]:
    return {
        "source_hash": task.source_hash,
        "file_name": task.path.name,
        "unit_code": cover.unit_code if cover else None,
        "unit_name": cover.unit_name if cover else None,
        "sent_no": cover.sent_no if cover else None,
        "prepared_on": cover.prepared_on if cover else None,
        "draw_id": cover.draw_id if cover else None,
        "received_at": task.received_at,
        "size_bytes": len(content),
        "reading_context": task.context,
        "file_kind": source.kind if source else None,
        "claimed_unit": task.claimed_unit,
        "hazards": json.dumps([asdict(hazard) for hazard in source.hazards] if source else [], ensure_ascii=False),
        **details,
    }


def _keep(task: Task, content: bytes) -> Store:
    store = Store(task.store)
    # A suffix of any length would be a name that no disk takes.
    suffix = ".zip" if task.path.is_dir() else task.path.suffix.lower()[:_LONGEST_SUFFIX]
    store.keep_original(content, task.source_hash, suffix)
    return store


def _refuse(
    task: Task,
    content: bytes,
    error: RefusedError,
    cover: Cover | None = None,
    source: Source | None = None,
    head: Workbook | None = None,
) -> FileResult:
    """Keep a file that is no report, with whatever its cover tells of the unit, so that the unit hears of it."""
    told = {"state": "refused", "refusal_code": error.code, "refusal_message": str(error)}
    if head is not None:
        told |= {"source_kind": head.form_set.kind, "form_version": head.form_set.form_set, "year": head.year}
    row = _submission(task, content, cover, source, **told)
    store = _keep(task, content)
    write_table(row_table(row, SUBMISSION), store.submissions / f"{task.source_hash}.parquet")
    unit_code, year = cover.unit_code if cover else None, head.year if head else None
    return FileResult(task.path, task.source_hash, "refused", unit_code, year, message=str(error), code=error.code)


def _accept(task: Task, content: bytes, workbook: Workbook, cover: Cover, source: Source) -> FileResult:
    """Judge and store a workbook; what is known of the sending comes last, so that a killed run reads it again."""
    store = _keep(task, content)
    judgement = judge(workbook, cover.unit_code)
    if cover.draw_id is not None:
        judge_against_draw(judgement.forms[FIELD_CHECKS], read_draw(Store(task.store, task.base), cover.draw_id))
    name = f"{task.source_hash}.parquet"
    counts = []
    kept: dict[str, Records] = {}
    with writing() as write:
        for table, judged in judgement.forms.items():
            held = judged.held_back()
            kept[table] = _records(judged, held, task.source_hash, task.secret)
            write(records_table(kept[table], store.schemas[table]), store.form(table) / name)
            counts.append(
                {
                    "source_hash": task.source_hash,
                    "form": table,
                    "form_title": judged.form.title,
                    "sheet": judged.table.sheet,
                    "rows_in": len(held),
                    "loaded": int((~held).sum()),
                    "held_back": int(held.sum()),
                    "heading_row": judged.table.heading_row,
                    "letters": json.dumps(judged.table.letters),
                }
            )
        write(rows_table(counts, COUNTS), store.counts / name)
        prints = fingerprint(kept, cover.unit_code).to_table(task.source_hash)
        write(prints, store.fingerprints / name)
        issues = [*collect_issues(workbook, judgement, cover.faults), *_explained(task, workbook, cover, source, store)]
        place = {"source_hash": task.source_hash, "file": task.path.name}
        place |= {"unit_code": cover.unit_code, "year": workbook.year}
        write(rows_table([issue | place for issue in issues], ISSUES), store.issues / name)
    row = _submission(
        task,
        content,
        cover,
        source,
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
        counts=pd.DataFrame(counts, columns=["form", "rows_in", "loaded", "held_back"]),
    )


def _explained(
    task: Task, workbook: Workbook, cover: Cover, source: Source, store: Store
) -> Iterable[dict[str, object]]:
    """Keep what a unit explained in its file; the issues for what cannot be used of it."""
    explained = read_explanations(source)
    if cover.unit_code is None:
        return []
    if len(explained.given):
        taken = explained.given.assign(unit_code=cover.unit_code, year=workbook.year)
        write_explanations(store, task.source_hash, taken)
    return explanation_issues(explained.problems)


def _records(judged: Judged, held: np.ndarray, source_hash: str, secret: bytes) -> Records:
    """A form's records as the store keeps them: without names, birth dates as years, card numbers as keys."""
    records: Records = {
        "source_hash": source_hash,
        "sheet": judged.table.sheet,
        "row": judged.table.rows,
        "is_held_back": held,
    }
    for column in judged.form.columns:
        records |= _stored(judged, column, secret)
    return records


def _stored(judged: Judged, column: Column, secret: bytes) -> dict[str, Values]:
    names = [name for name, _ in column.stored_columns]
    values = judged.columns[column.key]
    if not names:
        return {}
    if column.privacy == "birth_date":
        return {names[0]: values.changed(lambda day: day.year)}
    if column.card_when:
        (by, value), *_ = column.card_when.items()
        # Where the row does not say which it is, a code of the card's shape is taken for a card.
        is_card = judged.columns[by].among([value]) | _card_shaped(values)
        return {names[0]: values.only(~is_card), names[1]: _keyed(values.only(is_card), secret)}
    if column.privacy == "card":
        return {names[0]: _keyed(values, secret)}
    if column.type == "mark":
        return {names[0]: values.filled_with(False, judged.blank(column.key))}
    if column.type in {"text", "code"} and column.list is None:
        # A card number typed into a wrong column goes no further than the issue list.
        return {names[0]: values.only(~_card_shaped(values, _SPACED_CARD if column.type == "text" else _CARD))}
    return {names[0]: values}


_LONGEST_SUFFIX = 8

_CARD = re.compile(r"\d(?<!\d\d)\d{11}(?!\d)")
"""Twelve digits and no more; a first one is found quicker than a place that none stands before."""


_SPACED_CARD = re.compile(r"(?<![\d.])\d(?:[ .-]?\d){11}(?![\d.])")
"""The same, however it is grouped. Not in columns of codes, which may have twelve digits in groups of their own."""


def _card_shaped(texts: Values, card: re.Pattern[str] = _CARD) -> np.ndarray:
    """Where a text holds a card number; they are looked through together, since hardly one does."""
    if card.search("\n".join(texts.distinct[1:])) is None:
        return np.zeros(len(texts), dtype=bool)
    return texts.such(lambda text: card.search(text) is not None)


def _keyed(cards: Values, secret: bytes) -> Values:
    """Card numbers as pseudonymous keys; a code that is no card has none."""
    return cards.changed(member_key, secret)
