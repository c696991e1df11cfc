"""Organisations and members of a year as the rules look at them: who stands where, under whom, how they are told."""

from collections.abc import Mapping

import pandas as pd

from ratings import wording
from ratings.marts import once
from ratings.outcomes import best_of_each, is_among

Marts = Mapping[str, pd.DataFrame]


@once
def versions(marts: Marts) -> pd.DataFrame:
    """Organisations of each year."""
    known = marts["organisation_snapshot"].sort_values(["year", "org_code", "unit_code"])
    return known.drop_duplicates(["year", "org_code"])


@once
def unit_codes(marts: Marts) -> pd.Series:
    """Codes of the reporting units themselves."""
    return pd.concat([marts["dim_unit"]["unit_code"], marts["organisation_snapshot"]["unit_code"]])


def ancestors(known: pd.DataFrame, wanted: pd.DataFrame) -> pd.DataFrame:
    """Organisations strictly above each one wanted (``year``, ``subject_key``), walked by the superior's code.

    Columns ``year``, ``below_code``, ``org_code``; a cycle ends the walk.
    """
    step = ["year", "below_code", "org_code"]
    up = known.loc[known["parent_code"].notna(), ["year", "org_code", "parent_code"]]
    front = wanted[["year", "subject_key"]].drop_duplicates().rename(columns={"subject_key": "org_code"})
    front = front.assign(below_code=front["org_code"])[step]
    seen = front
    while not front.empty:
        above = front.merge(up, on=["year", "org_code"])
        above = above.assign(org_code=above["parent_code"])[step].drop_duplicates()
        front = above[~is_among(above, seen, step)]
        seen = pd.concat([seen, front], ignore_index=True)
    return seen[seen["below_code"] != seen["org_code"]]


def names(codes: pd.Series, years: pd.Series, known: pd.DataFrame) -> pd.Series:
    """Names that organisations had in each year; missing where not known."""
    wanted = pd.DataFrame({"year": years, "org_code": codes})
    return wanted.merge(known[["year", "org_code", "org_name"]], how="left")["org_name"].set_axis(codes.index)


def organisation(codes: pd.Series, years: pd.Series, known: pd.DataFrame) -> pd.Series:
    """Organisations in words."""
    return wording.organisation(names(codes, years, known), codes)


def member(keys: pd.Series, cells: pd.Series) -> pd.Series:
    """Members in words: the start of the key, and the cell."""
    return wording.phrase("{who}, chi bộ {cell}", who=wording.member(keys), cell=cells.fillna("chưa rõ"))


def head(keys: pd.Series, cells: pd.Series) -> pd.Series:
    """Heads of cells in words."""
    return wording.phrase("{who}, bí thư chi bộ {cell}", who=wording.member(keys), cell=cells.fillna("chưa rõ"))


@once
def roll(marts: Marts) -> pd.DataFrame:
    """Members of each year, each once (``subject_key``): the row of the unit where the member is present."""
    rows = marts["fct_member"].rename(columns={"member_key": "subject_key"})
    return best_of_each(rows, ["year", "subject_key"], ["is_present", "unit_code"], ascending=[False, True])
