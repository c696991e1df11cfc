"""Vietnamese text that is not Unicode: fonts TCVN3 (ABC) and VNI-Windows, and UTF-8 that was read as Windows-1252.

Whether a text is one of these is told by the words: Vietnamese has some seven thousand syllables, and a word that
is one only when read as TCVN3 is TCVN3. A text is converted where that is certain, and else left as it is and shown.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

Encoding = Literal["tcvn3", "vni", "mojibake"]

_LETTERS = "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵ"
TCVN3: dict[str, str] = dict(
    zip(
        "µ¶·¸¹¨»¼½¾Æ©ÇÈÉÊË®ÌÎÏÐÑªÒÓÔÕÖ×ØÜÝÞßáâãä«åæçèé¬êëìíîïñòóô\xadõö÷øùúûüýþ",
        _LETTERS,
        strict=True,
    )
) | dict(zip("¡¢£¤¥¦§", "ĂÂÊÔƠƯĐ", strict=True))
"""TCVN3 as Windows-1252 shows it (TCVN 5712:1993, VN3): one character each. It has no capitals with tone marks: fonts
whose names end in H show the small ones as capitals."""

VNI: dict[str, str] = {"ñ": "đ", "ô": "ơ", "ö": "ư", "í": "í", "ì": "ì", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ"}
"""VNI-Windows as Windows-1252 shows it: a vowel and a mark after it, or one character."""
for _base, _marks, _made in (
    ("a", "øûõùïêèúüéëâàåãáä", "àảãáạăằẳẵắặâầẩẫấậ"),
    ("e", "øûõùïâàåãáä", "èẻẽéẹêềểễếệ"),
    ("o", "øûõùïâàåãáä", "òỏõóọôồổỗốộ"),
    ("ô", "øûõùï", "ờởỡớợ"),
    ("u", "øûõùï", "ùủũúụ"),
    ("ö", "øûõùï", "ừửữứự"),
    ("y", "øûõù", "ỳỷỹý"),
):
    VNI |= {_base + _mark: _letter for _mark, _letter in zip(_marks, _made, strict=True)}
VNI |= {written.upper(): letter.upper() for written, letter in VNI.items()}
_VNI = re.compile("|".join(sorted(VNI, key=len, reverse=True)))
# The mark after a capital is typed with or without Shift.
_VNI_SHIFT = re.compile(r"([AEOUYÔÖ])([øûõùïêèúüéëâàåãáä])")

_CP1252 = {code: byte for byte in range(0x80, 0xA0) if (code := bytes([byte]).decode("cp1252", "replace")) != "�"}
_BYTES = {ord(code): byte for code, byte in _CP1252.items()} | {code: code for code in range(0x100)}
_TAIL = "\x80-\xbf" + re.escape("".join(_CP1252))
_MOJIBAKE = re.compile(rf"[ÂÃÄÅÆÌ][{_TAIL}]|á[º»][{_TAIL}]|â€[{_TAIL}]")
# What Vietnamese Unicode never holds: signs inside words, foreign letters, pairs of vowels that no syllable has.
_STRANGE = re.compile(
    r"[øûïåäëüöñæîØÛÏÅÄËÜÖÑÆÎçßþÞ]|[¡-¿×÷](?:(?<=[^\W_\d].)|(?=[^\W_\d]))"
    r"|[àáâãèéêùúõÀÁÂÃÈÉÊÙÚÕ](?:(?<=[AaEe].)|(?<=[Oo][âùõÂÙÕ])|(?<=[UuYyôÔ][ùõÙÕ]))"
)
BEYOND = re.compile(r"[\u0100-\u017e\u01a0-\u01b0\u0300-\u036f\u1e00-\u1eff]")
"""Letters and marks above U+00FF: such a text is Unicode."""
_LOST = re.compile(r"\ufffd|[^\W\d_]\?[^\W\d_]")
"""What cannot be told any more: a replaced character, or a question mark inside a word."""
_WORD = re.compile(r"[A-Za-zÀ-ÿ¡-¿×÷\xad\u0100-\u01b0\u0300-\u036f\u1e00-\u1eff]+")

_RHYMES = """
a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
e ec em en eng eo ep et ê êch êm ên ênh êp êt êu i ia ich iêc iêm iên iêng iêp iêt iêu im in inh ip it iu
y yêm yên yêng yêt yêu o oc oi om on ong op ot oa oac oach oai oam oan oang oanh oao oap oat oay
oăc oăm oăn oăng oăt oe oen oeo oet ooc oong ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt
u ua uc ui um un ung up ut uâ uân uâng uât uây uê uêch uênh uơ uôc uôi uôm uôn uông uôt
uy uya uych uyên uyêt uynh uyt uyu uyn ư ưa ưc ưi ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu
ua uac uach uai uan uang uanh uao uat uau uay uăc uăm uăn uăng uăt ue uen ueo uet uên uêt uit uinh uich uơi uôc
"""  # fmt: skip
_SYLLABLE = re.compile(
    r"(?:b|ch|c|d|đ|gh|gi|g|h|kh|k|l|m|ngh|ng|nh|n|ph|p|q(?=u)u?|r|s|th|tr|t|v|x)?"
    rf"(?:{'|'.join(sorted(_RHYMES.split(), key=len, reverse=True))})"
)
_TONES = "\u0300\u0301\u0303\u0309\u0323"
_STOPPED = re.compile(r"(?:ch|[cpt])$")


@cache
def is_syllable(word: str) -> bool:
    """Whether a word is a Vietnamese syllable, with at most one tone, and a lawful one before -c, -ch, -p, -t."""
    letters = unicodedata.normalize("NFD", word.lower())
    tones = [letter for letter in letters if letter in _TONES]
    toneless = unicodedata.normalize("NFC", "".join(letter for letter in letters if letter not in _TONES))
    if len(tones) > 1 or _SYLLABLE.fullmatch(toneless) is None:
        return False
    return _STOPPED.search(toneless) is None or tones in (["\u0301"], ["\u0323"])


def _from_tcvn3(text: str) -> str:
    made = text.translate(str.maketrans(TCVN3))
    if any("a" <= letter <= "z" for letter in text) or not re.search(r"[^\W\d_][A-Z¡-§]", text):
        return made
    return made.upper()  # small letters with tones among capitals: a font of capitals


def _from_vni(text: str) -> str:
    shifted = _VNI_SHIFT.sub(lambda pair: pair[1] + pair[2].upper(), text)
    return _VNI.sub(lambda found: VNI[found[0]], shifted)


def _from_mojibake(text: str) -> str | None:
    """The text whose UTF-8 was read as Windows-1252; None where that is not exactly reversible."""
    try:
        return bytes(_BYTES[ord(letter)] for letter in text).decode("utf-8")
    except (KeyError, UnicodeDecodeError):
        return None


def convert(text: str, encoding: Encoding, *, capitals: bool = False) -> str:
    """Text of a legacy encoding as Unicode (NFC); `capitals` for fonts that show all letters as capitals (`.VnTimeH`).

    A text with letters above U+00FF is Unicode already and comes back as it is, as do characters the table lacks.
    """
    if encoding == "mojibake":
        made = _from_mojibake(text) if _MOJIBAKE.search(text) else None
        return text if made is None else convert(made, "mojibake")
    if BEYOND.search(text):
        return text
    made = _from_tcvn3(text) if encoding == "tcvn3" else _from_vni(text)
    return unicodedata.normalize("NFC", made.upper() if capitals else made)


def encoding_of_font(name: str | None) -> tuple[Encoding | None, bool]:
    """The legacy encoding that a font's name tells (`.VnTime`, `VNI-Times`), and whether it shows capitals only."""
    folded = (name or "").strip().casefold()
    if folded.startswith(".vn"):
        return "tcvn3", folded.endswith("h")
    return ("vni", False) if folded.startswith(("vni-", "vni ")) else (None, False)


