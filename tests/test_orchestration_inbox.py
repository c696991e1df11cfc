"""What the inbox gives: whole files only, each with the unit whose folder it lies in; nothing is followed or opened."""

import os
import socket
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from orchestration.inbox import (
    QUIET_SECONDS,
    Entry,
    being_written,
    look_into,
    remembered,
    settled,
    wait_until_settled,
)
from orchestration.settings import PROJECT
from tests.rights import without_rights

OLD = time.time() - 3600


def drop(inbox: Path, name: str, content: bytes = b"content", *, changed: float = OLD) -> Path:
    """Lay a file into the inbox with a time of last change."""
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (changed, changed))
    return path


def names(inbox: Path) -> list[str]:
    return [entry.name for entry in look_into(inbox).entries]


@pytest.mark.parametrize("name", ["~$Biểu.xlsx", ".Biểu.xlsx", ".~lock.Biểu.xlsx#", ".ẩn", "Thumbs.db", "desktop.ini"])
def test_hidden_files_locks_of_office_programs_and_litter_are_not_looked_at(tmp_path, name):
    drop(tmp_path, name)

    assert look_into(tmp_path).entries == ()
    assert look_into(tmp_path).unfinished == 0


@pytest.mark.parametrize(
    "ending", ["part", "PART", "partial", "crdownload", "download", "tmp", "filepart", "swp", "opdownload"]
)
def test_a_partial_download_is_not_taken_and_is_counted_as_unfinished(tmp_path, ending):
    drop(tmp_path, f"Biểu.xlsx.{ending}")

    assert look_into(tmp_path).entries == ()
    assert look_into(tmp_path).unfinished == 1


def test_whatever_else_is_laid_into_the_inbox_is_a_sending_so_that_its_sender_gets_an_answer(tmp_path):
    for name in ("Biểu.xlsx", "công văn.pdf", "ghi chú.txt", "không đuôi"):
        drop(tmp_path, name)

    assert sorted(names(tmp_path)) == sorted(["Biểu.xlsx", "công văn.pdf", "ghi chú.txt", "không đuôi"])


@pytest.mark.parametrize(
    ("name", "unit_code"),
    [
        ("67.003/Biểu 2025.xlsx", "67.003"),
        ("67.003/2025/lần 2/Biểu.xlsx", "67.003"),
        ("Biểu 2025.xlsx", None),
        ("báo cáo cũ/Biểu 2025.xlsx", None),
        ("2025/67.003/Biểu.xlsx", None),
        ("67.003.001/Biểu.xlsx", None),
        ("67.003", None),
    ],
)
def test_a_file_claims_the_unit_of_the_folder_at_the_top_that_it_lies_in(tmp_path, name, unit_code):
    drop(tmp_path, name)
    (entry,) = look_into(tmp_path).entries

    assert (entry.name, entry.unit_code) == (name, unit_code)


def test_a_folder_of_nothing_but_csv_files_is_one_sending(tmp_path):
    drop(tmp_path, "67.003/báo cáo 2025/Bieu 1.csv")
    drop(tmp_path, "67.003/báo cáo 2025/Bieu 2.CSV")
    drop(tmp_path, "67.003/báo cáo 2025/Thumbs.db")
    (entry,) = look_into(tmp_path).entries

    assert entry.name == "67.003/báo cáo 2025"
    assert entry.members == ("Bieu 1.csv", "Bieu 2.CSV")
    assert entry.unit_code == "67.003"


def test_a_unit_folder_that_holds_only_csv_files_is_a_sending_of_that_unit(tmp_path):
    drop(tmp_path, "67.003/Bieu 1.csv")
    (entry,) = look_into(tmp_path).entries

    assert (entry.name, entry.unit_code) == ("67.003", "67.003")


