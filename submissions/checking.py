"""Checking before sending: intake itself, on a store and a register of its own beside the province's."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from submissions import lists
from submissions.files.codes import refused
from submissions.intake import find_files, take_in
from submissions.reading import untaken
from submissions.store import Store

if TYPE_CHECKING:
    from submissions.register.log import Register
    from submissions.replies import Reply


def check(
    paths: Sequence[Path],
    *,
    data: Path | None = None,
    register: str | Path | None = None,
    copies: Path | None = None,
    now: datetime | None = None,
) -> "list[tuple[Reply, list[Path]]]":
    """What intake would reply to each of `paths` (to each sending in a folder), with the marked copies written.

    Nothing is sent and nothing of `data` is changed. The files are also held against each other, and against what the
    province's store in `data` holds of last year and of other units. Marked copies are written into the folder `copies`
    (``Path()``: beside each file) where there is anything to say. Raises `ListError` and `RegisterError` as `take_in`.
    """
    now = now or datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="thucchat-check-") as folder, ExitStack() as stack:
        scratch = Path(folder)
        base = _borrow(data, scratch)
        place = register or (data / "register.sqlite" if data else None)
        opened = cache(lambda: _borrow_register(place, scratch, stack))
        store = Store(scratch / "store", base)
        report = take_in(paths, data=scratch, store=store, register=opened, now=now)
        log = opened()
        from submissions.register.deadlines import ZONE, Deadlines
        from submissions.register.states import sendings
        from submissions.replies import reply_to, untold, write_reply

        standing = sendings(log)
        standing = standing[standing["state"] != "duplicate"].drop_duplicates("source_hash", keep="last")
        rows = {row["source_hash"]: row for row in standing.to_dict("records")}
        due = Deadlines.read(scratch).binding(log)
        # A folder without any sending is told so.
        no_folder = refused("NOT_A_REGULAR_FILE", what="thư mục không có báo cáo nào")
        replies = [
            (untold(untaken(path, no_folder)), []) for path in paths if path.is_dir() and not find_files([path])[0]
        ]
        for file in report.files:
            if file.state == "failed" or file.source_hash not in rows:
                replies.append((untold(file), []))
                continue
            reply = reply_to(store, log, rows[file.source_hash], now.astimezone(ZONE).date(), due)
            # Bytes that the store knows may lie here under another name.
            reply = replace(reply, about=replace(reply.about, file_name=file.path.name))
            written = []
            if copies is not None and reply.state != "clean":
                written = write_reply(store, reply, file.path.parent if copies == Path() else copies)
            replies.append((reply, written))
        return replies


def _borrow_register(place: str | Path | None, scratch: Path, stack: ExitStack) -> "Register":
    """A register of this check's own that knows what the province's does, if there is one; and what a reply needs.

    It is called while the files are read.
    """
    from submissions import replies  # noqa: F401 - loaded where somebody has to wait anyway
    from submissions.register.log import Event, Register

    log = stack.enter_context(Register.scratch(scratch / "register.sqlite"))
    if place is not None and (isinstance(place, str) or place.exists()):
        with Register.open(place) as real:
            log.append(
                Event(past.kind, past.key, past.unit_code, past.year, past.source_hash, past.body, past.at)
                for past in real.read()
            )
    return log


def _borrow(data: Path | None, scratch: Path) -> Store:
    """Lay the province's lists, form sets and key into the scratch folder; returns its store, or an empty one."""
    empty = Store(scratch / "base" / "store")
    if data is None or not data.exists():
        return empty
    for name in lists.NAMES:
        if (data / name).exists():
            shutil.copy2(data / name, scratch / name)
    if (data / "form_sets").exists():
        shutil.copytree(data / "form_sets", scratch / "form_sets")
    if (data / "secrets" / "member_key").exists():
        (scratch / "secrets").mkdir(mode=0o700)
        shutil.copy2(data / "secrets" / "member_key", scratch / "secrets" / "member_key")
    return Store(data / "store") if (data / "store").exists() else empty
