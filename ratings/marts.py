"""What the rules need of the warehouse: marts, columns and their types."""

from collections.abc import Mapping

import pandas as pd

TEXT, WHOLE, NUMBER, FLAG, DATE = "str", "Int64", "Float64", "boolean", "datetime64[us]"

INPUTS: dict[str, dict[str, str]] = {
    "dim_unit": {"unit_code": TEXT, "unit_name": TEXT},
    "fct_submission": {
        "source_hash": TEXT,
        "source_kind": TEXT,
        "unit_code": TEXT,
        "year": WHOLE,
        "is_in_force": FLAG,
    },
    "fct_submission_form": {"source_hash": TEXT, "form": TEXT, "held_back": WHOLE},
    "organisation_snapshot": {
        "year": WHOLE,
        "unit_code": TEXT,
        "org_code": TEXT,
        "org_name": TEXT,
        "org_kind": TEXT,
        "parent_code": TEXT,
        "is_cell": FLAG,
        "closed_on": DATE,
        "member_count": WHOLE,
        "record_id": TEXT,
    },
    "fct_member": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "member_key": TEXT,
        "cell_code": TEXT,
        "status": TEXT,
        "admitted_on": DATE,
        "is_present": FLAG,
        "is_head": FLAG,
    },
    "fct_member_assessment": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "member_key": TEXT,
        "cell_code": TEXT,
        "grassroots_code": TEXT,
        "self_level": TEXT,
        "proposed_level": TEXT,
        "final_level": TEXT,
        "decided_on": DATE,
        "not_rated_reason": TEXT,
    },
    "fct_organisation_assessment": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "org_code": TEXT,
        "org_kind": TEXT,
        "parent_code": TEXT,
        "self_level": TEXT,
        "appraised_level": TEXT,
        "final_level": TEXT,
        "not_rated_reason": TEXT,
        "self_on": DATE,
        "appraised_on": DATE,
        "decided_on": DATE,
        "decided_by_code": TEXT,
        "tasks_assigned": WHOLE,
        "tasks_done": WHOLE,
        "tasks_late": WHOLE,
        "tasks_exceeded": WHOLE,
        "shortcomings": WHOLE,
        "shortcomings_fixed": WHOLE,
    },
    "held_back_assessment": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "subject_kind": TEXT,
        "member_key": TEXT,
        "org_code": TEXT,
        "org_kind": TEXT,
        "parent_code": TEXT,
    },
    "discipline_case": {
        "case_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "subject": TEXT,
        "subject_member_key": TEXT,
        "subject_org_code": TEXT,
        "org_code": TEXT,
        "form": TEXT,
        "duty_related": FLAG,
        "corruption": FLAG,
        "self_reported": FLAG,
        "decided_on": DATE,
        "decision_no": TEXT,
        "in_report": FLAG,
        "in_register": FLAG,
        "record_id": TEXT,
        "register_record_id": TEXT,
    },
    "fct_discipline": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "subject_member_key": TEXT,
        "org_code": TEXT,
        "form": TEXT,
        "violated_on": DATE,
        "decided_on": DATE,
        "decision_no": TEXT,
    },
    "discipline_match": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "unit_received": FLAG,
        "is_mentioned": FLAG,
        "matched_record_id": TEXT,
        "is_match_held_back": FLAG,
    },
    "grassroots_excellence": {
        "year": WHOLE,
        "unit_code": TEXT,
        "grassroots_code": TEXT,
        "org_name": TEXT,
        "rated": WHOLE,
        "xs": WHOLE,
        "htt": WHOLE,
        "held_back": WHOLE,
    },
    "control_totals": {
        "year": WHOLE,
        "unit_code": TEXT,
        "movement_d": WHOLE,
        "members_present": WHOLE,
        "members_unknown": WHOLE,
        "assessments_rows": WHOLE,
        "assessments_held_back": WHOLE,
        "assessments_rated": WHOLE,
        "assessments_not_rated": WHOLE,
    },
    "organisation_year": {"year": WHOLE, "unit_code": TEXT, "org_code": TEXT, "members": WHOLE},
    "reporting_obligation": {"unit_code": TEXT, "year": WHOLE, "extended_until": DATE},
    "cap_exception": {
        "unit_code": TEXT,
        "group_code": TEXT,
        "year": WHOLE,
        "cap_pct": NUMBER,
        "decision_no": TEXT,
        "decided_on": DATE,
    },
}
"""Marts the rules read, with the columns they need."""


class MissingInput(ValueError):
    """The warehouse lacks a mart or a column that a rule needs."""


def typed(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The marts the rules need, only their columns, with types in which missing is missing and counts are exact."""
    absent = sorted(set(INPUTS) - set(tables))
    if absent:
        raise MissingInput(f"marts not given: {absent}; given: {sorted(tables)}")
    return {name: _typed(name, tables[name], columns) for name, columns in INPUTS.items()}


def _typed(name: str, frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """One mart with its types."""
    absent = sorted(set(columns) - set(frame.columns))
    if absent:
        raise MissingInput(f"{name}: columns not found: {absent}; found: {sorted(frame.columns)}")
    return pd.DataFrame({column: _cast(frame[column], kind) for column, kind in columns.items()}).reset_index(drop=True)


def _cast(values: pd.Series, kind: str) -> pd.Series:
    """One column in its type, whatever the engine or an all-null column made of it."""
    if kind == DATE:
        return pd.to_datetime(values).astype(DATE)
    if kind in (WHOLE, NUMBER):
        return pd.to_numeric(values).astype(kind)
    return values.astype(kind)
