"""``thucchat screen`` as its users meet it: any table in, a list with reasons out, or why the table was refused."""

import csv
import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from orchestration.command import cli
from orchestration.problems import ProblemError
from orchestration.screen_commands import read_table
from ratings.signals.frames import InputError
from reports import screen_page

LEVELS = ["XS", "HTT", "HT", "KHT"]


def ratings(organisations=60, name="c{:03d}"):
    random = np.random.default_rng(4)
    size = random.integers(20, 60, organisations)
    rows = []
    for year in (2024, 2025):
        good = random.binomial(size, 0.8)
        top = random.binomial(good, 0.15)
        poor = random.binomial(size - good, 0.2)
        codes = [name.format(place) for place in range(organisations)]
        rows.append(
            pd.DataFrame(
                {"unit": codes, "year": year, "XS": top, "HTT": good - top, "HT": size - good - poor, "KHT": poor}
            )
        )
    frame = pd.concat(rows, ignore_index=True)
    frame.loc[frame["unit"] == name.format(7), LEVELS] = [0, 45, 0, 0]
    return frame


def scores():
    random = np.random.default_rng(5)
    value = np.clip(np.round(random.normal(60, 14, 6000)), 0, 100)
    value[(value >= 46) & (value < 50)] = 50
    return pd.DataFrame({"school": [f"s{place % 30:02d}" for place in range(6000)], "score": value})


@pytest.fixture
def screen():
    """Run the command on a file; the result has `stdout`, `exit_code` and, where it was refused, `told`."""

    def run(path, *options):
        result = CliRunner().invoke(cli, ["screen", str(path), *map(str, options)], standalone_mode=False)
        refused = isinstance(result.exception, ProblemError)
        assert refused or result.exception is None, result.exception
        result.told = str(result.exception) if refused else ""
        result.exit_code = result.exception.exit_code if refused else 0
        return result

    return run


def answer(result):
    return json.loads(result.stdout)


def test_csv_excel_and_parquet_give_the_same_answer(screen, tmp_path):
    frame = ratings()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "b.txt", index=False, sep=";", encoding="utf-8-sig")
    frame.to_excel(tmp_path / "c.xlsx", index=False)
    frame.to_parquet(tmp_path / "d.parquet")

    answers = [answer(screen(tmp_path / name, "--json")) for name in ("a.csv", "b.txt", "c.xlsx", "d.parquet")]

    for each in answers:
        each.pop("table")
    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert answers[0]["list"][0]["organisation"] == "c007"
    assert answers[0]["period"] == 2025


def test_the_screen_shows_the_list_the_reasons_the_budget_and_what_was_not_tested(screen, tmp_path):
    ratings().to_csv(tmp_path / "a.csv", index=False)

    told = screen(tmp_path / "a.csv", "--show", 2).stdout

    for part in (
        "Danh sách đề nghị thẩm định lại",
        "c007",
        "đề nghị thẩm định lại.",
        "Do ngẫu nhiên",
        "Không kiểm tra",
    ):
        assert part in told
    assert "organisation = unit" in told


def test_everyone_and_the_reasons_go_into_the_csv_and_no_text_becomes_a_formula(screen, tmp_path):
    ratings(name="=c{:03d}").to_csv(tmp_path / "a.csv", index=False)

    screen(tmp_path / "a.csv", "--csv", tmp_path / "out.csv")

    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 60
    assert rows[0]["organisation"] == "'=c007"
    assert "đề nghị thẩm định lại" in rows[0]["reasons"]
    assert (tmp_path / "out.csv").stat().st_mode & 0o777 == 0o600


