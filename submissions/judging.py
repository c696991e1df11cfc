"""Judging: is each cell lawful, and what does an unlawful one do to its row. One mistake is one issue."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from submissions.duplicates import KeyOrder
from submissions.form_set import Form, FormSet, Reference
from submissions.values import parse_column, parser
from submissions.workbook import Table, Workbook


@dataclass
class Judged:
    """A form's records: values by column key, and the rule that each cell breaks (None where lawful)."""

    table: Table
    values: pd.DataFrame
    """Lawful values and None, a row a record (index: position)."""
    rules: pd.DataFrame
    effects: dict[str, str]
    """Effect of the rules between cells, by rule; the others have the effect of their column."""

    @property
    def form(self) -> Form:
        """The form."""
        return self.table.form

    def blame(self, rows: np.ndarray, column: str, rule: str) -> None:
        """Enter a rule at the cells of a column, where no rule stands yet; their values are not used any more."""
        if len(rows) == 0:
            return
        free = rows[self.rules[column].to_numpy()[rows] == None]  # noqa: E711 - element by element
        self.rules.iloc[free, self.rules.columns.get_loc(column)] = rule
        self.values.iloc[free, self.values.columns.get_loc(column)] = None

    def filled(self, column: str) -> np.ndarray:
        """Where a cell has a lawful value."""
        return self.values[column].to_numpy() != None  # noqa: E711 - element by element

    def blank(self, column: str) -> np.ndarray:
        """Where nothing was entered: neither a value nor an unlawful cell."""
        return ~self.filled(column) & (self.rules[column].to_numpy() == None)  # noqa: E711 - element by element

    def meets(self, where: Mapping[str, tuple[str, ...]]) -> np.ndarray:
        """Rows whose cells have one of the values allowed; an unlawful cell has the benefit of the doubt."""
        meets = np.ones(len(self.values), dtype=bool)
        for column, allowed in where.items():
            meets &= (self.values[column].isin(allowed) | self.rules[column].notna()).to_numpy()
        return meets

    def held_back(self) -> np.ndarray:
        """Rows that an unlawful cell keeps from loading."""
        held = np.zeros(len(self.rules), dtype=bool)
        for column in self.rules.columns:
            rules = self.rules[column].to_numpy()
            broken = np.flatnonzero(rules != None)  # noqa: E711 - element by element
            own = self.form.by_key[column].on_error
            held[[row for row in broken if self.effects.get(rules[row], own) == "hold"]] = True
        return held


@dataclass(frozen=True)
class MissingRow:
    """A row that a form lacks, called for by a row of another form."""

    form: Judged
    caller: Judged
    row: int
    """Position of the row that calls for it, in the caller."""


@dataclass(frozen=True)
class Judgement:
    """What was found in a workbook."""

    forms: dict[str, Judged]
    missing: list[MissingRow]


def judge(workbook: Workbook, unit_code: str | None) -> Judgement:
    """Every form of a workbook, judged cell by cell, row by row, and against the other forms."""
    form_set, year = workbook.form_set, workbook.year
    judged = {table: _judge_cells(found, form_set, year) for table, found in workbook.tables.items()}
    doubled = {table: _judge_uniqueness(form, judged, form_set) for table, form in judged.items()}
    present = _Present(judged, unit_code, doubled)
    for form in judged.values():
        _judge_references(form, present, unit_code)
    present.recover_all()
    for form in judged.values():
        _judge_rows(form)
    return Judgement(judged, _missing_rows(judged, present))


def _judge_cells(table: Table, form_set: FormSet, year: int) -> Judged:
    values, rules = {}, {}
    size = len(table.rows)
    for column in table.form.columns:
        cells = table.cells.get(column.key)
        if cells is None:
            values[column.key] = rules[column.key] = np.full(size, None, dtype=object)
            continue
        values[column.key], rules[column.key] = parse_column(
            cells.codes, cells.distinct, cells.blanks, parser(column, form_set.spellings, year)
        )
    judged = Judged(
        table,
        pd.DataFrame(values, index=range(size), dtype=object),
        pd.DataFrame(rules, index=range(size), dtype=object),
        effects={},
    )
    for column in table.form.columns:
        if column.required:
            judged.blame(np.flatnonzero(judged.blank(column.key)), column.key, "required")
        for by, value in column.card_when.items():
            cards = judged.filled(column.key) & (judged.values[by] == value).to_numpy()
            codes = judged.values[column.key]
            shape = re.compile(column.pattern or "")
            rows = [row for row in np.flatnonzero(cards) if not shape.fullmatch(codes[row])]
            judged.blame(np.array(rows, dtype=int), column.key, "pattern")
    return judged


