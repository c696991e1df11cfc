"""The cells of a sheet of the plainest shape, made from the look over its XML: shared texts, numbers and days.

Most sheets hold nothing else. Made as arrays, their cells cost a fifth of what the quick reader takes for them one by
one. Whatever is of another shape is left to it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from submissions.files.source import Cells


def tag_key(tag: bytes) -> int:
    """The number that stands for a tag in a `Layout`: its first two bytes."""
    return tag[0] << 8 | tag[1]


_CELL, _CELL_END, _ROW_END = tag_key(b"c "), tag_key(b"/c"), tag_key(b"/r")
_VALUE, _VALUE_END = tag_key(b"v>"), tag_key(b"/v")
_FORMULAS, _FORMULA_END = [tag_key(tag) for tag in (b"f>", b"f ", b"f/")], tag_key(b"/f")
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_KINDS = ("number", "date", "duration")
_DAY_ZERO = np.datetime64("1899-12-30")
_FIRST_DAY, _LAST_DAY = 61, 2_958_465
"""1 March 1900, before which Excel counts a day too many, and the end of 9999."""
_ZEROS, _ABOVE_NINE, _HIGHEST = (np.uint64(int.from_bytes(bytes([byte]) * 8)) for byte in (0x30, 0x76, 0x80))
_FOLDS = [
    (np.uint64(base), np.uint64(width), np.uint64(mask))
    for base, width, mask in ((10, 8, 0x00FF00FF00FF00FF), (100, 16, 0x0000FFFF0000FFFF), (10_000, 32, 0xFFFFFFFF))
]


@dataclass(frozen=True)
class Layout:
    """Where everything is in the rows of a sheet that was found plain."""

    body: bytes
    brackets: np.ndarray
    """Where each tag begins."""
    tags: np.ndarray
    """What it is, as `tag_key` tells."""
    cells: np.ndarray
    """Which of the tags are cells."""
    rows: np.ndarray
    columns: np.ndarray
    """Row and column (from 1) of each cell."""


def plain_cells(layout: Layout, texts: np.ndarray, kinds: Sequence[str]) -> Cells | None:
    """The cells of a sheet from its shared texts (objects) and the kinds of its styles; None where another is to read.

    An empty cell is an empty text, a number a float, a number of a style that shows dates a date.
    """
    eights, tags = _eights(layout.body), layout.tags
    values = _values(layout)
    if values is None:
        return None
    filled = values > 0
    values = values[filled]
    rows, columns = layout.rows[filled], layout.columns[filled]
    if not len(values) or np.any(tags[values + 1] != _VALUE_END) or np.any(tags[values + 2] != _CELL_END):
        return None
    heads = _heads(eights, layout.brackets[layout.cells[filled]], rows, columns)
    if heads is None:
        return None
    styles, are_texts = heads
    starts, ends = layout.brackets[values] + 3, layout.brackets[values + 1]
    numbers, whole = _whole_numbers(eights[starts], ends - starts)
    places = numbers[are_texts]
    if not np.all(whole[are_texts]) or np.any(places >= len(texts)) or np.any(styles >= len(kinds)):
        return None
    # A cell without style, -1, finds the last one.
    kind = np.array([*(_KINDS.index(kind) for kind in kinds), 0])[styles]
    kind[are_texts] = 0
    days = np.flatnonzero(kind == 1)
    if np.any(kind > 1) or not np.all(whole[days] & (numbers[days] >= _FIRST_DAY) & (numbers[days] <= _LAST_DAY)):
        return None
    made = np.empty(len(values), dtype=object)
    made[are_texts] = texts[places]
    amounts = np.flatnonzero(whole & ~are_texts & (kind == 0))
    made[amounts] = numbers[amounts].astype(float)
    for place in np.flatnonzero(~whole).tolist():
        written = layout.body[starts[place] : ends[place]]
        if _NUMBER.fullmatch(written) is None:
            return None
        made[place] = float(written)
    distinct, of_days = np.unique(numbers[days], return_inverse=True)
    made[days] = (_DAY_ZERO + distinct).astype(object)[of_days]
    grid = np.full((rows.max(), columns.max()), "", dtype=object)
    grid[rows - 1, columns - 1] = made
    return grid.tolist()


def _values(layout: Layout) -> np.ndarray | None:
    """Which tag is the value of each cell, 0 where it has none; None where a cell holds something else."""
    # So that a look three tags ahead never falls off the end.
    tags, cells = np.append(layout.tags, [0, 0, 0]), layout.cells
    first, second, third = tags[cells + 1], tags[cells + 2], tags[cells + 3]
    calculated = (first == _FORMULAS[0]) | (first == _FORMULAS[1]) | (first == _FORMULAS[2])
    behind = np.select(
        [first == _VALUE, calculated & (second == _VALUE), calculated & (second == _FORMULA_END) & (third == _VALUE)],
        [1, 2, 3],
    )
    if np.any((behind == 0) & (first != _CELL) & (first != _CELL_END) & (first != _ROW_END)):
        return None
    return np.where(behind > 0, cells + behind, 0)


def _heads(
    eights: np.ndarray, cells: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """The style of each cell (-1: none) and whether it holds a shared text; None where a cell says anything else.

    A cell begins ``<c r="B7">`` or ``<c r="B7" s="2" t="s">``; ``t="n"`` is a number like none.
    """
    letters = 1 + (columns > 26) + (columns > 26 + 26**2)
    digits = 1 + np.searchsorted(10 ** np.arange(1, 8), rows, side="right")
    at = cells + len('<c r="') + letters + digits
    found = eights[at]
    if not np.all(_begin(found, b'"')):
        return None
    styles = np.full(len(at), -1)
    styled = np.flatnonzero(_begin(found, b'" s="'))
    starts = at[styled] + len('" s="')
    written = eights[starts]
    lengths = np.zeros(len(starts), dtype=np.int64)
    for length in range(5, 0, -1):
        lengths[(written >> np.uint64(8 * length)) & np.uint64(255) == ord('"')] = length
    styles[styled], whole = _whole_numbers(written, lengths)
    at[styled] = starts + lengths
    found[styled] = eights[at[styled]]
    are_texts = _begin(found, b'" t="s">')
    if not np.all(whole) or not np.all(are_texts | _begin(found, b'">') | _begin(found, b'" t="n">')):
        return None
    return styles, are_texts


def _eights(body: bytes) -> np.ndarray:
    """The eight bytes from each byte on, as one number of which the first byte is the lowest part."""
    return np.ndarray(len(body) - 7, dtype="<u8", buffer=body, strides=(1,))


def _begin(eights: np.ndarray, text: bytes) -> np.ndarray:
    """Whether each begins with a text of up to eight bytes."""
    mask = np.uint64((1 << 8 * len(text)) - 1)
    return eights & mask == np.uint64(int.from_bytes(text, "little"))


def _whole_numbers(eights: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that the first bytes write, so many of each, and whether each is one: one to eight digits."""
    whole = (lengths > 0) & (lengths <= 8)
    shift = (8 * (8 - np.where(whole, lengths, 8))).astype(np.uint64)
    # Digits by their worth, with zeros before them; what is none comes out above 9.
    digits = (eights << shift) ^ (_ZEROS << shift)
    whole &= (digits | (digits + _ABOVE_NINE)) & _HIGHEST == 0
    for base, width, mask in _FOLDS:  # neighbours into tens, these into thousands, these into one number
        digits = (digits * base + (digits >> width)) & mask
    return digits.astype(np.int64), whole