def test_the_page_needs_no_network_and_runs_nothing_that_stood_in_the_table(screen, tmp_path):
    ratings(name="<script>alert({})</script>").to_csv(tmp_path / "a.csv", index=False)

    screen(tmp_path / "a.csv", "--html", tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "http" not in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(7)" in page
    assert page.count("<svg") == 1
    assert "Đã kiểm tra những gì" in page


def test_the_page_has_the_charts_that_fit_and_is_the_same_twice(screen, tmp_path):
    frame = scores().assign(claim="XS", level="HTT", subject=lambda frame: frame.index)
    frame.loc[::5, "level"] = "HT"
    frame.to_csv(tmp_path / "a.csv", index=False)
    options = ("--organisation", "school", "--score", "score", "--cutoffs", "50", "--self", "claim", "--html")

    pages = []
    for name in ("one.html", "two.html"):
        screen(tmp_path / "a.csv", *options, tmp_path / name)
        pages.append((tmp_path / name).read_text(encoding="utf-8"))

    assert pages[0] == pages[1]
    assert pages[0].count("<svg") == 3
    ids = re.findall(r' id="([^"]+)"', pages[0])
    assert len(ids) == len(set(ids))
    assert "Điểm dồn trên ngưỡng" in pages[0]


def test_of_fifteen_units_and_one_period_nobody_is_in_band_a_and_it_is_said_why(screen, tmp_path):
    frame = ratings(organisations=15)
    frame[frame["year"] == 2025].to_csv(tmp_path / "a.csv", index=False)

    told = screen(tmp_path / "a.csv", "--html", tmp_path / "page.html").stdout
    page = (tmp_path / "page.html").read_text(encoding="utf-8")

    for each in (told, page):
        assert "Nhóm A 0, B " in each
        assert "Không xếp nhóm A vì kiểm tra được dưới 30 tổ chức." in each
    assert "không có mức của chính tổ chức" in page
    sizes = re.search(r'id="hinh0-matplotlib.axis_1".*?id="hinh0-matplotlib.axis_2"', page, re.DOTALL)
    assert len(re.findall(r'id="hinh0-xtick_\d+"', sizes[0])) >= 2


def test_the_page_names_the_first_of_many_and_says_how_many_there_are(screen, tmp_path, monkeypatch):
    monkeypatch.setattr(screen_page, "MOST_SHOWN", 2)
    ratings().to_csv(tmp_path / "a.csv", index=False)

    found = answer(screen(tmp_path / "a.csv", "--html", tmp_path / "page.html", "--json"))["list"]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")

    assert len(found) > 2
    assert page.count("<details") == 2
    assert f"chỉ nêu 2 tổ chức đứng đầu trong {len(found)};" in page


def test_scores_with_a_cutoff_are_judged_as_a_whole(screen, tmp_path):
    scores().to_csv(tmp_path / "a.csv", index=False)

    found = answer(screen(tmp_path / "a.csv", "--organisation", "school", "--cutoffs", "50,80", "--json"))["bunching"]

    whole = {row["cutoff"]: row for row in found if row["kind"] == "all" and not row["is_placebo"]}
    assert whole[50]["q"] < 0.05 < whole[80]["q"]


def test_columns_may_be_told_by_options_or_by_yaml_and_options_win(screen, tmp_path):
    renamed = ratings().rename(columns={"unit": "x1", "year": "x2", **dict(zip(LEVELS, "abcd", strict=True))})
    renamed.to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "map.yaml").write_text(
        "organisation: x1\nperiod: sai\nlevels: [XS, HTT, HT, KHT]\n"
        "level_columns: {XS: a, HTT: b, HT: c, KHT: d}\ntarget: 0.8\n",
        encoding="utf-8",
    )

    by_options = ("--organisation", "x1", "--period", "x2", "--levels", "XS=a,HTT=b,HT=c,KHT=d", "--target", "80%")
    first = answer(screen(tmp_path / "a.csv", *by_options, "--json"))
    second = answer(screen(tmp_path / "a.csv", "--map", tmp_path / "map.yaml", "--period", "x2", "--json"))

    assert first == second
    assert first["layout"]["target"] == 0.8


