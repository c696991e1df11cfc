"""A workbook as a package of parts: read, change some, write. Every part that is not touched goes back as it came."""

import posixpath
import re
import zipfile
import zlib
from io import BytesIO

from lxml import etree

CONTENT_TYPES = "[Content_Types].xml"
TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
LINKS = "http://schemas.openxmlformats.org/package/2006/relationships"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
_MADE_ON = (1980, 1, 1, 0, 0, 0)
"""When our own parts were made, for zip: the same input, the same bytes."""


class PackageError(ValueError):
    """A package that cannot be marked part by part; it can still be copied cell by cell."""


def parse(content: bytes) -> etree._Element:
    """The root of an XML part; no entity, no network, no DOCTYPE. Raises `PackageError`."""
    reader = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, reader)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise PackageError("a part is not well-formed XML") from error
    if root.getroottree().docinfo.doctype:
        raise PackageError("a part has a DOCTYPE")
    return root


def serialise(root: etree._Element) -> bytes:
    """An XML part as Excel writes it: UTF-8, standalone."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)


class Package:
    """The parts of an .xlsx by name (without the leading slash), and the workbook they make."""

    def __init__(self, content: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(content))
        except zipfile.BadZipFile as error:
            raise PackageError("not a zip package") from error
        files = [info for info in self._zip.infolist() if not info.is_dir()]
        # Some old writers put backslashes into names.
        self._names = {info.filename.replace("\\", "/").casefold(): info for info in files}
        self._spelled = {key: info.filename.replace("\\", "/") for key, info in self._names.items()}
        self._spelled |= {key: CONTENT_TYPES for key in self._spelled if key == CONTENT_TYPES.casefold()}
        self._changed: dict[str, bytes | None] = {}
        self._trees: dict[str, etree._Element] = {}
        self._drop_signatures()
        office = [link for link in self.links("") if link.get("Type", "").endswith("/officeDocument")]
        if not office:
            raise PackageError("no workbook in the package")
        self.workbook_name = self.target("", office[0])
        self.workbook = self.tree(self.workbook_name)
        self.main = etree.QName(self.workbook).namespace
        if self.main not in (MAIN, STRICT_MAIN):
            raise PackageError("not a workbook")
        self.office = OFFICE if self.main == MAIN else STRICT_OFFICE

    def __contains__(self, name: str) -> bool:
        if self._changed.get(name.casefold()) is not None:
            return True
        return name.casefold() in self._names and name.casefold() not in self._changed

    def names(self) -> list[str]:
        """The names of all parts, those of the package as it came in first."""
        return [name for name in self._spelled.values() if name in self]

    def read(self, name: str) -> bytes:
        """The bytes of a part; raises `PackageError` where it is missing or damaged."""
        changed = self._changed.get(name.casefold())
        if changed is not None:
            return changed
        if name not in self:
            raise PackageError(f"part {name} is missing")
        try:
            return self._zip.read(self._names[name.casefold()])
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise PackageError(f"part {name} is damaged") from error

    def write(self, name: str, content: bytes) -> None:
        """Put a part in, or another in its place."""
        self._spelled.setdefault(name.casefold(), name)
        self._changed[name.casefold()] = content

    def remove(self, name: str) -> None:
        """Take a part out, with its content type."""
        self._changed[name.casefold()] = None
        self._trees.pop(name.casefold(), None)
        for override in self.tree(CONTENT_TYPES):
            if override.get("PartName", "").lstrip("/").casefold() == name.casefold():
                override.getparent().remove(override)

    def tree(self, name: str) -> etree._Element:
        """The root of an XML part; what is changed in it is written with the package."""
        key = name.casefold()
        if key not in self._trees:
            self._trees[key] = parse(self.read(name))
        return self._trees[key]

    def add_tree(self, name: str, root: etree._Element) -> etree._Element:
        """Put a new XML part in."""
        self.write(name, b"")
        self._trees[name.casefold()] = root
        return root

    def links(self, part: str) -> etree._Element:
        """The relationships of a part (of the package itself: ``""``); made when there are none."""
        name = self._links_name(part)
        if name not in self:
            return self.add_tree(name, etree.Element(f"{{{LINKS}}}Relationships", nsmap={None: LINKS}))
        return self.tree(name)

    def linked(self, part: str) -> list[etree._Element]:
        """The relationships of a part; none is made."""
        return list(self.tree(name)) if (name := self._links_name(part)) in self else []

    def link(self, part: str, kind: str, target: str) -> str:
        """Relate a part to another one; returns the relationship's id."""
        links = self.links(part)
        used = {link.get("Id") for link in links}
        number = next(number for number in range(1, len(used) + 2) if f"rIdTC{number}" not in used)
        etree.SubElement(
            links, f"{{{LINKS}}}Relationship", Id=f"rIdTC{number}", Type=f"{self.office}/{kind}", Target=f"/{target}"
        )
        return f"rIdTC{number}"

    def target(self, part: str, link: etree._Element) -> str:
        """The name of the part that a relationship leads to."""
        target = link.get("Target", "")
        if link.get("TargetMode") == "External":
            raise PackageError("a part lies outside the package")
        if target.startswith("/"):
            return target.lstrip("/")
        return posixpath.normpath(posixpath.join(posixpath.dirname(part), target))

    def declare(self, name: str, kind: str) -> None:
        """Say of what content type a part is."""
        etree.SubElement(self.tree(CONTENT_TYPES), f"{{{TYPES}}}Override", PartName=f"/{name}", ContentType=kind)

    def new_name(self, pattern: str) -> str:
        """A name for a new part that no part has: ``xl/comments{}.xml``."""
        return next(name for number in range(1, 1_000_000) if (name := pattern.format(number)) not in self)

    def to_bytes(self) -> bytes:
        """The package as a file; the same changes to the same file give the same bytes."""
        for key, root in self._trees.items():
            self._changed[key] = serialise(root)
        written = BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED, compresslevel=5) as target:
            for name in self.names():
                info = self._names.get(name.casefold())
                entry = zipfile.ZipInfo(name, info.date_time if info else _MADE_ON)
                entry.compress_type = zipfile.ZIP_DEFLATED
                target.writestr(entry, self.read(name))
        return written.getvalue()

    def _links_name(self, part: str) -> str:
        folder, name = posixpath.split(part)
        return posixpath.join(folder, "_rels", f"{name}.rels")

    def _drop_signatures(self) -> None:
        """A signed workbook that is marked would open with a warning about its signature; the copy goes unsigned."""
        signed = [name for name in self.names() if name.casefold().startswith("_xmlsignatures/")]
        for name in signed:
            self.remove(name)
        if signed:
            for link in self.linked(""):
                if "digital-signature" in link.get("Type", ""):
                    link.getparent().remove(link)


_UNLAWFUL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
LONGEST = 32_767
"""The most characters that a cell or a comment of Excel holds."""


def lawful(text: object, longest: int = LONGEST) -> str:
    """Text as a cell may hold it: no control characters, no longer than Excel allows, ``_x0041_`` kept as it reads."""
    kept = _ESCAPED.sub("_x005F_", _UNLAWFUL.sub(" ", str(text)))
    # Excel counts UTF-16 units.
    if len(kept) * 2 > longest and len(kept.encode("utf-16-le")) // 2 > longest:
        kept = kept.encode("utf-16-le")[: (longest - 1) * 2].decode("utf-16-le", "ignore") + "…"
    return kept


_SAFE = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})


def escaped(text: object) -> str:
    """`lawful` text as it stands in an XML part, in text or between double quotes."""
    return lawful(text).translate(_SAFE)
