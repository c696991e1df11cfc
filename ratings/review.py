"""The review of a province: every signal of every organisation and year, a list a level and year, and its budget."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ratings import reasons as wording
from ratings.combination import Combined, combine
from ratings.reasons import Words, number
from ratings.rules import Catalogue
from ratings.signals import battery
from ratings.signals.battery import FAMILY_OF
from ratings.signals.frames import REASONS, Ratings, Scale
from ratings.signals.province import (
    CELL,
    GRASSROOTS,
    IDENTITY_COLUMNS,
    LEVELS,
    PROVINCE,
    UNIT,
    WHOLE_PROVINCE,
    Province,
    province,
    scale_of,
)
from ratings.signals.raters import beyond_others
from ratings.signals.scores import Steps, bunching, placebos_of
from ratings.signals.statistics import SMALLEST_P, benjamini_hochberg, z_of
from ratings.tables import Tables

WORDS = {
    GRASSROOTS: Words("đảng viên", "chi bộ"),
    CELL: Words("đảng viên", "chi bộ", "chi bộ"),
    UNIT: Words("đảng viên", "tổ chức cơ sở đảng", "đơn vị"),
}

LEAST_OF_CELLS = {"TOP": 0.001, "UNAPPRAISED": 0.01}
"""The least p of what a cell's organisation decides. The cap is the organisation's, and where it binds the cell of the
best may honestly have most of it; one clerk who leaves appraisals out does so for all cells."""

SIGNIFICANT, DECIMALS = 7, 6
"""Figures of a chance that are kept, and decimals of everything else: what sums in another order change is beyond."""

MOST_REASONS = ("first", "second", "third")

SIGNAL = {
    "organisation_level": "str",
    "year": "int64",
    "organisation_key": "str",
    "unit_code": "str",
    "org_code": "str",
    "signal": "str",
    "family": "str",
    "is_testable": "bool",
    "reason_code": "str",
    "reason": "str",
    "statistic": "Float64",
    "z": "Float64",
    "p": "Float64",
    "q": "Float64",
    "n": "Int64",
    "observed": "Float64",
    "expected": "Float64",
    "peers": "Int64",
    "held_back": "int64",
    "parameters": "str",
}
"""Columns of the signals; `frames.SIGNAL_COLUMNS` tells those that come from there."""

LISTED = {
    "organisation_level": "str",
    "year": "int64",
    "organisation_key": "str",
    "unit_code": "str",
    "org_code": "str",
    "org_name": "str",
    "rank": "int64",
    "band": "str",
    "q": "Float64",
    "certainty": "Float64",
    "p": "Float64",
    "t": "Float64",
    "families": "int64",
    "rated": "Int64",
    "good": "Int64",
    "top": "Int64",
    "held_back": "int64",
    "members_above": "Float64",
    "first_signal": "str",
    "first_p": "Float64",
    "first_reason": "str",
    "second_signal": "str",
    "second_p": "Float64",
    "second_reason": "str",
    "third_signal": "str",
    "third_p": "Float64",
    "third_reason": "str",
    "ask_for": "str",
    "innocent_explanation": "str",
    "last_year_band": "str",
    "last_year": "str",
}
"""Columns of the review list: bands A, B and C. `last_year` says what became of the organisation a year before."""

LISTED_BEFORE, NOT_LISTED, NOT_TESTED, NOT_KNOWN = "listed", "not_listed", "not_testable", "no_report"

BUDGET = {
    "organisation_level": "str",
    "year": "int64",
    "organisations": "int64",
    "too_small": "int64",
    "tested": "int64",
    "one_reason": "int64",
    "no_reason": "int64",
    "listed_a": "int64",
    "listed_b": "int64",
    "listed_c": "int64",
    "expected_false_a": "Float64",
    "expected_false_b": "Float64",
    "centre": "Float64",
    "spread": "Float64",
}
"""Columns of the budgets (`combination.Budget`), a row a level and year; `expected_false_b` is of A and B together."""


@dataclass(frozen=True)
class Review:
    """What the signals say of a province."""

    signals: pd.DataFrame
    """`SIGNAL`; key: organisation_level, year, organisation_key, signal"""
    listed: pd.DataFrame
    """`LISTED`; key: organisation_level, year, organisation_key"""
    budgets: pd.DataFrame
    """`BUDGET`; key: organisation_level, year"""


def review(tables: Mapping[str, pd.DataFrame], rules: Catalogue, regulations: Tables) -> Review:
    """Judge all organisations and years of the marts (`marts.SIGNAL_INPUTS`).

    Grassroots organisations, cells with ten rated members and reporting units are judged each among their own; of units
    and the province BUNCH looks at all scores together. A year is judged from itself and the years before it.
    Deterministic, in one order whatever that of the marts; figures are rounded (`SIGNIFICANT`, `DECIMALS`). Raises
    `MissingInput` where a mart is not there.
    """
    known = province(tables, rules)
    signals, listed, budgets = [], [], []
    before: dict[str, tuple[int, pd.DataFrame]] = {}
    for year in known.years:
        scale = scale_of(year, rules, regulations)
        for level in (GRASSROOTS, CELL, UNIT):
            ratings = known.of(level, scale)
            if not (ratings.organisations["period"] == year).any():
                continue
            rows = level_signals(known, ratings, level, year)
            combined = combine(rows)
            signals.append(_told(rows, ratings, level, year))
            listed.append(_listed(combined, rows, ratings, level, year, before.get(level)))
            budgets.append(_budget(combined, known, level, year))
            before[level] = year, combined.organisations
        signals.append(_of_province(known, scale, year))
    return Review(
        _joined(signals, SIGNAL, ["organisation_level", "year", "organisation_key", "signal"]),
        _joined(listed, LISTED, ["organisation_level", "year", "rank"]),
        _joined(budgets, BUDGET, ["organisation_level", "year"]),
    )


# --- signals -----------------------------------------------------------------------------------------------------


def level_signals(known: Province, ratings: Ratings, level: str, year: int) -> pd.DataFrame:
    """`battery.signals` of a level and year, rounded.

    Of units BUNCH looks at all their scores beside one another's. Of cells no p is below `LEAST_OF_CELLS`.
    """
    if level != UNIT:
        rows = battery.signals(ratings, year)
        return _rounded(_held(rows) if level == CELL else rows)
    others = battery.signals(ratings, year, only=[name for name in battery.SIGNALS if name != "BUNCH"])
    codes = np.sort(ratings.organisations.loc[ratings.organisations["period"] == year, "organisation"].unique())
    whole = _bunching(known.scores(level, year), codes, ratings.scale, year, among_others=True)
    return _rounded(pd.concat([others, whole], ignore_index=True).astype(battery.BATTERY_COLUMNS))


def _held(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of cells with their p held at `LEAST_OF_CELLS`."""
    p, q, z = (rows[name].to_numpy(float, na_value=np.nan) for name in ("p", "q", "z"))
    for name, least in LEAST_OF_CELLS.items():
        mine = (rows["signal"] == name).to_numpy()
        z[mine] = np.where(p[mine] < least, z_of(least), z[mine])
        p[mine] = np.where(p[mine] < least, least, p[mine])
        q[mine] = benjamini_hochberg(p[mine])
    return rows.assign(p=p, q=q, z=z)


