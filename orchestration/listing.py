"""Lists written for people: CSV that only its owner reads and that no spreadsheet takes for formulas."""

import os
import re
from pathlib import Path

import pandas as pd

from orchestration.problems import ProblemError, reason

FORMULA = re.compile(r"^[=+\-@\t\r＝＋－＠]")

NUMBER = re.compile(r"^[+-]?\d+([.,]\d+)*%?$")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write `frame` as UTF-8 CSV with mode 0600, aside first; a text that would start a formula gets a ``'``.

    Raises `ProblemError` where the file cannot be written.
    """
    safe = frame.copy()
    for column in safe.select_dtypes(["object", "str"]):
        safe[column] = safe[column].map(harmless, na_action="ignore")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            safe.to_csv(file, index=False)
        os.replace(aside, path)
    except OSError as error:
        raise ProblemError(f"Không ghi được {path}: {reason(error)}.") from error


def harmless(value: object) -> object:
    """`value` as a spreadsheet may open it: numbers stay numbers, formulas become text."""
    if isinstance(value, str) and FORMULA.match(value) and not NUMBER.match(value):
        return f"'{value}"
    return value
