"""Vietnamese text as units type it, brought to one spelling: for storing (`clean`) and for comparing (`fold`)."""

import re
import unicodedata

_INVISIBLE = "\u00a0\u200b\u200c\u200d\u2060\ufeff"
_SPACES = re.compile(rf"[\s{_INVISIBLE}]+")
_APOSTROPHES = str.maketrans(dict.fromkeys("'‘ʼ`´", "’"))
_OLD_TONES = {
    "oà": "òa", "oá": "óa", "oả": "ỏa", "oã": "õa", "oạ": "ọa",
    "oè": "òe", "oé": "óe", "oẻ": "ỏe", "oẽ": "õe", "oẹ": "ọe",
    "uỳ": "ùy", "uý": "úy", "uỷ": "ủy", "uỹ": "ũy", "uỵ": "ụy",
}  # fmt: skip
# The old placement differs only at the end of a syllable; after q the u belongs to the consonant ("quý").
_OLD_TONE = re.compile(rf"(?<![qQ])(?:{'|'.join(_OLD_TONES)})(?![^\W\d_])", re.IGNORECASE)
_PLAIN = re.compile(r"[A-Za-z0-9./-]*")
"""Codes, numbers and dates: nothing to repair."""
_UNCLEAN = re.compile(rf"^\s|\s$|\s\s|[^\S ]|[{_INVISIBLE}'‘ʼ`´]|{_OLD_TONE.pattern}", re.IGNORECASE)


def _modern_tone(match: re.Match[str]) -> str:
    found = match.group()
    modern = _OLD_TONES[found.lower()]
    return "".join(new.upper() if old.isupper() else new for old, new in zip(found, modern, strict=True))


def clean(text: str) -> str:
    """Text as it is stored: NFC, single spaces, none at the ends, curly apostrophes, tone marks in the modern place."""
    if _PLAIN.fullmatch(text):
        return text
    composed = unicodedata.normalize("NFC", text)
    # Most texts are clean: one look is cheaper than three repairs.
    if _UNCLEAN.search(composed) is None:
        return composed
    return _OLD_TONE.sub(_modern_tone, _SPACES.sub(" ", composed.translate(_APOSTROPHES)).strip())


def fold(text: str) -> str:
    """Text as it is compared: `clean`, without difference of case."""
    return clean(text).casefold()


def strip_marks(text: str) -> str:
    """Folded text without any diacritics, for sheet names typed on keyboards without Vietnamese: ``bieu 5``."""
    decomposed = unicodedata.normalize("NFD", fold(text).replace("đ", "d"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
