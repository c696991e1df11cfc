"""The list of what became of organisations: what is taken in, and what is refused with every line named."""

import csv
import random
import re
from datetime import date
from decimal import Decimal
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reorganisations import reorganised_at_random

from submissions.intake import take_in
from submissions.lists import NAMES
from submissions.store import SUCCESSIONS
from submissions.successions import KINDS, read_successions
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


def test_what_can_be_read_of_a_code_is_told_beside_the_row_that_cannot(tmp_path):
    messages = told(
        tmp_path,
        """
        A | 2025-07-01 | split   | X | Y | 0.6 | QĐ
        A | 2025-07-01 | split   | X | Z | 0.6 | QĐ
        A | 2025-07-01 | split   | X | W | một | QĐ
        B | 2025-07-01 | renamed | M | N | một | QĐ
        B | 2025-10-01 | renamed | N | M | 1   | QĐ
        """,
    )
    assert messages == [
        "dòng 2, cột share: mã X ngày 01/07/2025 (các dòng 2, 3, 4): tổng tỉ lệ là 1,2, phải đúng bằng 1.",
        "dòng 4, cột share: “một” không phải là số.",
        "dòng 5, cột new_code: vòng lặp trong chuỗi kế thừa: M, N.",
        "dòng 5, cột share: “một” không phải là số.",
        "dòng 6, cột new_code: chuỗi kế thừa bị đứt: M đã thôi tồn tại từ ngày 01/07/2025 (dòng 5).",
        "dòng 6, cột new_code: vòng lặp trong chuỗi kế thừa: M, N.",
    ]


@pytest.mark.parametrize(
    ("others", "is_refused"),
    [
        ("", True),
        ("B | 2025-07-01 | merged | Y | X | | QĐ", False),
        ("B | 2025-07-01 | split | Y | X | 0.5 | QĐ\nB | 2025-07-01 | split | Y | Z | 0.5 | QĐ", False),
        ("B | 2025-10-01 | merged | Y | X | | QĐ", True),  # on another day
        ("B | 2025-07-01 | new_parent | Y | X | | QĐ", True),  # who is put under it comes into nothing
        ("B | 2025-13-01 | merged | Y | X | | QĐ", False),  # it may have been that day
        ("B | 2025-07-01 | merged | Y | X | | QĐ | thừa", False),  # nobody knows what stands where
    ],
)
def test_a_merger_into_itself_is_refused_unless_somebody_else_comes_in(tmp_path, others, is_refused):
    said = said_of(write(tmp_path, f"A | 2025-07-01 | merged | X | X | | QĐ\n{others}".strip()))
    assert ("dòng 2, cột new_code: X nhập vào chính nó mà ngày 01/07/2025" in said) == is_refused


def test_a_code_is_not_used_before_it_is_given(tmp_path):
    messages = told(
        tmp_path,
        """
        A | 2025-07-01 | merged     | X | Y | | QĐ
        B | 2025-07-01 | new_parent | W | Y | | QĐ
        C | 2025-10-01 | renamed    | Z | Y | | QĐ
        D | 2025-11-01 | merged     | V | Y | | QĐ
        """,
    )
    assert [message.split(". ")[0] for message in messages] == [
        f"dòng {line}, cột new_code: hở: ngày 01/07/2025 chưa có Y, mã ấy đến ngày 01/10/2025 mới đặt (renamed, dòng 4)"
        for line in (2, 3)
    ]


Row = tuple[str, str, str, str | None, str]
"""Day, kind, old code, new code, share in tenths."""


@st.composite
def rows_of_lists(draw: st.DrawFn) -> list[Row]:
    """A few changes of a few organisations, each lawful by itself."""
    codes = st.sampled_from("ABCDE")
    days = st.sampled_from(["2023-07-01", "2024-07-01", "2025-07-01"])
    rows: list[Row] = []
    for _ in range(draw(st.integers(1, 4))):
        day, kind, old = draw(days), draw(st.sampled_from(sorted(KINDS))), draw(codes)
        if kind == "split":
            heirs = draw(st.lists(codes, min_size=1, max_size=3))
            shares = draw(st.sampled_from([(0.5, 0.5), (0.2, 0.3, 0.5), (0.6, 0.6), (0.4, 0.5)]))
            rows += [(day, kind, old, heir, str(share)) for heir, share in zip(heirs, shares, strict=False)]
        elif kind == "dissolved":
            rows.append((day, kind, old, None, "1"))
        else:
            others = codes if kind == "merged" else codes.filter(lambda code, old=old: code != old)
            rows.append((day, kind, old, draw(others), "1"))
    return draw(st.permutations(rows))