def test_csv_files_beside_others_or_in_the_inbox_itself_are_sendings_of_their_own(tmp_path):
    drop(tmp_path, "a.csv")
    drop(tmp_path, "cũ/b.csv")
    drop(tmp_path, "cũ/c.xlsx")
    drop(tmp_path, "d/e.csv")
    drop(tmp_path, "d/sâu hơn/f.xlsx")

    assert sorted(names(tmp_path)) == ["a.csv", "cũ/b.csv", "cũ/c.xlsx", "d/e.csv", "d/sâu hơn/f.xlsx"]


def test_a_folder_of_csv_files_of_which_one_is_not_whole_waits_as_a_whole(tmp_path):
    drop(tmp_path, "báo cáo/Bieu 1.csv")
    drop(tmp_path, "báo cáo/Bieu 2.csv.part")

    assert look_into(tmp_path).entries == ()
    assert look_into(tmp_path).unfinished == 1


def test_a_folder_that_gets_one_more_file_has_changed(tmp_path):
    drop(tmp_path, "báo cáo/Bieu 1.csv")
    before = remembered(look_into(tmp_path).entries, {}, 0.0)
    assert settled(look_into(tmp_path).entries, before, at=time.time())[0]
    drop(tmp_path, "báo cáo/Bieu 2.csv")

    assert settled(look_into(tmp_path).entries, before, at=time.time())[0] == []


@pytest.fixture
def trap(tmp_path):
    """A folder outside the inbox, with a file that nobody may come to see."""
    outside = tmp_path / "outside"
    drop(outside, "secret.xlsx")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return inbox, outside


def test_links_and_special_files_are_named_and_never_followed_or_opened(trap, monkeypatch):
    inbox, outside = trap
    (inbox / "link.xlsx").symlink_to(outside / "secret.xlsx")
    (inbox / "67.003").mkdir()
    (inbox / "67.003" / "folder").symlink_to(outside)
    (inbox / "nowhere.xlsx").symlink_to(outside / "absent")
    os.mkfifo(inbox / "pipe.xlsx")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(inbox)  # the name of a socket may not be long
        listener.bind("socket.xlsx")
        found = look_into(inbox)

    assert found.entries == ()
    assert {(odd.name, odd.code, odd.unit_code) for odd in found.odd} == {
        ("link.xlsx", "SYMLINK", None),
        ("67.003/folder", "SYMLINK", "67.003"),
        ("nowhere.xlsx", "SYMLINK", None),
        ("pipe.xlsx", "SPECIAL_FILE", None),
        ("socket.xlsx", "SPECIAL_FILE", None),
    }


def test_folders_nested_without_end_are_named_and_not_followed(tmp_path):
    drop(tmp_path, "67.003/" + "a/" * 100 + "deep.xlsx")
    drop(tmp_path, "67.003/b/whole.xlsx")
    found = look_into(tmp_path)

    assert [entry.name for entry in found.entries] == ["67.003/b/whole.xlsx"]
    assert [(odd.code, odd.unit_code) for odd in found.odd] == [("TOO_DEEP", "67.003")]


def test_a_folder_that_may_not_be_read_is_named_and_the_others_are_read(tmp_path):
    drop(tmp_path, "67.003/closed/a.xlsx").parent.chmod(0)
    drop(tmp_path, "67.004/a.xlsx")
    program = (
        "import sys; from pathlib import Path; from orchestration.inbox import look_into; "
        "found = look_into(Path(sys.argv[1])); print([e.name for e in found.entries], [o.code for o in found.odd])"
    )
    command = without_rights([sys.executable, "-c", program, str(tmp_path)])
    told = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, cwd=PROJECT).stdout

    assert told.strip() == "['67.004/a.xlsx'] ['CLOSED_FOLDER']"


def test_a_name_that_is_no_unicode_is_a_sending_like_any_other(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"B\xe1o c\xe1o.xlsx")
    with open(path, "wb") as file:
        file.write(b"content")

    (entry,) = look_into(tmp_path).entries
    assert os.fsencode(entry.name) == b"B\xe1o c\xe1o.xlsx"


def entry_of(size: int = 7, changed: float = 1000.0, inode: int = 1) -> Entry:
    return Entry("a.xlsx", ((size, int(changed * 1e9), inode),))


