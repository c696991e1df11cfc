"""Judging: is each cell lawful, and what does an unlawful one do to its row. One mistake is one issue."""

import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

import numpy as np
import pandas as pd

from submissions.coded import Values
from submissions.duplicates import KeyOrder
from submissions.form_set import Form, FormSet, Reference
from submissions.values import FORMER_NAME, NO_EVIDENCE, find_evidence, parse_column, shown
from submissions.workbook import CellColumn, Table, Workbook


@dataclass
class Judged:
    """A form's records: values by column key, and the rules that cells break."""

    table: Table
    columns: dict[str, Values]
    """Lawful values and None, a row a record."""
    broken: dict[str, dict[int, str]]
    """By column: the rule that a cell breaks, by row; lawful cells have none."""
    effects: dict[str, str] = field(default_factory=dict)
    """Effect of the rules between cells, by rule; the others have the effect of their column."""
    queried: dict[str, list[int]] = field(default_factory=dict)
    """By column: the rows whose lawful value is asked about, being written with a name of former years."""
    circles: dict[int, str] = field(default_factory=dict)
    """By row of a circle of superiors: the codes that lead back to it."""
    copies: set[int] = field(default_factory=set)
    """Rows that repeat another one whole: they are about no subject of their own."""

    @property
    def form(self) -> Form:
        """The form."""
        return self.table.form

    @property
    def values(self) -> pd.DataFrame:
        """The values as a frame (index: position of the row)."""
        return pd.DataFrame(
            {key: column.items() for key, column in self.columns.items()}, index=range(len(self)), dtype=object
        )

    @property
    def rules(self) -> pd.DataFrame:
        """The rules broken as a frame like `values`, None for a lawful cell."""
        rows = range(len(self))
        return pd.DataFrame({key: map(broken.get, rows) for key, broken in self.broken.items()}, rows, dtype=object)

    def __len__(self) -> int:
        return len(self.table.rows)

    def blame(self, rows: Iterable[int], column: str, rule: str) -> None:
        """Enter a rule at the cells of a column, where no rule stands yet; their values are not used any more."""
        broken = self.broken[column]
        free = [int(row) for row in rows if row not in broken]
        if free:
            broken |= dict.fromkeys(free, rule)
            self.columns[column].drop(free)

    def filled(self, column: str) -> np.ndarray:
        """Where a cell has a lawful value."""
        return self.columns[column].filled

    def unlawful(self, column: str) -> np.ndarray:
        """Where a cell breaks a rule."""
        unlawful = np.zeros(len(self), dtype=bool)
        unlawful[list(self.broken[column])] = True
        return unlawful

    def blank(self, column: str) -> np.ndarray:
        """Where nothing was entered: neither a value nor an unlawful cell."""
        return ~(self.filled(column) | self.unlawful(column))

    def meets(self, where: Mapping[str, tuple[str, ...]]) -> np.ndarray:
        """Rows whose cells have one of the values allowed; an unlawful cell has the benefit of the doubt."""
        meets = np.ones(len(self), dtype=bool)
        for column, allowed in where.items():
            meets &= self.columns[column].among(allowed) | self.unlawful(column)
        return meets

    def held_back(self) -> np.ndarray:
        """Rows that an unlawful cell keeps from loading."""
        held = np.zeros(len(self), dtype=bool)
        for column, broken in self.broken.items():
            own = self.form.by_key[column].on_error
            held[[row for row, rule in broken.items() if self.effects.get(rule, own) == "hold"]] = True
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
        _judge_circles(form)
    present.recover_all()
    for form in judged.values():
        _judge_rows(form)
    return Judgement(judged, _missing_rows(judged, present))


def _judge_cells(table: Table, form_set: FormSet, year: int) -> Judged:
    # What stands in no record (titles, totals, signatures) is not read and tells nothing about a column's style.
    unread = {key: _unread(cells) for key, cells in table.cells.items()}
    evidence = {
        key: find_evidence(table.form.by_key[key], cells.distinct[~unread[key]]) for key, cells in table.cells.items()
    }
    sheet = frozenset().union(*evidence.values())
    numbers, dates = sheet & {"vi", "en"}, sheet & {"dm", "md"}
    judged = Judged(table, {}, {})
    for column in table.form.columns:
        cells = table.cells.get(column.key)
        if cells is None:
            judged.columns[column.key] = Values.of([None] * len(judged))
            judged.broken[column.key] = {}
            continue
        told = dates if column.type == "date" else numbers
        values, rules = parse_column(
            column,
            form_set.spellings,
            year,
            cells.distinct,
            unread[column.key],
            evidence[column.key] or (told if len(told) == 1 else NO_EVIDENCE),
            form_set.former_names(table.form.table, column, year),
        )
        judged.columns[column.key] = Values.of(values, cells.codes)
        if former := [place for place, rule in enumerate(rules.tolist()) if rule == FORMER_NAME]:
            judged.queried[column.key] = np.flatnonzero(cells.where(former)).tolist()
        broken = [place for place, rule in enumerate(rules.tolist()) if rule not in (None, FORMER_NAME)]
        rows = np.flatnonzero(cells.where(broken)) if broken else np.empty(0, dtype=int)
        judged.broken[column.key] = dict(zip(rows.tolist(), rules[cells.codes[rows]], strict=True))
    for column in table.form.columns:
        if column.required:
            judged.blame(np.flatnonzero(judged.blank(column.key)), column.key, "required")
        for by, value in column.card_when.items():
            shape = re.compile(column.pattern or "")
            cards = judged.filled(column.key) & judged.columns[by].among([value])
            shaped = judged.columns[column.key].such(lambda code, shape=shape: shape.fullmatch(code) is not None)
            judged.blame(np.flatnonzero(cards & ~shaped), column.key, "pattern")
    return judged


