"""What a chart is: a spec whose words are computed from the data, and a drawing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from reports import style
from reports.numbers import MISSING, is_missing
from reports.units import Tables

Data = TypeVar("Data")

FEW = 20
"""Fewer rated members than this and a percentage is marked: one member moves it by more than five points."""

FEWEST = 5
"""Fewer than this and no percentage is shown: it would tell about single persons (reliability.md 4.4)."""


class ChartError(ValueError):
    """Data a chart refuses to draw; the message is Vietnamese and goes to whoever runs the pack."""


@dataclass(frozen=True)
class Column:
    """A column of the table under a chart: its heading, the field it shows and how."""

    heading: str
    field: str
    show: Callable[[object], str] = str
    is_text: bool = False
    wide: float = 1.0
    """Share of the table's width, relative to the other columns."""


@dataclass(frozen=True)
class Table:
    """The figures behind a chart: shown under it, and attached as CSV."""

    frame: pd.DataFrame
    columns: tuple[Column, ...]
    attachment: pd.DataFrame | None = None
    """The whole data, where the table shows only the notable rows."""
    note: str = ""

    def rows(self) -> list[list[str]]:
        """Cells as they are printed."""
        return [
            [
                MISSING if is_missing(value) else column.show(value)
                for column, value in zip(self.columns, row, strict=True)
            ]
            for row in self.frame[[column.field for column in self.columns]].itertuples(index=False)
        ]

    def csv(self) -> str:
        """The data for a spreadsheet: UTF-8 with a mark, decimal points, no cell that would run as a formula."""
        if self.attachment is not None:
            frame = self.attachment
        else:
            frame = self.frame[[c.field for c in self.columns]].set_axis([c.heading for c in self.columns], axis=1)
        return "\ufeff" + frame.map(_harmless).to_csv(index=False, lineterminator="\r\n")


@dataclass(frozen=True)
class Chart(Generic[Data]):
    """One chart: ``read`` takes what it needs from the marts, everything else is a function of what was read."""

    id: str
    name: str
    needs: tuple[str, ...]
    read: Callable[[Tables, int], Data]
    title: Callable[[Data], str]
    subtitle: Callable[[Data], str]
    alt: Callable[[Data], str]
    source: Callable[[Data], str]
    table: Callable[[Data], Table]
    draw: Callable[[Data], Figure] = field(repr=False)

    def figure(self, data: Data) -> Figure:
        """The drawing in house style; render it inside ``style.house()`` too."""
        with style.house():
            return self.draw(data)


def missing_figure(reason: str) -> Figure:
    """What is drawn when a year has no data at all: a dotted frame that says so."""
    figure, axes = style.canvas(1.6)
    axes.add_patch(
        Rectangle((0.05, 0.15), style.WIDTH - 0.1, 1.25, fill=False, edgecolor=style.FAINT, linestyle=(0, (2, 2)))
    )
    axes.text(
        style.WIDTH / 2, 0.65, f"?  {MISSING}", ha="center", va="center", weight="bold", size=11, color=style.QUIET
    )
    axes.text(style.WIDTH / 2, 0.98, reason, ha="center", va="center", color=style.QUIET)
    return figure


def _harmless(value: object) -> object:
    if isinstance(value, str) and value[:1] in tuple("=+-@\t\r＝"):
        return f"'{value}"
    return value
