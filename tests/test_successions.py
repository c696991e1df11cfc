"""The list of what became of organisations: what is taken in, and what is refused with every line named."""

import csv
from datetime import date
from decimal import Decimal
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from submissions.intake import take_in
from submissions.lists import NAMES
from submissions.store import SUCCESSIONS
from submissions.successions import read_successions
from submissions.units import ListError

HEADING = "succession_id | effective_on | kind | old_code | new_code | share | legal_source"


def write(folder: Path, rows: str) -> Path:
    path = folder / "successions.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = [HEADING, *cleandoc(rows).splitlines()]
        csv.writer(file).writerows([cell.strip() for cell in line.split("|")] for line in lines)
    return path


def told(folder: Path, rows: str) -> list[str]:
    """What is said of a list, a line each, without the file's name."""
    path = write(folder, rows)
    with pytest.raises(ListError) as error:
        read_successions(path)
    return [line.removeprefix(f"{path}, ") for line in str(error.value).splitlines() if line.startswith(f"{path}, ")]


def test_a_list_is_read_with_exact_shares(tmp_path):
    path = write(
        tmp_path,
        """
        B | 2025-07-01 | split     | 67.001.002 | 68.001 | 0.333333 | NQ 202/2025/QH15
        B | 2025-07-01 | split     | 67.001.002 | 68.002 | 0.333333 | NQ 202/2025/QH15
        B | 2025-07-01 | split     | 67.001.002 | 68.003 | 0.333334 | NQ 202/2025/QH15
        A | 2023-04-01 | merged    | 67.001.001 | 67.001.002 |      | QĐ 1
        C | 2025-07-01 | dissolved | 67.001     |        |          | NQ 202/2025/QH15
        """,
    )
    read = read_successions(path)
    assert read["share"].tolist() == [1, 1, Decimal("0.333333"), Decimal("0.333333"), Decimal("0.333334")]
    assert read["effective_on"].tolist() == [date(2023, 4, 1), *[date(2025, 7, 1)] * 4]
    assert read["new_code"].tolist() == ["67.001.002", None, "68.001", "68.002", "68.003"]


def test_a_decimal_comma_is_a_decimal_comma(tmp_path):
    path = write(tmp_path, "A | 2025-07-01 | split | X | Y | 0,5 | QĐ\nA | 2025-07-01 | split | X | Z | 0,5 | QĐ")
    assert read_successions(path)["share"].tolist() == [Decimal("0.5")] * 2


def test_without_a_list_nothing_was_succeeded(tmp_path):
    assert read_successions(tmp_path / "successions.csv").empty