def _of_province(known: Province, scale: Scale, year: int) -> pd.DataFrame:
    """The one row of the province in a year: all scores together."""
    rows = _rounded(_bunching(known.scores(PROVINCE, year), np.array([WHOLE_PROVINCE]), scale, year))
    held_back = known.organisations.query("organisation_level == @GRASSROOTS and period == @year")["held_back"].sum()
    about = {"organisation_level": PROVINCE, "year": year, "unit_code": None, "org_code": None, "held_back": held_back}
    return _with_words(rows.rename(columns={"organisation": "organisation_key"}).assign(**about))


def _bunching(
    scores: pd.DataFrame, codes: np.ndarray, scale: Scale, year: int, *, among_others: bool = False
) -> pd.DataFrame:
    """BUNCH of whole distributions, one row a code: the cut-off at which most pile up, by Sidak over the cut-offs.

    `n` scores beside it, `observed` those just above, `expected` so many if the distribution were smooth, `statistic`
    the excess of `scores.bunching`, `peers` the places without a cut-off it was compared with. `among_others`: p by
    how far the excess lies above that of the other units, `expected` the larger of what both comparisons let expect.
    What all units show is the province's way of scoring, and a matter of its own row.
    """
    rows = pd.DataFrame({"organisation": codes, "period": year, "signal": "BUNCH", "family": FAMILY_OF["BUNCH"]})
    if scores.empty or not scale.cutoffs:
        why = "no_scores" if scores.empty else "no_cutoff"
        rows = rows.assign(is_testable=False, reason_code=why)
        return rows.reindex(columns=list(battery.BATTERY_COLUMNS)).astype(battery.BATTERY_COLUMNS)
    steps = Steps.of(scores["score"].to_numpy(float), np.ones(len(scores)), scale)
    found = bunching(scores, scale.cutoffs, placebos=placebos_of(scale, steps), scale=scale)
    shown = {unit: _placebos(part) for unit, part in found[found["is_placebo"]].groupby("unit")}
    real = found[~found["is_placebo"]]
    real = real.assign(expected=(real["above"] - real["moved"]).clip(lower=0))
    if among_others:
        real = _beyond_other_units(real)
    real = real.sort_values(["unit", "p", "reason_code", "cutoff"], kind="stable")
    best = real.drop_duplicates("unit").set_index("unit").reindex(codes)
    p = best["p"].to_numpy(float, na_value=np.nan)
    asked = real.groupby("unit")["p"].count().reindex(codes).to_numpy(float)
    p = np.clip(-np.expm1(asked * np.log1p(-np.minimum(p, 1 - 1e-12))), SMALLEST_P, 1)
    tested = np.isfinite(p)
    above, below, usual = (best[name].to_numpy(float, na_value=np.nan) for name in ("above", "below", "expected"))
    view = "units" if among_others else "whole"
    told = [
        json.dumps({"view": view, "cutoffs": [cutoff], "placebos": shown.get(code, "")}, ensure_ascii=False)
        if known
        else "{}"
        for code, cutoff, known in zip(codes, best["cutoff"], tested, strict=True)
    ]
    rows = rows.assign(
        is_testable=tested,
        reason_code=np.where(tested, None, best["reason_code"].astype(object).fillna("no_scores")),
        statistic=np.where(tested, best["statistic"].to_numpy(float, na_value=np.nan), np.nan),
        z=np.where(tested, z_of(p), np.nan),
        p=p,
        q=benjamini_hochberg(p),
        n=np.where(tested, above + below, np.nan),
        observed=np.where(tested, above, np.nan),
        expected=np.where(tested, usual, np.nan),
        peers=np.where(tested, best["placebos"].to_numpy(float, na_value=np.nan), np.nan),
        parameters=told,
    )
    return rows.reindex(columns=list(battery.BATTERY_COLUMNS)).astype(battery.BATTERY_COLUMNS)


