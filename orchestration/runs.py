"""Running a Dagster job in this process, on the instance of the data directory, so that the UI shows the run."""

import logging
import threading
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from uuid import uuid4

import dagster as dg

from expectations.tables import TABLES
from orchestration import ahead
from orchestration.checks import NAME as SUITE_CHECK
from orchestration.definitions import defs
from orchestration.instance import fail_lost_runs, open_instance, unhurried_log
from orchestration.settings import Folders, set_environment

BUILDING = {"build", "whole"}
"""Jobs that make a warehouse."""

FOLLOWED = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}

STEPS = {
    "store": "Tiếp nhận báo cáo vào kho gốc",
    "marts": "Dựng kho phân tích",
    "findings": "Tìm mâu thuẫn trong xếp loại",
    "signals": "Tìm dấu hiệu thống kê trong xếp loại",
    "field_check_estimates": "Ước lượng từ mẫu thẩm định lại tại chỗ",
    "findings_marts": "Đưa phát hiện vào kho",
    "published": "Công bố kho",
    "marts__mart_review_list_review_expectations": "Đối chiếu danh sách đề nghị thẩm định lại với năm trước",
}


@dataclass(frozen=True)
class Step:
    """A step that has ended."""

    name: str
    succeeded: bool
    seconds: float

    @property
    def title(self) -> str:
        """What the step does, in Vietnamese."""
        folder, _, name = self.name.partition("__")
        table = name.removesuffix(f"_{SUITE_CHECK}")
        if folder == "marts" and table in TABLES:
            return f"Kiểm tra: {TABLES[table]}"
        return "Làm tập biểu đồ" if folder == "packs" else STEPS.get(self.name, self.name)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    run_id: str
    succeeded: bool
    errors: tuple[str, ...]
    warnings: tuple[str, ...]


def run_job(name: str, folders: Folders, *, on_step: Callable[[Step], None] | None = None) -> Outcome:
    """Run the job `name`; `on_step` hears of each step as it ends."""
    set_environment(folders)
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with unhurried_log(folders), open_instance(folders) as instance:
        fail_lost_runs(instance, folders)
        job = defs().resolve_job_def(name)
        if name in BUILDING:
            ahead.warm()
        run_id = str(uuid4())
        log = folders.dagster / "command.log"
        with log.open("w", encoding="utf-8") as file, _Listener(instance, run_id, on_step), redirect_stdout(file):
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
        entries = instance.all_logs(run_id)
    return Outcome(
        run_id,
        result.success,
        tuple(dict.fromkeys(error for entry in entries if (error := _error(entry)))),
        tuple(entry.user_message for entry in entries if entry.level == logging.WARNING and not entry.is_dagster_event),
    )


def _error(entry: dg.EventLogEntry) -> str | None:
    """The words of whoever raised, without Dagster's frame around them."""
    event = entry.dagster_event
    if event is None or event.event_type not in (
        dg.DagsterEventType.STEP_FAILURE,
        dg.DagsterEventType.PIPELINE_FAILURE,
        dg.DagsterEventType.RESOURCE_INIT_FAILURE,
    ):
        return None
    data = event.event_specific_data
    error = getattr(data, "error", None) or getattr(data, "first_step_failure_event", None)
    while getattr(error, "cause", None):
        error = error.cause
    message = getattr(error, "message", None)
    return message.split(": ", 1)[-1].strip() if message else None


class _Listener:
    """Follows a run's log in a thread of its own and tells of each step that ends."""

    def __init__(self, instance: dg.DagsterInstance, run_id: str, on_step: Callable[[Step], None] | None) -> None:
        self._instance, self._run_id, self._on_step = instance, run_id, on_step
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._started: dict[str, float] = {}
        self._cursor: str | None = None

    def __enter__(self) -> "_Listener":
        if self._on_step:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._on_step:
            self._thread.join()

    def _follow(self) -> None:
        over = False
        while not over:
            over = self._over.wait(0.3)
            records = self._instance.get_records_for_run(self._run_id, cursor=self._cursor, of_type=FOLLOWED)
            self._cursor = records.cursor
            for record in records.records:
                self._tell(record.event_log_entry)

    def _tell(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        if event.event_type == dg.DagsterEventType.STEP_START:
            self._started[event.step_key] = entry.timestamp
        elif event.event_type in (dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE):
            seconds = entry.timestamp - self._started.get(event.step_key, entry.timestamp)
            self._on_step(Step(event.step_key, event.event_type == dg.DagsterEventType.STEP_SUCCESS, seconds))
