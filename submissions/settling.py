"""Settling: of what was read, what counts: each sending is accepted, held or refused, and the register is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from submissions.asking import ask, fingerprint_of
from submissions.copies import Known, find_copies, unit_mismatch
from submissions.register import answers
from submissions.register.deadlines import ZONE, Deadlines
from submissions.register.log import Event, Register
from submissions.register.snapshots import export
from submissions.register.states import LOCKED_MESSAGE, YEAR_LOCKED, is_locked, sendings
from submissions.rules import load_rules
from submissions.store import Store

if TYPE_CHECKING:
    from submissions.intake import Claim

KEY_FORMS = ("organisations", "members", "organisation_assessments", "member_assessments", "discipline_register")
"""Forms that no report can be without: where one of them has no row, the file is no report."""


@dataclass(frozen=True)
class Decision:
    """What became of a sending that was read."""

    state: str
    """``accepted``, ``held`` or ``refused``."""
    code: str = ""
    message: str = ""


@dataclass(frozen=True)
class Settled:
    """What was decided in a batch."""

    decisions: dict[str, Decision] = field(default_factory=dict)
    """By source hash, of the sendings decided now."""
    queries: dict[str, int] = field(default_factory=dict)
    """How many questions are asked about a sending, by source hash, of those asked now."""


def settle(
    store: Store,
    register: Register,
    *,
    data: Path,
    units: pd.DataFrame,
    now: datetime,
    again: "Sequence[tuple[Claim, str]]" = (),
    workers: int | None = None,
) -> Settled:
    """Decide on every sending that was read and not decided yet, ask about those that count, and tell the register.

    A batch that is killed is settled by the next one: what is decided depends on what was decided before, and on the
    order of year, unit and number, never on when it was read. `again` are files whose bytes were known already.
    """
    decisions: dict[str, Decision] = {}
    standing = sendings(register)
    while waiting := _next_round(store, standing):
        events = []
        desk = _Desk(store, register, standing, waiting, units, now)
        for row in waiting:
            decisions[row["source_hash"]] = decision = desk.decide(row)
            events += _events(store, row, decision)
        register.append(events)
        standing = sendings(register)
    if duplicates := _duplicates(register, again):
        register.append(duplicates)
        standing = sendings(register)
    asked = ask(store, standing, {name: one.state for name, one in decisions.items()}, workers=workers)
    years = sorted({int(year) for year in standing["year"].dropna()})
    export(register, units, years, store.root, today=now.astimezone(ZONE).date(), deadlines=Deadlines.read(data))
    return Settled(decisions, asked)


def _next_round(store: Store, standing: pd.DataFrame) -> list[dict[str, object]]:
    """The sendings to be decided next, one of each unit: the next of a unit may depend on it."""
    firsts = standing[standing["state"] != "duplicate"].drop_duplicates("source_hash", keep="last")
    known = firsts.set_index("source_hash")["state"]
    decided = set(known.index[~known.isin(["received", "refused"])])
    read = store.submissions_of(sorted(store.received() - decided))
    codes = firsts.set_index("source_hash")["state_reason_code"]
    # A refused file that was read again (a heading was adopted, a list grew) has another answer now.
    same = (read["source_hash"].map(known) == "refused") & (read["source_hash"].map(codes) == read["refusal_code"])
    read = read[~same]
    order = ["year", "source_kind", "unit_code", "sent_no", "prepared_on", "received_at", "source_hash"]
    read = read.sort_values(order, na_position="first", kind="stable")
    # What could not be read depends on nothing.
    place = read["unit_code"].where(read["state"] == "accepted", read["source_hash"]).fillna("")
    return read[~place.duplicated()].astype(object).where(read.notna(), None).to_dict("records")


class _Desk:
    """What a round of decisions is made with: what counts so far, and what the round's own files look like."""

    def __init__(
        self,
        store: Store,
        register: Register,
        standing: pd.DataFrame,
        waiting: Sequence[Mapping],
        units: pd.DataFrame,
        now: datetime,
    ) -> None:
        self._store = store
        self._register = register
        self._in_force = {
            (unit, int(year)): name
            for unit, year, name in standing.loc[
                standing["is_in_force"] & (standing["source_kind"] == "unit"), ["unit_code", "year", "source_hash"]
            ].itertuples(index=False)
        }
        read = [row for row in waiting if row["state"] == "accepted" and row["source_kind"] == "unit"]
        self._round = {(row["unit_code"], row["year"]): place for place, row in enumerate(read)}
        self._units = {*units["unit_code"], *(unit for unit, _ in self._in_force)}
        self._year = now.astimezone(ZONE).year
        # Copies are of this year or the last, or of the unit's own years before.
        years = {year for row in read for year in (row["year"], row["year"] - 1)}
        own = {row["unit_code"] for row in read}
        others = [
            (unit, year, name)
            for (unit, year), name in self._in_force.items()
            if (year in years or unit in own) and (unit, year) not in self._round
        ]
        others += [(row["unit_code"], row["year"], row["source_hash"]) for row in read]
        self._known = Known((unit, year, fingerprint_of(store, name)) for unit, year, name in others)

    def decide(self, row: Mapping[str, object]) -> Decision:
        if row["state"] != "accepted":
            return Decision("refused", row["refusal_code"], row["refusal_message"])
        counts = self._store.counts_of(row["source_hash"]).set_index("form")["rows_in"]
        empty = [form for form in KEY_FORMS if counts.get(form, 1) == 0]
        if empty:
            titles = self._store.counts_of(row["source_hash"]).set_index("form")["form_title"]
            return Decision(
                "held",
                "NO_ROWS",
                f"{', '.join(titles[form] for form in empty)} chỉ có tiêu đề, không có dòng nào. Số liệu đang có "
                "hiệu lực được giữ nguyên; nếu đúng là không có gì để báo cáo, hãy báo Ban Tổ chức xác nhận.",
            )
        if row["source_kind"] != "unit":
            return self._locked(row) or Decision("accepted")
        return (
            self._locked(row)
            or self._ahead(row)
            or self._of_another_unit(row)
            or self._copied(row)
            or self._fewer(row, counts)
            or Decision("accepted")
        )

    def _locked(self, row: Mapping[str, object]) -> Decision | None:
        if not is_locked(self._register, row["year"], row["unit_code"]):
            return None
        return Decision("held", YEAR_LOCKED, LOCKED_MESSAGE.format(year=row["year"]))

    def _of_another_unit(self, row: Mapping[str, object]) -> Decision | None:
        organisations = self._store.form_frame("organisations", row["source_hash"])
        found = unit_mismatch(organisations, row["unit_code"], self._units)
        if found is None:
            return None
        return Decision(
            "held",
            "OTHER_UNIT_FILE",
            f"Trang bìa ghi đơn vị {row['unit_code']} nhưng {_percent(found.share)} mã tổ chức ở Biểu 2 là của đơn vị "
            f"{found.other_unit}: có thể đã gửi nhầm tệp của đơn vị khác. Hãy kiểm tra lại trang bìa và gửi lại.",
        )

    def _copied(self, row: Mapping[str, object]) -> Decision | None:
        place = (row["unit_code"], row["year"])
        for found in find_copies(fingerprint_of(self._store, row["source_hash"]), self._known, *place):
            other = (found.other_unit, found.other_year)
            later = self._round.get(other, -1) > self._round[place]
            if found.kind not in {"last_year", "other_unit"} or (later and other not in self._in_force):
                continue
            if found.kind == "last_year":
                code, whose = "COPY_OF_LAST_YEAR", f"báo cáo năm {found.other_year} của chính đơn vị"
            else:
                code, whose = "COPY_OF_OTHER_UNIT", f"báo cáo năm {found.other_year} của đơn vị {found.other_unit}"
            return Decision(
                "held",
                code,
                f"{_percent(found.share)} số dòng phát sinh trong năm (sinh hoạt, xếp loại, kiểm tra, kỷ luật, "
                f"kết nạp, bồi dưỡng) giống hệt {whose}. Hãy gửi đúng tệp của năm {row['year']}; nếu số liệu đúng "
                "như vậy, hãy báo Ban Tổ chức xác nhận.",
            )
        return None

    def _ahead(self, row: Mapping[str, object]) -> Decision | None:
        if row["year"] <= self._year + 1:
            return None
        return Decision(
            "held",
            "YEAR_AHEAD",
            f"Trang bìa ghi năm {row['year']}, là năm chưa tới. Hãy kiểm tra lại “Kỳ báo cáo”.",
        )

    def _fewer(self, row: Mapping[str, object], counts: pd.Series) -> Decision | None:
        """Far fewer rows than what stands for the year, else than the year before."""
        least = load_rules().threshold("far_fewer_rows")
        for year, whose in ((row["year"], "lần gửi đang có hiệu lực"), (row["year"] - 1, "năm trước")):
            standing = self._in_force.get((row["unit_code"], year))
            if standing is None:
                continue
            then = self._store.counts_of(standing).set_index("form")
            fewer = [
                f"{then.at[form, 'form_title']}: {counts.get(form, 0)} dòng, {whose} {then.at[form, 'rows_in']} dòng"
                for form in KEY_FORMS
                if form in then.index and counts.get(form, 0) < least * then.at[form, "rows_in"]
            ]
            if fewer:
                return Decision(
                    "held",
                    "FAR_FEWER_ROWS",
                    f"{'; '.join(fewer)}. Số liệu đang có hiệu lực được giữ nguyên. Nếu gửi thiếu, hãy bổ sung và "
                    "gửi lại; nếu đúng như vậy (sáp nhập, giải thể), hãy báo Ban Tổ chức xác nhận.",
                )
            return None
        return None


