"""What lies in the inbox, and which of it has stopped changing."""

import time
from collections.abc import Mapping
from pathlib import Path

from submissions.intake import find_files

QUIET_SECONDS = 10.0
"""A file that has not changed for so long is taken to be whole."""

Stamp = tuple[int, int]
"""Size and time of last change (ns) of a file."""


def stamps(inbox: Path) -> dict[str, Stamp]:
    """Stamp of every workbook by its path in the inbox; one that vanishes meanwhile is not there."""
    found = {}
    workbooks, _ = find_files([inbox])
    for path in workbooks:
        try:
            state = path.stat()
        except FileNotFoundError:
            continue
        found[str(path.relative_to(inbox))] = (state.st_size, state.st_mtime_ns)
    return found


def settled(now: Mapping[str, Stamp], before: Mapping[str, Stamp], *, at: float) -> list[str]:
    """Names whose stamp is the same as `before` and at least `QUIET_SECONDS` old `at` that time."""
    return [name for name, stamp in now.items() if before.get(name) == stamp and at - stamp[1] / 1e9 >= QUIET_SECONDS]


def wait_until_settled(inbox: Path, *, patience_seconds: float = 60.0) -> tuple[list[Path], list[str]]:
    """Workbooks that have stopped changing, and the names of those that still change when patience ends."""
    until = time.monotonic() + patience_seconds
    before = stamps(inbox)
    while True:
        now = stamps(inbox)
        ready = settled(now, before, at=time.time())
        restless = sorted(set(now) - set(ready))
        if not restless or time.monotonic() >= until:
            return [inbox / name for name in ready], restless
        before = now
        time.sleep(0.5)
