"""Texts that are not what they show: decomposed or look-alike letters, what cannot be seen, what acts as a formula."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from submissions.files.codes import hazard
from submissions.files.source import Hazard

LEGACY_FONT_NAME = re.compile(r'rFont val="\s*(?:\.[Vv][Nn]|[Vv][Nn][Ii][- ])')
"""A font of an old encoding in the markup of a text."""
_OLD_LETTERS = re.compile("[¡-¿×÷øûïåäëüöñæîØÛÏÅÄËÜÖÑÆÎçßþÞ]")
"""What Vietnamese Unicode hardly ever holds, and no text of an old encoding goes without; `legacy` looks closer."""

_PATTERNS: dict[str, re.Pattern[str]] = {
    "DECOMPOSED_TEXT": re.compile("[\u0300-\u036f]"),
    "CONTROL_CHARACTERS": re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ufffe\uffff]"),
    "INVISIBLE_CHARACTERS": re.compile("[\u00a0\u00ad\u2000-\u200d\u2028\u2029\u202f\u205f-\u2064\u3000\ufeff]"),
    "BIDI_CHARACTERS": re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"),
    # Ð is Icelandic, Đ Vietnamese; so with Cyrillic, Greek, full-width letters beside or among Latin ones.
    "LOOKALIKE_LETTERS": re.compile(
        "[\u00d0\u00f0\u0189\u0256\u0370-\u03ff\u0400-\u052f\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]"
    ),
}
_FORMULA_LIKE = re.compile(r"\s*[=@＝][A-Za-z('+\"]|\s*[+\-][A-Za-z(@=]|[\t\r]+[=+\-@]")
_ANY = re.compile(f"[{''.join(pattern.pattern[1:-1] for pattern in _PATTERNS.values())}]")
_LIKE_IN_MARKUP = re.compile(rb">\s*(?:[=@+\-]|\xef\xbc\x9d)")
_RARE_BYTES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xc2\xc9\xcc-\xd8\xe3\xef]")
_RARE_PAIRS = re.compile(rb"\xe2(?:\x80[\x80-\x8f\xa8-\xaf]|\x81)|\xc3\x90|\xc6\x89")
"""Bytes of UTF-8 without which no text is odd, and with which few are: a quick look before the exact one."""


def text_hazards(texts: Sequence[str], place: Callable[[int], tuple[str | None, str | None]]) -> list[Hazard]:
    """A hazard for each kind that occurs: how many texts, and the first cell (`place` of the text's position)."""
    met = []
    joined = "\n".join(texts)
    for code, pattern in _PATTERNS.items():
        if pattern.search(joined) is None:
            continue
        found = [position for position, text in enumerate(texts) if pattern.search(text) and _counts(code, text)]
        if found:
            met.append(hazard(code, *place(found[0]), len(found)))
    found = [position for position, text in enumerate(texts) if _FORMULA_LIKE.match(text)]
    if found:
        met.append(hazard("FORMULA_LIKE_TEXT", *place(found[0]), len(found)))
    return met


def may_be_odd(markup: bytes) -> bool:
    """Whether texts in their XML (UTF-8) may hold anything that `text_hazards` tells."""
    if b"_x00" in markup or b"&#" in markup or _LIKE_IN_MARKUP.search(markup) is not None:
        return True
    if _RARE_BYTES.search(markup) is None and _RARE_PAIRS.search(markup) is None and b"\xc3\xb0" not in markup:
        return False
    return _ANY.search(markup.decode()) is not None


def may_be_legacy(markup: str) -> bool:
    """Whether texts may be of an old encoding: signs inside words and letters that Vietnamese Unicode never holds."""
    return _OLD_LETTERS.search(markup) is not None


def _counts(code: str, text: str) -> bool:
    # A mark that no composed letter exists for (a tone on a consonant of another language) is not decomposed.
    return code != "DECOMPOSED_TEXT" or unicodedata.normalize("NFC", text) != text
