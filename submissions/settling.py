"""Settling: of what was read, what counts: each sending is accepted, held or refused, and the register is told."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow.parquet as pq

from submissions.asking import Place, Shelf, ask, forget, listing
from submissions.copies import find_copied_files, unit_mismatch
from submissions.fieldchecks import lost
from submissions.records import read_columns
from submissions.register import answers
from submissions.register.deadlines import ZONE, Deadlines, load_holidays
from submissions.register.identities import canonical_keys, other_keys
from submissions.register.log import Event, Register
from submissions.register.snapshots import export
from submissions.register.states import LOCKED_MESSAGE, YEAR_LOCKED, Locks, order, sendings
from submissions.rules import load_rules
from submissions.store import Store

if TYPE_CHECKING:
    from submissions.intake import Claim

KEY_FORMS = (
    "organisations", "members", "organisation_assessments", "member_assessments", "discipline_register", "field_checks",
)  # fmt: skip
"""Forms that no report can be without: where one of them has no row, the file is no report."""

SHOWN = 10
"""Of a list in a message, how much is named."""


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


def prepare() -> None:
    """Load what settling needs and reading does not; for whoever has to wait anyway."""
    load_rules()
    load_holidays()


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
    standing = sendings(register)
    desk = _Desk(store, register, standing, units, now)
    decisions: dict[str, Decision] = {}
    events: list[Event] = []
    places: list[tuple[str, Place]] = []
    for waiting in _rounds(store, standing):
        for row, decision in desk.decide(waiting):
            decisions[row["source_hash"]] = decision
            events += desk.events(row, decision)
            if row["year"] is not None:
                places.append((row["source_hash"], (row["unit_code"], int(row["year"]))))
    events += _duplicates(register, again, events)
    places += _changed_since(store, standing)
    places += listing(store, standing, _decided_since(store, register))
    forget(store, standing, places)
    if register.append(events):
        standing = sendings(register)
    states = {name: one.state for name, one in decisions.items()}

    def tell() -> None:
        # A check's own store is read by no warehouse.
        if store.base is None:
            tell_warehouse(store, register, data=data, units=units, now=now, standing=standing)

    asked = ask(
        store, standing, states, shelf=desk.shelf, other_keys=other_keys(register), workers=workers, meanwhile=tell
    )
    return Settled(decisions, asked)


def tell_warehouse(
    store: Store, register: Register, *, data: Path, units: pd.DataFrame, now: datetime, standing: pd.DataFrame
) -> None:
    """Write what the register knows as the tables that the warehouse reads; `standing` is its fold."""
    years = sorted({int(year) for year in standing["year"].dropna()})
    today = now.astimezone(ZONE).date()
    export(register, units, years, store.root, today=today, deadlines=Deadlines.read(data))


def _changed_since(store: Store, standing: pd.DataFrame) -> list[tuple[str, Place]]:
    """What came into force since the warehouse was told last (a person confirmed it, a year was unlocked)."""
    snapshot = store.register / "sendings.parquet"
    if store.base is not None or not snapshot.exists():
        return []
    before = pq.read_table(snapshot, columns=["source_hash", "is_in_force"]).to_pandas()
    then = set(before.loc[before["is_in_force"], "source_hash"])
    now = standing[standing["is_in_force"] & (standing["source_kind"] == "unit") & ~standing["source_hash"].isin(then)]
    return [(row.source_hash, (row.unit_code, int(row.year))) for row in now.itertuples()]


def _decided_since(store: Store, register: Register) -> set[str]:
    """Keys of members that became one with others, or ceased to be, since the warehouse was told last."""
    snapshot = store.register / "member_identities.parquet"
    if store.base is not None or not snapshot.exists():
        return set()
    then, now = (
        set(frame[["member_key", "canonical_key"]].itertuples(index=False, name=None))
        for frame in (pq.read_table(snapshot).to_pandas(), canonical_keys(register))
    )
    return {key for pair in then ^ now for key in pair}


def _rounds(store: Store, standing: pd.DataFrame) -> Iterator[list[dict[str, object]]]:
    """The sendings that wait, in rounds of one of each unit: the next of a unit may depend on it."""
    firsts = standing[standing["state"] != "duplicate"].drop_duplicates("source_hash", keep="last")
    known = firsts.set_index("source_hash")["state"]
    decided = set(known.index[~known.isin(["received", "refused"])])
    read = store.submissions_of(sorted(store.received() - decided))
    told = firsts.set_index("source_hash")["state_message"]
    # A refused file that was read again (a heading was adopted, a list grew) may have another answer now.
    same = (read["source_hash"].map(known) == "refused") & (read["source_hash"].map(told) == read["refusal_message"])
    read = read[~same]
    by = ["year", "source_kind", "unit_code", "sent_no", "prepared_on", "received_at", "source_hash"]
    read = read.sort_values(by, na_position="first", kind="stable")
    # What could not be read depends on nothing.
    place = read["unit_code"].where(read["state"] == "accepted", read["source_hash"]).fillna("")
    for _, waiting in read.groupby(place.groupby(place).cumcount()):
        yield waiting.astype(object).where(waiting.notna(), None).to_dict("records")


class _Desk:
    """What decisions are made with: what counts so far, and what the sendings at hand look like."""

    def __init__(
        self, store: Store, register: Register, standing: pd.DataFrame, units: pd.DataFrame, now: datetime
    ) -> None:
        self.shelf = Shelf(store)
        self._store = store
        self._locks = Locks()
        for record in register.read(["locked", "unlocked"]):
            self._locks.take(record)
        counting = standing[standing["is_in_force"] & (standing["source_kind"] == "unit")]
        self._in_force: dict[Place, Mapping[str, object]] = {
            (row["unit_code"], int(row["year"])): row
            for row in counting.astype(object).where(counting.notna(), None).to_dict("records")
        }
        checks = standing[standing["is_in_force"] & standing["draw_id"].notna()]
        self._checked: dict[str, str] = dict(zip(checks["draw_id"], checks["source_hash"], strict=True))
        self._listed = set(units["unit_code"])
        self._told_before = set(standing["source_hash"])
        self._year = now.astimezone(ZONE).year
        # A few thousand numbers; the others are read again where they are needed.
        self._counts = lru_cache(1000)(self._read_counts)

    def decide(self, waiting: Sequence[Mapping[str, object]]) -> Iterator[tuple[Mapping[str, object], Decision]]:
        """Decide a round of sendings of different units; what is accepted counts for the next one."""
        read = [row for row in waiting if row["state"] == "accepted" and row["source_kind"] == "unit"]
        self._units = {*self._listed, *(unit for unit, _ in self._in_force), *(row["unit_code"] for row in read)}
        # Copies are of this year or the last, or of the unit's own years before.
        years = {year for row in read for year in (row["year"], row["year"] - 1)}
        own = {row["unit_code"] for row in read}
        beside = [
            (row["source_hash"], place) for place, row in self._in_force.items() if place[1] in years or place[0] in own
        ]
        self.shelf.among([*beside, *(_sending(row) for row in read)])
        self._beside = self.shelf.among(beside)
        for row in waiting:
            decision = self._decision(row)
            if decision.state == "accepted" and row["source_kind"] == "unit":
                self._accept(row)
            elif decision.state == "accepted" and row["draw_id"] is not None:
                self._checked[row["draw_id"]] = row["source_hash"]
            yield row, decision

    def _accept(self, row: Mapping[str, object]) -> None:
        name, place = _sending(row)
        standing = self._in_force.get(place)
        if standing is None or _order(row) > _order(standing):
            self._in_force[place] = row
            self._beside |= self.shelf.among([(name, place)])
            if standing is not None:
                self._beside &= ~self.shelf.among([(standing["source_hash"], place)])

    def _read_counts(self, name: str) -> dict[str, dict[str, object]]:
        """Of each form its title and its rows."""
        columns = ["form", "form_title", "rows_in", "loaded", "held_back"]
        form, *told = read_columns(self._store.find(self._store.counts, name), columns).values()
        return {one: dict(zip(columns[1:], line, strict=True)) for one, *line in zip(form, *told, strict=True)}

    def _decision(self, row: Mapping[str, object]) -> Decision:
        if row["state"] != "accepted":
            return Decision("refused", row["refusal_code"], row["refusal_message"])
        counts = self._counts(row["source_hash"])
        empty = [form for form in KEY_FORMS if form in counts and counts[form]["rows_in"] == 0]
        if empty:
            return Decision(
                "held",
                "NO_ROWS",
                f"{', '.join(counts[form]['form_title'] for form in empty)} chỉ có tiêu đề, không có dòng nào. "
                "Số liệu đang có hiệu lực được giữ nguyên; nếu đúng là không có gì để báo cáo, hãy báo Ban Tổ chức "
                "xác nhận.",
            )
        if row["draw_id"] is not None:
            return self._lost_results(row) or Decision("accepted")
        if row["source_kind"] != "unit":
            return self._locked(row) or Decision("accepted")
        # The lock comes last: what it holds counts when it is taken off, without being looked at again.
        return (
            self._ahead(row)
            or self._of_another_unit(row)
            or self._copied(row)
            or self._fewer(row)
            or self._locked(row)
            or Decision("accepted")
        )

    def _lost_results(self, row: Mapping[str, object]) -> Decision | None:
        """Results of a draw that stand and would be gone."""
        standing = self._checked.get(row["draw_id"])
        gone = lost(self._store, row["source_hash"], standing) if standing else []
        if not gone:
            return None
        more = f" và {len(gone) - SHOWN} phiếu khác" if len(gone) > SHOWN else ""
        return Decision(
            "held",
            "FEWER_RESULTS",
            f"{len(gone)} phiếu đã có kết quả ở tệp trước nay để trống hoặc không dùng được (phiếu số "
            f"{', '.join(map(str, gone[:SHOWN]))}{more}). Kết quả đang có được giữ nguyên. Nếu nhiều tổ cùng làm một "
            "mẫu, hãy gộp vào một tệp rồi gửi lại; nếu đúng là phải bỏ các kết quả đó, hãy báo Ban Tổ chức xác nhận.",
        )

    def _locked(self, row: Mapping[str, object]) -> Decision | None:
        if not self._locks.hold(row["unit_code"], row["year"]):
            return None
        return Decision("held", YEAR_LOCKED, LOCKED_MESSAGE.format(year=row["year"]))

    def _of_another_unit(self, row: Mapping[str, object]) -> Decision | None:
        path = self._store.find(self._store.form("organisations"), row["source_hash"])
        found = unit_mismatch(read_columns(path, ["org_code"])["org_code"], row["unit_code"], self._units)
        if found is None:
            return None
        return Decision(
            "held",
            "OTHER_UNIT_FILE",
            f"Trang bìa ghi đơn vị {row['unit_code']} nhưng {_percent(found.share)} mã tổ chức ở Biểu 2 là của đơn vị "
            f"{found.other_unit}: có thể đã gửi nhầm tệp của đơn vị khác. Hãy kiểm tra lại trang bìa và gửi lại.",
        )

    def _copied(self, row: Mapping[str, object]) -> Decision | None:
        own = self.shelf.fingerprint(row["source_hash"])
        for found in find_copied_files(own, self.shelf.known, row["unit_code"], row["year"], self._beside):
            if found.kind not in {"last_year", "other_unit"}:
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

    def _fewer(self, row: Mapping[str, object]) -> Decision | None:
        """Far fewer rows than what stands for the year, else than the year before."""
        least = load_rules().threshold("far_fewer_rows")
        counts = self._counts(row["source_hash"])
        for year, whose in ((row["year"], "lần gửi đang có hiệu lực"), (row["year"] - 1, "năm trước")):
            standing = self._in_force.get((row["unit_code"], year))
            if standing is None:
                continue
            fewer = []
            for form in KEY_FORMS:
                then = self._counts(standing["source_hash"]).get(form)
                now = counts[form]["rows_in"] if form in counts else 0
                if then is not None and now < least * then["rows_in"]:
                    fewer.append(f"{then['form_title']}: {now} dòng, {whose} {then['rows_in']} dòng")
            if fewer:
                return Decision(
                    "held",
                    "FAR_FEWER_ROWS",
                    f"{'; '.join(fewer)}. Số liệu đang có hiệu lực được giữ nguyên. Nếu gửi thiếu, hãy bổ sung và "
                    "gửi lại; nếu đúng như vậy (sáp nhập, giải thể), hãy báo Ban Tổ chức xác nhận.",
                )
            return None
        return None

    def events(self, row: Mapping[str, object], decision: Decision) -> Iterator[Event]:
        """What the register is told of a sending: that it came, what became of it, and what was explained in it."""
        name, unit, store = row["source_hash"], row["unit_code"], self._store
        year = None if row["year"] is None else int(row["year"])
        counts = self._counts(name).items()
        severities = read_columns(store.find(store.issues, name), ["severity"])["severity"]
        body = {
            "file_name": row["file_name"],
            "size_bytes": int(row["size_bytes"]),
            "kind": row["source_kind"],
            "form_version": row["form_version"],
            "sent_no": None if row["sent_no"] is None else int(row["sent_no"]),
            "prepared_on": None if row["prepared_on"] is None else row["prepared_on"].isoformat(),
            "claimed_unit": row["claimed_unit"],
            **({"draw_id": row["draw_id"]} if row["draw_id"] is not None else {}),
            "counts": {form: {key: one[key] for key in ("rows_in", "loaded", "held_back")} for form, one in counts},
            "errors": severities.count("error"),
        }
        # Whoever's inbox it lay in is told, whatever the cover says.
        place = (row["claimed_unit"] or unit, year, name)
        yield Event("received", f"received:{name}", *place, body, at=row["received_at"])
        told = {"code": decision.code, "message": decision.message} if decision.code else {}
        if name in self._told_before:
            # A file that is read again (a heading was adopted, a list grew) says more than the first time.
            told = body | told
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


def _sending(row: Mapping[str, object]) -> tuple[str, Place]:
    return row["source_hash"], (row["unit_code"], int(row["year"]))


def _order(row: Mapping[str, object]) -> tuple:
    """As the register ranks sendings; a row of the store has a date where the register has its text."""
    day = row["prepared_on"]
    return order({**row, "prepared_on": day if day is None or isinstance(day, str) else day.isoformat()})


def _duplicates(register: Register, again: "Sequence[tuple[Claim, str]]", now: Sequence[Event]) -> list[Event]:
    """Bytes that came again under another name, or in another unit's inbox; the same file looked at again is none.

    `now` are the events of this batch.
    """
    if not again:
        return []
    received = {one.source_hash: one for one in now if one.kind == "received"}
    received |= {record.source_hash: record for record in register.read(["received"])}
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