def _events(store: Store, row: Mapping[str, object], decision: Decision) -> Iterator[Event]:
    """What the register is told of a sending: that it came, what became of it, and what was explained in it."""
    name, unit = row["source_hash"], row["unit_code"]
    year = None if row["year"] is None else int(row["year"])
    counts = store.counts_of(name)
    numbers = counts.set_index("form")[["rows_in", "loaded", "held_back"]].astype(int)
    severities = store.issues_of(name)["severity"]
    body = {
        "file_name": row["file_name"],
        "size_bytes": int(row["size_bytes"]),
        "kind": row["source_kind"],
        "form_version": row["form_version"],
        "sent_no": None if row["sent_no"] is None else int(row["sent_no"]),
        "prepared_on": None if row["prepared_on"] is None else row["prepared_on"].isoformat(),
        "claimed_unit": row["claimed_unit"],
        "counts": numbers.to_dict("index"),
        "errors": int((severities == "error").sum()),
    }
    place = (unit or row["claimed_unit"], year, name)
    yield Event("received", f"received:{name}", *place, body, at=row["received_at"])
    told = {"code": decision.code, "message": decision.message} if decision.code else {}
    yield Event(decision.state, f"{decision.state}:{name}:{decision.code}:{row['reading_context']}", *place, told)
    path = store.explanations / f"{name}.parquet"
    if path.exists():
        for given in pd.read_parquet(path).to_dict("records"):
            yield answers.explanation(
                given["unit_code"],
                int(given["year"]),
                name,
                given["issue_id"],
                given["numbers"],
                given["code"],
                given["text"],
            )


def _duplicates(register: Register, again: "Sequence[tuple[Claim, str]]") -> list[Event]:
    """Bytes that came again under another name, or in another unit's inbox; the same file looked at again is none."""
    if not again:
        return []
    received = {record.source_hash: record for record in register.read(["received"])}
    events = []
    for claim, name in again:
        first = received.get(name)
        if first is None or (claim.path.name, claim.unit_code) == (
            first.body["file_name"],
            first.body.get("claimed_unit"),
        ):
            continue
        events.append(
            Event(
                "duplicate",
                f"duplicate:{name}:{claim.unit_code or ''}:{claim.path.name}",
                claim.unit_code or first.unit_code,
                first.year,
                name,
                {"file_name": claim.path.name, "of": name, "claimed_unit": claim.unit_code},
            )
        )
    return events


def _percent(share: float) -> str:
    return f"{share:.0%}"
