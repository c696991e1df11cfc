"""Where and when a case of discipline is booked: in both books, in the unit and on the rating of the right year."""

from collections.abc import Callable, Mapping

import pandas as pd

from ratings import by_discipline, decided, discipline, organisations, wording
from ratings.decided import KEY
from ratings.outcomes import FOUND, NOT_CHECKED, OUTSIDE, PASSED, first, in_force, is_among, of_some, subjects
from ratings.rules import Catalogue, Rule

Marts = Mapping[str, pd.DataFrame]


def booked_on_the_new_unit(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R25: a member's case reported by the unit of today though the violation was in the unit of then.

    Where a member was on the day is known only where the rolls of the ends of that year and of the year before agree.
    """
    member = marts["fct_discipline"]["subject_member_key"]
    cases = in_force(marts["fct_discipline"].assign(subject_key=member)[member.notna()], rule, rules)
    cases["violated_in"] = cases["violated_on"].dt.year.astype("Int64")
    roll = of_some(organisations.roll(marts)[[*KEY, "unit_code", "record_id"]], cases, "subject_key")
    for name, years in (("before", cases["violated_in"] - 1), ("after", cases["violated_in"])):
        wanted = cases[["subject_key"]].assign(year=years)
        there = wanted.merge(roll, on=KEY, how="left", validate="many_to_one").set_axis(cases.index)
        cases[[name, f"{name}_record_id"]] = there[["unit_code", "record_id"]]
    old, new = cases["after"], cases["unit_code"]
    still_reports = is_among(
        pd.DataFrame({"year": cases["year"], "unit_code": old}), discipline.received(marts), ["year", "unit_code"]
    )
    cases["outcome"], cases["reason"] = first(
        cases,
        (cases["violated_on"].isna(), NOT_CHECKED, "chưa rõ ngày vi phạm của vụ việc"),
        (old.isna() | (cases["before"] != old).fillna(True), NOT_CHECKED, "chưa rõ đảng viên ở đơn vị nào khi vi phạm"),
        (old == new, PASSED, None),
        (~still_reports, NOT_CHECKED, "đơn vị cũ của đảng viên không còn hoặc chưa gửi báo cáo năm này"),
        (cases["year"].notna(), FOUND, None),
    )
    order = {FOUND: 0, NOT_CHECKED: 1, PASSED: 2}
    cases = cases.assign(order=cases["outcome"].map(order)).sort_values([*KEY, "order", "decided_on", "record_id"])
    cases = cases.drop_duplicates(KEY, ignore_index=True)
    subject = organisations.member(cases["subject_key"], cases["org_code"])
    units = marts["dim_unit"].drop_duplicates("unit_code").set_index("unit_code")["unit_name"]
    return subjects(
        cases,
        discipline.unread_rows(marts, rule, rules, "disciplines", "kỷ luật (Biểu 8)"),
        subject_kind="member",
        subject=subject,
        member_key=cases["subject_key"],
        reported=wording.phrase(
            "Biểu 8 năm {year} của {unit} ghi tại đơn vị vụ kỷ luật {form} theo Quyết định số {number} ngày {date}.",
            year=cases["year"],
            unit=wording.organisation(cases["unit_code"].map(units), cases["unit_code"]),
            form=cases["form"].str.lower().fillna("(chưa rõ hình thức)"),
            number=cases["decision_no"].fillna("chưa rõ"),
            date=wording.date(cases["decided_on"]).fillna("chưa rõ"),
        ),
        contradicted_by=wording.phrase(
            "Ngày vi phạm là {day}; danh sách đảng viên cuối các năm {before}, {after} đều ghi đảng viên ở {unit}.",
            day=wording.date(cases["violated_on"]),
            before=cases["violated_in"] - 1,
            after=cases["violated_in"],
            unit=wording.organisation(cases["after"].map(units), cases["after"]),
        ),
        record_id_1=cases["record_id"],
        record_id_2=cases["after_record_id"],
    )


def earlier_violations(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R26: a violation of an earlier year, disciplined this year, beside a good level; what R01 found is left to it."""
    cases = in_force(discipline.cases(marts, discipline.MEMBER), rule, rules)
    days = marts["fct_discipline"][["record_id", "violated_on"]].dropna().drop_duplicates("record_id")
    cases = cases.merge(days, on="record_id", how="left", validate="many_to_one")
    cases["case_record_id"] = cases["record_id"].fillna(cases["register_record_id"])
    cases["is_early"] = (
        (cases["violated_on"].dt.year < cases["year"]).astype("boolean").mask(cases["violated_on"].isna())
    )
    cases = cases[cases["is_early"].fillna(True)].rename(columns={"unit_code": "case_unit_code"})
    cases = cases.sort_values(["is_early", "violated_on", "case_id"], ascending=[False, True, True])
    members = cases.drop_duplicates(KEY).drop(columns="record_id")
    rated = of_some(decided.members(marts), members, "subject_key")
    members = members.merge(rated, on=KEY, how="left", validate="one_to_one")
    roll = of_some(organisations.roll(marts)[[*KEY, "is_present"]], members, "subject_key")
    members = members.merge(roll, on=KEY, how="left", validate="one_to_one")
    members["unit_code"] = members["unit_code"].fillna(members["case_unit_code"])
    members["cell_code"] = members["cell_code"].fillna(members["org_code"])

    own = by_discipline.disciplined_members(marts, rules.rule("R01"), rules)
    already = is_among(members, own[own["outcome"] == FOUND], KEY)
    level = members["final_level"]
    members["outcome"], members["reason"] = first(
        members,
        (already, OUTSIDE, None),
        *decided.missing(members, marts, "member", has_left=~members["is_present"].fillna(True)),
        (~level.isin(rule.parameter("contradicting_levels")), PASSED, None),
        (members["is_early"].isna(), NOT_CHECKED, "chưa rõ ngày vi phạm của vụ việc"),
        (level.notna(), FOUND, None),
    )
    subject = organisations.member(members["subject_key"], members["cell_code"])
    return subjects(
        members,
        *discipline.not_known(marts, rule, rules),
        subject_kind="member",
        subject=subject,
        org_code=members["cell_code"],
        member_key=members["subject_key"],
        reported=decided.told(subject, members["year"], level),
        contradicted_by=wording.phrase(
            "Vi phạm ngày {day}, trước năm đánh giá, bị kỷ luật {case}; biểu không kèm văn bản xem xét ảnh hưởng tới "
            "mức xếp loại năm nay.",
            day=wording.date(members["violated_on"]),
            case=members["described"],
        ),
        record_id_1=members["record_id"],
        record_id_2=members["case_record_id"],
    )


def unmentioned_cases(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R29: a case of the Commission's register that the unit's report does not mention, or the other way round."""
    matches = marts["discipline_match"].rename(columns={"record_id": "register_record_id"})
    known = discipline.described(marts["discipline_case"]).drop_duplicates("register_record_id")
    cases = in_force(matches, rule, rules).merge(
        known.drop(columns=["year", "unit_code", "record_id"]), on="register_record_id", how="left"
    )
    is_member = cases["subject"] == discipline.MEMBER
    cases["who"] = cases["subject_member_key"].where(is_member, cases["subject_org_code"])
    cases["subject_key"] = _called(cases).fillna(cases["register_record_id"])
    cases = cases.sort_values("register_record_id").drop_duplicates(["year", "subject_key"], ignore_index=True)
    cases["outcome"], cases["reason"] = first(
        cases,
        (~cases["unit_received"].fillna(False), NOT_CHECKED, "đơn vị chưa gửi báo cáo"),
        (cases["is_mentioned"].isna(), NOT_CHECKED, "chưa đối chiếu được với báo cáo của đơn vị"),
        (cases["is_mentioned"], PASSED, None),
        (cases["year"].notna(), FOUND, None),
    )
    is_member = cases["subject"] == discipline.MEMBER
    subject = _concerned(cases, marts)
    return subjects(
        cases,
        _unregistered(marts, rule, rules),
        discipline.lacking_in_register(marts, rule, rules),
        subject_kind=is_member.map({True: "member", False: "organisation"}),
        subject=subject,
        org_code=cases["org_code"].where(is_member, cases["who"]),
        member_key=cases["who"].where(is_member),
        reported=wording.phrase(
            "Biểu 8 trong báo cáo năm {year} của đơn vị {unit} không có vụ việc này "
            "(không dòng nào trùng ít nhất hai trong ba: đối tượng, số quyết định, ngày quyết định).",
            year=cases["year"],
            unit=cases["unit_code"],
        ),
        contradicted_by=wording.phrase(
            "Sổ kỷ luật năm {year} ghi {who} bị kỷ luật {case}.",
            year=cases["year"],
            who=subject,
            case=cases["described"],
        ),
        record_id_1=cases["register_record_id"],
    )


def _unregistered(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R29, the other way round: a case of a unit's report that the Commission's register does not have.

    As there, two of whom it concerns, number and day are enough; the register of any year counts.
    """
    cases = marts["discipline_case"]
    who = cases["subject_member_key"].fillna(cases["subject_org_code"])
    cases = in_force(discipline.described(cases.assign(who=who)), rule, rules)
    register = cases[cases["in_register"].fillna(False)]
    reported = cases[cases["in_report"].fillna(False) & ~cases["in_register"].fillna(False)]
    reported = reported.assign(subject_key=_called(reported).fillna(reported["record_id"]) + "|sổ")
    reported = reported.sort_values("record_id").drop_duplicates(KEY, ignore_index=True)
    pairs = (["who", "decision_no"], ["who", "decided_on"], ["decision_no", "decided_on"])
    is_known = pd.concat([is_among(reported, register[pair].dropna(), pair) for pair in pairs], axis=1).any(axis=1)
    lacking = discipline.lacking_in_register(marts, rule, rules)
    reported["outcome"], reported["reason"] = first(
        reported,
        (is_known, PASSED, None),
        (reported["year"].isin(lacking["year"]), NOT_CHECKED, "Sổ kỷ luật chưa đủ để đối chiếu ngược từ Biểu 8"),
        (reported["year"].notna(), FOUND, None),
    )
    exception = rule.exception("register_lacks")
    is_member = reported["subject"] == discipline.MEMBER
    subject = _concerned(reported, marts)
    return subjects(
        reported,
        subject_kind=is_member.map({True: "member", False: "organisation"}),
        subject=subject,
        org_code=reported["org_code"].where(is_member, reported["who"]),
        member_key=reported["who"].where(is_member),
        severity=reported["regime_id"].map(exception.severity).fillna(reported["severity"]),
        exception=exception.text,
        reported=wording.phrase(
            "Biểu 8 năm {year} của đơn vị {unit} ghi {who} bị kỷ luật {case}.",
            year=reported["year"],
            unit=reported["unit_code"],
            who=subject,
            case=reported["described"],
        ),
        contradicted_by=wording.phrase(
            "Sổ kỷ luật của Ủy ban kiểm tra không có vụ việc này "
            "(không dòng nào trùng ít nhất hai trong ba: đối tượng, số quyết định, ngày quyết định){end}",
            end=pd.Series(".", reported.index),
        ),
        record_id_1=reported["record_id"],
    )


def _called(cases: pd.DataFrame) -> pd.Series:
    """R29: what a case is called in both books, whatever files they came in; missing where it cannot be said."""
    number, day = cases["decision_no"], wording.date(cases["decided_on"])
    return wording.phrase("{who}|{number}|{day}", who=cases["who"], number=number, day=day)


def _concerned(cases: pd.DataFrame, marts: Marts) -> pd.Series:
    """R29: whom cases concern, in words."""
    who = organisations.organisation(cases["who"], cases["year"], organisations.versions(marts))
    return organisations.member(cases["who"], cases["org_code"]).where(cases["subject"] == discipline.MEMBER, who)


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    "R25": booked_on_the_new_unit,
    "R26": earlier_violations,
    "R29": unmentioned_cases,
}
"""The rules of where a case is booked."""
