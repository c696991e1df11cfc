"""The command line as its users meet it: a process, its words, its exit code."""

import csv
import os
import re
import shutil
import subprocess
import sys

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from orchestration.command import cli
from orchestration.listing import harmless, write_csv
from orchestration.problems import ProblemError
from orchestration.settings import PROJECT, Folders
from orchestration.terminal import hidden
from submissions.issues import COLUMNS

CARD = re.compile(r"(?<!\d)\d{12}(?!\d)")


def test_help_is_vietnamese_and_shows_every_command_with_examples(thucchat):
    told = thucchat("--help").stdout

    assert "Cách dùng: thucchat" in told
    assert "Ví dụ:" in told
    names = (
        "demo",
        "intake",
        "build",
        "builds",
        "diff",
        "publish",
        "rollback",
        "restatements",
        "issues",
        "findings",
        "review",
        "pack",
    )
    for name in names:
        assert re.search(rf"^  {name} ", told, re.MULTILINE)
    assert not re.search(r"Usage|Options|Commands|Show this message", told)


ENGLISH = re.compile(
    r"Usage|Options|Commands|Show this|required|default|COMMAND|ARGS|<=|\b(FILE|DIR|PATH|WHO|TEXT|UNIT|YEAR|HASH|RULE"
    r"|NAME|PORT|INTEGER|FLOAT|RANGE|not a valid|Error|Missing|Invalid)\b"
)


def every_command(group=cli, names=()):
    for name, command in group.commands.items():
        yield (*names, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*names, name))


@pytest.mark.parametrize("names", [(), *every_command()], ids=" ".join)
def test_no_english_word_of_the_library_is_in_any_help(names):
    told = CliRunner().invoke(cli, [*names, "--help"], prog_name="thucchat")

    assert told.exit_code == 0
    assert "Cách dùng: thucchat" in told.output
    assert not ENGLISH.search(told.output), told.output


@pytest.mark.parametrize("names", [(), ("forms",)])
def test_a_group_without_a_command_shows_its_help(process, names):
    result = process(*names)

    assert result.returncode == 2
    assert result.stderr.startswith("Cách dùng: thucchat")


@pytest.mark.parametrize("name", list(cli.commands))
def test_every_command_explains_itself_with_an_example(thucchat, name):
    result = thucchat(name, "--help")

    assert result.returncode == 0
    assert f"Cách dùng: thucchat {name}" in result.stdout
    assert re.search(rf"thucchat .*{name}", result.stdout.split("Ví dụ:")[1])
    assert not re.search(r"Usage|Options|Show this message", result.stdout)


