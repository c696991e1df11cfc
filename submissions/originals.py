"""Originals opened again: where a record stands in the file it came from, and what its cells say there."""

import json
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from submissions.files.source import Cells, RefusedError, Source, open_source
from submissions.form_set import Column, Form
from submissions.judging import judge
from submissions.reading import _records
from submissions.store import Store, hash_bytes, records_table
from submissions.values import shown
from submissions.workbook import Workbook, column_letter, read_cover, read_tables


@dataclass(frozen=True)
class Address:
    """A cell, or a whole row, of a file; `column` is None for a row and for a column that is not in the file."""

    sheet: str
    cell: str
    form: str
    heading: str
    column: str | None
    is_personal: bool
    """A name, a birth date or a card number: told by its address alone."""


class Original:
    """One sending as it came. Nothing is opened before a value is asked for."""

    def __init__(self, store: Store, source_hash: str, secret: bytes = b"") -> None:
        """Name the sending; `secret` is that of the pseudonyms, without which keys of members cannot be compared."""
        self._store = store
        self._secret = secret
        self.source_hash = source_hash
        self.about = store.submission(source_hash) or {}
        self._form_set = store.form_sets.get(str(self.about.get("form_version")))
        counts = store.counts_of(source_hash)
        self._places = {row.form: row for row in counts.itertuples()}
        self._letters = {
            row.form: json.loads(row.letters) for row in counts.itertuples() if isinstance(row.letters, str)
        }
        self._kept: dict[str, pd.DataFrame] = {}
        self._values: dict[tuple[str, str], dict[int, object]] = {}
        self._agreements: dict[str, dict[str, dict[int, bool]]] = {}
        self._sheets: dict[str, Cells] = {}

    def form(self, table: str) -> Form | None:
        """The form that `table` holds the records of, as this sending's form set has it."""
        return self._form_set.by_table.get(table) if self._form_set else None

    def address(self, table: str, row: int, stored: str | None = None) -> Address:
        """Where a record's stored column stands; without one, the whole row."""
        form, place = self.form(table), self._places.get(table)
        letters = self._letters.get(table, {})
        sheet = place.sheet if place is not None and isinstance(place.sheet, str) else ""
        title = form.title if form else table
        column = self._column(form, stored)
        if column is None or column.key not in letters:
            ends = sorted(letters.values(), key=lambda letter: (len(letter), letter))
            cell = f"{ends[0]}{row}:{ends[-1]}{row}" if ends else f"{row}:{row}"
            heading = column.heading if column else ""
            return Address(sheet, cell, title, heading, None, is_personal=True)
        personal = column.privacy is not None
        return Address(sheet, f"{letters[column.key]}{row}", title, column.heading, column.key, personal)

    def cover(self, key: str) -> Address | None:
        """Where a value of the cover stands."""
        place = self._workbook.cover.get(key)
        if place is None:
            return None
        cover = self._workbook.form_set.cover
        headings = {column.key: column.heading for column in cover.fields} if cover else {}
        sheet = self._workbook.cover_sheet
        return Address(sheet, place.cell, sheet, headings.get(key, key), key, is_personal=False)

    def value(self, address: Address) -> str:
        """What the cell says in the file, as its sender reads it; nothing of what is personal."""
        if address.is_personal:
            return ""
        if address.sheet not in self._sheets:
            self._sheets[address.sheet] = self._source.cells(address.sheet)
        letters = address.cell.rstrip("0123456789")
        row = int(address.cell[len(letters) :]) - 1
        position = _position(letters)
        cells = self._sheets[address.sheet]
        return shown(cells[row][position]) if row < len(cells) and position < len(cells[row]) else ""

    def agrees(self, table: str, row: int, stored: str | None = None) -> bool:
        """Whether the store keeps of a record (or of one column of it) what reading the file again gives."""
        if table not in self._agreements:
            self._agreements[table] = self._agreement(table)
        same = self._agreements[table]
        if stored in same:
            return same[stored].get(row, False) and same["is_held_back"].get(row, False)
        return bool(same) and all(rows.get(row, False) for rows in same.values())

    def stored(self, table: str, row: int, stored: str) -> object:
        """What the store keeps of a record's column."""
        if (table, stored) not in self._values:
            kept = self._of_store(table)
            self._values[table, stored] = kept[stored].to_dict() if stored in kept else {}
        return self._values[table, stored].get(row)

    @cached_property
    def problem(self) -> str:
        """Why the file cannot be opened again, in Vietnamese; empty where it can."""
        path = self._store.original(self.source_hash)
        if path is None:
            return "kho không còn tệp gốc"
        if hash_bytes(path.read_bytes()) != self.source_hash:
            return "tệp gốc trong kho đã bị thay đổi"
        try:
            _ = self._workbook
        except RefusedError as error:
            return f"không đọc lại được tệp gốc ({error.code})"
        return ""

    def _column(self, form: Form | None, stored: str | None) -> Column | None:
        if form is None or stored is None:
            return None
        return next((one for one in form.columns if stored in [name for name, _ in one.stored_columns]), None)

    def _of_store(self, table: str) -> pd.DataFrame:
        if table not in self._kept:
            self._kept[table] = self._store.form_frame(table, self.source_hash).set_index("row")
        return self._kept[table]

    def _agreement(self, table: str) -> dict[str, dict[int, bool]]:
        """By stored column and row: whether the store keeps what reading the file again gives."""
        kept, again = self._of_store(table), self._again.get(table)
        # A row that was added or taken away by hand makes every count doubtful.
        if again is None or not kept.index.is_unique or sorted(kept.index) != sorted(again.index):
            return {}
        again = again.reindex(kept.index)
        return {
            name: ((kept[name] == again[name]) | (kept[name].isna() & again[name].isna())).to_dict()
            for name in kept.columns
            if name != "source_hash"
        }

    @cached_property
    def _source(self) -> Source:
        path = self._store.original(self.source_hash)
        assert path is not None, self.source_hash
        return open_source(path.read_bytes(), path.name)

    @cached_property
    def _workbook(self) -> Workbook:
        form_sets = self._store.form_sets
        return read_tables(self._source, read_cover(self._source, form_sets), form_sets)

    @cached_property
    def _again(self) -> dict[str, pd.DataFrame]:
        """The records of every form as intake would keep them today, by row."""
        forms = judge(self._workbook, self.about.get("unit_code")).forms
        tables = {}
        for table, judged in forms.items():
            records = _records(judged, judged.held_back(), self.source_hash, self._secret)
            frame = records_table(records, self._store.schemas[table]).to_pandas(date_as_object=True)
            tables[table] = frame.set_index("row")
        return tables


def _position(letters: str) -> int:
    """Of a column named by Excel's letters, counted from 0."""
    position = 0
    for letter in letters:
        position = position * 26 + ord(letter) - 64
    assert column_letter(position - 1) == letters, letters
    return position - 1
