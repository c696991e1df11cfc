"""Sendings as sheets of cells, before any file format: for what is told from cells alone."""

from collections.abc import Mapping
from inspect import cleandoc

import pandas as pd

from submissions.files.source import Cells, SheetInfo, Source
from submissions.form_set import load_form_sets
from tests.workbooks import UNIT, unit_forms


def drawn_cells(text: str) -> Cells:
    """Rows of ``a | b``; an empty cell is None, all others are text."""
    return [[cell.strip() or None for cell in line.split("|")] for line in cleandoc(text).splitlines()]


def sheets_of(forms: Mapping[str, pd.DataFrame] | None = None, *, year: int = 2024) -> dict[str, Cells]:
    """The sheets of a small lawful unit by name: the cover, and each form with its headings in row 1, from column A."""
    form_set = load_form_sets()["B12-2021" if year < 2025 else "B12-2025"]
    forms = forms or unit_forms(year)
    cover = {
        "form_version": form_set.form_set,
        "unit_code": UNIT,
        "unit_name": "Huyện Thử Nghiệm",
        "year": f"Năm {year}",
        "sent_no": 1,
        "prepared_on": f"10/01/{year + 1}",
        "prepared_by": None,
        "approved_by": None,
    }
    sheets: dict[str, Cells] = {
        form_set.cover.sheet: [[item.heading, cover[item.key]] for item in form_set.cover.fields]
    }
    for form in form_set.forms:
        rows = forms[form.table].reindex(columns=[column.key for column in form.columns]).astype(object)
        cells = rows.where(rows.notna(), None).to_numpy().tolist()
        sheets[form.sheet] = [[column.heading for column in form.columns], *cells]
    return sheets


def source_of(sheets: Mapping[str, Cells], *, kind: str = "xlsx", hidden: tuple[str, ...] = ()) -> Source:
    """A file that passed the gate, with these sheets."""
    infos = [
        SheetInfo(name, name not in hidden, len(cells), max(map(len, cells), default=0))
        for name, cells in sheets.items()
    ]
    return Source(kind, tuple(infos), (), sheets.__getitem__)
