"""A made-up province as the marts give it: what signals need of the warehouse, no person in it."""

import pandas as pd

from ratings.signals.frames import Ratings
from ratings.signals.province import RANK

CODES = {rank: code for code, rank in RANK.items()}

LAST_YEAR = 2025


def marts_of(ratings: Ratings, cells: pd.DataFrame | None = None) -> dict[str, pd.DataFrame]:
    """The marts that signals read, as they would be of these ratings; the last period is `LAST_YEAR`.

    A unit is "U" and the parent, a cell of several its organisation, a dot and the group. `cells` is what cells report
    of themselves (`simulation.simulate_cells`): where it is not given, what their organisation does, and nobody is left
    out.
    """
    shift = LAST_YEAR - int(ratings.organisations["period"].max())
    organisations = ratings.organisations.assign(year=ratings.organisations["period"] + shift)
    organisations["unit_code"] = "U" + organisations["parent"].astype("str")
    rated = ratings.subjects.assign(year=ratings.subjects["period"] + shift)
    home = organisations[["organisation", "year", "unit_code"]]
    rated = rated.merge(home, on=["organisation", "year"]).astype({"organisation": "str", "group": "str"})
    rated["cell_code"] = rated["organisation"] + "." + rated["group"]
    several = rated.groupby("organisation")["cell_code"].transform("nunique") > 1
    rated["cell_code"] = rated["cell_code"].where(several, rated["organisation"])
    levels = {"self_level": "own", "proposed_level": "appraised", "final_level": "final"}
    assessments = pd.DataFrame(
        {
            "year": rated["year"],
            "unit_code": rated["unit_code"],
            "member_key": rated["organisation"] + "/" + rated["subject"].astype("str"),
            "cell_code": rated["cell_code"],
            "grassroots_code": rated["organisation"],
            **{level: rated[name].map(CODES).astype("str") for level, name in levels.items()},
            "score": rated["score"].where(rated["year"] >= LAST_YEAR),
        }
    )
    cells = None if cells is None else _of_cells(cells, rated, shift)
    years = _organisation_years(organisations, assessments, cells)
    keys = years[["unit_code", "org_code"]].drop_duplicates()
    keys = keys.assign(organisation_key=keys["unit_code"] + "/" + keys["org_code"], organisation_level="grassroots")
    units = pd.DataFrame({"unit_code": years["unit_code"].unique()})
    units = units.assign(org_code=units["unit_code"], organisation_key=units["unit_code"], organisation_level="unit")
    sent = years[["year", "unit_code"]].drop_duplicates()
    sent = sent.assign(source_hash=sent["unit_code"] + sent["year"].astype("str"), source_kind="unit", is_in_force=True)
    forms = ("cell_meetings", "inspections", "programme_uptakes", "admissions", "disciplines")
    return {
        "organisation_year": years,
        "dim_organisation": pd.concat([keys, units], ignore_index=True),
        "fct_member_assessment": assessments,
        "fct_member": _roll(assessments, years, cells).assign(
            status="Chính thức", admitted_on=pd.Timestamp("2001-02-03"), is_present=True
        ),
        "held_back_assessment": pd.DataFrame(
            columns=["year", "unit_code", "subject_kind", "member_key", "org_code"], dtype="object"
        ),
        "organisation_crosswalk": pd.DataFrame(
            columns=["structure_date", "year", "from_code", "to_code", "share", "is_convertible"], dtype="object"
        ),
        "cap_exception": pd.DataFrame(
            columns=["unit_code", "group_code", "year", "cap_pct", "decision_no", "decided_on"], dtype="object"
        ),
        "fct_submission": sent,
        "fct_submission_form": pd.DataFrame(
            [(sending, form, 9, 9) for sending in sent["source_hash"] for form in forms],
            columns=["source_hash", "form", "rows_in", "loaded"],
        ),
    }


def _of_cells(cells: pd.DataFrame, rated: pd.DataFrame, shift: int) -> pd.DataFrame:
    """What cells report, by year and the code of the cell; that of an organisation of one cell is its own."""
    codes = rated.drop_duplicates("group").set_index("group")["cell_code"]
    code = codes.reindex(cells["group"]).to_numpy()
    return cells.assign(year=cells["period"] + shift, cell_code=code).dropna(subset="cell_code")


