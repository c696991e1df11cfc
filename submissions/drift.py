"""When the forms drift: which agreed heading a strange one likely stands for, told by its words and by its cells.

Nothing is read by such a likeness. It is a proposal, and a person adopts it: the heading is then data in
``<data>/form_sets/aliases.yaml``, with who and when.
"""

import difflib
import fcntl
import os
import re
import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml

from submissions.files.source import ErrorCell, RefusedError, Uncalculated
from submissions.form_set import ALIASES, Column, Form, FormSet, adopted, form_sets_of, heading_key, read_yaml
from submissions.text import clean, strip_marks
from submissions.values import parser, shown

if TYPE_CHECKING:
    from submissions.workbook import CellColumn

LIKELY = 0.5
"""A likeness (0 to 1) from which a heading is proposed for another."""
SAMPLE = 60
"""Distinct cells of a column that are looked at to tell what it holds."""
FEW = 3
"""A column with fewer filled cells says nothing about what it holds."""
LONGEST_ADOPTED = 120
"""Letters of a heading that a person adopts."""
MOST_STRANGE = 40
"""Strange headings of a form that are compared with the agreed ones; a form has twenty columns."""

Reads = Callable[[object], bool]


@dataclass(frozen=True)
class Renamed:
    """A strange heading that likely stands for an agreed one."""

    gone: str
    """The agreed heading that is not there."""
    column: str
    """Key of its column."""
    found: str
    cell: str
    score: float
    """0 to 1."""
    evidence: str
    """Vietnamese: what speaks for it."""


@dataclass(frozen=True)
class Proposal:
    """How the headings of one form differ from what was agreed, and what likely happened."""

    form_set: str
    form: str
    """The form's table."""
    title: str
    sheet: str
    gone: tuple[str, ...]
    new: tuple[str, ...]
    renamed: tuple[Renamed, ...] = ()
    moved: tuple[tuple[str, str], ...] = ()
    """Agreed headings over each other's cells: (the heading, the heading of the column that the cells are)."""

    def told(self) -> str:
        """Vietnamese sentences; nothing where nothing is likely."""
        sentences = []
        for one in self.renamed:
            command = shlex.join(["thucchat", "forms", "adopt", self.form_set, self.title, one.column, one.found])
            sentences.append(
                f"Có lẽ “{one.found}” (ô {one.cell}) là “{one.gone}”: {one.evidence}; "
                f"nếu đúng, hãy sửa tiêu đề thành “{one.gone}” rồi gửi lại, hoặc người phụ trách mẫu xác nhận "
                f"bằng lệnh: {command} --by TÊN_NGƯỜI_XÁC_NHẬN"
            )
        return " ".join(sentences)


class DriftError(RefusedError):
    """A file whose headings are not those that were agreed; it carries what is proposed, form by form."""

    def __init__(self, code: str, message: str, proposals: tuple[Proposal, ...] = ()) -> None:
        """Keep the proposals beside code and message."""
        super().__init__(code, message)
        self.proposals = proposals

    def __reduce__(self) -> tuple[type, tuple[str, str, tuple[Proposal, ...]]]:
        """Cross processes whole."""
        return type(self), (self.code, str(self), self.proposals)


# What a cell looks like


_UNREADABLE = {"not_in_list", "not_integer", "not_number", "not_date", "not_mark"}
_CODE = re.compile(r"\S*\d\S*")
_DAY = re.compile(r"\d{1,4}\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d{1,4}")


def looks_like(column: Column, form_set: FormSet, year: int) -> Reads:
    """Whether a cell looks like what the column holds, lawful or not; free text looks like nothing."""
    if column.type == "code" and column.list is None:
        return lambda cell: _CODE.fullmatch(shown(cell)) is not None
    if is_free_text(column):
        return lambda cell: False
    parse = parser(column, form_set.spellings, year)
    return lambda cell: not isinstance(cell, ErrorCell | Uncalculated) and parse(cell)[1] not in _UNREADABLE


def _belongs(column: Column, form_set: FormSet, year: int) -> Reads:
    """Whether a cell may well belong to the column: stricter than `looks_like`, since it chooses between columns."""
    if column.type == "code" and column.list is None:
        pattern = re.compile(column.pattern) if column.pattern and not column.card_when else None

        def is_code(cell: object) -> bool:
            text = shown(cell) if isinstance(cell, str | float | int) else ""
            if pattern is not None:
                return pattern.fullmatch(text) is not None
            coded = isinstance(cell, str) and _CODE.fullmatch(text) is not None and _DAY.fullmatch(text) is None
            return coded and (len(text) >= 4 or re.search(r"[^\W\d_]", text) is not None)

        return is_code
    if column.type == "text" and column.list is None:
        return lambda cell: isinstance(cell, str) and re.search(r"[^\W\d_]", cell) is not None
    return looks_like(column, form_set, year)


