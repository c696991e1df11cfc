"""Working the inbox off: in batches, each file a bounded number of times, through kills, and nothing twice."""

import errno
import hashlib
import os
import random
import time
import zipfile
from pathlib import Path

import pytest

from orchestration import backlog
from orchestration.backlog import ATTEMPTS, BREAKS, Marks
from orchestration.dead_letters import DeadLetters
from orchestration.settings import PROJECT, Folders
from submissions.intake import Claim
from submissions.reading import FileResult
from submissions.store import Store
from tests.beside import worked_off
from tests.killing import begin

OLD = 1_700_000_000
CONTRACT = "contract"


@pytest.fixture
def folders(tmp_path) -> Folders:
    folders = Folders(tmp_path)
    folders.inbox.mkdir()
    return folders


def drop(folders: Folders, name: str, content: bytes) -> Path:
    path = folders.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (OLD, OLD))
    return path


class Desk:
    """Somebody who takes files in and writes down what came, without looking into it."""

    def __init__(self, *, fails=(), breaks_at=()):
        self.batches: list[list[str]] = []
        self.claims = []
        self.contents = []
        self.fails, self.breaks_at = fails, breaks_at

    def __call__(self, claims: list[Claim]):
        self.batches.append([claim.path.name for claim in claims])
        self.claims += claims
        for claim in claims:
            if claim.path.name in self.breaks_at:
                raise BrokenRunError(claim.path.name)
        for claim in claims:
            content = claim.path.read_bytes()
            self.contents.append(content)
            state = "failed" if claim.path.name in self.fails else "accepted"
            yield FileResult(claim.path, hashlib.sha256(content).hexdigest(), state, message="không đọc được")


class BrokenRunError(BaseException):
    """A run that is gone, as by a kill: nobody catches it."""


def run(folders: Folders, desk, *, largest=50, context=CONTRACT, marks=None):
    """One run over the inbox."""
    marks = marks or Marks(folders.data / "inbox.sqlite")
    seen = backlog.survey(folders.inbox, marks, at=time.time(), patience_seconds=0)
    known = backlog.known_to(Store(folders.store))
    waiting, _ = backlog.sendings(seen, marks, known)
    letters = DeadLetters(folders.data / "dead_letters")
    return list(
        backlog.work_off(waiting, desk, folders=folders, marks=marks, letters=letters, context=context, largest=largest)
    )


def test_seven_hundred_files_of_one_night_are_read_in_batches_each_once(folders):
    for number in range(700):
        drop(folders, f"67.{number:03}/Báo cáo.xlsx", str(number).encode())
    desk = Desk()
    run(folders, desk, largest=50)

    assert [len(batch) for batch in desk.batches] == [50] * 14
    assert {claim.unit_code for claim in desk.claims} == {f"67.{number:03}" for number in range(700)}
    again = Desk()
    run(folders, again)
    assert again.batches == []


def test_a_folder_of_csv_files_is_taken_in_as_one_zip_with_the_unit_it_lies_in(folders):
    drop(folders, "67.003/báo cáo 2025/Bieu 2.csv", b"c,d")
    drop(folders, "67.003/báo cáo 2025/Bieu 1.csv", b"a,b")
    desk = Desk()
    run(folders, desk)

    (claim,), (content,) = desk.claims, desk.contents
    assert (claim.path.name, claim.unit_code) == ("báo cáo 2025.zip", "67.003")
    copy = folders.data / "copy.zip"
    copy.write_bytes(content)
    with zipfile.ZipFile(copy) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"Bieu 1.csv": b"a,b", "Bieu 2.csv": b"c,d"}
    assert not claim.path.exists(), "the spool is empty again"
    again = Desk()
    run(folders, again)
    assert again.batches == []


def test_the_same_folder_of_two_units_is_two_sendings(folders):
    for unit in ("67.003", "67.008"):
        drop(folders, f"{unit}/báo cáo/Bieu 1.csv", b"a,b")
    desk = Desk()
    run(folders, desk)

    assert sorted(claim.unit_code for claim in desk.claims) == ["67.003", "67.008"]
    assert {claim.path.name for claim in desk.claims} == {"báo cáo.zip"}
    assert desk.contents[0] == desk.contents[1]
    assert not [path for path in folders.spool.rglob("*") if path.is_file()]


def test_a_name_that_is_no_unicode_reaches_intake_as_text(folders):
    path = os.path.join(os.fsencode(folders.inbox), b"B\xe1o c\xe1o.xlsx")
    with open(path, "wb") as file:
        file.write(b"content")
    os.utime(path, (OLD, OLD))
    desk = Desk()
    run(folders, desk)

    (claim,) = desk.claims
    assert claim.path.name == "B\ufffdo c\ufffdo.xlsx"


def test_a_file_that_breaks_the_run_off_is_found_alone_becomes_a_dead_letter_and_the_others_go_on(folders):
    for number in range(20):
        drop(folders, f"{number:02}.xlsx", str(number).encode())
    drop(folders, "poison.xlsx", b"poison")
    read: list[str] = []
    for times in range(BREAKS):
        desk = Desk(breaks_at={"poison.xlsx"})
        with pytest.raises(BrokenRunError):
            run(folders, desk, largest=7)
        read += [name for batch in desk.batches[:-1] for name in batch]
        if times == 1:
            assert len(read) == 20, "the others are through with the second run"
    last = Desk(breaks_at={"poison.xlsx"})
    run(folders, last, largest=7)

    assert sorted(read) == [f"{number:02}.xlsx" for number in range(20)], "every other file once"
    assert last.batches == []
    (letter,) = DeadLetters(folders.data / "dead_letters").all()
    assert (letter.code, letter.file_name) == ("TRIED_IN_VAIN", "poison.xlsx")
    assert letter.source_hash == hashlib.sha256(b"poison").hexdigest()


