"""Intake as a job of its own: files into the store and returned workbooks out, under the build lock."""

from collections.abc import Callable, Iterable
from pathlib import Path

from orchestration import lock
from orchestration.problems import ProblemError
from orchestration.settings import Folders
from submissions.intake import FileResult, IntakeReport, take_in
from submissions.returned.returns import write_returns
from submissions.units import ListError


def take_in_files(
    paths: Iterable[Path],
    folders: Folders,
    *,
    on_file: Callable[[FileResult], None] | None = None,
    on_wait: Callable[[lock.Holder], None] | None = None,
) -> tuple[IntakeReport, list[Path]]:
    """Take `paths` in; no build may be reading the store meanwhile."""
    with lock.hold(folders.lock, "tiếp nhận báo cáo", on_wait=on_wait):
        try:
            report = take_in(paths, data=folders.data, on_progress=on_file)
        except ListError as error:
            raise ProblemError(str(error)) from error
        return report, write_returns(folders.data)