Identity = tuple[str | None, ...]


def _identity(form: Judged, row: int) -> Identity:
    """The subject of a row told without its code, part by part; None for what the row does not tell."""
    columns = form.form.identity.columns if form.form.identity else ()
    told = [form.values.at[row, column] for column in columns]
    return tuple(None if part is None else str(part).casefold() for part in told)


def _agreement(one: Identity, other: Identity) -> int:
    """How many parts agree; -1 where one part contradicts."""
    both = [(left, right) for left, right in zip(one, other, strict=True) if left is not None and right is not None]
    return len(both) if all(left == right for left, right in both) else -1


def _judge_uniqueness(form: Judged, judged: Mapping[str, Judged], form_set: FormSet) -> set[object]:
    """Blame the rows that carry a key another row owns; the codes that stood twice.

    Where the partner form holds the same subjects (members: Biểu 3 and 5), the row that agrees with it owns the key;
    else the row where the key stands in order; else the first.
    """
    unique = list(form.form.unique)
    if not unique:
        return set()
    complete = np.logical_and.reduce([form.filled(column) for column in unique])
    keys = form.values.loc[complete, unique]
    doubled = keys[keys.duplicated(keep=False)]
    if doubled.empty:
        return set()
    owners: dict[object, list[Identity]] = {}
    elsewhere: set[Identity] = set()
    if form.form.identity and form.form.identity.partner in judged:
        partner = judged[form.form.identity.partner]
        codes = partner.values[partner.form.unique[0]]
        for row in np.flatnonzero(codes.isin(doubled[unique[0]])):
            owners.setdefault(codes[row], []).append(_identity(partner, row))
        lone = codes.notna() & ~codes.isin(set(keys[unique[0]]))
        elsewhere = {_identity(partner, row) for row in np.flatnonzero(lone)}
    lists = {column: form.form.by_key[column].list for column in unique}
    order = KeyOrder(
        keys, {column: [item.value for item in form_set.lists[name]] for column, name in lists.items() if name}
    )
    losers: dict[str, list[int]] = {}
    for _, group in doubled.groupby(unique, sort=False):
        rows = list(group.index)
        told = owners.get(doubled.at[rows[0], unique[0]], [])
        scores = {}
        for row in rows:
            subject = _identity(form, row)
            agreeing = max((_agreement(subject, one) for one in told), default=0)
            # The partner has the subject under a code that is lacking here: this row should carry that one.
            scores[row] = (agreeing, subject not in elsewhere)
        likely = [row for row in rows if scores[row] == max(scores.values())]
        for row, column in order.resolve(rows, likely)[1].items():
            losers.setdefault(column, []).append(row)
    for column, rows in losers.items():
        form.blame(np.array(rows, dtype=int), column, "duplicate")
    return set(doubled[unique[0]])


