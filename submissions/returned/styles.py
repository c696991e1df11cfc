"""The formats of a workbook, with more of them: a coloured twin of a cell's own format, and those of the list."""

from copy import deepcopy

from lxml import etree

from submissions.returned.package import Package, PackageError

STYLES = "application/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"
MOST = 64_000
"""Formats that Excel lets a workbook have."""
FILLS = {"error": "FFF2A9A0", "query": "FFFFE699"}
"""Red for what must be mended, amber for what must be mended or explained; in grey print the red is the darker."""

_ORDER = (
    "numFmts",
    "fonts",
    "fills",
    "borders",
    "cellStyleXfs",
    "cellXfs",
    "cellStyles",
    "dxfs",
    "tableStyles",
    "colors",
)
_FIRST = {
    "fonts": '<font><sz val="11"/><name val="Calibri"/><family val="2"/></font>',
    "fills": '<fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>',
    "borders": "<border><left/><right/><top/><bottom/><diagonal/></border>",
    "cellStyleXfs": '<xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>',
    "cellXfs": '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>',
}
_LINE = '<{side} style="thin"><color rgb="FFB8B8B8"/></{side}>'
_BOX = f"<border>{''.join(_LINE.format(side=side) for side in ('left', 'right', 'top', 'bottom'))}<diagonal/></border>"


class Styles:
    """The formats of a package."""

    def __init__(self, package: Package) -> None:
        links = [link for link in package.linked(package.workbook_name) if link.get("Type", "").endswith("/styles")]
        if links:
            self._root = package.tree(package.target(package.workbook_name, links[0]))
        else:
            name = package.new_name("xl/styles{}.xml")
            self._root = package.add_tree(
                name, etree.Element(f"{{{package.main}}}styleSheet", nsmap={None: package.main})
            )
            package.declare(name, STYLES)
            package.link(package.workbook_name, "styles", name)
        self._main = f"{{{etree.QName(self._root).namespace}}}"
        for section in _FIRST:
            self._section(section)
        self._formats = self._section("cellXfs")
        self._fonts = list(self._section("fonts"))
        self._twins: dict[tuple[int, str], int] = {}
        self._added: dict[tuple[str, str], int] = {}

    def marked(self, style: int, level: str) -> int:
        """The number of a format like another one, but on the colour of a level."""
        if (style, level) not in self._twins:
            if not 0 <= style < len(self._formats):
                style = 0
            twin = deepcopy(self._formats[style])
            twin.set("fillId", str(self._fill(FILLS[level])))
            twin.set("applyFill", "1")
            self._darken(twin)
            self._twins[style, level] = self._add_format(twin)
        return self._twins[style, level]

    def new(
        self,
        *,
        font: str = "",
        size: float = 11,
        colour: str = "FF1F1F1F",
        fill: str | None = None,
        box: bool = False,
        across: str = "left",
        wrap: bool = True,
        centred: bool = False,
        number: bool = False,
    ) -> int:
        """The number of a new format. Text has the number format Text and is quoted, so that nothing becomes a formula.

        `font` is ``b``, ``i`` or ``u``; `colour` and `fill` are ARGB; `centred` is vertical; `number` is for numbers.
        """
        kind = 'numFmtId="0"' if number else 'numFmtId="49" quotePrefix="1" applyNumberFormat="1"'
        look = f"<{font}/>" if font else ""
        described = (
            f'<font>{look}<sz val="{size:g}"/><color rgb="{colour}"/><name val="Calibri"/><family val="2"/></font>'
        )
        made = self._element(
            f'<xf {kind} fontId="{self._put("fonts", described)}" fillId="{self._fill(fill) if fill else 0}" '
            f'borderId="{self._put("borders", _BOX) if box else 0}" xfId="0" '
            'applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1">'
            f'<alignment horizontal="{across}" vertical="{"center" if centred else "top"}" wrapText="{int(wrap)}"/>'
            "</xf>"
        )
        return self._add_format(made)

    def _add_format(self, made: etree._Element) -> int:
        if len(self._formats) >= MOST:
            raise PackageError("the workbook has as many formats as Excel allows")
        self._formats.append(made)
        self._formats.set("count", str(len(self._formats)))
        return len(self._formats) - 1

    def _fill(self, colour: str) -> int:
        return self._put(
            "fills",
            f'<fill><patternFill patternType="solid"><fgColor rgb="{colour}"/><bgColor indexed="64"/></patternFill>'
            "</fill>",
        )

    def _darken(self, twin: etree._Element) -> None:
        """White letters (a heading on a dark ground) become dark ones on our light colours."""
        number = int(twin.get("fontId") or 0)
        if number >= len(self._fonts):
            return
        colour = self._fonts[number].find(f"{self._main}color")
        if colour is None or not (
            (colour.get("rgb") or "").upper().endswith("FFFFFF")
            or colour.get("theme") == "0"
            or colour.get("indexed") in ("1", "9")
        ):
            return
        font = deepcopy(self._fonts[number])
        dark = font.find(f"{self._main}color")
        dark.attrib.clear()
        dark.set("rgb", "FF1F1F1F")
        twin.set("fontId", str(self._put("fonts", etree.tostring(font).decode(), font)))
        twin.set("applyFont", "1")

    def _put(self, section: str, described: str, element: etree._Element | None = None) -> int:
        """The place of a font, fill or border in its section, each put in once."""
        if (section, described) not in self._added:
            held = self._section(section)
            held.append(self._element(described) if element is None else element)
            held.set("count", str(len(held)))
            self._added[section, described] = len(held) - 1
        return self._added[section, described]

    def _section(self, name: str) -> etree._Element:
        found = self._root.find(f"{self._main}{name}")
        if found is None:
            found = etree.Element(f"{self._main}{name}")
            earlier = {f"{self._main}{other}" for other in _ORDER[: _ORDER.index(name)]}
            at = max((place + 1 for place, child in enumerate(self._root) if child.tag in earlier), default=0)
            self._root.insert(at, found)
        if name in _FIRST and len(found) == 0:
            found.extend(self._element(f"<all>{_FIRST[name]}</all>"))
            found.set("count", str(len(found)))
        return found

    def _element(self, described: str) -> etree._Element:
        """An element in the namespace of the workbook."""
        wrapped = etree.fromstring(f'<w xmlns="{self._main[1:-1]}">{described}</w>')
        return wrapped[0]