def test_help_starts_without_the_heavy_libraries():
    program = (
        "import sys; sys.argv = ['thucchat', '--help']\n"
        "from orchestration.command import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'dagster', 'dbt', 'duckdb', 'pandas', 'great_expectations', 'matplotlib', 'typst', 'rich', 'yaml'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=PROJECT)

    assert result.returncode == 0, result.stderr


def test_vietnamese_does_not_break_where_the_locale_knows_only_ascii(process):
    bare = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHON"))}
    result = process("--help", env={**bare, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})

    assert result.returncode == 0
    assert "Thực Chất" in result.stdout


def test_a_build_before_any_report_came_says_what_is_missing(thucchat, tmp_path):
    result = thucchat("--data", tmp_path / "data", "build")

    assert result.returncode == 1
    assert "Chưa có báo cáo nào được nhận" in result.stderr


def test_a_list_that_cannot_be_written_is_a_problem_in_one_sentence(tmp_path):
    with pytest.raises(ProblemError, match="thư mục không tồn tại"):
        write_csv(pd.DataFrame({"a": [1]}), tmp_path / "no" / "such" / "list.csv")


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (["nothing"], "Không có lệnh này", 2),
        (["intake"], "Thiếu tham số", 2),
        (["pack", "kiem-diem-cuoi-nam"], "Thiếu tham số", 2),
        (["pack", "kiem-diem-cuoi-nam", "--year", "năm nay"], "không hợp lệ", 2),
        (["pack", "kiem-diem-cuoi-nam", "--year"], "--year viết chưa đúng: nó cần một giá trị.", 2),
        (
            ["changes", "67.001", "abcd"],
            "NĂM không hợp lệ: tìm thấy “abcd”, cần một số nguyên từ 1900 đến 2199.",
            2,
        ),
        (
            ["changes", "67.001", "1800"],
            "NĂM không hợp lệ: tìm thấy “1800”, cần một số nguyên từ 1900 đến 2199.",
            2,
        ),
        (["changes", "67.001", "2025", "--from", "x"], "của --from không hợp lệ: tìm thấy “x”, cần một số nguyên.", 2),
        (["changes", "67.001", "2025", "7"], "Thừa tham số: 7.", 2),
        (
            ["review", "--level", "huyện"],
            "của --level không hợp lệ: tìm thấy “huyện”, cần một trong: grassroots, cell, unit.",
            2,
        ),
        (["issues", "--csv", "/"], "của --csv không hợp lệ: tìm thấy “/”, cần tên một tệp.", 2),
        (["register", "--json=1"], "--json viết chưa đúng: nó không nhận giá trị.", 2),
        (["forms", "nothing"], "Không có lệnh này; các lệnh: adopt, remove, list.", 2),
        (["build", "--fast"], "Không có tùy chọn --fast", 2),
        (["build", "--as-known", "hôm qua"], "cần một ngày dạng dd/mm/yyyy", 2),
        (["build", "--as-known", "01/02/2026", "--from", "3f2a91c0"], "Chỉ dùng một trong hai", 2),
        (["build", "--as-known", "01/02/2099"], "Ngày 01/02/2099 chưa đến.", 1),
        (["build", "--from", "3f2a91c0"], "Có 0 bản dựng có mã bắt đầu bằng “3f2a91c0”", 2),
        (["builds"], "thucchat build", 1),
        (["diff"], "Không có bản dựng nào chờ chấp nhận", 2),
        (["diff", "3f2a91c0", "8be04d17"], "thucchat builds", 2),
        (["publish"], "Thiếu tham số --by", 2),
        (["publish", "--by", "Ban Tổ chức", "--reason", " "], "lý do", 2),
        (["publish", "--by", "Ban Tổ chức", "--reason", "vì"], "Không có bản dựng nào chờ chấp nhận", 1),
        (["rollback", "--by", "Ban Tổ chức", "--reason", "vì"], "thucchat build", 1),
        (["restatements"], "thucchat intake", 1),
        (["intake", "/no/such/file.xlsx"], "Không tìm thấy: /no/such/file.xlsx", 2),
        (["issues"], "thucchat intake", 1),
        (["findings"], "thucchat build", 1),
        (["review"], "thucchat build", 1),
        (["pack", "kiem-diem-cuoi-nam", "--year", "2025"], "thucchat build", 1),
    ],
)
def test_a_users_mistake_is_one_vietnamese_sentence_and_no_traceback(thucchat, tmp_path, arguments, told, code):
    result = thucchat("--data", tmp_path / "data", *arguments)

    assert result.returncode == code
    assert result.stderr.startswith("Lỗi: ")
    assert told in result.stderr
    assert ".." not in result.stderr.replace("...", "")
    assert not ENGLISH.search(result.stderr)
    assert "Traceback" not in result.stderr


def test_a_list_that_cannot_be_used_is_told_with_its_place(thucchat, tmp_path):
    (tmp_path / "units.csv").write_text("mã,tên\n", encoding="utf-8")
    result = thucchat("--data", tmp_path, "template", "--unit", "67.001", "--year", "2025")

    assert result.returncode == 1
    assert "units.csv: thiếu cột unit_code" in result.stderr


def test_intake_reads_a_folder_says_what_became_of_each_file_and_fails_when_one_is_refused(thucchat, whole, tmp_path):
    result = thucchat("--data", tmp_path, "intake", whole.inbox)

    assert result.returncode == 1
    assert result.stdout.count("đã đọc  ") == 8
    assert "trả lại" in result.stdout
    assert re.search(r"[\d.]+ dòng = [\d.]+ nạp \+ [\d.]+ giữ lại", result.stdout)
    assert not CARD.search(result.stdout)
    again = thucchat("--data", tmp_path, "intake", whole.inbox / "So ky luat UBKT 2024.xlsx")
    assert again.returncode == 0
    assert "đã biết" in again.stdout