def test_evidence_has_a_direction(screen, tmp_path):
    ratings().assign(late=range(120), met=range(120)).to_csv(tmp_path / "a.csv", index=False)

    found = answer(screen(tmp_path / "a.csv", "--evidence", "late:xau,met:tot", "--json"))

    assert found["layout"]["evidence"] == {"late": "less", "met": "more"}


def test_an_earlier_period_can_be_asked_for(screen, tmp_path):
    ratings().to_csv(tmp_path / "a.csv", index=False)

    assert answer(screen(tmp_path / "a.csv", "--at", "2024", "--json"))["period"] == 2024


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--target", "nhiều"], "--target: “nhiều” không phải là số"),
        (["--organisation", "khong_co"], "Bảng không có cột khong_co; các cột: unit, year"),
        (["--at", "1999"], "Bảng không có kỳ 1999; các kỳ: 2024, 2025"),
        (["--evidence", "year:tang"], "chiều “tang” không rõ"),
        (["--map", "khong-co.yaml"], "Không đọc được tệp ánh xạ khong-co.yaml"),
        (["--levels", "XS=XS,HTT=HTT,HT=x,KHT=KHT"], "Bảng không có cột x"),
    ],
)
def test_options_that_do_not_fit_end_with_two_and_say_why(screen, tmp_path, options, told):
    ratings().to_csv(tmp_path / "a.csv", index=False)

    result = screen(tmp_path / "a.csv", *options)

    assert result.exit_code == 2
    assert told in result.told


def test_a_wrong_row_is_named_by_its_line_in_the_file(screen, tmp_path):
    frame = ratings()
    frame.loc[3, "HTT"] = -4
    frame.loc[70, "unit"] = frame.loc[69, "unit"]
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pd.ExcelWriter(tmp_path / "b.xlsx") as book:
        frame.to_excel(book, index=False, startrow=2)

    of_csv, of_excel = screen(tmp_path / "a.csv"), screen(tmp_path / "b.xlsx")

    assert of_csv.exit_code == of_excel.exit_code == 2
    assert "dòng 5: số mức HTT là số âm" in of_csv.told
    assert "dòng 71, 72: một tổ chức có hơn một dòng" in of_csv.told
    assert "dòng 7: số mức HTT là số âm" in of_excel.told


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "không có dòng nào"),
        (b"unit,year,n,k\n", "không có dòng nào"),
        (b"unit,year,n,k\na,2025,10,8,9,9\n", "lệch cột"),
        (b"PK\x03\x04 not a workbook", ""),
        (b"PAR1 not a table", "Parquet bị hỏng"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07", ""),
    ],
)
def test_what_is_no_table_is_refused(screen, tmp_path, content, told):
    (tmp_path / "a.csv").write_bytes(content)

    result = screen(tmp_path / "a.csv")

    assert result.exit_code == 2
    assert told in result.told
    assert "bảng không dùng được" in result.told


def test_a_file_that_is_not_there_is_refused(screen, tmp_path):
    assert "Không đọc được" in screen(tmp_path / "khong-co.csv").told


def test_of_a_workbook_with_several_sheets_one_is_chosen(tmp_path):
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        ratings(5).to_excel(book, sheet_name="Năm nay", index=False)
        ratings(9).to_excel(book, sheet_name="Năm kia", index=False)

    with pytest.raises(InputError, match="2 trang có dữ liệu"):
        read_table(tmp_path / "a.xlsx")
    frame, first_line = read_table(tmp_path / "a.xlsx", "Năm kia")
    assert (len(frame), first_line) == (18, 2)


def test_codes_keep_their_zeros_and_old_encodings_are_read(screen, tmp_path):
    frame = ratings(name="00{}").rename(columns={"unit": "đơn vị"})
    (tmp_path / "a.csv").write_bytes(frame.to_csv(index=False).encode("utf-16"))

    found = answer(screen(tmp_path / "a.csv", "--json"))

    assert found["list"][0]["organisation"] == "007"
