"""What could not be handled: kept with its reason until a person has looked, and told to the register.

``<data>/dead_letters/<id>/`` holds ``reason.json`` and, of a regular file, its bytes. Whoever takes such a folder
away says that it is settled; what still lies in the inbox is then tried again. The register remembers either way.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestration.inbox import Odd
from submissions.register.log import Event, Register

if TYPE_CHECKING:
    from orchestration.backlog import Sending

LARGEST_COPY = 200 * 1024**2
"""Bytes of which a copy is kept; more is left where it lies."""

ODD = {
    "SYMLINK": "Trong hộp nhận có một liên kết (symlink), không phải tệp. Liên kết không được mở; "
    "hãy chép chính tệp vào thư mục.",
    "TOO_DEEP": "Trong hộp nhận có thư mục lồng nhau quá nhiều lớp; phần bên trong không được đọc. "
    "Hãy để tệp ngay trong thư mục của đơn vị.",
    "CLOSED_FOLDER": "Trong hộp nhận có thư mục không cho đọc. Hãy cấp quyền đọc thư mục đó.",
    "SPECIAL_FILE": "Trong hộp nhận có một đối tượng không phải tệp thường (ống dẫn, ổ cắm hoặc thiết bị). "
    "Nó không được mở; hãy xóa đi và gửi lại tệp.",
}


@dataclass(frozen=True)
class DeadLetter:
    """One thing that could not be handled."""

    id: str
    code: str
    message: str
    """Vietnamese, with what to do."""
    at: str
    """UTC, ISO 8601."""
    file_name: str
    unit_code: str | None
    source_hash: str | None
    """SHA-256 where it could be read."""
    size: int
    context: str
    """The contract (form sets, list of units) under which it failed; under another it is tried again."""
    copied: bool


class DeadLetters:
    """The folder of dead letters."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made with the first letter."""
        self.folder = folder

    def all(self) -> list[DeadLetter]:
        """Every dead letter that nobody has taken away, oldest first."""
        found = []
        for path in self.folder.glob("*/reason.json") if self.folder.exists() else ():
            with suppress(FileNotFoundError):  # taken away this moment
                found.append(DeadLetter(**json.loads(path.read_text(encoding="utf-8"))))
        return sorted(found, key=lambda letter: (letter.at, letter.id))

    def ids(self, context: str) -> set[str]:
        """Ids of what need not be tried again under this contract: a content's first 32 digits."""
        return {letter.id for letter in self.all() if letter.context == context}

    def unsettled(self, is_known: Callable[[str], bool]) -> list[DeadLetter]:
        """Dead letters that wait for a person: those whose content the store has not read after all."""
        return [letter for letter in self.all() if letter.source_hash is None or not is_known(letter.source_hash)]

    def put(self, code: str, message: str, *, sending: "Sending", context: str) -> DeadLetter:
        """Keep a sending that was tried in vain, with a copy of its files."""
        name = sending.entry.name
        size = sum(stamp[0] for stamp in sending.entry.stamps)
        letter = self._letter(code, message, name, sending.entry.unit_code, sending.content, size, context)
        sources = [sending.root / file for file in sending.entry.files] if sending.readable else []
        if not sending.readable:
            letter = DeadLetter(**asdict(letter) | {"source_hash": None})
        return self._keep(letter, sources)

    def put_odd(self, odd: Odd) -> DeadLetter | None:
        """Keep the notice of something that is no file; None where it is kept already."""
        mark = hashlib.sha256(os.fsencode(odd.name) + repr((odd.code, odd.stamp[2])).encode()).hexdigest()
        letter = self._letter(odd.code, ODD[odd.code], odd.name, odd.unit_code, mark, 0, "")
        if (self.folder / letter.id).exists():
            return None
        return self._keep(DeadLetter(**asdict(letter) | {"source_hash": None}), [])

    def is_new(self, odd: Odd) -> bool:
        """Whether there is no notice yet of something that is no file."""
        mark = hashlib.sha256(os.fsencode(odd.name) + repr((odd.code, odd.stamp[2])).encode()).hexdigest()
        return not (self.folder / mark[:32]).exists()

    def _letter(
        self, code: str, message: str, name: str, unit_code: str | None, mark: str, size: int, context: str
    ) -> DeadLetter:
        shown = os.fsencode(PurePosixPath(name).name).decode("utf-8", "replace")
        at = datetime.now(UTC).isoformat(timespec="seconds")
        return DeadLetter(mark[:32], code, message, at, shown, unit_code, mark, size, context, copied=False)

    def _keep(self, letter: DeadLetter, sources: list[Path]) -> DeadLetter:
        """Write aside and rename: a letter that has its name is whole. One that is there already stays."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._sweep()
        draft = self.folder / f".{letter.id}.{os.getpid()}"
        draft.mkdir(mode=0o700)
        copied = bool(sources) and letter.size <= LARGEST_COPY
        for number, source in enumerate(sources if copied else [], start=1):
            # Never under its own name: a name of the sender's is data, not a path.
            suffix = source.suffix.lower() if source.suffix.isascii() and source.suffix[1:].isalnum() else ""
            copied = copied and _copy(source, draft / f"original-{number}{suffix}")
        letter = DeadLetter(**asdict(letter) | {"copied": copied})
        written = draft / "reason.json"
        written.write_text(json.dumps(asdict(letter), ensure_ascii=False, indent=1), encoding="utf-8")
        written.chmod(0o600)
        place = self.folder / letter.id
        if place.exists():  # of an earlier contract
            shutil.rmtree(place)
        draft.rename(place)
        return letter

    def _sweep(self) -> None:
        for draft in self.folder.glob(".*"):
            pid = draft.suffix.removeprefix(".")
            if pid.isdigit() and (int(pid) == os.getpid() or not Path(f"/proc/{pid}").exists()):
                shutil.rmtree(draft, ignore_errors=True)

    def tell(self, register: Register) -> int:
        """Append every letter to the register, each once; returns how many were new."""
        events = [
            Event(
                "dead_letter",
                f"dead_letter:{letter.id}:{letter.code}:{letter.context}",
                unit_code=letter.unit_code,
                source_hash=letter.source_hash,
                body={
                    "code": letter.code,
                    "message": letter.message,
                    "file_name": letter.file_name,
                    "size_bytes": letter.size,
                    "copied": letter.copied,
                },
                at=datetime.fromisoformat(letter.at),
            )
            for letter in self.all()
        ]
        return len(register.append(events)) if events else 0


def _copy(source: Path, target: Path) -> bool:
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file, target.open("xb") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        os.fsync(copy.fileno())
    target.chmod(0o600)
    return True
