"""A province's marts as `Ratings`: its grassroots organisations, its larger cells, its reporting units.

An organisation is the warehouse's `organisation_key` in every year; one whose code alone was changed keeps the key it
has today. Rows held back are counted nowhere and told by their number.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ratings.levels import LEVEL_NAMES, LEVEL_ORDER
from ratings.marts import DATE, SIGNAL_INPUTS, typed
from ratings.rules import Catalogue, CatalogueError
from ratings.signals.frames import Ratings, Scale
from ratings.tables import Cap, Tables

GRASSROOTS, CELL, UNIT, PROVINCE = LEVELS = ("grassroots", "cell", "unit", "province")
"""What is judged; the province only by its scores."""

WHOLE_PROVINCE = "ALL"
"""The key of the province itself."""

FEWEST_IN_A_CELL = 10
"""Cells with fewer rated members are not judged by themselves."""

MEMBERS_TARGET, RATING_BANDS, EXCLUDED_RULE = "members_good", "rating", "R18"
"""The target, the bands of scores and the rule whose lawful reasons for not being rated are those of the signals."""

CAP_BASES = {"A": "good", "B": "good_or_above", "C": "rated"}

FIELD_CHECKS = "fct_field_check"
"""The mart of independent second looks; read where there is one."""

KEY = ["year", "unit_code", "org_code"]

COUNTS = ["members_rated", "members_xs", "members_htt", "members_ht", "members_kht"]

EVIDENCE: Mapping[str, int] = {
    "tasks_late": -1,
    "tasks_exceeded": +1,
    "discipline": -1,
    "inspections": +1,
    "meetings_missed": -1,
    "meetings_thematic": +1,
    "meeting_points": +1,
    "attendance": +1,
    "admissions": +1,
    "plans": +1,
}
"""What was done, by column; +1 more is better, -1 more is worse."""

COUNTED_IN = {
    "cell_meetings": ["meetings_held", "meetings_thematic"],
    "inspections": ["inspections"],
    "programme_uptakes": ["plans_made"],
}
"""Evidence of forms that no unit leaves empty: where it did, nothing is known, which is not the same as none."""

LISTED_IN = {"admissions": ["admissions"], "disciplines": ["disciplined_members"]}
"""Evidence of forms that may be empty because there was none."""

RANK = {code: len(LEVEL_ORDER) - order for code, order in LEVEL_ORDER.items()}
"""Levels as the signals number them, 0 the lowest."""

LADDER = ["claims", "lowered", "raised", "unappraised"]
"""Columns of units, whose members are not given one by one."""

IDENTITY_COLUMNS = ["organisation_level", "year", "organisation_key", "unit_code", "org_code", "org_name", "held_back"]


@dataclass(frozen=True)
class Province:
    """What there is to be judged of a province, all years together; `of` gives one level and year."""

    organisations: pd.DataFrame
    """one row a level, organisation and year: `IDENTITY_COLUMNS` and what `Ratings.organisations` has"""
    groups: pd.DataFrame
    """parts of organisations by `organisation_level`, as in `Ratings`"""
    subjects: pd.DataFrame
    """rated members once, with their organisation on every level in a column named by it"""
    rechecks: pd.DataFrame
    too_small: pd.DataFrame
    """`organisation_level`, `year`, `organisations`: those with too few rated members to be judged by themselves"""

    @property
    def years(self) -> list[int]:
        """The years of which there is an organisation."""
        return sorted(int(year) for year in self.organisations["period"].unique())

    def of(self, level: str, scale: Scale) -> Ratings:
        """The organisations of a level as `Ratings`, all years; empty frames where there are none.

        Reporting units are given their parts and not their members: copying and taking turns happen below them.
        """
        rows = self.organisations[self.organisations["organisation_level"] == level]
        rows = rows if level == UNIT else rows.drop(columns=LADDER)
        groups = self.groups[self.groups["organisation_level"] == level]
        return Ratings(
            organisations=rows.rename(columns={"organisation_key": "organisation"}).reset_index(drop=True),
            scale=scale if level == GRASSROOTS else replace(scale, cap=None),
            evidence=EVIDENCE,
            groups=groups.drop(columns="organisation_level").reset_index(drop=True),
            subjects=pd.DataFrame() if level == UNIT else self._rated(level),
            rechecks=self.rechecks[self.rechecks["organisation"].isin(set(rows["organisation_key"]))],
        )

    def scores(self, level: str, year: int) -> pd.DataFrame:
        """Members' scores of a year: `unit` (the organisation of the level; the province as a whole), `score`."""
        rows = self.subjects[(self.subjects["period"] == year) & self.subjects["score"].notna()]
        unit = WHOLE_PROVINCE if level == PROVINCE else rows[level].astype("str")
        return rows[["score"]].assign(unit=unit).dropna().reset_index(drop=True)

    def _rated(self, level: str) -> pd.DataFrame:
        """Rated members of the organisations of a level, as `Ratings.subjects`."""
        names = {GRASSROOTS: "organisation", CELL: "group"} if level == GRASSROOTS else {CELL: "organisation"}
        rows = self.subjects[self.subjects[level].notna()].rename(columns=names)
        columns = ["organisation", "group", "period", "subject", "own", "appraised", "final", "score"]
        return rows[[name for name in columns if name in rows]].reset_index(drop=True)