def _beyond_other_units(found: pd.DataFrame) -> pd.DataFrame:
    """Rows of `scores.bunching` with p by how far the excess lies above the other units' (`raters.beyond_others`)."""
    above, below = (found[name].to_numpy(float) for name in ("above", "below"))
    beside, error = above + below, 1 / (above + 0.5) + 1 / (below + 0.5)
    excess = found["statistic"].to_numpy(float, na_value=np.nan)
    tested = found["is_testable"].to_numpy(bool)
    p, expected = np.full(len(found), np.nan), np.full(len(found), np.nan)
    for at_cutoff in found.groupby("cutoff").indices.values():
        rows = at_cutoff[tested[at_cutoff]]
        p[rows] = beyond_others(excess[rows], error[rows])[1]
        others = np.maximum(beside[rows].sum() - beside[rows], 1)
        expected[rows] = beside[rows] * (above[rows].sum() - above[rows]) / others
    return found.assign(
        p=p,
        expected=np.fmax(found["expected"].to_numpy(float, na_value=np.nan), expected),
        reason_code=found["reason_code"].mask(tested & np.isnan(p), "too_few_peers"),
    )


def _placebos(part: pd.DataFrame) -> str:
    """Places without a cut-off with their z, as they are shown beside the cut-offs."""
    pairs = zip(part["cutoff"].to_numpy(float), part["z"].to_numpy(float, na_value=np.nan), strict=True)
    return "; ".join(f"{number(place, 2)}: {'-' if np.isnan(z) else number(z, 2)}" for place, z in pairs)


def _told(rows: pd.DataFrame, ratings: Ratings, level: str, year: int) -> pd.DataFrame:
    """Rows of the battery as `SIGNAL`, with where the organisation stands."""
    here = ratings.organisations[ratings.organisations["period"] == year]
    about = here.set_index("organisation")[["unit_code", "org_code", "held_back"]]
    place = about.index.get_indexer(rows["organisation"])
    known = {name: about[name].array.take(place) for name in about}
    rows = rows.rename(columns={"organisation": "organisation_key"})
    return _with_words(rows.assign(organisation_level=level, year=year, **known))


