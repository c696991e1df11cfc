"""Hazards that the cells of a sheet tell by themselves: numbers kept as text, and codes kept as numbers."""

import re

from submissions.files.codes import hazard
from submissions.files.layout import place
from submissions.files.source import Cells, ErrorCell, Hazard, Uncalculated

_NUMBER = re.compile(r"\s*[-+]?(?:0|[1-9]\d{0,8})(?:,\d+)?%?\s*|\s*[-+]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d+)?\s*")
_PLAIN = re.compile(r"\s*[-+]?(?:0|[1-9]\d{0,8})(?:,\d+)?%?\s*")
"""Without dots: ``67.004`` in a column of texts is a code."""
_LONG = 1e9
"""From ten digits on a number is more likely a code (card, identity, telephone) than a count."""


def cell_hazards(sheet: str, cells: Cells) -> list[Hazard]:
    """Hazards of a sheet's cells, one a kind, each at its first cell."""
    texts: list[str] = []
    codes: list[str] = []
    width = max(map(len, cells), default=0)
    for column in range(width):
        numbers = 0
        written: list[str] = []
        words = plain = 0
        for number, row in enumerate(cells, start=1):
            cell = row[column] if column < len(row) else ""
            if isinstance(cell, float | int) and not isinstance(cell, bool):
                numbers += 1
                if _LONG <= cell < 1e17 and cell == int(cell):
                    codes.append(place(number, column + 1))
            elif isinstance(cell, str) and cell and not isinstance(cell, ErrorCell | Uncalculated):
                if _NUMBER.fullmatch(cell):
                    written.append(place(number, column + 1))
                    plain += _PLAIN.fullmatch(cell) is not None
                else:
                    words += 1
        # Among numbers a text is a slip; where all are texts, it is a whole column of them below its heading.
        if written and (numbers > 0 or (plain > 1 and plain == len(written) and words <= max(3, len(written) // 10))):
            texts += written
    met = []
    if texts:
        met.append(hazard("NUMBERS_AS_TEXT", sheet, texts[0], len(texts)))
    if codes:
        met.append(hazard("CODE_AS_NUMBER", sheet, codes[0], len(codes)))
    return met