def scale_of(year: int, rules: Catalogue, tables: Tables) -> Scale:
    """The scale of a year: bands of scores, target of members' ratings and cap that hold at its end, as far as any do.

    Source: the tables of regulations (`score_bands`, `targets`, `caps`).
    """
    bands = [band for band in tables.score_bands if band.band_set == RATING_BANDS and band.covers(year)]
    targets = [each for each in tables.targets if each.target_id == MEMBERS_TARGET and each.covers(year)]
    scored = {}
    if bands:
        cutoffs = tuple(sorted(float(band.points_from) for band in bands if band.points_from > 0))
        scored = {"cutoffs": cutoffs, "score_min": 0.0, "score_max": 100.0}
    cap = _cap(rules, year)
    capped = {"cap": cap.cap_pct / 100, "cap_base": CAP_BASES[cap.base]} if cap else {}
    target = float(targets[-1].target_value) / 100 if targets else None
    return Scale(levels=tuple(LEVEL_NAMES.values()), target=target, **capped, **scored)


def province(tables: Mapping[str, pd.DataFrame], rules: Catalogue) -> Province:
    """The marts (`marts.SIGNAL_INPUTS`, and `fct_field_check` where there is one) as what signals judge.

    A grassroots organisation's type is its kind and sector, its parent the unit; a cell's parent is its grassroots
    organisation. `excluded` are members present at the end of the year without a level, less those whom the roll itself
    shows to be lawfully left out (R18), those rated elsewhere and rows held back. Evidence of a form that a unit did
    not fill in is missing, not 0. Raises `MissingInput` where a mart or a column is not there.
    """
    marts = typed(tables, SIGNAL_INPUTS)
    rows = marts["organisation_year"]
    rows = rows[(rows["is_grassroots"] | rows["is_cell"]).fillna(False).astype(bool)].reset_index(drop=True)
    rows = _known_evidence(rows, marts)
    keys = _identities(marts)
    rows["organisation_key"] = keys.reindex(pd.MultiIndex.from_frame(rows[KEY])).to_numpy()
    excluded, above = _excluded(marts, rules), rows.set_index(KEY)["organisation_key"]
    rows["parent_key"] = above.reindex(_places(rows, "grassroots_code")).to_numpy()
    by_code = rows[[*KEY, "grassroots_code"]].merge(excluded, on=KEY, how="left")
    whole = by_code.groupby(["year", "unit_code", "grassroots_code"], dropna=False)["excluded"].sum(min_count=1)
    is_grassroots = rows["is_grassroots"].fillna(False).to_numpy(bool)
    rows["excluded"] = np.where(
        is_grassroots, whole.reindex(_places(rows, "org_code")).to_numpy(float), by_code["excluded"].to_numpy(float)
    )
    rows["cap"] = _decided_caps(rows, marts["cap_exception"], rules)
    grassroots, cells = rows[is_grassroots], rows[~is_grassroots]
    enough = (cells["members_rated"] >= FEWEST_IN_A_CELL).fillna(False)
    units = _units(grassroots, keys)
    judged = [
        _organisations(GRASSROOTS, grassroots, grassroots["unit_code"]),
        _organisations(CELL, cells[enough], cells.loc[enough, "parent_key"]),
        _organisations(UNIT, units, pd.Series(pd.NA, units.index)),
    ]
    parts = rows[rows["is_cell"].fillna(False) & rows["parent_key"].notna()]
    of_units = grassroots.assign(parent_key=keys.reindex(_places(grassroots, "unit_code")).to_numpy())
    subjects = _subjects(marts, above, keys)
    judged[-1] = judged[-1].merge(_ladder(subjects, UNIT), on=["organisation_key", "period"], how="left")
    organisations = pd.concat(judged, ignore_index=True)
    return Province(
        organisations=organisations,
        groups=pd.concat([_groups(GRASSROOTS, parts), _groups(UNIT, of_units)], ignore_index=True),
        subjects=subjects,
        rechecks=_rechecks(tables, organisations),
        too_small=_too_small(cells[~enough]),
    )


