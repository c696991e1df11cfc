"""The commands of the intake as a clerk and the committee type them: words, exit codes, and what is on disk after."""

import json
import shutil

import openpyxl
import pandas as pd
import pytest

from tests.workbooks import changed, unit_forms, write_unit


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def run(thucchat, data, *arguments):
    return thucchat("--data", str(data), *map(str, arguments))


def checked(thucchat, data, *arguments):
    """(exit code, replies) of a check in JSON."""
    result = run(thucchat, data, "check", "--json", *arguments)
    return result.returncode, json.loads(result.stdout)["files"]


def test_a_clean_report_a_report_with_issues_and_a_refused_file_have_their_exit_codes(thucchat, data, tmp_path):
    clean = write_unit(tmp_path / "sach.xlsx").path
    dirty = write_unit(tmp_path / "loi.xlsx", changed("members", 1, gender="?"), cover={"unit_code": "67.001"}).path
    bad = tmp_path / "hong.xlsx"
    bad.write_bytes(b"khong phai so tinh")

    assert checked(thucchat, data, clean)[0] == 0
    code, [reply] = checked(thucchat, data, dirty)
    assert (code, reply["state"]) == (1, "issues")
    assert [(one["sheet"], one["cell"], one["rule"], one["status"]) for one in reply["issues"]] == [
        ("Biểu 3", "E8", "not_in_list", "open")
    ]
    code, [reply] = checked(thucchat, data, bad)
    assert (code, reply["state"], reply["code"]) == (2, "refused", "NOT_A_WORKBOOK")
    assert not data.exists() or not (data / "store").exists()


def test_a_check_says_what_intake_says_and_leaves_no_trace(thucchat, data, tmp_path):
    last = write_unit(tmp_path / "2024.xlsx", unit_forms(2024), year=2024).path
    now = write_unit(tmp_path / "2025.xlsx", changed("members", 0, gender="?", year=2025), year=2025).path
    run(thucchat, data, "intake", last)
    before = sorted((path, path.stat().st_mtime_ns) for path in data.rglob("*.parquet"))

    _, [reply] = checked(thucchat, data, now)

    assert sorted((path, path.stat().st_mtime_ns) for path in data.rglob("*.parquet")) == before
    run(thucchat, data, "intake", now)
    run(thucchat, data, "issues", "--csv", tmp_path / "loi.csv")
    listed = pd.read_csv(tmp_path / "loi.csv", dtype="str", keep_default_na=False)
    listed = listed[listed["file"] == "2025.xlsx"]
    told = pd.DataFrame(reply["issues"])[list(listed.columns)].astype("str")
    assert told.drop(columns="value").to_dict("records") == listed.drop(columns="value").to_dict("records")


def test_the_marked_copy_lies_beside_the_file_or_where_it_was_asked_for(thucchat, data, tmp_path):
    dirty = write_unit(tmp_path / "loi.xlsx", changed("members", 1, gender="?")).path

    code, [reply] = checked(thucchat, data, dirty, "--annotate", tmp_path / "ra")

    copy = next(path for path in (tmp_path / "ra").iterdir() if path.name.endswith("_TRA_LAI.xlsx"))
    assert code == 1
    assert str(copy) in reply["annotated"]
    assert openpyxl.load_workbook(copy).sheetnames[0] == "LOI_CAN_SUA"


def test_on_the_terminal_no_card_number_is_shown(thucchat, data, tmp_path):
    forms = changed("members", 1, card_no="671234567890")
    result = run(thucchat, data, "check", write_unit(tmp_path / "a.xlsx", forms).path)

    assert result.returncode == 1
    assert "Biểu" in result.stdout
    assert "671234567890" not in result.stdout + result.stderr


def test_any_file_is_inspected_with_its_type_sheets_and_cells(thucchat, data, tmp_path):
    path = write_unit(tmp_path / "a.xlsx").path

    result = run(thucchat, data, "inspect", path, "--json", "--cells")

    told = json.loads(result.stdout)
    assert told["type"] == "xlsx"
    assert told["refusal"] is None
    cover = next(sheet for sheet in told["sheets"] if sheet["name"] == "Thông tin chung")
    assert ["Mã đơn vị báo cáo", "67.001"] in [row[:2] for row in cover["cells"]]
    assert run(thucchat, data, "inspect", tmp_path / "khong-co.xlsx").returncode == 2


