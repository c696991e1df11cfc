"""Numbers of levels in a group: the least good and the most poor below a level, the cap on the excellent."""

from collections.abc import Callable, Mapping

import pandas as pd

from ratings import decided, organisations, wording
from ratings.levels import LEVEL_ORDER
from ratings.marts import once
from ratings.outcomes import FOUND, NOT_CHECKED, PASSED, first, in_force, is_among, subjects, without_passed
from ratings.rules import Catalogue, Rule

BASES = {"A": "số hoàn thành tốt", "B": "số hoàn thành tốt trở lên", "C": "tổng số được xếp loại"}
"""What the cap on excellent ratings may be a share of."""

Marts = Mapping[str, pd.DataFrame]


def excellent_of_few_good(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R13: an excellent organisation with too few good or better below it, or anyone of the lowest level."""
    return _judged_by_those_below(marts, rule, rules, least_good=True, none_lowest=True)


def good_of_few_good(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R14: a good organisation with too few good or better below it."""
    return _judged_by_those_below(marts, rule, rules, least_good=True)


def rated_above_many_lowest(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R15: an organisation above the lowest level with too many of the lowest below it."""
    return _judged_by_those_below(marts, rule, rules, most_lowest=True)


def _judged_by_those_below(
    marts: Marts,
    rule: Rule,
    rules: Catalogue,
    *,
    least_good: bool = False,
    none_lowest: bool = False,
    most_lowest: bool = False,
) -> pd.DataFrame:
    """R13-R15: organisations of some levels beside the levels of a cell's members, or of those directly subordinate.

    Rows held back may hold any level: what is found is found, and what passed passes, whatever they hold.
    """
    own = marts["organisation_year"]
    rows = in_force(own[own["final_level"].isin(rule.parameter("levels"))], rule, rules)
    below = _below(marts)
    rows = rows.merge(below, on=["year", "unit_code", "org_code"], how="left")
    rated, good, lowest = (rows[name].fillna(0) for name in ("n", "good", "lowest"))
    unknown = rows["unknown"].fillna(0)
    sure, possible = pd.Series(False, rows.index), pd.Series(False, rows.index)
    if least_good:
        pct = rule.parameter("good_pct")
        sure |= 100 * (good + unknown) < pct * (rated + unknown)
        possible |= 100 * good < pct * (rated + unknown)
    if none_lowest:
        sure |= lowest > 0
        possible |= lowest + unknown > 0
    if most_lowest:
        pct = rule.parameter("lowest_pct")
        sure |= 100 * lowest > pct * (rated + unknown)
        possible |= 100 * (lowest + unknown) > pct * (rated + unknown)
    rows["outcome"], rows["reason"] = first(
        rows,
        ((rated == 0) & (unknown == 0), NOT_CHECKED, "không có đảng viên hoặc tổ chức trực thuộc nào được xếp loại"),
        (sure, FOUND, None),
        (possible, NOT_CHECKED, "có dòng xếp loại của đảng viên hoặc tổ chức trực thuộc bị giữ lại"),
        (rows["year"].notna(), PASSED, None),
    )
    rows, passed = without_passed(rows.assign(rated=rated, good=good, lowest=lowest))
    subject = organisations.organisation(rows["org_code"], rows["year"], organisations.versions(marts))
    limits = {
        "good_pct": "cần ít nhất {pct}% hoàn thành tốt trở lên",
        "lowest_pct": "không quá {pct}% không hoàn thành",
    }
    needed = [text.format(pct=rule.parameter(name)) for name, text in limits.items() if name in rule.parameters]
    needed += ["không có ai không hoàn thành"] if none_lowest else []
    example = _lowest_below(rows, marts)
    return subjects(
        rows,
        passed,
        decided.unread(marts, rule, rules, "organisation"),
        subject_kind="organisation",
        subject_key=rows["org_code"],
        subject=subject,
        reported=decided.told(subject, rows["year"], rows["final_level"]),
        contradicted_by=wording.phrase(
            "Trong {n} {whose} được xếp loại có {good} hoàn thành tốt trở lên ({good_ratio}) và {lowest} không "
            "hoàn thành nhiệm vụ ({lowest_ratio}); " + ", ".join(needed) + ".",
            n=wording.number(rows["rated"]),
            whose=rows["is_cell"].map({True: "đảng viên của chi bộ", False: "tổ chức đảng trực thuộc"}).astype("str"),
            good=wording.number(rows["good"]),
            good_ratio=wording.ratio(rows["good"], rows["rated"]),
            lowest=wording.number(rows["lowest"]),
            lowest_ratio=wording.ratio(rows["lowest"], rows["rated"]),
        ),
        record_id_1=rows["record_id"],
        record_id_2=example,
    )


@once
def _below(marts: Marts) -> pd.DataFrame:
    """R13-R15: how many are rated, good, of the lowest level and held back in each cell, or directly below others."""
    key = ["year", "unit_code", "org_code"]
    own = marts["organisation_year"]
    is_cell = own["is_cell"].fillna(False)
    cells = own.loc[is_cell, key].assign(
        n=own["members_rated"], good=own["members_xs"] + own["members_htt"], lowest=own["members_kht"]
    )
    rated = marts["fct_organisation_assessment"]
    level = rated["final_level"]
    placed = rated.assign(org_code=rated["parent_code"], n=level.notna(), good=level.isin(["XS", "HTT"]))
    placed = placed.assign(lowest=level == "KHT")
    children = placed.groupby(key, as_index=False)[["n", "good", "lowest"]].sum()
    above = own.loc[~is_cell, key].merge(children, on=key)
    members = decided.held_back(marts, "member")[key]
    subordinate = decided.held_back(marts, "organisation").drop(columns="org_code")
    subordinate = subordinate.rename(columns={"parent_code": "org_code"})[key]
    lost = placed.loc[placed["org_code"].isna() & placed["n"], key]
    joined = [_with_unknown(cells, members), _with_unknown(above, pd.concat([subordinate, lost]))]
    whole = dict.fromkeys(("n", "good", "lowest", "unknown"), "Int64")
    return pd.concat(joined, ignore_index=True).astype(whole)


def _with_unknown(counts: pd.DataFrame, held_back: pd.DataFrame) -> pd.DataFrame:
    """R13-R15: the counts with the rows held back of each; one that cannot be placed may belong to any of its unit."""
    key = ["year", "unit_code", "org_code"]
    placed = held_back.dropna(subset="org_code").groupby(key, as_index=False).size()
    lost = held_back[held_back["org_code"].isna()].groupby(key[:2], as_index=False).size()
    counts = counts.merge(placed, on=key, how="left").merge(lost, on=key[:2], how="left", suffixes=("", "_lost"))
    unknown = counts["size"].fillna(0) + counts["size_lost"].fillna(0)
    return counts.drop(columns=["size", "size_lost"]).assign(unknown=unknown)


def _lowest_below(rows: pd.DataFrame, marts: Marts) -> pd.Series:
    """R13-R15: the row of the lowest level below each organisation, as an example."""
    members, own = marts["fct_member_assessment"], marts["fct_organisation_assessment"]
    members = members[members["cell_code"].isin(rows["org_code"])]
    own = own[own["parent_code"].isin(rows["org_code"])]
    columns = ["year", "above", "final_level", "record_id"]
    lowest = pd.concat(
        [members.rename(columns={"cell_code": "above"})[columns], own.rename(columns={"parent_code": "above"})[columns]]
    ).dropna()
    lowest = lowest.assign(order=lowest["final_level"].map(LEVEL_ORDER))
    lowest = lowest.sort_values(["order", "record_id"], ascending=[False, True]).drop_duplicates(["year", "above"])
    wanted = rows[["year", "org_code"]].set_axis(["year", "above"], axis=1)
    return wanted.merge(lowest, on=["year", "above"], how="left")["record_id"].set_axis(rows.index)


def excellent_over_cap(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R16: more excellent ratings in a group than the cap lets through, whatever the held-back rows may hold."""
    groups = in_force(pd.concat([_member_groups(marts), _organisation_groups(marts)], ignore_index=True), rule, rules)
    groups = _capped(groups, marts, rule, rules)
    xs, unknown, cap, base = groups["xs"], groups["held_back"], groups["cap"], groups["base"]
    smallest = rule.parameter("minimum_group_size")
    highest = cap * (_of_base(base, _counts(groups)) + unknown) // 10_000
    # a row held back that is excellent adds to bases B and C, not to A
    lowest = groups["limit"].where(base == "A", highest)
    groups["outcome"], groups["reason"] = first(
        groups,
        (groups["rated"] < smallest, NOT_CHECKED, f"nhóm có dưới {smallest} đối tượng được xếp loại"),
        (xs > highest, FOUND, None),
        (xs + unknown > lowest, NOT_CHECKED, "có dòng xếp loại bị giữ lại nên chưa kết luận được về trần"),
        (groups["year"].notna(), PASSED, None),
    )
    groups, passed = without_passed(groups)
    xs, unknown, cap, base = groups["xs"], groups["held_back"], groups["cap"], groups["base"]
    counts = _counts(groups)
    percent = wording.phrase("{n}%", n=cap // 100)
    shown = {
        name: wording.phrase(
            BASES[name] + " ({of}): trần {limit}, tỷ lệ {ratio}",
            of=wording.number(counts[name]),
            limit=wording.number(cap * counts[name] // 10_000),
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
        passed,
        subject_kind="group",
        subject_key=groups["group_kind"] + "|" + groups["group_code"],
        org_code=groups["group_code"].where(groups["group_code"] != groups["unit_code"]),
        exception=wording.phrase(
            "Áp dụng trần {cap} theo Quyết định số {number} ngày {date}.",
            cap=percent,
            number=groups["decision_no"],
            date=wording.date(groups["decided_on"]),
        ).where(groups["is_raised"]),
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
            over=wording.number(xs - groups["limit"]),
            others=_of_base(base, others),
            surely=surely.where(unknown > 0, ""),
        ),
    )


def _capped(groups: pd.DataFrame, marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R16, R17: groups with their cap in hundredths of a percent, its base, its decision, and how many it lets be.

    All arithmetic is on whole numbers, so that the floor is exact.
    """
    allowed = marts["cap_exception"].dropna(subset=["decision_no", "decided_on", "cap_pct"])
    allowed = allowed.sort_values(["cap_pct", "decision_no"]).drop_duplicates(["year", "group_code"], keep="last")
    groups = groups.merge(allowed.drop(columns="unit_code"), on=["year", "group_code"], how="left")
    caps = {year: rules.cap(int(year)) for year in groups["year"].unique()}
    usual = groups["year"].map({year: cap.cap_pct for year, cap in caps.items()}).astype("Int64")
    # where no higher cap can be decided, a decision raises nothing
    highest_caps = {year: cap.exception_cap_pct or cap.cap_pct for year, cap in caps.items()}
    raised = groups["cap_pct"].clip(upper=groups["year"].map(highest_caps).astype("Int64"))
    is_raised = groups["regime_id"].isin(rule.exception("numbered_decision").severity) & (raised > usual).fillna(False)
    cap = (raised * 100).round().astype("Int64").where(is_raised, usual * 100)
    base = groups["year"].map({year: cap.base for year, cap in caps.items()}).astype("str")
    limit = cap * _of_base(base, _counts(groups)) // 10_000
    return groups.assign(cap=cap, base=base, limit=limit, is_raised=is_raised)


def _counts(groups: pd.DataFrame) -> dict[str, pd.Series]:
    """R16, R17: what each base of the cap comes to."""
    return {"A": groups["htt"], "B": groups["xs"] + groups["htt"], "C": groups["rated"]}


def _of_base(base: pd.Series, columns: Mapping[str, pd.Series]) -> pd.Series:
    """R16, R17: of columns by base that of each row's own."""
    chosen = columns["A"]
    for name, column in columns.items():
        chosen = chosen.where(base != name, column)
    return chosen


def bunched(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R17: the cap filled to the last one for years running, and large bodies without anyone below good."""
    return pd.concat([_at_the_cap(marts, rule, rules), _without_low_levels(marts, rule, rules)], ignore_index=True)


def _at_the_cap(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R17: members of grassroots organisations, with exactly as many excellent as the cap lets through."""
    groups = _capped(in_force(_member_groups(marts), rule, rules), marts, rules.rule("R16"), rules)
    groups = groups[groups["limit"] >= rule.parameter("least_limit")].reset_index(drop=True)
    before = groups[["year", "group_code", "xs", "limit", "held_back"]].assign(year=groups["year"] + 1)
    groups = groups.merge(
        before.drop_duplicates(["year", "group_code"]), on=["year", "group_code"], how="left", suffixes=("", "_before")
    )
    known = in_force(_member_groups(marts), rule, rules)[["year", "group_code"]]
    known = known.assign(year=known["year"] + 1)
    is_at, was_at = groups["xs"] == groups["limit"], groups["xs_before"] == groups["limit_before"]
    unknown = groups["held_back"] + groups["held_back_before"].fillna(0)
    groups["outcome"], groups["reason"] = first(
        groups,
        (groups["held_back"] > 0, NOT_CHECKED, "có dòng xếp loại bị giữ lại nên chưa kết luận được về trần"),
        (~is_at, PASSED, None),
        (groups["limit_before"].isna() & is_among(groups, known, ["year", "group_code"]), PASSED, None),
        (groups["limit_before"].isna(), NOT_CHECKED, "chưa có số liệu năm trước của nhóm"),
        (unknown > 0, NOT_CHECKED, "có dòng xếp loại năm trước bị giữ lại nên chưa kết luận được về trần"),
        (was_at, FOUND, None),
        (groups["year"].notna(), PASSED, None),
    )
    groups, passed = without_passed(groups)
    return subjects(
        groups,
        passed,
        subject_kind="group",
        subject_key=groups["group_code"] + "|sát trần",
        org_code=groups["group_code"],
        reported=wording.phrase(
            "{who}: năm {year} có {xs} người xuất sắc, năm trước {before}.",
            who=wording.sentence(groups["subject"]),
            year=groups["year"],
            xs=wording.number(groups["xs"]),
            before=wording.number(groups["xs_before"]),
        ),
        contradicted_by=wording.phrase(
            "Trần của nhóm năm {year} là {limit}, năm trước {before}: cả hai năm đều vừa đúng trần.",
            year=groups["year"],
            limit=wording.number(groups["limit"]),
            before=wording.number(groups["limit_before"]),
        ),
    )


def _without_low_levels(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R17: reporting units and grassroots organisations of many rated members, none of them below good."""
    groups = _member_groups(marts).rename(columns={"group_code": "body"})
    counts = ["rated", "ht", "kht", "held_back"]
    units = groups.groupby(["year", "unit_code"], as_index=False)[counts].sum()
    names = marts["dim_unit"].drop_duplicates("unit_code").set_index("unit_code")["unit_name"]
    units = units.assign(
        body=units["unit_code"],
        subject_kind="unit",
        subject="đảng viên của " + wording.organisation(units["unit_code"].map(names), units["unit_code"]),
    )
    bodies = pd.concat(
        [groups[["year", "unit_code", "body", "subject", *counts]].assign(subject_kind="group"), units],
        ignore_index=True,
    )
    bodies = in_force(bodies[bodies["rated"] >= rule.parameter("many_members")], rule, rules)
    bodies["outcome"], bodies["reason"] = first(
        bodies,
        (bodies["ht"] + bodies["kht"] > 0, PASSED, None),
        (bodies["held_back"] > 0, NOT_CHECKED, "có dòng xếp loại bị giữ lại nên chưa biết có mức thấp hay không"),
        (bodies["year"].notna(), FOUND, None),
    )
    bodies, passed = without_passed(bodies)
    return subjects(
        bodies,
        passed,
        subject_key=bodies["body"] + "|không có mức thấp",
        org_code=bodies["body"].where(bodies["subject_kind"] == "group"),
        reported=wording.phrase(
            "{who}: năm {year} có {n} người được xếp loại.",
            who=wording.sentence(bodies["subject"]),
            year=bodies["year"],
            n=wording.number(bodies["rated"]),
        ),
        contradicted_by=wording.phrase(
            "Không ai trong {n} người hoàn thành nhiệm vụ ở mức dưới «Hoàn thành tốt nhiệm vụ».",
            n=wording.number(bodies["rated"]),
        ),
    )


@once
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


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    "R13": excellent_of_few_good,
    "R14": good_of_few_good,
    "R15": rated_above_many_lowest,
    "R16": excellent_over_cap,
    "R17": bunched,
}
"""The rules of numbers in a group."""