def _roll(assessments: pd.DataFrame, years: pd.DataFrame, cells: pd.DataFrame | None) -> pd.DataFrame:
    """Members present: those rated, and as many more as a cell left out."""
    columns = ["year", "unit_code", "member_key", "cell_code"]
    if cells is None:
        return assessments[columns]
    home = years[["year", "unit_code", "org_code"]].rename(columns={"org_code": "cell_code"})
    left = cells[["year", "cell_code", "excluded"]].merge(home, on=["year", "cell_code"])
    left = left.loc[left.index.repeat(left["excluded"].astype(int))].reset_index(drop=True)
    key = left["cell_code"] + "/out" + left.groupby(["year", "cell_code"]).cumcount().astype("str")
    return pd.concat([assessments[columns], left.assign(member_key=key)[columns]], ignore_index=True)


def _organisation_years(
    organisations: pd.DataFrame, assessments: pd.DataFrame, reported: pd.DataFrame | None
) -> pd.DataFrame:
    """`organisation_year` of the grassroots organisations and of their cells, with counts in place of the evidence."""
    counted = {name: assessments["final_level"] == code for name, code in _COUNTS.items()}
    counted = assessments.assign(members_rated=1, **counted)
    columns = ["members_rated", *_COUNTS]
    own = organisations.rename(columns={"organisation": "org_code"}).astype({"org_code": "str"})
    grassroots = counted.groupby(["year", "unit_code", "grassroots_code"], as_index=False)[columns].sum()
    grassroots = grassroots.rename(columns={"grassroots_code": "org_code"}).merge(
        own, on=["year", "unit_code", "org_code"]
    )
    levels = {"self_level": "own_self", "appraised_level": "own_appraised", "final_level": "own_level"}
    grassroots = grassroots.assign(
        grassroots_code=grassroots["org_code"],
        is_grassroots=True,
        org_sector=grassroots["type"],
        **{level: grassroots[name].map(CODES).astype("str") for level, name in levels.items()},
    )
    cells = counted[counted["cell_code"] != counted["grassroots_code"]]
    cells = cells.groupby(["year", "unit_code", "grassroots_code", "cell_code"], as_index=False)[columns].sum()
    parts = cells.groupby(["year", "grassroots_code"]).size().rename("cells").reset_index()
    grassroots = grassroots.merge(parts, on=["year", "grassroots_code"], how="left").fillna({"cells": 1})
    cells = cells.merge(grassroots[["year", "grassroots_code", "org_sector"]], on=["year", "grassroots_code"])
    if reported is None:
        above = grassroots[["year", "grassroots_code", *_EVIDENCE, *levels]]
        cells = cells.merge(above, on=["year", "grassroots_code"])
    else:
        own = reported.assign(**{level: reported[name].map(CODES).astype("str") for level, name in levels.items()})
        cells = cells.merge(own[["year", "cell_code", *_EVIDENCE, *levels]], on=["year", "cell_code"])
    cells = cells.rename(columns={"cell_code": "org_code"}).assign(is_grassroots=False, cells=1)
    rows = pd.concat([grassroots, cells], ignore_index=True)
    rows["is_cell"] = rows["cells"] == 1
    late, better = rows["tasks_late"].rank(pct=True), rows["tasks_exceeded"].rank(pct=True)
    points, missed = rows["meeting_points"].rank(pct=True), rows["meetings_missed"].rank(pct=True)
    return pd.DataFrame(
        {
            **{name: rows[name] for name in ("year", "unit_code", "org_code", "grassroots_code", *columns, *levels)},
            **{name: rows[name] for name in ("org_sector", "is_grassroots", "is_cell", "cells")},
            "org_name": "Tổ chức " + rows["org_code"],
            "members": rows["members_rated"],
            "tasks_assigned": 50,
            "tasks_late": (20 * late).round(),
            "tasks_exceeded": (25 * better).round(),
            "meetings_expected": 12 * rows["cells"],
            "meetings_held": 12 * rows["cells"] - (3 * missed * rows["cells"]).round(),
            "meetings_thematic": 4 * rows["cells"],
            "meeting_points_mean": 60 + 40 * points,
            "attendance_rate": 0.9,
            "inspections": (10 * rows["inspections"].rank(pct=True)).round(),
            "disciplined_members": 0,
            "register_members": 0,
            "admissions": 1,
            "plans_due": 3,
            "plans_made": 3,
            "held_back_assessments": 0,
        }
    )


_COUNTS = {f"members_{code.lower()}": code for code in ("XS", "HTT", "HT", "KHT")}

_EVIDENCE = ("tasks_late", "tasks_exceeded", "meeting_points", "meetings_missed", "inspections")
