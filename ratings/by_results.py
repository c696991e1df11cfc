"""Levels beside results: points, tasks done and late, the rating by the state, and that of the cell a head leads."""

from collections.abc import Callable, Mapping

import pandas as pd

from ratings import decided, organisations, wording
from ratings.decided import KEY
from ratings.levels import LEVEL_NAMES, LEVEL_ORDER
from ratings.outcomes import (
    FOUND,
    NOT_CHECKED,
    OUTSIDE,
    PASSED,
    first,
    in_force,
    is_among,
    softened,
    subjects,
    without_passed,
)
from ratings.rules import Catalogue, Rule

Marts = Mapping[str, pd.DataFrame]

PLACES = 10_000
"""Points are compared as whole numbers of ten-thousandths: no written decimal is lost, no binary remainder counts."""


def level_above_points(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R09: a level above the band of its points, points missing, or parts that do not make the whole.

    A form that a whole unit leaves without any points has no such column: that is not checked.
    """
    members, own = marts["fct_member_assessment"], marts["fct_organisation_assessment"]
    rows = pd.concat(
        [
            own.assign(subject_kind="organisation", subject_key=own["org_code"], form="Biểu 4"),
            members.assign(subject_kind="member", subject_key=members["member_key"], form="Biểu 5"),
        ],
        ignore_index=True,
    )
    whole = ["year", "unit_code", "subject_kind"]
    told = ["record_id", "subject_key", "form", "org_code", "member_key", "cell_code", "final_level"]
    rows = in_force(rows.loc[rows["final_level"].notna(), [*whole, *told, *POINTS]], rule, rules)
    rows[POINTS] = (rows[POINTS] * PLACES).round().astype("Int64")
    common, task, score = (rows[name] for name in POINTS)
    least = _least_points(rows, rules)
    sums = rule.parameter("sum_tolerance_hundredths") * PLACES // 100
    is_own = rows["subject_kind"] == "organisation"
    has_points = is_among(rows, rows.loc[score.notna(), whole].drop_duplicates(), whole)
    fails = {
        "missing": score.isna(),
        "above": score < least,
        "common": common > rule.parameter("most_common_points") * PLACES,
        "task": task > rule.parameter("most_task_points") * PLACES,
        "sum": (common + task - score).abs() > sums,
    }
    lacks_parts = is_own & (common.isna() | task.isna())
    rows["outcome"], rows["reason"] = first(
        rows,
        (~has_points, NOT_CHECKED, "đơn vị không ghi điểm nào trong biểu"),
        (pd.DataFrame(fails).fillna(False).any(axis=1), FOUND, None),
        (lacks_parts, NOT_CHECKED, "thiếu điểm tiêu chí chung hoặc điểm kết quả nhiệm vụ"),
        (rows["year"].notna(), PASSED, None),
    )
    rows["least"] = least
    fails = pd.DataFrame(fails)
    rows[[f"is_{name}" for name in fails]] = fails.fillna(False)
    rows, passed = without_passed(rows, ["year", "subject_kind", "subject_key"])
    common, task, score = (_points(rows[name]) for name in POINTS)
    texts = {
        "missing": wording.phrase("không có tổng điểm{end}", end=pd.Series("", rows.index)),
        "above": wording.phrase(
            "tổng điểm {score}, mức này phải có từ {least} điểm", score=score, least=_points(rows["least"])
        ),
        "common": wording.phrase("điểm tiêu chí chung {n}, quá mức tối đa", n=common),
        "task": wording.phrase("điểm kết quả nhiệm vụ {n}, quá mức tối đa", n=task),
        "sum": wording.phrase(
            "{common} điểm tiêu chí chung cộng {task} điểm nhiệm vụ khác tổng điểm {score}",
            common=common,
            task=task,
            score=score,
        ),
    }
    parts = pd.DataFrame({name: text.where(rows[f"is_{name}"]) for name, text in texts.items()}, rows.index)
    who = organisations.organisation(rows["org_code"], rows["year"], organisations.versions(marts))
    subject = who.where(
        rows["subject_kind"] == "organisation", organisations.member(rows["member_key"], rows["cell_code"])
    )
    return subjects(
        rows,
        passed,
        decided.unread(marts, rule, rules, "organisation"),
        decided.unread(marts, rule, rules, "member"),
        subject=subject,
        org_code=rows["org_code"].fillna(rows["cell_code"]),
        reported=decided.told(subject, rows["year"], rows["final_level"]),
        contradicted_by=wording.phrase(
            "{form} năm {year} ghi: {parts}.", form=rows["form"], year=rows["year"], parts=wording.listed(parts)
        ),
        record_id_1=rows["record_id"],
    )


POINTS = ["common_points", "task_points", "score"]


def _least_points(rows: pd.DataFrame, rules: Catalogue) -> pd.Series:
    """R09: from how many points on the level of each row is given."""
    table = [
        (year, level, int(points * PLACES))
        for year in sorted({int(year) for year in rows["year"]})
        for level, points in rules.least_points(year).items()
    ]
    least = pd.DataFrame(table, columns=["year", "final_level", "least"]).astype({"final_level": "str"})
    found = rows[["year", "final_level"]].merge(least, on=["year", "final_level"], how="left")["least"]
    return found.astype("Int64").set_axis(rows.index)


def _points(values: pd.Series) -> pd.Series:
    """Points as ``82,5``."""
    return values.map(lambda points: f"{points / PLACES:.4f}".rstrip("0").rstrip(".").replace(".", ","), "ignore")


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
        "done": (done < assigned, UNDONE, {"n": n(done), "of": n(assigned)}),
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
    return _against_own_row(excellent, told, marts, rule, rules)


UNDONE = "hoàn thành {n}/{of} nhiệm vụ được giao"


def level_above_tasks(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R11, R12, R34: a level that the tasks done, or done late, do not allow."""
    rated = marts["fct_organisation_assessment"]
    done_levels, on_time, late_levels = (
        rule.parameter(name) for name in ("levels_with_tasks_done", "levels_on_time", "levels_with_few_late")
    )
    judged = {*done_levels, *on_time, *late_levels}
    rows = in_force(rated[rated["final_level"].isin(judged)], rule, rules)
    level, assigned = rows["final_level"], rows["tasks_assigned"]
    done, late = rows["tasks_done"], rows["tasks_late"]
    must_be_done, must_be_on_time = level.isin(done_levels), level.isin(on_time)
    few_late, late_matters = level.isin(late_levels), level.isin([*on_time, *late_levels])
    undone = (100 * done < rule.parameter("done_pct") * assigned) & must_be_done
    delayed = ((late > 0) & must_be_on_time) | ((100 * late > rule.parameter("late_pct") * assigned) & few_late)
    unknown = assigned.isna() | (done.isna() & must_be_done) | (late.isna() & late_matters)
    rows["outcome"], rows["reason"] = first(
        rows,
        (assigned == 0, NOT_CHECKED, "tổ chức đảng không có nhiệm vụ được giao để đối chiếu"),
        (
            (done > assigned) | (late > assigned),
            NOT_CHECKED,
            "số nhiệm vụ hoàn thành hoặc trễ hạn quá số được giao",
        ),
        ((undone | delayed).fillna(False), FOUND, None),
        (unknown, NOT_CHECKED, "thiếu số nhiệm vụ được giao, hoàn thành hoặc trễ hạn"),
        (rows["year"].notna(), PASSED, None),
    )
    rows = rows.assign(undone=undone.fillna(False), delayed=delayed.fillna(False))
    rows, passed = without_passed(rows)
    of = wording.number(rows["tasks_assigned"])
    told = pd.DataFrame(
        {
            "undone": wording.phrase(UNDONE, n=wording.number(rows["tasks_done"]), of=of).where(rows["undone"]),
            "delayed": wording.phrase(
                "{n}/{of} nhiệm vụ trễ hạn ({ratio})",
                n=wording.number(rows["tasks_late"]),
                of=of,
                ratio=wording.ratio(rows["tasks_late"], rows["tasks_assigned"]),
            ).where(rows["delayed"]),
        },
        rows.index,
    )
    return _against_own_row(rows, told, marts, rule, rules, passed)


def _against_own_row(
    rows: pd.DataFrame, told: pd.DataFrame, marts: Marts, rule: Rule, rules: Catalogue, *others: pd.DataFrame
) -> pd.DataFrame:
    """Organisations whose level is contradicted by what else their own row says."""
    subject = organisations.organisation(rows["org_code"], rows["year"], organisations.versions(marts))
    return subjects(
        rows,
        *others,
        decided.unread(marts, rule, rules, "organisation"),
        subject_kind="organisation",
        subject_key=rows["org_code"],
        subject=subject,
        reported=decided.told(subject, rows["year"], rows["final_level"]),
        contradicted_by=wording.phrase(
            "Biểu 4 năm {year} của chính tổ chức đảng ghi: {parts}.", year=rows["year"], parts=wording.listed(told)
        ),
        record_id_1=rows["record_id"],
    )


def above_the_state_rating(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R20: a member rated higher as a member than as an official of the state, where that rating is given."""
    rated = marts["fct_member_assessment"]
    rows = in_force(rated[rated["final_level"].notna() & rated["state_level"].notna()], rule, rules)
    is_above = rows["final_level"].map(LEVEL_ORDER) < rows["state_level"].map(LEVEL_ORDER)
    rows["outcome"] = pd.Series(PASSED, rows.index, dtype="str").mask(is_above, FOUND)
    rows, passed = without_passed(rows, ["year", "member_key"])
    rows = softened(rows, rule.exception("not_excellent"), rows["final_level"] != "XS")
    subject = organisations.member(rows["member_key"], rows["cell_code"])
    return subjects(
        rows,
        passed,
        decided.unread(marts, rule, rules, "member"),
        subject_kind="member",
        subject_key=rows["member_key"],
        subject=subject,
        org_code=rows["cell_code"],
        reported=decided.told(subject, rows["year"], rows["final_level"]),
        contradicted_by=wording.phrase(
            "Biểu 5 năm {year} cũng ghi xếp loại công chức, viên chức của người này là «{level}».",
            year=rows["year"],
            level=rows["state_level"].map(LEVEL_NAMES),
        ),
        record_id_1=rows["record_id"],
    )


def heads_above_their_cell(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R21: the head of a cell rated above the cell; of led units the forms only tell a cell's own head."""
    roll = organisations.roll(marts)
    heads = in_force(roll[roll["is_head"].fillna(False) & roll["is_present"].fillna(False)], rule, rules)
    heads = heads.rename(columns={"cell_code": "led_code"}).drop(columns="record_id")
    rated = decided.members(marts)[[*KEY, "record_id", "final_level", "not_rated_reason"]]
    rows = heads.merge(rated, on=KEY, how="left", validate="one_to_one")
    cells = decided.organisations(marts)[["year", "subject_key", "final_level", "not_rated_reason", "record_id"]]
    cells = cells.set_axis(["year", "led_code", "cell_level", "cell_reason", "cell_record_id"], axis=1)
    rows = rows.merge(cells, on=["year", "led_code"], how="left", validate="many_to_one")
    level, cell = rows["final_level"], rows["cell_level"]
    rows["outcome"], rows["reason"] = first(
        rows,
        *decided.missing(rows, marts, "member"),
        (cell.isna() & rows["cell_reason"].notna(), OUTSIDE, None),
        (cell.isna(), NOT_CHECKED, "không có mức xếp loại đọc được của chi bộ"),
        (level.map(LEVEL_ORDER) < cell.map(LEVEL_ORDER), FOUND, None),
        (rows["year"].notna(), PASSED, None),
    )
    rows, passed = without_passed(rows)
    subject = organisations.head(rows["subject_key"], rows["led_code"])
    return subjects(
        rows,
        passed,
        subject_kind="member",
        member_key=rows["subject_key"],
        subject=subject,
        org_code=rows["led_code"],
        reported=decided.told(subject, rows["year"], rows["final_level"]),
        contradicted_by=wording.phrase(
            "Chi bộ do người này làm bí thư được quyết định xếp loại năm {year} là «{level}».",
            year=rows["year"],
            level=rows["cell_level"].map(LEVEL_NAMES),
        ),
        record_id_1=rows["record_id"],
        record_id_2=rows["cell_record_id"],
    )


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    "R09": level_above_points,
    "R10": excellent_with_tasks_undone,
    "R11": level_above_tasks,
    "R12": level_above_tasks,
    "R20": above_the_state_rating,
    "R21": heads_above_their_cell,
    "R34": level_above_tasks,
}
"""The rules of levels beside results."""