@pytest.mark.parametrize(
    ("rows", "messages"),
    [
        (
            "A | 2025-07-01 | split | X | Y | 0.5 | QĐ\nA | 2025-07-01 | split | X | Z | 0.499999 | QĐ",
            ["dòng 2, cột share: mã X ngày 01/07/2025 (các dòng 2, 3): tổng tỉ lệ là 0,999999, phải đúng bằng 1."],
        ),
        (
            "A | 2025-07-01 | split | X | Y | 0.6 | QĐ\nA | 2025-07-01 | split | X | Z | 0.6 | QĐ",
            ["dòng 2, cột share: mã X ngày 01/07/2025 (các dòng 2, 3): tổng tỉ lệ là 1,2, phải đúng bằng 1."],
        ),
        (
            "A | 2025-07-01 | merged | X | Y | 0.5 | QĐ",
            ["dòng 2, cột share: mã X ngày 01/07/2025 (các dòng 2): tổng tỉ lệ là 0,5, phải đúng bằng 1."],
        ),
        (
            "A | 2025-07-01 | merged | X | Y | 0.5 | QĐ\nA | 2025-07-01 | merged | X | Z | 0.5 | QĐ",
            ["dòng 2, cột new_code: mã X ngày 01/07/2025 (các dòng 2, 3): chỉ tách (split) mới có nhiều nơi nhận."],
        ),
        (
            "A | 2025-07-01 | split | X | Y | 1 | QĐ",
            ["dòng 2, cột new_code: mã X ngày 01/07/2025 (các dòng 2): tách (split) phải có ít nhất hai nơi nhận."],
        ),
        (
            "A | 2025-07-01 | split | X | Y | 0 | QĐ\nA | 2025-07-01 | split | X | Z | 1.5 | QĐ",
            [
                "dòng 2, cột share: “0” phải lớn hơn 0 và không quá 1.",
                "dòng 3, cột share: “1.5” phải lớn hơn 0 và không quá 1.",
            ],
        ),
        (
            "A | 2025-07-01 | split | X | Y | nửa | QĐ\nA | 2025-07-01 | split | X | Z |  | QĐ",
            [
                "dòng 2, cột share: “nửa” không phải là số.",
                "dòng 3, cột share: để trống; tách (split) phải ghi tỉ lệ của từng phần.",
            ],
        ),
        (
            "A | 2025-07-01 | split | X | Y | 0.5 | QĐ\nA | 2025-07-01 | split | X | Y | 0.5 | QĐ",
            [
                "dòng 3, cột new_code: mã X ngày 01/07/2025 (các dòng 2, 3): "
                "cùng một cặp mã cũ, mã mới được ghi hai lần."
            ],
        ),
        (
            "A | 2025-07-01 | renamed | X | Y | 1 | QĐ\nB | 2025-07-01 | dissolved | X | | 1 | QĐ",
            [
                "dòng 2, cột kind: mã X ngày 01/07/2025 (các dòng 2, 3): "
                "các loại thay đổi mâu thuẫn nhau: dissolved, renamed."
            ],
        ),
        (
            "A | 2025-07-01 | renamed | X | Y | 1 | QĐ\nB | 2026-07-01 | merged | X | Z | 1 | QĐ",
            ["dòng 3, cột old_code: X đã thôi tồn tại từ ngày 01/07/2025 (dòng 2)."],
        ),
        (
            "A | 2023-07-01 | dissolved | Y | | | QĐ\nB | 2025-07-01 | merged | X | Y | 1 | QĐ",
            ["dòng 3, cột new_code: chuỗi kế thừa bị đứt: Y đã thôi tồn tại từ ngày 01/07/2023 (dòng 2)."],
        ),
        (
            """
            A | 2025-07-01 | renamed | X | Y | 1 | QĐ
            B | 2025-07-01 | merged  | Y | Z | 1 | QĐ
            C | 2025-07-01 | renamed | Z | X | 1 | QĐ
            D | 2025-07-01 | renamed | W | X | 1 | QĐ
            """,
            [f"dòng {line}, cột new_code: vòng lặp trong chuỗi kế thừa: X, Y, Z." for line in (2, 3, 4)],
        ),
        (
            "A | 2025-07-01 | new_parent | X | Y | 1 | QĐ\nB | 2025-08-01 | new_parent | Y | X | 1 | QĐ",
            [f"dòng {line}, cột new_code: vòng lặp cấp trên, cấp dưới từ ngày 01/08/2025: X, Y." for line in (2, 3)],
        ),
        (
            "A | 01/07/2025 | renamed | X | Y | 1 | QĐ\nB | 2025-02-30 | renamed | Z | W | 1 | QĐ",
            [
                "dòng 2, cột effective_on: “01/07/2025” không phải là ngày; cần ngày dạng yyyy-mm-dd.",
                "dòng 3, cột effective_on: “2025-02-30” không phải là ngày; cần ngày dạng yyyy-mm-dd.",
            ],
        ),
        (
            "A | 2025-07-01 | joined | X | Y | 1 | QĐ",
            [
                "dòng 2, cột kind: “joined” không phải là một loại thay đổi; "
                "các loại: renamed (đổi mã, tên), merged (nhập), split (tách), "
                "dissolved (giải thể), new_parent (đổi cấp trên)."
            ],
        ),
        (
            "A | 2025-07-01 | renamed | X | Y | 1 |",
            ["dòng 2, cột legal_source: để trống: thiếu căn cứ pháp lý."],
        ),
        (
            "A | 2025-07-01 | renamed | X | | 1 | QĐ\nB | 2025-07-01 | dissolved | Z | W | 1 | QĐ",
            [
                "dòng 2, cột new_code: để trống; chỉ loại dissolved mới không có tổ chức kế thừa.",
                "dòng 3, cột new_code: tổ chức giải thể (dissolved) không có tổ chức kế thừa, phải để trống.",
            ],
        ),
    ],
)
def test_a_bad_list_is_refused_with_its_lines(tmp_path, rows, messages):
    assert told(tmp_path, rows) == messages


