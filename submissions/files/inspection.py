"""A look at any file without a form set: what it is, why it is refused or what is odd about it, and its cells."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from submissions.files.codes import refused
from submissions.files.limited import MEMORY, SECONDS, run_limited
from submissions.files.package import stored
from submissions.files.source import Cells, ErrorCell, Hazard, RefusedError, Source, Uncalculated, open_source
from submissions.files.taking import check_name, readable_name, take

_CELLS_NAMED = 5


@dataclass(frozen=True)
class Inspection:
    """What a look at a file told."""

    file: str
    size: int | None = None
    sha256: str | None = None
    type: str | None = None
    """``xlsx``, ``xls``, ``ods``, ``csv`` or ``csv_zip``; None where the file was refused before that was known."""
    refusal: RefusedError | None = None
    hazards: tuple[Hazard, ...] = ()
    sheets: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    """Name, visible, rows, columns and cells of each sheet, as JSON values."""

    @property
    def state(self) -> str:
        """``read`` or ``refused``."""
        return "read" if self.refusal is None else "refused"

    def to_json(self, cells: bool = False) -> dict[str, Any]:
        """All of it as JSON values; `cells` says whether to give the cells too."""
        return {
            "file": self.file,
            "size": self.size,
            "sha256": self.sha256,
            "type": self.type,
            "state": self.state,
            "refusal": None if self.refusal is None else {"code": self.refusal.code, "message": str(self.refusal)},
            "hazards": [
                {key: asdict(met)[key] for key in ("code", "sheet", "cell", "count", "message")} for met in self.hazards
            ],
            "sheets": [
                sheet if cells else {key: value for key, value in sheet.items() if key != "cells"}
                for sheet in self.sheets
            ],
        }


def inspect_file(path: Path | str, *, seconds: float = SECONDS, memory: int = MEMORY) -> Inspection:
    """Look at a file, or at a folder of CSV files; never raises for what it holds, and ends in `seconds`."""
    name = readable_name(path) or str(path)
    content: bytes | None = None
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            content, met = _folder(Path(path)), []
        else:
            met = check_name(path)
            content = take(path)
        found: Any = run_limited(_look, content, name, seconds=seconds, memory=memory)
    except RefusedError as error:
        if content is None:
            return Inspection(name, refusal=error)
        return Inspection(name, len(content), hashlib.sha256(content).hexdigest(), refusal=error)
    return Inspection(
        name,
        len(content),
        hashlib.sha256(content).hexdigest(),
        found["type"],
        RefusedError(*found["refusal"]) if found["refusal"] else None,
        (*met, *(Hazard(**entry) for entry in found["hazards"])),
        tuple(found["sheets"]),
    )


def _folder(folder: Path) -> bytes:
    """The files of a folder as one package, which is then opened as a zip of CSV."""
    from submissions.files.delimited import check_size

    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "~")))
    except OSError:
        raise refused("UNREADABLE_FILE", why="không có quyền đọc thư mục") from None
    if not any(path.suffix.lower() in {".csv", ".txt", ".tsv"} for path in paths):
        raise refused("NOT_A_REGULAR_FILE", what="thư mục không có tệp CSV")
    parts = []
    size = 0
    for path in paths:
        check_name(path)
        parts.append((readable_name(path), take(path)))
        size += len(parts[-1][1])
        check_size(size)
    return stored(parts)


def _look(content: bytes, name: str) -> dict[str, Any]:
    """What the limited process finds, as JSON values."""
    from submissions.files.cell_hazards import cell_hazards

    source = open_source(content, name)
    hazards = list(source.hazards)
    sheets, uncalculated = [], []
    for sheet in source.sheets:
        cells = source.cells(sheet.name)
        hazards += cell_hazards(sheet.name, cells)
        if sheet.visible:
            uncalculated += list(_uncalculated(sheet.name, cells))
        sheets.append({**asdict(sheet), "cells": [_json_row(row) for row in cells]})
    refusal = None
    if uncalculated:
        refusal = refused("FORMULA_NOT_CALCULATED", cells=_listed(uncalculated))
    return {
        "type": source.kind,
        "refusal": [refusal.code, str(refusal)] if refusal else None,
        "hazards": [asdict(met) for met in hazards],
        "sheets": sheets,
    }


def refuse_uncalculated(source: Source) -> None:
    """Raise `RefusedError` where a shown sheet holds formulas without result, naming their cells."""
    met = {item.sheet for item in source.hazards if item.code == "FORMULA_NOT_CALCULATED"}
    places: list[str] = []
    for sheet in source.sheets:
        if sheet.visible and sheet.name in met:
            places += _uncalculated(sheet.name, source.cells(sheet.name))
    if places:
        raise refused("FORMULA_NOT_CALCULATED", cells=_listed(places))


def _uncalculated(sheet: str, cells: Cells) -> Iterator[str]:
    from submissions.files.layout import place

    for number, row in enumerate(cells, start=1):
        for column, cell in enumerate(row, start=1):
            if isinstance(cell, Uncalculated):
                yield f"“{sheet}” {place(number, column)}"


def _listed(places: list[str]) -> str:
    more = len(places) - _CELLS_NAMED
    return ", ".join(places[:_CELLS_NAMED]) + (f" và {more} ô khác" if more > 0 else "")


def _json_row(row: list[object]) -> list[object]:
    made = [_json(cell) for cell in row]
    while made and made[-1] is None:
        made.pop()
    return made


def _json(cell: object) -> object:
    if cell is None or cell == "":
        return None
    if isinstance(cell, ErrorCell):
        return {"error": str(cell)}
    if isinstance(cell, Uncalculated):
        return {"uncalculated": str(cell)}
    if isinstance(cell, float) and cell - cell != 0:
        return {"error": "#NUM!"}
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < 2**53 else cell
    if isinstance(cell, datetime | date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(cell.total_seconds(), 60)
        hours, minutes = divmod(int(minutes), 60)
        return f"PT{hours}H{minutes}M{seconds:g}S"
    return cell
