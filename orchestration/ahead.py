"""What a run works out ahead of the step that asks for it: beside itself, in processes that only read the warehouse.

Judging takes seconds, Great Expectations some more to be imported, and Python does one thing at a time in a process.
Nothing rests on these processes: what they do not do, the step does itself.
"""

import atexit
import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from queue import SimpleQueue

import pandas as pd

from orchestration.settings import PROJECT

Work = Callable[..., object]
"""A function of a module, called with the tables, a folder for the files it makes, and what it was announced with."""

HANDS = min(3, (os.cpu_count() or 1) - 1)
"""Processes beside the run's own."""

PLACE = "ahead"
"""Folder, beside an unfinished warehouse, of the files that were made ahead."""

LARGEST_BYTES = 1_000_000_000
"""Of a larger warehouse several processes would hold too much at once."""

PATIENCE_SECONDS = 1.0
"""How long a process that is no longer needed may take to end by itself."""


class LostError(RuntimeError):
    """The process is gone, or could not do it: whoever asked has to do it, and sees why."""


@dataclass(frozen=True)
class _Announced:
    """What some step will ask for."""

    needs: frozenset[str]
    imports: str
    hand: int


_Key = tuple[str, tuple[object, ...]]

_announced: dict[_Key, _Announced] = {}
"""By name of the work and what it is called with."""


def announce(work: Work, *arguments: object, needs: Iterable[str] = (), imports: str, hand: int) -> None:
    """Let runs do `work` ahead, once the marts that it `needs` are made: without any, as soon as there is a warehouse.

    What has the same `hand` is done by one process, in the order of announcement; `imports` is what takes it long.
    """
    _announced[_name(work), arguments] = _Announced(frozenset(needs), imports, hand)


@dataclass
class Ahead:
    """What is being worked out for one run."""

    _made: set[str] = field(default_factory=set)
    _asked: dict[_Key, tuple[Future, Path]] = field(default_factory=dict)
    _begun: set[_Key] = field(default_factory=set)

    def begin(self, database: Path, made: Iterable[str]) -> None:
        """Ask for what was announced and needs only what is `made` by now; the warehouse is not written any more."""
        self._made |= set(made)
        if database.stat().st_size > LARGEST_BYTES:
            return
        for number, (key, one) in enumerate(_announced.items()):
            hand = _hand(one.hand)
            if hand is not None and key not in self._begun and one.needs <= self._made:
                place = database.parent / PLACE / str(number)
                self._asked[key] = hand.ask(key[0], database, place, key[1]), place
                self._begun.add(key)

    def done(self, work: Work, tables: Mapping[str, pd.DataFrame], folder: Path, *arguments: object) -> object:
        """What `work` gives, its files in `folder`: as it was worked out ahead, or else worked out now."""
        asked = self._asked.pop((_name(work), arguments), None)
        if asked is not None:
            future, place = asked
            try:
                found = future.result()
            except LostError:
                return work(tables, folder, *arguments)
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(place.glob("*")):
                os.replace(path, folder / path.name)
            return found
        return work(tables, folder, *arguments)

    def settle(self) -> None:
        """Wait until nobody reads the warehouse any more: DuckDB lets nobody write beside a reader."""
        wait([future for future, _ in self._asked.values()])


def warm() -> None:
    """Start the processes and let them import what they will need."""
    wanted = ((module, one.hand) for (work, _), one in _announced.items() for module in (work, one.imports))
    for module, number in dict.fromkeys(wanted):
        if (hand := _hand(number)) is not None:
            hand.ask(module)


def _name(work: Work) -> str:
    return f"{work.__module__}:{work.__qualname__}"


# --- processes ---------------------------------------------------------------------------------------------------


class _Hand:
    """A process that does what it is asked, one thing after the other, as long as this process lives."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[tuple[Future, tuple]] = SimpleQueue()
        self._process: subprocess.Popen | None = None
        threading.Thread(target=self._pass_on, daemon=True).start()
        atexit.register(self.end)

    def ask(self, *about: object) -> Future:
        """What comes of it, later; the future fails with `LostError` and nothing else."""
        future: Future = Future()
        self._asked.put((future, (dict(os.environ), about)))
        return future

    def end(self) -> None:
        """Let the process go; it has nothing that could be lost."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):
            process.stdin.close()
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _pass_on(self) -> None:
        while True:
            future, request = self._asked.get()
            try:
                is_done, found = self._answer(pickle.dumps(request))
            except Exception as error:  # noqa: BLE001 - whoever asked does it, and tells
                self.end()
                is_done, found = False, type(error).__name__
            if is_done:
                future.set_result(found)
            else:
                future.set_exception(LostError(found))

    def _answer(self, request: bytes) -> tuple[bool, object]:
        if self._process is None:
            command = [sys.executable, "-m", "orchestration.ahead"]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._process = subprocess.Popen(command, cwd=PROJECT, **pipes)
        self._process.stdin.write(request)
        self._process.stdin.flush()
        return pickle.load(self._process.stdout)


@cache
def _hands() -> tuple[_Hand, ...]:
    return tuple(_Hand() for _ in range(HANDS))


def _hand(number: int) -> _Hand | None:
    return _hands()[number % HANDS] if HANDS else None


def _serve() -> None:
    """Do what is asked on the standard input until it ends; whoever asked may be gone by then."""
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed meanwhile is no answer
    while True:
        try:
            environment, (name, *about) = pickle.load(asked)
        except EOFError:
            return
        os.environ.clear()
        os.environ.update(environment)
        try:
            answer = pickle.dumps((True, _do(name, *about)))
        except Exception as error:  # noqa: BLE001 - whoever asked does it again, and tells
            answer = pickle.dumps((False, type(error).__name__))
        answers.write(answer)
        answers.flush()


def _do(name: str, database: Path | None = None, place: Path | None = None, arguments: tuple = ()) -> object:
    module, _, function = name.partition(":")
    work = importlib.import_module(module)
    if database is None:
        return None
    return getattr(work, function)(_tables(database), place, *arguments)


@lru_cache(maxsize=1)
def _tables(database: Path) -> Mapping[str, pd.DataFrame]:
    from orchestration.warehouse import Tables

    return Tables(database)


if __name__ == "__main__":
    _serve()
    os._exit(0)  # taking down what was imported, piece by piece, takes a second