def test_files_that_were_never_tried_go_before_those_that_were_in_a_broken_batch(folders):
    drop(folders, "a poison.xlsx", b"poison")
    drop(folders, "b.xlsx", b"b")
    with pytest.raises(BrokenRunError):
        run(folders, Desk(breaks_at={"a poison.xlsx"}))
    drop(folders, "c new.xlsx", b"c")
    desk = Desk(breaks_at={"a poison.xlsx"})
    with pytest.raises(BrokenRunError):
        run(folders, desk)

    assert desk.batches[0] == ["c new.xlsx"]
    assert all(len(batch) == 1 for batch in desk.batches)


def test_a_file_that_cannot_be_read_is_tried_a_bounded_number_of_times_and_the_others_once(folders):
    drop(folders, "bad.xlsx", b"bad")
    drop(folders, "good.xlsx", b"good")
    desk = Desk(fails={"bad.xlsx"})
    for _ in range(ATTEMPTS + 2):
        run(folders, desk)

    names = [name for batch in desk.batches for name in batch]
    assert (names.count("bad.xlsx"), names.count("good.xlsx")) == (ATTEMPTS, 1)
    (letter,) = DeadLetters(folders.data / "dead_letters").all()
    assert (letter.code, letter.message) == ("READ_FAILED", "không đọc được")


def test_a_dead_letter_is_tried_again_under_another_contract_or_when_its_folder_is_taken_away(folders):
    drop(folders, "bad.xlsx", b"bad")
    for _ in range(ATTEMPTS):
        run(folders, Desk(fails={"bad.xlsx"}))
    untouched = Desk()
    run(folders, untouched)
    other = Desk(fails={"bad.xlsx"})
    run(folders, other, context="another")
    (letter,) = DeadLetters(folders.data / "dead_letters").all()
    (folders.data / "dead_letters" / letter.id / "reason.json").unlink()
    taken_away = Desk()
    run(folders, taken_away)

    assert (untouched.batches, other.batches, taken_away.batches) == ([], [["bad.xlsx"]], [["bad.xlsx"]])


def test_no_file_is_blamed_for_a_full_disk(folders):
    drop(folders, "a.xlsx", b"a")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    for _ in range(ATTEMPTS + 1):
        with pytest.raises(OSError, match="No space"):
            run(folders, full)
    desk = Desk()
    run(folders, desk)

    assert desk.batches == [["a.xlsx"]]
    assert DeadLetters(folders.data / "dead_letters").all() == []


def test_a_file_that_changes_before_it_is_read_is_left_for_the_next_look(folders):
    path = drop(folders, "a.xlsx", b"first")
    marks = Marks(folders.data / "inbox.sqlite")
    seen = backlog.survey(folders.inbox, marks, at=time.time(), patience_seconds=0)
    path.write_bytes(b"other")
    waiting, later = backlog.sendings(seen, marks, lambda *_: False)

    assert waiting == []
    assert [entry.name for entry in later] == ["a.xlsx"]


def test_one_look_hashes_a_bounded_number_of_bytes_and_goes_on_at_the_next(folders):
    for number in range(5):
        drop(folders, f"{number}.xlsx", b"x" * 99 + str(number).encode())
    marks = Marks(folders.data / "inbox.sqlite")
    found = []
    for _ in range(3):
        seen = backlog.survey(folders.inbox, marks, at=time.time(), patience_seconds=0)
        waiting, later = backlog.sendings(seen, marks, lambda *_: False, limit_bytes=200)
        found.append((len(waiting), len(later)))

    assert found == [(2, 3), (4, 1), (5, 0)]


def test_batches_killed_at_random_points_and_run_again_leave_the_store_of_an_undisturbed_run(tmp_path):
    """Real intake: registers that are read, and files that are refused."""
    dice = random.Random(20261123)
    kept = {}
    for kind in ("undisturbed", "killed"):
        folders = Folders(tmp_path / kind)
        folders.inbox.mkdir(parents=True)
        for workbook in sorted((PROJECT / "demo").glob("So ky luat*")):
            drop(folders, workbook.name, workbook.read_bytes())
        for number in range(12):
            drop(folders, f"67.{number:03}/{number}.xlsx", f"no workbook {number}".encode())
        kills = 0
        while kind == "killed" and kills < 4:
            working = begin(worked_off, folders.data)
            time.sleep(dice.uniform(0, 0.4))
            working.kill()
            kills += 1
        begin(worked_off, folders.data).end()
        store = Store(folders.store)
        rows = store.read_submissions().drop(columns=["received_at"])
        counts = store.read_counts().sort_values(["source_hash", "form"])
        kept[kind] = rows.sort_values("source_hash").to_csv(index=False), counts.to_csv(index=False)
        assert begin(worked_off, folders.data).end() == [], "nothing is read a second time"
        assert DeadLetters(folders.data / "dead_letters").all() == []

    assert kept["killed"] == kept["undisturbed"]
