"""Totals that units state beside what their own lists, lines and earlier reports come to."""

from collections.abc import Callable, Mapping

import pandas as pd

from ratings import discipline, wording
from ratings.outcomes import FOUND, NOT_CHECKED, OUTSIDE, PASSED, first, in_force, softened, subjects, without_passed
from ratings.rules import Catalogue, Rule

Marts = Mapping[str, pd.DataFrame]


def totals_apart(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R30: totals that a unit states beside what its own lists come to."""
    totals = in_force(marts["control_totals"], rule, rules)
    names = marts["dim_unit"].drop_duplicates("unit_code").set_index("unit_code")["unit_name"]
    totals = totals.assign(
        subject_kind="unit",
        subject_key=totals["unit_code"],
        subject=wording.organisation(totals["unit_code"].map(names), totals["unit_code"]),
    )
    present, unknown = totals["members_present"], totals["members_unknown"]
    rows, held_back = totals["assessments_rows"], totals["assessments_held_back"]
    parts = totals["assessments_rated"] + totals["assessments_not_rated"]
    listed = "danh sách đảng viên có mặt (Biểu 3)"
    at_end, assessed = "số đảng viên cuối kỳ (Biểu 1, dòng D)", "số dòng xếp loại đảng viên (Biểu 5)"
    rated_or_not = "số đảng viên được xếp loại cộng số không xếp loại (Biểu 5)"

    bodies = marts["organisation_snapshot"].dropna(subset="member_count")
    key = ["year", "unit_code", "org_code"]
    bodies = in_force(bodies, rule, rules).merge(marts["organisation_year"][[*key, "members"]], on=key, how="left")
    bodies = bodies.merge(discipline.held_back_rows(marts, "members"), on=["year", "unit_code"], how="left")
    bodies = bodies.assign(
        subject_kind="organisation",
        subject_key=bodies["org_code"],
        subject=wording.organisation(bodies["org_name"], bodies["org_code"]),
        record_id_1=bodies["record_id"],
    )
    possible = bodies["held_back"].fillna(0)
    return pd.concat(
        [
            _compared(totals, "D", at_end, totals["movement_d"], listed, present, unknown),
            _compared(totals, "Biểu 5", assessed, rows + held_back, listed, present, unknown),
            _compared(totals, "xếp loại", rated_or_not, parts, "số dòng đọc được (Biểu 5)", rows, 0 * rows),
            _compared(
                bodies,
                "Biểu 2",
                "số đảng viên (Biểu 2)",
                bodies["member_count"],
                listed,
                bodies["members"],
                possible,
            ),
        ],
        ignore_index=True,
    )


def _compared(
    frame: pd.DataFrame,
    check: str,
    stated_as: str,
    stated: pd.Series,
    counted_as: str,
    counted: pd.Series,
    unknown: pd.Series,
) -> pd.DataFrame:
    """R30, R31: one identity; what is stated must lie between what is counted and that plus the rows not known."""
    frame = frame.copy()
    frame["outcome"], frame["reason"] = first(
        frame,
        (stated.isna() | counted.isna() | unknown.isna(), NOT_CHECKED, f"thiếu {stated_as} hoặc {counted_as}"),
        ((stated < counted) | (stated > counted + unknown), FOUND, None),
        (stated == counted, PASSED, None),
        (frame["year"].notna(), NOT_CHECKED, f"{stated_as} lệch với {counted_as} trong phạm vi số dòng bị giữ lại"),
    )
    frame, passed = without_passed(frame.assign(stated=stated, counted=counted, unknown=unknown))
    stated, counted, unknown = frame["stated"], frame["counted"], frame["unknown"]
    return subjects(
        frame,
        passed,
        subject_key=frame["subject_key"] + "|" + check,
        reported=wording.phrase(
            "{who}, năm {year}: {stated_as} là {n}.",
            who=wording.sentence(frame["subject"]),
            year=frame["year"],
            stated_as=pd.Series(stated_as, frame.index),
            n=wording.number(stated),
        ),
        contradicted_by=wording.phrase(
            "Đếm theo " + counted_as + " được {n}{held_back}; chênh lệch {apart}.",
            n=wording.number(counted),
            held_back=wording.phrase(", chưa kể {n} dòng bị giữ lại", n=wording.number(unknown)).where(
                (unknown > 0).fillna(False), ""
            ),
            apart=wording.number((stated - counted).abs()),
        ),
    )


def movement_apart(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R31: the movement of members that does not add up, does not go on from last year's or does not match admissions.

    And admissions of which most fall into the last quarter.
    """
    lines = marts["fct_membership_movement"].sort_values("record_id").drop_duplicates(["year", "unit_code", "line"])
    key = ["year", "unit_code"]
    counts, ids = (lines.pivot(index=key, columns="line", values=name) for name in ("count", "record_id"))
    counts = counts.reindex(columns=LINES).astype("Int64")
    ids = ids.reindex(columns=LINES).astype("str").add_prefix("id_")
    names = marts["dim_unit"].drop_duplicates("unit_code").set_index("unit_code")["unit_name"]
    totals = marts["control_totals"][[*key, "admissions_rows", "admissions_held_back"]]
    units = in_force(totals, rule, rules).merge(counts.join(ids).reset_index(), on=key, how="left")
    units = units.assign(
        subject_kind="unit",
        subject=wording.organisation(units["unit_code"].map(names), units["unit_code"]),
    )
    before = counts[["D"]].join(ids["id_D"]).reset_index()
    before = before.assign(year=before["year"] + 1).rename(columns={"D": "before", "id_D": "id_before"})
    units = units.merge(before, on=key, how="left")
    return pd.concat(
        [
            _lines_apart(units),
            _opening_apart(units, rule),
            _admissions_apart(units),
            _rush(units, marts, rule),
        ],
        ignore_index=True,
    )


PARTS = {"B": ["B1", "B2", "B3"], "C": ["C1", "C2", "C3", "C4", "C5"]}
LINES = ["A", "B", *PARTS["B"], "C", *PARTS["C"], "D"]


def _lines_apart(units: pd.DataFrame) -> pd.DataFrame:
    """R31: lines of one form that do not add up."""
    sums = {
        "D": (units["A"] + units["B"] - units["C"], "A + B - C"),
        **{line: (units[parts].sum(axis=1, skipna=False), " + ".join(parts)) for line, parts in PARTS.items()},
    }
    apart = pd.DataFrame({line: units[line] != total for line, (total, _) in sums.items()}, units.index)
    told = pd.DataFrame(
        {
            line: wording.phrase(
                f"{line} là {{n}}, {text} là {{total}}", n=wording.number(units[line]), total=wording.number(total)
            ).where(apart[line].fillna(False))
            for line, (total, text) in sums.items()
        },
        units.index,
    )
    rows = units.assign(told=wording.listed(told))
    rows["outcome"], rows["reason"] = first(
        rows,
        (apart.fillna(False).any(axis=1), FOUND, None),
        (apart.isna().any(axis=1), NOT_CHECKED, "thiếu dòng của Biểu 1"),
        (rows["year"].notna(), PASSED, None),
    )
    return subjects(
        rows,
        subject_key=rows["unit_code"] + "|Biểu 1",
        reported=wording.phrase(
            "{who}: Biểu 1 năm {year} ghi số đảng viên cuối kỳ (dòng D) là {n}.",
            who=wording.sentence(rows["subject"]),
            year=rows["year"],
            n=wording.number(rows["D"]).fillna("(không ghi)"),
        ),
        contradicted_by=wording.phrase("Các dòng của Biểu 1 không cộng khớp: {told}.", told=rows["told"]),
        record_id_1=rows["id_D"],
        record_id_2=rows["id_A"],
    )


def _opening_apart(units: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """R31: a year that does not begin with what the year before ended with."""
    rows = units.copy()
    rows["outcome"], rows["reason"] = first(
        rows,
        (rows["before"].isna(), NOT_CHECKED, "chưa có dòng D của Biểu 1 năm trước"),
        (rows["A"].isna(), NOT_CHECKED, "thiếu dòng A của Biểu 1"),
        (rows["A"] != rows["before"], FOUND, None),
        (rows["year"].notna(), PASSED, None),
    )
    rows = softened(rows, rule.exception("opening_balance"), rows["year"].notna())
    return subjects(
        rows,
        subject_key=rows["unit_code"] + "|đầu kỳ",
        reported=wording.phrase(
            "{who}: Biểu 1 năm {year} ghi kỳ trước chuyển sang (dòng A) là {n}.",
            who=wording.sentence(rows["subject"]),
            year=rows["year"],
            n=wording.number(rows["A"]),
        ),
        contradicted_by=wording.phrase(
            "Biểu 1 năm {before} ghi cuối kỳ (dòng D) là {n}; chênh lệch {apart}.",
            before=rows["year"] - 1,
            n=wording.number(rows["before"]),
            apart=wording.number((rows["A"] - rows["before"]).abs()),
        ),
        record_id_1=rows["id_A"],
        record_id_2=rows["id_before"],
    )


def _admissions_apart(units: pd.DataFrame) -> pd.DataFrame:
    """R31: a number admitted that is not that of the list of those admitted."""
    stated_as, listed_as = "số kết nạp trong kỳ (Biểu 1, dòng B1)", "danh sách kết nạp (Biểu 9)"
    rows = units.assign(record_id_1=units["id_B1"], subject_key=units["unit_code"])
    return _compared(
        rows, "Biểu 9", stated_as, rows["B1"], listed_as, rows["admissions_rows"], rows["admissions_held_back"]
    )


def _rush(units: pd.DataFrame, marts: Marts, rule: Rule) -> pd.DataFrame:
    """R31: admissions of which too great a part falls into the last quarter; with few it means nothing."""
    key = ["year", "unit_code"]
    admissions = marts["fct_admission"]
    day = admissions["admitted_on"]
    late = admissions[(day.dt.month >= 10) & (day.dt.year == admissions["year"])].sort_values("record_id")
    late = late.groupby(key, as_index=False).agg(late=("record_id", "size"), example=("record_id", "first"))
    dated = admissions.assign(undated=day.isna()).groupby(key, as_index=False)["undated"].sum()
    rows = units.merge(late, on=key, how="left").merge(dated, on=key, how="left")
    n, late = rows["admissions_rows"], rows["late"].astype("Int64").fillna(0)
    unknown = rows["admissions_held_back"] + rows["undated"].astype("Int64").fillna(0)
    total, pct = n + rows["admissions_held_back"], rule.parameter("rush_pct")
    few = rule.parameter("fewest_admissions")
    rows["outcome"], rows["reason"] = first(
        rows,
        (total < few, OUTSIDE, None),
        ((n >= few) & (100 * late > pct * total), FOUND, None),
        (
            (100 * (late + unknown) > pct * total) | (n < few),
            NOT_CHECKED,
            "có dòng kết nạp bị giữ lại hoặc thiếu ngày (Biểu 9)",
        ),
        (rows["year"].notna(), PASSED, None),
    )
    rows = softened(rows, rule.exception("rush"), rows["year"].notna())
    return subjects(
        rows,
        subject_key=rows["unit_code"] + "|quý IV",
        reported=wording.phrase(
            "{who}: Biểu 9 năm {year} có {n} người được kết nạp.",
            who=wording.sentence(rows["subject"]),
            year=rows["year"],
            n=wording.number(n),
        ),
        contradicted_by=wording.phrase(
            "Trong đó {late} người ({ratio}) được kết nạp trong quý IV.",
            late=wording.number(late),
            ratio=wording.ratio(late, n),
        ),
        record_id_1=rows["id_B1"],
        record_id_2=rows["example"],
    )


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    "R30": totals_apart,
    "R31": movement_apart,
}
"""The rules of totals."""
