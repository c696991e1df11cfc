"""``thucchat dev`` as a script starts it: it ends when it is told to, and takes everything it started with it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from orchestration import lock
from orchestration.settings import PROJECT, Folders

PATIENCE = 120.0
"""Seconds until a start or an end is taken to be stuck."""


def ignore_interrupts() -> None:
    """What a shell that is not interactive does to a job in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def working_on(folders: Folders) -> set[int]:
    """Processes of ours that work on a data directory."""
    found = set()
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and f"THUCCHAT_DATA={folders.data}\0" in (process / "environ").read_text():
                found.add(int(process.name))
        except (OSError, UnicodeDecodeError):
            continue
    return found


def wait_until(happens) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if happens():
            return True
        time.sleep(0.2)
    return False


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as reply:
            return re.search(rb"dagster", reply.read()) is not None
    except OSError:
        return False


@pytest.fixture
def served(tmp_path):
    """(process, data directory, port) of a server started as a background job."""
    folders, port = Folders(tmp_path / "data"), free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestration.command", "--data", folders.data, "dev", "--port", str(port)],
            cwd=PROJECT,
            preexec_fn=ignore_interrupts,
            stdout=log,
            stderr=log,
        )
    try:
        assert wait_until(lambda: answers(port)), (tmp_path / "log").read_text()
        yield process, folders, port
    finally:
        for one in working_on(folders):
            os.kill(one, signal.SIGKILL)
        process.kill()
        process.wait()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_server_in_the_background_of_a_script_ends_when_told_and_leaves_nothing_running(served, ending):
    process, folders, port = served
    assert len(working_on(folders)) > 1
    process.send_signal(ending)

    assert wait_until(lambda: process.poll() is not None)
    assert wait_until(lambda: not working_on(folders)), working_on(folders)
    assert not answers(port)
    assert lock.holder(folders.dagster / "dev.lock") is None
