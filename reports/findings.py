"""Findings in brief: how many per rule and severity, and what could not be checked; never about a person."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from ratings.rules import load_rules
from reports import numbers
from reports.charts.chart import FEWEST

SEVERITIES = {"error": "Cần thẩm định lại", "warning": "Cần giải trình", "information": "Để biết"}
NEEDS = ("fct_finding", "rule_result")


@dataclass(frozen=True)
class Line:
    """One rule and severity, in the words of the pack."""

    rule_id: str
    name: str
    severity: str
    found: str
    tested: str
    not_checked: str


def findings_in_brief(tables: Mapping[str, pd.DataFrame], year: int) -> list[Line]:
    """A line for each rule and severity found; a rule without findings has one line, a rule not checked says so."""
    findings = tables["fct_finding"].query("year == @year")
    results = tables["rule_result"].query("year == @year")
    names = {rule.id: rule.name for rule in load_rules().rules}
    lines = []
    for rule_id in sorted(set(results["rule_id"]) | set(findings["rule_id"])):
        counted = results[results["rule_id"] == rule_id]
        tested, skipped = (numbers.number(counted[column].sum()) for column in ("tested", "not_checked"))
        is_blind = counted.empty or (not counted["tested"].sum() and (counted["status"] == "not_checked").any())
        rows = findings[findings["rule_id"] == rule_id]
        found = [(severity, rows[rows["severity"] == severity]) for severity in SEVERITIES]
        known = [(severity, _count(part)) for severity, part in found if len(part)]
        if not known:
            known = [(None, "Chưa kiểm tra" if is_blind else "0")]
        name = names.get(rule_id, rule_id)
        lines += [
            Line(rule_id, name, SEVERITIES.get(severity, "–"), count, "–" if is_blind else tested, skipped)
            for severity, count in known
        ]
    return lines


def _count(findings: pd.DataFrame) -> str:
    """The number of findings; one to four about members stay 'dưới 5'."""
    is_personal = (findings["subject_kind"] == "member").any()
    return f"dưới {FEWEST}" if is_personal and len(findings) < FEWEST else numbers.number(len(findings))