# --- who is who --------------------------------------------------------------------------------------------------


def _identities(marts: Mapping[str, pd.DataFrame]) -> pd.Series:
    """Year, unit and code -> the key under which an organisation (or a unit, by its own code) is followed.

    The warehouse's key follows an organisation from unit to unit. Where the latest structure has a code as the whole
    and only successor of one other code of a year, what was reported under that is its past.
    """
    known = marts["dim_organisation"]
    known = known[known["organisation_level"] != PROVINCE].drop_duplicates(["unit_code", "org_code"])
    key_of = known.set_index(["unit_code", "org_code"])["organisation_key"]
    there = marts["organisation_year"][KEY]
    units = there[["year", "unit_code"]].drop_duplicates().assign(org_code=lambda frame: frame["unit_code"])
    there = pd.concat([there, units], ignore_index=True).drop_duplicates(KEY)
    own = key_of.reindex(pd.MultiIndex.from_frame(there[["unit_code", "org_code"]])).to_numpy()
    own = np.where(pd.isna(own), (there["unit_code"] + "/" + there["org_code"]).to_numpy(), own)
    there = there.assign(own=own, key=_recoded(there, own, marts["organisation_crosswalk"], known))
    there.loc[there.duplicated(["year", "key"], keep=False), "key"] = there["own"]  # it was there beside its successor
    return there.set_index(KEY)["key"]


def _recoded(there: pd.DataFrame, own: np.ndarray, crosswalk: pd.DataFrame, known: pd.DataFrame) -> np.ndarray:
    """The key of the one successor of each row whose code was only changed; its own key for all others."""
    if crosswalk.empty:
        return own
    steps = crosswalk[crosswalk["structure_date"] == crosswalk["structure_date"].max()]
    alone = ~steps.duplicated(["year", "from_code"], keep=False) & ~steps.duplicated(["year", "to_code"], keep=False)
    whole = (steps["share"] == 1) & steps["is_convertible"].fillna(False) & (steps["from_code"] != steps["to_code"])
    steps = steps[alone & whole.fillna(False).astype(bool)]
    now = known.drop_duplicates("org_code", keep=False).set_index("org_code")["organisation_key"]
    after = steps.set_index(["year", "from_code"])["to_code"].map(now)
    found = after.reindex(pd.MultiIndex.from_frame(there[["year", "org_code"]])).to_numpy()
    return np.where(pd.isna(found), own, found)


def _places(rows: pd.DataFrame, code: str) -> pd.MultiIndex:
    """Year, unit and another code of each row, as an index to look up by."""
    return pd.MultiIndex.from_arrays([rows["year"], rows["unit_code"], rows[code]], names=KEY)


def _looked_up(known: pd.Series, rows: pd.DataFrame, code: str) -> pd.Categorical:
    """What is known at the place of each of many rows; each place is looked up once."""
    unit, organisation, year = (pd.factorize(rows[name])[0] for name in ("unit_code", code, "year"))
    number = (unit * (organisation.max(initial=0) + 2) + organisation) * (year.max(initial=0) + 1) + year
    _, first, place = np.unique(number, return_index=True, return_inverse=True)
    return pd.Categorical(known.reindex(_places(rows.iloc[first], code)).to_numpy()[place])


