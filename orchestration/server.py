"""The Dagster UI and daemon on this machine's loopback."""

import os
import signal

from orchestration import lock
from orchestration.instance import fail_lost_runs, open_instance
from orchestration.settings import Folders


def serve(folders: Folders, port: int) -> None:
    """Clear away runs that were lost, then become ``dagster dev``; one at a time, because it brings the daemon."""
    with lock.hold(folders.dagster / "dev.lock", "giao diện Dagster", wait_seconds=0, across_exec=True):
        with open_instance(folders) as instance:
            fail_lost_runs(instance, folders)
        # A script's background job ignores SIGINT; inherited, Dagster would ignore every signal that is to end it.
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, signal.SIG_DFL)
        workspace = str(folders.dagster / "workspace.yaml")
        os.execvp("dagster", ["dagster", "dev", "-w", workspace, "-h", "127.0.0.1", "-p", str(port)])
