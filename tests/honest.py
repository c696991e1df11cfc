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
    """Marts of a committee and two cells; the second member of the first cell is disciplined and rated the lowest."""
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
            for place in range(1, 7)
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
        self_level=level, proposed_level=level, final_level=level, decided_on=pd.Timestamp(year, 12, 10)
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
    steps = organisations.assign(
        record_id=[f"{year}/own/{code}" for code in organisations["org_code"]],
        self_level="HTT",
        appraised_level="HTT",
        final_level="HTT",
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
    }