def _unread(cells: CellColumn) -> np.ndarray:
    """Which of the distinct cells are blank, or stand in none of the rows."""
    unread = np.ones(len(cells.distinct), dtype=bool)
    unread[cells.codes] = False
    return unread | cells.blanks


Identity = tuple[str | None, ...]


def _identity(form: Judged, row: int) -> Identity:
    """The subject of a row told without its code, part by part; None for what the row does not tell."""
    columns = form.form.identity.columns if form.form.identity else ()
    told = [form.columns[column][row] for column in columns]
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
    columns = {column: form.columns[column] for column in unique}
    rows = np.flatnonzero(np.logical_and.reduce([column.filled for column in columns.values()]))
    codes = np.zeros(len(rows), dtype=np.intp)
    for column in columns.values():
        codes = codes * len(column.distinct) + column.codes[rows]
    if len(set(codes.tolist())) == len(codes):
        return set()
    groups = defaultdict(list)
    for row, code in zip(rows.tolist(), codes.tolist(), strict=True):
        groups[code].append(row)
    doubled = [group for group in groups.values() if len(group) > 1]
    first = columns[unique[0]]
    twice = {first[group[0]] for group in doubled}
    owners: dict[object, list[Identity]] = {}
    elsewhere: set[Identity] = set()
    if form.form.identity and form.form.identity.partner in judged:
        partner = judged[form.form.identity.partner]
        theirs = partner.columns[partner.form.unique[0]]
        for row in np.flatnonzero(theirs.among(twice)):
            owners.setdefault(theirs[row], []).append(_identity(partner, row))
        lone = theirs.filled & ~theirs.among(first.present(rows))
        elsewhere = {_identity(partner, row) for row in np.flatnonzero(lone)}
    lists = {column: form.form.by_key[column].list for column in unique}
    lacking: set[object] = set()
    if len(unique) == 1:
        lacking = {
            code for other, column in _referring(judged, form.form.table) for code in other.columns[column].present()
        }
        lacking -= first.present(rows)
    order = KeyOrder(
        rows.tolist(),
        {name: column.items()[rows].tolist() for name, column in columns.items()},
        {column: [item.value for item in form_set.lists[name]] for column, name in lists.items() if name},
        sorted(lacking) if len(lacking) <= MOST_LACKING else (),
    )
    losers: dict[str, list[int]] = {}
    cells = form.columns.values()
    for group in doubled:
        told = owners.get(first[group[0]], [])
        scores = {}
        for row in group:
            subject = _identity(form, row)
            agreeing = max((_agreement(subject, one) for one in told), default=0)
            # The partner has the subject under a code that is lacking here: this row should carry that one.
            scores[row] = (agreeing, subject not in elsewhere)
        likely = [row for row in group if scores[row] == max(scores.values())]
        mended = order.resolve(group, likely)[1]
        for row, column in mended.items():
            losers.setdefault(column, []).append(row)
        owner = next(row for row in group if row not in mended)
        form.copies |= {row for row in mended if all(each.codes[row] == each.codes[owner] for each in cells)}
    for column, lost in losers.items():
        form.blame(lost, column, "duplicate")
    return twice


