"""Texts typed in fonts of the old Vietnamese encodings, as Unicode: by the font of each piece, else by its words."""

import re
from collections.abc import Iterable

from submissions.files.legacy import BEYOND, TCVN3, Legacy, convert, encoding_of_font, is_doubtful

_UPPER_LATIN = re.compile("[\u0080-\u00ff]")


def in_unicode(runs: Iterable[tuple[str, str]], detected: Legacy) -> tuple[str, str]:
    """The text of pieces with their fonts, and what was done: ``kept``, ``converted`` or ``doubtful``.

    `detected` is how texts are read whose font tells nothing.
    """
    made, states = "", {"kept"}
    for text, font in runs:
        piece, state = _piece(text, font, detected)
        made += piece
        states.add(state)
    return made, next(state for state in ("doubtful", "converted", "kept") if state in states)


def _piece(text: str, font: str, detected: Legacy) -> tuple[str, str]:
    encoding, capitals = encoding_of_font(font)
    if encoding is None:
        made = detected.read(text)
        return made, "converted" if made != text else "doubtful" if is_doubtful(text) else "kept"
    if BEYOND.search(text):
        return text, "kept"  # typed in Unicode, whatever the font
    made = convert(text, encoding, capitals=capitals)
    if text.isascii():
        return made, "kept"
    # Spaces and quotation marks stand in texts of any encoding.
    left = {letter for letter in _UPPER_LATIN.findall(text) if letter.isalpha()}
    if encoding == "tcvn3" and not left <= TCVN3.keys():
        # A letter that the encoding lacks: the text may be Unicode under an old font.
        return text, "doubtful" if made != text else "kept"
    return made, "converted"
