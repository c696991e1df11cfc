"""What the reorganisation of 1 July 2025 might have made of a sample province: a made-up list of successions.

Which communes became which is not known (`domain.md` 6.1). The rule is the same for every district, so that a part of
the province gives its part of the list. `PYTHONPATH=. python benchmarks/crosswalk.py FOLDER` prints the list for the
workbooks in FOLDER; `demo/successions.csv` and, of the whole sample province, `benchmarks/successions.csv` are such.
"""

import argparse
import csv
import io
import tempfile
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd

from submissions.intake import take_in
from submissions.store import Store
from submissions.successions import SUCCESSIONS

ON = date(2025, 7, 1)
SOURCE = "Dữ liệu minh họa, không có thật; theo mẫu Nghị quyết 202/2025/QH15 ngày 12/6/2025"

COMMUNES_BEFORE, COMMUNES_AFTER = 71, 28
"""Of the province: each district ends up with its share of the new communes (KL 954-KL/TU)."""
SPLIT = (Decimal("0.5"), Decimal("0.3"), Decimal("0.2"))
SPLIT_FROM = 4
"""A district of so many new communes has its last old one divided among the last three."""

COMMUNE = {"Xã", "Phường", "Thị trấn"}
PARTY, GOVERNMENT, POLICE, ARMY = "68.901", "68.902", "68.903", "68.904"
"""The four committees under the province: Party bodies, People's Committee, police, army."""
COMMITTEES = {"Cơ quan Đảng, MTTQ, đoàn thể": PARTY, "Công an": POLICE, "Quân đội": ARMY}

Row = tuple[str, str, str, Decimal | None]
"""Kind, old code, new code, share."""


def successions(organisations: pd.DataFrame) -> list[dict[str, object]]:
    """The list for grassroots organisations (unit_code, org_code, org_sector), in the order of units and codes."""
    rows: list[Row] = []
    for unit, own in organisations.sort_values("org_code").groupby("unit_code", sort=True):
        sectors = set(own["org_sector"])
        if sectors == {"Công an"}:
            rows.append(("renamed", unit, POLICE, Decimal(1)))
        elif sectors == {"Quân đội"}:
            rows.append(("merged", unit, ARMY, Decimal(1)))
        else:
            rows.append(("dissolved", unit, "", None))
            rows += _communes(unit, own.loc[own["org_sector"].isin(COMMUNE), "org_code"].tolist())
            others = own[~own["org_sector"].isin(COMMUNE)]
            rows += [
                ("new_parent", code, COMMITTEES.get(sector, GOVERNMENT), Decimal(1))
                for code, sector in zip(others["org_code"], others["org_sector"], strict=True)
            ]
    return [
        {
            "succession_id": f"2025-07-01/{old}",
            "effective_on": ON.isoformat(),
            "kind": kind,
            "old_code": old,
            "new_code": new,
            "share": share,
            "legal_source": SOURCE,
        }
        for kind, old, new, share in rows
    ]


def _communes(unit: str, codes: list[str]) -> list[Row]:
    """A district's communes, in the order of their codes, put together into its new ones."""
    count = round(len(codes) * COMMUNES_AFTER / COMMUNES_BEFORE)
    number = int(unit.rsplit(".", 1)[-1])
    new = [f"68.{number}{place:02}" for place in range(1, count + 1)]
    whole = codes[:-1] if count >= SPLIT_FROM else codes
    rows: list[Row] = [
        ("merged", code, new[place * count // len(whole)], Decimal(1)) for place, code in enumerate(whole)
    ]
    if count >= SPLIT_FROM:
        rows += [("split", codes[-1], heir, share) for heir, share in zip(new[-3:], SPLIT, strict=True)]
    return rows


def grassroots(paths: Iterable[Path], year: int = ON.year) -> pd.DataFrame:
    """The grassroots organisations that workbooks (or folders of them) list for a year."""
    with tempfile.TemporaryDirectory() as data:
        report = take_in(paths, data=Path(data))
        store = Store(Path(data) / "store")
        frames = [
            store.form_frame("organisations", file.source_hash).assign(unit_code=file.unit_code)
            for file in report.files
            if file.state == "accepted" and file.year == year and file.unit_code
        ]
    listed = pd.concat(frames).query("not is_held_back and parent_code == unit_code")
    return listed[["unit_code", "org_code", "org_sector"]].drop_duplicates()


def write(rows: list[dict[str, object]]) -> str:
    """The list as a CSV file's text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, SUCCESSIONS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path)
    print(write(successions(grassroots([arguments.parse_args().folder]))), end="")
