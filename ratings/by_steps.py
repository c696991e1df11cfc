"""Steps of the yearly rating: who is rated at all, self, appraised and decided levels, their days, and who decides."""

from collections.abc import Callable, Mapping

import pandas as pd

from ratings import decided, organisations, wording
from ratings.levels import LEVEL_NAMES, LEVEL_ORDER
from ratings.outcomes import (
    FOUND,
    NOT_CHECKED,
    OUTSIDE,
    PASSED,
    best_of_each,
    first,
    in_force,
    is_among,
    passed_together,
    softened,
    subjects,
    without_passed,
)
from ratings.rules import Catalogue, Rule

Marts = Mapping[str, pd.DataFrame]

LADDER = "tự xếp loại «{own}», thẩm định «{appraised}», quyết định «{level}»"


def rated_or_excluded(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R18: a member who is not to be rated has a level, or one who is has neither level nor a reason that holds."""
    key = ["year", "unit_code", "member_key"]
    roll = marts["fct_member"].drop_duplicates(key).rename(columns={"record_id": "roll_record_id"})
    rated = best_of_each(marts["fct_member_assessment"], key, ["record_id"], ascending=[True])
    joined = roll.merge(rated.drop(columns="decided_on"), on=key, how="outer", suffixes=("", "_rated"))
    members = in_force(joined, rule, rules)
    members["cell_code"] = members["cell_code"].fillna(members["cell_code_rated"])

    statuses, reasons = rule.parameter("excluded_statuses"), rule.parameter("excluded_reasons")
    status, reason, level = members["status"], members["not_rated_reason"], members["final_level"]
    without_row = members["record_id"].isna()
    is_excluded = status.isin(statuses)
    is_new = _joined_late(members, rule)
    is_out = is_excluded | is_new
    differs = (reason.map(dict(zip(reasons, statuses, strict=True))) != status).astype("boolean").mask(status.isna())
    unlike = reason.isin(reasons) & differs
    unlike_new = (reason == rule.parameter("too_new_reason")) & ~is_new
    held_back = decided.held_back(marts, "member")
    nameless = held_back[held_back["member_key"].isna()]
    elsewhere = is_among(members[without_row], rated, ["year", "member_key"]).reindex(members.index, fill_value=False)
    members["outcome"], members["reason"] = first(
        members,
        (members["roll_record_id"].isna(), NOT_CHECKED, "dòng xếp loại của người không có trong danh sách đọc được"),
        (~members["is_present"].fillna(True), OUTSIDE, None),
        (level.notna() & is_out, FOUND, None),
        (level.isna() & is_out & reason.isna(), PASSED, None),
        (reason.notna() & (unlike | unlike_new), FOUND, None),
        (
            reason.notna() & (unlike | unlike_new).isna(),
            NOT_CHECKED,
            "chưa rõ tình trạng hoặc ngày kết nạp của đảng viên",
        ),
        (reason.notna(), PASSED, None),
        (status.isna() | is_new.isna(), NOT_CHECKED, "chưa rõ tình trạng hoặc ngày kết nạp của đảng viên"),
        (level.notna(), PASSED, None),
        (without_row & elsewhere, OUTSIDE, None),
        (is_among(members, held_back, key), NOT_CHECKED, "dòng xếp loại của đảng viên đang bị giữ lại"),
        (is_among(members, nameless, key[:2]), NOT_CHECKED, "có dòng xếp loại bị giữ lại chưa rõ của đảng viên nào"),
        (~is_among(members, rated, key[:2]), NOT_CHECKED, "đơn vị không có dòng xếp loại đảng viên nào đọc được"),
        (members["year"].notna(), FOUND, None),
    )
    members, passed = without_passed(members, ["year", "member_key"])
    members = softened(members, rule.exception("reason_not_confirmed"), members["not_rated_reason"].notna())
    subject = organisations.member(members["member_key"], members["cell_code"])
    with_level = decided.told(subject, members["year"], members["final_level"])
    with_reason = wording.phrase(
        "{who}: Biểu 5 năm {year} ghi không xếp loại, lý do «{reason}».",
        who=wording.sentence(subject),
        year=members["year"],
        reason=members["not_rated_reason"],
    )
    with_nothing = wording.phrase(
        "{who}: Biểu 5 năm {year} không có mức xếp loại và không có lý do không xếp loại.",
        who=wording.sentence(subject),
        year=members["year"],
    )
    return subjects(
        members,
        passed,
        subject_kind="member",
        subject_key=members["member_key"],
        subject=subject,
        org_code=members["cell_code"],
        reported=with_level.fillna(with_reason).fillna(with_nothing),
        contradicted_by=wording.phrase(
            "Danh sách đảng viên (Biểu 3) cuối năm {year} ghi có mặt, tình trạng «{status}», kết nạp ngày {day}.",
            year=members["year"],
            status=members["status"].fillna("chưa rõ"),
            day=wording.date(members["admitted_on"]).fillna("chưa rõ"),
        ),
        record_id_1=members["record_id"].fillna(members["roll_record_id"]),
        record_id_2=members["roll_record_id"].where(members["record_id"].notna()),
    )


def _joined_late(members: pd.DataFrame, rule: Rule) -> pd.Series:
    """R18: whether a member had been one for less than the months needed on the last day of the year."""
    last_day = pd.to_datetime(members["year"].astype("str") + "-12-31")
    since = last_day - pd.DateOffset(months=rule.parameter("least_months"))
    return (members["admitted_on"].dt.normalize() > since).astype("boolean").mask(members["admitted_on"].isna())


def raised_or_unappraised(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R22: decided above what was appraised, not appraised, or all of a grassroots organisation excellent."""
    return pd.concat(
        [
            _own_steps(marts, rule, rules),
            _members_steps(marts, rule, rules),
            _all_excellent(marts, rule, rules),
        ],
        ignore_index=True,
    )


def _own_steps(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R22: of organisations' own ratings."""
    rated = marts["fct_organisation_assessment"]
    rows = in_force(rated[rated["final_level"].notna()], rule, rules)
    rows["outcome"] = PASSED
    appraised = rows["appraised_level"].map(LEVEL_ORDER)
    is_raised = rows["final_level"].map(LEVEL_ORDER) < appraised
    rows["outcome"] = rows["outcome"].mask(is_raised | appraised.isna(), FOUND)
    rows, passed = without_passed(rows)
    subject = organisations.organisation(rows["org_code"], rows["year"], organisations.versions(marts))
    return subjects(
        rows,
        passed,
        decided.unread(marts, rule, rules, "organisation"),
        subject_kind="organisation",
        subject_key=rows["org_code"],
        subject=subject,
        reported=decided.told(subject, rows["year"], rows["final_level"]),
        contradicted_by=wording.phrase(
            "Biểu 4 năm {year} ghi: " + LADDER + "; {why}.",
            year=rows["year"],
            own=rows["self_level"].map(LEVEL_NAMES).fillna("(không ghi)"),
            appraised=rows["appraised_level"].map(LEVEL_NAMES).fillna("(không ghi)"),
            level=rows["final_level"].map(LEVEL_NAMES),
            why=rows["appraised_level"].isna().map({True: "không có mức thẩm định", False: "không ghi lý do nâng mức"}),
        ),
        record_id_1=rows["record_id"],
    )


def _members_steps(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R22: of the members of each cell, counted."""
    key = ["year", "unit_code", "cell_code"]
    rated = marts["fct_member_assessment"]
    rated = rated[rated["final_level"].notna()]
    proposed = rated["proposed_level"].map(LEVEL_ORDER)
    rated = rated.assign(raised=rated["final_level"].map(LEVEL_ORDER) < proposed, missing=proposed.isna(), n=1)
    cells = rated.groupby(key, as_index=False)[["raised", "missing", "n"]].sum()
    example = rated[rated["raised"] | rated["missing"]].sort_values("record_id")
    example = example.drop_duplicates(key)[[*key, "record_id"]]
    cells = in_force(cells.merge(example, on=key, how="left"), rule, rules)
    held_back = decided.held_back(marts, "member").rename(columns={"org_code": "cell_code"})
    # a unit that fills in no proposal at all leaves the column out; that is no fact about any of its cells
    proposes = rated[proposed.notna()]
    left_out = ~is_among(cells, proposes, key[:2])
    cells["outcome"], cells["reason"] = first(
        cells,
        (left_out, NOT_CHECKED, "đơn vị không ghi mức chi bộ đề xuất của đảng viên nào"),
        (cells["raised"] + cells["missing"] > 0, FOUND, None),
        (is_among(cells, held_back, key), NOT_CHECKED, "có dòng xếp loại đảng viên của chi bộ đang bị giữ lại"),
        (cells["year"].notna(), PASSED, None),
    )
    cells, passed = without_passed(cells)
    subject = "đảng viên của " + organisations.organisation(
        cells["cell_code"], cells["year"], organisations.versions(marts)
    )
    parts = {
        "raised": "{n} người được quyết định cao hơn mức chi bộ đề xuất",
        "missing": "{n} người không có mức đề xuất",
    }
    told = pd.DataFrame(
        {
            name: wording.phrase(text, n=wording.number(cells[name])).where(cells[name] > 0)
            for name, text in parts.items()
        },
        cells.index,
    )
    return subjects(
        cells,
        passed,
        subject_kind="group",
        subject_key=cells["cell_code"] + "|đảng viên",
        subject=subject,
        org_code=cells["cell_code"],
        reported=wording.phrase(
            "{who}: năm {year} có {n} người được xếp loại (Biểu 5).",
            who=wording.sentence(subject),
            year=cells["year"],
            n=wording.number(cells["n"]),
        ),
        contradicted_by=wording.phrase("Cũng Biểu 5 ghi: {parts}; không ghi lý do.", parts=wording.listed(told)),
        record_id_1=cells["record_id"],
    )


def _all_excellent(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R22: grassroots organisations whose members are all excellent by themselves, as proposed and as decided."""
    key = ["year", "unit_code", "grassroots_code"]
    rated = marts["fct_member_assessment"]
    rated = rated[rated["final_level"].notna()]
    steps = rated[["self_level", "proposed_level", "final_level"]]
    groups = rated.assign(all_xs=(steps == "XS").all(axis=1), n=1).groupby(key, as_index=False)[["all_xs", "n"]].sum()
    groups = in_force(groups[groups["n"] >= rule.parameter("smallest_organisation")], rule, rules)
    groups = groups.merge(marts["grassroots_excellence"][[*key, "held_back"]].drop_duplicates(key), on=key, how="left")
    groups["outcome"], groups["reason"] = first(
        groups,
        (groups["all_xs"] < groups["n"], PASSED, None),
        (
            groups["held_back"].fillna(0) > 0,
            NOT_CHECKED,
            "có dòng xếp loại bị giữ lại nên chưa biết tất cả đều xuất sắc",
        ),
        (groups["year"].notna(), FOUND, None),
    )
    subject = organisations.organisation(groups["grassroots_code"], groups["year"], organisations.versions(marts))
    return subjects(
        groups,
        subject_kind="group",
        subject_key=groups["grassroots_code"] + "|toàn xuất sắc",
        subject="đảng viên của " + subject,
        org_code=groups["grassroots_code"],
        reported=wording.phrase(
            "{who}, năm {year}: cả {n} đảng viên được xếp loại xuất sắc.",
            who=wording.sentence(subject),
            year=groups["year"],
            n=wording.number(groups["n"]),
        ),
        contradicted_by=wording.phrase(
            "Cả {n} người cũng tự xếp loại xuất sắc và được đề xuất xuất sắc, không mức nào được thẩm định lại.",
            n=wording.number(groups["n"]),
        ),
    )


def steps_out_of_order(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R23: decided before it was appraised, before those below were decided, or not before the last day."""
    rated = marts["fct_organisation_assessment"]
    rated = rated[rated["final_level"].notna()].sort_values("record_id").drop_duplicates(["year", "org_code"])
    rows = in_force(rated, rule, rules)
    below = _latest(rated, "parent_code", "org_code", "below")
    people = marts["fct_member_assessment"]
    people = _latest(people[people["final_level"].notna()], "cell_code", "member_key", "member")
    rows = rows.merge(below, on=["year", "org_code"], how="left").merge(people, on=["year", "org_code"], how="left")
    own, appraised, day = (rows[name].dt.normalize() for name in ("self_on", "appraised_on", "decided_on"))
    extended = marts["reporting_obligation"].dropna(subset="extended_until")
    last_day, last_month = (int(part) for part in rule.parameter("decided_before").split("/"))
    limit = pd.to_datetime(pd.DataFrame({"year": rows["year"], "month": last_month, "day": last_day}))
    late = (day >= limit) & ~is_among(rows, extended, ["year", "unit_code"])
    checks = {
        "appraised": (appraised < own, "thẩm định ngày {a} trước khi tự xếp loại ngày {b}", appraised, own),
        "decided": (day < appraised, "quyết định ngày {a} trước khi thẩm định ngày {b}", day, appraised),
        "claimed": (
            (day < own) & appraised.isna(),
            "quyết định ngày {a} trước khi tự xếp loại ngày {b}",
            day,
            own,
        ),
        "below": (
            day < rows["below_on"],
            "quyết định ngày {a} trước khi quyết định xong tổ chức trực thuộc ngày {b}",
            day,
            rows["below_on"],
        ),
        "members": (
            day < rows["member_on"],
            "quyết định ngày {a} trước khi quyết định xong đảng viên của chi bộ ngày {b}",
            day,
            rows["member_on"],
        ),
    }
    wrong = pd.DataFrame({name: fails for name, (fails, *_) in checks.items()}, rows.index)
    told = pd.DataFrame(
        {
            name: wording.phrase(text, a=wording.date(a), b=wording.date(b)).where(fails)
            for name, (fails, text, a, b) in checks.items()
        },
        rows.index,
    ).assign(
        late=wording.phrase(
            "quyết định ngày {a}, không trước ngày {b}", a=wording.date(day), b=wording.date(limit)
        ).where(late)
    )
    below_unknown = rows["below_unknown"].eq(True) | rows["member_unknown"].eq(True)
    unknown = own.isna() | appraised.isna() | day.isna() | below_unknown
    rows["outcome"], rows["reason"] = first(
        rows,
        (wrong.any(axis=1) | late, FOUND, None),
        (unknown, NOT_CHECKED, "thiếu ngày tự xếp loại, thẩm định hoặc quyết định"),
        (rows["year"].notna(), PASSED, None),
    )
    passed = passed_together(rows)
    rows = softened(rows, rule.exception("late_only"), ~wrong.any(axis=1))
    rows = rows.assign(
        other_record_id=rows["below_record_id"]
        .where(wrong["below"])
        .fillna(rows["member_record_id"].where(wrong["members"])),
    )
    rows = rows[rows["outcome"] != PASSED]
    rows = rows.assign(parts=wording.listed(told.loc[rows.index])).reset_index(drop=True)
    subject = organisations.organisation(rows["org_code"], rows["year"], organisations.versions(marts))
    return subjects(
        rows,
        passed,
        subject_kind="organisation",
        subject_key=rows["org_code"],
        subject=subject,
        reported=wording.phrase(
            "{who}: Biểu 4 ghi quyết định xếp loại năm {year} ngày {day}.",
            who=wording.sentence(subject),
            year=rows["year"],
            day=wording.date(rows["decided_on"]).fillna("chưa rõ"),
        ),
        contradicted_by=wording.phrase("Thứ tự và thời hạn các bước: {parts}.", parts=rows["parts"]),
        record_id_1=rows["record_id"],
        record_id_2=rows["other_record_id"],
    )


def _latest(rated: pd.DataFrame, above: str, code: str, name: str) -> pd.DataFrame:
    """R23: the last day on which those directly below an organisation were decided, and whether one is not known."""
    key = ["year", "org_code"]
    rows = pd.DataFrame(
        {
            "year": rated["year"],
            "org_code": rated[above],
            f"{name}_on": rated["decided_on"].dt.normalize(),
            f"{name}_unknown": rated["decided_on"].isna(),
            f"{name}_record_id": rated["record_id"],
            "code": rated[code],
        }
    ).dropna(subset="org_code")
    unknown = rows.groupby(key, as_index=False)[f"{name}_unknown"].any()
    last = rows.sort_values([*key, f"{name}_on", "code"], na_position="first").drop_duplicates(key, keep="last")
    return last.drop(columns=["code", f"{name}_unknown"]).merge(unknown, on=key)


def decided_by_others(marts: Marts, rule: Rule, rules: Catalogue) -> pd.DataFrame:
    """R24: a level that the organisation itself decided, or a body that may only propose or is not above it."""
    rated = marts["fct_organisation_assessment"]
    rated = rated[rated["final_level"].notna()].sort_values("record_id").drop_duplicates(["year", "org_code"])
    rows = in_force(rated, rule, rules)
    known = organisations.versions(marts)
    by, parent = rows["decided_by_code"], rows["parent_code"]
    pair = rows[["year", "org_code", "decided_by_code"]].set_axis(["year", "below_code", "org_code"], axis=1)
    above = organisations.ancestors(known, rows.rename(columns={"org_code": "subject_key"}))
    kinds = known.set_index(["year", "org_code"])["org_kind"]
    kind = pd.Series(kinds.reindex(pd.MultiIndex.from_frame(pair[["year", "org_code"]])).to_numpy(), rows.index)
    is_above = (by == parent) | (by == rows["unit_code"]) | is_among(pair, above, ["year", "below_code", "org_code"])
    # the province's own code is the beginning of those of its units
    is_province = pd.Series(
        [str(unit).startswith(f"{code}.") for unit, code in zip(rows["unit_code"], by.fillna("?"), strict=True)],
        rows.index,
        dtype=bool,
    )
    only_proposes = kind.isin(rule.parameter("proposing_kinds"))
    is_own = by == rows["org_code"]
    rows["outcome"], rows["reason"] = first(
        rows,
        (by.isna(), NOT_CHECKED, "không ghi cấp quyết định xếp loại"),
        (is_own | only_proposes, FOUND, None),
        (is_above | is_province, PASSED, None),
        (parent.isna(), NOT_CHECKED, "chưa xác định được cấp trên trực tiếp của tổ chức đảng"),
        (rows["year"].notna(), FOUND, None),
    )
    why = pd.Series("không phải cấp trên của tổ chức đảng này theo Biểu 2", rows.index, dtype="str")
    why = why.mask(only_proposes, "chỉ có quyền đề xuất").mask(is_own, "chính là tổ chức được xếp loại")
    rows = softened(rows.assign(why=why), rule.exception("not_in_line"), ~(is_own | only_proposes))
    rows, passed = without_passed(rows)
    subject = organisations.organisation(rows["org_code"], rows["year"], known)
    return subjects(
        rows,
        passed,
        subject_kind="organisation",
        subject_key=rows["org_code"],
        subject=subject,
        reported=wording.phrase(
            "{who}: Biểu 4 năm {year} ghi cấp quyết định là {by}.",
            who=wording.sentence(subject),
            year=rows["year"],
            by=organisations.organisation(rows["decided_by_code"], rows["year"], known),
        ),
        contradicted_by=wording.phrase(
            "Cấp này {why}; cấp trên trực tiếp là {parent}.",
            why=rows["why"],
            parent=organisations.organisation(rows["parent_code"], rows["year"], known).fillna("(chưa rõ)"),
        ),
        record_id_1=rows["record_id"],
    )


RULES: dict[str, Callable[[Marts, Rule, Catalogue], pd.DataFrame]] = {
    "R18": rated_or_excluded,
    "R22": raised_or_unappraised,
    "R23": steps_out_of_order,
    "R24": decided_by_others,
}
"""The rules of who is rated, by which steps, when and by whom."""