def _with_words(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(reason=rows["reason_code"].map(REASONS))


def _rounded(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with figures that do not depend on the order in which a machine adds."""
    values = {name: rows[name].to_numpy(float, na_value=np.nan) for name in ("p", "q", "statistic", "z", "observed")}
    values["expected"] = rows["expected"].to_numpy(float, na_value=np.nan)
    rounded = {
        name: significant(value) if name in ("p", "q") else np.round(value, DECIMALS) + 0.0
        for name, value in values.items()
    }
    return rows.assign(**rounded).astype({name: "Float64" for name in rounded})


def significant(value: np.ndarray, digits: int = SIGNIFICANT) -> np.ndarray:
    """Positive numbers to so many significant digits; NaN stays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (digits - 1 - np.floor(np.log10(value)))
        rounded = np.round(value * scale) / scale
    return np.where(np.isfinite(rounded), rounded, value)


# --- the list ----------------------------------------------------------------------------------------------------


def _listed(
    combined: Combined,
    rows: pd.DataFrame,
    ratings: Ratings,
    level: str,
    year: int,
    before: tuple[int, pd.DataFrame] | None,
) -> pd.DataFrame:
    """The list of a level and year as `LISTED`."""
    listed = combined.listed
    told = wording.reasons(listed, rows, ratings.scale, WORDS[level])
    frame = listed.rename(columns={"organisation": "organisation_key"}).drop(columns="period")
    here = ratings.organisations[ratings.organisations["period"] == year].rename(
        columns={"organisation": "organisation_key"}
    )
    about = [name for name in IDENTITY_COLUMNS if name not in ("organisation_level", "year")]
    frame = frame.merge(here[[*about, "rated", "good", "top"]], on="organisation_key", how="left")
    by_place = told.set_index(["organisation", "place"])
    for place, name in enumerate(MOST_REASONS, start=1):
        wanted = pd.MultiIndex.from_product([frame["organisation_key"], [place]])
        one = by_place.reindex(wanted)
        frame[f"{name}_signal"] = one["signal"].to_numpy()
        frame[f"{name}_p"] = one["p"].array
        frame[f"{name}_reason"] = one["sentence"].to_numpy()
    for column, part in {"ask_for": "ask_for", "innocent_explanation": "innocent"}.items():
        parts = told.drop_duplicates(["organisation", part]).groupby("organisation", sort=False)[part].agg("; ".join)
        frame[column] = parts.reindex(frame["organisation_key"]).to_numpy()
    frame = frame.assign(organisation_level=level, year=year, **_last_year(frame["organisation_key"], year, before))
    for name in ("p", "q", "certainty"):
        frame[name] = pd.array(significant(frame[name].to_numpy(float, na_value=np.nan)), dtype="Float64")
    return frame.assign(t=frame["t"].round(DECIMALS), members_above=frame["members_above"].round(DECIMALS))


def _last_year(keys: pd.Series, year: int, before: tuple[int, pd.DataFrame] | None) -> dict[str, np.ndarray]:
    """Band of each organisation a year before, and what became of it then."""
    if before is None or before[0] != year - 1:
        return {"last_year_band": np.full(len(keys), None, object), "last_year": np.full(len(keys), NOT_KNOWN, object)}
    then = before[1].set_index("organisation").reindex(keys)
    band = then["band"].to_numpy(object, na_value=None)
    tested = then["is_testable"].to_numpy(object, na_value=None)
    outcome = np.select(
        [tested == None, band != None, tested == True],  # noqa: E711, E712 - elementwise
        [NOT_KNOWN, LISTED_BEFORE, NOT_LISTED],
        NOT_TESTED,
    )
    return {"last_year_band": band, "last_year": outcome}


def _budget(combined: Combined, known: Province, level: str, year: int) -> pd.DataFrame:
    """The budget of a level's list in a year as `BUDGET`."""
    budget, small = combined.budget, known.too_small
    small = small[(small["organisation_level"] == level) & (small["year"] == year)]["organisations"].sum()
    return pd.DataFrame(
        {
            "organisation_level": [level],
            "year": year,
            "organisations": budget.organisations,
            "too_small": int(small),
            "tested": budget.tested,
            "one_reason": budget.not_tested.get("one_reason", 0),
            "no_reason": budget.not_tested.get("no_reason", 0),
            **{f"listed_{band.lower()}": count for band, count in budget.listed.items()},
            **{
                f"expected_false_{band.lower()}": round(count, DECIMALS)
                for band, count in budget.expected_false.items()
            },
            "centre": round(budget.centre, DECIMALS),
            "spread": round(budget.spread, DECIMALS),
        }
    )


def _joined(parts: list[pd.DataFrame], columns: Mapping[str, str], order: list[str]) -> pd.DataFrame:
    """Frames of all levels and years as one, in one order; typed even where there is nothing."""
    parts = [part.reindex(columns=list(columns)).astype(columns) for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(columns)).astype(columns)
    frame = pd.concat(parts, ignore_index=True)
    level = frame["organisation_level"].map({name: place for place, name in enumerate(LEVELS)})
    frame = frame.assign(level=level).sort_values(["year", "level", *order[2:]], kind="stable", ignore_index=True)
    return frame.drop(columns="level")
