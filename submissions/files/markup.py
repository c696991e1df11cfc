"""XML parts of a package: brought to UTF-8, refused where they declare anything, parsed where they are small."""

import re
from functools import lru_cache
from xml.parsers import expat

from lxml import etree

from submissions.files.codes import refused

_DECLARATION = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_DECLARED = re.compile(r"^\s*<\?xml[^>]*\?>")
_UTF_8 = {b"utf-8", b"utf8", b"us-ascii", b"ascii"}


def utf8(data: bytes, part: str) -> bytes:
    """The part as UTF-8 without mark or declaration of another encoding; raises `RefusedError`."""
    marks = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
    for mark, encoding in marks:  # noqa: B007 - kept after the loop
        if data.startswith(mark):
            data = data[len(mark) :]
            break
    else:
        # Without a mark, UTF-16 shows by the zero beside the first bracket.
        encoding = {b"<\0": "utf-16-le", b"\0<": "utf-16-be"}.get(data[:2], "utf-8")
        found = _DECLARATION.search(data[:200])
        if found and found.group(1).lower() not in _UTF_8:
            encoding = found.group(1).decode()
    try:
        if encoding != "utf-8":
            return _DECLARED.sub("", data.decode(encoding), count=1).encode()
        if not data.isascii():
            data.decode()
    except (LookupError, UnicodeError):
        raise refused("BAD_XML", part=part) from None
    return data


def check(data: bytes, part: str) -> None:
    """Prove that a part is well-formed and declares no document type; raises `RefusedError`."""
    parser = expat.ParserCreate()

    def declared(*_: object) -> None:
        raise refused("DOCTYPE", part=part)

    parser.StartDoctypeDeclHandler = declared
    parser.EntityDeclHandler = declared
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError) as error:
        raise unparsed(error, "BAD_XML", part=part) from None


def tree(data: bytes, part: str) -> etree._Element:
    """The part as a tree; raises `RefusedError` where it is not well-formed or declares a document type."""
    data = utf8(data, part)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise refused("DOCTYPE", part=part)
    try:
        return etree.fromstring(data, _PARSER)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise unparsed(error, "BAD_XML", part=part) from None


def unparsed(error: Exception, code: str, **facts: object) -> Exception:
    """What to raise where a parser gave up: the refusal of this code, or that there was no memory left for it."""
    no_memory = (type(error), getattr(error, "code", None)) in _NO_MEMORY
    return MemoryError() if no_memory else refused(code, **facts)


_NO_MEMORY = {
    (etree.XMLSyntaxError, etree.ErrorTypes.ERR_NO_MEMORY),
    (expat.ExpatError, expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]),
}
_PARSER = etree.XMLParser(
    resolve_entities=False, no_network=True, huge_tree=True, remove_comments=True, remove_pis=True
)
"""Fetches nothing and expands nothing."""


def local(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return _without_namespace(element.tag)


@lru_cache(maxsize=4_096)
def _without_namespace(tag: object) -> str:
    return tag.rsplit("}", 1)[-1] if isinstance(tag, str) else ""


def attribute(element: etree._Element, name: str) -> str | None:
    """An attribute by its name, whatever its namespace (the strict edition of the format has another)."""
    if (value := element.get(name)) is not None:
        return value
    for key, value in element.attrib.items():
        if key.rsplit("}", 1)[-1] == name:
            return value
    return None


def is_on(value: str | None) -> bool:
    """Whether an XML truth value is true."""
    return value is not None and value.strip().lower() in {"1", "true", "on"}
