"""What decides when a run starts: new workbooks that have settled in the inbox, the day a pack is due."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import dagster as dg

from orchestration.inbox import Stamp, settled, stamps
from orchestration.instance import fail_lost_runs
from orchestration.settings import settings
from submissions.store import Store

ATTEMPTS = 3
"""How often a run is asked for because of the same file; after that it waits for a person."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Watch:
    """What the sensor remembers: the stamps of its last look, and how often each content was asked for.

    Losing it loses nothing: whether a file was read is for the store to say. Names of files are kept as hashes,
    because a unit may write a person's name into them.
    """

    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    asked: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, cursor: str | None) -> "Watch":
        """From the sensor's cursor."""
        if not cursor:
            return cls()
        kept = json.loads(cursor)
        return cls({name: tuple(stamp) for name, stamp in kept["stamps"].items()}, kept["asked"])

    def written(self) -> str:
        """As the sensor's cursor."""
        return json.dumps(asdict(self), ensure_ascii=False)


@dataclass(frozen=True)
class Look:
    """What one look at the inbox found, and what to remember of it."""

    watch: Watch
    wanted: tuple[str, ...] = ()
    """Hashes of contents to be read now."""
    waiting: int = 0
    """Files that still change."""

    @property
    def run_key(self) -> str:
        """The same for the same contents and attempt, so that overlapping looks ask once."""
        attempts = [f"{content}:{self.watch.asked[content]}" for content in self.wanted]
        return hashlib.sha256("\n".join(attempts).encode()).hexdigest()


def look(inbox: Path, store: Store, watch: Watch, *, at: float, busy: bool) -> Look:
    """Look at the inbox: files unchanged since the last look, old enough and unknown to the store are wanted.

    While a run is under way nothing is asked for again: it may be reading the very file.
    """
    now = stamps(inbox)
    before = {name: watch.stamps[key] for name in now if (key := _key(name)) in watch.stamps}
    ready = settled(now, before, at=at)
    unknown = {}
    for name in ready:
        content = _hash(inbox / name)
        if content is not None and store.submission(content) is None:
            unknown[content] = watch.asked.get(content, 0)
    wanted = [] if busy else sorted(content for content, asked in unknown.items() if asked < ATTEMPTS)
    asked = unknown | {content: unknown[content] + 1 for content in wanted}
    return Look(Watch({_key(name): stamp for name, stamp in now.items()}, asked), tuple(wanted), len(now) - len(ready))


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _hash(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def watch_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """One tick of the inbox sensor."""
    folders = settings().folders
    lost = fail_lost_runs(context.instance, folders)
    if lost:
        context.log.warning(f"Đã đánh dấu hỏng {len(lost)} lần chạy bị ngắt giữa chừng.")
    busy = bool(context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1))
    found = look(folders.inbox, Store(folders.store), Watch.read(context.cursor), at=time.time(), busy=busy)
    cursor = found.watch.written()
    if not found.wanted:
        reason = f"Không có tệp mới; {found.waiting} tệp còn đang thay đổi hoặc chưa đủ lâu."
        return dg.SensorResult(skip_reason=reason, cursor=cursor)
    request = dg.RunRequest(run_key=found.run_key, tags={"thucchat/new_files": str(len(found.wanted))})
    return dg.SensorResult(run_requests=[request], cursor=cursor)
