"""Contradictions: ratings that the regulation of their year does not allow beside another reported fact.

One function per rule; each returns the subjects it looked at, with their outcomes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from ratings import discipline, outcomes, wording
from ratings.levels import LEVEL_NAMES, LEVEL_ORDER
from ratings.marts import typed
from ratings.outcomes import FOUND, NOT_CHECKED, OUTSIDE, PASSED, first, in_force, is_among, subjects
from ratings.rules import Catalogue, CatalogueError, Rule

BASES = {"A": "số hoàn thành tốt", "B": "số hoàn thành tốt trở lên", "C": "tổng số được xếp loại"}
"""What the cap on excellent ratings may be a share of."""

DECIDED = "{who}: cấp có thẩm quyền quyết định xếp loại năm {year} là «{level}»."
"""How a decided level is told."""

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


def disciplined_members(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R01: a member disciplined in the year whose decided level is above the lowest."""
    key = ["year", "subject_key"]
    cases = in_force(discipline.cases(marts, discipline.MEMBER), rule, rules)
    only_duty = cases["regime_id"].isin(rule.parameter("duty_related_only"))
    counts = cases["duty_related"].where(only_duty, True)
    unexcused = counts.fillna(False) & ~cases["self_reported"].fillna(False)
    cases = cases.assign(
        counts=counts.fillna(False).astype(bool), unclear=counts.isna(), unexcused=unexcused.astype(bool)
    )
    per_member = cases.groupby(key, as_index=False).agg(
        counted=("counts", "sum"), unclear=("unclear", "any"), unexcused=("unexcused", "any")
    )
    shown = cases.sort_values(["counts", "gravity", "decided_on", "case_id"], ascending=[False, False, True, True])
    shown = shown.drop_duplicates(key).drop(columns=["counts", "unclear", "unexcused"])
    members = shown.rename(columns={"record_id": "case_record_id", "unit_code": "case_unit_code"}).merge(
        per_member, on=key, validate="one_to_one"
    )

    # a member with rows in two units: the higher level is the one that contradicts
    rated = marts["fct_member_assessment"].assign(order=lambda frame: frame["final_level"].map(LEVEL_ORDER))
    rated = rated.sort_values(["order", "record_id"]).drop_duplicates(["year", "member_key"])
    roll = marts["fct_member"].groupby(["year", "member_key"], as_index=False)["is_present"].max()
    for known in (rated, roll):
        known = known.rename(columns={"member_key": "subject_key"})
        members = members.merge(known, on=key, how="left", validate="one_to_one")
    members["unit_code"] = members["unit_code"].fillna(members["case_unit_code"])
    members["cell_code"] = members["cell_code"].fillna(members["org_code"])

    level, without_row = members["final_level"], members["record_id"].isna()
    is_received = is_among(members, discipline.received(marts), ["year", "unit_code"])
    held_back = _held_back(marts, "member").rename(columns={"member_key": "subject_key"})
    has_left = ~members["is_present"].fillna(True)
    bears_not = (members["counted"] == 0) & ~members["unclear"]
    members["outcome"], members["reason"] = first(
        members,
        (bears_not, PASSED, None),
        (without_row & ~is_received, NOT_CHECKED, "đơn vị chưa gửi báo cáo nên chưa biết mức xếp loại"),
        (without_row & is_among(members, held_back, key), NOT_CHECKED, "dòng xếp loại của đảng viên đang bị giữ lại"),
        (without_row & has_left, OUTSIDE, None),
        (without_row, NOT_CHECKED, "không có dòng xếp loại đọc được của đảng viên"),
        (level.isna() & members["not_rated_reason"].notna(), OUTSIDE, None),
        (level.isna(), NOT_CHECKED, "không có mức xếp loại được quyết định"),
        (level == "KHT", PASSED, None),
        (members["counted"] == 0, NOT_CHECKED, "chưa rõ kỷ luật có liên quan nhiệm vụ hay không"),
        (level.notna(), FOUND, None),
    )
    exception = rule.exception("self_reported")
    excused = ~members["unexcused"] & members["regime_id"].isin(exception.severity)
    subject = _member(members["subject_key"], members["cell_code"])
    others = members["counted"] - 1
    return subjects(
        members,
        discipline.unread(marts, rule, rules),
        discipline.lacking_in_register(marts, rule, rules),
        subject_kind="member",
        subject=subject,
        org_code=members["cell_code"],
        member_key=members["subject_key"],
        severity=members["severity"].mask(excused, members["regime_id"].map(exception.severity)),
        exception=pd.Series(exception.text, members.index, dtype="str").where(excused),
        reported=wording.phrase(
            DECIDED, who=wording.sentence(subject), year=members["year"], level=level.map(LEVEL_NAMES)
        ),
        contradicted_by=wording.phrase(
            "Trong năm {year} bị kỷ luật {case}{others}.",
            year=members["year"],
            case=members["described"],
            others=wording.phrase(" và {n} lần kỷ luật khác", n=others).where(others > 0, ""),
        ),
        record_id_1=members["record_id"],
        record_id_2=members["case_record_id"].fillna(members["register_record_id"]),
    )


