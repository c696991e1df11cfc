"""What changed between two sendings: rows added, rows removed, cells with another value, by key and column."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from submissions.form_set import Column, Form
from submissions.queries import Sending
from submissions.values import shown

COLUMNS = ("form", "key", "column", "kind", "before", "after", "cell", "cell_before")
"""The columns of a list of changes, in order."""

HIDDEN = "(số thẻ)"
"""Stands for a card number: the store has none, and its pseudonym says nothing to the unit."""


def find_changes(before: Sending, after: Sending, canonical: Mapping[str, str] | None = None) -> pd.DataFrame:
    """The differences between two sendings, usually of one unit and year: a row each with `COLUMNS`, all text.

    `kind` is ``added``, ``removed`` (a row; column and values are empty) or ``changed`` (a cell). `cell` stands in the
    later file, `cell_before` in the earlier one. The key of a member is not shown: the cells tell the row. A cell that
    was unlawful has no value in the store, so that a mended cell reads as changed from nothing. Keys that `canonical`
    reads as another's (`register.identities.canonical_keys`) are one member: his row changed, none came or went.
    """
    tables = [table for table in after.forms if table in before.forms]
    parts = [_form_changes(after.form(table), before, after, canonical or {}) for table in tables]
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=list(COLUMNS), dtype=object)


def _form_changes(form: Form, before: Sending, after: Sending, canonical: Mapping[str, str]) -> pd.DataFrame:
    table = form.table
    then, now = before.forms[table], after.forms[table]
    stored = {name: column for column in form.columns for name, _ in column.stored_columns}
    compared = {name: (_texts(then[name]), _texts(now[name])) for name in stored if name in then and name in now}
    names = [name for key in form.row_key for name, _ in form.by_key[key].stored_columns if name in compared]

    def part(name: str, side: int) -> np.ndarray:
        values = compared[name][side]
        if not canonical or not _is_card(stored[name], name):
            return values
        return np.array([canonical.get(value, value) for value in values], dtype=object)

    keys = [_row_keys([part(name, side) for name in names], compared, side) for side in (0, 1)]
    there = pd.Series(np.arange(len(then)), index=keys[0]).reindex(keys[1]).to_numpy()
    new = np.flatnonzero(~np.isnan(there))
    old = there[new].astype(int)

    # Keys as the unit knows them, and the addresses of rows, once for all columns.
    open_names = [name for name in names if not _is_card(stored[name], name)]
    shown_keys = [
        _joined([compared[name][side] for name in open_names], len(records)) for side, records in enumerate((then, now))
    ]
    rows = [records["row"].astype("str").to_numpy(dtype=object) for records in (then, now)]
    letters = [sending.letters(table) for sending in (before, after)]
    first = form.row_key[0]

    def cells(side: int, column: str, positions: np.ndarray) -> np.ndarray:
        return letters[side].get(column, "A") + rows[side][positions]

    gone = np.flatnonzero(~pd.Index(keys[0]).isin(keys[1]))
    come = np.flatnonzero(np.isnan(there))
    parts = [
        {"key": shown_keys[0][gone], "kind": "removed", "cell_before": cells(0, first, gone)},
        {"key": shown_keys[1][come], "kind": "added", "cell": cells(1, first, come)},
    ]
    for name, (old_texts, new_texts) in compared.items():
        column = stored[name]
        differ = old_texts[old] != new_texts[new]
        at_old, at_new = old[differ], new[differ]
        parts.append(
            {
                "key": shown_keys[1][at_new],
                "column": column.key,
                "kind": "changed",
                "before": _hidden(column, name, old_texts[at_old]),
                "after": _hidden(column, name, new_texts[at_new]),
                "cell": cells(1, column.key, at_new),
                "cell_before": cells(0, column.key, at_old),
            }
        )
    frames = [pd.DataFrame(part, columns=list(COLUMNS), dtype=object) for part in parts if len(part["key"])]
    return pd.concat(frames, ignore_index=True).fillna("").assign(form=form.title) if frames else pd.DataFrame()


def _texts(values: pd.Series) -> np.ndarray:
    """Values as their senders read them, an empty text for none; each distinct value is written once."""
    positions, distinct = pd.factorize(values.to_numpy(dtype=object))
    return np.array([*map(_text, distinct), ""], dtype=object)[positions]


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "x" if value else ""
    if isinstance(value, int | float | np.number):
        return shown(float(value))
    return shown(value) if isinstance(value, date) else str(value)


def _row_keys(parts: list[np.ndarray], compared: dict[str, tuple[np.ndarray, np.ndarray]], side: int) -> np.ndarray:
    """A key for each row, all different: the key's parts, else the whole row, and which of its like it is."""
    whole = [pair[side] for pair in compared.values()]
    keys = pd.Series(_joined(parts, len(whole[0])), dtype=object)
    unkeyed = keys.str.strip("/") == ""
    if unkeyed.any():
        keys = keys.where(~unkeyed, pd.Series("?" + _joined(whole, len(keys)), dtype=object))
    return (keys + "#" + keys.groupby(keys).cumcount().astype("str")).to_numpy(dtype=object)


def _joined(parts: list[np.ndarray], size: int) -> np.ndarray:
    joined = parts[0] if parts else np.full(size, "", dtype=object)
    for part in parts[1:]:
        joined = joined + "/" + part
    return joined


def _is_card(column: Column, name: str) -> bool:
    return column.privacy == "card" and not name.endswith("_org_code")


def _hidden(column: Column, name: str, texts: np.ndarray) -> np.ndarray:
    return np.where(texts == "", "", HIDDEN).astype(object) if _is_card(column, name) else texts
