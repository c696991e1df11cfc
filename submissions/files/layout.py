"""Limits on how far the cells of a sheet may reach, the same for every kind of file."""

from submissions.files.codes import refused
from submissions.files.sheet_scan import letters

MAX_CELLS = 5_000_000
MAX_COLUMNS = 1_000
MAX_BOX = 10_000_000


def check_extent(sheet: str, rows: int, columns: int, corner: str) -> None:
    """Refuse a sheet whose filled cells reach too far; `corner` names the cell that does."""
    if columns > MAX_COLUMNS or rows * columns > MAX_BOX:
        raise refused("FAR_CELL", sheet=sheet, cell=corner)


def check_count(sheet: str, cells: int) -> None:
    """Refuse a sheet with more filled cells than can be."""
    if cells > MAX_CELLS:
        raise refused("TOO_MANY_CELLS", sheet=sheet, count=f"hơn {MAX_CELLS:,}".replace(",", "."))


def place(row: int, column: int) -> str:
    """``B7`` of row and column counted from 1."""
    return f"{letters(column)}{row}"
