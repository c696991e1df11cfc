"""What rules and signals need of the warehouse: marts, columns and their types."""

from collections.abc import Callable, Mapping
from functools import wraps

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
        "state_level": TEXT,
        "score": NUMBER,
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
        "common_points": NUMBER,
        "task_points": NUMBER,
        "score": NUMBER,
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
        "ht": WHOLE,
        "kht": WHOLE,
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
        "admissions_rows": WHOLE,
        "admissions_held_back": WHOLE,
    },
    "fct_membership_movement": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "line": TEXT,
        "count": WHOLE,
    },
    "fct_admission": {"record_id": TEXT, "year": WHOLE, "unit_code": TEXT, "admitted_on": DATE},
    "organisation_year": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "org_code": TEXT,
        "is_cell": FLAG,
        "is_grassroots": FLAG,
        "final_level": TEXT,
        "members": WHOLE,
        "members_rated": WHOLE,
        "members_xs": WHOLE,
        "members_htt": WHOLE,
        "members_kht": WHOLE,
        "admissions": WHOLE,
    },
    "cell_year": {
        "year": WHOLE,
        "unit_code": TEXT,
        "org_code": TEXT,
        "months_due": WHOLE,
        "months_held": WHOLE,
        "band_kem": WHOLE,
    },
    "fct_cell_meeting": {
        "record_id": TEXT,
        "year": WHOLE,
        "cell_code": TEXT,
        "month": WHOLE,
        "is_held": FLAG,
        "band": TEXT,
    },
    "fct_inspection": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "conductor_code": TEXT,
        "grassroots_code": TEXT,
        "conductor": TEXT,
        "article": WHOLE,
        "kind": TEXT,
    },
    "fct_hamlet": {
        "record_id": TEXT,
        "year": WHOLE,
        "unit_code": TEXT,
        "hamlet_name": TEXT,
        "cell_code": TEXT,
        "local_members": WHOLE,
    },
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

SIGNAL_INPUTS: dict[str, dict[str, str]] = {
    "cap_exception": INPUTS["cap_exception"],
    "dim_organisation": {"organisation_key": TEXT, "organisation_level": TEXT, "unit_code": TEXT, "org_code": TEXT},
    "organisation_crosswalk": {
        "structure_date": DATE,
        "year": WHOLE,
        "from_code": TEXT,
        "to_code": TEXT,
        "share": NUMBER,
        "is_convertible": FLAG,
    },
    "organisation_year": {
        "year": WHOLE,
        "unit_code": TEXT,
        "org_code": TEXT,
        "org_name": TEXT,
        "org_sector": TEXT,
        "grassroots_code": TEXT,
        "is_grassroots": FLAG,
        "is_cell": FLAG,
        "self_level": TEXT,
        "appraised_level": TEXT,
        "final_level": TEXT,
        "tasks_assigned": NUMBER,
        "tasks_late": NUMBER,
        "tasks_exceeded": NUMBER,
        "members": NUMBER,
        "members_rated": NUMBER,
        "members_xs": NUMBER,
        "members_htt": NUMBER,
        "members_ht": NUMBER,
        "members_kht": NUMBER,
        "cells": NUMBER,
        "meetings_expected": NUMBER,
        "meetings_held": NUMBER,
        "meetings_thematic": NUMBER,
        "meeting_points_mean": NUMBER,
        "attendance_rate": NUMBER,
        "inspections": NUMBER,
        "disciplined_members": NUMBER,
        "register_members": NUMBER,
        "admissions": NUMBER,
        "plans_due": NUMBER,
        "plans_made": NUMBER,
        "held_back_assessments": NUMBER,
    },
    "fct_member": {
        "year": WHOLE,
        "unit_code": TEXT,
        "member_key": TEXT,
        "cell_code": TEXT,
        "status": TEXT,
        "admitted_on": DATE,
        "is_present": FLAG,
    },
    "fct_member_assessment": {
        "year": WHOLE,
        "unit_code": TEXT,
        "member_key": TEXT,
        "cell_code": TEXT,
        "grassroots_code": TEXT,
        "self_level": TEXT,
        "proposed_level": TEXT,
        "final_level": TEXT,
        "score": NUMBER,
    },
    "held_back_assessment": {
        "year": WHOLE,
        "unit_code": TEXT,
        "subject_kind": TEXT,
        "member_key": TEXT,
        "org_code": TEXT,
    },
    "fct_submission": {
        "source_hash": TEXT,
        "source_kind": TEXT,
        "unit_code": TEXT,
        "year": WHOLE,
        "is_in_force": FLAG,
    },
    "fct_submission_form": {"source_hash": TEXT, "form": TEXT, "rows_in": WHOLE, "loaded": WHOLE},
}
"""Marts the signals read, with the columns they need."""


class MissingInput(ValueError):
    """The warehouse lacks a mart or a column that a rule or a signal needs."""


class Typed(dict[str, pd.DataFrame]):
    """Marts with their types, and what was made of them so far."""

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        super().__init__(frames)
        self.made: dict[tuple, tuple[tuple, pd.DataFrame]] = {}


def once(make: Callable[..., pd.DataFrame]) -> Callable[..., pd.DataFrame]:
    """Make a frame of the marts only the first time it is asked for; nobody may change what is given out."""

    @wraps(make)
    def given(marts: Typed, *what: object) -> pd.DataFrame:
        key = (make, *map(id, what))
        if key not in marts.made:
            # what it was made with is kept beside it, so that nothing else can come to have its identity
            marts.made[key] = what, make(marts, *what)
        return marts.made[key][1]

    return given


def typed(tables: Mapping[str, pd.DataFrame], inputs: Mapping[str, Mapping[str, str]] = INPUTS) -> Typed:
    """The marts of `inputs`, only their columns, with types in which missing is missing and counts are exact."""
    absent = sorted(set(inputs) - set(tables))
    if absent:
        raise MissingInput(f"marts not given: {absent}; given: {sorted(tables)}")
    return Typed({name: _typed(name, tables[name], columns) for name, columns in inputs.items()})


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
