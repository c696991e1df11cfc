import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from submissions.text import clean, clean_all, fold, strip_marks


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
        ("Chi b\u200bộ", "Chi bộ"),
        ("Đa\u200b\u0309ng", "Đảng"),
        ("cán\u00ad bộ", "cán bộ"),
        ("\u202eĐảng\u202c", "Đảng"),
        ("Đảng\x00 bộ\x07", "Đảng bộ"),
        ("Số thẻ_x000D_\nđảng", "Số thẻ đảng"),
        ("Số\u3000thẻ\u202f1", "Số thẻ 1"),
        ("12‑CTr/TU", "12-CTr/TU"),
        ("Ðảng bộ, ðảng viên", "Đảng bộ, đảng viên"),
        ("ＨＴＸＳＮＶ １２", "HTXSNV 12"),
        ("R＇Lấp", "R’Lấp"),
    ],
)
def test_text_is_stored_in_one_spelling(typed, stored):
    assert clean(typed) == stored


@pytest.mark.parametrize("word", ["quý", "Quỳ", "hoàng", "khoái", "huỳnh", "quỹ", "loét"])
def test_a_tone_mark_that_stands_right_is_not_moved(word):
    assert clean(word) == word


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("67.001.00А", "67.001.00A"),  # Cyrillic
        ("НTXSNV", "HTXSNV"),
        ("Đảng bộ cơ ѕở", "Đảng bộ cơ sở"),
        ("Νam", "Nam"),  # Greek
        ("х", "x"),
    ],
)
def test_a_letter_of_another_script_that_looks_latin_is_latin(typed, stored):
    assert clean(typed) == stored


@pytest.mark.parametrize("word", ["Москва", "Ωmega", "Ê Đê", "M’Nông", "Êñuôl", "Y Wŏñ", "Loïc", "Straße", "5 µg"])
def test_a_word_that_is_meant_is_left(word):
    assert clean(word) == word


VIETNAMESE = st.text(alphabet="aăâeêioôơuưyđàáảãạầấẩẫậềệộợứựỳýỷỹỵbchkmnpqtvxAĐÊỘỦ 0123456789’.,-", max_size=30)


@given(VIETNAMESE, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_form_of_unicode_makes_no_difference(text, form):
    assert clean(unicodedata.normalize(form, text)) == clean(text)


@given(st.lists(VIETNAMESE), st.sampled_from(["  ", "\u00a0", " \n", "\t", "\u2009 "]))
def test_the_kind_and_number_of_spaces_make_no_difference(words, space):
    assert clean(space.join(words)) == clean(" ".join(words))


@given(st.text(max_size=30))
def test_any_text_is_cleaned_once_and_for_all(text):
    assert clean(clean(text)) == clean(text)
    assert fold(clean(text)) == fold(text)


OLD_TONES = ["oà", "oá", "oả", "oã", "oạ", "oè", "oé", "oẻ", "oẽ", "oẹ", "uỳ", "uý", "uỷ", "uỹ", "uỵ"]
NEW_TONES = ["òa", "óa", "ỏa", "õa", "ọa", "òe", "óe", "ỏe", "õe", "ọe", "ùy", "úy", "ủy", "ũy", "ụy"]


@given(
    st.sampled_from(list(zip(OLD_TONES, NEW_TONES, strict=True))),
    st.sampled_from(["", "h", "kh", "th", "Đ", "ng"]),
    st.sampled_from(["", " ban", ",", "\u00a0"]),
    st.booleans(),
)
def test_old_and_new_placement_of_tones_are_one(tone, onset, after, capital):
    old, new = (f"{onset}{rhyme}{after}" for rhyme in tone)
    if capital:
        old, new = old.upper(), new.upper()
    assert clean(old) == clean(new) == new.strip("\u00a0")


def test_cleaning_twice_is_cleaning_once():
    for text in ("Uỷ  ban\u00a0", unicodedata.normalize("NFD", "thuỷ"), "M'Nông "):
        assert clean(clean(text)) == clean(text)


def test_texts_are_compared_without_case():
    assert fold("HOÀN THÀNH TỐT NHIỆM VỤ") == fold("hoàn thành  tốt nhiệm vụ")


def test_sheet_names_are_compared_without_diacritics():
    assert strip_marks("BIỂU SỐ 5 ") == strip_marks("bieu so 5")
    assert strip_marks("Đảng") == "dang"


PIECES = [*"aoquýàĐÐ' -X0\t\n\r\u00a0\u200b\u0301\u0085\u2028О１", "_x000D_", "uý", "quý", "  "]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6).map("".join), max_size=8))
def test_texts_cleaned_together_are_as_each_is_cleaned_alone(texts):
    assert clean_all(texts) == [clean(text) for text in texts]
