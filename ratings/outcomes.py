"""Subjects of a rule with their outcomes, and what is made of them: findings and the results of the rule.

A subject is one thing a rule looked at in one year. Its outcome is passed, found or not checked: what is not known for
certain is not checked, never passed and never found.
"""

from hashlib import sha256

import numpy as np
import pandas as pd

from ratings import wording
from ratings.rules import Catalogue, Rule, RuleException

PASSED, FOUND, NOT_CHECKED = "passed", "found", "not_checked"
OUTSIDE = "outside"
"""Outcome of what turns out to lie outside the rule, and is left out."""

SUBJECT = {
    "year": "int64",
    "unit_code": "str",
    "subject_kind": "str",
    "subject_key": "str",
    "subject": "str",
    "org_code": "str",
    "member_key": "str",
    "outcome": "str",
    "reason": "str",
    "cases": "int64",
    "severity": "str",
    "exception": "str",
    "reported": "str",
    "contradicted_by": "str",
    "record_id_1": "str",
    "record_id_2": "str",
}
"""Columns of the subjects; ``cases`` is how many a row stands for (none where it only carries a reason)."""

FINDING = {
    "finding_id": "str",
    "rule_id": "str",
    "year": "int64",
    "regime_id": "str",
    "severity": "str",
    "subject_kind": "str",
    "unit_code": "str",
    "org_code": "str",
    "member_key": "str",
    "reported": "str",
    "contradicted_by": "str",
    "message": "str",
    "innocent_explanation": "str",
    "ask_for": "str",
    "legal_source": "str",
    "exception": "str",
    "record_id_1": "str",
    "record_id_2": "str",
    "found_last_year": "boolean",
}
"""Columns of the findings; `found_last_year` says whether the rule found the same subject a year before, and is empty
where that was not checked."""

RESULT = {
    "rule_id": "str",
    "year": "int64",
    "unit_code": "str",
    "tested": "int64",
    "found": "int64",
    "not_checked": "int64",
    "status": "str",
    "reason": "str",
}
"""Columns of the rule results."""


def first(frame: pd.DataFrame, *cases: tuple[pd.Series, str, str | None]) -> tuple[pd.Series, pd.Series]:
    """Outcome and reason of the first case that holds for each row; the last case must hold for all that are left."""
    holds = [mask.fillna(False).to_numpy(dtype=bool) for mask, _, _ in cases]
    number = pd.Series(np.select(holds, range(len(cases)), default=-1), frame.index)
    outcome = number.map({order: outcome for order, (_, outcome, _) in enumerate(cases)}).astype("str")
    reason = number.map({order: reason for order, (_, _, reason) in enumerate(cases)}).astype("str")
    return outcome, reason


def is_among(frame: pd.DataFrame, others: pd.DataFrame, key: list[str]) -> pd.Series:
    """Whether the key of each row occurs among the others."""
    among = np.zeros(len(frame), dtype=bool)
    near, known = np.ones(len(frame), dtype=bool), others[key]
    if 8 * len(others) < len(frame):
        near = _near(frame, others, key)
    elif 8 * len(frame) < len(others):
        known = known[_near(others, frame, key)]
    if near.any() and not known.empty:
        among[near] = pd.MultiIndex.from_frame(frame.loc[near, key]).isin(pd.MultiIndex.from_frame(known))
    return pd.Series(among, frame.index)


def _near(many: pd.DataFrame, few: pd.DataFrame, key: list[str]) -> np.ndarray:
    """Which of many rows share every part of a key with any of a few: only their keys need comparing as a whole."""
    return np.logical_and.reduce([many[part].isin(few[part].unique()).to_numpy(dtype=bool) for part in key])