class _Present:
    """Which keys of a form count as present: lawful ones, also of rows held back, and those recovered.

    A row whose own key is unlawful is still there. The partner form (Biểu 3 and 5, 2 and 4) tells which key it
    should carry: the one of the same subject that its form lacks.
    """

    def __init__(self, judged: Mapping[str, Judged], unit_code: str | None, doubled: Mapping[str, set[object]]) -> None:
        self.judged = judged
        self.doubled = doubled
        self.unit_code = unit_code or ""
        self.recovered: dict[str, set[object]] = {}
        self._usage = self._count_usage()
        for table in judged:
            self._blame_strays(table)
        self.recover_all()

    def recover_all(self) -> None:
        """Find the keys that rows with an unlawful key should carry."""
        for table in self.judged:
            self.recovered[table] = self._recover(table)

    def _referring(self, table: str) -> Iterator[tuple[Judged, str]]:
        """(form, column) of every column that refers to a form."""
        for form in self.judged.values():
            for column in form.form.columns:
                references = [column.reference] if column.reference else []
                references += [one for choices in column.references_by.values() for one in choices.values()]
                if any(reference.form == table for reference in references):
                    yield form, column.key

    def _count_usage(self) -> Counter:
        """How often each code stands in a column that refers to a form, by form and code."""
        usage: Counter = Counter()
        for table in self.judged:
            for form, column in self._referring(table):
                usage.update({(table, code): int(n) for code, n in form.values[column].value_counts().items()})
        return usage

    def _pairs(self, table: str) -> list[tuple[int, object]]:
        """Rows of the form without a counterpart under their key, with the key that the partner form has for them."""
        form = self.judged[table]
        identity = form.form.identity
        if identity is None or identity.partner not in self.judged:
            return []
        partner = self.judged[identity.partner]
        here, there = form.values[form.form.unique[0]], partner.values[partner.form.unique[0]]
        lone_here = ~here.isin(set(there.dropna())) & _expected(form, partner)
        lone_there = there.notna() & ~there.isin(set(here.dropna())) & _expected(partner, form)
        if not lone_here.any() or not lone_there.any():
            return []
        # Rows with an unlawful key first: they are what is looked for.
        rows = sorted(np.flatnonzero(lone_here), key=lambda row: here[row] is not None)
        return _matched(
            {row: _identity(form, row) for row in rows},
            {row: _identity(partner, row) for row in np.flatnonzero(lone_there)},
            there,
        )

    def _blame_strays(self, table: str) -> None:
        """A key that nobody refers to, where the partner form's key for the subject is referred to: mistyped here."""
        form = self.judged[table]
        if form.form.identity is None:
            return
        key = form.form.unique[0]
        if form.form.by_key[key].reference is not None:
            return
        rows = [
            row
            for row, code in self._pairs(table)
            if form.values[key][row] is not None
            and self._usage[table, code] > 1 + self._usage[table, form.values[key][row]]
        ]
        form.blame(np.array(rows, dtype=int), key, "key_mismatch")

    def _recover(self, table: str) -> set[object]:
        form = self.judged[table]
        if form.form.identity is None:
            return set()
        key = form.form.unique[0]
        unlawful = form.rules[key].notna()
        if not unlawful.any():
            return set()
        pairs = {row: code for row, code in self._pairs(table) if unlawful[row]}
        found = set(pairs.values())
        untold = [row for row in np.flatnonzero(unlawful) if row not in pairs]
        if not untold:
            return found
        # No partner row tells the subject: a code that several cells refer to is not mistyped in all of them, and one
        # in a row that names the same cell or person is this subject's.
        known = found | set(form.values[key].dropna())
        usage = [(code, count) for (used, code), count in self._usage.most_common() if used == table]
        lacking = {
            code: count
            for code, count in usage
            if code not in known and not f"{self.unit_code}.".startswith(f"{code}.")
        }
        found |= set([code for code, count in lacking.items() if count > 1][: len(untold)])
        parts = {form.values.at[row, column] for row in untold for column in form.form.identity.columns} - {None}
        for other, column in self._referring(table):
            for row in np.flatnonzero(other.values[column].isin(lacking.keys() - found)):
                if parts & set(other.values.loc[row]):
                    found.add(other.values.at[row, column])
        return found

    def unnamed(self, form: Judged) -> int:
        """How many rows with an unlawful key are about a subject that cannot be told: each answers for one."""
        unlawful = int(form.rules[form.form.unique[0]].notna().sum())
        return unlawful - len(self.recovered[form.form.table])

    def keys(self, table: str, where: Mapping[str, tuple[str, ...]]) -> set[object]:
        """Keys of the form's rows that meet `where`; what is unlawful or doubled has the benefit of the doubt."""
        form = self.judged[table]
        key = form.form.unique[0]
        return (
            set(form.values.loc[form.meets(where), key].dropna())
            | self.doubled[table]
            | self.recovered.get(table, set())
        )


def _expected(form: Judged, partner: Judged) -> np.ndarray:
    """Which rows of a form call for a row in its partner; where that cannot be told, they may."""
    rule = partner.form.one_row_for_each
    where = rule.where if rule is not None and rule.form == form.form.table else {}
    return form.meets(where)