def excellent_above_discipline(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R04: an excellent organisation above a disciplined one, or whose leadership was disciplined.

    The forms mark the secretaries of cells alone. A cell's own secretary leads it; whether one of a cell below
    sits in an organisation's leadership they do not say, so that case is shown with the exception's severity.
    """
    key = ["year", "org_code"]
    versions = _versions(marts)
    of_organisations = in_force(discipline.cases(marts, discipline.ORGANISATION), rule, rules)
    of_members = in_force(discipline.cases(marts, discipline.MEMBER), rule, rules)
    roll = marts["fct_member"].rename(columns={"member_key": "subject_key"})
    of_members = of_members.merge(
        roll[["year", "subject_key", "cell_code", "is_head"]], on=["year", "subject_key"], how="left"
    )
    of_members["org_code"] = of_members["cell_code"].fillna(of_members["org_code"])

    below = of_organisations.drop(columns="org_code").merge(
        _ancestors(versions, of_organisations), left_on=["year", "subject_key"], right_on=["year", "below_code"]
    )
    below["cause"] = wording.phrase(
        "tổ chức đảng cấp dưới là {name} bị kỷ luật {case}",
        name=_organisation(below["subject_key"], below["year"], versions),
        case=below["described"],
    )
    heads = of_members[of_members["is_head"].fillna(False)]
    heads = heads.assign(
        cause=wording.phrase(
            "bí thư chi bộ ({who}) bị kỷ luật {case}", who=wording.member(heads["subject_key"]), case=heads["described"]
        )
    )
    of_cells = heads.assign(subject_key=heads["org_code"], who=wording.member(heads["subject_key"]))
    above = of_cells.drop(columns="org_code").merge(
        _ancestors(versions, of_cells), left_on=["year", "subject_key"], right_on=["year", "below_code"]
    )
    above["cause"] = wording.phrase(
        "bí thư của {cell} ({who}) bị kỷ luật {case}",
        cell=_organisation(above["subject_key"], above["year"], versions),
        who=above["who"],
        case=above["described"],
    )
    causes = pd.concat(
        [below.assign(direct=True), heads.assign(direct=True), above.assign(direct=False)], ignore_index=True
    ).drop_duplicates([*key, "case_id"])
    causes["case_record_id"] = causes["record_id"].fillna(causes["register_record_id"])
    causes["others"] = causes.groupby(key)["case_id"].transform("size").astype("Int64") - 1
    causes = causes.sort_values(
        ["direct", "gravity", "decided_on", "case_id"], ascending=[False, False, True, True], kind="stable"
    ).drop_duplicates(key)

    rated = marts["fct_organisation_assessment"]
    excellent = in_force(rated[rated["final_level"] == "XS"], rule, rules).merge(
        causes[[*key, "cause", "direct", "others", "case_record_id"]], on=key, how="left", validate="many_to_one"
    )
    unclear = of_members[of_members["is_head"].isna()]
    excellent["outcome"], excellent["reason"] = first(
        excellent,
        (excellent["cause"].notna(), FOUND, None),
        (
            is_among(excellent, unclear, key),
            NOT_CHECKED,
            "chưa rõ đảng viên bị kỷ luật có phải bí thư chi bộ hay không",
        ),
        (excellent["year"].notna(), PASSED, None),
    )
    subject = _organisation(excellent["org_code"], excellent["year"], versions)
    exception = rule.exception("subordinate_secretary")
    indirect = excellent["direct"].eq(False).fillna(False)
    return subjects(
        excellent,
        _unrated(causes, marts),
        _rootless(of_organisations, marts),
        discipline.unread(marts, rule, rules),
        discipline.lacking_in_register(marts, rule, rules),
        subject_kind="organisation",
        subject_key=excellent["org_code"],
        subject=subject,
        severity=excellent["severity"].mask(indirect, excellent["regime_id"].map(exception.severity)),
        exception=pd.Series(exception.text, excellent.index, dtype="str").where(indirect),
        reported=_decided_excellent(excellent, subject),
        contradicted_by=wording.phrase(
            "Trong năm {year}, {cause}{others}.",
            year=excellent["year"],
            cause=excellent["cause"],
            others=wording.phrase(" và {n} vụ kỷ luật khác trong phạm vi lãnh đạo", n=excellent["others"]).where(
                (excellent["others"] > 0).fillna(False), ""
            ),
        ),
        record_id_1=excellent["record_id"],
        record_id_2=excellent["case_record_id"],
    )


def _unrated(causes: pd.DataFrame, marts: Marts) -> pd.DataFrame:
    """R04: organisations with discipline below whose own rating cannot be read."""
    key = ["year", "org_code"]
    versions = _versions(marts)
    causes = causes[~causes["org_code"].isin(_unit_codes(marts))]
    causes = causes[~is_among(causes, marts["fct_organisation_assessment"], key)]
    placed = causes[key].merge(versions[[*key, "unit_code"]], on=key, how="left")["unit_code"].set_axis(causes.index)
    return subjects(
        causes,
        subject_kind="organisation",
        subject_key=causes["org_code"],
        unit_code=placed.fillna(causes["unit_code"]),
        outcome=NOT_CHECKED,
        reason="có kỷ luật trong phạm vi lãnh đạo nhưng không có dòng xếp loại đọc được của tổ chức đảng",
    )


def _rootless(cases: pd.DataFrame, marts: Marts) -> pd.DataFrame:
    """R04: disciplined organisations whose superior is not known."""
    key = ["year", "subject_key"]
    rooted = _versions(marts).dropna(subset="parent_code").rename(columns={"org_code": "subject_key"})
    lost = cases[~is_among(cases, rooted, key) & ~cases["subject_key"].isin(_unit_codes(marts))].drop_duplicates(key)
    return subjects(
        lost,
        subject_kind="organisation",
        subject_key=lost["subject_key"] + "|cấp trên",
        org_code=lost["subject_key"],
        outcome=NOT_CHECKED,
        reason="chưa xác định được cấp trên trực tiếp của tổ chức đảng bị kỷ luật",
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
    held_back = in_force(_held_back(marts, "organisation"), rule, rules)
    subject = _organisation(excellent["org_code"], excellent["year"], _versions(marts))
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
        reported=_decided_excellent(excellent, subject),
        contradicted_by=wording.phrase(
            "Biểu 4 năm {year} của chính tổ chức đảng ghi: {parts}.",
            year=excellent["year"],
            parts=told.apply(lambda row: "; ".join(row.dropna()), axis=1, result_type="reduce").astype("str"),
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


def unmentioned_cases(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R29: a case of the Commission's register that the unit's report does not mention."""
    matches = marts["discipline_match"].rename(columns={"record_id": "register_record_id"})
    known = discipline.described(marts["discipline_case"]).drop_duplicates("register_record_id")
    cases = in_force(matches, rule, rules).merge(
        known.drop(columns=["year", "unit_code", "record_id"]), on="register_record_id", how="left"
    )
    is_member = cases["subject"] == discipline.MEMBER
    cases["who"] = cases["subject_member_key"].where(is_member, cases["subject_org_code"])
    cases["subject_key"] = wording.phrase(
        "{who}|{number}|{date}", who=cases["who"], number=cases["decision_no"], date=wording.date(cases["decided_on"])
    ).fillna(cases["register_record_id"])
    cases = cases.sort_values("register_record_id").drop_duplicates(["year", "subject_key"], ignore_index=True)
    cases["outcome"], cases["reason"] = first(
        cases,
        (~cases["unit_received"].fillna(False), NOT_CHECKED, "đơn vị chưa gửi báo cáo"),
        (cases["is_mentioned"].isna(), NOT_CHECKED, "chưa đối chiếu được với báo cáo của đơn vị"),
        (cases["is_mentioned"], PASSED, None),
        (cases["year"].notna(), FOUND, None),
    )
    is_member = cases["subject"] == discipline.MEMBER
    subject = _member(cases["who"], cases["org_code"]).where(
        is_member, _organisation(cases["who"], cases["year"], _versions(marts))
    )
    return subjects(
        cases,
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

    organisations = marts["organisation_snapshot"].dropna(subset="member_count")
    key = ["year", "unit_code", "org_code"]
    organisations = in_force(organisations, rule, rules).merge(marts["organisation_year"], on=key, how="left")
    organisations = organisations.merge(
        discipline.held_back_rows(marts, "members"), on=["year", "unit_code"], how="left"
    )
    organisations = organisations.assign(
        subject_kind="organisation",
        subject_key=organisations["org_code"],
        subject=wording.organisation(organisations["org_name"], organisations["org_code"]),
        record_id_1=organisations["record_id"],
    )
    possible = organisations["held_back"].fillna(0)
    return pd.concat(
        [
            _compared(totals, "D", at_end, totals["movement_d"], listed, present, unknown),
            _compared(totals, "Biểu 5", assessed, rows + held_back, listed, present, unknown),
            _compared(totals, "xếp loại", rated_or_not, parts, "số dòng đọc được (Biểu 5)", rows, 0 * rows),
            _compared(
                organisations,
                "Biểu 2",
                "số đảng viên (Biểu 2)",
                organisations["member_count"],
                listed,
                organisations["members"],
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
    "R01": disciplined_members,
    "R04": excellent_above_discipline,
    "R10": excellent_with_tasks_undone,
    "R16": excellent_over_cap,
    "R29": unmentioned_cases,
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
    lacking = pd.concat([_held_back(marts, "organisation")[key], rated.loc[rated[key].isna().any(axis=1), key]])
    lost = lacking[lacking.isna().any(axis=1)].groupby(key[:2], as_index=False).size()
    placed = lacking.groupby(key, as_index=False).size()
    groups = groups.merge(placed, on=key, how="left").merge(lost, on=key[:2], how="left", suffixes=("", "_lost"))
    groups["held_back"] = groups["size"].fillna(0) + groups["size_lost"].fillna(0)

    units = marts["dim_unit"].drop_duplicates("unit_code").set_index("unit_code")["unit_name"]
    parent = groups["parent_code"]
    names = _names(parent, groups["year"], _versions(marts)).fillna(parent.map(units))
    groups["subject"] = wording.phrase(
        "{kind} trực thuộc {parent}",
        kind=groups["org_kind"].str.lower(),
        parent=wording.organisation(names, parent),
    )
    whole = dict.fromkeys(("rated", "xs", "htt", "held_back"), "Int64")
    return groups.rename(columns={"parent_code": "group_code", "org_kind": "group_kind"}).astype(whole)


def _ancestors(versions: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Organisations strictly above each disciplined one, walked by the superior's code; a cycle ends the walk."""
    step = ["year", "below_code", "org_code"]
    up = versions.loc[versions["parent_code"].notna(), ["year", "org_code", "parent_code"]]
    front = cases[["year", "subject_key"]].drop_duplicates().rename(columns={"subject_key": "org_code"})
    front = front.assign(below_code=front["org_code"])[step]
    seen = front
    while not front.empty:
        above = front.merge(up, on=["year", "org_code"])
        above = above.assign(org_code=above["parent_code"])[step].drop_duplicates()
        front = above[~is_among(above, seen, step)]
        seen = pd.concat([seen, front], ignore_index=True)
    return seen[seen["below_code"] != seen["org_code"]]


def _units_and_years(marts: Marts) -> pd.DataFrame:
    """Every unit in every year of which anything was received, and whether its report was."""
    sent = marts["fct_submission"]
    years = sent.loc[sent["is_in_force"].fillna(False), ["year"]].dropna().drop_duplicates()
    grid = years.merge(marts["dim_unit"][["unit_code"]].drop_duplicates(), how="cross")
    is_received = is_among(grid, discipline.received(marts), ["year", "unit_code"])
    return grid.assign(is_received=is_received).astype({"year": "int64"})


def _versions(marts: Marts) -> pd.DataFrame:
    """Organisations of each year."""
    versions = marts["organisation_snapshot"].sort_values(["year", "org_code", "unit_code"])
    return versions.drop_duplicates(["year", "org_code"])


def _unit_codes(marts: Marts) -> pd.Series:
    """Codes of the reporting units themselves."""
    return pd.concat([marts["dim_unit"]["unit_code"], marts["organisation_snapshot"]["unit_code"]])


def _held_back(marts: Marts, subject_kind: str) -> pd.DataFrame:
    """Assessment rows held back, of members or of organisations."""
    rows = marts["held_back_assessment"]
    return rows[rows["subject_kind"] == subject_kind]


def _names(codes: pd.Series, years: pd.Series, versions: pd.DataFrame) -> pd.Series:
    """Names that organisations had in each year; missing where not known."""
    wanted = pd.DataFrame({"year": years, "org_code": codes})
    return wanted.merge(versions[["year", "org_code", "org_name"]], how="left")["org_name"].set_axis(codes.index)


def _organisation(codes: pd.Series, years: pd.Series, versions: pd.DataFrame) -> pd.Series:
    """Organisations in words."""
    return wording.organisation(_names(codes, years, versions), codes)


def _member(keys: pd.Series, cells: pd.Series) -> pd.Series:
    """Members in words: the start of the key, and the cell."""
    return wording.phrase("{who}, chi bộ {cell}", who=wording.member(keys), cell=cells.fillna("chưa rõ"))


def _decided_excellent(excellent: pd.DataFrame, subject: pd.Series) -> pd.Series:
    """The rating of excellent organisations in words."""
    level = pd.Series(LEVEL_NAMES["XS"], excellent.index)
    return wording.phrase(DECIDED, who=wording.sentence(subject), year=excellent["year"], level=level)