@cache
def readings(word: str) -> dict[str, str]:
    """As what a word with letters of U+0080 to U+00FF is a syllable (``unicode``, ``tcvn3``, ``vni``), and which."""
    found = {}
    if is_syllable(own := word.strip("¡-§«»°²³")):
        found["unicode"] = own
    # A sign alone is a sign: "10 £".
    tabled = any(letter.isascii() for letter in word) and all(letter in TCVN3 or letter.isascii() for letter in word)
    if tabled and is_syllable(made := _from_tcvn3(word)):
        found["tcvn3"] = made
    rest = _VNI.sub("", _VNI_SHIFT.sub(lambda pair: pair[1] + pair[2].upper(), word))
    if rest.isascii() and is_syllable(made := _from_vni(word)):
        found["vni"] = made
    return found


def words(text: str) -> list[str]:
    """The words of a text that have other letters than ASCII's."""
    return [word for word in _WORD.findall(text) if not word.isascii()]


@dataclass(frozen=True)
class Legacy:
    """As what the texts of a column or sheet are to be read."""

    encoding: Encoding | None
    """None: Unicode, as far as can be told."""
    certain: bool = True
    """False: something of `encoding` is among the texts, too little to convert by."""
    mixed: bool = False
    """Texts in Unicode stand among them: only what shows the encoding by itself is converted."""

    def read(self, text: str) -> str:
        """The text in Unicode; where that is in doubt, as it came (`is_doubtful` tells)."""
        if self.encoding is None or not self.certain or text.isascii():
            return text
        if self.encoding == "mojibake" or not self.mixed:
            return convert(text, self.encoding)
        found = [readings(word) for word in words(text)]
        shows = any(reading.keys() == {self.encoding} for reading in found)
        agrees = all(self.encoding in reading for reading in found)
        return convert(text, self.encoding) if shows and agrees else text


