"""Vietnamese text as units type it, brought to one spelling: for storing (`clean`) and for comparing (`fold`)."""

import re
import unicodedata

_SPACES = re.compile(r"[\s\u00a0\u200b\u200c\u200d\u2060\ufeff]+")
_APOSTROPHES = str.maketrans(dict.fromkeys("'‘ʼ`´", "’"))
_OLD_TONES = {
    "oà": "òa", "oá": "óa", "oả": "ỏa", "oã": "õa", "oạ": "ọa",
    "oè": "òe", "oé": "óe", "oẻ": "ỏe", "oẽ": "õe", "oẹ": "ọe",
    "uỳ": "ùy", "uý": "úy", "uỷ": "ủy", "uỹ": "ũy", "uỵ": "ụy",
}  # fmt: skip
# The old placement differs only at the end of a syllable; after q the u belongs to the consonant ("quý").
_OLD_TONE = re.compile(rf"(?<![qQ])(?:{'|'.join(_OLD_TONES)})(?![^\W\d_])", re.IGNORECASE)


def _modern_tone(match: re.Match[str]) -> str:
    found = match.group()
    modern = _OLD_TONES[found.lower()]
    return "".join(new.upper() if old.isupper() else new for old, new in zip(found, modern, strict=True))


def clean(text: str) -> str:
    """Text as it is stored: NFC, single spaces, none at the ends, curly apostrophes, tone marks in the modern place."""
    if text.isascii() and "'" not in text and "`" not in text:
        return " ".join(text.split())
    composed = unicodedata.normalize("NFC", text).translate(_APOSTROPHES)
    return _OLD_TONE.sub(_modern_tone, _SPACES.sub(" ", composed).strip())


def fold(text: str) -> str:
    """Text as it is compared: `clean`, without difference of case."""
    return clean(text).casefold()


def strip_marks(text: str) -> str:
    """Folded text without any diacritics, for sheet names typed on keyboards without Vietnamese: ``bieu 5``."""
    decomposed = unicodedata.normalize("NFD", fold(text).replace("đ", "d"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