def test_a_template_is_written_once_and_comes_back_refused_until_it_is_filled_in(thucchat, data, tmp_path):
    run(thucchat, data, "intake", write_unit(tmp_path / "2024.xlsx", unit_forms(2024), year=2024).path)
    path = tmp_path / "mau.xlsx"

    first = run(thucchat, data, "template", "--unit", "67.001", "--year", "2025", "--out", path)
    again = run(thucchat, data, "template", "--unit", "67.001", "--year", "2025", "--out", path)

    assert first.returncode == 0
    assert "năm 2024" in first.stdout
    assert path.stat().st_mode & 0o077 == 0
    assert again.returncode == 1
    assert "đã có" in again.stderr
    code, [reply] = checked(thucchat, data, path)
    assert (code, reply["code"]) == (2, "UNTOUCHED_TEMPLATE")


def test_the_register_tells_who_owes_what_and_a_held_sending_counts_once_it_is_confirmed(thucchat, data, tmp_path):
    write_unit(tmp_path / "2024.xlsx", unit_forms(2024), year=2024)
    run(thucchat, data, "intake", tmp_path / "2024.xlsx")
    (data / "units.csv").write_text(
        "unit_code,unit_name,from_year,to_year,level\n67.001,Huyện Thử,2024,,huyện\n67.002,Huyện Nợ,2024,,huyện\n",
        encoding="utf-8",
    )
    assert run(thucchat, data, "register", "lock", "2024", "--by", "BTC", "--reason", "đã báo cáo").returncode == 0
    second = write_unit(tmp_path / "2024b.xlsx", changed("members", 1, school="THCS"), year=2024, cover={"sent_no": 2})

    held = run(thucchat, data, "intake", second.path)

    assert held.returncode == 1
    told = json.loads(run(thucchat, data, "register", "--sendings", "--json").stdout)["rows"]
    waiting = next(row for row in told if row["state_reason_code"] == "YEAR_LOCKED")
    assert [row["number"] for row in told] == [1, 2]
    confirmed = run(
        thucchat, data, "register", "confirm", waiting["source_hash"][:10], "--by", "BTC", "--reason", "số đúng"
    )
    assert confirmed.returncode == 0, confirmed.stderr
    owed = json.loads(run(thucchat, data, "register", "--year", "2024", "--json").stdout)
    assert {row["unit_code"]: row["state"] for row in owed["rows"]} == {"67.001": "late", "67.002": "overdue"}
    assert owed["rates"][0]["reporting_rate"] == 0.5
    changes = json.loads(run(thucchat, data, "changes", "67.001", "2024", "--json").stdout)["rows"]
    assert [(row["form"], row["column"], row["after"]) for row in changes] == [("Biểu 3", "Học vấn phổ thông", "THCS")]
    assert run(thucchat, data, "register", "verify").returncode == 0


def refused_at(folder, name, **cover):
    """A unit's report that is refused when it lies in the inbox of unit 67.001, and says that it is of this unit."""
    path = write_unit(folder / name, cover=cover).path
    book = openpyxl.load_workbook(path)
    del book["Biểu 3"]
    book.save(path)
    return path


def test_changes_passes_over_sendings_that_were_refused(thucchat, data, tmp_path):
    first = write_unit(tmp_path / "1.xlsx").path
    second = refused_at(tmp_path, "2.xlsx", sent_no=2)
    third = write_unit(tmp_path / "3.xlsx", changed("members", 1, school="THCS"), cover={"sent_no": 3}).path
    last = refused_at(tmp_path, "4.xlsx", sent_no=4)
    for path in (first, second, third, last):
        run(thucchat, data, "intake", path)

    told = run(thucchat, data, "changes", "67.001", "2024", "--json")
    asked_for = run(thucchat, data, "changes", "67.001", "2024", "--to", "4")

    assert told.returncode == 0, told.stderr
    assert [(row["column"], row["after"]) for row in json.loads(told.stdout)["rows"]] == [("Học vấn phổ thông", "THCS")]
    assert asked_for.returncode == 2
    assert "Không so được lần gửi 4. Các lần so được: 1, 3." in asked_for.stderr


