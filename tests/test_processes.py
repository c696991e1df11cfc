"""Work spread over processes: all of it is done, whatever becomes of one of them."""

import os
import signal

from submissions.processes import run_all


def test_results_come_in_the_order_of_the_tasks_and_what_is_done_meanwhile_is_done_once():
    done = []

    assert run_all(lambda task: task * 2, range(20), 3, lambda: done.append("meanwhile")) == list(range(0, 40, 2))
    assert done == ["meanwhile"]


def test_a_process_that_is_killed_from_outside_loses_nothing():
    here, done = os.getpid(), []

    def work(task: int) -> int:
        if task == 7 and os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return task * 2

    assert run_all(work, range(20), 3, lambda: done.append("meanwhile")) == list(range(0, 40, 2))
    assert done == ["meanwhile"]