def _decided_caps(rows: pd.DataFrame, decided: pd.DataFrame, rules: Catalogue) -> np.ndarray:
    """The share that a numbered decision lets be excellent in an organisation and year; NaN where there is none.

    As far as the year's cap can be raised at all, and only where that is more (R16).
    """
    known = decided.dropna(subset=["decision_no", "decided_on", "cap_pct"]).sort_values(["cap_pct", "decision_no"])
    known = known.drop_duplicates(["year", "group_code"], keep="last").set_index(["year", "group_code"])["cap_pct"]
    raised = known.reindex(pd.MultiIndex.from_frame(rows[["year", "org_code"]])).to_numpy(float, na_value=np.nan)
    caps = {int(year): _cap(rules, int(year)) for year in rows["year"].unique()}
    usual, highest = (
        rows["year"].map({year: of(cap) for year, cap in caps.items() if cap}).to_numpy(float, na_value=np.nan)
        for of in (lambda cap: cap.cap_pct, lambda cap: cap.exception_cap_pct or cap.cap_pct)
    )
    raised = np.minimum(raised, highest)
    return np.where(raised > usual, raised, np.nan) / 100


def _cap(rules: Catalogue, year: int) -> Cap | None:
    """The cap of a year; None where no regulation of it is known."""
    try:
        return rules.cap(year)
    except CatalogueError:
        return None


# --- frames ------------------------------------------------------------------------------------------------------


