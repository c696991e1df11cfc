"""Dead letters: what could not be handled is kept with its reason, told to the register, and settled by a person."""

import json
import os
import shutil
import stat

import dagster as dg
import pytest

from orchestration import backlog
from orchestration.backlog import Marks, Sending
from orchestration.dead_letters import DeadLetters
from orchestration.defs.store import _dead_letters
from orchestration.inbox import look_into
from orchestration.settings import Folders
from submissions.register.log import Register


@pytest.fixture
def folders(tmp_path) -> Folders:
    folders = Folders(tmp_path)
    folders.inbox.mkdir()
    return folders


@pytest.fixture
def letters(folders) -> DeadLetters:
    return DeadLetters(folders.data / "dead_letters")


def sending(folders, name="67.003/Báo cáo của Nguyễn Văn A.xlsx", content=b"content") -> Sending:
    path = folders.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    marks = Marks(folders.data / "inbox.sqlite")
    seen = backlog.survey(folders.inbox, marks, at=2e9, patience_seconds=0)
    found, _ = backlog.sendings(seen, marks, lambda *_: False)
    return next(one for one in found if name.startswith(one.entry.name))


def test_a_dead_letter_keeps_reason_hash_time_unit_and_a_copy_closed_to_others(folders, letters):
    sent = sending(folders)
    letter = letters.put("READ_FAILED", "Không đọc được.", sending=sent, context="c")
    place = letters.folder / letter.id

    assert (letter.code, letter.message, letter.unit_code) == ("READ_FAILED", "Không đọc được.", "67.003")
    assert (letter.source_hash, letter.size, letter.copied) == (sent.content, 7, True)
    assert letter.file_name == "Báo cáo của Nguyễn Văn A.xlsx"
    assert (place / "original-1.xlsx").read_bytes() == b"content"
    for path, mode in ((letters.folder, 0o700), (place, 0o700), (place / "reason.json", 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert letters.all() == [letter]


def test_no_name_of_a_sender_becomes_a_path(folders, letters):
    letter = letters.put("READ_FAILED", "…", sending=sending(folders, "a;rm -rf .xl$x"), context="c")

    assert {path.name for path in (letters.folder / letter.id).iterdir()} == {"original-1", "reason.json"}


def test_a_folder_of_csv_files_is_kept_file_by_file(folders, letters):
    other = folders.inbox / "67.003" / "báo cáo" / "a.csv"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"a")
    os.utime(other, (1_700_000_000, 1_700_000_000))
    letter = letters.put("READ_FAILED", "…", sending=sending(folders, "67.003/báo cáo/b.csv", b"b"), context="c")

    kept = letters.folder / letter.id
    assert [(kept / f"original-{number}.csv").read_bytes() for number in (1, 2)] == [b"a", b"b"]


def test_a_link_or_pipe_is_noticed_once_without_content(folders, letters):
    (folders.inbox / "link.xlsx").symlink_to("/etc/hostname")
    os.mkfifo(folders.inbox / "pipe.xlsx")
    odd = look_into(folders.inbox).odd
    first = [letters.put_odd(one) for one in odd]
    again = [letters.put_odd(one) for one in odd]

    assert {(letter.code, letter.source_hash, letter.copied) for letter in first} == {
        ("SYMLINK", None, False),
        ("SPECIAL_FILE", None, False),
    }
    assert again == [None, None]
    for letter in first:
        assert [path.name for path in (letters.folder / letter.id).iterdir()] == ["reason.json"]


def test_the_register_is_told_of_each_once_however_often_it_is_told(folders, letters):
    letters.put("READ_FAILED", "Không đọc được.", sending=sending(folders), context="c")
    (folders.inbox / "link.xlsx").symlink_to("/etc/hostname")
    for odd in look_into(folders.inbox).odd:
        letters.put_odd(odd)
    with Register.open(folders.register) as register:
        assert letters.tell(register) == 2
        assert letters.tell(register) == 0
        events = register.read(["dead_letter"])

    assert {(event.unit_code, event.body["code"]) for event in events} == {("67.003", "READ_FAILED"), (None, "SYMLINK")}
    assert all(event.body["message"] for event in events)


def test_a_letter_is_settled_when_the_store_has_read_it_after_all_or_somebody_takes_it_away(folders, letters):
    letter = letters.put("READ_FAILED", "…", sending=sending(folders), context="c")

    assert letters.unsettled(lambda _: False) == [letter]
    assert letters.unsettled(lambda content: content == letter.source_hash) == []
    shutil.rmtree(letters.folder / letter.id)
    assert letters.unsettled(lambda _: False) == []
    assert letters.ids("c") == set()


def test_what_a_killed_writer_left_is_no_letter_and_is_swept(folders, letters):
    letters.folder.mkdir()
    draft = letters.folder / ".half.999999999"
    draft.mkdir()
    (draft / "original-1.xlsx").write_bytes(b"half")

    assert letters.all() == []
    letters.put("READ_FAILED", "…", sending=sending(folders), context="c")
    assert not draft.exists()


def test_a_file_that_has_gone_meanwhile_leaves_a_letter_without_a_copy(folders, letters):
    sent = sending(folders)
    (sent.root / sent.entry.name).unlink()
    letter = letters.put("READ_FAILED", "…", sending=sent, context="c")

    assert not letter.copied
    assert letters.all() == [letter]


def test_dagster_shows_them_without_names_and_the_check_fails_as_a_warning_until_they_are_settled(folders, letters):
    letters.put("READ_FAILED", "Không đọc được.", sending=sending(folders), context="c")
    asset, check = _dead_letters(letters.all())

    assert asset.metadata["dagster/row_count"] == 1
    shown = json.dumps([record.data for record in asset.metadata["Danh sách"].records], ensure_ascii=False)
    assert "Không đọc được." in shown
    assert "Nguyễn" not in shown
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    _, settled = _dead_letters([])
    assert settled.passed
