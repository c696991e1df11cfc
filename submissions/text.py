"""Vietnamese text as units type it, brought to one spelling: for storing (`clean`) and for comparing (`fold`)."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

_ZERO_WIDTH = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_CONTROLS = "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"
_NOT_SHOWN = re.compile(rf"[{_ZERO_WIDTH}{_CONTROLS}]")
_SPACES = re.compile(r"\s\s+|[^\S ]")
_ESCAPED = re.compile(r"_x00(?:0[0-9A-Fa-f]|1[0-9A-Fa-f]|7[Ff])_")
"""How Excel writes control characters into its files: ``_x000D_``."""
_SAME = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
"""What looks alike and is one thing: full-width forms, apostrophes, foreign letters like Đ, hyphens."""
_SAME |= (
    dict.fromkeys("'‘ʼ`´＇｀", "’") | dict.fromkeys("ÐƉ", "Đ") | dict.fromkeys("ðɖ", "đ") | dict.fromkeys("‐‑", "-")
)
_ALIKE = re.compile(rf"[{''.join(_SAME)}]")
_LOOK_ALIKES = str.maketrans(
    "АВЕКМНОРСТУХІЈЅаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "ABEKMHOPCTYXIJSaeopcyxijsABEZHIKMNOPTYXo",
)
_OTHER_SCRIPT = re.compile(r"[\u0370-\u03ff\u0400-\u04ff]")
_WORD = re.compile(r"\w+")
_OLD_TONES = {
    "oà": "òa", "oá": "óa", "oả": "ỏa", "oã": "õa", "oạ": "ọa",
    "oè": "òe", "oé": "óe", "oẻ": "ỏe", "oẽ": "õe", "oẹ": "ọe",
    "uỳ": "ùy", "uý": "úy", "uỷ": "ủy", "uỹ": "ũy", "uỵ": "ụy",
}  # fmt: skip
# The old placement differs only at the end of a syllable; after q the u belongs to the consonant ("quý").
# Written out in both cases: a class of letters is found many times faster than a pattern without case.
_OLD_TONE = re.compile(
    r"[oOuU](?:(?<=[oO])[àáảãạèéẻẽẹÀÁẢÃẠÈÉẺẼẸ]|(?<=[uU])(?<![qQ].)[ỳýỷỹỵỲÝỶỸỴ])(?![^\W\d_])", re.DOTALL
)
_PLAIN = re.compile(r"[A-Za-z0-9./-]*")
"""Codes, numbers and dates: nothing to repair."""
_UNUSUAL_SPACES = "\t\v-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_UNCLEAN_LETTERS = rf"{_ZERO_WIDTH}{_CONTROLS}{_UNUSUAL_SPACES}{''.join(_SAME)}\u0370-\u03ff\u0400-\u04ff"
_UNCLEAN = re.compile(rf"^ | $|  |[\n{_UNCLEAN_LETTERS}]|_x00")
_UNCLEAN_LINE = re.compile(f"[{_UNCLEAN_LETTERS}]"), re.compile(r" (?=\n)|  |\n |_x00"), _OLD_TONE
"""The same in one text a line: three looks that begin with a letter are quicker than one."""


def _modern_tone(match: re.Match[str]) -> str:
    found = match.group()
    modern = _OLD_TONES[found.lower()]
    return "".join(new.upper() if old.isupper() else new for old, new in zip(found, modern, strict=True))


def _latin(match: re.Match[str]) -> str:
    """A word whose Cyrillic and Greek letters all look Latin, in Latin letters; any other word as it is."""
    word = match.group()
    latin = word.translate(_LOOK_ALIKES)
    return word if _OTHER_SCRIPT.search(latin) else latin


def _repaired(text: str) -> str:
    """A text in one spelling, but for its spaces."""
    text = _NOT_SHOWN.sub("", _ALIKE.sub(lambda found: _SAME[found[0]], _ESCAPED.sub(" ", text)))
    if _OTHER_SCRIPT.search(text):
        text = _WORD.sub(_latin, text)
    # What was not shown may have stood between a letter and its mark.
    return _OLD_TONE.sub(_modern_tone, unicodedata.normalize("NFC", text))


def clean_all(texts: Sequence[str]) -> list[str]:
    """`clean` of every text; they are looked through together, since few need anything."""
    if _PLAIN.fullmatch("".join(texts)):
        return list(texts)
    joined = f"\n{unicodedata.normalize('NFC', chr(10).join(texts))}\n"
    lines = joined.split("\n")[1:-1]
    if len(lines) != len(texts):
        return [clean(text) for text in texts]
    if unclean := [found.end() - 1 for look in _UNCLEAN_LINE for found in look.finditer(joined)]:
        starts = list(accumulate((len(line) + 1 for line in lines), initial=1))
        for place in {bisect_right(starts, at) - 1 for at in unclean}:
            lines[place] = clean(lines[place])
    return lines


def clean(text: str) -> str:
    """Text as it is stored: NFC, single spaces, none at the ends, curly apostrophes, tone marks in the modern place.

    What only looks like a letter (Icelandic Ð, a Cyrillic О in a Latin word, full-width forms) becomes that letter, and
    what is not shown (zero-width and control characters) goes.
    """
    return text if _PLAIN.fullmatch(text) else _cleaned(text)


@lru_cache(maxsize=1 << 15)
def _cleaned(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)
    # Most texts are clean: one look is cheaper than many repairs.
    if _UNCLEAN.search(composed) is None and _OLD_TONE.search(composed) is None:
        return composed
    return _SPACES.sub(" ", _repaired(composed)).strip()


def fold(text: str) -> str:
    """Text as it is compared: `clean`, without difference of case."""
    return clean(text).casefold()


_LONG_NUMBER = re.compile(r"\d(?:[ .-]?\d){8}")


def quotable(text: str) -> str:
    """A text as a message may quote it: what could be a person's name or number is not repeated.

    A code, a version, a year or one word is quoted; several words without a digit, and nine digits or more, are not.
    """
    if _LONG_NUMBER.search(text) or (" " in text.strip() and not any(letter.isdigit() for letter in text)):
        return "…"
    return text if len(text) <= 40 else f"{text[:40]}…"


def strip_marks(text: str) -> str:
    """Folded text without any diacritics, for sheet names typed on keyboards without Vietnamese: ``bieu 5``."""
    decomposed = unicodedata.normalize("NFD", fold(text).replace("đ", "d"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