def of_some(rows: pd.DataFrame, frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """The rows whose key occurs in the frame: joining a few rows to many need not look at all of them."""
    return rows[rows[key].isin(frame[key].unique())]


def best_of_each(rows: pd.DataFrame, key: list[str], order: list[str], *, ascending: list[bool]) -> pd.DataFrame:
    """One row for each key, the first in the order given; only keys that occur twice need sorting."""
    twice = rows.duplicated(key, keep=False)
    first_of = rows[twice].sort_values(order, ascending=ascending).drop_duplicates(key)
    return pd.concat([rows[~twice], first_of])


def in_force(frame: pd.DataFrame, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """Rows of years in which the rule judges, with the regime and the severity of their year."""
    by_year = rules.by_year(rule, frame["year"].dropna())
    by_year = by_year[by_year["severity"] != "none"]
    holds = frame["year"].isin(by_year.index)
    rows = (frame if holds.all() else frame[holds]).reset_index(drop=True)
    place = by_year.index.get_indexer(rows["year"])
    return rows.assign(**{name: by_year[name].array[place] for name in ("regime_id", "severity")})


def softened(frame: pd.DataFrame, exception: RuleException, applies: pd.Series) -> pd.DataFrame:
    """The rows with the severity and the text of an exception where it applies and their regime knows it."""
    applies = applies.fillna(False).astype(bool) & frame["regime_id"].isin(exception.severity)
    return frame.assign(
        severity=frame["severity"].mask(applies, frame["regime_id"].map(exception.severity)),
        exception=pd.Series(exception.text, frame.index, dtype="str").where(applies),
    )


def subjects(frame: pd.DataFrame, *others: pd.DataFrame, **columns: pd.Series | str | None) -> pd.DataFrame:
    """The frame as subjects, with the columns given, together with other subjects; what lies outside is left out."""
    if frame.empty and others:
        return pd.concat(others, ignore_index=True) if len(others) > 1 else others[0]
    frame = frame.assign(**columns)
    index, absent = frame.index, {"cases": 1}
    frame = pd.DataFrame(
        {
            name: frame[name].astype(kind) if name in frame else pd.Series(absent.get(name), index, dtype=kind)
            for name, kind in SUBJECT.items()
        }
    )
    is_outside = frame["outcome"] == OUTSIDE
    frame = frame[~is_outside] if is_outside.any() else frame
    return pd.concat([frame, *others], ignore_index=True)


def passed_together(frame: pd.DataFrame) -> pd.DataFrame:
    """What passed, one row for each unit and year that stands for all of it; nobody reads the words of what passed."""
    counted = frame[frame["outcome"] == PASSED].groupby(["year", "unit_code"], as_index=False).size()
    counted = counted.rename(columns={"size": "cases"}).assign(outcome=PASSED)
    return subjects(counted, subject_kind="unit", subject_key=counted["unit_code"] + "|đạt", cases=counted["cases"])


def without_passed(frame: pd.DataFrame, key: list[str] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that did not pass, of each key the one found, and subjects that stand for those that passed."""
    rest = frame[frame["outcome"] != PASSED]
    if key is not None:
        rest = rest.sort_values([*key, "outcome", "unit_code", "record_id"]).drop_duplicates(key)
    return rest.reset_index(drop=True), passed_together(frame)


def findings(judged: list[tuple[Rule, pd.DataFrame]], rules: Catalogue) -> pd.DataFrame:
    """Findings of rules, from their subjects found."""
    found = pd.concat([_worded(rule, looked_at[looked_at["outcome"] == FOUND], rules) for rule, looked_at in judged])
    identity = wording.phrase(
        "{rule}|{kind}|{key}|{year}",
        rule=found["rule_id"],
        kind=found["subject_kind"],
        key=found["subject_key"],
        year=found["year"],
    )
    if rules.judged_by is not None:
        identity = identity + "|" + rules.judged_by
    found = found.assign(
        finding_id=identity.map(lambda text: sha256(text.encode()).hexdigest()[:16]),
        found_last_year=_found_last_year(found, pd.concat([each.assign(rule_id=rule.id) for rule, each in judged])),
    )
    return found[list(FINDING)].astype(FINDING)


def _found_last_year(found: pd.DataFrame, judged: pd.DataFrame) -> pd.Series:
    """Whether each rule found each subject a year before; missing where it, or its unit, was not checked then."""
    subject, place = ["rule_id", "subject_kind", "subject_key", "year"], ["rule_id", "unit_code", "year"]
    before, outcome = found.assign(year=found["year"] - 1), judged["outcome"]
    was, unknown = (is_among(before, judged[outcome == each], subject) for each in (FOUND, NOT_CHECKED))
    tested = is_among(before, judged[outcome.isin([PASSED, FOUND]) & (judged["cases"] > 0)], place)
    return was.astype("boolean").where(was | (tested & ~unknown))


def _worded(rule: Rule, found: pd.DataFrame, rules: Catalogue) -> pd.DataFrame:
    """Subjects found with what the rule says of them."""
    by_year = rules.by_year(rule, found["year"])
    place = by_year.index.get_indexer(found["year"])
    return found.assign(
        rule_id=rule.id,
        **{name: by_year[name].array[place] for name in ("regime_id", "legal_source")},
        message=wording.phrase(rule.message, subject=found["subject"], year=found["year"]),
        innocent_explanation=rule.innocent_explanation,
        ask_for=rule.ask_for,
    )


def results(judged: list[tuple[Rule, pd.DataFrame]], grid: pd.DataFrame, rules: Catalogue) -> pd.DataFrame:
    """What rules came to in each unit and year of the grid (columns ``year``, ``unit_code``, ``is_received``)."""
    key = ["rule_id", "year", "unit_code"]
    located = pd.concat([looked_at.assign(rule_id=rule.id) for rule, looked_at in judged])
    located = located[located["unit_code"].notna()].astype({"rule_id": "str"})
    of_rules = pd.concat([_of_years(rule, grid, located, rules) for rule, _ in judged], ignore_index=True)
    frame = of_rules[["rule_id", "year"]].merge(grid, on="year")
    beyond = located.loc[~is_among(located, frame, key), key].drop_duplicates().assign(is_received=False)
    frame = pd.concat([frame, beyond], ignore_index=True).merge(of_rules, on=key[:2], how="left")

    counts = located.pivot_table(index=key, columns="outcome", values="cases", aggfunc="sum", fill_value=0)
    counts = counts.reindex(columns=[PASSED, FOUND, NOT_CHECKED], fill_value=0).reset_index()
    frame = frame.merge(counts, on=key, how="left").fillna({PASSED: 0, FOUND: 0, NOT_CHECKED: 0})
    frame["tested"] = frame[PASSED] + frame[FOUND]
    frame["status"] = np.select([frame[FOUND] > 0, frame["tested"] > 0], [FOUND, PASSED], NOT_CHECKED)

    nothing = frame["nothing_to_test"].mask(~frame["is_received"], "Đơn vị chưa gửi báo cáo năm này.")
    nothing = nothing.mask(frame["severity"] == "none", "Quy tắc không áp dụng cho năm này.")
    frame = frame.merge(_reasons(located), on=key, how="left")
    frame["reason"] = frame["reason"].fillna(nothing.where(frame["tested"] == 0))
    return frame[list(RESULT)].astype(RESULT)


def _of_years(rule: Rule, grid: pd.DataFrame, located: pd.DataFrame, rules: Catalogue) -> pd.DataFrame:
    """A rule in every year of the grid or of its subjects: how severe it is, and what it says of nothing to test."""
    years = pd.concat([grid["year"], located.loc[located["rule_id"] == rule.id, "year"]])
    return (
        rules.by_year(rule, years)["severity"]
        .reset_index()
        .assign(rule_id=rule.id, nothing_to_test=rule.nothing_to_test)
        .astype({"rule_id": "str", "nothing_to_test": "str"})
    )


def _reasons(judged: pd.DataFrame) -> pd.DataFrame:
    """Why something was not checked, one text for each rule, unit and year."""
    key = ["rule_id", "year", "unit_code"]
    why = judged[judged["outcome"] == NOT_CHECKED].groupby([*key, "reason"], as_index=False)["cases"].sum()
    counted = wording.phrase("{n} trường hợp: {why}.", n=wording.number(why["cases"]), why=why["reason"])
    why["reason"] = counted.where(why["cases"] > 0, wording.sentence(why["reason"]) + ".")
    return why.groupby(key, as_index=False)["reason"].agg(" ".join)