def test_an_entry_settles_when_it_is_the_same_at_two_looks_and_ten_seconds_old():
    now = entry_of(changed=1000.0)
    before = remembered([now], {}, 1000.0)

    assert settled([now], {}, at=2000.0) == ([], [now])
    assert settled([now], before, at=1000.0 + QUIET_SECONDS - 0.01) == ([], [now])
    assert settled([now], before, at=1000.0 + QUIET_SECONDS) == ([now], [])


@pytest.mark.parametrize("other", [entry_of(size=8), entry_of(changed=1001.0), entry_of(inode=2)])
def test_an_entry_whose_size_time_or_inode_has_changed_is_left(other):
    before = remembered([entry_of()], {}, 1000.0)

    assert settled([other], before, at=5000.0) == ([], [other])


def test_an_entry_from_a_clock_ahead_of_ours_settles_by_our_own_clock():
    ahead = entry_of(changed=9000.0)
    before = remembered([ahead], {}, 1000.0)

    assert settled([ahead], before, at=1005.0)[0] == []
    assert settled([ahead], remembered([ahead], before, 1005.0), at=1010.0)[0] == [ahead]


def writer(path: Path) -> subprocess.Popen:
    """A process that has `path` open for writing, and writes nothing; ready when this returns."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys\nfile = open(sys.argv[1], 'r+b')\nprint(flush=True)\nsys.stdin.read()",
            path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    return process


def test_a_file_that_another_process_has_open_for_writing_is_seen_however_long_it_stands_still(tmp_path):
    path = drop(tmp_path, "a.xlsx")
    drop(tmp_path, "b.xlsx")
    entries = look_into(tmp_path).entries
    with writer(path) as process:
        during = being_written(tmp_path, entries)
        process.communicate()

    assert during == {"a.xlsx"}
    assert being_written(tmp_path, entries) == set()


def test_a_file_that_is_only_read_by_others_is_not_taken_for_written(tmp_path):
    path = drop(tmp_path, "a.xlsx")
    with path.open("rb"):
        assert being_written(tmp_path, look_into(tmp_path).entries) == set()


def test_a_folder_of_which_one_file_is_open_for_writing_is_being_written(tmp_path):
    drop(tmp_path, "báo cáo/Bieu 1.csv")
    path = drop(tmp_path, "báo cáo/Bieu 2.csv")
    with path.open("ab"):
        assert being_written(tmp_path, look_into(tmp_path).entries) == {"báo cáo"}


def test_a_file_that_is_still_being_copied_is_left_for_later(tmp_path):
    drop(tmp_path, "whole.xlsx")
    growing = drop(tmp_path, "growing.xlsx")
    begun, over = threading.Event(), threading.Event()

    def copy():
        with growing.open("ab") as file:
            while not over.wait(0.05):
                file.write(b"more")
                file.flush()
                begun.set()

    copier = threading.Thread(target=copy)
    copier.start()
    begun.wait()
    try:
        ready, restless, _ = wait_until_settled(tmp_path, patience_seconds=1.5)
    finally:
        over.set()
        copier.join()

    assert [entry.name for entry in ready] == ["whole.xlsx"]
    assert [entry.name for entry in restless] == ["growing.xlsx"]


def test_an_inbox_of_old_files_is_ready_at_once_and_an_absent_one_is_empty(tmp_path):
    drop(tmp_path, "a.xlsx")

    ready, restless, _ = wait_until_settled(tmp_path, patience_seconds=0)
    assert ([entry.name for entry in ready], restless) == (["a.xlsx"], [])
    assert wait_until_settled(tmp_path / "none", patience_seconds=0)[:2] == ([], [])


def test_a_zip_of_csv_files_and_a_workbook_are_single_files(tmp_path):
    path = drop(tmp_path, "67.003/báo cáo.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("Bieu 1.csv", "a,b")

    (entry,) = look_into(tmp_path).entries
    assert (entry.members, entry.files) == ((), ("67.003/báo cáo.zip",))
