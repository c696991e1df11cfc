"""The build lock: whoever changes the store or the warehouse holds it, and is named to whoever comes second."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from orchestration.problems import ProblemError

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Holder:
    """Who holds the lock."""

    pid: int
    host: str
    since: str
    purpose: str
    run_id: str | None = None

    def __str__(self) -> str:
        return f"tiến trình {self.pid} trên máy {self.host}, từ {self.since}, đang làm: {self.purpose}"


class LockBusyError(ProblemError):
    """Somebody else holds the lock; the message names them."""


def holder(path: Path) -> Holder | None:
    """Whoever holds the lock at `path` now, nobody if it is free."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return _written(path)


def _written(path: Path) -> Holder:
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError):  # the holder has the lock and is just writing its name
        return Holder(pid=0, host="?", since="?", purpose="?")


@contextmanager
def hold(
    path: Path,
    purpose: str,
    *,
    run_id: str | None = None,
    wait_seconds: float = WAIT_SECONDS,
    on_wait: Callable[[Holder], None] | None = None,
    across_exec: bool = False,
) -> Iterator[Holder]:
    """Hold the lock at `path`; wait for it at most `wait_seconds`, then refuse, naming the holder.

    With `across_exec` it is kept by the program that this process becomes.

    A `flock` belongs to the open file and goes with the process, so a killed holder leaves nothing to clean up.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        _wait(file.fileno(), path, wait_seconds, on_wait)
        os.set_inheritable(file.fileno(), across_exec)
        me = Holder(os.getpid(), socket.gethostname(), f"{datetime.now():%d/%m/%Y %H:%M:%S}", purpose, run_id)
        file.truncate(0)
        file.write(json.dumps(asdict(me), ensure_ascii=False))
        file.flush()
        try:
            yield me
        finally:
            file.truncate(0)


def _wait(descriptor: int, path: Path, wait_seconds: float, on_wait: Callable[[Holder], None] | None) -> None:
    until = time.monotonic() + wait_seconds
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            other = _written(path)
            if time.monotonic() >= until:
                raise LockBusyError(f"Kho đang được dùng bởi {other}. Hãy đợi xong rồi chạy lại.") from None
            if on_wait and not told:
                on_wait(other)
                told = True
            time.sleep(0.2)
