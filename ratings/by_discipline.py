"""Levels beside discipline: of the disciplined themselves, of their heads, and of the organisations they are in."""

from collections.abc import Callable, Mapping

import pandas as pd

from ratings import decided, discipline, organisations, wording
from ratings.decided import KEY
from ratings.marts import once
from ratings.outcomes import FOUND, NOT_CHECKED, OUTSIDE, PASSED, first, in_force, is_among, of_some, softened, subjects
from ratings.rules import Catalogue, Rule

Marts = Mapping[str, pd.DataFrame]

OTHERS = " và {n} lần kỷ luật khác"
UNKNOWN_DUTY = "chưa rõ kỷ luật có liên quan nhiệm vụ hay không"
UNKNOWN_HEAD = "chưa rõ đảng viên bị kỷ luật có phải bí thư chi bộ hay không"


@once
def disciplined_members(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R01: a member disciplined in the year whose decided level is above the lowest."""
    cases = in_force(discipline.cases(marts, discipline.MEMBER), rule, rules)
    return _above_the_lowest(_weighed(cases, rule), organisations.member, marts, rule, rules)


def disciplined_heads(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R02: the head of a cell disciplined in the year whose own decided level is above the lowest."""
    cases, unknown = _of_heads(marts, rule, rules)
    return _above_the_lowest(_weighed(cases, rule), organisations.head, marts, rule, rules, unknown)


def _above_the_lowest(
    cases: pd.DataFrame,
    in_words: Callable[[pd.Series, pd.Series], pd.Series],
    marts: Marts,
    rule: Rule,
    rules: Catalogue,
    *others: pd.DataFrame,
) -> pd.DataFrame:
    """R01, R02: members with weighed cases, whose own level must be the lowest."""
    members = _gravest(cases.drop(columns="cell_code", errors="ignore"))
    rated = of_some(decided.members(marts), members, "subject_key")
    members = members.merge(rated, on=KEY, how="left", validate="one_to_one")
    roll = of_some(organisations.roll(marts)[[*KEY, "is_present"]], members, "subject_key")
    members = members.merge(roll, on=KEY, how="left", validate="one_to_one")
    members["unit_code"] = members["unit_code"].fillna(members["case_unit_code"])
    members["cell_code"] = members["cell_code"].fillna(members["org_code"])

    level = members["final_level"]
    bears_not = (members["counted"] == 0) & ~members["unclear"]
    members["outcome"], members["reason"] = first(
        members,
        (bears_not, PASSED, None),
        *decided.missing(members, marts, "member", has_left=~members["is_present"].fillna(True)),
        (level == "KHT", PASSED, None),
        (members["counted"] == 0, NOT_CHECKED, UNKNOWN_DUTY),
        (level.notna(), FOUND, None),
    )
    subject = in_words(members["subject_key"], members["cell_code"])
    return subjects(
        _excused(members, rule),
        *others,
        *discipline.not_known(marts, rule, rules),
        subject_kind="member",
        subject=subject,
        org_code=members["cell_code"],
        member_key=members["subject_key"],
        reported=decided.told(subject, members["year"], level),
        contradicted_by=wording.phrase(
            "Trong năm {year} bị kỷ luật {case}{others}.",
            year=members["year"],
            case=members["described"],
            others=_and_others(members),
        ),
        record_id_1=members["record_id"],
        record_id_2=members["case_record_id"],
    )


def led_by_the_disciplined(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R03: a cell led by a disciplined head and rated above the lowest; the excellent are R04's."""
    cases, unknown = _of_heads(marts, rule, rules)
    mild = discipline.GRAVITY[rule.parameter("least_form")]
    grave = (cases["gravity"] >= mild).astype("boolean").mask(cases["gravity"] < 0)
    here = (cases["org_code"] == cases["cell_code"]).astype("boolean").mask(cases["org_code"].isna())
    cases = _weighed(
        cases,
        rule,
        grave.mask(cases["regime_id"].isin(rule.parameter("every_form_counts")), True),
        here.where(cases["regime_id"].isin(rule.parameter("own_cell_only")), True),
    )
    cells = _gravest(cases.assign(who=wording.member(cases["subject_key"]), subject_key=cases["cell_code"]))
    cells = cells.merge(
        decided.organisations(marts).drop(columns="unit_code"), on=KEY, how="left", validate="one_to_one"
    ).rename(columns={"case_unit_code": "unit_code"})

    level = cells["final_level"]
    bears_not = (cells["counted"] == 0) & ~cells["unclear"]
    cells["outcome"], cells["reason"] = first(
        cells,
        (bears_not, PASSED, None),
        *decided.missing(cells, marts, "organisation"),
        (level == "XS", OUTSIDE, None),
        (level == "KHT", PASSED, None),
        (cells["counted"] == 0, NOT_CHECKED, "chưa rõ kỷ luật của bí thư có thuộc diện phải tính hay không"),
        (level.notna(), FOUND, None),
    )
    subject = organisations.organisation(cells["subject_key"], cells["year"], organisations.versions(marts))
    return subjects(
        _excused(cells, rule),
        unknown,
        *discipline.not_known(marts, rule, rules),
        subject_kind="organisation",
        subject=subject,
        org_code=cells["subject_key"],
        reported=decided.told(subject, cells["year"], level),
        contradicted_by=wording.phrase(
            "Trong năm {year}, bí thư chi bộ ({who}) bị kỷ luật {case}{others}.",
            year=cells["year"],
            who=cells["who"],
            case=cells["described"],
            others=_and_others(cells),
        ),
        record_id_1=cells["record_id"],
        record_id_2=cells["case_record_id"],
    )


def disciplined_organisations(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R05: an organisation disciplined in the year and rated good or excellent."""
    cases = in_force(discipline.cases(marts, discipline.ORGANISATION), rule, rules)
    rows = _gravest(_weighed(cases, rule))
    rows = rows.merge(
        decided.organisations(marts).drop(columns="unit_code"), on=KEY, how="left", validate="one_to_one"
    ).rename(columns={"case_unit_code": "unit_code"})
    known = organisations.versions(marts)
    closed = known[known["closed_on"].dt.year <= known["year"]].rename(columns={"org_code": "subject_key"})

    level, without_level = rows["final_level"], rows["final_level"].isna()
    dissolved = cases[cases["form"] == discipline.DISSOLVED]
    is_gone = is_among(rows, dissolved, KEY) | is_among(rows, closed, KEY)
    is_unit = rows["subject_key"].isin(organisations.unit_codes(marts))
    rows["outcome"], rows["reason"] = first(
        rows,
        (without_level & is_gone, PASSED, None),
        (without_level & is_unit, NOT_CHECKED, "biểu không có mức xếp loại của chính đơn vị báo cáo"),
        *decided.missing(rows, marts, "organisation"),
        (level.isin(rule.parameter("contradicting_levels")), FOUND, None),
        (level.notna(), PASSED, None),
    )
    subject = organisations.organisation(rows["subject_key"], rows["year"], known)
    return subjects(
        softened(rows, rule.exception("good_not_excellent"), level == "HTT"),
        *discipline.not_known(marts, rule, rules),
        subject_kind="organisation",
        subject=subject,
        org_code=rows["subject_key"].mask(is_unit),
        reported=decided.told(subject, rows["year"], level),
        contradicted_by=wording.phrase(
            "Trong năm {year} chính tổ chức đảng bị kỷ luật {case}{others}.",
            year=rows["year"],
            case=rows["described"],
            others=_and_others(rows),
        ),
        record_id_1=rows["record_id"],
        record_id_2=rows["case_record_id"],
    )


def heads_above_corruption(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R08: the head of a cell rated above the lowest while another member of it was disciplined for corruption."""
    cases = in_force(discipline.cases(marts, discipline.MEMBER), rule, rules)
    roll = organisations.roll(marts)
    placed = of_some(roll[[*KEY, "cell_code"]], cases, "subject_key")
    cases = cases.merge(placed, on=KEY, how="left", validate="many_to_one")
    known = organisations.versions(marts)
    cells = known[known["is_cell"].fillna(False)]
    is_of_cell = is_among(cases, cells, ["year", "org_code"])
    cases["cell_code"] = cases["org_code"].where(is_of_cell, cases["cell_code"])
    cases = cases[cases["corruption"].fillna(True)]
    cases = _weighed(cases, rule, cases["corruption"])

    heads = roll[roll["is_head"].fillna(False) & roll["is_present"].fillna(False)]
    heads = heads[["year", "cell_code", "subject_key"]].rename(columns={"subject_key": "head_key"})
    led = cases.merge(heads.dropna(), on=["year", "cell_code"], how="left")
    lost = led[led["head_key"].isna()].drop_duplicates(KEY)
    led = led[led["head_key"].notna() & (led["head_key"] != led["subject_key"])]
    led = led.assign(who=wording.member(led["subject_key"]), subject_key=led["head_key"])
    rows = _gravest(led.rename(columns={"cell_code": "led_code"}))
    rated = of_some(decided.members(marts).drop(columns="unit_code"), rows, "subject_key")
    rows = rows.merge(rated, on=KEY, how="left", validate="one_to_one")
    rows = rows.rename(columns={"case_unit_code": "unit_code"})

    level = rows["final_level"]
    rows["outcome"], rows["reason"] = first(
        rows,
        *decided.missing(rows, marts, "member"),
        (level == "KHT", PASSED, None),
        (rows["counted"] == 0, NOT_CHECKED, "chưa rõ vụ việc có phải tham nhũng, lãng phí, tiêu cực hay không"),
        (level.notna(), FOUND, None),
    )
    subject = organisations.head(rows["subject_key"], rows["led_code"])
    return subjects(
        _excused(rows, rule),
        subjects(
            lost,
            subject_kind="member",
            subject_key=lost["subject_key"] + "|bí thư",
            member_key=lost["subject_key"],
            outcome=NOT_CHECKED,
            reason="chưa xác định được bí thư của chi bộ nơi xảy ra vụ việc",
        ),
        *discipline.not_known(marts, rule, rules),
        subject_kind="member",
        subject=subject,
        org_code=rows["led_code"],
        member_key=rows["subject_key"],
        reported=decided.told(subject, rows["year"], level),
        contradicted_by=wording.phrase(
            "Trong năm {year}, tại chi bộ do bí thư này phụ trách, {who} bị kỷ luật {case} trong vụ việc được đánh dấu "
            "tham nhũng, lãng phí, tiêu cực{others}.",
            year=rows["year"],
            who=rows["who"],
            case=rows["described"],
            others=_and_others(rows),
        ),
        record_id_1=rows["record_id"],
        record_id_2=rows["case_record_id"],
    )


def _of_heads(marts: Marts, rule: Rule, rules: Catalogue) -> tuple[pd.DataFrame, pd.DataFrame]:
    """R02, R03: cases against heads of cells with the cell they lead, and subjects of whom that is not known."""
    cases = in_force(discipline.cases(marts, discipline.MEMBER), rule, rules)
    roll = of_some(organisations.roll(marts)[[*KEY, "cell_code", "is_head", "is_present"]], cases, "subject_key")
    cases = cases.merge(roll, on=KEY, how="left", validate="many_to_one")
    cases["cell_code"] = cases["cell_code"].fillna(cases["org_code"])
    unknown = _weighed(cases[cases["is_head"].isna()], rule)
    unknown = unknown[unknown["counts"] | unknown["unclear"]].drop_duplicates(KEY)
    unknown["outcome"], unknown["reason"] = first(
        unknown,
        (~unknown["is_present"].fillna(True), OUTSIDE, None),
        (unknown["year"].notna(), NOT_CHECKED, UNKNOWN_HEAD),
    )
    heads = cases[cases["is_head"].fillna(False)].drop(columns=["is_head", "is_present"])
    return heads.reset_index(drop=True), subjects(unknown, subject_kind="member", member_key=unknown["subject_key"])


def _weighed(cases: pd.DataFrame, rule: Rule, *conditions: pd.Series) -> pd.DataFrame:
    """Cases with whether each counts: where the regime asks so only of duty, and only if every condition holds."""
    only_duty = cases["regime_id"].isin(rule.parameter("duty_related_only"))
    counts = cases["duty_related"].where(only_duty, True)
    for condition in conditions:
        counts = counts & condition
    unexcused = counts.fillna(False) & ~cases["self_reported"].fillna(False)
    return cases.assign(
        counts=counts.fillna(False).astype(bool), unclear=counts.isna(), unexcused=unexcused.astype(bool)
    )


def _gravest(cases: pd.DataFrame) -> pd.DataFrame:
    """The gravest case of each subject that counts, with how many count and whether one is unclear or unexcused."""
    per_subject = cases.groupby(KEY, as_index=False).agg(
        counted=("counts", "sum"), unclear=("unclear", "any"), unexcused=("unexcused", "any")
    )
    shown = cases.sort_values(["counts", "gravity", "decided_on", "case_id"], ascending=[False, False, True, True])
    shown = shown.drop_duplicates(KEY).drop(columns=["counts", "unclear", "unexcused"])
    shown["case_record_id"] = shown["record_id"].fillna(shown["register_record_id"])
    shown = shown.rename(columns={"unit_code": "case_unit_code"}).drop(columns="record_id")
    return shown.merge(per_subject, on=KEY, validate="one_to_one")


def _excused(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """The subjects with severity and exception where every case that counts was reported by those concerned."""
    return softened(frame, rule.exception("self_reported"), ~frame["unexcused"])


def _and_others(frame: pd.DataFrame) -> pd.Series:
    """How many cases more count."""
    others = frame["counted"] - 1
    return wording.phrase(OTHERS, n=others).where(others > 0, "")


def excellent_above_discipline(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R04: an excellent organisation above a disciplined one, or whose leadership was disciplined.

    The forms mark the secretaries of cells alone. A cell's own secretary leads it; whether one of a cell below
    sits in an organisation's leadership they do not say, so that case is shown with the exception's severity.
    """
    key = ["year", "org_code"]
    versions = organisations.versions(marts)
    of_organisations = in_force(discipline.cases(marts, discipline.ORGANISATION), rule, rules)
    of_members = in_force(discipline.cases(marts, discipline.MEMBER), rule, rules)
    roll = of_some(marts["fct_member"].rename(columns={"member_key": "subject_key"}), of_members, "subject_key")
    of_members = of_members.merge(
        roll[["year", "subject_key", "cell_code", "is_head"]], on=["year", "subject_key"], how="left"
    )
    of_members["org_code"] = of_members["cell_code"].fillna(of_members["org_code"])

    below = of_organisations.drop(columns="org_code").merge(
        organisations.ancestors(versions, of_organisations),
        left_on=["year", "subject_key"],
        right_on=["year", "below_code"],
    )
    below["cause"] = wording.phrase(
        "tổ chức đảng cấp dưới là {name} bị kỷ luật {case}",
        name=organisations.organisation(below["subject_key"], below["year"], versions),
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
        organisations.ancestors(versions, of_cells), left_on=["year", "subject_key"], right_on=["year", "below_code"]
    )
    above["cause"] = wording.phrase(
        "bí thư của {cell} ({who}) bị kỷ luật {case}",
        cell=organisations.organisation(above["subject_key"], above["year"], versions),
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
    subject = organisations.organisation(excellent["org_code"], excellent["year"], versions)
    return subjects(
        softened(excellent, rule.exception("subordinate_secretary"), excellent["direct"].eq(False)),
        _unrated(causes, marts),
        _rootless(of_organisations, marts),
        *discipline.not_known(marts, rule, rules),
        subject_kind="organisation",
        subject_key=excellent["org_code"],
        subject=subject,
        reported=decided.told(subject, excellent["year"], excellent["final_level"]),
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
    versions = organisations.versions(marts)
    causes = causes[~causes["org_code"].isin(organisations.unit_codes(marts))]
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
    rooted = organisations.versions(marts).dropna(subset="parent_code").rename(columns={"org_code": "subject_key"})
    lost = cases[
        ~is_among(cases, rooted, key) & ~cases["subject_key"].isin(organisations.unit_codes(marts))
    ].drop_duplicates(key)
    return subjects(
        lost,
        subject_kind="organisation",
        subject_key=lost["subject_key"] + "|cấp trên",
        org_code=lost["subject_key"],
        outcome=NOT_CHECKED,
        reason="chưa xác định được cấp trên trực tiếp của tổ chức đảng bị kỷ luật",
    )


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    "R01": disciplined_members,
    "R02": disciplined_heads,
    "R03": led_by_the_disciplined,
    "R04": excellent_above_discipline,
    "R05": disciplined_organisations,
    "R08": heads_above_corruption,
}
"""The rules of levels beside discipline."""
