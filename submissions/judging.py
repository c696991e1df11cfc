"""Judging: is each cell lawful, and what does an unlawful one do to its row. One mistake is one issue."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

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
        rows = np.asarray(rows)
        free = rows[self.rules[column].to_numpy()[rows] == None] if rows.size else rows  # noqa: E711
        self.rules.iloc[free, self.rules.columns.get_loc(column)] = rule
        self.values.iloc[free, self.values.columns.get_loc(column)] = None

    def filled(self, column: str) -> np.ndarray:
        """Where a cell has a lawful value."""
        return self.values[column].notna().to_numpy()

    def blank(self, column: str) -> np.ndarray:
        """Where nothing was entered: neither a value nor an unlawful cell."""
        return ~self.filled(column) & self.rules[column].isna().to_numpy()

    def held_back(self) -> np.ndarray:
        """Rows that an unlawful cell keeps from loading."""
        held = np.zeros(len(self.rules), dtype=bool)
        for column in self.rules.columns:
            rules = self.rules[column].dropna()
            own = self.form.by_key[column].on_error
            held[rules.index[[self.effects.get(rule, own) == "hold" for rule in rules]]] = True
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
    for form in judged.values():
        _judge_uniqueness(form, judged)
    present = _Present(judged)
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
            cells.codes, cells.distinct, parser(column, form_set.spellings, year)
        )
    judged = Judged(
        table,
        pd.DataFrame(values, dtype=object).reindex(range(size)),
        pd.DataFrame(rules, dtype=object).reindex(range(size)),
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


def _identity(form: Judged, row: int) -> tuple[str, ...] | None:
    """The subject of a row told without its code; None where it cannot be told."""
    columns = form.form.identity.columns if form.form.identity else ()
    told = [form.values.at[row, column] for column in columns]
    return tuple(str(part).casefold() for part in told) if told and None not in told else None


def _judge_uniqueness(form: Judged, judged: Mapping[str, Judged]) -> None:
    """Blame the rows that carry a key another row owns.

    Where the partner form holds the same subjects (members: Biểu 3 and 5), the row that agrees with it owns the key;
    otherwise the first row does.
    """
    unique = list(form.form.unique)
    if not unique:
        return
    complete = np.logical_and.reduce([form.filled(column) for column in unique])
    keys = form.values.loc[complete, unique]
    doubled = keys[keys.duplicated(keep=False)]
    if doubled.empty:
        return
    owners: dict[object, set[tuple[str, ...] | None]] = {}
    if form.form.identity and form.form.identity.partner in judged:
        partner = judged[form.form.identity.partner]
        codes = partner.values[partner.form.unique[0]]
        for row in np.flatnonzero(codes.isin(doubled[unique[0]])):
            owners.setdefault(codes[row], set()).add(_identity(partner, row))
    losers: list[int] = []
    for group in doubled.groupby(unique, sort=False).groups.values():
        rows = list(group)
        told = owners.get(doubled.at[rows[0], unique[0]], set()) - {None}
        agreeing = [row for row in rows if _identity(form, row) in told]
        owner = agreeing[0] if agreeing else rows[0]
        losers += [row for row in rows if row != owner]
    form.blame(np.array(losers, dtype=int), unique[0], "duplicate")


class _Present:
    """Which keys of a form count as present: lawful ones, also of rows held back, and those recovered.

    A row whose own key is unlawful is still there. The partner form (Biểu 3 and 5, 2 and 4) tells which key it
    should carry: the one of the same subject that its form lacks.
    """

    def __init__(self, judged: Mapping[str, Judged]) -> None:
        self.judged = judged
        self.recovered: dict[str, set[object]] = {}
        self._usage = self._count_usage()
        for table in judged:
            self._blame_strays(table)
        self.recover_all()

    def recover_all(self) -> None:
        """Find the keys that rows with an unlawful key should carry."""
        for table in self.judged:
            self.recovered[table] = self._recover(table)

    def _count_usage(self) -> Counter:
        """How often each code stands in a column that refers to a form, by form and code."""
        usage: Counter = Counter()
        for form in self.judged.values():
            for column in form.form.columns:
                references = [column.reference] if column.reference else []
                references += [one for choices in column.references_by.values() for one in choices.values()]
                for table in {reference.form for reference in references}:
                    counts = form.values[column.key].value_counts()
                    usage.update({(table, code): int(count) for code, count in counts.items()})
        return usage

    def _pairs(self, table: str) -> list[tuple[int, object]]:
        """Rows of the form without a counterpart under their key, with the key that the partner form has for them."""
        form = self.judged[table]
        identity = form.form.identity
        if identity is None or identity.partner not in self.judged:
            return []
        partner = self.judged[identity.partner]
        here, there = form.values[form.form.unique[0]], partner.values[partner.form.unique[0]]
        lone_here = ~here.isin(set(there.dropna()))
        lone_there = there.notna() & ~there.isin(set(here.dropna()))
        if not lone_here.any() or not lone_there.any():
            return []
        by_subject: dict[tuple[str, ...] | None, list[object]] = {}
        for row in np.flatnonzero(lone_there):
            by_subject.setdefault(_identity(partner, row), []).append(there[row])
        by_subject.pop(None, None)
        pairs = []
        for row in np.flatnonzero(lone_here):
            if codes := by_subject.get(_identity(form, row)):
                pairs.append((row, codes.pop(0)))
        return pairs

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
        unlawful = form.rules[form.form.unique[0]].notna()
        if not unlawful.any():
            return set()
        return {code for row, code in self._pairs(table) if unlawful[row]}

    def keys(self, table: str, where: Mapping[str, tuple[str, ...]]) -> set[object]:
        """Keys of the form's rows that meet `where`; a row whose own attribute is unlawful is given the benefit."""
        form = self.judged[table]
        meets = np.ones(len(form.values), dtype=bool)
        for column, allowed in where.items():
            meets &= (form.values[column].isin(allowed) | form.rules[column].notna()).to_numpy()
        key = form.form.unique[0]
        return set(form.values.loc[meets, key].dropna()) | self.recovered.get(table, set())


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
        alone = ~form.blank(rule.column) & form.blank(rule.needs)
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
        found += [MissingRow(form, caller, int(row)) for row in np.flatnonzero(lacking)]
    return found
