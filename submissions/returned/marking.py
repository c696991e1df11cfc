"""Marks in a unit's own sheets: coloured cells with comments.

The sheets are patched where they stand, not rewritten: what a rewriting library does not know (stored values, shapes,
extensions) would be lost.
"""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from xml.parsers import expat

from lxml import etree

from submissions.returned.package import LONGEST, Package, PackageError, lawful, parse, serialise
from submissions.returned.styles import Styles

AUTHOR = "Thực Chất"
COMMENTS = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
DRAWING = "application/vnd.openxmlformats-officedocument.vmlDrawing"
LARGEST_TREE = 20 * 1024 * 1024
"""Bytes of a sheet that may be read as a tree, which takes seventeen times as much memory."""

_ATTRIBUTES = rb"((?:\s[^>\"']*(?:\"[^\"]*\"[^>\"']*|'[^']*'[^>\"']*)*)?/?)"
_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([1-9][0-9]{0,6})")
_AFTER_DRAWING = {"legacyDrawingHF", "drawingHF", "picture", "oleObjects", "controls", "webPublishItems", "tableParts",
                  "extLst", "AlternateContent"}  # fmt: skip
"""What may follow the place of comments in a sheet; the order of its parts is fixed (CT_Worksheet)."""


@dataclass(frozen=True)
class Mark:
    """What is to be seen at a cell: its colour, and the comment."""

    level: str
    """``error`` or ``query``."""
    comment: str


Place = tuple[int, int]
"""Row and column of a cell, from 1."""


def place(cell: object) -> Place | None:
    """The row and column of a cell by its name (``B7``, the first of ``B7:D9``); None for what names no cell."""
    found = _REFERENCE.match(str(cell)) if isinstance(cell, str) else None
    if found is None:
        return None
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - 64
    row = int(found[2])
    return (row, column) if column <= 16_384 and row <= 1_048_576 else None


