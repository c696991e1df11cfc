"""Subjects of a rule with their outcomes, and what is made of them: findings and the results of the rule.

A subject is one thing a rule looked at in one year. Its outcome is passed, found or not checked: what is not known for
certain is not checked, never passed and never found.
"""

from hashlib import sha256

import numpy as np
import pandas as pd

from ratings import wording
from ratings.rules import Catalogue, Rule

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
}
"""Columns of the findings."""

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
    return pd.Series(pd.MultiIndex.from_frame(frame[key]).isin(pd.MultiIndex.from_frame(others[key])), frame.index)


def in_force(frame: pd.DataFrame, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """Rows of years in which the rule judges, with the regime and the severity of their year."""
    by_year = rules.by_year(rule, frame["year"].dropna())
    by_year = by_year.loc[by_year["severity"] != "none", ["regime_id", "severity"]]
    return frame.merge(by_year, left_on="year", right_index=True).reset_index(drop=True)


def subjects(frame: pd.DataFrame, *others: pd.DataFrame, **columns: pd.Series | str | None) -> pd.DataFrame:
    """The frame as subjects, with the columns given, together with other subjects; what lies outside is left out."""
    frame = frame.assign(**columns)
    frame = frame.assign(**{column: 1 if column == "cases" else None for column in SUBJECT if column not in frame})
    joined = pd.concat([frame[list(SUBJECT)].astype(SUBJECT), *others], ignore_index=True)
    return joined[joined["outcome"] != OUTSIDE].reset_index(drop=True)


def passed_together(frame: pd.DataFrame) -> pd.DataFrame:
    """What passed, one row for each unit and year that stands for all of it; nobody reads the words of what passed."""
    counted = frame[frame["outcome"] == PASSED].groupby(["year", "unit_code"], as_index=False).size()
    counted = counted.rename(columns={"size": "cases"}).assign(outcome=PASSED)
    return subjects(counted, subject_kind="unit", subject_key=counted["unit_code"] + "|đạt", cases=counted["cases"])


def findings(judged: pd.DataFrame, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """Findings of a rule, from its subjects found."""
    found = judged[judged["outcome"] == FOUND].reset_index(drop=True)
    found = found.join(rules.by_year(rule, found["year"])[["regime_id", "legal_source"]], on="year")
    identity = wording.phrase(
        rule.id + "|{kind}|{key}|{year}", kind=found["subject_kind"], key=found["subject_key"], year=found["year"]
    )
    if rules.judged_by is not None:
        identity = identity + "|" + rules.judged_by
    found = found.assign(
        rule_id=rule.id,
        finding_id=identity.map(lambda text: sha256(text.encode()).hexdigest()[:16]),
        message=wording.phrase(rule.message, subject=found["subject"], year=found["year"]),
        innocent_explanation=rule.innocent_explanation,
        ask_for=rule.ask_for,
    )
    return found[list(FINDING)].astype(FINDING)


def results(judged: pd.DataFrame, grid: pd.DataFrame, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """What a rule came to in each unit and year of the grid (columns ``year``, ``unit_code``, ``is_received``)."""
    key = ["year", "unit_code"]
    located = judged[judged["unit_code"].notna()]
    beyond = located.loc[~is_among(located, grid, key), key].drop_duplicates().assign(is_received=False)
    frame = pd.concat([grid, beyond], ignore_index=True)

    counts = located.pivot_table(index=key, columns="outcome", values="cases", aggfunc="sum", fill_value=0)
    counts = counts.reindex(columns=[PASSED, FOUND, NOT_CHECKED], fill_value=0).reset_index()
    frame = frame.merge(counts, on=key, how="left").fillna({PASSED: 0, FOUND: 0, NOT_CHECKED: 0})
    frame["tested"] = frame[PASSED] + frame[FOUND]
    frame["status"] = np.select([frame[FOUND] > 0, frame["tested"] > 0], [FOUND, PASSED], NOT_CHECKED)

    severity = frame["year"].map(rules.by_year(rule, frame["year"])["severity"])
    nothing = np.select(
        [severity == "none", ~frame["is_received"]],
        ["Quy tắc không áp dụng cho năm này.", "Đơn vị chưa gửi báo cáo năm này."],
        rule.nothing_to_test,
    )
    frame = frame.merge(_reasons(located), on=key, how="left")
    frame["reason"] = frame["reason"].fillna(pd.Series(nothing, frame.index).where(frame["tested"] == 0))
    return frame.assign(rule_id=rule.id)[list(RESULT)].astype(RESULT)


def _reasons(judged: pd.DataFrame) -> pd.DataFrame:
    """Why something was not checked, one text for each unit and year."""
    key = ["year", "unit_code"]
    why = judged[judged["outcome"] == NOT_CHECKED].groupby([*key, "reason"], as_index=False)["cases"].sum()
    counted = wording.phrase("{n} trường hợp: {why}.", n=wording.number(why["cases"]), why=why["reason"])
    why["reason"] = counted.where(why["cases"] > 0, wording.sentence(why["reason"]) + ".")
    return why.groupby(key, as_index=False)["reason"].agg(" ".join)
