"""Work for processes that tests kill; each says "begun" when all is read that it needs."""

import time
from collections.abc import Callable
from pathlib import Path

from orchestration import backlog
from orchestration.backlog import Marks
from orchestration.dead_letters import DeadLetters
from orchestration.outbox import write_receipts
from orchestration.settings import Folders
from orchestration.sources import Settings, fetch
from submissions.intake import take_in
from submissions.register.log import Register
from submissions.store import Store

Say = Callable[[object], None]


def receipts(data: Path, say: Say) -> None:
    """Write the receipts of a data directory."""
    folders = Folders(data)
    with Register.open(folders.register) as register:
        say("begun")
        write_receipts(register, folders)


def fetched(data: Path, settings: Settings, say: Say) -> None:
    """Fetch what is at the second source."""
    marks = Marks(data / "inbox.sqlite")
    say("begun")
    fetch(settings, Folders(data), marks, seconds=60)


def worked_off(data: Path, say: Say) -> None:
    """Work the inbox off with the real intake, in small batches; says what became of each file."""
    folders, marks = Folders(data), Marks(data / "inbox.sqlite")
    seen = backlog.survey(folders.inbox, marks, at=time.time(), patience_seconds=0)
    waiting, _ = backlog.sendings(seen, marks, backlog.known_to(Store(folders.store)))
    say("begun")

    def take(claims: list) -> list:
        return take_in([claim.path for claim in claims], data=data, workers=1).files

    letters = DeadLetters(data / "dead_letters")
    for results in backlog.work_off(
        waiting, take, folders=folders, marks=marks, letters=letters, context="c", largest=4
    ):
        for result in results:
            say((result.state, result.source_hash))
    take([])  # what a killed run had read is settled
