"""Sendings as they stand in the store, made in a test without files."""

import json
from datetime import date
from hashlib import sha256

import numpy as np
import pandas as pd

from submissions.form_set import load_form_sets
from submissions.issues import COLUMNS
from submissions.queries import Sending
from submissions.store import form_schemas, frame_table

FIRST_ROW = 8
HEADING_ROW = 7
UNIT = "67.001"
TOP = f"{UNIT}.001.000.000"
LEVELS = ["Hoàn thành tốt nhiệm vụ"] * 4 + ["Hoàn thành xuất sắc nhiệm vụ"]
MONTHS = 12


def sending(forms: dict[str, pd.DataFrame], year: int = 2024, unit: str = UNIT, issues: list[dict] = ()) -> Sending:
    """A sending of these records; columns stand in the sheet in the order of the form set, from column A."""
    form_set = load_form_sets()["B12-2025" if year > 2024 else "B12-2021"]
    stored, counts = {}, []
    for form in form_set.forms:
        records = forms.get(form.table, pd.DataFrame())
        records = records.assign(
            source_hash="", sheet=form.sheet, row=np.arange(FIRST_ROW, FIRST_ROW + len(records)), is_held_back=False
        )
        stored[form.table] = frame_table(records, form_schemas()[form.table]).to_pandas(date_as_object=True)
        letters = {column.key: chr(ord("A") + place) for place, column in enumerate(form.columns)}
        counts.append((form.table, form.title, form.sheet, HEADING_ROW, json.dumps(letters)))
    return Sending(
        source_hash=sha256(f"{unit} {year}".encode()).hexdigest(),
        file_name=f"{unit} {year}.xlsx",
        unit_code=unit,
        year=year,
        form_set=form_set,
        forms=stored,
        counts=pd.DataFrame(counts, columns=["form", "form_title", "sheet", "heading_row", "letters"]),
        issues=pd.DataFrame(list(issues), columns=list(COLUMNS)),
    )


def honest_unit(year: int = 2024, cells: int = 4, size: int = 12, unit: str = UNIT) -> dict[str, pd.DataFrame]:
    """The records of a unit with one grassroots organisation, `cells` cells of `size` members; nothing to ask about.

    Members are the same every year, what a year brings differs by year and unit.
    """
    chance = np.random.default_rng([year, cells, int(unit.split(".")[1])])
    codes = [f"{unit}.001.000.{number:03}" for number in range(1, cells + 1)]
    organisations = pd.DataFrame(
        {
            "org_code": [f"{unit}.001.000.000", *codes],
            "org_name": [f"Tổ chức {number}" for number in range(cells + 1)],
            "org_kind": ["Đảng bộ cơ sở", *["Chi bộ trực thuộc"] * cells],
            "org_sector": "Xã",
            "parent_code": [unit, *[f"{unit}.001.000.000"] * cells],
            "founded_on": date(2005, 3, 15),
            "member_count": [cells * size, *[size] * cells],
        }
    )
    keys = [f"{unit}-{number}" for number in range(cells * size)]
    members = pd.DataFrame(
        {
            "member_key": keys,
            "birth_year": [1960 + number % 40 for number in range(len(keys))],
            "gender": "Nữ",
            "ethnicity": "Kinh",
            "cell_code": np.repeat(codes, size),
            "admitted_on": [date(1995 + number % 20, 5, 19) for number in range(len(keys))],
            "official_on": [date(1996 + number % 20, 5, 19) for number in range(len(keys))],
            "school": "THPT",
            "qualification": "Đại học",
            "theory": "Sơ cấp",
            "occupation": "Nông dân",
            "status": "Chính thức",
        }
    )
    levels = np.resize(LEVELS, len(keys))
    member_assessments = pd.DataFrame(
        {"member_key": keys, "cell_code": members["cell_code"], "decided_on": date(year, 12, 20)}
    ).assign(self_level=levels, proposed_level=levels, final_level=levels, score=80.0)
    own = np.resize(LEVELS, len(organisations))
    tasks = chance.integers(10, 90, len(organisations))
    organisation_assessments = pd.DataFrame(
        {
            "org_code": organisations["org_code"],
            "self_on": date(year, 12, 1),
            "appraised_on": date(year, 12, 10),
            "decided_on": date(year, 12, 20),
            "decision_no": [f"{year}{number}-QĐ" for number in range(len(organisations))],
            "decided_by_code": unit,
            "tasks_assigned": tasks,
            "tasks_done": tasks - 1,
            "tasks_late": 0,
        }
    ).assign(self_level=own, appraised_level=own, final_level=own)
    meetings = pd.DataFrame(
        [
            {"cell_code": code, "month": month, "held_on": date(year, month, int(chance.integers(1, 28)))}
            for code in codes
            for month in range(1, MONTHS + 1)
        ]
    )
    attended = chance.integers(size // 2, size, len(meetings))
    meetings = meetings.assign(
        expected=size, attended=attended, points=chance.integers(600, 1000, len(meetings)) / 10, band="Khá"
    )
    meetings.loc[0, ["held_on", "expected", "attended", "points", "band"]] = None
    lines = {"A": len(keys), "B": 0, "B1": 0, "B2": 0, "B3": 0, "C": 0, **{f"C{number}": 0 for number in range(1, 6)}}
    lines["D"] = len(keys)
    movements = pd.DataFrame(
        {"line": list(lines), "count": list(lines.values()), "count_previous": list(lines.values())}
    )
    return {
        "membership_movements": movements,
        "organisations": organisations,
        "members": members,
        "organisation_assessments": organisation_assessments,
        "member_assessments": member_assessments,
        "cell_meetings": meetings,
    }
