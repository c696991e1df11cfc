"""Disciplinary cases of a year, and what is not known of them."""

from collections.abc import Mapping

import pandas as pd

from ratings import wording
from ratings.marts import once
from ratings.outcomes import NOT_CHECKED, in_force, subjects
from ratings.rules import Catalogue, Rule

MEMBER, ORGANISATION = "Đảng viên", "Tổ chức đảng"
"""Whom a case may concern."""

DISSOLVED = "Giải tán"
"""The gravest form, of organisations."""

GRAVITY = {form: order for order, form in enumerate(("Khiển trách", "Cảnh cáo", "Cách chức", "Khai trừ", DISSOLVED))}
"""Forms of discipline, mildest first."""

Marts = Mapping[str, pd.DataFrame]


@once
def cases(marts: Marts, subject: str) -> pd.DataFrame:
    """Cases against members or against organisations, from the units' reports and the Commission's register."""
    frame = marts["discipline_case"]
    column = "subject_member_key" if subject == MEMBER else "subject_org_code"
    frame = frame[(frame["subject"] == subject) & frame[column].notna()]
    return described(frame.assign(subject_key=frame[column], gravity=frame["form"].map(GRAVITY).fillna(-1)))


def described(frame: pd.DataFrame) -> pd.DataFrame:
    """Cases with their form, decision, bearing on duty and book in words."""
    duty = frame["duty_related"].map({True: "liên quan nhiệm vụ", False: "không liên quan nhiệm vụ"}).astype("str")
    book = frame["in_report"].fillna(False).astype(int) + 2 * frame["in_register"].fillna(False).astype(int)
    words = wording.phrase(
        "{form} theo Quyết định số {number} ngày {date} ({duty}; {book})",
        form=frame["form"].str.lower().fillna("(chưa rõ hình thức)"),
        number=frame["decision_no"].fillna("chưa rõ"),
        date=wording.date(frame["decided_on"]).fillna("chưa rõ"),
        duty=duty.fillna("chưa rõ có liên quan nhiệm vụ hay không"),
        book=book.map({0: "chưa rõ nguồn", 1: "Biểu 8", 2: "Sổ kỷ luật", 3: "Biểu 8 và Sổ kỷ luật"}),
    )
    return frame.assign(described=words)


@once
def received(marts: Marts) -> pd.DataFrame:
    """Units and years with a report in force."""
    sent = marts["fct_submission"]
    return sent[(sent["source_kind"] == "unit") & sent["is_in_force"].fillna(False)]


@once
def held_back_rows(marts: Marts, form: str) -> pd.DataFrame:
    """Rows of a form held back in the reports in force, by year and unit."""
    forms = marts["fct_submission_form"]
    rows = received(marts).merge(forms[forms["form"] == form], on="source_hash")
    return rows.groupby(["year", "unit_code"], as_index=False)["held_back"].sum()


def unread_rows(marts: Marts, rule: Rule, rules: Catalogue, form: str, rows_of: str) -> pd.DataFrame:
    """Subjects standing for the rows of a form that are held back, of which nothing is known."""
    rows = in_force(held_back_rows(marts, form), rule, rules)
    rows = rows[rows["held_back"] > 0].assign(outcome=NOT_CHECKED)
    return subjects(
        rows,
        subject_kind="unit",
        subject_key=rows["unit_code"] + "|" + form,
        cases=rows["held_back"],
        reason=f"dòng {rows_of} đang bị giữ lại",
    )


def not_known(marts: Marts, rule: Rule, rules: Catalogue) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Subjects that every rule of cases adds: what is not known of the reports, and of the Commission's register."""
    return _unread(marts, rule, rules), lacking_in_register(marts, rule, rules)


def _unread(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """Subjects standing for discipline rows held back that no case of the register explains."""
    rows = in_force(_unexplained(marts), rule, rules)
    return subjects(
        rows,
        subject_kind="unit",
        subject_key=rows["unit_code"] + "|Biểu 8",
        outcome=NOT_CHECKED,
        reason="dòng kỷ luật bị giữ lại (Biểu 8), chưa xác định được là vụ việc nào",
    )


@once
def _unexplained(marts: Marts) -> pd.DataFrame:
    """How many discipline rows of each unit and year are held back and not explained by the register."""
    key = ["year", "unit_code"]
    matches = marts["discipline_match"]
    explained = matches[matches["is_match_held_back"].fillna(False)].drop_duplicates("matched_record_id")
    explained = explained.groupby(key, as_index=False)["matched_record_id"].size()
    rows = held_back_rows(marts, "disciplines").merge(explained, on=key, how="left")
    rows["cases"] = rows["held_back"] - rows["size"].fillna(0).astype("Int64")
    return rows[rows["cases"] > 0]


def lacking_in_register(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """Subjects that stand for no case and only say what is missing of the Commission's register of the year."""
    units = in_force(_without_register(marts), rule, rules)
    return subjects(units, subject_kind="unit", subject_key=units["unit_code"] + "|Sổ kỷ luật")


@once
def _without_register(marts: Marts) -> pd.DataFrame:
    """Units that reported in years of which the register is absent or not wholly read, and which it is."""
    sent = marts["fct_submission"]
    register = sent[(sent["source_kind"] == "register") & sent["is_in_force"].fillna(False)]
    forms = marts["fct_submission_form"]
    rows = register.merge(forms[forms["form"] == "discipline_register"], on="source_hash", how="left")
    rows = rows.groupby("year", as_index=False)["held_back"].sum()
    units = received(marts).merge(rows, on="year", how="left")
    lost = wording.phrase(
        "Sổ kỷ luật năm {year} có {n} dòng bị giữ lại, chưa xác định được thuộc đơn vị nào",
        year=units["year"],
        n=wording.number(units["held_back"]),
    )
    absent = wording.phrase("chưa nhận được Sổ kỷ luật năm {year} của Ủy ban kiểm tra", year=units["year"])
    units["reason"] = absent.where(units["held_back"].isna(), lost)
    return units[units["held_back"].isna() | (units["held_back"] > 0)].assign(outcome=NOT_CHECKED, cases=0)
