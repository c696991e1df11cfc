"""Frames drawn as text inside a test."""

from inspect import cleandoc

import pandas as pd

TEXT_ENDINGS = ("_code", "_key", "_id", "_no", "_hash")


def table(text: str) -> pd.DataFrame:
    """Read a drawn table: a heading line, a rule of dashes, then rows of ``a | b``; an empty cell is missing.

    Columns of codes and keys stay text; others become booleans or numbers where all their cells allow it.
    """
    lines = [line for line in cleandoc(text).splitlines() if line.strip() and set(line.strip()) - set("-+|= ")]
    heading, *rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    frame = pd.DataFrame([[cell or None for cell in row] for row in rows], columns=heading, dtype="str")
    return frame.apply(lambda column: column if column.name.endswith(TEXT_ENDINGS) else _typed(column))


def _typed(column: pd.Series) -> pd.Series:
    """The column as booleans or numbers, or as it is."""
    given = column.dropna()
    if given.empty:
        return column
    if given.isin(["true", "false"]).all():
        return column.map({"true": True, "false": False})
    numbers = pd.to_numeric(given, errors="coerce")
    return column if numbers.isna().any() else pd.to_numeric(column)
