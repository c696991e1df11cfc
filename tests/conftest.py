"""Fixtures of the whole path: one real province of one unit, run once and read by many."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from orchestration.settings import PROJECT, Folders, set_environment
from tests.provinces import lay_out
from tests.shared import shared

# A script's background job ignores SIGINT. Dagster, run in a test, would make SIGTERM the same, and what a later test
# starts could not be ended by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


MADE_ONCE = {
    f"tests/test_{name}.py"
    for name in (
        "crosswalk", "dbt_alone", "detection", "dictionary", "field_check_measured", "field_check_warehouse",
        "history_truth", "packs", "restatement", "sources", "templates", "templates_libreoffice", "trace",
        "warehouse_history", "warehouse_register", "warehouse_sql",
    )
}  # fmt: skip
"""Files whose tests share something that takes long to make."""


class Scheduling(LoadScopeScheduling):
    """One worker takes all tests of such a file, and first of all; others go wherever there is room."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return file if file in MADE_ONCE else nodeid


def pytest_xdist_make_scheduler(config, log):
    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def environment():
    """Each test leaves the environment as it was."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session", autouse=True)
def session(tmp_path_factory) -> None:
    shared.begin(tmp_path_factory)


@pytest.fixture(scope="session")
def whole() -> Folders:
    """A data directory in which the whole job has run once. For reading only: all tests of all workers share it."""

    def run(data: Path) -> None:
        from orchestration.runs import run_job

        folders = Folders(data)
        set_environment(lay_out(folders))
        outcome = run_job("whole", folders)
        assert outcome.succeeded, outcome

    return Folders(shared.once("whole", run))


@pytest.fixture
def own(whole, tmp_path) -> Folders:
    """A copy of the whole data directory that a test may change."""
    folders = Folders(tmp_path / "own")
    shutil.copytree(whole.data, folders.data, symlinks=True, copy_function=_copy_or_link(whole))
    return folders


def _copy_or_link(whole: Folders):
    """Copy files, but keep the published warehouse and its build one file, as they are."""
    placed: dict[int, str] = {}

    def copy(source: str, target: str) -> str:
        try:
            inode = os.stat(source).st_ino
        except FileNotFoundError:
            # The journal of a database that another test has just closed.
            if source.endswith(("-wal", "-shm", "-journal")):
                return target
            raise
        if inode in placed:
            os.link(placed[inode], target)
        else:
            placed[inode] = shutil.copy2(source, target)
        return target

    return copy


@pytest.fixture
def thucchat():
    """Run the command as a user does: a process of its own."""

    def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
        # Tests that work on a data directory in this process leave its place in the environment.
        own = {key: value for key, value in os.environ.items() if not key.startswith(("THUCCHAT_", "DAGSTER_HOME"))}
        options = {"env": own, **options}
        return subprocess.run(
            [sys.executable, "-m", "orchestration.command", *map(str, arguments)],
            capture_output=True,
            encoding="utf-8",
            cwd=PROJECT,
            check=False,
            **options,
        )

    return run
