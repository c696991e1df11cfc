"""Work spread over processes: forked where this process has no threads, which costs nothing; else one after the other.

A process with threads (Dagster's web server, a run that is followed) is not forked: a lock that another thread holds
would be copied closed.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from submissions.files.limited import die_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")


def may_fork() -> bool:
    """Whether this process has one thread."""
    return threading.active_count() == 1


_work: Callable | None = None
"""What forked processes find ready."""


def run_all(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int | None = None,
    meanwhile: Callable[[], None] = lambda: None,
) -> list[Result]:
    """`work` of each task, in their order, on all cores. Tasks and results are copied; what `work` holds is not.

    `meanwhile` is done in this process. So is all of it, once more, where a process was killed from outside: what is
    done twice must do no harm.
    """
    global _work
    workers = min(workers or os.cpu_count() or 1, len(tasks))
    if workers <= 1 or not may_fork():
        meanwhile()
        return [work(task) for task in tasks]
    _work = work
    is_done = False
    try:
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=die_with_parent) as pool:
            results = pool.map(_do, tasks, chunksize=max(1, len(tasks) // (4 * workers)))
            meanwhile()
            is_done = True
            return list(results)
    except BrokenProcessPool:
        if not is_done:
            meanwhile()
        return [work(task) for task in tasks]
    finally:
        _work = None


def _do(task: Task) -> Result:
    assert _work is not None
    return _work(task)
