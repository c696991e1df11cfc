"""Work that a process beside a run can be asked for: it finds functions by the name of their module."""

import os
import signal
from pathlib import Path

from orchestration.warehouse import Tables
from submissions.store import write_aside


def count(tables: Tables, folder: Path, name: str) -> tuple[int, int]:
    """Rows of a table and who counted them; leaves a file."""
    rows = len(tables[name])
    folder.mkdir(parents=True, exist_ok=True)
    write_aside(folder / f"{name}.txt", str(rows).encode())
    return rows, os.getpid()


def fall(tables: Tables, folder: Path) -> int:
    """Ends the process it is done in, unless it is the one named in the environment."""
    if os.getpid() != int(os.environ["THIS"]):
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


def refuse(tables: Tables, folder: Path) -> None:
    raise LookupError("a rule without a function")
