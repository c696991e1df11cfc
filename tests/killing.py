"""Killing at every step: a function is run in a process of its own that dies at one of its calls to the system."""

import multiprocessing
import os
import signal
from collections.abc import Callable

CALLS = ("replace", "link", "fsync", "open", "close", "unlink")
"""What leaves something on disk, or makes it stay there."""

# Forked from a process that has read the modules already and has opened nothing: a start costs next to nothing.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["orchestration.releases"])


def killed_at(call: int, function: Callable, *arguments: object) -> int:
    """Exit code of a process that runs `function` and is killed before its n-th call to the system; 0 if it ends."""
    process = SERVER.Process(target=_die_at, args=(call, function, arguments))
    process.start()
    process.join()
    return process.exitcode


def _die_at(call: int, function: Callable, arguments: tuple[object, ...]) -> None:
    calls = 0

    def dying(original: Callable) -> Callable:
        def wrapped(*given: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == call:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*given, **options)

        return wrapped

    for name in CALLS:
        setattr(os, name, dying(getattr(os, name)))
    function(*arguments)
