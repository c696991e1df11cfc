"""Headings written in every way that forms.md tells of, and a few more, name their column and no other."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from submissions.form_set import heading_key, load_form_sets, sheet_key
from submissions.text import strip_marks
from submissions.workbook import read_workbook
from tests.sheets import sheets_of, source_of

FORM_SETS = load_form_sets()
FORMS = [(form_set, form) for form_set in FORM_SETS.values() for form in form_set.forms]
COLUMNS = [
    (form, column, text) for _, form in FORMS for column in form.columns for text in (column.heading, *column.also)
]
SEEN = {
    "Mã tổ chức": ["Mã TCĐ", "MÃ TỔ CHỨC", "Mã tổ chức đảng"],
    "Mã chi bộ": ["Mã CB", "Mã  chi bộ"],
    "Họ và tên": ["Họ tên", "HỌ VÀ TÊN"],
    "Ngày sinh": ["Ngày, tháng, năm sinh"],
    "Số thẻ đảng viên": ["Số thẻ ĐV", "Số thẻ đảng\nviên"],
    "Tự xếp loại": ["Tự xếp\nloại"],
    "Ngày quyết định": ["Ngày QĐ"],
    "Số quyết định": ["Số QĐ"],
    "Dân tộc": ["Dân tộc "],
    "Số đảng viên": ["Số ĐV"],
}
"""forms.md, "Spellings seen in the wild"."""
CHANGED_2025 = [
    ("organisation_assessments", "self_level", "Tự xếp loại", "Mức tự xếp loại"),
    ("organisation_assessments", "appraised_level", "Cấp thẩm định đề xuất", "Mức thẩm định, đề xuất"),
    ("organisation_assessments", "final_level", "Cấp có thẩm quyền quyết định", "Mức xếp loại được quyết định"),
    ("member_assessments", "self_level", "Tự xếp loại", "Mức tự xếp loại"),
    ("member_assessments", "proposed_level", "Chi bộ đề xuất", "Mức chi bộ đề xuất"),
    ("member_assessments", "final_level", "Cấp có thẩm quyền quyết định", "Mức xếp loại được quyết định"),
    ("organisations", "org_sector", "Loại hình", "Loại hình tổ chức"),
    ("members", "card_no", "Số thẻ đảng viên", "Số thẻ đảng"),
    ("member_assessments", "card_no", "Số thẻ đảng viên", "Số thẻ đảng"),
]
"""forms.md, "Headings that B12-2025 changed"; the old ones are still known."""
OLD_TONES = {"ủy": "uỷ", "úy": "uý", "òa": "oà", "óa": "oá", "ọa": "oạ", "hóa": "hoá"}
SPACES = st.sampled_from([" ", "  ", "\n", "\r\n", "\u00a0", " \n ", "\t", "\u200b ", "_x000D_\n"])
CASES = st.sampled_from([str, str.upper, str.lower, str.title, str.capitalize])
FORMS_OF_UNICODE = st.sampled_from(["NFC", "NFD"])
AFTER = st.sampled_from(
    ["", ":", " :", "*", " (*)", ".", " (1)", "(12)", "\n(4)", " [2]", " (dd/mm/yyyy)", " (x)", " (0-100)"]
)
BEFORE = st.sampled_from(["", " ", "\n", "(1) ", "2. ", "3) ", "\ufeff"])


@st.composite
def written(draw, text):
    """A heading as somebody may write it."""
    if draw(st.booleans()):
        for modern, old in OLD_TONES.items():
            text = text.replace(modern, old)
    words = draw(CASES)(text).split(" ")
    spaced = "".join(word + draw(SPACES) for word in words[:-1]) + words[-1]
    return unicodedata.normalize(draw(FORMS_OF_UNICODE), draw(BEFORE) + spaced + draw(AFTER))


@given(st.data(), st.sampled_from(COLUMNS))
@settings(max_examples=600, deadline=None)
def test_a_heading_names_its_column_however_it_is_written(data, place):
    form, column, text = place

    assert form.column_of(data.draw(written(text))) is column


@given(st.data(), st.sampled_from(COLUMNS))
@settings(max_examples=200, deadline=None)
def test_a_heading_typed_without_any_marks_names_its_column(data, place):
    form, column, text = place

    found = form.column_of(data.draw(written(strip_marks(text))))

    # Where two columns would share one, none is named.
    sharing = {
        other.key
        for other in form.columns
        for spelling in other.headings
        if strip_marks(spelling) == strip_marks(heading_key(text))
    }
    assert (found.key if found else None) == (column.key if len(sharing) == 1 else None)


def test_no_two_columns_of_a_form_share_a_heading_with_marks_or_without():
    for _, form in FORMS:
        for view in (lambda text: text, strip_marks):
            owners = {}
            for column in form.columns:
                for heading in column.headings:
                    assert owners.setdefault(view(heading), column.key) == column.key, (form.title, heading)


@given(st.text(max_size=40))
@settings(max_examples=300, deadline=None)
def test_a_text_that_is_no_heading_names_no_column(text):
    key = heading_key(text)
    for _, form in FORMS:
        named = form.column_of(text)
        assert named is None or key in named.headings or key in {strip_marks(heading) for heading in named.headings}


@pytest.mark.parametrize(
    ("found", "agreed"),
    [
        ("Số đảng viên (nữ)", "Số đảng viên"),
        ("Số đảng viên dự bị", "Số đảng viên"),
        ("Mã chi bộ cũ", "Mã chi bộ"),
        ("Ngày quyết định chuẩn y", "Ngày quyết định"),
        ("Mà tổ chức", "Mã tổ chức"),
    ],
)
def test_a_heading_with_other_words_or_other_marks_is_another_heading(found, agreed):
    assert heading_key(found) != heading_key(agreed)
    for _, form in FORMS:
        if heading_key(agreed) in form.by_heading:
            assert form.column_of(found) is None


@pytest.mark.parametrize(("agreed", "also"), [(agreed, text) for agreed, seen in SEEN.items() for text in seen])
def test_every_spelling_seen_in_the_wild_is_known_in_every_form_with_that_heading(agreed, also):
    forms = [form for _, form in FORMS if heading_key(agreed) in form.by_heading]

    assert forms
    for form in forms:
        assert form.column_of(also) is form.column_of(agreed), (form.title, also)


@pytest.mark.parametrize(("table", "key", "old", "new"), CHANGED_2025)
def test_the_headings_of_2025_and_those_before_are_known_in_2025(table, key, old, new):
    form = FORM_SETS["B12-2025"].by_table[table]

    assert form.column_of(new).key == form.column_of(old).key == key
    assert form.by_key[key].heading == new
    assert FORM_SETS["B12-2021"].by_table[table].column_of(old).key == key


@given(st.data(), st.sampled_from([form for form_set, form in FORMS if form_set.form_set == "B12-2021"]))
@settings(max_examples=60, deadline=None)
def test_a_table_is_found_with_its_columns_in_any_order_however_its_headings_are_written(data, form):
    sheets = sheets_of()
    heading, *rows = sheets[form.sheet]
    order = data.draw(st.permutations(range(len(heading))))
    spellings = [
        data.draw(written(data.draw(st.sampled_from([form.columns[place].heading, *form.columns[place].also]))))
        for place in order
    ]
    before = data.draw(st.integers(0, 3))
    above = data.draw(
        st.lists(st.sampled_from([[], [None, "BAN TỔ CHỨC"], ["Năm 2024"], [None, None, form.title]]), max_size=6)
    )
    blank = [None] * before
    sheets[form.sheet] = [*above, [*blank, *spellings], *([*blank, *(row[place] for place in order)] for row in rows)]

    table = read_workbook(source_of(sheets), FORM_SETS).tables[form.table]

    assert table.heading_row == len(above) + 1
    assert len(table.rows) == len(rows)
    for place, column in enumerate(form.columns):
        assert [table.cells[column.key][row] for row in range(len(rows))] == [row[place] for row in rows]


SHEET_WAYS = ["{}", "{} ", " {}", "{}.", "{}: {name}", "{} - {name}", "{}. {name}"]


@given(
    st.data(),
    st.sampled_from([form for form_set, form in FORMS if form_set.kind == "unit"]),
    st.sampled_from(SHEET_WAYS),
)
@settings(max_examples=300, deadline=None)
def test_a_sheet_name_is_its_forms_and_no_others_however_it_is_written(data, form, way):
    name = way.format(form.sheet, name=form.name)
    number = form.sheet.split()[-1]
    if data.draw(st.booleans()):
        name = name.replace(form.sheet, f"Biểu số {number}")
    if data.draw(st.booleans()):
        name = name.replace(number, number.zfill(2))
    if data.draw(st.booleans()):
        name = strip_marks(name)
    name = unicodedata.normalize(
        data.draw(FORMS_OF_UNICODE),
        data.draw(CASES)(name.replace(" ", data.draw(st.sampled_from([" ", "_", "-", "  "])))),
    )
    cut = name if data.draw(st.booleans()) else name[: max(31, len(form.sheet) + 8)]

    assert [other.table for other in FORM_SETS["B12-2021"].forms if other.is_sheet(cut)] == [form.table]
    assert sheet_key(sheet_key(name)) == sheet_key(name)
