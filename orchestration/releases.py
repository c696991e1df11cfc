"""Which build readers are given: what stops publication, what persons decided, what published figures became.

The register is told first and the file is served after: what a kill leaves undone between, `heal` does.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import duckdb
import pandas as pd

from orchestration import lock, manifests, warehouse
from orchestration.comparison import Comparison, compare
from orchestration.manifests import Manifest, manifest_of
from orchestration.problems import ProblemError
from orchestration.registers import open_register
from orchestration.settings import Folders
from orchestration.warehouse import NotBuiltError, Workshop, published_build
from submissions.register.log import Anchor, Event, Recorded, Register

AUTOMATIC = "tự động, sau khi mọi kiểm tra bắt buộc đều đạt"
"""Who publishes where nobody has to decide."""

MENDED = "tự động, trả về như đã công bố"
"""Who puts back what was published."""

BEHIND = "tệp kho đang phục vụ đã bị sửa ngoài quy trình"
"""Why something else was served than what was published."""

RELEASES = ("published", "rolled_back")
"""Events after which another build is served."""

USAGE = 2
"""Exit code of a command that asks for what cannot be."""

SHOWN = 5
"""Of tables that were changed, how many are named."""

SHORTEST = 4
"""Characters of an id that may stand for it."""


class NotPublishedError(ProblemError):
    """A finished build is kept, and not published before somebody decides; the message says why."""


@dataclass(frozen=True)
class Release:
    """A build that is now served."""

    build: Path
    manifest: Manifest
    comparison: Comparison | None
    """With what was served before; None for the first one."""
    restated: int
    """Published figures that changed."""

    @property
    def told(self) -> dict[str, str | int | float]:
        """What the asset `published` shows."""
        differing = self.comparison.tables if self.comparison else ()
        return {
            "Bản dựng": self.manifest.build_id,
            "Dung lượng (MB)": round(self.build.stat().st_size / 1e6, 1),
            "Dấu nội dung": self.manifest.content,
            "Số bảng": len(self.manifest.tables),
            "Bảng khác bản trước": len(differing),
            "Dòng khác bản trước": sum(table.rows for table in differing),
            "Số liệu đã công bố bị đổi": self.restated,
        }


# --- after a run -------------------------------------------------------------------------------------------------


def conclude(workshop: Workshop) -> Release:
    """Keep the warehouse that a run has built and publish it, unless a person has to decide first.

    Raises `NotPublishedError` where something changed that no sending and no decision explains, or where a build was
    pinned by rolling back. What is served already and is made again, because its file was no longer as it was when it
    was built, takes its place again.
    """
    folders, manifest = workshop.folders, workshop.manifest
    database = workshop.unfinished()
    manifest = manifest.with_tables(warehouse.finish(database))
    with open_register(folders) as register:
        events = register.read()
        heal(folders, events)
        last = last_release(events)
        if last and (last.body["build"], last.body.get("content")) == (manifest.build_id, manifest.content):
            return _put_back(workshop, manifest, last, register)
        pinned = pin(events)
        base = _served(folders)
        found = _compare_with(base, database, manifest, folders, events) if base else None
        reasons = found.reasons() if found else []
        if pinned:
            reasons.insert(0, f"kho đang ghim ở bản {pinned.body['build']}")
        if found:
            found.write(folders.builds)
        state = "pending" if reasons else "made"
        manifest = replace(manifest, state=state, note="; ".join(reasons))
        manifest.write(folders.builds)
        build = warehouse.keep(database, folders)
        workshop.database = None
        workshop.clear()
        if reasons:
            raise NotPublishedError(f"Không công bố bản dựng {manifest.build_id}: {manifest.note}. {_advice(manifest)}")
        restated = _release("published", manifest, found, register, folders, by=AUTOMATIC)
    return Release(build, manifest, found, restated)


def _put_back(workshop: Workshop, manifest: Manifest, last: Recorded, register: Register) -> Release:
    """Serve a build that was made again in the place of what its file had become."""
    folders = workshop.folders
    found = _against_what_was_served(folders, workshop.database, manifest)
    manifest = replace(manifest, state="published")
    manifest.write(folders.builds)
    build = warehouse.keep(workshop.database, folders)
    workshop.database = None
    workshop.clear()
    warehouse.serve(build, folders)
    return Release(build, manifest, found, _enter_as_mended(last, found, register, "bản dựng được làm lại từ đầu"))


def _against_what_was_served(folders: Folders, build: Path, manifest: Manifest) -> Comparison | None:
    """What readers had against what they are to have; None where they had nothing that can be read."""
    try:
        return compare(folders.published, build, (manifest, manifest), doubts=[BEHIND])
    except duckdb.Error:
        return None


def _enter_as_mended(last: Recorded, found: Comparison | None, register: Register, done: str) -> int:
    """Enter that the last release holds again, and each published figure that readers had wrong; returns how many."""
    body = last.body | {"by": MENDED, "reason": f"{BEHIND}; {done}"}
    release = uuid4().hex
    figures = list(_restatements(found, last.kind, MENDED, "", cause=f"{BEHIND}; {done}")) if found else []
    register.append([Event(last.kind, f"{last.kind}:{release}", body=body), *_as_events(figures, release)])
    return len(figures)


def _as_events(restated: Iterable[tuple[str | None, int | None, dict[str, object]]], release: str) -> list[Event]:
    return [
        Event("restated", f"restated:{release}:{number}", unit_code, year, body=body)
        for number, (unit_code, year, body) in enumerate(restated, start=1)
    ]


def _advice(manifest: Manifest) -> str:
    short = manifest.build_id[:8]
    return (
        f"Kho đang phục vụ được giữ nguyên. Xem: thucchat diff; "
        f"chấp nhận: thucchat publish {short} --by CƠ_QUAN --reason LÝ_DO"
    )


def _served(folders: Folders) -> Path | None:
    """The file of the published build, None where nothing is published."""
    if not folders.published.exists():
        return None
    try:
        return folders.builds / f"{published_build(folders)}.duckdb"
    except NotBuiltError:
        return folders.published


def _compare_with(
    base: Path,
    database: Path,
    manifest: Manifest,
    folders: Folders,
    events: Sequence[Recorded],
    only: str | None = None,
) -> Comparison:
    former = manifests.readable(base.stem, folders)
    doubts = damage(base.stem, folders, events) if base.parent == folders.builds else []
    return compare(base, database, (former, manifest), events, only=only, doubts=doubts)


def damage(build_id: str, folders: Folders, events: Iterable[Recorded] = ()) -> list[str]:
    """What of a kept build is no longer as it was when it was built, in words; nothing where all is.

    The tables are compared with the manifest, the manifest with its own id and with what the register (`events`) holds
    of the build's content; so whoever wants to change a figure unseen has to write the register anew.
    """
    build = folders.builds / f"{build_id}.duckdb"
    try:
        manifest = manifest_of(build_id, folders)
    except ProblemError as error:
        return [f"{str(error).rstrip('.')}; dựng lại: thucchat build"]
    if manifest is None:
        return [f"hồ sơ dựng {build_id}.json không còn; dựng lại: thucchat build"]
    told = [event.body["content"] for event in events if _is_of(event, build_id) and "content" in event.body]
    if told and told[-1] != manifest.content:
        return [f"hồ sơ dựng {build_id}.json không khớp với sổ đăng ký: đã bị sửa; dựng lại: thucchat build"]
    if build.exists() and (tables := warehouse.altered(build, manifest)):
        more = f" và {len(tables) - SHOWN} bảng khác" if len(tables) > SHOWN else ""
        is_served = folders.published.exists() and build.samefile(folders.published)
        return [
            f"nội dung tệp kho {build.name} không còn như khi dựng ({', '.join(tables[:SHOWN])}{more}); "
            f"dựng lại: thucchat build{'' if is_served else f' --from {build_id[:8]}'}"
        ]
    return []


def _is_of(event: Recorded, build_id: str) -> bool:
    return event.kind in RELEASES and event.body["build"] == build_id


def _release(
    kind: str,
    manifest: Manifest,
    found: Comparison | None,
    register: Register,
    folders: Folders,
    *,
    by: str,
    reason: str = "",
) -> int:
    """Tell the register, in one transaction, then serve the build; returns how many published figures changed."""
    if reason:
        by, reason = by.strip(), reason.strip()
    release = uuid4().hex
    base = found.before if found else None
    about = {"build": manifest.build_id, "base": base, "by": by, "reason": reason}
    diff = {"diff": found.digest, "unexplained": found.unexplained} if found else {}
    restated = _as_events(_restatements(found, kind, by, reason), release) if found else []
    events = [Event(kind, f"{kind}:{release}", body=about | diff | {"content": manifest.content})]
    if found and found.unexplained and kind == "published":
        events.insert(0, Event("changes_accepted", f"changes_accepted:{release}", body=about | diff))
    register.append([*events, *restated])
    if kind == "published":
        replace(manifest, state="published", note="").write(folders.builds)
    warehouse.serve(folders.builds / f"{manifest.build_id}.duckdb", folders)
    return len(restated)


def _restatements(
    found: Comparison, kind: str, by: str, reason: str, *, cause: str = ""
) -> Iterator[tuple[str | None, int | None, dict[str, object]]]:
    """Published figures of units and the province that changed: unit, year, and what the register is told."""
    undone = f"khôi phục bản dựng {found.after}: {reason}" if kind == "rolled_back" else ""
    accepted = f"được chấp nhận: {reason}" if reason else ""
    for row in found.figures.astype(object).itertuples(index=False):
        explained = row.cause if not pd.isna(row.cause_kind) else " · ".join(filter(None, [accepted, row.cause]))
        yield (
            None if pd.isna(row.unit_code) else row.unit_code,
            None if pd.isna(row.year) else int(row.year),
            {
                "table": row.table,
                "figure": row.figure,
                "column": row.column,
                "from": None if pd.isna(row.before) else row.before,
                "to": None if pd.isna(row.after) else row.after,
                "cause": cause or undone or explained,
                "build": found.after,
                "base": found.before,
                "by": by,
            },
        )


# --- the register's last word ------------------------------------------------------------------------------------


def last_release(events: Iterable[Recorded]) -> Recorded | None:
    """The last event after which another build was to be served."""
    return next((event for event in reversed(list(events)) if event.kind in RELEASES), None)


def pin(events: Iterable[Recorded]) -> Recorded | None:
    """The rolling back that holds readers to a build until somebody publishes another."""
    last = last_release(events)
    return last if last and last.kind == "rolled_back" else None


def heal(folders: Folders, events: Iterable[Recorded]) -> None:
    """Serve what the register says is served, where a kill came between the two; for the holder of the lock.

    Where the file of the build was taken away and readers have it still, it gets its name again.
    """
    last = last_release(events)
    if last is None:
        return
    build = folders.builds / f"{last.body['build']}.duckdb"
    if not build.exists() and _served(folders) == folders.published:
        manifest = manifests.readable(build.stem, folders)
        if manifest and not warehouse.altered(folders.published, manifest):
            os.link(folders.published, build)
    if not build.exists():
        return
    if (served := _served(folders)) == build:
        warehouse.lay_out_packs(folders, build.stem)
        return
    if served is not None and served.stem not in {last.body["base"], folders.published.stem}:
        return  # another register, or an older copy of it: what is served is not what that release replaced
    warehouse.serve(build, folders)
    if last.kind == "published" and (manifest := manifests.readable(build.stem, folders)):
        replace(manifest, state="published", note="").write(folders.builds)


def served_id(folders: Folders) -> str | None:
    """Id of the build that is served, None where nothing or nothing known is."""
    served = _served(folders)
    return served.stem if served and served != folders.published else None


# --- nothing new -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """Where the inputs as they are now stand: whether there is anything to build."""

    build_id: str
    message: str
    is_published: bool


def nothing_to_build(folders: Folders, *, tell: Callable[[str], None] | None = None) -> Standing | None:
    """What there is to say where the store, as it stands, needs no build; None where it does. For the lock's holder.

    What readers have is compared with what was published. Where it was changed behind the gate's back, `tell` hears of
    it and the build is served as it was, made again from its manifest if need be; without `tell` the answer is None.
    """
    if not folders.published.exists() and not any(folders.builds.glob("*.duckdb")):
        return None
    with open_register(folders) as register:
        events = register.read(RELEASES)
        wrong = wrong_with_what_is_served(folders, events)
        if wrong and tell is None:
            return None
        is_mended = bool(wrong) and _mend(folders, events, register, tell, wrong[0])
        heal(folders, events)
    now = warehouse.build_id(folders)
    try:
        served = published_build(folders)
    except NotBuiltError:
        return None
    if now == served:
        if wrong and not is_mended:
            return None
        return Standing(now, f"Không có gì mới so với bản đang công bố {now}: không dựng lại, không công bố.", True)
    manifest = manifests.readable(now, folders)
    if manifest is None or not (folders.builds / f"{now}.duckdb").exists() or damage(now, folders, events):
        return None
    if pin(events):
        told = f"Không có gì mới. Kho đang ghim ở bản {served}; để công bố bản {now}: thucchat publish {now[:8]}"
        return Standing(now, f"{told} --by CƠ_QUAN --reason LÝ_DO", True)
    if manifest.state == "pending":
        return Standing(
            now, f"Không có gì mới. Bản dựng {now} đã dựng, chưa công bố: {manifest.note}. {_advice(manifest)}", False
        )
    return None


def what_is_wrong(folders: Folders) -> list[str]:
    """As `wrong_with_what_is_served`, by the register in use."""
    with open_register(folders) as register:
        return wrong_with_what_is_served(folders, register.read(RELEASES))


def wrong_with_what_is_served(folders: Folders, events: Sequence[Recorded]) -> list[str]:
    """Why readers have something else than what was published last, in words; nothing where all is as it was built."""
    last = last_release(events)
    if last is None or not folders.published.exists():
        return []
    served = _served(folders)
    if served == folders.published:
        manifest = manifests.readable(last.body["build"], folders)
        if manifest is None or warehouse.altered(served, manifest):
            return [f"{served.name} không phải là bản {last.body['build']} như đã công bố"]
        return []
    return damage(served.stem, folders, events)


def _mend(
    folders: Folders, events: Sequence[Recorded], register: Register, tell: Callable[[str], None], wrong: str
) -> bool:
    """Serve the build that was published last as it was built; returns whether that could be done."""
    from orchestration import rebuilding

    tell(wrong)
    last = last_release(events)
    build = folders.builds / f"{last.body['build']}.duckdb"
    done = "đã phục vụ lại bản còn nguyên"
    if not build.exists() or damage(build.stem, folders, events):
        try:
            rebuilding.again_alone(folders, build.stem)
        except ProblemError as error:
            tell(str(error))
            return False
        done = "đã dựng lại từ hồ sơ"
    found = _against_what_was_served(folders, build, manifest_of(build.stem, folders))
    warehouse.serve(build, folders)
    restated = _enter_as_mended(last, found, register, done)
    tell(f"Bản đang phục vụ {build.stem}: {done}; {restated} số liệu trở về như đã công bố.")
    return True


def quiet(folders: Folders, *, on_wait: Callable[[lock.Holder], None] | None = None) -> Standing | None:
    """As `nothing_to_build`, with a look at the inbox first: None where a run has something to do."""
    from orchestration import automation, backlog, sources
    from orchestration.dead_letters import DeadLetters
    from orchestration.taking_in import take_in_alone
    from submissions.store import Store

    if not folders.published.exists() or sources.configured() is not None:
        return None
    with lock.hold(folders.lock, "xem có gì mới", on_wait=on_wait):
        if manifests.readable(warehouse.build_id(folders), folders) is None:
            return None  # these inputs were never built
        store, marks, letters = Store(folders.store), backlog.Marks(folders.marks), DeadLetters(folders.dead_letters)
        contract = automation.contract(folders)
        known, again, dead = backlog.known_to(store), backlog.again(store, contract), letters.ids(contract)
        for root in backlog.roots(folders):
            seen = backlog.survey(root, marks, at=time.time(), patience_seconds=1.0)
            waiting, later = backlog.sendings(seen, marks, known, again=again)
            if later or seen.restless or seen.found.unfinished or any(letters.is_new(odd) for odd in seen.found.odd):
                return None
            if any(sending.content[:32] not in dead for sending in waiting):
                return None
        # What a killed run left is settled, and the warehouse is told what became due.
        if take_in_alone([], folders).report.files:
            return None
        return nothing_to_build(folders)


# --- what persons decide -----------------------------------------------------------------------------------------


def full_id(begin: str, folders: Folders) -> str:
    """The id of the one build that begins so; raises `ProblemError` for none or several."""
    found = sorted({path.stem for path in (*folders.builds.glob("*.json"), *folders.builds.glob("*.duckdb"))})
    found = [name for name in found if name.startswith(begin.lower())]
    if len(found) != 1 or len(begin) < SHORTEST:
        raise ProblemError(
            f"Có {len(found)} bản dựng có mã bắt đầu bằng “{begin}”; cần ít nhất {SHORTEST} ký tự, chỉ đúng một bản. "
            "Xem: thucchat builds",
            USAGE,
        )
    return found[0]


def file_of(build_id: str, folders: Folders) -> Path:
    """The file of a build; raises `ProblemError` where it was removed, saying how to make it again."""
    path = folders.builds / f"{build_id}.duckdb"
    if not path.exists():
        raise ProblemError(
            f"Tệp của bản dựng {build_id} không còn (chỉ giữ {warehouse.KEPT_BUILDS} bản gần nhất). "
            f"Dựng lại: thucchat build --from {build_id[:8]}"
        )
    return path


def difference(before: str, after: str, folders: Folders, *, only: str | None = None) -> Comparison:
    """How build `after` differs from `before`; both by their ids."""
    paths = [file_of(one, folders) for one in (before, after)]
    with open_register(folders) as register:
        events = register.read()
    doubts = [told for one in (before, after) for told in damage(one, folders, events)]
    both = tuple(manifests.readable(one, folders) for one in (before, after))
    return compare(*paths, both, events, only=only, doubts=doubts)


def pending(folders: Folders) -> str | None:
    """Id of the last build that waits to be accepted."""
    waiting = [one.build_id for one in manifests.manifests(folders) if one.state == "pending"]
    return waiting[-1] if waiting else None


@contextmanager
def _deciding(folders: Folders, purpose: str) -> Iterator[tuple[Register, list[Recorded]]]:
    with lock.hold(folders.lock, purpose), open_register(folders) as register:
        events = register.read()
        heal(folders, events)
        yield register, events


def publish(build_id: str | None, folders: Folders, *, by: str, reason: str) -> Release:
    """Publish a build that is kept: what no sending explains is accepted with it, and a pin is taken away."""
    _signed(by, reason)
    with _deciding(folders, "công bố kho") as (register, events):
        pinned = pin(events)
        wanted = build_id or pending(folders) or (pinned and pinned.body["base"])
        if wanted is None:
            raise ProblemError("Không có bản dựng nào chờ chấp nhận. Xem: thucchat builds")
        return _give(wanted, "published", folders, register, events, by=by, reason=reason)


def rollback(build_id: str | None, folders: Folders, *, by: str, reason: str) -> Release:
    """Serve an earlier published build again, and hold readers to it until somebody publishes another."""
    _signed(by, reason)
    with _deciding(folders, "khôi phục bản dựng cũ") as (register, events):
        wanted = build_id or _before_the_last(events, folders)
        released = {event.body["build"] for event in events if event.kind in RELEASES}
        if wanted not in released:
            raise ProblemError(
                f"Bản dựng {wanted} chưa từng được công bố nên không khôi phục được. Dùng: thucchat publish", USAGE
            )
        return _give(wanted, "rolled_back", folders, register, events, by=by, reason=reason)


def _before_the_last(events: Sequence[Recorded], folders: Folders) -> str:
    """The build that was served before the one that is."""
    served = published_build(folders)
    earlier = [event.body["build"] for event in events if event.kind in RELEASES and event.body["build"] != served]
    if not earlier:
        raise ProblemError("Chưa có bản nào được công bố trước bản đang phục vụ. Xem: thucchat builds")
    return earlier[-1]


def _signed(by: str, reason: str) -> None:
    if not by.strip() or not reason.strip():
        raise ProblemError("Phải ghi rõ cơ quan (người) quyết định (--by) và lý do (--reason).", USAGE)


def _give(
    wanted: str,
    kind: str,
    folders: Folders,
    register: Register,
    events: Sequence[Recorded],
    *,
    by: str,
    reason: str,
) -> Release:
    build, manifest = file_of(wanted, folders), manifest_of(wanted, folders)
    if manifest is None:
        raise ProblemError(f"Bản dựng {wanted} không có hồ sơ dựng nên không công bố được. Hãy chạy: thucchat build")
    if manifest.as_known:
        raise ProblemError(
            f"Bản dựng {wanted} là số liệu đã biết đến ngày {manifest.as_known}, chỉ để xem, không công bố được."
        )
    if manifest.state == "made":
        raise ProblemError(f"Bản dựng {wanted} chưa qua cổng công bố. Hãy chạy: thucchat build")
    if wrong := damage(wanted, folders, events):
        raise ProblemError(f"Không công bố: {wrong[0]}.")
    base = _served(folders)
    if base == build and not (kind == "published" and pin(events)):
        raise ProblemError(f"Bản dựng {wanted} đang được công bố.")
    found = _compare_with(base, build, manifest, folders, events) if base and base != build else None
    if found:
        found.write(folders.builds)
    restated = _release(kind, manifest, found, register, folders, by=by, reason=reason)
    return Release(build, manifest, found, restated)


# --- what is told ------------------------------------------------------------------------------------------------

RESTATED = ("table", "figure", "column", "from", "to", "cause", "by", "base", "build")
"""What the register holds of a published figure that changed."""


def restatements(folders: Folders, *, unit: str | None = None, year: int | None = None) -> pd.DataFrame:
    """Published figures that changed, in the order in which they did: when, unit, year, and `RESTATED`."""
    with open_register(folders, make=False) as register:
        events = register.read(["restated"], unit, year)
    rows = [
        (pd.Timestamp(event.at), event.unit_code, event.year, *(event.body[name] for name in RESTATED))
        for event in events
    ]
    return pd.DataFrame(rows, columns=["at", "unit_code", "year", *RESTATED]).astype({"year": "Int64"})


LISTED = ("build", "made_at", "state", "sendings", "rows", "published_at", "is_there", "note")


def listed(folders: Folders) -> pd.DataFrame:
    """Every build that was kept, the oldest first.

    Columns: build, made_at, state, sendings that count, rows, published_at, is_there (its file), note, and wrong: what
    is no longer as it was when it was built (None where all is).
    """
    names = {path.stem for pattern in (manifests.MANIFESTS, "*.duckdb") for path in folders.builds.glob(pattern)}
    events: list[Recorded] = []
    if names:
        with open_register(folders) as register:
            events = register.read(RELEASES)
    try:
        served = published_build(folders)
    except NotBuiltError:
        served = None
    released = {event.body["build"]: event.at for event in events}
    rows = []
    for name in names:
        one = manifests.readable(name, folders)
        rows.append(
            {
                "build": name,
                "made_at": pd.Timestamp(one.made_at) if one else pd.NaT,
                "state": _state(name, one, served, pin(events)),
                "sendings": sum(bool(sending.get("is_in_force")) for sending in one.sendings.values()) if one else None,
                "rows": sum(table["rows"] for table in one.tables.values()) if one else None,
                "published_at": pd.Timestamp(released[name]) if name in released else pd.NaT,
                "is_there": (folders.builds / f"{name}.duckdb").exists(),
                "note": (f"đến ngày {one.as_known}" if one.as_known else one.note) if one else "",
                "wrong": next(iter(damage(name, folders, events)), None),
            }
        )
    found = pd.DataFrame(rows, columns=[*LISTED, "wrong"]).astype({"sendings": "Int64", "rows": "Int64"})
    return found.sort_values(["made_at", "build"], na_position="first", ignore_index=True)


def _state(name: str, manifest: Manifest | None, served: str | None, pinned: Recorded | None) -> str:
    if name == served:
        return "đang phục vụ, đã ghim" if pinned else "đang phục vụ"
    if manifest is None:
        return "không có hồ sơ dùng được"
    if manifest.as_known:
        return manifests.STATES["as_known"]
    return manifests.STATES[manifest.state]


def fault_of_register(folders: Folders) -> str | None:
    """Why the register is not the one that the builds were made with, None where it is.

    The chain of hashes is gone through up to the last event that a build knew: each manifest keeps its hash.
    """
    told = [one.register for one in manifests.manifests(folders) if one.register["count"]]
    if not told:
        return None
    last = max(told, key=lambda register: register["count"])
    with open_register(folders) as register:
        return register.verify(Anchor(int(last["count"]), last["hash"])).fault
