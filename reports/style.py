"""The look all charts share: fonts shipped with the package, colours that survive a grey print, fixed bytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO, StringIO
from pathlib import Path

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.textpath import text_to_path

FONTS = Path(__file__).with_name("fonts")
STYLE = Path(__file__).with_name("thucchat.mplstyle")

WIDTH = 170 / 25.4
"""Width of every chart in inches: the text width of an A4 page."""

INK = "#1A1A1A"
QUIET = "#59616A"
FAINT = "#9AA3AC"
RULE = "#D5DADF"
NAVY = "#12436D"
BLUE = "#5B9BC9"
LIGHT = "#CBD2D9"
ORANGE = "#C8500A"
TEAL = "#1D8078"

LEVEL_COLOURS = {"XS": NAVY, "HTT": BLUE, "HT": LIGHT, "KHT": ORANGE}
"""Four shades whose lightness (L* 27, 62, 84, 50) keeps neighbours apart in grey and for the colour-blind."""

LEVEL_INKS = {"XS": "white", "HTT": INK, "HT": INK, "KHT": "white"}

SMALL = 7.0
NORMAL = 8.5


@contextmanager
def house() -> Iterator[None]:
    """Draw and render inside this: the style sheet on matplotlib's defaults, whatever the user's own settings are."""
    _register_fonts()
    with matplotlib.rc_context(), matplotlib.style.context(["default", STYLE]):
        yield


def svg(figure: Figure) -> str:
    """The figure as SVG whose text stays text; the same figure gives the same bytes."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def png(figure: Figure, dpi: int = 110) -> bytes:
    """The figure as PNG, for previews and slides; the same figure gives the same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def canvas(height: float) -> tuple[Figure, Axes]:
    """A figure whose one bare axes counts inches from the top left corner: for drawn tables and panels."""
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    axes.axis("off")
    return figure, axes


def panel(figure: Figure, *, left: float, right: float, top: float, bottom: float) -> Axes:
    """Axes placed by their margins in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, 1 - (top + bottom) / height))


@cache
def width_of(text: str, size: float = NORMAL, weight: str = "normal") -> float:
    """Width of a text in inches, as it will be drawn."""
    if not text.strip():
        return 0.0
    font = FontProperties(family=["Be Vietnam Pro", "DejaVu Sans"], weight=weight, size=size)
    widths = (text_to_path.get_text_width_height_descent(line, font, False)[0] for line in text.splitlines())
    return max(widths) / 72


def wrapped(text: str, width: float, size: float = NORMAL, weight: str = "normal") -> str:
    """The text broken into lines that fit the width in inches."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of(longer, size, weight) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return "\n".join(lines)


def spread(places: list[float], distance: float, low: float, high: float) -> list[float]:
    """Places nearest to the wished ones, in the same order, at least a distance apart and inside the bounds."""
    order = sorted(range(len(places)), key=lambda index: (places[index], index))
    blocks: list[list[float]] = []  # each: mean wished start, number of labels
    for rank, index in enumerate(order):
        blocks.append([places[index] - rank * distance, 1.0])
        while len(blocks) > 1 and blocks[-1][0] < blocks[-2][0]:
            start, count = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + start * count) / (blocks[-1][1] + count),
                blocks[-1][1] + count,
            ]
    starts = [start for start, count in blocks for _ in range(int(count))]
    last = high - (len(places) - 1) * distance
    found = [0.0] * len(places)
    for rank, index in enumerate(order):
        found[index] = min(max(starts[rank], low), max(last, low)) + rank * distance
    return found


@cache
def _register_fonts() -> None:
    for path in sorted(FONTS.glob("BeVietnamPro_*.ttf")):
        fontManager.addfont(path)