def detect(texts: Iterable[str]) -> Legacy:
    """As what these texts (of one column, sheet or file) are to be read where no font tells.

    Words that are syllables in one encoding only are counted once each. Three of them make it certain, or one or two
    that the form sets know (Nữ); beside them words of another reading may make up one in twenty.
    """
    distinct = {text for text in texts if isinstance(text, str) and not text.isascii()}
    joined = "\n".join(distinct)
    if _MOJIBAKE.search(joined):
        made = [_unscrambled(text) for text in distinct if _MOJIBAKE.search(text)]
        if any(made):
            return Legacy("mojibake", certain=True, mixed=not all(made))
        if any(_is_broken_mojibake(text) for text in distinct):
            return Legacy("mojibake", certain=False)
    if _STRANGE.search(joined) is None:
        return Legacy(None)
    mixed = BEYOND.search(joined) is not None
    used = {word for text in distinct if not BEYOND.search(text) for word in words(text)}
    only: dict[str, set[str]] = {"unicode": set(), "tcvn3": set(), "vni": set()}
    unread = 0
    for word in used:
        reading = readings(word)
        unread += not reading and word.upper() != word.lower()
        if len(reading) == 1:
            only[next(iter(reading))].add(word)
    encoding: Encoding = "tcvn3" if len(only["tcvn3"]) >= len(only["vni"]) else "vni"
    shown = only[encoding]
    # Where most words are syllables in no encoding, the language is another one: German words are some in TCVN3.
    if not shown or unread > len(shown):
        return Legacy(None)
    against = len(only["vni" if encoding == "tcvn3" else "tcvn3"]) + (0 if mixed else len(only["unicode"]))
    enough = len(shown) >= 3 or any(convert(word, encoding).casefold() in known_words() for word in shown)
    if enough and against * 20 <= len(shown):
        return Legacy(encoding, certain=True, mixed=mixed)
    if enough or any(_has_sign(word) for word in shown):
        return Legacy(encoding, certain=False, mixed=mixed)
    return Legacy(None)


def _has_sign(word: str) -> bool:
    return re.search(r"[¡-¿×÷\xad]", word) is not None


@cache
def known_words() -> frozenset[str]:
    """Words with diacritics of the headings and list values of all form sets."""
    from submissions.form_set import load_form_sets

    texts: list[str] = []
    for form_set in load_form_sets().values():
        texts += [item.value for values in form_set.lists.values() for item in values]
        texts += [column.heading for form in form_set.forms for column in form.columns]
    return frozenset(word for text in texts for word in _WORD.findall(text.casefold()) if not word.isascii())


def _unscrambled(text: str) -> str | None:
    """What a scrambled text says; None where it is none, or not exactly reversible."""
    made = _from_mojibake(text)
    if made is None or made == text:
        return None
    if BEYOND.search(made):
        return made
    # "XÃ" before a no-break space is Unicode: its words are Vietnamese as they stand.
    return None if all(is_syllable(word) for word in words(text.replace("\xa0", " "))) else made


def _is_broken_mojibake(text: str) -> bool:
    return _MOJIBAKE.search(text) is not None and _unscrambled(text) is None and len(_MOJIBAKE.findall(text)) > 1


def doubtful(texts: Iterable[str]) -> set[str]:
    """Which texts still look like a legacy encoding, or lost their letters (``Nguy?n``): these must not be loaded."""
    texts = list(texts)
    joined = "\n".join(texts)
    odd = "?" in joined or "\ufffd" in joined or _STRANGE.search(joined) or _MOJIBAKE.search(joined)
    if not odd:
        return set()
    return {text for text in texts if is_doubtful(text)}


def is_doubtful(text: str) -> bool:
    """`doubtful` of a single text."""
    if text.isascii():
        return "?" in text and _LOST.search(text) is not None
    if _LOST.search(text) is not None:
        return True
    if _MOJIBAKE.search(text) is not None and (_unscrambled(text) is not None or _is_broken_mojibake(text)):
        return True
    if _STRANGE.search(text) is None:
        return False
    shown = [word for word in words(text) if readings(word) and "unicode" not in readings(word)]
    return len(shown) > 1 or any(_has_sign(word) for word in shown)
