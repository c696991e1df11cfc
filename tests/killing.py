"""Killing: a function is run in a process of its own that dies at one of its calls to the system, or at any moment."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

CALLS = ("replace", "link", "fsync", "open", "close", "unlink")
"""What leaves something on disk, or makes it stay there."""

# Forked from a process that has read the modules already and has opened nothing: a start costs next to nothing.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["orchestration.releases", "tests.beside"])


def killed_at(call: int, function: Callable, *arguments: object) -> int:
    """Exit code of a process that runs `function` and is killed before its n-th call to the system; 0 if it ends."""
    process = SERVER.Process(target=_die_at, args=(call, function, arguments))
    process.start()
    process.join()
    return process.exitcode


@dataclass(frozen=True)
class Begun:
    """A process that is at work."""

    process: BaseProcess
    said: Connection

    def kill(self) -> None:
        """Kill it without warning, if it has not ended."""
        self.process.kill()
        self.process.join()

    def end(self) -> list[object]:
        """Wait until it ends by itself, which it has to do well; what it has said since it began."""
        told = []
        with suppress(EOFError):
            while True:
                told.append(self.said.recv())
        self.process.join()
        assert self.process.exitcode == 0
        return told


def begin(function: Callable, *arguments: object) -> Begun:
    """Run `function` in a process of its own; returns when it has first said something to the callable given last."""
    ours, theirs = SERVER.Pipe(duplex=False)
    process = SERVER.Process(target=_say, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    ours.recv()
    return Begun(process, ours)


def _say(connection: Connection, function: Callable, arguments: tuple[object, ...]) -> None:
    with connection:
        function(*arguments, connection.send)


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