def test_changes_says_what_there_is_where_there_are_no_two_sendings_to_compare(thucchat, data, tmp_path):
    run(thucchat, data, "intake", write_unit(tmp_path / "1.xlsx").path)
    run(thucchat, data, "intake", refused_at(tmp_path, "2.xlsx", sent_no=2))

    one = run(thucchat, data, "changes", "67.001", "2024")
    none = run(thucchat, data, "changes", "67.009", "2024")

    assert (one.returncode, none.returncode) == (2, 2)
    assert "có 1 lần gửi đọc được; cần hai lần" in one.stderr
    assert "lần 1: đã tiếp nhận; lần 2: bị trả lại" in one.stderr
    assert "Chưa nhận tệp nào" in none.stderr


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_unit_that_nobody_knows_is_warned_of_and_one_that_is_known_is_not(thucchat, data, tmp_path, is_listed):
    run(thucchat, data, "intake", write_unit(tmp_path / "1.xlsx").path)
    if is_listed:
        (data / "units.csv").write_text("unit_code,unit_name\n67.001,Huyện Thử\n", encoding="utf-8")
    asked = ("--until", "31/12/2099", "--by", "BTC", "--reason", "lũ")

    known = run(thucchat, data, "extend", "67.001", "2024", *asked)
    unknown = run(thucchat, data, "extend", "67.999", "2024", *asked)
    made = run(thucchat, data, "template", "--unit", "67.999", "--year", "2025", "--out", tmp_path / "mau.xlsx")

    assert [one.returncode for one in (known, unknown, made)] == [0, 0, 0]
    assert known.stderr == ""
    for one in (unknown, made):
        assert one.stderr.startswith("Cảnh báo: mã 67.999 không có trong ")
        assert ("units.csv" in one.stderr) == is_listed


@pytest.mark.parametrize("unit", ["../67.001", "67 001", "67..001", "Nguyễn Văn A", "670000000001", ""])
def test_what_is_no_code_of_a_unit_is_a_mistake_of_the_command(thucchat, data, tmp_path, unit):
    asked = ("--until", "31/12/2099", "--by", "BTC", "--reason", "lũ")

    extended = run(thucchat, data, "extend", unit, "2024", *asked)
    made = run(thucchat, data, "template", "--unit", unit, "--year", "2025", "--out", tmp_path / "mau.xlsx")

    for one in (extended, made):
        assert one.returncode == 2
        assert "không phải là mã đơn vị" in one.stderr
    assert not (tmp_path / "mau.xlsx").exists()
    assert not (data / "register.sqlite").exists()


def test_what_lies_in_a_units_inbox_is_that_units_for_the_command_too(thucchat, data, tmp_path):
    inbox = data / "inbox"
    for folder in ("67.001", "67.002/năm 2024", "chung"):
        (inbox / folder).mkdir(parents=True)
    written = write_unit(tmp_path / "1.xlsx").path
    shutil.copy(written, inbox / "67.002" / "năm 2024" / "lạc.xlsx")

    strayed = run(thucchat, data, "intake", inbox)
    shutil.copy(written, inbox / "67.001" / "đúng chỗ.xlsx")
    right = run(thucchat, data, "intake", inbox / "67.001")
    (inbox / "chung" / "ghi chú.txt").write_text("x")
    others = run(thucchat, data, "intake", inbox / "chung")

    assert strayed.returncode == 1
    assert "67.002" in strayed.stdout
    [strayed_letter] = [json.loads(path.read_text()) for path in (data / "outbox" / "67.002").glob("*_refused.json")]
    assert strayed_letter["code"] == "UNIT_MISMATCH"
    assert right.returncode == 0, right.stdout + right.stderr
    assert list((data / "outbox" / "67.001").glob("*_accepted.json"))
    assert "không phải bảng tính: ghi chú.txt" in others.stdout


def receipts(data, unit):
    return [json.loads(path.read_text("utf-8")) for path in sorted((data / "outbox" / unit).glob("*.json"))]


def test_a_unit_that_sends_bytes_refused_before_is_told_why_and_another_unit_is_not(thucchat, data):
    inbox = data / "inbox"
    for folder in ("67.012", "67.003"):
        (inbox / folder).mkdir(parents=True)
    (inbox / "chung.xlsx").write_bytes(b"khong phai so tinh")
    run(thucchat, data, "intake", inbox)
    (inbox / "67.012" / "của ta.xlsx").write_bytes(b"khong phai so tinh")
    run(thucchat, data, "intake", inbox)
    (inbox / "67.003" / "riêng.xlsx").write_bytes(b"cung khong phai")
    (inbox / "67.012" / "mượn.xlsx").write_bytes(b"cung khong phai")
    run(thucchat, data, "intake", inbox / "67.003")
    run(thucchat, data, "intake", inbox / "67.012")

    known, borrowed = receipts(data, "67.012")
    assert (known["state"], known["file_name"], known["code"]) == ("duplicate", "của ta.xlsx", "NOT_A_WORKBOOK")
    assert known["message"]
    assert "gửi lại" in known["advice"]
    assert (borrowed["state"], borrowed["file_name"]) == ("duplicate", "mượn.xlsx")
    assert "code" not in borrowed
    assert "67.003" not in json.dumps(borrowed)
    refused = receipts(data, "67.003")[-1]
    assert (refused["state"], refused["file_name"]) == ("refused", "riêng.xlsx")


