"""Layout faults of a drawn chart, found by rendering it: what a reader would stumble over."""

from itertools import combinations
from pathlib import Path

from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager, get_font
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SMALLEST = 6.5
"""Points below which print is not readable."""

TOUCH = 1.0
"""Points two texts may share: the empty rim of their boxes."""


def layout_faults(figure: Figure) -> list[str]:
    """Overlapping texts, text outside the figure, doubled tick labels, missing glyphs, too small type."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    pixel = figure.dpi / 72
    texts = [text for text in _texts(figure) if text.get_text().strip()]
    boxes = [(text, _ink(text, text.get_window_extent(renderer), pixel)) for text in texts]
    return [
        *_outside(boxes, figure.bbox, pixel),
        *_overlaps(boxes, pixel),
        *_doubled_ticks(figure),
        *(f"thiếu nét chữ {missing!r}: {text.get_text()!r}" for text in texts if (missing := _missing_glyphs(text))),
        *(
            f"chữ nhỏ {text.get_fontsize():g} pt: {text.get_text()!r}"
            for text in texts
            if text.get_fontsize() < SMALLEST
        ),
    ]


def _texts(figure: Figure) -> list[Text]:
    """Every text that is drawn; ticks outside the view are kept by matplotlib but not drawn."""
    hidden: set[int] = set()
    for axis in _axes_of(figure):
        shown = {id(label) for label in _tick_labels(axis)}
        ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
        hidden |= {id(label) for tick in ticks for label in (tick.label1, tick.label2)} - shown
    return [text for text in figure.findobj(Text) if text.get_visible() and id(text) not in hidden]


def _axes_of(figure: Figure) -> list[Axis]:
    return [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]


def _tick_labels(axis: Axis) -> list[Text]:
    if not axis.axes.axison or not axis.get_visible():
        return []
    low, high = sorted(axis.get_view_interval())
    slack = (high - low) * 1e-9
    ticks = [tick for tick in axis.get_major_ticks() if low - slack <= tick.get_loc() <= high + slack]
    return [
        label
        for tick in ticks
        for label in (tick.label1, tick.label2)
        if label.get_visible() and label.get_text().strip()
    ]


def _ink(text: Text, box: Bbox, pixel: float) -> Bbox:
    """The box without the room matplotlib leaves for ascenders and accents above and below the line."""
    rim = min(0.12 * text.get_fontsize() * pixel, box.height / 4)
    return Bbox.from_extents(box.x0, box.y0 + rim, box.x1, box.y1 - rim)


def _outside(boxes: list[tuple[Text, Bbox]], frame: Bbox, pixel: float) -> list[str]:
    return [
        f"ra ngoài khung: {text.get_text()!r}"
        for text, box in boxes
        if min(box.x0 - frame.x0, frame.x1 - box.x1, box.y0 - frame.y0, frame.y1 - box.y1) < -TOUCH * pixel
    ]


def _overlaps(boxes: list[tuple[Text, Bbox]], pixel: float) -> list[str]:
    return [
        f"chồng chữ: {one.get_text()!r} và {other.get_text()!r}"
        for (one, box), (other, beside) in combinations(boxes, 2)
        if min(box.x1, beside.x1) - max(box.x0, beside.x0) > TOUCH * pixel
        and min(box.y1, beside.y1) - max(box.y0, beside.y0) > TOUCH * pixel
    ]


def _doubled_ticks(figure: Figure) -> list[str]:
    faults = []
    for axis in _axes_of(figure):
        labels = [label.get_text() for label in _tick_labels(axis)]
        faults += [f"nhãn trục lặp: {label!r}" for label in sorted(set(labels)) if labels.count(label) > 1]
    return faults


def _missing_glyphs(text: Text) -> str:
    """Signs the text's first font lacks.

    A fallback font will not do: readers of SVG may set the whole text in it. Signs such as ✓ are texts of their own.
    """
    font = get_font(Path(fontManager.findfont(text.get_fontproperties())))
    return "".join(sorted({sign for sign in text.get_text() if sign != "\n" and not font.get_char_index(ord(sign))}))
