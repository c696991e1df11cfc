"""What a file holds once it has passed the gate: sheets of cells, and the hazards that were met on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field

Cells = list[list[object]]
"""Rows of cells as they stand in the sheet: row 0 is row 1, position 0 is column A; rows may be ragged."""


class RefusedError(ValueError):
    """A file that cannot be read; the message is Vietnamese, for the unit that sent it."""

    def __init__(self, code: str, message: str) -> None:
        """Keep the stable code beside the message."""
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        """Cross processes whole: code and message."""
        return type(self), (self.code, str(self))


@dataclass(frozen=True)
class Hazard:
    """Something that makes a file easy to read wrongly, though it was read."""

    code: str
    message: str
    sheet: str | None = None
    cell: str | None = None
    """``B7``, ``B7:D9``, ``12:12`` (a row) or ``C:C`` (a column); None for the whole sheet or file."""
    count: int = 1


def failed(error: BaseException) -> bool:
    """Whether the quick reader failed on what a file holds; else its time or memory is over, or the program ends."""
    # A panic of Rust is no `Exception`.
    is_failure = isinstance(error, Exception) and not isinstance(error, MemoryError)
    return is_failure or type(error).__name__ == "PanicException"


class ErrorCell(str):
    """A cell that holds an error: ``#REF!``, ``#N/A``."""

    __slots__ = ()


class Uncalculated(str):
    """A formula of which the file holds no result."""

    __slots__ = ()


@dataclass(frozen=True)
class SheetInfo:
    """A sheet: its name, whether it is shown, and how far its cells reach."""

    name: str
    visible: bool
    rows: int
    columns: int


@dataclass(frozen=True)
class Source:
    """A file that passed the gate."""

    kind: str
    """``xlsx``, ``xls``, ``ods``, ``csv`` or ``csv_zip``."""
    sheets: tuple[SheetInfo, ...]
    hazards: tuple[Hazard, ...] = ()
    read: Callable[[str], Cells] = field(repr=False, default=lambda sheet: [])

    def cells(self, sheet: str) -> Cells:
        """The cells of a sheet; raises `RefusedError` where its data are damaged."""
        return self.read(sheet)


def open_source(content: bytes, name: str) -> Source:
    """The file as sheets of cells, once it has passed the gate; raises `RefusedError`.

    It reads in this process: call it in one of limited time and memory (`limited`). `name` is data, never a path.
    """
    from submissions.files.opening import open_file

    return open_file(content, name)