def is_free_text(column: Column) -> bool:
    """Whether anything may stand in the column, so that its cells do not tell it from others."""
    return column.type == "text" and column.list is None


def _takes_any(column: Column) -> bool:
    """Whether the column takes any text or any code."""
    return column.list is None and (column.type == "text" or (column.type == "code" and column.pattern is None))


def share_that_reads(cells: "CellColumn", reads: Reads, sample: int = SAMPLE) -> tuple[float, int]:
    """(share of the filled cells that pass `reads`, number of filled cells), on a sample of the distinct cells.

    Cells that hold an error or no result are left out: they say nothing about what the column is. The share is 0 where
    nothing is filled.
    """
    counts = np.bincount(cells.codes, minlength=len(cells.distinct))
    counts[cells.blanks] = 0
    filled = np.flatnonzero(counts)
    # Evenly over the column, so that a bad stretch of rows does not decide.
    chosen = filled[:: -(-len(filled) // sample)] if len(filled) > sample else filled
    places = [place for place in chosen if not isinstance(cells.distinct[place], ErrorCell | Uncalculated)]
    weight = int(counts[places].sum())
    if not weight:
        return 0.0, 0
    good = sum(int(counts[place]) for place in places if reads(cells.distinct[place]))
    return good / weight, int(counts.sum())


def _plainly_reads(cells: "CellColumn", reads: Reads) -> bool:
    """Whether a column is free of suspicion at first glance: of a dozen filled cells most read as its own."""
    first = [cell for cell, blank in zip(cells.distinct[:24], cells.blanks[:24], strict=True) if not blank][:12]
    return not first or sum(map(reads, first)) > len(first) / 2


# Renamed headings


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[^\W_]+", strip_marks(heading_key(text))))


def _abbreviates(short: Sequence[str], long: Sequence[str]) -> bool:
    """Whether words are a shorter writing of others: ``so dv`` for ``so dang vien``, ``htk luat`` for none."""
    if not short:
        return not long
    if not long:
        return False
    word, rest = short[0], short[1:]
    if (word == long[0] or (len(word) >= 2 and long[0].startswith(word))) and _abbreviates(rest, long[1:]):
        return True
    size = len(word)
    initials = "".join(one[0] for one in long[:size])
    return size >= 2 and initials == word and _abbreviates(rest, long[size:])


@lru_cache(maxsize=4096)
def likeness(found: str, agreed: str) -> float:
    """How alike two headings are in their words, 0 to 1, without marks; an abbreviation counts nearly as the whole."""
    one, other = _words(found), _words(agreed)
    if not one or not other:
        return 0.0
    if one == other:
        return 1.0
    if _abbreviates(one, other) or _abbreviates(other, one):
        return 0.9
    shared = 2 * len({*one} & {*other}) / (len({*one}) + len({*other}))
    matcher = difflib.SequenceMatcher(None, " ".join(one), " ".join(other), autojunk=False)
    # The exact ratio is slow, and no more than the quick one.
    letters = matcher.quick_ratio()
    if 0.6 * letters + 0.4 * shared >= 0.4:
        letters = matcher.ratio()
    return 0.6 * letters + 0.4 * shared


_KINDS = {"code": "mã", "integer": "số nguyên", "number": "số", "date": "ngày", "mark": "dấu x", "text": "chữ"}


def _kind(column: Column) -> str:
    return "giá trị của danh mục" if column.list else _KINDS[column.type]


def _likeness_in_all(
    found: str, cells: "CellColumn", column: Column, form_set: FormSet, year: int
) -> tuple[float, str]:
    """(score 0 to 1, evidence in words) of a strange heading for an agreed column."""
    words = max(likeness(found, heading) for heading in (column.heading, *column.also))
    told = f"chữ giống {words:.0%}"
    share, filled = share_that_reads(cells, _belongs(column, form_set, year))
    if not filled:
        return 0.8 * words, f"{told}; cột để trống"
    told = f"{told}; {share:.0%} số ô có nội dung đọc được là {_kind(column)} của cột này"
    if is_free_text(column):
        # Any words would pass: they speak against it only where they are missing.
        return 0.8 * words + 0.1 * share, told
    if share < 0.5:
        return 0.4 * words, told
    weight = 0.3 if column.type in {"integer", "number"} else 0.5
    return (1 - weight) * words + weight * share, told


def propose(
    form_set: FormSet,
    form: Form,
    sheet: str,
    year: int,
    gone: Sequence[Column],
    strange: Sequence[tuple[str, str, "CellColumn"]],
) -> Proposal:
    """What likely happened to the headings of a form.

    `gone` are the columns without a heading, `strange` the headings that name no column, each with its cell and the
    cells under it. Each is proposed once, the likeliest pairs first.
    """
    pairs = []
    for place, (found, cell, cells) in enumerate(strange[:MOST_STRANGE]):
        for column in gone:
            score, evidence = _likeness_in_all(found, cells, column, form_set, year)
            if score >= LIKELY:
                pairs.append((-score, place, column, Renamed(column.heading, column.key, found, cell, score, evidence)))
    taken: set[object] = set()
    renamed = []
    for _, place, column, one in sorted(pairs, key=lambda pair: pair[:2]):
        if not taken & {place, column.key}:
            taken |= {place, column.key}
            renamed.append(one)
    return Proposal(
        form_set.form_set,
        form.table,
        form.title,
        sheet,
        tuple(column.heading for column in gone),
        tuple(found for found, _, _ in strange),
        tuple(renamed),
    )


# Moved headings


def moved_columns(
    form_set: FormSet, columns: Mapping[str, Column], cells: Mapping[str, "CellColumn"], year: int
) -> list[tuple[str, str]]:
    """Columns under each other's headings: (key of the heading, key of the column that its cells are).

    `columns` stand in the sheet's order. A column is suspected where under half of its cells read as its own. That is
    dirt, and for the issue list, unless its cells nearly all (0.9) read as another column's and, in a ring, the others'
    as its: only then were headings moved and cells not. Three neighbours that all hold the next one's cells are a row
    of headings that slipped. An empty list where nothing moved.
    """
    readers = {key: _belongs(column, form_set, year) for key, column in columns.items()}
    # The distinct cells are those of all rows, also of notes and totals: the second look is at the records alone.
    if all(is_free_text(column) or _plainly_reads(cells[key], readers[key]) for key, column in columns.items()):
        return []
    shares = {key: share_that_reads(cells[key], readers[key]) for key in columns}
    suspects = [key for key in columns if shares[key][1] >= FEW and shares[key][0] < 0.5]
    if all(is_free_text(columns[key]) for key in suspects):
        return []
    # A column that takes any text, or any code, does not notice what is another's: it may be part of a ring too.
    nodes = [key for key in columns if key in suspects or (_takes_any(columns[key]) and shares[key][1] >= FEW)]
    reads_as = {
        one: [other for other in nodes if other != one and share_that_reads(cells[one], readers[other])[0] >= 0.9]
        for one in nodes
    }
    for start in suspects:
        if not is_free_text(columns[start]) and (ring := _ring(start, reads_as)):
            return list(zip(ring, [*ring[1:], ring[0]], strict=True))
    order = list(columns)
    for step in (1, -1):
        slipped = [
            (key, order[place + step])
            for place, key in enumerate(order)
            if key in suspects
            and 0 <= place + step < len(order)
            and not is_free_text(columns[order[place + step]])
            and share_that_reads(cells[key], readers[order[place + step]])[0] >= 0.9
        ]
        if len(slipped) >= 3:
            return slipped
    return []


def _ring(start: str, follows: Mapping[str, Sequence[str]]) -> list[str]:
    """The shortest way from a node back to itself; empty where there is none."""
    ways = [[start]]
    seen = {start}
    while ways:
        longer = []
        for way in ways:
            for following in follows[way[-1]]:
                if following == start:
                    return way
                if following not in seen:
                    seen.add(following)
                    longer.append([*way, following])
        ways = longer
    return []


# Adopted headings


class AdoptionError(ValueError):
    """A heading that cannot be adopted; the message is Vietnamese."""


@dataclass(frozen=True)
class Alias:
    """A heading that a person has adopted for a column."""

    form_set: str
    form: str
    column: str
    heading: str
    by: str
    at: str
    """UTC, ISO 8601."""


def list_aliases(data: Path) -> list[Alias]:
    """The adopted headings in force, the oldest first; raises `AdoptionError` where their file is damaged."""
    return [
        Alias(*(str(record.get(name, "")) for name in ("form_set", "form", "column", "heading", "by", "at")))
        for record in adopted(_records(data / "form_sets" / ALIASES))
    ]


def adopt(data: Path, form_set: str, form: str, column: str, heading: str, *, by: str, at: datetime) -> bool:
    """Adopt a heading for a column of a form; False where the column has it already.

    `form` is the form's table (``members``) or title (``Biểu 3``), `column` a key (``ethnicity``) or a known heading.
    Raises `AdoptionError` where the heading already names another column, or there is no such form set, form or column.
    """
    heading = clean(heading)
    with _locked(data):
        target = _form(data, form_set, form)
        agreed = target.by_key.get(column) or target.column_of(column)
        if agreed is None:
            raise AdoptionError(f"{target.title} không có cột “{column}”; các cột: {', '.join(target.by_key)}.")
        key = heading_key(heading)
        if not re.search(r"[^\W\d_]", key) or len(heading) > LONGEST_ADOPTED or not heading.isprintable():
            raise AdoptionError(f"Tiêu đề phải là chữ, không quá {LONGEST_ADOPTED} ký tự.")
        if re.search(r"\d{9}", heading):
            raise AdoptionError("Đây là mã hoặc số thẻ, không phải tiêu đề.")
        if key in form_sets_of(data)[form_set].ignored_headings:
            raise AdoptionError(f"“{heading}” là tiêu đề của cột được phép thêm và không đọc (STT, Ghi chú).")
        owner = target.by_heading.get(key)
        if owner is not None and owner.key != agreed.key:
            raise AdoptionError(
                f"“{heading}” đã là tiêu đề của cột “{owner.heading}” ({owner.key}) trong {target.title}."
            )
        if owner is not None:
            return False
        _append(data, form_set, target.table, agreed.key, heading, "adopted", by, at)
    return True


def remove(data: Path, form_set: str, form: str, column: str, heading: str, *, by: str, at: datetime) -> bool:
    """Take an adopted heading back, keeping in the file that it was in force; False where it is not adopted.

    A heading of the agreement itself cannot be taken back. Raises `AdoptionError` where the file is damaged, or there
    is no such form set or form.
    """
    with _locked(data):
        target = _form(data, form_set, form)
        agreed = target.by_key.get(column) or target.column_of(column)
        found = [
            alias
            for alias in list_aliases(data)
            if (alias.form_set, alias.form, alias.column) == (form_set, target.table, agreed.key if agreed else column)
            and heading_key(alias.heading) == heading_key(heading)
        ]
        for alias in found:
            _append(data, alias.form_set, alias.form, alias.column, alias.heading, "removed", by, at)
    return bool(found)


def _form(data: Path, form_set: str, name: str) -> Form:
    try:
        form_sets = form_sets_of(data)
    except ValueError as error:
        raise AdoptionError(f"Không đọc được các bộ biểu: {error}") from error
    if form_set not in form_sets:
        raise AdoptionError(f"Không có bộ biểu “{form_set}”; các bộ biểu: {', '.join(form_sets)}.")
    forms = form_sets[form_set].forms
    found = [form for form in forms if name == form.table or form.is_sheet(name)]
    if not found:
        raise AdoptionError(
            f"Bộ biểu {form_set} không có biểu “{name}”; các biểu: {', '.join(form.title for form in forms)}."
        )
    return found[0]


def _records(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    try:
        records = read_yaml(path)
        adopted(records)
    except (ValueError, yaml.YAMLError) as error:
        raise AdoptionError(f"Tệp {path} hỏng, hãy khôi phục từ bản sao lưu: {error}") from error
    assert isinstance(records, list)
    return records


@contextmanager
def _locked(data: Path) -> Iterator[None]:
    """One writer at a time."""
    folder = data / "form_sets"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".aliases.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _append(
    data: Path, form_set: str, form: str, column: str, heading: str, action: str, by: str, at: datetime
) -> None:
    path = data / "form_sets" / ALIASES
    record = {
        "form_set": form_set,
        "form": form,
        "column": column,
        "heading": heading,
        "action": action,
        "by": by,
        "at": at.isoformat(timespec="seconds"),
    }
    text = yaml.safe_dump([*_records(path), record], allow_unicode=True, sort_keys=False, width=1000)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".aliases.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
