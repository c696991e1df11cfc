"""What decides when a run starts: sendings that have settled in the inbox, the day a pack is due."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import dagster as dg

from orchestration import backlog, sources
from orchestration.backlog import LOOK_BYTES, Marks
from orchestration.dead_letters import DeadLetters
from orchestration.instance import fail_lost_runs
from orchestration.settings import Folders, settings
from submissions.form_set import form_sets_of
from submissions.lists import read_lists
from submissions.store import Store, reading_context
from submissions.units import ListError

PAUSES = (60.0, 600.0, 3600.0, 6 * 3600.0)
"""Seconds before a run is asked for again because of the same file; the last holds from then on. The file itself is
tried a bounded number of times (`backlog.ATTEMPTS`); a run that fails before it reads (a list that cannot be used, a
full disk) must not be asked for every few seconds, and must not be forgotten either."""

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Look:
    """What one look at the inbox found."""

    wanted: tuple[str, ...] = ()
    """Contents to be read now, each with the contract and the number of the asking."""
    waiting: int = 0
    """Sendings that still change, are open for writing or have names of unfinished files."""

    @property
    def run_key(self) -> str:
        """The same for the same contents, contract and attempt, so that overlapping looks ask once."""
        return hashlib.sha256("\n".join(self.wanted).encode()).hexdigest()


def contract(folders: Folders) -> str:
    """What a reading rests on beside the file: form sets and the list of units. Raises `ListError` for a bad list."""
    return reading_context(form_sets_of(folders.data), read_lists(folders.data).units)


def look(folders: Folders, marks: Marks, *, context: str, at: float, busy: bool) -> Look:
    """Look at the inbox: what is settled and has not been through intake is wanted.

    While a run is under way nothing is asked for: it may be reading the very file.
    """
    letters = DeadLetters(folders.dead_letters)
    known = cache(lambda: backlog.known_to(Store(folders.store)))
    asks = marks.asks(context)
    dead = letters.ids(context)
    wanted: dict[str, str] = {}
    waiting = 0
    for root in backlog.roots(folders):
        seen = backlog.survey(root, marks, at=at)
        waiting += len(seen.restless) + seen.found.unfinished
        if busy:
            continue
        found, later = backlog.sendings(
            seen, marks, lambda content, unit_code: known()(content, unit_code), limit_bytes=LOOK_BYTES
        )
        waiting += len(later)
        contents = {sending.content for sending in found if sending.content[:32] not in dead}
        contents |= {f"{odd.code}:{backlog.key(odd.name)}" for odd in seen.found.odd if letters.is_new(odd)}
        for content in contents:
            asked, asked_at = asks.get(content, (0, 0.0))
            if not asked or at - asked_at >= PAUSES[min(asked, len(PAUSES)) - 1]:
                wanted[content] = f"{content}:{context}:{asked + 1}"
    marks.ask(wanted, context, at)
    return Look(tuple(sorted(wanted.values())), waiting)


def watch_inbox(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """One tick of the inbox sensor. Its cursor is only told to people: nothing is decided by it."""
    folders = settings().folders
    lost = fail_lost_runs(context.instance, folders)
    if lost:
        context.log.warning(f"Đã đánh dấu hỏng {len(lost)} lần chạy bị ngắt giữa chừng.")
    busy = bool(context.instance.get_runs(dg.RunsFilter(statuses=UNFINISHED), limit=1))
    try:
        reading = contract(folders)
    except ListError as error:
        return dg.SensorResult(skip_reason=f"Danh sách đơn vị không dùng được nên chưa đọc tệp nào: {error}")
    now = time.time()
    found = look(folders, Marks(folders.marks), context=reading, at=now, busy=busy)
    cursor = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if not found.wanted:
        reason = f"Không có tệp mới; {found.waiting} tệp còn đang thay đổi hoặc chưa đủ lâu."
        return dg.SensorResult(skip_reason=reason, cursor=cursor)
    request = dg.RunRequest(run_key=found.run_key, tags={"thucchat/new_files": str(len(found.wanted))})
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def watch_source(
    context: dg.SensorEvaluationContext, configured: Callable[[], "sources.Settings | None"] = sources.configured
) -> dg.SkipReason:
    """One tick of the source sensor: fetch what has settled there; the inbox sensor does the rest."""
    source = configured()
    if source is None:
        return dg.SkipReason("Không có nguồn thứ hai (THUCCHAT_SOURCE).")
    folders = settings().folders
    fetched = sources.fetch(source, folders, Marks(folders.marks), seconds=sources.TICK_SECONDS)
    if fetched.problem and fetched.is_news:
        context.log.warning(fetched.problem)
    return dg.SkipReason(str(fetched))
