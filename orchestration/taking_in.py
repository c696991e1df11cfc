"""Taking in: files into store and register, marked copies and receipts out, under the build lock."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from orchestration import lock, outbox
from orchestration.problems import ProblemError
from orchestration.registers import open_register
from orchestration.settings import Folders
from submissions.intake import Claim, IntakeReport, take_in
from submissions.reading import FileResult
from submissions.register.states import sendings
from submissions.replies import write_replies
from submissions.settling import tell_warehouse
from submissions.store import Store
from submissions.units import ListError, read_units


@dataclass(frozen=True)
class TakenIn:
    """What became of a batch, and what went back to the units because of it."""

    report: IntakeReport
    returned: Sequence[Path]
    receipts: int


def take_in_files(
    paths: Iterable[Path | Claim],
    folders: Folders,
    *,
    on_file: Callable[[FileResult], None] | None = None,
    on_wait: Callable[[lock.Holder], None] | None = None,
) -> TakenIn:
    """Take `paths` in; no build may be reading the store meanwhile."""
    with lock.hold(folders.lock, "tiếp nhận báo cáo", on_wait=on_wait):
        return take_in_alone(paths, folders, on_file=on_file)


def take_in_alone(
    paths: Iterable[Path | Claim], folders: Folders, *, on_file: Callable[[FileResult], None] | None = None
) -> TakenIn:
    """As `take_in_files`, for whoever holds the build lock. What a killed batch left is finished by the next one."""
    now = datetime.now(UTC)
    with ExitStack() as stack:
        opened = cache(lambda: stack.enter_context(open_register(folders)))
        try:
            report = take_in(paths, data=folders.data, register=opened, now=now, on_progress=on_file)
        except ListError as error:
            raise ProblemError(str(error)) from error
        register = opened()
        store = Store(folders.store)
        returned = write_replies(folders.data, store, register, now=now)
        # Once more: how many errors and queries are open is known when the units have been told.
        units = read_units(folders.data / "units.csv")
        tell_warehouse(store, register, data=folders.data, units=units, now=now, standing=sendings(register))
        return TakenIn(report, returned, outbox.write_receipts(register, folders))
