"""The field check's workbook: whom was drawn goes out in it, what was found on the spot comes back in it."""

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from submissions.form_set import FormSet
from submissions.judging import Judged
from submissions.records import read_columns
from submissions.store import Store
from submissions.templates import MARK_SHEET, TEMPLATE_VERSION, TemplateMark, fingerprint
from submissions.text import clean

FORM_SET, TABLE = "tham-dinh-lai", "field_checks"

DRAWS = "field_check_draws"
"""The register's draws as a table, beside its other tables."""

KEY_PREFIX, KEY_LENGTH = "ĐV-", 10
"""A member is shown as the first signs of the key after letters that no program takes for a number: no two of a draw's
organisation are alike, and it is no card number's length."""

SAME = {"unit_code": "unit_code", "org_code": "org_code", "cell_code": "cell_code", "member": "member"}
"""Columns of the workbook that must be as they were drawn."""


def shown_key(member_keys: pd.Series) -> pd.Series:
    """Members as the workbook names them."""
    return KEY_PREFIX + member_keys.astype("str").str[:KEY_LENGTH]


def write_workbook(path: Path, form_set: FormSet, rows: pd.DataFrame, *, draw_id: str, year: int, owner: str) -> None:
    """Write the workbook of a draw, to be filled in; `rows` as `workbook_bytes` has them.

    Raises `FileExistsError` where `path` exists: one that was filled in is never written over.
    """
    content = workbook_bytes(form_set, rows, draw_id=draw_id, year=year, owner=owner)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def workbook_bytes(form_set: FormSet, rows: pd.DataFrame, *, draw_id: str, year: int, owner: str) -> bytes:
    """The workbook of a draw: cover with instructions, a row a member, drop-downs; no name and no decided level.

    `rows`: `number`, `unit_code`, `org_code`, `org_name`, `cell_code`, `member_key`, `listed_in`, `listed_sheet`,
    `listed_row`; whatever else they have does not go out. `owner` is who draws. The same draw gives the same bytes.
    """
    from submissions.template_writer import template_bytes  # XlsxWriter is not needed to read

    shown = rows.assign(member=shown_key(rows["member_key"]))
    columns = [name for name in form_set.by_table[TABLE].by_key if name in shown and name not in FILLED_IN]
    shown = shown[columns].astype(object)
    told = shown.where(shown.notna(), None).to_dict("records")
    mark = TemplateMark(TEMPLATE_VERSION, form_set.form_set, draw_id, year, fingerprint({TABLE: told}))
    marks = {key: str(value) for key, value in asdict(mark).items()}
    return template_bytes(form_set, "", owner, year, {TABLE: told}, MARK_SHEET, marks, {"draw_id": draw_id})


FILLED_IN = ("level", "reason", "checked_on", "checked_by")
"""Columns of the workbook that go out empty."""


def read_draw(store: Store, draw_id: str) -> pd.DataFrame:
    """The members of a draw as the register told the store: `number` and `SAME`; none where no such draw is known."""
    path = draws_path(store)
    names = ["draw_id", "number", "unit_code", "org_code", "cell_code", "member_key", "year"]
    drawn = pd.DataFrame(read_columns(path if path.exists() else None, names), columns=names)
    drawn = drawn[drawn["draw_id"] == draw_id]
    return drawn.assign(member=shown_key(drawn["member_key"])).drop(columns=["member_key", "draw_id"])


def known_draws(store: Store) -> list[str]:
    """The draws that the register told the store of."""
    path = draws_path(store)
    return sorted(set(read_columns(path if path.exists() else None, ["draw_id"])["draw_id"]))


def draws_path(store: Store) -> Path:
    """Where the register's draws are told; a check's own store borrows those of the province's."""
    own = store.register / f"{DRAWS}.parquet"
    return own if own.exists() or store.base is None else draws_path(store.base)


def judge_against_draw(form: Judged, drawn: pd.DataFrame) -> None:
    """Blame rows that are of no member drawn, and cells that are no longer as they were drawn; such rows do not load.

    `drawn` is what `read_draw` gives. A cell that is unlawful by itself is blamed for that alone.
    """
    numbers = form.columns["number"].items()
    place = pd.Index(drawn["number"]).get_indexer(pd.Index(pd.to_numeric(pd.Series(numbers, dtype=object))))
    form.blame(np.flatnonzero(form.filled("number") & (place < 0)), "number", "not_drawn")
    for column, name in SAME.items():
        was = drawn[name].map(clean).to_numpy(dtype=object)
        differs = [
            there >= 0 and value is not None and clean(str(value)) != was[there]
            for there, value in zip(place, form.columns[column].items(), strict=True)
        ]
        form.blame(np.flatnonzero(differs), column, "changed_from_draw")


def lost(store: Store, source_hash: str, standing: str) -> list[int]:
    """Numbers whose result stands in the sending `standing` and is gone in `source_hash`."""
    now, before = (_done(store, name) for name in (source_hash, standing))
    return sorted(before - now)


def _done(store: Store, source_hash: str) -> set[int]:
    read = read_columns(store.find(store.form(TABLE), source_hash), ["number", "level", "is_held_back"])
    rows: Iterable[tuple[int, str | None, bool]] = zip(*read.values(), strict=True)
    return {number for number, level, is_held_back in rows if level is not None and not is_held_back}
