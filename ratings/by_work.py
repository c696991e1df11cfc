"""Levels beside the work behind them: meetings, inspections, admissions; and the articles inspections are under."""

from collections.abc import Callable, Mapping

import pandas as pd

from ratings import decided, discipline, organisations, wording
from ratings.outcomes import FOUND, NOT_CHECKED, PASSED, first, in_force, is_among, subjects, without_passed
from ratings.rules import Catalogue, Rule

Marts = Mapping[str, pd.DataFrame]

CELL = ["year", "org_code"]


def excellent_without_work(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R28: an excellent cell with months without a meeting or a poor one; a grassroots one that inspected nothing.

    Inspections are entered at who conducts them, so that they are counted in all that a grassroots organisation
    leads. Months for which a cell has no row are not known: only a row without a day says that none was held.
    """
    year = marts["organisation_year"]
    rows = in_force(year[(year["final_level"] == "XS") & (year["is_cell"] | year["is_grassroots"])], rule, rules)
    key = ["year", "unit_code", "org_code"]
    rows = rows.merge(marts["cell_year"], on=key, how="left")
    meetings = marts["fct_cell_meeting"]
    meetings = meetings[meetings["cell_code"].isin(rows["org_code"])].rename(columns={"cell_code": "org_code"})
    rows = rows.merge(_counted(meetings[meetings["is_held"].eq(False)], "unheld"), on=CELL, how="left")
    poor = meetings[meetings["band"] == rule.parameter("poor_band")]
    rows = rows.merge(_counted(poor, "poor"), on=CELL, how="left")
    inspections = marts["fct_inspection"]
    conducted = inspections.drop(columns="kind").rename(columns={"grassroots_code": "org_code"})
    unread = discipline.held_back_rows(marts, "inspections")
    unread = unread[unread["held_back"] > 0]

    is_cell, is_grassroots = rows["is_cell"].fillna(False), rows["is_grassroots"].fillna(False)
    missed = (rows["months_due"] - rows["months_held"]).where(is_cell)
    unheld, poor = rows["unheld"].fillna(0), rows["poor"].fillna(0).clip(lower=rows["band_kem"].fillna(0))
    idle = is_grassroots & ~is_among(rows, conducted, key)
    unit = ["year", "unit_code"]
    knows_inspections = is_among(rows, inspections, unit) & ~is_among(rows, unread, unit)
    parts = {
        "unheld": is_cell & (missed > 0).fillna(False) & (unheld > 0),
        "poor": is_cell & (poor > 0),
        "idle": idle & knows_inspections,
    }
    rows["outcome"], rows["reason"] = first(
        rows,
        (pd.DataFrame(parts).any(axis=1), FOUND, None),
        (
            is_cell & (missed.isna() | (missed > 0)),
            NOT_CHECKED,
            "thiếu dòng sinh hoạt chi bộ (Biểu 6) của vài tháng",
        ),
        (idle, NOT_CHECKED, "chưa đọc được đủ các dòng kiểm tra, giám sát (Biểu 7) của đơn vị"),
        (rows["year"].notna(), PASSED, None),
    )
    rows = rows.assign(
        missed=missed.clip(upper=unheld), poor=poor, **{f"is_{name}": part for name, part in parts.items()}
    )
    rows, passed = without_passed(rows)
    told = pd.DataFrame(
        {
            "unheld": wording.phrase(
                "{n} tháng không sinh hoạt chi bộ trong {of} tháng phải sinh hoạt (Biểu 6)",
                n=wording.number(rows["missed"]),
                of=wording.number(rows["months_due"]),
            ).where(rows["is_unheld"]),
            "poor": wording.phrase(
                "{n} buổi sinh hoạt xếp loại {band} (Biểu 6)",
                n=wording.number(rows["poor"]),
                band=pd.Series(rule.parameter("poor_band"), rows.index, dtype="str"),
            ).where(rows["is_poor"]),
            "idle": pd.Series(
                "không có cuộc kiểm tra, giám sát nào do tổ chức đảng và các tổ chức trực thuộc tiến hành (Biểu 7)",
                rows.index,
                dtype="str",
            ).where(rows["is_idle"]),
        },
        rows.index,
    )
    subject = organisations.organisation(rows["org_code"], rows["year"], organisations.versions(marts))
    return subjects(
        rows,
        passed,
        decided.unread(marts, rule, rules, "organisation"),
        subject_kind="organisation",
        subject_key=rows["org_code"],
        subject=subject,
        reported=decided.told(subject, rows["year"], rows["final_level"]),
        contradicted_by=wording.phrase("Trong năm {year}: {parts}.", year=rows["year"], parts=wording.listed(told)),
        record_id_1=rows["record_id"],
        record_id_2=rows["unheld_record_id"].where(rows["is_unheld"]).fillna(rows["poor_record_id"]),
    )


def _counted(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """R28: how many rows (months) an organisation has, and the first of them."""
    rows = rows.sort_values([*CELL, "month", "record_id"]).drop_duplicates([*CELL, "month"])
    counted = rows.groupby(CELL, as_index=False).agg(n=("month", "size"), example=("record_id", "first"))
    return counted.rename(columns={"n": name, "example": f"{name}_record_id"})


def excellent_without_admissions(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R32: an excellent cell of a hamlet that admitted nobody for years, or whose hamlet has no local member."""
    years = rule.parameter("years")
    year = marts["organisation_year"]
    rows = in_force(year[(year["final_level"] == "XS") & year["is_cell"]], rule, rules)
    hamlets = marts["fct_hamlet"].rename(columns={"cell_code": "org_code", "record_id": "hamlet_record_id"})
    hamlets = hamlets.sort_values(["local_members", "hamlet_record_id"])
    hamlets = hamlets[[*CELL, "hamlet_name", "local_members", "hamlet_record_id"]].drop_duplicates(CELL)
    rows = rows.merge(hamlets, on=CELL)

    admitted = year[[*CELL, "admissions"]]
    known = is_among(year, discipline.received(marts), ["year", "unit_code"])
    unread = marts["control_totals"]
    unread = unread[unread["admissions_held_back"] > 0]
    known &= ~is_among(year, unread, ["year", "unit_code"])
    admitted = admitted.assign(n=admitted["admissions"].where(known))
    some, complete = pd.Series(False, rows.index), pd.Series(True, rows.index)
    for before in range(years):
        wanted = rows[CELL].assign(year=rows["year"] - before)
        of_year = wanted.merge(admitted.drop_duplicates(CELL), on=CELL, how="left").set_axis(rows.index)
        some |= (of_year["admissions"] > 0).fillna(False)
        complete &= of_year["n"].notna()
    without = complete & ~some
    blank = (rows["local_members"] == 0).fillna(False)
    rows["outcome"], rows["reason"] = first(
        rows,
        (without | blank, FOUND, None),
        (~some, NOT_CHECKED, f"chưa đủ số liệu kết nạp của {years} năm liền"),
        (rows["local_members"].isna(), NOT_CHECKED, "thiếu số đảng viên người tại chỗ của thôn (Biểu 10)"),
        (rows["year"].notna(), PASSED, None),
    )
    rows, passed = without_passed(rows.assign(without=without, blank=blank))
    told = pd.DataFrame(
        {
            "without": wording.phrase(
                f"chi bộ không kết nạp đảng viên nào trong {years} năm liền ({{first}}-{{last}})",
                first=rows["year"] - years + 1,
                last=rows["year"],
            ).where(rows["without"]),
            "blank": wording.phrase("{hamlet} không có đảng viên là người tại chỗ", hamlet=rows["hamlet_name"]).where(
                rows["blank"]
            ),
        },
        rows.index,
    )
    subject = organisations.organisation(rows["org_code"], rows["year"], organisations.versions(marts))
    return subjects(
        rows,
        passed,
        decided.unread(marts, rule, rules, "organisation"),
        discipline.unread_rows(marts, rule, rules, "hamlets", "thôn, bon, buôn, tổ dân phố (Biểu 10)"),
        subject_kind="organisation",
        subject_key=rows["org_code"],
        subject=subject,
        reported=decided.told(subject, rows["year"], rows["final_level"]),
        contradicted_by=wording.phrase("Theo Biểu 9, Biểu 10: {parts}.", parts=wording.listed(told)),
        record_id_1=rows["record_id"],
        record_id_2=rows["hamlet_record_id"],
    )


def inspections_under_another_article(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R33: inspections filed under an article by which their conductor does not conduct that kind; per conductor."""
    rows = in_force(marts["fct_inspection"].rename(columns={"conductor_code": "org_code"}), rule, rules)
    task = ["article", "conductor", "kind"]
    lawful = pd.DataFrame([{name: getattr(row, name) for name in task} for row in rules.inspection_articles])
    incomplete = rows[task].isna().any(axis=1)
    wrong = ~is_among(rows, lawful.astype({"article": "Int64", "conductor": "str", "kind": "str"}), task) & ~incomplete
    rows = rows.assign(wrong=wrong, incomplete=incomplete, n=1).sort_values(
        ["wrong", "record_id"], ascending=[False, True]
    )
    key = ["year", "unit_code", "org_code"]
    bodies = rows.groupby(key, as_index=False, dropna=False)[["wrong", "incomplete", "n"]].sum()
    shown = rows.drop_duplicates(key).drop(columns=["wrong", "incomplete", "n"])
    bodies = shown.merge(bodies, on=key, validate="one_to_one")
    bodies["outcome"], bodies["reason"] = first(
        bodies,
        (bodies["org_code"].isna(), NOT_CHECKED, "chưa rõ tổ chức chủ trì cuộc kiểm tra, giám sát"),
        (bodies["wrong"] > 0, FOUND, None),
        (bodies["incomplete"] > 0, NOT_CHECKED, "thiếu điều, chủ thể hoặc hình thức của cuộc kiểm tra, giám sát"),
        (bodies["year"].notna(), PASSED, None),
    )
    bodies, passed = without_passed(bodies)
    subject = organisations.organisation(bodies["org_code"], bodies["year"], organisations.versions(marts))
    return subjects(
        bodies,
        passed,
        discipline.unread_rows(marts, rule, rules, "inspections", "kiểm tra, giám sát (Biểu 7)"),
        subject_kind="organisation",
        subject_key=bodies["org_code"],
        subject=subject,
        org_code=bodies["org_code"].mask(bodies["org_code"].isin(organisations.unit_codes(marts))),
        reported=wording.phrase(
            "{who}: Biểu 7 năm {year} ghi {n} cuộc, trong đó có cuộc do {conductor} tiến hành, hình thức «{kind}», "
            "theo Điều {article}.",
            who=wording.sentence(subject),
            year=bodies["year"],
            n=wording.number(bodies["n"]),
            conductor=bodies["conductor"].str.lower(),
            kind=bodies["kind"].str.lower(),
            article=bodies["article"],
        ),
        contradicted_by=wording.phrase(
            "Theo Điều lệ Đảng, chủ thể này không tiến hành hình thức này theo Điều {article}; "
            "có {wrong} cuộc như vậy.",
            article=bodies["article"],
            wrong=wording.number(bodies["wrong"]),
        ),
        record_id_1=bodies["record_id"],
    )


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    "R28": excellent_without_work,
    "R32": excellent_without_admissions,
    "R33": inspections_under_another_article,
}
"""The rules of the work behind a level."""