def is_lawful(rows: list[Row]) -> bool:
    """What the rules of the list say, day by day, over everything that stands in it at once."""
    ended: dict[str, str] = {}
    for day in sorted({row[0] for row in rows}):
        today = [row for row in rows if row[0] == day]
        for code in {row[2] for row in today}:
            own = [row for row in today if row[2] == code]
            (kind, *other_kinds), heirs = {row[1] for row in own}, [row[3] for row in own]
            whole = sum(Decimal(row[4]) for row in own)
            if other_kinds or len(heirs) != len(set(heirs)) or (len(heirs) > 1) != (kind == "split") or whole != 1:
                return False
            comes = [row for row in today if row[3] == code and row[2] != code and row[1] != "new_parent"]
            if kind == "merged" and heirs == [code] and not comes:
                return False
        if any(code in ended for row in today for code in row[2:4]):
            return False
        stays = {row[2] for row in today if row[2] == row[3] or row[1] == "new_parent"}
        ended |= {row[2]: day for row in today if row[2] not in stays}
        given = {row[3] for row in today if row[1] == "renamed"}
        earlier = [row for row in rows if row[0] < day]
        first = given - {row[3] for row in earlier if row[1] == "renamed"}
        if any(first & {row[2], row[3]} for row in earlier):
            return False
        above: dict[str, str] = {}
        for row in sorted([*earlier, *today]):
            if row[1] == "new_parent":
                above[row[2]] = row[3]
        if leads_back({(old, new) for old, new in above.items()}):
            return False
    return not leads_back({(row[2], row[3]) for row in rows if row[3] not in (None, row[2]) and row[1] != "new_parent"})


def leads_back(steps: set[tuple[str, str]]) -> bool:
    """Whether somewhere steps lead to where they began."""
    ways = steps
    for _ in steps:
        ways = ways | {(one, there) for one, here in ways for also, there in steps if here == also}
    return any(one == there for one, there in ways)


def as_text(rows: list[Row]) -> str:
    return "\n".join(f"S{row[0]}{row[2]} | {' | '.join(cell or '' for cell in row)} | QĐ" for row in rows)


def said_of(path: Path) -> str:
    """Why a list is refused; empty where it is taken."""
    try:
        read_successions(path)
    except ListError as error:
        return str(error)
    return ""


@settings(max_examples=100, deadline=None)
@given(rows=rows_of_lists())
def test_a_list_is_taken_if_and_only_if_its_rows_are_lawful_together(tmp_path_factory, rows):
    said = said_of(write(tmp_path_factory.getbasetemp(), as_text(rows)))
    assert (said == "") == is_lawful(rows), said


SPOILS = {"effective_on": "hôm nay", "kind": "joined", "old_code": "", "new_code": "", "share": "nửa"}


@pytest.mark.parametrize("seed", range(6))
def test_of_a_lawful_list_only_the_cells_that_were_spoiled_are_told(tmp_path, seed):
    chance = random.Random(seed)
    columns = HEADING.split(" | ")
    listed = reorganised_at_random(chance, steps=10).succession_list()[columns]
    # What happened to one on one day is one thing.
    listed = listed[~(listed["kind"].eq("new_parent") & listed.duplicated(["effective_on", "old_code"], keep=False))]
    lawful = listed.astype(object).where(listed.notna(), "").astype(str).to_numpy().tolist()
    assert said_of(write(tmp_path, "\n".join(" | ".join(row) for row in lawful))) == ""
    for _ in range(10):
        rows, faults = [[*row] for row in lawful], set()
        for place in chance.sample(range(len(rows)), min(chance.randint(1, 3), len(rows))):
            column = chance.choice([*SPOILS, ""])
            if not column:
                rows[place].insert(chance.randrange(7), "thừa")
            elif column == "new_code" and rows[place][2] == "dissolved":
                continue
            else:
                rows[place][columns.index(column)] = SPOILS[column]
            faults.add((place + 2, column))
        path = write(tmp_path, "\n".join(" | ".join(row) for row in rows))
        told = re.findall(rf"{re.escape(str(path))}, dòng (\d+)(?:, cột (\w+))?:", said_of(path))
        assert {(int(line), column) for line, column in told} == faults


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
