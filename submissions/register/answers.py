"""What was answered to queries: explanations of single ones, bounded waivers of a rule, and whether they still hold."""

from datetime import date

import pandas as pd

from submissions.register.log import Event, Register, RegisterError
from submissions.register.states import decide

STATUSES = {
    "open": "Cần sửa hoặc giải trình",
    "explained": "Đã giải trình",
    "waived": "Được miễn trừ",
    "asked_again": "Số liệu đã đổi, cần giải trình lại",
}
"""The statuses of an issue with their Vietnamese names."""

EXPLANATIONS = {
    "unit_code": "str",
    "year": "int64",
    "issue_id": "str",
    "numbers": "str",
    "code": "str",
    "text": "str",
    "source_hash": "str",
    "explained_at": "datetime64[us, UTC]",
}
"""The columns of `explanations`."""

WAIVERS = {
    "rule": "str",
    "unit_code": "str",
    "year": "int64",
    "limit_count": "Int64",
    "limit_share": "Float64",
    "approver": "str",
    "reason": "str",
    "until": "object",
    "decided_at": "datetime64[us, UTC]",
    "is_ended": "bool",
}
"""The columns of `waivers`."""


def explanation(
    unit_code: str, year: int, source_hash: str, issue_id: str, numbers: str, code: str, text: str
) -> Event:
    """The event of one explanation that came with a sending: a sending explains an issue once."""
    body = {"issue_id": issue_id, "numbers": numbers, "code": code, "text": text}
    return Event("explained", f"explained:{source_hash}:{issue_id}", unit_code, year, source_hash, body)


def explanations(register: Register, unit_code: str | None = None, year: int | None = None) -> pd.DataFrame:
    """The latest explanation of each issue (of a unit, of a year), columns of `EXPLANATIONS`."""
    latest = {
        (record.unit_code, record.year, record.body["issue_id"]): record
        for record in register.read(["explained"], unit_code, year)
    }
    rows = [
        record.body | {"source_hash": record.source_hash, "explained_at": record.at, "unit_code": unit, "year": of_year}
        for (unit, of_year, _), record in sorted(latest.items())
    ]
    return pd.DataFrame(rows, columns=list(EXPLANATIONS)).astype(EXPLANATIONS)


def waive(
    register: Register,
    unit_code: str,
    year: int,
    rule: str,
    *,
    until: date,
    approver: str,
    reason: str,
    limit_count: int | None = None,
    limit_share: float | None = None,
) -> Event:
    """Let a unit's issues of a rule stand for a year: at most a count, or a share of the rows, to the end of a day.

    `approver` is an office. Raises `RegisterError` where the waiver would have no bound, approver or reason.
    """
    if (limit_count is None) == (limit_share is None):
        raise RegisterError("Miễn trừ phải có một giới hạn: số lượng, hoặc tỷ lệ số dòng.")
    if (limit_count is not None and limit_count < 1) or (limit_share is not None and not 0 < limit_share <= 1):
        raise RegisterError("Giới hạn của miễn trừ phải là số từ 1, hoặc tỷ lệ trên 0 đến 1.")
    limits = {"limit_count": limit_count, "limit_share": limit_share}
    body = {"rule": rule, "until": until.isoformat(), "approver": approver} | limits
    return decide(register, "waived", unit_code, year, by=approver, reason=reason, **body)


def end_waiver(register: Register, unit_code: str, year: int, rule: str, *, by: str, reason: str) -> Event:
    """End a waiver before its day."""
    return decide(register, "waiver_ended", unit_code, year, by=by, reason=reason, rule=rule)


def waivers(register: Register, unit_code: str | None = None, year: int | None = None) -> pd.DataFrame:
    """The waiver decided last of each rule, unit and year, columns of `WAIVERS`; `until` is the last day it holds."""
    latest: dict[tuple, dict[str, object]] = {}
    for record in register.read(["waived", "waiver_ended"], unit_code, year):
        key = (record.unit_code, record.year, record.body["rule"])
        if record.kind == "waived":
            latest[key] = record.body | {
                "unit_code": record.unit_code,
                "year": record.year,
                "until": date.fromisoformat(record.body["until"]),
                "decided_at": record.at,
                "is_ended": False,
            }
        elif key in latest:
            latest[key]["is_ended"] = True
    rows = [row for _, row in sorted(latest.items())]
    return pd.DataFrame(rows, columns=list(WAIVERS)).astype(WAIVERS)


