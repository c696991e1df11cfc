"""What takes long to make is made once for all tests of a session, by whichever worker first asks for it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration import lock

WAIT_SECONDS = 600


class Shared:
    """The folder that all workers of a session share; `begin` says where it lies."""

    def __init__(self) -> None:
        self._base: Path | None = None

    def begin(self, factory: pytest.TempPathFactory) -> None:
        """Of a worker's own folders, the one above."""
        base = factory.getbasetemp()
        self._base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """The folder `name`, filled by `make` the first time. For reading only: tests of all workers share it."""
        assert self._base, "no session has begun"
        folder, done = self._base / name, self._base / f"{name}.done"
        with lock.hold(self._base / f"{name}.lock", "tests", wait_seconds=WAIT_SECONDS):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder


shared = Shared()
