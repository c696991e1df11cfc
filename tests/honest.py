"""A small province drawn as marts in which every rating agrees with every other fact."""

import pandas as pd

UNIT = "67.001"
COMMITTEE = f"{UNIT}.001.000.000"
CELLS = (f"{UNIT}.001.000.001", f"{UNIT}.001.000.002")
YEARS = (2022, 2024, 2025)


def member(cell, place):
    """Key of a member: the first of a cell is its head."""
    return f"MEMBER-{cell[-1]}-{place}"


def honest():
    """Marts of a committee and two cells, of which the second is excellent.

    The second member of the first cell is disciplined and rated the lowest.
    """
    every = [_year(year) for year in YEARS]
    return {name: pd.concat([marts[name] for marts in every], ignore_index=True) for name in every[0]}


def changed(marts, mart, wanted, **values):
    """The marts with some columns of the rows wanted set."""
    frame = marts[mart].copy()
    rows = pd.Series(True, frame.index)
    for column, value in wanted.items():
        rows &= frame[column] == value
    assert rows.any(), f"nothing in {mart} with {wanted}"
    for column, value in values.items():
        frame[column] = frame[column].astype(object).mask(rows, value)
    return {**marts, mart: frame}


def _year(year):
    roll = pd.DataFrame(
        [
            {"cell_code": cell, "member_key": member(cell, place), "is_head": place == 1, "place": place}
            for cell in CELLS
            for place in range(1, 8)
        ]
    ).assign(year=year, unit_code=UNIT, is_present=True, status="Chính thức", admitted_on=pd.Timestamp(2010, 5, 19))
    roll.loc[roll["place"] == 5, "status"] = "Miễn sinh hoạt"
    roll.loc[roll["place"] == 6, ["status", "admitted_on"]] = ["Dự bị", pd.Timestamp(year, 9, 2)]
    roll["record_id"] = [f"{year}/roll/{key}" for key in roll["member_key"]]

    rated = roll[["year", "unit_code", "cell_code", "member_key", "place"]].assign(grassroots_code=COMMITTEE)
    rated["record_id"] = [f"{year}/rating/{key}" for key in rated["member_key"]]
    rated["not_rated_reason"] = rated["place"].map({5: "Miễn công tác và sinh hoạt đảng", 6: "Kết nạp dưới 6 tháng"})
    level = pd.Series("HTT", rated.index).mask(rated["member_key"] == member(CELLS[0], 2), "KHT")
    level = level.where(rated["not_rated_reason"].isna())
    rated = rated.assign(
        self_level=level,
        proposed_level=level,
        final_level=level,
        decided_on=pd.Timestamp(year, 12, 10),
        state_level=level.where(rated["place"] == 3),
        score=level.map({"HTT": 80.0, "KHT": 40.0}) if year == 2025 else None,
    )

    organisations = pd.DataFrame(
        {
            "year": year,
            "unit_code": UNIT,
            "org_code": [COMMITTEE, *CELLS],
            "org_name": ["Đảng bộ xã A", "Chi bộ thôn 1", "Chi bộ thôn 2"],
            "org_kind": ["Đảng bộ cơ sở", "Chi bộ trực thuộc", "Chi bộ trực thuộc"],
            "parent_code": [UNIT, COMMITTEE, COMMITTEE],
            "is_cell": [False, True, True],
        }
    )
    levels = ["HTT", "HTT", "XS"]
    points = {"common_points": [25.0, 25.0, 28.0], "task_points": [60.0, 60.0, 65.0], "score": [85.0, 85.0, 93.0]}
    steps = organisations.assign(
        record_id=[f"{year}/own/{code}" for code in organisations["org_code"]],
        self_level=levels,
        appraised_level=levels,
        final_level=levels,
        **(points if year == 2025 else {}),
        tasks_assigned=10,
        tasks_done=10,
        tasks_late=0,
        tasks_exceeded=4,
        shortcomings=2,
        shortcomings_fixed=2,
        self_on=pd.Timestamp(year, 12, 1),
        appraised_on=pd.Timestamp(year, 12, 12),
        decided_on=[pd.Timestamp(year, 12, day) for day in (20, 15, 15)],
        decided_by_code=organisations["parent_code"],
    )
    case = {
        "year": year,
        "unit_code": UNIT,
        "subject_member_key": member(CELLS[0], 2),
        "org_code": CELLS[0],
        "form": "Khiển trách",
        "decided_on": pd.Timestamp(year, 3, 5),
        "decision_no": f"{year}-QĐ/UBKT",
    }
    marks = {"duty_related": True, "corruption": False, "self_reported": False}
    books = {"in_report": True, "in_register": True, "record_id": f"{year}/d", "register_record_id": f"{year}/r"}
    return {
        "organisation_snapshot": organisations,
        "fct_organisation_assessment": steps,
        "fct_member": roll.drop(columns="place"),
        "fct_member_assessment": rated.drop(columns="place"),
        "discipline_case": pd.DataFrame([{"case_id": f"{year}/r", "subject": "Đảng viên", **case, **marks, **books}]),
        "fct_discipline": pd.DataFrame([{"record_id": f"{year}/d", "violated_on": pd.Timestamp(year, 2, 1), **case}]),
        **_counted(year, roll, rated, steps),
        **_worked(year),
    }


