"""A small real province: one unit's reports of four years, and what goes wrong in life."""

import os
import shutil

from orchestration.settings import PROJECT, Folders

UNIT = "67.012"
"""The smallest unit of the demonstration."""

CANARY = "Hoàng Yến Thị Chim Báo"
"""A person's name that a unit has written into the name of a file."""


def lay_out(folders: Folders) -> Folders:
    """An inbox with the unit's four reports, four registers, and a file that is no workbook and bears a name."""
    folders.inbox.mkdir(parents=True)
    for workbook in [*(PROJECT / "demo").glob("*Biên_phòng*"), *(PROJECT / "demo").glob("*Biên phòng*")]:
        shutil.copy2(workbook, folders.inbox)
    for register in (PROJECT / "demo").glob("So ky luat*"):
        shutil.copy2(register, folders.inbox)
    refused = folders.inbox / f"Danh sách của {CANARY}.xlsx"
    refused.write_bytes(b"not a workbook")
    os.utime(refused, (1_700_000_000, 1_700_000_000))
    (folders.data / "units.csv").write_text(
        "unit_code,unit_name,from_year,to_year\n"
        "67.012,Đảng ủy Bộ đội Biên phòng tỉnh,2022,\n"
        "67.008,Huyện Tuy Đạo,2022,\n",
        encoding="utf-8",
    )
    return folders