def test_a_units_folder_that_is_a_link_is_warned_of_and_gets_its_receipts_once_it_is_none(thucchat, data, tmp_path):
    outside = tmp_path / "nơi khác"
    outside.mkdir()
    (data / "outbox").mkdir(parents=True)
    (data / "outbox" / "67.001").symlink_to(outside)

    first = run(thucchat, data, "intake", write_unit(tmp_path / "a.xlsx").path)
    (data / "outbox" / "67.001").unlink()
    second = run(thucchat, data, "intake", tmp_path / "a.xlsx")

    assert (first.returncode, second.returncode) == (0, 0)
    assert "Chưa ghi được phiếu vào" in first.stderr
    assert list(outside.iterdir()) == []
    assert second.stderr == ""
    assert [one["state"] for one in receipts(data, "67.001")] == ["received", "accepted"]


def test_an_extension_makes_a_late_report_be_in_time(thucchat, data, tmp_path):
    write_unit(tmp_path / "2025.xlsx", unit_forms(2025), year=2025)
    run(thucchat, data, "intake", tmp_path / "2025.xlsx")

    told = run(thucchat, data, "extend", "67.001", "2025", "--until", "31/12/2099", "--by", "BTC", "--reason", "lũ")

    assert told.returncode == 0, told.stderr
    [owed] = json.loads(run(thucchat, data, "register", "--year", "2025", "--json").stdout)["rows"]
    assert (owed["state"], owed["days_late"]) == ("on_time", 0)
    short = run(thucchat, data, "extend", "67.001", "2025", "--until", "01/01/2020", "--by", "BTC", "--reason", "x")
    assert short.returncode == 1
    assert "không dài hơn" in short.stderr


def test_a_drifted_heading_stops_the_file_until_a_person_adopts_it(thucchat, data, tmp_path):
    path = write_unit(tmp_path / "a.xlsx").path
    book = openpyxl.load_workbook(path)
    cell = next(cell for row in book["Biểu 3"].iter_rows() for cell in row if cell.value == "Dân tộc")
    cell.value = "Thành phần dân tộc"
    book.save(path)

    code, [reply] = checked(thucchat, data, path)

    assert code == 2
    assert "thucchat forms adopt" in reply["message"]
    adopted = run(
        thucchat, data, "forms", "adopt", "B12-2021", "Biểu 3", "ethnicity", "Thành phần dân tộc", "--by", "BTC"
    )
    assert adopted.returncode == 0, adopted.stderr
    assert checked(thucchat, data, path)[0] == 0
    assert "Thành phần dân tộc" in run(thucchat, data, "forms", "list").stdout


def test_a_copy_of_another_units_report_is_held_and_named(thucchat, data, tmp_path):
    source = write_unit(tmp_path / "a.xlsx").path
    (data / "inbox").mkdir(parents=True)
    shutil.copy(source, tmp_path / "b.xlsx")
    book = openpyxl.load_workbook(tmp_path / "b.xlsx")
    cover = book["Thông tin chung"]
    next(row for row in cover.iter_rows() if row[0].value == "Mã đơn vị báo cáo")[1].value = "67.002"
    book.save(tmp_path / "b.xlsx")

    _, replies = checked(thucchat, data, source, tmp_path / "b.xlsx")

    assert [(one["rule"], one["message"]) for one in replies[0]["issues"]] == []
    assert (replies[1]["state"], replies[1]["code"]) == ("held", "OTHER_UNIT_FILE")
    assert "67.001" in replies[1]["message"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check",), "Thiếu tham số"),
        (("check", "khong-co.xlsx"), "Không tìm thấy"),
        (("register",), "Chưa có sổ theo dõi"),
        (("extend", "67.001", "2025", "--until", "31/02/2026", "--by", "a", "--reason", "b"), "dd/mm/yyyy"),
        (("register", "waive", "khong_co", "67.001", "2025", "--count", "1", "--until", "1/1/2027", "--by", "a",
          "--reason", "b"), "Không có quy tắc"),
        (("forms", "adopt", "B12-1900", "Biểu 3", "ethnicity", "X", "--by", "a"), "B12-1900"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_vietnamese_sentence_without_traceback(thucchat, data, arguments, told):
    result = run(thucchat, data, *arguments)

    assert result.returncode in {1, 2}
    assert told in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
