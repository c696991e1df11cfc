import unicodedata

import pytest

from submissions.text import clean, fold, strip_marks


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("  Chi  bộ\n1 ", "Chi bộ 1"),
        ("Chi\u00a0bộ\u200b", "Chi bộ"),
        ("\ufeffMã tổ chức", "Mã tổ chức"),
        (unicodedata.normalize("NFD", "Đắk R’Lấp"), "Đắk R’Lấp"),
        ("Đắk R'Lấp", "Đắk R’Lấp"),
        ("Đắk R‘Lấp", "Đắk R’Lấp"),
        ("uỷ ban", "ủy ban"),
        ("UỶ BAN", "ỦY BAN"),
        ("Hoà Bình", "Hòa Bình"),
        ("thuý", "thúy"),
        ("", ""),
        ("   ", ""),
        ("67.001", "67.001"),
    ],
)
def test_text_is_stored_in_one_spelling(typed, stored):
    assert clean(typed) == stored


@pytest.mark.parametrize("word", ["quý", "Quỳ", "hoàng", "khoái", "huỳnh", "quỹ", "loét"])
def test_a_tone_mark_that_stands_right_is_not_moved(word):
    assert clean(word) == word


def test_cleaning_twice_is_cleaning_once():
    for text in ("Uỷ  ban\u00a0", unicodedata.normalize("NFD", "thuỷ"), "M'Nông "):
        assert clean(clean(text)) == clean(text)


def test_texts_are_compared_without_case():
    assert fold("HOÀN THÀNH TỐT NHIỆM VỤ") == fold("hoàn thành  tốt nhiệm vụ")


def test_sheet_names_are_compared_without_diacritics():
    assert strip_marks("BIỂU SỐ 5 ") == strip_marks("bieu so 5")
    assert strip_marks("Đảng") == "dang"
