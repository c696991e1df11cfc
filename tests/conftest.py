"""Fixtures of the whole path: one real province of one unit, run once and read by many."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import MutableMapping
from pathlib import Path
from unittest import mock

import pytest
from xdist.scheduler import LoadScopeScheduling

from orchestration.command import main
from orchestration.settings import PROJECT, Folders, set_environment
from tests.provinces import lay_out
from tests.shared import shared

# A script's background job ignores SIGINT. Dagster, run in a test, would make SIGTERM the same, and what a later test
# starts could not be ended by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


LONGEST_FIRST = (
    # What dbt builds, what the whole job builds, and what waits for neither: workers that begin together do not wait.
    "warehouse_history", "trace", "sources", "templates_libreoffice",
    "restatement", "history_truth", "builds", "command", "contradictions", "orchestration", "orchestration_warehouse",
    "orchestration_automation", "orchestration_inbox", "detection", "dictionary", "templates", "packs", "backlog",
    "intake_commands", "charts", "crosswalk", "field_check_measured", "field_check_warehouse", "review_marts",
)  # fmt: skip
"""Files that take long, in the order in which they begin; all others fill the gaps that they leave."""

SPREAD = ("builds", "command")
"""Files of which several tests take long and share nothing of their own: any worker takes any of their tests."""


class Scheduling(LoadScopeScheduling):
    """One worker takes all tests of a file, in the order of collection; what a file's tests share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return nodeid if _name(Path(file)) in SPREAD else file


def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(items):
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(_name(item.path), len(places)))


def _name(file: Path) -> str:
    return file.stem.removeprefix("test_")


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
    """Run the command in this process, from its words to its exit code: another one would import everything again."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess:
        from orchestration import terminal

        words = ["thucchat", *map(str, arguments)]
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="\n", write_through=True) for _ in range(2)]
        code = None
        with (
            mock.patch.dict(os.environ),
            mock.patch.object(sys, "argv", words),
            mock.patch.object(terminal, "console", type(terminal.console)(highlight=False, width=150)),
            contextlib.redirect_stdout(streams[0]),
            contextlib.redirect_stderr(streams[1]),
            contextlib.chdir(PROJECT),
        ):
            try:
                _forget_places(os.environ)
                main()
            except SystemExit as end:
                code = end.code
        told, complained = (stream.buffer.getvalue().decode("utf-8") for stream in streams)
        return subprocess.CompletedProcess(words, code or 0, told, complained)

    return run


@pytest.fixture
def process():
    """Run the command as a user does: a process of its own."""

    def run(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
        own = dict(os.environ)
        _forget_places(own)
        return subprocess.run(
            [sys.executable, "-m", "orchestration.command", *map(str, arguments)],
            capture_output=True,
            encoding="utf-8",
            cwd=PROJECT,
            check=False,
            **{"env": own, **options},
        )

    return run


def _forget_places(environment: MutableMapping[str, str]) -> None:
    """Tests that work on a data directory in this process leave its place in the environment."""
    for key in [key for key in environment if key.startswith(("THUCCHAT_", "DAGSTER_HOME"))]:
        del environment[key]