def _referring(judged: Mapping[str, Judged], table: str) -> Iterator[tuple[Judged, str]]:
    """(form, column) of every column that refers to a form."""
    for form in judged.values():
        for column in form.form.columns:
            references = [column.reference] if column.reference else []
            references += [one for choices in column.references_by.values() for one in choices.values()]
            if any(reference.form == table for reference in references):
                yield form, column.key


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
        self._used = {table: self._count_uses(table) for table in judged}
        for table in judged:
            self._blame_strays(table)
        self.recover_all()

    def recover_all(self) -> None:
        """Find the keys that rows with an unlawful key should carry."""
        for table in self.judged:
            self.recovered[table] = self._recover(table)

    def _count_uses(self, table: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """(codes, how often each stands there) of every column that refers to a form, before any of them is blamed."""
        columns = [form.columns[column] for form, column in _referring(self.judged, table)]
        return [(column.distinct, column.counts()) for column in columns]

    def _usage(self, table: str) -> Counter:
        """How often each code stands in a column that refers to a form, the commonest first."""
        usage: Counter = Counter()
        for codes, counts in self._used[table]:
            often = [place for place in np.argsort(-counts, kind="stable") if place and counts[place]]
            usage.update({codes[place]: int(counts[place]) for place in often})
        return usage

    def _pairs(self, table: str) -> list[tuple[int, object]]:
        """Rows of the form without a counterpart under their key, with the key that the partner form has for them."""
        form = self.judged[table]
        identity = form.form.identity
        if identity is None or identity.partner not in self.judged:
            return []
        partner = self.judged[identity.partner]
        here, there = form.columns[form.form.unique[0]], partner.columns[partner.form.unique[0]]
        lone_here = ~here.among(there.present()) & _expected(form, partner)
        lone_there = there.filled & ~there.among(here.present()) & _expected(partner, form)
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
        pairs = [(row, code) for row, code in self._pairs(table) if form.columns[key][row] is not None]
        usage = self._usage(table) if pairs else Counter()
        rows = [row for row, code in pairs if usage[code] > 1 + usage[form.columns[key][row]]]
        form.blame(rows, key, "key_mismatch")
        form.blame(self._misspelt(table), key, "key_mismatch")

    def _misspelt(self, table: str) -> list[int]:
        """Rows whose key nobody refers to, each beside a code like it that is lacking here and stands in many places.

        So a mistyped code is found where the partner form does not tell the subject (its name is left out there, or
        written otherwise).
        """
        form = self.judged[table]
        keys = form.columns[form.form.unique[0]]
        met: Counter = Counter()
        for codes, counts in self._used[table]:
            met.update(codes[np.flatnonzero(counts)].tolist())
        partner = self.judged.get(form.form.identity.partner) if form.form.identity else None
        # Of those who left nobody tells anything.
        told_of = keys.filled & _expected(form, partner) if partner is not None else keys.filled
        alone = {row: keys[row] for row in np.flatnonzero(told_of).tolist() if not met[keys[row]]}
        if not alone:
            return []
        # A row without a lawful key is the likelier one to lack a code.
        lacking = self._lacking(table, keys.present() | self._recover(table))
        often = [code for code, count in lacking.items() if count > 1 and met[code] > 1]
        return [row for row, _ in _alike(alone, often)]

    def _lacking(self, table: str, known: Container[object]) -> dict[object, int]:
        """Codes that are referred to and not known, with how often, the commonest first; none above the unit itself."""
        return {
            code: count
            for code, count in self._usage(table).most_common()
            if code not in known and not f"{self.unit_code}.".startswith(f"{code}.")
        }

    def _recover(self, table: str) -> set[object]:
        form = self.judged[table]
        if form.form.identity is None:
            return set()
        key = form.form.unique[0]
        unlawful = form.broken[key].keys() - form.copies
        if not unlawful:
            return set()
        pairs = {row: code for row, code in self._pairs(table) if row in unlawful}
        found = set(pairs.values())
        untold = [row for row in sorted(unlawful) if row not in pairs]
        if not untold:
            return found
        # No partner row tells the subject: a code that several cells refer to is not mistyped in all of them, and one
        # in a row that names the same cell or person is this subject's.
        lacking = self._lacking(table, found | form.columns[key].present())
        often = [code for code, count in lacking.items() if count > 1]
        written = {row: shown(form.table.cells[key][row]) for row in untold}
        likely = [code for _, code in _alike(written, often)]
        found |= set([*likely, *(code for code in often if code not in likely)][: len(untold)])
        parts = {form.columns[column][row] for row in untold for column in form.form.identity.columns} - {None}
        for other, column in _referring(self.judged, table):
            for row in np.flatnonzero(other.columns[column].among(lacking.keys() - found)):
                if parts & {cells[row] for cells in other.columns.values()}:
                    found.add(other.columns[column][row])
        return found

    def unnamed(self, form: Judged) -> int:
        """How many rows with an unlawful key are about a subject that cannot be told: each answers for one."""
        return len(form.broken[form.form.unique[0]].keys() - form.copies) - len(self.recovered[form.form.table])

    def keys(self, table: str, where: Mapping[str, tuple[str, ...]]) -> set[object]:
        """Keys of the form's rows that meet `where`; what is unlawful or doubled has the benefit of the doubt."""
        form = self.judged[table]
        return (
            form.columns[form.form.unique[0]].present(form.meets(where) if where else slice(None))
            | self.doubled[table]
            | self.recovered.get(table, set())
        )


MOST_LACKING = 200
"""Codes that no row has: where there are more, they do not tell which of two rows is mistyped."""

LIKE = 0.8
"""Two codes are alike from this share of equal characters on: one or two are mistyped, left out or put in."""

MOST_COMPARED = 10_000
"""Pairs of codes: a file with more has another fault than mistyped codes."""


def _alike(written: Mapping[int, object], codes: Sequence[object]) -> list[tuple[int, object]]:
    """(row, code) of what is written in rows and codes like it, the likest first, each once; of very many, none."""
    if len(written) * len(codes) > MOST_COMPARED:
        return []
    likeness = [
        (SequenceMatcher(None, str(text), str(code), autojunk=False).ratio(), -row, place)
        for row, text in written.items()
        for place, code in enumerate(codes)
    ]
    pairs: dict[int, int] = {}
    for ratio, row, place in sorted(likeness, reverse=True):
        if ratio >= LIKE and -row not in pairs and place not in pairs.values():
            pairs[-row] = place
    return [(row, codes[place]) for row, place in pairs.items()]


def _expected(form: Judged, partner: Judged) -> np.ndarray:
    """Which rows of a form call for a row in its partner; where that cannot be told, they may."""
    rule = partner.form.one_row_for_each
    where = rule.where if rule is not None and rule.form == form.form.table else {}
    return form.meets(where)


def _matched(here: dict[int, Identity], there: dict[int, Identity], codes: Values) -> list[tuple[int, object]]:
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
                rows = form.filled(column.key) & form.columns[by].among([value])
                _judge_reference(form, column.key, reference, rows, present, unit_code)


def _judge_reference(
    form: Judged, column: str, reference: Reference, rows: np.ndarray, present: _Present, unit_code: str | None
) -> None:
    lawful = present.keys(reference.form, reference.where)
    if reference.or_unit and unit_code:
        lawful = lawful | {unit_code}
    codes = form.columns[column]
    unknown = rows & ~codes.among(lawful)
    if reference.or_superior and unit_code:
        unknown &= ~codes.such(lambda code: isinstance(code, str) and unit_code.startswith(f"{code}."))
    form.blame(np.flatnonzero(unknown), column, "unknown_code")


def _judge_circles(form: Judged) -> None:
    """Rows whose superiors lead back to themselves: each row of a circle is told, those below it are not."""
    for column in form.form.columns:
        if column.reference is None or column.reference.form != form.form.table:
            continue
        keys, above = form.columns[column.reference.column].items(), form.columns[column.key].items()
        rows = {key: row for row, key in enumerate(keys) if key is not None}
        seen: dict[object, object] = {}
        circles: dict[int, str] = {}
        for start in rows:
            path: list[object] = []
            code: object = start
            while code in rows and code not in seen:
                seen[code] = start
                path.append(code)
                code = above[rows[code]]
            if code in rows and seen[code] == start:
                circle = path[path.index(code) :]
                for place, member in enumerate(circle):
                    way = [*circle[place:], *circle[:place], member]
                    circles[rows[member]] = " → ".join(map(str, way))
        form.circles |= circles
        form.blame(sorted(circles), column.key, "parent_circle")


def _judge_rows(form: Judged) -> None:
    """Relations between the cells of a row, and between the rows of a form of totals."""
    for relation in form.form.relations:
        form.effects[relation.rule] = relation.on_error
        rows = np.flatnonzero(form.filled(relation.left) & form.filled(relation.right))
        left, right = (form.columns[key].take(rows).items() for key in (relation.left, relation.right))
        form.blame(rows[(left > right).astype(bool)], relation.report_at, relation.rule)
    for rule in form.form.only_with:
        form.effects[rule.rule] = rule.on_error
        alone = form.filled(rule.column) & form.blank(rule.needs) & ~form.columns[rule.column].among([0])
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
    rows = {line: row for row, line in enumerate(form.columns[equations.line].items()) if line is not None}
    values = {line: form.columns[equations.value][row] for line, row in rows.items()}
    for equation in equations.of:
        terms = [values.get(line) for line in (equation.line, *equation.plus, *equation.minus)]
        if any(term is None for term in terms):
            continue
        total = sum(values[line] for line in equation.plus) - sum(values[line] for line in equation.minus)
        if values[equation.line] != total:
            form.blame([rows[equation.line]], equations.value, "equation")
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
            calls = calls & caller.columns[column].among(allowed)
        # A row that carries its key unlawfully still answers for the subject it is about.
        answered = form.columns[rule.here].present() | present.recovered[form.form.table]
        lacking = calls & ~caller.columns[rule.column].among(answered)
        found += [MissingRow(form, caller, int(row)) for row in np.flatnonzero(lacking)[present.unnamed(form) :]]
    return found
