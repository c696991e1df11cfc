"""Levels that were decided for members and for organisations, and why one is not known."""

from collections.abc import Mapping

import pandas as pd

from ratings import discipline, wording
from ratings.levels import LEVEL_NAMES, LEVEL_ORDER
from ratings.marts import once
from ratings.outcomes import NOT_CHECKED, OUTSIDE, best_of_each, in_force, is_among, subjects
from ratings.rules import Catalogue, Rule

Marts = Mapping[str, pd.DataFrame]
Case = tuple[pd.Series, str, str | None]

TOLD = "{who}: cấp có thẩm quyền quyết định xếp loại năm {year} là «{level}»."
"""How a decided level is told."""

KEY = ["year", "subject_key"]


@once
def members(marts: Marts) -> pd.DataFrame:
    """Rating of each member and year; of rows in two units the higher level, which is the one that contradicts."""
    rated = marts["fct_member_assessment"].assign(order=lambda frame: frame["final_level"].map(LEVEL_ORDER))
    rated = best_of_each(rated, ["year", "member_key"], ["order", "record_id"], ascending=[True, True])
    return rated.drop(columns="order").rename(columns={"member_key": "subject_key"})


@once
def organisations(marts: Marts) -> pd.DataFrame:
    """Rating of each organisation and year."""
    rated = marts["fct_organisation_assessment"].sort_values("record_id").drop_duplicates(["year", "org_code"])
    return rated.rename(columns={"org_code": "subject_key"})


def held_back(marts: Marts, subject_kind: str) -> pd.DataFrame:
    """Assessment rows held back, of members or of organisations."""
    rows = marts["held_back_assessment"]
    return rows[rows["subject_kind"] == subject_kind]


def unread(marts: Marts, rule: Rule, rules: Catalogue, subject_kind: str) -> pd.DataFrame:
    """Subjects standing for assessment rows held back, of members or of organisations."""
    form = {"member": "đảng viên (Biểu 5)", "organisation": "tổ chức đảng (Biểu 4)"}[subject_kind]
    rows = in_force(held_back(marts, subject_kind).drop(columns="member_key"), rule, rules)
    return subjects(
        rows,
        subject_kind=subject_kind,
        subject_key=rows["record_id"],
        outcome=NOT_CHECKED,
        reason=f"dòng xếp loại {form} đang bị giữ lại",
    )


def missing(frame: pd.DataFrame, marts: Marts, subject_kind: str, has_left: pd.Series | bool = False) -> list[Case]:
    """Outcomes of subjects (``KEY``, ``unit_code``) joined with their ratings where no level is known."""
    whose = {"member": "đảng viên", "organisation": "tổ chức đảng"}[subject_kind]
    code = {"member": "member_key", "organisation": "org_code"}[subject_kind]
    rows = held_back(marts, subject_kind).drop(columns="subject_kind")
    rows = pd.DataFrame({"year": rows["year"], "subject_key": rows[code]})
    level, without_row = frame["final_level"], frame["record_id"].isna()
    is_received = is_among(frame, discipline.received(marts), ["year", "unit_code"])
    return [
        (without_row & ~is_received, NOT_CHECKED, "đơn vị chưa gửi báo cáo nên chưa biết mức xếp loại"),
        (without_row & is_among(frame, rows, KEY), NOT_CHECKED, f"dòng xếp loại của {whose} đang bị giữ lại"),
        (without_row & has_left, OUTSIDE, None),
        (without_row, NOT_CHECKED, f"không có dòng xếp loại đọc được của {whose}"),
        (level.isna() & frame["not_rated_reason"].notna(), OUTSIDE, None),
        (level.isna(), NOT_CHECKED, "không có mức xếp loại được quyết định"),
    ]


def told(who: pd.Series, year: pd.Series, level: pd.Series) -> pd.Series:
    """Decided levels in words."""
    return wording.phrase(TOLD, who=wording.sentence(who), year=year, level=level.map(LEVEL_NAMES))
