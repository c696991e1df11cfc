"""Receipts: every change of state reaches the unit, once, under a name that nothing hostile can choose."""

import html
import json
import os
import random
import re
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from urllib.parse import unquote

import pytest

from orchestration import outbox
from orchestration.outbox import ADVICE, ADVICE_BY_CODE, NOBODY, TITLES, unit_folder, write_receipts
from orchestration.settings import PROJECT, Folders
from submissions.register.deadlines import Deadlines, extend
from submissions.register.log import KINDS, OF_A_BUILD, OF_MEMBERS, Event, Register
from tests.beside import receipts
from tests.killing import begin
from tests.rights import without_rights

AT = datetime(2026, 1, 5, 3, 0, tzinfo=UTC)
UNIT = "67.003"


@pytest.fixture
def folders(tmp_path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def register(folders):
    with Register.open(folders.register) as register:
        yield register


def event(kind, *, source_hash="a" * 64, unit_code=UNIT, year=2025, at=AT, **body) -> Event:
    key = f"{kind}:{source_hash}:{unit_code}:{at.isoformat()}:{body}"
    return Event(kind, key, unit_code, year, source_hash, {"file_name": "Báo cáo.xlsx", "kind": "unit", **body}, at)


def told(folders: Folders, unit_code: str = UNIT) -> list[dict]:
    """What a unit's receipts say, in the order of their names."""
    return [json.loads(path.read_text("utf-8")) for path in sorted((folders.outbox / unit_code).glob("*.json"))]


def files(folders: Folders) -> dict[str, bytes]:
    return {
        str(path.relative_to(folders.outbox)): path.read_bytes()
        for path in sorted(folders.outbox.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_what_was_received_and_refused_is_told_with_code_reason_and_what_to_do(register, folders):
    register.append([event("received"), event("refused", code="PASSWORD_PROTECTED", message="Tệp đặt mật khẩu.")])

    assert write_receipts(register, folders) == 2
    received, refused = told(folders)
    assert received["title"] == "Đã nhận tệp"
    assert (refused["code"], refused["message"]) == ("PASSWORD_PROTECTED", "Tệp đặt mật khẩu.")
    assert refused["advice"]
    names = sorted(path.name for path in (folders.outbox / UNIT).iterdir())
    assert names == [
        "20260105T030000Z_00000001_received.html",
        "20260105T030000Z_00000001_received.json",
        "20260105T030000Z_00000002_refused.html",
        "20260105T030000Z_00000002_refused.json",
    ]


def test_an_acceptance_tells_counts_by_form_open_issues_the_last_day_and_leads_to_the_returned_files(register, folders):
    counts = {"members": {"rows_in": 10, "loaded": 8, "held_back": 2}}
    name = "67.003_2025_aaaaaaaa_TRA_LAI.xlsx"
    folders.returned.mkdir()
    (folders.returned / name).write_bytes(b"")
    register.append([event("accepted", counts=counts, errors=3)])
    register.append([event("returned", files=[name], errors=3, queries=1, explained=0, waived=0)])
    write_receipts(register, folders)

    (accepted,) = told(folders)
    assert (accepted["errors"], accepted["queries"]) == (3, 1)
    assert accepted["counts"] == [{"form": "Biểu 3", "rows_in": 10, "loaded": 8, "held_back": 2}]
    last_day = Deadlines.read(folders.data).binding(register).last_day(UNIT, 2025)
    assert accepted["due"] == last_day.isoformat()
    (link,) = accepted["links"]
    assert (folders.outbox / UNIT / link).resolve() == (folders.returned / name).resolve()
    (page,) = (folders.outbox / UNIT).glob("*.html")
    (href,) = re.findall('href="([^"]*)"', page.read_text("utf-8"))
    assert (page.parent / unquote(href)).resolve() == (folders.returned / name).resolve()
    assert f"{last_day:%d/%m/%Y}" in page.read_text("utf-8")


def test_an_acceptance_without_issues_asks_for_nothing(register, folders):
    register.append([event("accepted", errors=0), event("returned", files=[], errors=0, queries=0)])
    write_receipts(register, folders)

    assert [receipt["advice"] for receipt in told(folders)] == [outbox.NOTHING]


def test_only_what_takes_the_place_of_something_returned_is_told_as_returned(register, folders):
    register.append([event("returned", files=[], errors=2, queries=1, explained=0)])
    register.append([event("returned", files=[], errors=2, queries=0, explained=1)])
    write_receipts(register, folders)

    (receipt,) = told(folders)
    assert (receipt["state"], receipt["explained"]) == ("returned", 1)


def test_a_sending_that_another_replaces_is_told_once_with_its_successor(register, folders):
    first, second = "a" * 64, "b" * 64
    register.append([event("received", sent_no=1), event("accepted", sent_no=1)])
    assert write_receipts(register, folders) == 2
    register.append(
        [event("received", source_hash=second, sent_no=2), event("accepted", source_hash=second, sent_no=2)]
    )

    assert write_receipts(register, folders) == 3
    assert write_receipts(register, folders) == 0
    replaced = [receipt for receipt in told(folders) if receipt["state"] == "replaced"]
    assert [(receipt["source_hash"], receipt["replaced_by"]) for receipt in replaced] == [(first, second)]


def test_an_extension_names_the_new_last_day(register, folders):
    extend(register, UNIT, 2025, date(2026, 3, 2), by="Ban Tổ chức", reason="Bão lũ", deadlines=Deadlines.read())
    write_receipts(register, folders)

    (receipt,) = told(folders)
    assert (receipt["state"], receipt["due"], receipt["reason"]) == ("extended", "2026-03-02", "Bão lũ")


def short(kind, **more) -> Event:
    """An event as intake writes it: what the file is called stands in the event of its receipt alone."""
    one = event(kind, **more)
    del one.body["file_name"]
    return one


@pytest.mark.parametrize("kind", ["accepted", "refused", "held", "confirmed"])
def test_whatever_became_of_a_sending_its_receipt_names_the_file_and_the_number_of_the_sending(register, folders, kind):
    register.append([event("received", sent_no=2), short(kind, code="CODE", message="Vì sao")])
    write_receipts(register, folders)

    assert [(one["state"], one["file_name"], one["sent_no"]) for one in told(folders)] == [
        ("received", "Báo cáo.xlsx", 2),
        (kind, "Báo cáo.xlsx", 2),
    ]


def test_a_refused_file_has_no_number_of_errors_because_nobody_counted_them(register, folders):
    register.append([event("received", errors=0), short("refused", code="NO_COVER", message="Không có trang bìa.")])
    numbers = {"errors": 0, "queries": 0, "explained": 0, "waived": 0}
    register.append([short("returned", files=["a_TOM_TAT.html"], **numbers)])
    register.append([short("returned", files=["b_TOM_TAT.html"], **numbers)])
    write_receipts(register, folders)

    assert [one["state"] for one in told(folders)] == ["received", "refused", "returned"]
    for one in told(folders):
        assert numbers.keys().isdisjoint(one)
    for page in (folders.outbox / UNIT).glob("*.html"):
        assert "Lỗi phải sửa" not in page.read_text("utf-8")


def test_a_sending_that_was_judged_shows_that_it_has_no_error(register, folders):
    register.append([event("received"), short("accepted"), short("returned", files=[], errors=0, queries=1)])
    write_receipts(register, folders)

    assert (told(folders)[-1]["errors"], told(folders)[-1]["queries"]) == (0, 1)


def again(unit_code=UNIT) -> Event:
    return event("duplicate", unit_code=unit_code, of="a" * 64, at=AT + timedelta(days=1))


@pytest.mark.parametrize("first_unit", [UNIT, None])
@pytest.mark.parametrize("kind", ["refused", "held"])
def test_bytes_that_were_refused_or_held_before_are_told_why_and_what_to_do(register, folders, kind, first_unit):
    reason = {"code": "CODE", "message": "Vì lẽ đó."}
    register.append([event("received", unit_code=first_unit), short(kind, unit_code=first_unit, **reason), again()])
    write_receipts(register, folders)

    receipt = told(folders)[-1]
    assert receipt["state"] == "duplicate"
    assert (receipt["code"], receipt["message"]) == ("CODE", "Vì lẽ đó.")
    assert receipt["advice"] == ADVICE[kind]
    assert "Không phải làm gì" not in receipt["advice"]
    assert receipt["first"] == {"refused": "Bị trả lại", "held": "Đang giữ chờ xác nhận"}[kind]


@pytest.mark.parametrize("kind", ["refused", "held", "accepted"])
def test_of_bytes_that_another_unit_sent_no_reason_is_told_and_the_own_report_is_still_asked_for(
    register, folders, kind
):
    reason = {"code": "CODE", "message": "Lý do của đơn vị kia."}
    register.append([event("received", unit_code="67.004"), short(kind, unit_code="67.004", **reason), again()])
    write_receipts(register, folders)

    (receipt,) = told(folders)
    assert "gửi báo cáo của chính đơn vị" in receipt["advice"]
    assert "nơi khác" in receipt["first"]
    assert ("bị trả lại" in receipt["first"]) == (kind == "refused")
    for path in (folders.outbox / UNIT).iterdir():
        assert not re.search("67.004|CODE|đơn vị kia", path.read_text("utf-8"))


def test_the_commissions_register_in_a_units_inbox_is_no_report_of_the_unit(register, folders):
    first = [event(kind, unit_code=None) for kind in ("received", "accepted")]
    for one in first:
        one.body["kind"] = "register"
    register.append([*first, again()])
    write_receipts(register, folders)

    assert "gửi báo cáo của chính đơn vị" in told(folders)[0]["advice"]


def test_bytes_that_were_accepted_or_replaced_before_are_told_so(register, folders):
    register.append([event("received", sent_no=1), short("accepted", sent_no=1), again()])
    write_receipts(register, folders)
    later = {"source_hash": "b" * 64, "sent_no": 2}
    register.append([event("received", **later), event("accepted", **later)])
    register.append([event("duplicate", of="a" * 64, at=AT + timedelta(days=2))])
    write_receipts(register, folders)

    first, second = [one for one in told(folders) if one["state"] == "duplicate"]
    assert "đã được tiếp nhận" in first["advice"]
    assert "đã được thay bằng một lần gửi khác" in second["advice"]


def test_what_a_unit_cannot_mend_alone_is_not_answered_with_mend_and_send_again(register, folders):
    register.append([event("refused", code="UNIT_NOT_ON_LIST", message="Không có trong danh sách.")])
    register.append([event("held", source_hash="b" * 64, code="YEAR_LOCKED", message="Năm đã khóa sổ.")])
    write_receipts(register, folders)

    unlisted, locked = told(folders)
    assert "đề nghị Ban Tổ chức thêm đơn vị vào danh sách" in unlisted["advice"]
    assert "đề nghị Ban Tổ chức xác nhận hoặc mở khóa" in locked["advice"]


def test_codes_with_an_advice_of_their_own_are_codes_of_reports():
    page = (PROJECT / "docs" / "report-codes.md").read_text("utf-8")

    assert [code for code in ADVICE_BY_CODE if f"`{code}`" not in page] == []


@pytest.mark.parametrize("copied", [True, False])
def test_a_dead_letter_says_that_a_copy_is_kept_only_where_one_is(register, folders, copied):
    register.append([event("dead_letter", code="SYMLINK", message="Liên kết không được mở.", copied=copied)])
    write_receipts(register, folders)

    assert ("một bản sao được giữ" in told(folders)[0]["advice"]) == copied
    assert ("không có bản sao" in told(folders)[0]["advice"]) == (not copied)


BODY = {
    "code": "CODE",
    "message": "Vì sao",
    "rule": "q1",
    "until": "2026-12-31",
    "by": "Ban Tổ chức",
    "approver": "Ban Tổ chức",
    "reason": "Lý do",
    "limit_count": 3,
}


TOLD_ELSEWHERE = {"explained", "field_check_drawn", "heading_adopted", "returned"}
"""What no unit's inbox is told of."""


@pytest.mark.parametrize("kind", sorted(KINDS - OF_A_BUILD - OF_MEMBERS - TOLD_ELSEWHERE))
def test_every_change_of_state_of_a_unit_gives_a_receipt_in_vietnamese(register, folders, kind):
    register.append([event(kind, **BODY)])

    assert write_receipts(register, folders) == 1
    (receipt,) = told(folders)
    assert receipt["title"] == TITLES[kind]
    assert re.search("[ăâđêôơưáàảãạéèẻẽẹíìỉĩịóòỏõọúùủũụýỳỷỹỵ]", receipt["title"].lower())
    assert receipt["advice"]


def test_what_is_of_no_unit_goes_to_a_folder_of_its_own(register, folders):
    register.append([event("refused", unit_code=None, year=None, code="NOT_A_WORKBOOK", message="Không đọc được.")])
    write_receipts(register, folders)

    assert [receipt["state"] for receipt in told(folders, NOBODY)] == ["refused"]


@pytest.mark.parametrize(
    "code",
    ["../../etc", "/etc/cron.d", "..", ".", "67.003/../67.004", "a\0b", "67.003 ", "CON", "x" * 500, "Đ\n", "-rf"],
)
def test_a_hostile_unit_code_makes_one_plain_folder_in_the_outbox(register, folders, code):
    register.append([event("refused", unit_code=code, code="BAD_COVER", message="…")])
    write_receipts(register, folders)

    (place,) = [path for path in folders.outbox.iterdir() if path.is_dir()]
    assert place.parent == folders.outbox
    assert re.fullmatch(r"_[0-9A-Za-z._-]{1,60}", place.name)
    assert len(list(place.iterdir())) == 2


def test_different_codes_never_share_a_folder():
    codes = ["67.003", "67_003", "67/003", "67\\003", "67.003 ", "67.003.", "67.00３", "x" * 41, "x" * 42, "_67.003"]

    assert len({unit_folder(code) for code in codes}) == len(codes)


def test_nothing_in_a_file_name_is_taken_for_markup(register, folders):
    name = "<script>alert(1)</script>\"'&.xlsx"
    register.append([event("received", **{"file_name": name})])
    write_receipts(register, folders)

    (page,) = (folders.outbox / UNIT).glob("*.html")
    text = page.read_text("utf-8")
    assert "<script" not in text
    assert name in html.unescape(text)
    assert told(folders)[0]["file_name"] == name


def test_receipts_that_a_unit_has_taken_away_are_not_written_again(register, folders):
    register.append([event("received")])
    write_receipts(register, folders)
    for path in (folders.outbox / UNIT).iterdir():
        path.unlink()
    register.append([event("refused", code="X", message="…")])

    assert write_receipts(register, folders) == 1
    assert [receipt["state"] for receipt in told(folders)] == ["refused"]


def test_a_receipt_that_is_there_is_never_overwritten(register, folders):
    register.append([event("received")])
    place = folders.outbox / UNIT / "20260105T030000Z_00000001_received.json"
    place.parent.mkdir(parents=True)
    place.write_text("kept")
    write_receipts(register, folders)

    assert place.read_text() == "kept"
    assert place.with_suffix(".html").exists(), "what was missing is written"


@pytest.mark.parametrize("damage", ["", "not a mark", "7 " + "0" * 64])
def test_without_a_good_mark_only_what_is_missing_is_written(register, folders, damage):
    register.append([event("received")])
    write_receipts(register, folders)
    before = files(folders)
    (folders.outbox / ".written").write_text(damage)

    assert write_receipts(register, folders) == 0
    assert files(folders) == before


def test_writing_that_is_killed_at_random_points_leaves_whole_receipts_and_is_finished_by_the_next_run(tmp_path):
    dice = random.Random(7)
    events = [
        event(kind, source_hash=f"{number:064x}", unit_code=f"67.{number % 40:03}", sent_no=number, errors=number)
        for number in range(300)
        for kind in ("received", "accepted")
    ]
    written = {}
    for name in ("undisturbed", "killed"):
        folders = Folders(tmp_path / name)
        with Register.open(folders.register) as register:
            register.append(events)
        for kill in [True] * 5 * (name == "killed") + [False]:
            writing = begin(receipts, folders.data)
            if kill:
                time.sleep(dice.uniform(0, 0.8))
                writing.kill()
            else:
                writing.end()
            for path in folders.outbox.glob("*/*.json"):
                json.loads(path.read_text("utf-8"))
        written[name] = files(folders)
        assert not [path for path in folders.outbox.rglob(".*") if path.name != ".written"]

    assert written["killed"] == written["undisturbed"]
    assert len(written["killed"]) > 2 * len(events)


@pytest.fixture
def outside(folders):
    """A folder that nobody may be made to write into."""
    outside = folders.data / "outside"
    outside.mkdir()
    (outside / "target").write_text("kept")
    yield outside
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"target": "kept"}


STEM = "20260105T030000Z_00000001_received"


@pytest.mark.parametrize("target", ["target", "new"])
@pytest.mark.parametrize("name", ["{}.json", ".{}.json.{}", ".{}.html.{}"])
def test_a_link_laid_where_a_receipt_or_its_draft_will_be_is_not_followed_and_the_receipt_is_written(
    register, folders, outside, name, target
):
    register.append([event("received")])
    place = folders.outbox / UNIT
    place.mkdir(parents=True)
    os.symlink(outside / target, place / name.format(STEM, os.getpid()))

    assert write_receipts(register, folders) == 1
    assert {path.name for path in place.iterdir()} == {f"{STEM}.json", f"{STEM}.html"}
    assert not any(path.is_symlink() for path in place.iterdir())


def test_a_hard_link_laid_as_a_draft_is_not_written_into(register, folders, outside):
    register.append([event("received")])
    place = folders.outbox / UNIT
    place.mkdir(parents=True)
    os.link(outside / "target", place / f".{STEM}.json.{os.getpid()}")

    assert write_receipts(register, folders) == 1


def test_a_link_laid_as_the_draft_of_the_mark_is_not_followed(register, folders, outside):
    register.append([event("received")])
    folders.outbox.mkdir()
    os.symlink(outside / "target", folders.outbox / f".written.{os.getpid()}")

    assert write_receipts(register, folders) == 1


@pytest.mark.parametrize("what", ["link", "dangling link", "file"])
def test_a_units_folder_that_is_none_keeps_its_receipts_waiting_and_nobody_elses(register, folders, outside, what):
    place = folders.outbox / UNIT
    place.parent.mkdir()
    if what == "file":
        place.write_text("x")
    else:
        place.symlink_to(outside if what == "link" else folders.data / "nowhere")
    register.append([event("received"), event("received", unit_code="67.004")])

    assert write_receipts(register, folders) == 1
    assert outbox.closed_folders(folders) == [place]
    assert str(place) in outbox.closed_warning(folders)
    for path in (folders.outbox / "67.004").iterdir():
        path.unlink()
    register.append([event("accepted")])
    assert write_receipts(register, folders) == 0
    place.unlink()
    assert write_receipts(register, folders) == 2

    assert [one["state"] for one in told(folders)] == ["received", "accepted"]
    assert told(folders, "67.004") == [], "what a unit has taken away is not written again because of another"
    assert (outbox.closed_folders(folders), outbox.closed_warning(folders)) == ([], "")
    assert write_receipts(register, folders) == 0


def test_a_units_folder_that_may_not_be_written_into_keeps_its_receipts_waiting(register, folders):
    place = folders.outbox / UNIT
    place.mkdir(parents=True)
    place.chmod(0o500)
    register.append([event("received"), event("received", unit_code="67.004")])
    program = (
        "import sys; from pathlib import Path; from orchestration import outbox; "
        "from orchestration.settings import Folders; from submissions.register.log import Register; "
        "folders = Folders(Path(sys.argv[1])); register = Register.open(folders.register).__enter__(); "
        "print(outbox.write_receipts(register, folders), [path.name for path in outbox.closed_folders(folders)])"
    )
    command = without_rights([sys.executable, "-c", program, str(folders.data)])
    written = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, cwd=PROJECT).stdout

    assert written.strip() == f"1 ['{UNIT}']"
    place.chmod(0o700)
    assert write_receipts(register, folders) == 1


def test_sweeping_does_not_reach_through_a_folder_that_is_a_link(folders, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".draft.999999999").write_text("of somebody else")
    folders.outbox.mkdir()
    (folders.outbox / UNIT).symlink_to(elsewhere)
    outbox.sweep(folders.outbox)

    assert (elsewhere / ".draft.999999999").exists()
