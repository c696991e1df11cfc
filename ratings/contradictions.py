"""Contradictions: ratings that the regulation of their year does not allow beside another reported fact.

One function per rule; each returns the subjects it looked at, with their outcomes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from ratings import by_booking, by_discipline, by_steps, decided, discipline, organisations, outcomes, wording
from ratings.marts import typed
from ratings.outcomes import FOUND, NOT_CHECKED, PASSED, first, in_force, is_among, subjects
from ratings.rules import Catalogue, CatalogueError, Rule

BASES = {"A": "số hoàn thành tốt", "B": "số hoàn thành tốt trở lên", "C": "tổng số được xếp loại"}
"""What the cap on excellent ratings may be a share of."""

Marts = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Findings:
    """Contradictions found, and what every rule came to in every unit and year."""

    findings: pd.DataFrame
    results: pd.DataFrame


def find_contradictions(tables: Mapping[str, pd.DataFrame], rules: Catalogue, regime: str | None = None) -> Findings:
    """Apply every rule of the catalogue to the marts, keyed by mart name (``ratings.marts.INPUTS``).

    Each year is judged by its own regime, or every year again by the one given; findings of such a re-judgement have
    other ids than those of the years' own regimes.
    """
    if regime is not None:
        rules = rules.under(regime)
    without = sorted({rule.id for rule in rules.rules} - set(RULES))
    if without:
        raise CatalogueError(f"rules without a function: {without}; there are {sorted(RULES)}")
    marts = typed(tables)
    grid = _units_and_years(marts)
    judged = [(rule, RULES[rule.id](marts, rule, rules)) for rule in rules.rules]
    findings = pd.concat([outcomes.findings(looked_at, rule, rules) for rule, looked_at in judged])
    results = pd.concat([outcomes.results(looked_at, grid, rule, rules) for rule, looked_at in judged])
    return Findings(
        findings.sort_values(["year", "rule_id", "unit_code", "org_code", "finding_id"], ignore_index=True),
        results.sort_values(["rule_id", "year", "unit_code"], ignore_index=True),
    )


def excellent_with_tasks_undone(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R10: an excellent organisation with tasks undone, late or too few exceeded, or shortcomings left."""
    rated = marts["fct_organisation_assessment"]
    excellent = in_force(rated[rated["final_level"] == "XS"], rule, rules)
    pct = rule.parameter("exceeded_pct")
    assigned, done, late = excellent["tasks_assigned"], excellent["tasks_done"], excellent["tasks_late"]
    exceeded, had, fixed = excellent["tasks_exceeded"], excellent["shortcomings"], excellent["shortcomings_fixed"]
    tasks = f"{{n}}/{{of}} nhiệm vụ vượt yêu cầu (cần ít nhất {pct}%, tức {{needed}} nhiệm vụ)"
    needed = wording.number(-(-pct * assigned // 100))
    n = wording.number
    conditions = {
        "done": (done < assigned, "hoàn thành {n}/{of} nhiệm vụ được giao", {"n": n(done), "of": n(assigned)}),
        "late": (late > 0, "{n} nhiệm vụ trễ hạn", {"n": n(late)}),
        "exceeded": (100 * exceeded < pct * assigned, tasks, {"n": n(exceeded), "of": n(assigned), "needed": needed}),
        "fixed": (fixed < had, "khắc phục {n}/{of} hạn chế kỳ trước", {"n": n(fixed), "of": n(had)}),
    }
    fails = pd.DataFrame({name: fails for name, (fails, _, _) in conditions.items()}, excellent.index)
    told = pd.DataFrame(
        {name: wording.phrase(text, **parts) for name, (_, text, parts) in conditions.items()}, excellent.index
    ).where(fails.fillna(False))
    excellent["outcome"], excellent["reason"] = first(
        excellent,
        (fails.fillna(False).any(axis=1), FOUND, None),
        (fails.isna().any(axis=1), NOT_CHECKED, "thiếu số liệu nhiệm vụ hoặc hạn chế của tổ chức đảng xuất sắc"),
        (excellent["year"].notna(), PASSED, None),
    )
    held_back = in_force(decided.held_back(marts, "organisation"), rule, rules)
    subject = organisations.organisation(excellent["org_code"], excellent["year"], organisations.versions(marts))
    return subjects(
        excellent,
        subjects(
            held_back,
            subject_kind="organisation",
            subject_key=held_back["record_id"],
            outcome=NOT_CHECKED,
            reason="dòng xếp loại tổ chức đảng (Biểu 4) đang bị giữ lại",
        ),
        subject_kind="organisation",
        subject_key=excellent["org_code"],
        subject=subject,
        reported=decided.told(subject, excellent["year"], excellent["final_level"]),
        contradicted_by=wording.phrase(
            "Biểu 4 năm {year} của chính tổ chức đảng ghi: {parts}.",
            year=excellent["year"],
            parts=wording.listed(told),
        ),
        record_id_1=excellent["record_id"],
    )


def excellent_over_cap(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R16: more excellent ratings in a group than the cap lets through, whatever the held-back rows may hold."""
    groups = in_force(pd.concat([_member_groups(marts), _organisation_groups(marts)], ignore_index=True), rule, rules)
    allowed = marts["cap_exception"].dropna(subset=["decision_no", "decided_on", "cap_pct"])
    allowed = allowed.sort_values(["cap_pct", "decision_no"]).drop_duplicates(["year", "group_code"], keep="last")
    groups = groups.merge(allowed.drop(columns="unit_code"), on=["year", "group_code"], how="left")
    caps = {year: rules.cap(int(year)) for year in groups["year"].unique()}
    usual = groups["year"].map({year: cap.cap_pct for year, cap in caps.items()}).astype("Int64")
    # where no higher cap can be decided, a decision raises nothing
    highest_caps = {year: cap.exception_cap_pct or cap.cap_pct for year, cap in caps.items()}
    raised = groups["cap_pct"].clip(upper=groups["year"].map(highest_caps).astype("Int64"))
    is_raised = groups["regime_id"].isin(rule.exception("numbered_decision").severity) & (raised > usual).fillna(False)
    # in hundredths of a percent, so that all arithmetic is on whole numbers and the floor is exact
    cap = (raised * 100).round().astype("Int64").where(is_raised, usual * 100)

    xs, unknown = groups["xs"], groups["held_back"]
    counts = {"A": groups["htt"], "B": xs + groups["htt"], "C": groups["rated"]}
    limits = {base: cap * count // 10_000 for base, count in counts.items()}
    base = groups["year"].map({year: cap.base for year, cap in caps.items()})
    smallest = rule.parameter("minimum_group_size")
    highest = cap * (_of_base(base, counts) + unknown) // 10_000
    # a row held back that is excellent adds to bases B and C, not to A
    lowest = limits["A"].where(base == "A", highest)
    groups["outcome"], groups["reason"] = first(
        groups,
        (groups["rated"] < smallest, NOT_CHECKED, f"nhóm có dưới {smallest} đối tượng được xếp loại"),
        (xs > highest, FOUND, None),
        (xs + unknown > lowest, NOT_CHECKED, "có dòng xếp loại bị giữ lại nên chưa kết luận được về trần"),
        (groups["year"].notna(), PASSED, None),
    )
    percent = wording.phrase("{n}%", n=cap // 100)
    shown = {
        name: wording.phrase(
            BASES[name] + " ({of}): trần {limit}, tỷ lệ {ratio}",
            of=wording.number(counts[name]),
            limit=wording.number(limits[name]),
            ratio=wording.ratio(xs, counts[name]),
        )
        for name in BASES
    }
    others = {
        name: wording.phrase("{second}; {third}", **dict(zip(("second", "third"), rest, strict=True)))
        for name in BASES
        if (rest := [shown[other] for other in BASES if other != name])
    }
    surely = wording.phrase(
        " Kể cả khi tính cả {n} dòng đang bị giữ lại vào mẫu số, số xuất sắc vẫn vượt trần.", n=wording.number(unknown)
    )
    return subjects(
        groups,
        subject_kind="group",
        subject_key=groups["group_kind"] + "|" + groups["group_code"],
        org_code=groups["group_code"].where(groups["group_code"] != groups["unit_code"]),
        exception=wording.phrase(
            "Áp dụng trần {cap} theo Quyết định số {number} ngày {date}.",
            cap=percent,
            number=groups["decision_no"],
            date=wording.date(groups["decided_on"]),
        ).where(is_raised),
        reported=wording.phrase(
            "{who}, năm {year}: {xs} được xếp loại xuất sắc, {htt} hoàn thành tốt, trong {rated} được xếp loại.",
            who=wording.sentence(groups["subject"]),
            year=groups["year"],
            xs=wording.number(xs),
            htt=wording.number(groups["htt"]),
            rated=wording.number(groups["rated"]),
        ),
        contradicted_by=wording.phrase(
            "Trần {cap} trên {first}; vượt {over}. Cách tính khác: {others}.{surely}",
            cap=percent,
            first=_of_base(base, shown),
            over=wording.number(xs - _of_base(base, limits)),
            others=_of_base(base, others),
            surely=surely.where(unknown > 0, ""),
        ),
    )


def _of_base(base: pd.Series, columns: Mapping[str, pd.Series]) -> pd.Series:
    """R16: of columns by base that of each row's own."""
    chosen = columns["A"]
    for name, column in columns.items():
        chosen = chosen.where(base != name, column)
    return chosen


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
    bodies = in_force(bodies, rule, rules).merge(marts["organisation_year"], on=key, how="left")
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
    """R30: one identity; what is stated must lie between what is counted and that plus the rows not known."""
    frame = frame.copy()
    frame["outcome"], frame["reason"] = first(
        frame,
        (stated.isna() | counted.isna() | unknown.isna(), NOT_CHECKED, f"thiếu {stated_as} hoặc {counted_as}"),
        ((stated < counted) | (stated > counted + unknown), FOUND, None),
        (stated == counted, PASSED, None),
        (frame["year"].notna(), NOT_CHECKED, f"{stated_as} lệch với {counted_as} trong phạm vi số dòng bị giữ lại"),
    )
    return subjects(
        frame,
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


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    **by_discipline.RULES,
    **by_booking.RULES,
    **by_steps.RULES,
    "R10": excellent_with_tasks_undone,
    "R16": excellent_over_cap,
    "R30": totals_apart,
}
"""The function of each rule of the catalogue."""


def _member_groups(marts: Marts) -> pd.DataFrame:
    """Members of each grassroots organisation, counted by level."""
    groups = marts["grassroots_excellence"].rename(columns={"grassroots_code": "group_code"})
    return groups.assign(
        group_kind="đảng viên",
        subject="đảng viên của " + wording.organisation(groups["org_name"], groups["group_code"]),
    )


def _organisation_groups(marts: Marts) -> pd.DataFrame:
    """Organisations of one kind under one superior, counted by level."""
    key = ["year", "unit_code", "parent_code", "org_kind"]
    rated = marts["fct_organisation_assessment"]
    level = rated["final_level"]
    counted = rated.assign(rated=level.notna(), xs=level == "XS", htt=level == "HTT")
    groups = counted.groupby(key, as_index=False)[["rated", "xs", "htt"]].sum()

    # what cannot be placed may belong to any group of its unit
    lacking = pd.concat([decided.held_back(marts, "organisation")[key], rated.loc[rated[key].isna().any(axis=1), key]])
    lost = lacking[lacking.isna().any(axis=1)].groupby(key[:2], as_index=False).size()
    placed = lacking.groupby(key, as_index=False).size()
    groups = groups.merge(placed, on=key, how="left").merge(lost, on=key[:2], how="left", suffixes=("", "_lost"))
    groups["held_back"] = groups["size"].fillna(0) + groups["size_lost"].fillna(0)

    units = marts["dim_unit"].drop_duplicates("unit_code").set_index("unit_code")["unit_name"]
    parent = groups["parent_code"]
    names = organisations.names(parent, groups["year"], organisations.versions(marts)).fillna(parent.map(units))
    groups["subject"] = wording.phrase(
        "{kind} trực thuộc {parent}",
        kind=groups["org_kind"].str.lower(),
        parent=wording.organisation(names, parent),
    )
    whole = dict.fromkeys(("rated", "xs", "htt", "held_back"), "Int64")
    return groups.rename(columns={"parent_code": "group_code", "org_kind": "group_kind"}).astype(whole)


def _units_and_years(marts: Marts) -> pd.DataFrame:
    """Every unit in every year of which anything was received, and whether its report was."""
    sent = marts["fct_submission"]
    years = sent.loc[sent["is_in_force"].fillna(False), ["year"]].dropna().drop_duplicates()
    grid = years.merge(marts["dim_unit"][["unit_code"]].drop_duplicates(), how="cross")
    is_received = is_among(grid, discipline.received(marts), ["year", "unit_code"])
    return grid.assign(is_received=is_received).astype({"year": "int64"})
