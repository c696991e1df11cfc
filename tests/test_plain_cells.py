import io
from datetime import date

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from submissions.files import sheet_scan
from submissions.files.plain_cells import plain_cells
from submissions.files.source import Cells
from tests.files import row, xlsx

TEXTS = ["Đảng bộ xã Hòa Bình", "67.001", "", " x "]
STRINGS = "".join(f'<si><t xml:space="preserve">{text}</t></si>' for text in TEXTS)
KINDS = ["number", "date", "duration"]
"""Of the styles of `tests.files.DATE_STYLES`."""
DATES = frozenset({1, 2})


def plain(rows: str) -> Cells | None:
    """The cells of a sheet of these rows, None where they are left to another reader."""
    scan = sheet_scan.scan(rows.encode(), DATES)
    return None if scan.layout is None else plain_cells(scan.layout, np.array(TEXTS, dtype=object), KINDS)


def by_calamine(rows: str) -> Cells:
    book = CalamineWorkbook.from_filelike(io.BytesIO(xlsx(rows, STRINGS)))
    return book.get_sheet_by_index(0).to_python(skip_empty_area=False)


def typed(cells: Cells | None) -> tuple[list[int], dict[tuple[int, int], tuple[type, object]]] | None:
    """How wide each line is, and what stands where."""
    if cells is None:
        return None
    filled = {
        (line, place): (type(cell), cell)
        for line, row in enumerate(cells)
        for place, cell in enumerate(row)
        if cell != ""
    }
    return [len(row) for row in cells], filled


def a1(head: str, value: str) -> str:
    return row(1, f'<c r="A1"{head}>{value}</c>')


number = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda value: repr(value).removesuffix(".0")),
    st.sampled_from(["0", "007", "-0", "1E3", "1.5e-7", "99999999", "100000000"]),
)
amounts = st.tuples(st.sampled_from(["", ' s="0"', ' t="n"', ' s="0" t="n"']), number)
days = st.tuples(st.sampled_from([' s="1"', ' s="1" t="n"']), st.integers(100, 2_958_465).map(str))
texts = st.tuples(
    st.sampled_from([' t="s"', ' s="0" t="s"', ' s="1" t="s"', ' s="2" t="s"']),
    st.integers(0, len(TEXTS) - 1).map(str),
)
formulas = st.sampled_from(["", "", "<f>A1+1</f>", '<f t="shared" si="0"/>', '<f t="shared" ref="A1:A9" si="0">B1</f>'])
filled = st.one_of(
    texts.map(lambda drawn: (drawn[0], f"<v>{drawn[1]}</v>")),
    st.tuples(st.one_of(amounts, days), formulas).map(lambda drawn: (drawn[0][0], f"{drawn[1]}<v>{drawn[0][1]}</v>")),
)
blank = st.sampled_from([None, ("", ""), (' s="1"', "")])
sheets = st.dictionaries(
    st.one_of(st.integers(1, 9), st.integers(1, 99), st.integers(1, 1_200)),
    st.dictionaries(st.sampled_from([1, 2, 25, 26, 27, 28, 702, 703]), st.one_of(filled, blank), min_size=1),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(sheets, st.sampled_from([10, 100, 1_201]))
def test_plain_cells_are_read_as_the_quick_reader_reads_them(sheet, last):
    sheet = {line: cells for line, cells in sheet.items() if line < last} | {last: {1: ("", "<v>1</v>")}}
    rows = "".join(
        row(
            line,
            "".join(
                f'<c r="{sheet_scan.letters(column)}{line}"{cell[0]}>{cell[1]}</c>'
                if cell[1]
                else f'<c r="{sheet_scan.letters(column)}{line}"{cell[0]}/>'
                for column, cell in sorted(cells.items())
                if cell is not None
            ),
        )
        for line, cells in sorted(sheet.items())
    )
    # The look over the rows errs to the careful side: a small number may be a day of 1900.
    assume(sheet_scan.scan(rows.encode(), DATES).plain)
    assert typed(plain(rows)) == typed(by_calamine(rows))


@pytest.mark.parametrize(
    ("serial", "day"), [(100, date(1900, 4, 9)), (45_292, date(2024, 1, 1)), (2_958_465, date(9999, 12, 31))]
)
def test_a_whole_number_of_a_date_style_is_a_day(serial, day):
    assert plain(a1(' s="1"', f"<v>{serial}</v>")) == [[day]]


@pytest.mark.parametrize(
    ("head", "value"),
    [
        (' t="str"', "<v>a</v>"),
        (' t="b"', "<v>1</v>"),
        (' t="e"', "<v>#REF!</v>"),
        (' cm="1"', "<v>1</v>"),
        (' t="s" s="0"', "<v>0</v>"),
        (' s="0" ', "<v>1</v>"),
        (' s="3"', "<v>1</v>"),
        (' s="x"', "<v>1</v>"),
        (' s="1"', "<v>60</v>"),
        (' s="1"', "<v>45292.5</v>"),
        (' s="1"', "<v>2958466</v>"),
        (' s="2"', "<v>45292</v>"),
        (' t="s"', f"<v>{len(TEXTS)}</v>"),
        (' t="s"', "<v>1.0</v>"),
        (' t="s"', "<v>000000001</v>"),
        ("", "<v>1_0</v>"),
        ("", "<v>1.</v>"),
        ("", "<v>1</v><v>2</v>"),
        ("", "<v></v>"),
        ("", "<f>A2</f>"),
    ],
)
def test_whatever_else_a_cell_says_is_left_to_another_reader(head, value):
    assert plain(a1(head, value)) is None