def test_issues_are_listed_without_card_numbers_and_written_for_the_owner_alone(thucchat, whole, tmp_path):
    shown = thucchat("--data", whole.data, "issues")
    written = thucchat("--data", whole.data, "issues", "--csv", tmp_path / "lỗi.csv")

    assert (shown.returncode, written.returncode) == (0, 0)
    assert "67.012" in shown.stdout
    assert not CARD.search(shown.stdout)
    assert (tmp_path / "lỗi.csv").stat().st_mode & 0o777 == 0o600
    with (tmp_path / "lỗi.csv").open(encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    assert heading == list(COLUMNS)
    assert any(CARD.search(row[heading.index("key")]) for row in rows)


def test_findings_come_from_the_published_warehouse(thucchat, whole, tmp_path):
    shown = thucchat("--data", whole.data, "findings")
    written = thucchat("--data", whole.data, "findings", "--csv", tmp_path / "phát hiện.csv")

    assert (shown.returncode, written.returncode) == (0, 0)
    assert "Chưa kiểm tra được (không được coi là đạt)" in shown.stdout
    listed = pd.read_csv(tmp_path / "phát hiện.csv")
    assert f"{len(listed)} phát hiện theo quy tắc" in shown.stdout
    assert {"rule_id", "reported", "contradicted_by", "legal_source"} <= set(listed.columns)


def test_a_year_is_judged_again_by_another_regulation_and_nothing_is_stored(thucchat, own, tmp_path):
    def state():
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in own.data.rglob("*") if path.is_file()}

    before = state()
    shown = thucchat("--data", own.data, "findings", "--regime", "QD132", "--year", "2025")
    written = thucchat("--data", own.data, "findings", "--regime", "QD132", "--csv", tmp_path / "lại.csv")
    usual = thucchat("--data", own.data, "findings", "--year", "2025")
    unknown = thucchat("--data", own.data, "findings", "--regime", "QD9")
    lacking = thucchat("--data", own.data, "findings", "--year", "1999")

    assert [result.returncode for result in (shown, written, usual, unknown, lacking)] == [0, 0, 0, 2, 1]
    assert shown.stdout.startswith("ĐÁNH GIÁ LẠI theo 132-QĐ/TW (21-HD/BTCTW)")
    assert "ĐÁNH GIÁ LẠI" not in usual.stdout
    listed = pd.read_csv(tmp_path / "lại.csv")
    assert set(listed["regime_id"]) == {"QD132"}
    assert listed["is_rejudged"].all()
    assert "QD132 (132-QĐ/TW, 21-HD/BTCTW)" in unknown.stderr
    assert "không có báo cáo năm 1999" in lacking.stderr
    assert state() == before


def test_a_pack_is_the_same_file_each_time_and_an_unknown_year_is_refused(thucchat, own):
    (first,) = own.packs.rglob("*.pdf")
    before = first.read_bytes()
    result = thucchat("--data", own.data, "pack", "kiem-diem-cuoi-nam", "--year", "2025")
    unknown = thucchat("--data", own.data, "pack", "kiem-diem-cuoi-nam", "--year", "1999")
    unnamed = thucchat("--data", own.data, "pack", "nothing", "--year", "2025")

    assert result.returncode == 0, result.stderr
    assert first.name in result.stdout.replace("\n", "")
    assert first.read_bytes() == before
    assert (unknown.returncode, unnamed.returncode) == (1, 1)
    assert "có các năm: 2022, 2023, 2024, 2025" in unknown.stderr
    assert "kiem-diem-cuoi-nam" in unnamed.stderr


def test_the_demonstration_has_three_units_four_years_and_says_where_everything_lies(thucchat, whole, tmp_path):
    folders = Folders(tmp_path / "demo")
    # What dbt ran for another province with the same key does for this one: `test_statements.py` and
    # `test_dbt_alone.py` prove it.
    for kept in ("dagster/statements", "secrets"):
        shutil.copytree(whole.data / kept, folders.data / kept)
    result = thucchat("--data", tmp_path, "demo")

    assert result.returncode == 0, result.stderr
    assert folders.published.exists()
    (pack,) = folders.packs.rglob("*.pdf")
    told = result.stdout.replace("\n", "")
    for place in (folders.published, pack, folders.findings / "findings.parquet", folders.returned):
        assert str(place) in told
    assert "http://127.0.0.1:3000" in told
    assert re.search(r"2025 │ +3 │ +3 │", told)


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-cmd|x", "@SUM(A1)", "\tx", "＝1+1"])
def test_a_text_that_would_start_a_formula_is_made_harmless(text):
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize("value", ["-5", "+3,5", "-1.234,5", "12-QĐ", "", None, 5, "67.003"])
def test_numbers_and_plain_texts_are_written_as_they_are(value):
    assert harmless(value) == value


def test_a_list_replaces_the_former_one_and_leaves_nothing_beside_it(tmp_path):
    for count in (2, 1):
        write_csv(pd.DataFrame({"value": ["=x"] * count, "year": [2025] * count}), tmp_path / "a.csv")

    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text(encoding="utf-8") == "value,year\n'=x,2025\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("thẻ 670001184933 trùng", "thẻ •••• trùng"),
        ("67 0001 184 933", "••••"),
        # A hash is copied by hand to confirm a sending.
        ("123456789012" + 52 * "a", "123456789012" + 52 * "a"),
        ("năm 2025, 75 điểm", "năm 2025, 75 điểm"),
        ("chi bộ 67.002.001.000.015: 1 tổ chức", "chi bộ 67.002.001.000.015: 1 tổ chức"),
    ],
)
def test_what_looks_like_a_card_number_is_covered_on_the_terminal(text, shown):
    assert hidden(text) == shown
