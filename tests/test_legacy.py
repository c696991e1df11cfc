"""Text of old Vietnamese encodings: what is certain is converted, what is Unicode stays, what is in doubt is told."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from submissions.files.legacy import TCVN3, VNI, convert, detect, doubtful, encoding_of_font, is_doubtful

TO_TCVN3 = {letter: written for written, letter in TCVN3.items()}
TO_VNI = {letter: written for written, letter in VNI.items()}
SENTENCES = [
    "Hoàn thành xuất sắc nhiệm vụ", "Không hoàn thành nhiệm vụ", "Nguyễn Thị Hằng", "Đảng bộ xã Quảng Sơn",
    "Đơn vị sự nghiệp công lập", "Người hoạt động không chuyên trách", "Đình chỉ sinh hoạt đảng",
    "Kiểm tra khi có dấu hiệu vi phạm", "Lê Văn Tuyến", "Trần Quốc Vượng",
]  # fmt: skip


def in_tcvn3(text: str) -> str:
    return "".join(TO_TCVN3.get(letter, TO_TCVN3.get(letter.lower(), letter)) for letter in text)


def in_vni(text: str) -> str:
    return "".join(TO_VNI.get(letter, letter) for letter in text)


def scrambled(text: str) -> str:
    """UTF-8 as Windows-1252 shows it; five bytes that it lacks stay control characters."""
    return "".join(
        chr(byte) if byte in b"\x81\x8d\x8f\x90\x9d" else bytes([byte]).decode("cp1252") for byte in text.encode()
    )


WRITTEN = {"tcvn3": in_tcvn3, "vni": in_vni, "mojibake": scrambled}
LETTERS = "abcdeghiklmnopqrstuvxy" + "".join(letter for letter in TO_TCVN3 if letter.islower())


def test_the_tables_hold_every_vietnamese_letter_once():
    letters = {base + mark for base in "aăâeêioôơuưy" for mark in ["", *"\u0300\u0301\u0303\u0309\u0323"]} | {"đ"}
    letters = {unicodedata.normalize("NFC", letter) for letter in letters} - set("aeiouy")

    assert {letter for letter in TCVN3.values() if letter.islower()} == letters
    assert set(VNI.values()) == letters | {letter.upper() for letter in letters}
    assert len(set(TCVN3.values())) == len(TCVN3)
    assert len(set(VNI.values())) == len(VNI)


def test_the_table_of_tcvn3_is_that_of_the_standard():
    # TCVN 5712:1993 as glibc has it, for the letters that the fonts hold.
    standard = {
        0xA7: "Đ", 0xA9: "â", 0xAD: "ư", 0xAE: "đ", 0xB5: "à", 0xB8: "á", 0xC6: "ặ", 0xCA: "ấ", 0xD6: "ệ", 0xF9: "ự",
        0xFE: "ỵ",
    }  # fmt: skip
    assert {code: TCVN3[chr(code)] for code in standard} == standard


@given(st.text(alphabet=LETTERS + " 0123456789.,-/()", max_size=40))
def test_text_in_tcvn3_comes_back_as_it_was(text):
    assert convert(in_tcvn3(text), "tcvn3") == unicodedata.normalize("NFC", text)


@given(st.text(alphabet=LETTERS + LETTERS.upper() + " 0123456789.,-/()", max_size=40))
def test_text_in_vni_comes_back_as_it_was(text):
    assert convert(in_vni(text), "vni") == unicodedata.normalize("NFC", text)


@given(st.text(alphabet=LETTERS + LETTERS.upper() + " 0123456789“”–’", min_size=1, max_size=40))
def test_scrambled_utf_8_comes_back_as_it_was(text):
    assert convert(scrambled(text), "mojibake") == text


@given(st.text(alphabet=LETTERS + LETTERS.upper() + " ’“”–", max_size=40))
def test_text_in_unicode_is_left_alone_where_a_letter_shows_it(text):
    shows = f"ệ{text}"
    assert convert(shows, "tcvn3") == convert(shows, "vni") == shows


@pytest.mark.parametrize(
    ("written", "capitals", "text"),
    [
        ("HOµN THµNH NHIÖM Vô", False, "HOÀN THÀNH NHIỆM VỤ"),
        ("hoµn thµnh", True, "HOÀN THÀNH"),
        ("§¶ng bé", False, "Đảng bộ"),
        ("Lª V¨n Tó", False, "Lê Văn Tú"),
    ],
)
def test_a_font_of_capitals_shows_small_letters_as_capitals(written, capitals, text):
    assert convert(written, "tcvn3", capitals=capitals) == text


@pytest.mark.parametrize("written", ["HOAØN THAØNH", "HOAøN THAøNH"])
def test_the_mark_after_a_capital_may_be_small(written):
    assert convert(written, "vni") == "HOÀN THÀNH"


@pytest.mark.parametrize(
    ("font", "told"),
    [
        (".VnTime", ("tcvn3", False)),
        (".VnTimeH", ("tcvn3", True)),
        (".vnarial", ("tcvn3", False)),
        ("VNI-Times", ("vni", False)),
        ("Times New Roman", (None, False)),
        ("Vnitra", (None, False)),
        (None, (None, False)),
    ],
)
def test_a_font_tells_its_encoding(font, told):
    assert encoding_of_font(font) == told


@pytest.mark.parametrize("encoding", ["tcvn3", "vni", "mojibake"])
def test_a_column_of_one_encoding_is_certain_and_converted(encoding):
    column = [WRITTEN[encoding](text) for text in SENTENCES]

    found = detect(column)

    assert (found.encoding, found.certain) == (encoding, True)
    assert [found.read(text) for text in column] == SENTENCES


@pytest.mark.parametrize("encoding", ["tcvn3", "vni"])
def test_among_texts_in_unicode_only_what_shows_its_encoding_is_converted(encoding):
    legacy = [WRITTEN[encoding](text) for text in SENTENCES]
    unicode = ["Nguyễn Văn Bình", "Xã Nam Hà", "Cán", "Hà Nam", "M’Nông"]

    found = detect([*legacy, *unicode])

    assert (found.encoding, found.certain, found.mixed) == (encoding, True, True)
    assert [found.read(text) for text in unicode] == unicode
    assert [found.read(text) for text in legacy] == SENTENCES


def test_an_icelandic_letter_in_an_abbreviation_is_no_old_encoding():
    texts = [WRITTEN["tcvn3"](text) for text in SENTENCES]

    assert detect(["26-Q\u00d0/TU", "15-Q\u00d0/HU"]).encoding is None
    assert detect([*texts, "Nguyễn", "26-Q\u00d0/TU"]).read("26-Q\u00d0/TU") == "26-Q\u00d0/TU"


def test_a_known_word_makes_a_column_of_one_word_certain():
    found = detect(["Nam", "N÷", "Nam"])
    assert (found.encoding, found.certain, found.read("N÷")) == ("tcvn3", True, "Nữ")


def test_one_unknown_word_is_told_and_not_converted():
    found = detect(["B×"])
    assert (found.encoding, found.certain, found.read("B×")) == ("tcvn3", False, "B×")
    assert is_doubtful("B×")


UNICODE = [
    SENTENCES,
    [unicodedata.normalize("NFD", text) for text in SENTENCES],
    ["Hà", "Xã", "Cán", "Nam", "Tài", "Lâm", "Hòa", "hoá", "quý", "Ngô", "vô"],
    ["Ê Đê", "M’Nông", "Êñuôl", "Niê", "H’Bañ", "Mlô", "Kbuôr", "K’Ré", "Y Wŏñ"],
    ["Loïc", "Hélène", "Françoise", "Noël", "Zoé", "Anaïs", "Gaëlle", "Chloë", "René", "Müller", "Søren", "Jürgen"],
    ["60 m²", "25°C", "«Xã»", "XÃ\u00a0", "1 ½", "5 µg", "Panadol®", "20±5", "“đá”", "§ 3", "10 £"],
    # Windows-1258 writes the tone after its letter.
    ["Hoa\u0300n tha\u0300nh xuâ\u0301t să\u0301c nhiê\u0323m vu\u0323", "Đa\u0309ng bô\u0323"],
    ["12", "", " ", "67.001", "A-1"],
]


@pytest.mark.parametrize("column", UNICODE)
def test_unicode_is_not_taken_for_an_old_encoding(column):
    found = detect(column)

    assert found.encoding is None
    assert [found.read(text) for text in column] == column
    assert doubtful(column) == set()


@pytest.mark.parametrize(
    "text",
    ["Hoµn thµnh", "Nguyeãn Vaên Nam", "HoÃ\xa0n thÃ\xa0nh nhiá»‡m vá»¥", "Nguy?n V?n A", "Ä\ufffdáº£ng", "NGUY?N"],
)
def test_a_text_that_was_not_converted_is_doubtful(text):
    assert doubtful(["Nam", text]) == {text}


@pytest.mark.parametrize("text", ["Thế nào?", "? 5", "Đúng hay sai ?"])
def test_a_question_is_not_doubtful(text):
    assert not is_doubtful(text)


def test_scrambled_text_that_lost_a_byte_is_told_and_not_converted():
    broken = [scrambled("Đảng bộ xã Đạo Nghĩa").replace("\x90", "")]
    found = detect(broken)
    assert (found.encoding, found.certain) == ("mojibake", False)
    assert found.read(broken[0]) == broken[0]
    assert doubtful(broken) == set(broken)