def _known_evidence(rows: pd.DataFrame, marts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The rows without the evidence of forms that were not filled in."""
    sent = marts["fct_submission"]
    sent = sent[sent["is_in_force"].fillna(False).astype(bool)]
    forms = sent.merge(marts["fct_submission_form"], on="source_hash")
    of_units = forms[forms["source_kind"] == "unit"]
    place = pd.MultiIndex.from_frame(rows[["year", "unit_code"]])
    registered = rows["year"].isin(set(sent.loc[sent["source_kind"] == "register", "year"])).to_numpy()
    rows = rows.copy()
    for form, columns in {**COUNTED_IN, **LISTED_IN}.items():
        mine = of_units[of_units["form"] == form]
        filled = mine["loaded"] > 0
        if form in LISTED_IN:
            filled |= mine["rows_in"] == 0
        there = place.isin(pd.MultiIndex.from_frame(mine.loc[filled.fillna(False), ["year", "unit_code"]]))
        rows.loc[~there, columns] = np.nan
    rows.loc[~registered, "register_members"] = np.nan
    return rows


def _organisations(level: str, rows: pd.DataFrame, parent: pd.Series) -> pd.DataFrame:
    """Rows of `organisation_year` as a level's `Ratings.organisations`, with `IDENTITY_COLUMNS`."""
    value = {name: rows[name].to_numpy(float, na_value=np.nan) for name in (*COUNTS, "members", "cells")}
    rated, top, good = value["members_rated"], value["members_xs"], value["members_xs"] + value["members_htt"]
    kind = np.where(rows["is_cell"].fillna(False), "chi bộ", "đảng bộ")
    frame = pd.DataFrame(
        {
            "organisation_level": level,
            "year": rows["year"].astype("int64"),
            "organisation_key": rows["organisation_key"],
            "unit_code": rows["unit_code"],
            "org_code": rows["org_code"],
            "org_name": rows["org_name"],
            "held_back": rows["held_back_assessments"].fillna(0).astype("int64"),
            "period": rows["year"].astype("int64"),
            "parent": parent,
            "type": "" if level == UNIT else pd.Series(kind, rows.index) + "|" + rows["org_sector"].fillna(""),
            "rated": rated,
            "good": good,
            "top": top,
            "excluded": rows["excluded"],
            "cap": rows["cap"],
            **{f"level_{place}": value[name] for place, name in enumerate(COUNTS[1:], start=1)},
            **{
                name: rows[f"{step}_level"].map(RANK).astype(float)
                for name, step in {"own_level": "final", "own_self": "self", "own_appraised": "appraised"}.items()
            },
            **_evidence(rows, value["members"], value["cells"]),
        }
    )
    return frame.sort_values(["organisation_key", "period"], kind="stable", ignore_index=True)


def _evidence(rows: pd.DataFrame, members: np.ndarray, cells: np.ndarray) -> dict[str, np.ndarray]:
    """The columns of `EVIDENCE`; what is not known is missing. Source of the scales: inflation.md, EVIDENCE."""

    def of(name: str) -> np.ndarray:
        return rows[name].to_numpy(float, na_value=np.nan)

    def per(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        return part / np.where(whole > 0, whole, np.nan)

    assigned = of("tasks_assigned")
    disciplined = np.fmax(of("register_members"), of("disciplined_members"))
    return {
        "tasks_late": np.log1p(100 * per(of("tasks_late"), assigned)),
        "tasks_exceeded": per(of("tasks_exceeded"), assigned),
        "discipline": np.sqrt(100 * per(disciplined, members)),
        "inspections": np.sqrt(per(of("inspections"), cells)),
        "meetings_missed": np.log1p(per(np.maximum(of("meetings_expected") - of("meetings_held"), 0), cells)),
        "meetings_thematic": per(of("meetings_thematic"), cells),
        "meeting_points": of("meeting_points_mean"),
        "attendance": of("attendance_rate"),
        "admissions": np.sqrt(100 * per(of("admissions"), members)),
        "plans": per(of("plans_made"), of("plans_due")),
    }


def _units(grassroots: pd.DataFrame, keys: pd.Series) -> pd.DataFrame:
    """The grassroots organisations of each unit and year together; means of means weigh as much as what they are of."""
    group = ["year", "unit_code"]
    counts = [
        *COUNTS, "members", "cells", "excluded", "held_back_assessments", "tasks_assigned", "tasks_late",
        "tasks_exceeded", "meetings_expected", "meetings_held", "meetings_thematic", "inspections",
        "disciplined_members", "register_members", "admissions", "plans_due", "plans_made",
    ]  # fmt: skip
    weights = {"meeting_points_mean": "meetings_held", "attendance_rate": "meetings_held"}
    known = {name: grassroots[name].notna() & grassroots[of].notna() for name, of in weights.items()}
    weighed = {f"{name}_part": (grassroots[name] * grassroots[of]).where(known[name]) for name, of in weights.items()}
    weighed |= {f"{name}_whole": grassroots[of].where(known[name]) for name, of in weights.items()}
    frame = grassroots[[*group, *counts]].assign(**weighed)
    frame = frame.groupby(group, as_index=False).sum(min_count=1)
    for name in weights:
        frame[name] = frame[f"{name}_part"] / frame[f"{name}_whole"].where(frame[f"{name}_whole"] > 0)
    none = dict.fromkeys(["self_level", "appraised_level", "final_level", "org_sector", "org_name"])
    frame = frame.assign(org_code=frame["unit_code"], is_cell=False, cap=np.nan, **none)
    text = {name: "str" for name in none}
    return frame.astype(text).assign(organisation_key=keys.reindex(pd.MultiIndex.from_frame(frame[KEY])).to_numpy())


def _groups(level: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of `organisation_year` as parts of the organisation that `parent_key` names, those with rated members."""
    rows = rows[(rows["members_rated"] > 0).fillna(False) & rows["parent_key"].notna()]
    return pd.DataFrame(
        {
            "organisation_level": level,
            "organisation": rows["parent_key"],
            "group": rows["organisation_key"],
            "period": rows["year"].astype("int64"),
            **{f"level_{place}": rows[name].astype("int64") for place, name in enumerate(COUNTS[1:], start=1)},
        }
    ).sort_values(["organisation", "group", "period"], kind="stable", ignore_index=True)


def _subjects(marts: Mapping[str, pd.DataFrame], above: pd.Series, keys: pd.Series) -> pd.DataFrame:
    """Rated members with their grassroots organisation, cell and unit as they are followed."""
    rated = marts["fct_member_assessment"]
    rated = rated[rated["final_level"].notna()].sort_values(["member_key", "year", "unit_code"], kind="stable")
    frame = pd.DataFrame({"period": rated["year"].astype("int64"), "subject": pd.factorize(rated["member_key"])[0]})
    for level, code, known in (
        (GRASSROOTS, "grassroots_code", above),
        (CELL, "cell_code", above),
        (UNIT, "unit_code", keys),
    ):
        frame[level] = _looked_up(known, rated, code)
    for column, step in {"own": "self", "appraised": "proposed", "final": "final"}.items():
        frame[column] = rated[f"{step}_level"].map(RANK).astype(float)
    frame["score"] = rated["score"].astype(float)
    return frame.reset_index(drop=True)


def _ladder(subjects: pd.DataFrame, level: str) -> pd.DataFrame:
    """What became of members' claims, by organisation of a level and year, as `Ratings.organisations` has it."""
    own, appraised, final = (subjects[name].to_numpy() for name in ("own", "appraised", "final"))
    claimed = np.isfinite(own) | np.isfinite(appraised)
    lowered = claimed & ((final < own) | (appraised < own) | (final < appraised))
    raised = claimed & (final > np.fmax(own, appraised))
    counted = dict(zip(LADDER, (claimed, lowered, raised, np.isnan(own) | np.isnan(appraised)), strict=True))
    frame = pd.DataFrame({"organisation_key": subjects[level].astype("str"), "period": subjects["period"], **counted})
    return frame.groupby(["organisation_key", "period"], as_index=False).sum()


def _excluded(marts: Mapping[str, pd.DataFrame], rules: Catalogue) -> pd.DataFrame:
    """Members not rated without a reason that the roll bears out: `KEY` of their cell, `excluded`."""
    rule = rules.rule(EXCLUDED_RULE)
    key = ["year", "unit_code", "member_key"]
    roll = marts["fct_member"]
    roll = roll[roll["is_present"].fillna(False).astype(bool)].drop_duplicates(key)
    rated = marts["fct_member_assessment"]
    held_back = marts["held_back_assessment"]
    held_back = held_back[held_back["subject_kind"] == "member"]
    has_level = rated["final_level"].notna()
    place = pd.MultiIndex.from_frame(roll[["year", "member_key"]])
    is_known = pd.MultiIndex.from_frame(roll[["year", "unit_code"]]).isin(
        pd.MultiIndex.from_frame(rated[["year", "unit_code"]].drop_duplicates())
    )
    since = pd.DateOffset(months=int(rule.parameter("least_months")))
    latest = {int(year): pd.Timestamp(int(year), 12, 31) - since for year in roll["year"].unique()}
    is_new = roll["admitted_on"] > roll["year"].map(latest).astype(DATE)
    is_out = roll["status"].isin(rule.parameter("excluded_statuses")) | is_new
    counts = ~(
        place.isin(pd.MultiIndex.from_frame(rated.loc[has_level, ["year", "member_key"]]))
        | place.isin(pd.MultiIndex.from_frame(held_back[["year", "member_key"]].dropna()))
        | is_out.to_numpy(bool)
    )
    cell = roll[["year", "unit_code"]].assign(org_code=roll["cell_code"], excluded=counts.astype(float))
    cell["excluded"] = cell["excluded"].where(is_known)
    left = cell.groupby(KEY)["excluded"].sum(min_count=1)
    nameless = held_back[held_back["member_key"].isna()].groupby(KEY).size()
    left = (left - nameless.reindex(left.index).fillna(0)).clip(lower=0)
    return left.rename("excluded").reset_index()


def _rechecks(tables: Mapping[str, pd.DataFrame], organisations: pd.DataFrame) -> pd.DataFrame:
    """Independent second looks; empty where there is no mart of them."""
    columns = {"organisation": "str", "period": "int64", "rechecked": "float64", "lowered": "float64"}
    if FIELD_CHECKS not in tables or tables[FIELD_CHECKS].empty:
        return pd.DataFrame(columns=list(columns)).astype(columns)
    looks = tables[FIELD_CHECKS]
    named = organisations[["year", "unit_code", "org_code", "organisation_key"]]
    looks = looks[["year", "unit_code", "org_code", "rechecked", "lowered"]].merge(named, on=KEY)
    looks = looks.rename(columns={"organisation_key": "organisation", "year": "period"})
    return looks[list(columns)].astype(columns).sort_values(["organisation", "period"], ignore_index=True)


def _too_small(cells: pd.DataFrame) -> pd.DataFrame:
    counted = cells.groupby("year").size().rename("organisations").reset_index().astype("int64")
    return counted.assign(organisation_level=CELL)[["organisation_level", "year", "organisations"]]
