"""What the inbox gives: whole workbooks only."""

import os
import threading
import time

import pytest

from orchestration.inbox import QUIET_SECONDS, settled, stamps, wait_until_settled

OLD = time.time() - 3600


def drop(inbox, name, content=b"content", *, changed=OLD):
    """Lay a file into the inbox with a time of last change."""
    path = inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (changed, changed))
    return path


@pytest.mark.parametrize(
    "name",
    ["~$Biểu.xlsx", ".Biểu.xlsx", "Biểu.xlsx.tmp", "Biểu.xlsx.part", "Biểu.xlsx.crdownload", "ghi chú.txt", ".ẩn"],
)
def test_partial_names_locks_and_hidden_files_are_not_looked_at(tmp_path, name):
    drop(tmp_path, name)

    assert stamps(tmp_path) == {}


def test_workbooks_in_subfolders_are_found_under_their_path(tmp_path):
    drop(tmp_path, "67.003/Biểu 2025.xlsx")

    assert list(stamps(tmp_path)) == ["67.003/Biểu 2025.xlsx"]


def test_a_file_settles_when_it_is_unchanged_since_the_last_look_and_ten_seconds_old(tmp_path):
    drop(tmp_path, "a.xlsx", changed=1_000_000)
    now = stamps(tmp_path)

    assert settled(now, {}, at=2_000_000) == []
    assert settled(now, now, at=1_000_000 + QUIET_SECONDS - 0.01) == []
    assert settled(now, now, at=1_000_000 + QUIET_SECONDS) == ["a.xlsx"]


def test_a_file_whose_size_or_time_has_changed_since_the_last_look_is_left(tmp_path):
    drop(tmp_path, "a.xlsx", b"half", changed=1_000_000)
    before = stamps(tmp_path)

    drop(tmp_path, "a.xlsx", b"half and more", changed=1_000_000)
    assert settled(stamps(tmp_path), before, at=2_000_000) == []

    drop(tmp_path, "a.xlsx", b"HALF", changed=1_000_001)
    assert settled(stamps(tmp_path), before, at=2_000_000) == []


def test_a_file_that_is_still_being_copied_is_left_for_later_by_name(tmp_path):
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
        ready, restless = wait_until_settled(tmp_path, patience_seconds=1.5)
    finally:
        over.set()
        copier.join()

    assert [path.name for path in ready] == ["whole.xlsx"]
    assert restless == ["growing.xlsx"]


def test_an_inbox_of_old_files_is_ready_at_once_and_an_absent_one_is_empty(tmp_path):
    drop(tmp_path, "a.xlsx")

    assert wait_until_settled(tmp_path, patience_seconds=0) == ([tmp_path / "a.xlsx"], [])
    assert wait_until_settled(tmp_path / "none", patience_seconds=0) == ([], [])
