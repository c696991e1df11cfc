"""The build lock: one holder, named to the next, gone with its process."""

import signal
import subprocess
import sys
import time

import pytest

from orchestration import lock

HOLD_FOR_EVER = """
import sys, time
from pathlib import Path
from orchestration import lock
with lock.hold(Path(sys.argv[1]), "dựng kho", run_id="run-1"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other_process(tmp_path):
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_FOR_EVER, str(tmp_path / "build.lock")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_builder_is_refused_and_told_who_holds_the_lock(tmp_path, other_process):
    with (
        pytest.raises(lock.LockBusyError, match=rf"tiến trình {other_process.pid} trên máy .+ dựng kho"),
        lock.hold(tmp_path / "build.lock", "khác", wait_seconds=0),
    ):
        pass


def test_a_second_builder_that_waits_is_told_for_whom_and_gets_the_lock_when_it_is_free(tmp_path, other_process):
    waited_for = []

    def release(holder):
        waited_for.append(holder.pid)
        other_process.terminate()

    with lock.hold(tmp_path / "build.lock", "khác", wait_seconds=300, on_wait=release):
        assert waited_for == [other_process.pid]


def test_a_killed_holder_leaves_the_lock_free(tmp_path, other_process):
    other_process.send_signal(signal.SIGKILL)
    other_process.wait()

    with lock.hold(tmp_path / "build.lock", "khác", wait_seconds=0) as holder:
        assert holder.purpose == "khác"


def test_the_holder_is_known_while_it_holds_and_nobody_is_after(tmp_path):
    path = tmp_path / "build.lock"
    assert lock.holder(path) is None
    with lock.hold(path, "dựng kho", run_id="run-1"):
        assert lock.holder(path).run_id == "run-1"
    assert lock.holder(path) is None


def test_children_do_not_inherit_the_lock(tmp_path):
    path = tmp_path / "build.lock"
    with lock.hold(path, "dựng kho"):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], close_fds=False)
    try:
        time.sleep(0.2)
        assert lock.holder(path) is None
    finally:
        child.kill()
        child.wait()