def apply(
    register: Register | None, issues: pd.DataFrame, today: date, rows: pd.DataFrame | None = None
) -> pd.DataFrame:
    """`issues` with what was answered to them: `status`, `explanation`, `explanation_code`, `status_reason`.

    `issues` are those of whole sendings, with `issue_id` and `numbers` beside the columns of an issue list. `rows` has
    `unit_code`, `year`, `form`, `rows_in`: waivers by share need it, and without it do not hold. Explanations answer
    queries, not errors, and hold while `numbers` is unchanged; else the query is "asked_again", the former one shown.
    A waiver counts every issue of its rule in the unit's year; over its limit, or after its day, none is waived and
    `status_reason` says why.
    """
    year = pd.to_numeric(issues["year"], errors="coerce").astype("Int64")
    told = pd.DataFrame(
        {"status": "open", "explanation": None, "explanation_code": None, "status_reason": None},
        index=issues.index,
        dtype="str",
    )
    if register is None or issues.empty:
        return issues.assign(**told)
    scope = {"unit_code": _single(issues["unit_code"]), "year": _single(year)}
    known = explanations(register, **scope)
    if len(known):
        keys = ["unit_code", "year", "issue_id"]
        asked = issues[["unit_code", "issue_id", "numbers"]].assign(year=year)
        met = asked.merge(known.astype({"year": "Int64"}), on=keys, how="left", suffixes=("", "_then"))
        met.index = issues.index
        answered = met["code"].notna() & (issues["severity"] == "query")
        told["explanation"] = met["text"].where(answered)
        told["explanation_code"] = met["code"].where(answered)
        told.loc[answered, "status"] = "asked_again"
        told.loc[answered & (met["numbers"] == met["numbers_then"]), "status"] = "explained"
    for waiver in waivers(register, **scope).itertuples(index=False):
        concerned = (issues["unit_code"] == waiver.unit_code) & (year == waiver.year) & (issues["rule"] == waiver.rule)
        concerned = concerned.fillna(False).astype(bool)
        if not concerned.any():
            continue
        lapsed = _lapsed(waiver, issues[concerned], today, rows)
        open_still = concerned & told["status"].isin(["open", "asked_again"])
        told.loc[open_still, "status_reason"] = lapsed or (
            f"Miễn trừ của {waiver.approver}, {_limit(waiver)}, đến hết ngày {waiver.until:%d/%m/%Y}."
        )
        if lapsed is None:
            told.loc[open_still, "status"] = "waived"
    return issues.assign(**told)


def _single(values: pd.Series) -> object:
    """The value, where all are one and the same: the register then reads no more than it must."""
    distinct = values.dropna().unique()
    return distinct[0] if len(distinct) == 1 else None


def _limit(waiver: object) -> str:
    if not pd.isna(waiver.limit_count):
        return f"tối đa {waiver.limit_count} trường hợp"
    return f"tối đa {waiver.limit_share:.2%} số dòng".replace(".", ",")


def _lapsed(waiver: object, issues: pd.DataFrame, today: date, rows: pd.DataFrame | None) -> str | None:
    """Why a waiver does not hold, None where it does."""
    if waiver.is_ended:
        return "Miễn trừ đã bị chấm dứt."
    if today > waiver.until:
        return f"Miễn trừ đã hết hạn ngày {waiver.until:%d/%m/%Y}."
    if not pd.isna(waiver.limit_count):
        exceeded = len(issues) > waiver.limit_count
        return f"Miễn trừ mất hiệu lực: có {len(issues)} trường hợp, {_limit(waiver)}." if exceeded else None
    base = 0
    if rows is not None:
        of_unit = (rows["unit_code"] == waiver.unit_code) & (rows["year"] == waiver.year)
        base = int(rows.loc[of_unit & rows["form"].isin(issues["form"].unique()), "rows_in"].sum())
    if base == 0:
        return "Không xét được miễn trừ theo tỷ lệ: không biết số dòng của biểu."
    if len(issues) > waiver.limit_share * base:
        return f"Miễn trừ mất hiệu lực: có {len(issues)} trường hợp trên {base} dòng, {_limit(waiver)}."
    return None