def letters(column: int) -> str:
    """The letters of a column, from 1: ``AA`` is 27."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def mark_sheet(package: Package, name: str, marks: Mapping[Place, Mark], styles: Styles) -> bool:
    """Colour the cells of a sheet's part and comment on them; whether the comments could be written, too.

    Values, formulas and everything else of the sheet stay. Raises `PackageError` for a sheet that cannot be patched.
    """
    sheet = _Sheet(package.read(name))
    sheet.colour(marks, styles.marked)
    commented = _comment(package, name, sheet, marks)
    sheet.deselect()
    package.write(name, sheet.content)
    return commented


def deselect(package: Package, name: str) -> None:
    """Let a sheet not be selected: two selected sheets are a group, and what is typed in one goes into both."""
    content = package.read(name)
    if b"tabSelected" in content:
        sheet = _Sheet(content)
        sheet.deselect()
        package.write(name, sheet.content)


class _Sheet:
    """The bytes of a sheet's part, with the places where something may be put in."""

    def __init__(self, content: bytes) -> None:
        self.content = _plain(content)
        root = re.search(rb"<(?:([\w.-]+):)?(?:worksheet|chartsheet|dialogsheet)" + _ATTRIBUTES + rb">", self.content)
        if root is None:
            raise PackageError("not a sheet")
        self.root = root[0]
        self.prefix = root[1] + b":" if root[1] else b""

    def deselect(self) -> None:
        """Take the mark of a selected sheet out of its views, which stand before its cells."""
        head, data, rest = self.content.partition(b"<" + self.prefix + b"sheetData")
        head = re.sub(rb"""\stabSelected\s*=\s*(["'])(?:1|true)\1""", b"", head)
        self.content = head + data + rest

    def colour(self, marks: Mapping[Place, Mark], restyle: Callable[[int, str], int]) -> None:
        """Give cells a colour; a cell or row that is missing is put in where it belongs."""
        wanted: dict[int, dict[int, str]] = {}
        for (row, column), mark in marks.items():
            wanted.setdefault(row, {})[column] = mark.level
        start, end = self._data()
        rows = self._rows(start, end)
        edits = []
        numbers = sorted(rows)
        for number, cells in sorted(wanted.items()):
            if number in rows:
                edits.append(self._marked_row(*rows[number], number, cells, restyle))
            else:
                made = b"".join(self._new_cell(number, column, restyle(self._column_style(column), level))
                                for column, level in sorted(cells.items()))  # fmt: skip
                later = next((rows[other][0] for other in numbers if other > number), end)
                p = self.prefix
                edits.append((later, later, b'<%brow r="%d">%b</%brow>' % (p, number, made, p)))
        self._apply(sorted(edits, key=lambda edit: edit[:2]))

    def _data(self) -> tuple[int, int]:
        """Where the rows begin and end."""
        p = self.prefix
        found = re.search(rb"<" + p + rb"sheetData" + _ATTRIBUTES + rb">", self.content)
        if found is None:
            raise PackageError("a sheet without cells")
        if found[1].endswith(b"/"):
            empty = b"<" + p + b"sheetData></" + p + b"sheetData>"
            self.content = self.content[: found.start()] + empty + self.content[found.end() :]
            start = found.start() + len(p) + len(b"<sheetData>")
            return start, start
        end = self.content.find(b"</" + p + b"sheetData", found.end())
        if end < 0:
            raise PackageError("a sheet's cells do not end")
        return found.end(), end

    def _rows(self, start: int, end: int) -> dict[int, tuple[int, int, bytes]]:
        """Rows by number: where the tag begins and ends, and its attributes."""
        rows: dict[int, tuple[int, int, bytes]] = {}
        number = 0
        for tag in re.compile(rb"<" + self.prefix + rb"row" + _ATTRIBUTES + rb">").finditer(self.content, start, end):
            said = _attribute(tag[1], b"r")
            number = int(said) if said else number + 1
            rows.setdefault(number, (tag.start(), tag.end(), tag[1]))
        return rows

    def _marked_row(
        self, start: int, begin: int, attributes: bytes, number: int, wanted: dict[int, str],
        restyle: Callable[[int, str], int],
    ) -> tuple[int, int, bytes]:  # fmt: skip
        p = self.prefix
        empty = attributes.endswith(b"/")
        end = begin if empty else self.content.find(b"</" + p + b"row", begin)
        if end < 0:
            raise PackageError("a row does not end")
        body = b"" if empty else self.content[begin:end]
        cells: dict[int, re.Match[bytes]] = {}
        column = 0
        for tag in re.compile(rb"<" + p + rb"c" + _ATTRIBUTES + rb">").finditer(body):
            said = _attribute(tag[1], b"r")
            at = place(said.decode("ascii", "replace")) if said else (number, column + 1)
            if at is None:
                raise PackageError("a cell without a place")
            column = at[1]
            cells.setdefault(column, tag)
        row_style = _attribute(attributes, b"s") if _attribute(attributes, b"customFormat") in (b"1", b"true") else None
        edits = []
        for column, level in sorted(wanted.items()):
            if column in cells:
                tag = cells[column]
                style = restyle(int(_attribute(tag[1], b"s") or 0), level)
                bare = re.sub(rb"""\ss\s*=\s*("[^"]*"|'[^']*')""", b"", tag[1])
                edits.append((tag.start(), tag.end(), b'<%bc s="%d"%b>' % (p, style, bare)))
            else:
                base = int(row_style) if row_style else self._column_style(column)
                later = [tag.start() for other, tag in cells.items() if other > column]
                last = body.find(b"<" + p + b"extLst") if not later else min(later)
                at = last if last >= 0 else len(body)
                edits.append((at, at, self._new_cell(number, column, restyle(base, level))))
        if len(edits) > sum(column in cells for column in wanted):
            # The hint which columns a row spans would no longer be true.
            attributes = re.sub(rb"""\sspans\s*=\s*("[^"]*"|'[^']*')""", b"", attributes)
        body = _edited(body, sorted(edits, key=lambda edit: edit[:2]))
        tag = b"<" + p + b"row" + (attributes[:-1] if empty else attributes) + b">"
        return start, end, tag + body + (b"</" + p + b"row>" if empty else b"")

    def _new_cell(self, row: int, column: int, style: int) -> bytes:
        return b'<%bc r="%b%d" s="%d"/>' % (self.prefix, letters(column).encode(), row, style)

    def columns(self) -> list[tuple[int, int, int, float]]:
        """First, last, style and width (in characters) of the columns that say so."""
        head = self.content[: self.content.find(b"<" + self.prefix + b"sheetData")]
        found = []
        for tag in re.finditer(rb"<" + self.prefix + rb"col" + _ATTRIBUTES + rb">", head):
            said = {key: _attribute(tag[1], key) for key in (b"min", b"max", b"style", b"width", b"hidden")}
            width = 0.0 if said[b"hidden"] in (b"1", b"true") else float(said[b"width"] or 9)
            found.append((int(said[b"min"] or 1), int(said[b"max"] or 1), int(said[b"style"] or 0), width))
        return found

    def _column_style(self, column: int) -> int:
        return next((style for first, last, style, _ in self.columns() if first <= column <= last), 0)

    def drawing(self) -> str | None:
        """The relationship of the drawing that holds the shapes of comments."""
        for name, tag in self._tail():
            if name == "legacyDrawing":
                found = re.search(rb"""[\w.-]+:id\s*=\s*["']([^"']*)""", tag[1])
                return found[1].decode() if found else None
        return None

    def add_drawing(self, relation: str, office: str) -> None:
        """Say where the shapes of comments are, at the place that the order of a sheet's parts gives."""
        at = next((tag[0] for name, tag in self._tail() if name in _AFTER_DRAWING), None)
        if at is None:
            at = self.content.rfind(b"</")
        added = f'legacyDrawing xmlns:r="{office}" r:id="{relation}"/>'.encode()
        self.content = self.content[:at] + b"<" + self.prefix + added + self.content[at:]

    def _tail(self) -> list[tuple[str, tuple[int, bytes]]]:
        """The parts of a sheet after its cells, in order: name, and where the tag begins and what it says."""
        begin = self.content.find(b"</" + self.prefix + b"sheetData")
        begin = self.content.find(b">", begin) + 1
        reader = expat.ParserCreate()
        depth = 0
        found: list[tuple[str, tuple[int, bytes]]] = []

        def opened(name: str, _: dict[str, str]) -> None:
            nonlocal depth
            depth += 1
            if depth == 2:
                at = begin + reader.CurrentByteIndex - len(self.root)
                tag = self.content[at : self.content.find(b">", at) + 1]
                found.append((name.rpartition(":")[2], (at, tag)))

        def closed(_: str) -> None:
            nonlocal depth
            depth -= 1

        reader.StartElementHandler, reader.EndElementHandler = opened, closed
        try:
            reader.Parse(self.root + self.content[begin:], True)
        except expat.ExpatError as error:
            raise PackageError("a sheet is not well-formed XML") from error
        return found

    def _apply(self, edits: list[tuple[int, int, bytes]]) -> None:
        self.content = _edited(self.content, edits)


