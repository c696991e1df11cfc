"""The demonstration: three units' reports of four years, laid into an inbox of their own."""

import shutil

from orchestration.problems import ProblemError
from orchestration.settings import PROJECT, Folders

SOURCE = PROJECT / "demo"


def prepare(folders: Folders) -> int:
    """Lay the demonstration's workbooks into the inbox and its lists beside it; returns how many workbooks."""
    workbooks = sorted(SOURCE.glob("*.xlsx"))
    if not workbooks:
        raise ProblemError(f"Không thấy dữ liệu mẫu trong {SOURCE}.")
    folders.inbox.mkdir(parents=True, exist_ok=True)
    for workbook in workbooks:
        shutil.copy2(workbook, folders.inbox / workbook.name)
    for name in ("units.csv", "successions.csv"):
        shutil.copy2(SOURCE / name, folders.data / name)
    return len(workbooks)