def _counted(year, roll, rated, steps):
    """What the rows of the year come to."""
    lines = {"A": 14, "B": 2, "B1": 2, "B2": 0, "B3": 0, "C": 2, **dict.fromkeys(["C1", "C2", "C3", "C4"], 0)}
    lines |= {"C5": 2, "D": len(roll)}
    levels = pd.crosstab(rated["cell_code"], rated["final_level"]).reindex(list(steps["org_code"]), fill_value=0)
    of_year = steps[["year", "unit_code", "org_code", "is_cell", "final_level", "record_id"]].assign(
        is_grassroots=~steps["is_cell"],
        members=len(roll) // len(CELLS),
        members_rated=levels.sum(axis=1).to_numpy(),
        members_xs=0,
        members_htt=levels["HTT"].to_numpy(),
        members_kht=levels["KHT"].to_numpy(),
        admissions=steps["is_cell"].astype(int),
    )
    place = {"year": year, "unit_code": UNIT}
    return {
        "organisation_year": of_year,
        "grassroots_excellence": pd.DataFrame(
            [
                {
                    **place,
                    "grassroots_code": COMMITTEE,
                    "org_name": "Đảng bộ xã A",
                    "rated": levels.to_numpy().sum(),
                    "xs": 0,
                    "htt": levels["HTT"].sum(),
                    "ht": 0,
                    "kht": levels["KHT"].sum(),
                    "held_back": 0,
                }
            ]
        ),
        "control_totals": pd.DataFrame(
            [
                {
                    **place,
                    "movement_d": len(roll),
                    "members_present": len(roll),
                    "members_unknown": 0,
                    "assessments_rows": len(rated),
                    "assessments_held_back": 0,
                    "assessments_rated": levels.to_numpy().sum(),
                    "assessments_not_rated": rated["not_rated_reason"].notna().sum(),
                    "admissions_rows": len(CELLS),
                    "admissions_held_back": 0,
                }
            ]
        ),
        "fct_membership_movement": pd.DataFrame(
            [{**place, "record_id": f"{year}/{line}", "line": line, "count": n} for line, n in lines.items()]
        ),
    }


def _worked(year):
    """Meetings, inspections, admissions and hamlets of the year."""
    place = {"year": year, "unit_code": UNIT}
    cells = pd.DataFrame({**place, "cell_code": CELLS})
    months = pd.DataFrame({"month": range(1, 13), "is_held": True, "band": "Tốt"})
    meetings = cells.merge(months, how="cross")
    inspection = {"conductor_code": COMMITTEE, "grassroots_code": COMMITTEE, "conductor": "Đảng ủy", "article": 30}
    return {
        "cell_year": cells.rename(columns={"cell_code": "org_code"}).assign(months_due=12, months_held=12, band_kem=0),
        "fct_cell_meeting": meetings.assign(
            record_id=[
                f"{year}/meeting/{cell}/{n}" for cell, n in zip(meetings["cell_code"], meetings["month"], strict=True)
            ]
        ),
        "fct_inspection": pd.DataFrame(
            [{**place, **inspection, "record_id": f"{year}/inspection", "kind": "Giám sát chuyên đề"}]
        ),
        "fct_hamlet": cells.assign(
            record_id=[f"{year}/hamlet/{cell}" for cell in CELLS], hamlet_name=["Thôn 1", "Thôn 2"], local_members=3
        ),
        "fct_admission": cells.assign(
            record_id=[f"{year}/admission/{cell}" for cell in CELLS], admitted_on=pd.Timestamp(year, 9, 2)
        ),
    }