def test_everything_that_is_wrong_is_told_at_once(tmp_path):
    messages = told(
        tmp_path,
        """
        A | 2025-07-01 | split   | X | Y | 0.5 | QĐ
        A | 2025-07-01 | split   | X | Z | 0.4 | QĐ
        B | hôm nay    | renamed | U | V | 1   | QĐ
        C | 2025-07-01 | renamed | M | N | 1   |
        """,
    )
    assert [message.split(":")[0] for message in messages] == [
        "dòng 2, cột share",
        "dòng 4, cột effective_on",
        "dòng 5, cột legal_source",
    ]


def test_what_one_unreadable_row_would_make_of_its_group_is_not_told_beside_it(tmp_path):
    messages = told(tmp_path, "A | xxx | split | X | Y | 0.5 | QĐ\nA | 2025-07-01 | split | X | Z | 0.5 | QĐ")
    assert messages == ["dòng 2, cột effective_on: “xxx” không phải là ngày; cần ngày dạng yyyy-mm-dd."]


def test_shares_too_fine_to_be_multiplied_exactly_are_refused(tmp_path):
    rows = [
        f"S{step} | 202{step}-01-01 | split | C{step} | {code} | {share} | QĐ"
        for step in range(4)
        for code, share in ((f"C{step + 1}", "0.333333"), (f"D{step}", "0.666667"))
    ]
    (message,) = told(tmp_path, "\n".join(rows))
    assert message.startswith("dòng 2, cột share: tích các tỉ lệ dọc chuỗi kế thừa từ C0 có hơn 18 chữ số thập phân")
    assert len(read_successions(write(tmp_path, "\n".join(rows[:6])))) == 6


@settings(max_examples=40, deadline=None)
@given(cuts=st.sets(st.integers(1, 999_999), min_size=1, max_size=6), error=st.sampled_from([0, 0, 1, -1]))
def test_parts_are_taken_if_they_are_the_whole_to_the_last_millionth(tmp_path_factory, cuts, error):
    edges = [0, *sorted(cuts), 1_000_000 + error]
    parts = [Decimal(after - before) / 1_000_000 for before, after in pairwise(edges) if after > before]
    rows = "\n".join(f"A | 2025-07-01 | split | X | Y{place} | {part:f} | QĐ" for place, part in enumerate(parts))
    path = write(tmp_path_factory.mktemp("list"), rows)
    if error == 0:
        assert sum(read_successions(path)["share"]) == 1
    else:
        with pytest.raises(ListError, match=r"phải đúng bằng 1|ít nhất hai"):
            read_successions(path)


def test_a_column_that_lacks_is_named(tmp_path):
    path = tmp_path / "successions.csv"
    path.write_text("old_code,new_code\nX,Y\n", encoding="utf-8")
    with pytest.raises(ListError, match="thiếu cột succession_id, effective_on, kind, share, legal_source"):
        read_successions(path)


def test_an_organisation_may_keep_its_code_in_a_split_or_take_others_in(tmp_path):
    path = write(
        tmp_path,
        """
        A | 2023-07-01 | split   | X | X | 0.7 | QĐ
        A | 2023-07-01 | split   | X | Y | 0.3 | QĐ
        B | 2024-07-01 | merged  | Z | X |     | QĐ
        C | 2025-07-01 | renamed | X | W |     | QĐ
        """,
    )
    assert len(read_successions(path)) == 4


def test_intake_lands_the_list_and_a_bad_one_stops_it(tmp_path):
    write(tmp_path, "A | 2025-07-01 | renamed | X | Y |  | QĐ")
    take_in([], data=tmp_path)
    landed = pq.read_table(tmp_path / "store" / "successions.parquet")
    assert landed.schema.equals(SUCCESSIONS)
    assert landed.column("share").to_pylist() == [Decimal("1.000000")]

    write(tmp_path, "A | 2025-07-01 | renamed | X | Y |  |")
    with pytest.raises(ListError, match="dòng 2, cột legal_source"):
        take_in([], data=tmp_path)
    (tmp_path / "successions.csv").unlink()
    take_in([], data=tmp_path)
    assert len(pq.read_table(tmp_path / "store" / "successions.parquet")) == 0


def test_a_check_before_sending_knows_the_list():
    assert "successions.csv" in NAMES