def _plain(content: bytes) -> bytes:
    """A sheet in UTF-8 without comments and CDATA, so that tags may be found by their bytes."""
    declared = re.match(rb"""\s*<\?xml[^>]*encoding\s*=\s*["']([\w.-]+)""", content.removeprefix(b"\xef\xbb\xbf"))
    utf8 = declared is None or declared[1].lower() in (b"utf-8", b"utf8", b"us-ascii", b"ascii")
    if utf8 and content[:2] not in (b"\xff\xfe", b"\xfe\xff") and b"<!" not in content:
        return content.removeprefix(b"\xef\xbb\xbf")
    if len(content) > LARGEST_TREE:
        raise PackageError("a sheet is too large to be read as a tree")
    return serialise(parse(content))


def _attribute(attributes: bytes, name: bytes) -> bytes | None:
    found = re.search(rb"""\s""" + name + rb"""\s*=\s*(?:"([^"]*)"|'([^']*)')""", attributes)
    return None if found is None else (found[1] if found[1] is not None else found[2]).strip()


def _edited(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Content with pieces replaced; the edits in order of place."""
    pieces, position = [], 0
    for start, end, replacement in edits:
        pieces += [content[position:start], replacement]
        position = end
    return b"".join([*pieces, content[position:]])


def _comment(package: Package, name: str, sheet: _Sheet, marks: Mapping[Place, Mark]) -> bool:
    """Write comments beside those that stand there; False where the drawing with their shapes cannot be extended."""
    links = {link.get("Id"): link for link in package.linked(name)}
    drawing_id = sheet.drawing()
    held = [link for link in links.values() if link.get("Type", "").endswith("/comments")]
    drawing = package.target(name, links[drawing_id]) if drawing_id in links else None
    if (drawing_id and drawing is None) or (held and drawing is None):
        return False
    shapes = package.read(drawing) if drawing else None
    if shapes is not None and (b'xmlns:v="urn:schemas-microsoft-com:vml"' not in shapes or b"</xml>" not in shapes):
        return False
    kept: set[Place] = set()
    if held:
        comments = package.tree(package.target(name, held[0]))
        kept = _join(comments, marks)
    else:
        comments = etree.Element(f"{{{package.main}}}comments", nsmap={None: package.main})
        etree.SubElement(etree.SubElement(comments, f"{{{package.main}}}authors"), f"{{{package.main}}}author")
        etree.SubElement(comments, f"{{{package.main}}}commentList")
        comments[0][0].text = AUTHOR
        target = package.new_name(posixpath.join(posixpath.dirname(package.workbook_name), "comments{}.xml"))
        package.add_tree(target, comments)
        package.declare(target, COMMENTS)
        package.link(name, "comments", target)
    new = {at: mark for at, mark in sorted(marks.items()) if at not in kept}
    _add_comments(comments, new)
    written = _shapes(package, shapes, new, sheet.columns())
    if drawing is None:
        folder = posixpath.join(posixpath.dirname(package.workbook_name), "drawings")
        drawing = package.new_name(f"{folder}/vmlDrawing{{}}.vml")
        package.declare(drawing, DRAWING)
        sheet.add_drawing(package.link(name, "vmlDrawing", drawing), package.office)
    package.write(drawing, written)
    return True


def _join(comments: etree._Element, marks: Mapping[Place, Mark]) -> set[Place]:
    """Say ours at the end of the comments that cells have already; returns the places of all such comments."""
    main = f"{{{etree.QName(comments).namespace}}}"
    kept = set()
    for comment in comments.iter(f"{main}comment"):
        at = place(comment.get("ref"))
        text = comment.find(f"{main}text")
        if at is None or text is None:
            continue
        kept.add(at)
        if at not in marks:
            continue
        for said in text.findall(f"{main}t"):
            run = etree.Element(f"{main}r")
            text.replace(said, run)
            run.append(said)
        run = etree.Element(f"{main}r")
        text.insert(len(text.findall(f"{main}r")), run)
        added = etree.SubElement(run, f"{main}t")
        added.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        length = sum(len(said.text or "") for said in text.iter(f"{main}t"))
        added.text = lawful(f"\n\n{marks[at].comment}", max(LONGEST - length, 1))
    return kept


def _add_comments(comments: etree._Element, marks: Mapping[Place, Mark]) -> None:
    main = f"{{{etree.QName(comments).namespace}}}"
    authors, listed = comments.find(f"{main}authors"), comments.find(f"{main}commentList")
    if authors is None or listed is None:
        raise PackageError("comments without a list")
    names = [author.text for author in authors]
    if AUTHOR not in names:
        etree.SubElement(authors, f"{main}author").text = AUTHOR
        names.append(AUTHOR)
    author = str(names.index(AUTHOR))
    for (row, column), mark in marks.items():
        comment = etree.SubElement(listed, f"{main}comment", ref=f"{letters(column)}{row}", authorId=author)
        text = etree.SubElement(etree.SubElement(comment, f"{main}text"), f"{main}t")
        text.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
        text.text = lawful(mark.comment)


_DRAWING = (
    b'<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:o="urn:schemas-microsoft-com:office:office" '
    b'xmlns:x="urn:schemas-microsoft-com:office:excel"><o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data=""/>'
    b"</o:shapelayout></xml>"
)
_SHAPE_TYPE = (
    '<v:shapetype id="_x0000_t202" coordsize="21600,21600" o:spt="202" path="m,l,21600r21600,l21600,xe">'
    '<v:stroke joinstyle="miter"/><v:path gradientshapeok="t" o:connecttype="rect"/></v:shapetype>'
)
_IDMAP = re.compile(rb"""(<o:idmap\b[^>]*?\bdata\s*=\s*["'])([^"']*)""")
_CLUSTER = 1024
"""Shapes are numbered in clusters of this many; each drawing of a workbook has clusters of its own."""


def _shapes(
    package: Package, shapes: bytes | None, marks: Mapping[Place, Mark], columns: list[tuple[int, int, int, float]]
) -> bytes:
    """A drawing with the shapes of more comments. Without them Excel shows none, and repairs the file."""
    used = [0]
    for part in package.names():
        if part.casefold().endswith(".vml"):
            used += [
                int(number) for found in _IDMAP.finditer(package.read(part)) for number in re.findall(rb"\d+", found[2])
            ]
    first = max(used) + 1
    clusters = [first + number for number in range(len(marks) // (_CLUSTER - 1) + 1)]
    numbers = (cluster * _CLUSTER + number for cluster in count(first) for number in range(1, _CLUSTER))
    drawing = shapes or _DRAWING
    added = "" if b'"_x0000_t202"' in drawing else _SHAPE_TYPE
    added += "".join(_shape(next(numbers), at, mark, columns) for at, mark in marks.items())
    listed = ",".join(map(str, clusters)).encode()
    drawing, found = _IDMAP.subn(
        lambda old: old[1] + (old[2] + b"," + listed if old[2].strip() else listed), drawing, count=1
    )
    if not found:
        added = f'<o:shapelayout v:ext="edit"><o:idmap v:ext="edit" data="{listed.decode()}"/></o:shapelayout>{added}'
    before, closing, after = drawing.rpartition(b"</xml>")
    return before + added.encode() + closing + after


_SHAPE_WIDTH, _SHAPE_HEIGHT = 44.0, 6
"""Of a comment: characters, and rows for the first hundred letters."""


def _shape(number: int, at: Place, mark: Mark, columns: list[tuple[int, int, int, float]]) -> str:
    row, column = at
    width, last = 0.0, column
    while width < _SHAPE_WIDTH and last < 16_380:
        last += 1
        width += next((wide for first, end, _, wide in columns if first <= last <= end), 9.0)
    lines = _SHAPE_HEIGHT + len(mark.comment) // 60
    top = max(row - 2, 0)
    return (
        f'<v:shape id="_x0000_s{number}" type="#_x0000_t202" style=\'position:absolute;margin-left:80pt;margin-top:2pt;'
        f'width:240pt;height:{lines * 15}pt;z-index:{number % _CLUSTER};visibility:hidden\' fillcolor="#ffffe1" '
        'o:insetmode="auto"><v:fill color2="#ffffe1"/><v:shadow color="black" obscured="t"/>'
        "<v:path o:connecttype=\"none\"/><v:textbox style='mso-direction-alt:auto'><div style='text-align:left'></div>"
        '</v:textbox><x:ClientData ObjectType="Note"><x:MoveWithCells/><x:SizeWithCells/>'
        f"<x:Anchor>{column}, 15, {top}, 4, {last}, 15, {top + lines}, 4</x:Anchor><x:AutoFill>False</x:AutoFill>"
        f"<x:Row>{row - 1}</x:Row><x:Column>{column - 1}</x:Column></x:ClientData></v:shape>"
    )


def comment_on(package: Package, name: str, marks: Mapping[Place, Mark]) -> bool:
    """Comment on cells of a sheet's part without colouring them; whether the comments could be written."""
    sheet = _Sheet(package.read(name))
    commented = _comment(package, name, sheet, marks)
    package.write(name, sheet.content)
    return commented
