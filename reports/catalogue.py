"""Which packs there are. What draws their charts takes long to import: it is, when a chart is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.charts.chart import Chart


@dataclass(frozen=True)
class Pack:
    """A pack: its charts in order, the template that binds them, and the day it is due each year."""

    name: str
    title: str
    drawn_by: tuple[str, ...]
    """Modules of `reports.charts`, one a chart."""
    template: str
    due_month: int
    due_day: int

    @property
    def charts(self) -> "tuple[Chart, ...]":
        """Its charts, in order."""
        return tuple(import_module(f"reports.charts.{module}").CHART for module in self.drawn_by)

    @property
    def tables(self) -> tuple[str, ...]:
        """The marts the pack reads."""
        from reports.findings import NEEDS

        return tuple(
            sorted({"coverage", "dim_year", *NEEDS, *(table for chart in self.charts for table in chart.needs)})
        )


YEAR_END_REVIEW = Pack(
    name="kiem-diem-cuoi-nam",
    title="Kiểm điểm cuối năm",
    drawn_by=("scoreboard", "distribution", "ladder", "outliers", "discipline", "admissions"),
    template="year_end_review.typ",
    due_month=1,
    due_day=31,  # the day before dossiers are due ("before 01/02", 43-HD/BTCTW, section 4)
)

PACKS: Mapping[str, Pack] = MappingProxyType({pack.name: pack for pack in (YEAR_END_REVIEW,)})