def _matched(here: dict[int, Identity], there: dict[int, Identity], codes: pd.Series) -> list[tuple[int, object]]:
    """Rows here with the codes of the same subjects there: first where all parts agree, then where none contradicts."""
    by_part: dict[tuple[int, str], list[int]] = {}
    for row, identity in there.items():
        for part in enumerate(identity):
            if part[1] is not None:
                by_part.setdefault(part, []).append(row)
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for whole in (True, False):
        for row, identity in here.items():
            if row in pairs:
                continue
            near = {other for part in enumerate(identity) for other in by_part.get(part, ())} - taken
            fitting = [other for other in sorted(near) if _agreement(identity, there[other]) > 0]
            if whole:
                fitting = [other for other in fitting if _agreement(identity, there[other]) == len(identity)]
            if fitting:
                pairs[row] = fitting[0]
                taken.add(fitting[0])
    return [(row, codes[other]) for row, other in sorted(pairs.items())]


def _judge_references(form: Judged, present: _Present, unit_code: str | None) -> None:
    for column in form.form.columns:
        if column.reference is not None:
            _judge_reference(form, column.key, column.reference, form.filled(column.key), present, unit_code)
        for by, choices in column.references_by.items():
            for value, reference in choices.items():
                rows = form.filled(column.key) & (form.values[by] == value).to_numpy()
                _judge_reference(form, column.key, reference, rows, present, unit_code)


def _judge_reference(
    form: Judged, column: str, reference: Reference, rows: np.ndarray, present: _Present, unit_code: str | None
) -> None:
    lawful = present.keys(reference.form, reference.where)
    if reference.or_unit and unit_code:
        lawful = lawful | {unit_code}
    codes = form.values[column]
    unknown = rows & ~codes.isin(lawful).to_numpy()
    if reference.or_superior and unit_code:
        superior = codes.map(lambda code: isinstance(code, str) and unit_code.startswith(f"{code}."))
        unknown &= ~superior.to_numpy(dtype=bool)
    form.blame(np.flatnonzero(unknown), column, "unknown_code")


def _judge_rows(form: Judged) -> None:
    """Relations between the cells of a row, and between the rows of a form of totals."""
    for relation in form.form.relations:
        form.effects[relation.rule] = relation.on_error
        both = form.filled(relation.left) & form.filled(relation.right)
        rows = np.flatnonzero(both)
        left, right = form.values[relation.left].to_numpy()[rows], form.values[relation.right].to_numpy()[rows]
        form.blame(rows[(left > right).astype(bool)] if rows.size else rows, relation.report_at, relation.rule)
    for rule in form.form.only_with:
        form.effects[rule.rule] = rule.on_error
        alone = form.filled(rule.column) & form.blank(rule.needs)
        alone &= (form.values[rule.column] != 0).to_numpy(dtype=bool)
        form.blame(np.flatnonzero(alone), rule.report_at, rule.rule)
    if either := form.form.exactly_one:
        form.effects |= {"level_missing": either.on_error, "level_with_reason": either.on_error}
        neither = form.blank(either.level) & form.blank(either.reason)
        both = form.filled(either.level) & form.filled(either.reason)
        form.blame(np.flatnonzero(neither), either.level, "level_missing")
        form.blame(np.flatnonzero(both), either.level, "level_with_reason")
    _judge_equations(form)


def _judge_equations(form: Judged) -> None:
    """Totals against their parts; a total found wrong is corrected before it serves as a part of another."""
    equations = form.form.equations
    if equations is None:
        return
    rows = {line: row for row, line in form.values[equations.line].items() if line is not None}
    values = {line: form.values[equations.value][row] for line, row in rows.items()}
    for equation in equations.of:
        terms = [values.get(line) for line in (equation.line, *equation.plus, *equation.minus)]
        if any(term is None for term in terms):
            continue
        total = sum(values[line] for line in equation.plus) - sum(values[line] for line in equation.minus)
        if values[equation.line] != total:
            form.blame(np.array([rows[equation.line]]), equations.value, "equation")
            values[equation.line] = total


def _missing_rows(judged: Mapping[str, Judged], present: "_Present") -> list[MissingRow]:
    found = []
    for form in judged.values():
        rule = form.form.one_row_for_each
        if rule is None:
            continue
        caller = judged[rule.form]
        calls = caller.filled(rule.column)
        for column, allowed in rule.where.items():
            calls = calls & caller.values[column].isin(allowed).to_numpy()
        # A row that carries its key unlawfully still answers for the subject it is about.
        answered = set(form.values[rule.here].dropna()) | present.recovered[form.form.table]
        lacking = calls & ~caller.values[rule.column].isin(answered).to_numpy()
        found += [MissingRow(form, caller, int(row)) for row in np.flatnonzero(lacking)[present.unnamed(form) :]]
    return found
