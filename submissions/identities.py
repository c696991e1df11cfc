"""Keys of members that are likely one person (a card number that changed or was mistyped), for a person to decide.

Names, birth dates and card numbers are read again from the originals, compared in memory, and go nowhere: what leaves
this module is keys, places, scores and codes of reasons.

The score is that of Fellegi and Sunter (1969): for each thing compared, log2 of how much more often it comes out so in
records of one person than in those of two. How often it does for one person is counted in rows that have the same card
in two years; for two persons, in pairs drawn from the province, and of a name or a date by how often that very value
stands (Winkler 1989): two women called Nguyễn Thị Hoa say little, two persons with a rare name much.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from submissions.files.source import RefusedError, open_source
from submissions.form_set import FormSet
from submissions.judging import judge
from submissions.processes import run_all
from submissions.rules import load_rules
from submissions.store import Store
from submissions.text import fold, strip_marks
from submissions.workbook import read_workbook

REASONS = {
    "card_one_digit": "số thẻ khác một chữ số",
    "card_swapped": "số thẻ đảo hai chữ số liền nhau",
    "card_two_digits": "số thẻ khác hai chữ số",
    "card_differs": "số thẻ khác hẳn",
    "same_name": "trùng họ tên",
    "common_name": "trùng họ tên (họ tên phổ biến)",
    "name_marks": "họ tên chỉ khác dấu",
    "similar_name": "họ tên gần giống",
    "name_differs": "họ tên khác",
    "same_birth_date": "trùng ngày sinh",
    "near_birth_date": "ngày sinh khác một phần",
    "birth_date_differs": "ngày sinh khác",
    "same_admission": "trùng ngày vào Đảng",
    "near_admission": "ngày vào Đảng khác một phần",
    "admission_differs": "ngày vào Đảng khác",
    "admitted_since": "vào Đảng sau khi thẻ kia đã có trong danh sách",
    "gender_differs": "giới tính khác",
    "ethnicity_differs": "dân tộc khác",
    "same_cell": "cùng chi bộ",
    "same_unit": "cùng đơn vị, khác chi bộ",
    "other_unit": "khác đơn vị",
    "follows": "thẻ này hết trong danh sách thì thẻ kia bắt đầu",
    "gap": "giữa hai thẻ có năm không có tên",
    "interleaved": "hai thẻ xen kẽ nhau qua các năm",
    "moves": "chuyển đi và chuyển đến trong cùng một năm",
    "left": "thẻ trước đã ghi ra khỏi Đảng",
}
"""Codes of reasons, with their Vietnamese words."""

LEAST = 50
"""The score from which a pair is proposed: more likely one person than two."""

COMMON, SEVERAL = 1 / 1000, 5
"""The share of members, and how many at least, from which a name is called common."""

DIED, MOVED = "Từ trần", "Chuyển đi"

LARGEST_BLOCK = 300
"""Where more keys share a value they are not compared each with each: it is a date that stands for "unknown"."""

_SAMPLE = 100_000
_STRENGTH = 1000
"""How many pairs what is said below counts for, beside what is counted in the province."""

# Of numbers that people copied, 79% of the mistakes were one digit and 10.2% two neighbours exchanged (Verhoeff 1969,
# "Error detecting decimal codes"); two digits stand for the most of the rest. How many cards changed and how many were
# mistyped is not known: half and half.
_CARDS = ("card_one_digit", "card_swapped", "card_two_digits", "card_differs")
_CARD_OF_ONE = np.array([0.395, 0.051, 0.044, 0.51])

_LEVELS: Mapping[str, tuple[tuple[str, ...], np.ndarray, np.ndarray]] = {
    # Reasons by level; the least share of each level in rows of one person, since a row that is typed anew under
    # another card holds more mistakes than one that is carried over; and shares in rows of two persons, where nothing
    # is known.
    "name": (
        ("same_name", "name_marks", "similar_name", "name_differs"),
        np.array([0.5, 0.03, 0.03, 0.01]),
        np.array([2e-4, 2e-4, 0.004, 0.99]),
    ),
    "birth": (
        ("same_birth_date", "near_birth_date", "birth_date_differs"),
        np.array([0.5, 0.03, 0.01]),
        np.array([5e-5, 0.006, 0.99]),
    ),
    "admission": (
        ("same_admission", "near_admission", "admission_differs", "admitted_since"),
        np.array([0.5, 0.03, 0.02, 0.003]),
        np.array([5e-4, 0.01, 0.7, 0.29]),
    ),
    "gender": (("", "gender_differs"), np.array([0.5, 0.005]), np.array([0.55, 0.45])),
    "ethnicity": (("", "ethnicity_differs"), np.array([0.5, 0.01]), np.array([0.6, 0.4])),
    "place": (
        ("same_cell", "same_unit", "other_unit"),
        np.array([0.5, 0.08, 0.05]),
        np.array([1e-3, 0.1, 0.9]),
    ),
}
_TIMES = ("follows", "gap", "interleaved", "moves")
_TIMES_OF_ONE = np.array([0.8, 0.08, 0.08, 0.04])
"""A card changes once and for good, or is mistyped in one report: between its years nothing is lacking."""
_LEFT_OF_ONE = 0.02
"""Who was reported as expelled or resigned seldom goes on under another card."""

ROLL = (
    "member_key", "unit_code", "year", "cell_code", "status", "gender", "ethnicity", "admitted_on", "official_on",
    "source_hash", "sheet", "row",
)  # fmt: skip
"""The columns of `rolls`."""

PERSON = ("source_hash", "row", "card", "name", "born_on")
"""The columns of `persons`: names, birth dates and card numbers, never to be printed, written or logged."""

PLACE = ("unit_code", "cell_code", "year", "sheet", "row", "source_hash")
"""Where a key stands: of the earlier one the last row, of the later one the first."""

PROPOSAL = (
    "key_a", "key_b", "score", "reasons",
    *(f"{name}_{side}" for side in "ab" for name in ("years", *PLACE)),
)  # fmt: skip
"""The columns of `propose`; a is the key that was listed first."""


# --- what is read ------------------------------------------------------------------------------------------------


def rolls(store: Store) -> pd.DataFrame:
    """Every row with a key of the lists of members (Biểu 3) in force, also held-back ones; columns of `ROLL`."""
    sent = store.read_submissions()
    sent = sent[sent["is_in_force"] & (sent["source_kind"] == "unit")]
    parts = [
        store.form_frame("members", row.source_hash).assign(unit_code=row.unit_code, year=int(row.year))
        for row in sent.itertuples()
    ]
    if not parts:
        return pd.DataFrame(columns=list(ROLL))
    found = pd.concat(parts, ignore_index=True)
    return found.loc[found["member_key"].notna(), list(ROLL)].reset_index(drop=True)


@dataclass(frozen=True)
class Persons:
    """What only the originals say of the rows of a roll."""

    rows: pd.DataFrame
    """Columns of `PERSON`."""
    unread: tuple[str, ...]
    """Hashes of sendings whose original is gone or cannot be read."""

    def __repr__(self) -> str:
        return f"Persons({len(self.rows)} rows)"


def persons(store: Store, hashes: Collection[str], workers: int | None = None) -> Persons:
    """Read the lists of members of some sendings again, from their originals, in memory alone."""
    units = store.submissions_of(sorted(hashes)).set_index("source_hash")["unit_code"]
    found = run_all(partial(_persons_of, store, store.form_sets, units), list(units.index), workers)
    rows = [rows for rows in found if isinstance(rows, pd.DataFrame)]
    unread = tuple(name for name, rows in zip(units.index, found, strict=True) if rows is None)
    return Persons(pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(PERSON)), unread)


def _persons_of(
    store: Store, form_sets: Mapping[str, FormSet], units: pd.Series, source_hash: str
) -> pd.DataFrame | None:
    path = store.original(source_hash)
    if path is None:
        return None
    try:
        workbook = read_workbook(open_source(path.read_bytes(), path.name), form_sets)
    except RefusedError:
        return None
    judged = judge(workbook, units[source_hash]).forms.get("members")
    if judged is None:
        return None
    values = {name: judged.columns[key].items() for name, key in _PERSONAL.items() if key in judged.columns}
    return pd.DataFrame({"source_hash": source_hash, "row": list(judged.table.rows), **values}).reindex(columns=PERSON)


_PERSONAL = {"card": "card_no", "name": "full_name", "born_on": "born_on"}


# --- who cannot be one person --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clash:
    """A year in which keys stand on rolls in a way that one person cannot."""

    year: int
    units: tuple[str, ...]

    def __str__(self) -> str:
        if len(self.units) == 1:
            return f"cả hai khóa có trong danh sách của {self.units[0]} năm {self.year}"
        return f"đang sinh hoạt ở cả {' và '.join(self.units)} năm {self.year}"


def clashes(listed: pd.DataFrame, keys: Collection[str]) -> list[Clash]:
    """Where several of `keys` are on a unit's roll of one year, or present in two units (`listed` as of `rolls`).

    Who moved within a year stands on two units' rolls, on the former as one who left: that is no clash.
    """
    rows = listed[listed["member_key"].isin(list(keys))]
    found = []
    for year, of_year in rows.groupby("year"):
        by_unit = of_year.groupby("unit_code")["member_key"].nunique()
        if (by_unit > 1).any():
            found += [Clash(int(year), (unit,)) for unit in by_unit.index[by_unit > 1]]
            continue
        there = of_year[_is_present(of_year["status"])]
        if there["member_key"].nunique() > 1 and there["unit_code"].nunique() > 1:
            found.append(Clash(int(year), tuple(sorted(there["unit_code"].unique()))))
    return found


def _is_present(status: pd.Series) -> pd.Series:
    """Who is there at the end of the year; what is not known counts for it."""
    return status.isna() | status.isin(load_rules().present)


# --- proposals -----------------------------------------------------------------------------------------------------


def propose(
    listed: pd.DataFrame,
    known: pd.DataFrame,
    joined: Mapping[str, str] | None = None,
    apart: Iterable[tuple[str, str]] = (),
    least: float = LEAST,
) -> pd.DataFrame:
    """Pairs of keys that are likely one person, the likeliest first; columns of `PROPOSAL`.

    `listed` is what `rolls` gives, `known` the rows of `persons`. `joined` says which keys are read as which other
    one's already, `apart` which pairs are known to be two persons. `score` is 0 to 99, the chance in percent that both
    are one person; `reasons` a tuple of codes of `REASONS`. Pairs that are listed together are never proposed
    (`clashes`).
    """
    rows = _rows(listed, known)
    people = _people(rows, joined or {})
    left, right = _candidates(people)
    left, right = _possible(people, rows, left, right, apart)
    if not len(left):
        return pd.DataFrame(columns=list(PROPOSAL))
    weighing = _Weighing(rows, people)
    weights = weighing.weigh(people.iloc[left], people.iloc[right])
    chances = _chances(weights, weighing.pairs)
    chances = _without_rivals(people, left, right, chances)
    likely = np.flatnonzero(chances >= least / 100)
    likely = likely[np.argsort(-chances[likely], kind="stable")]
    reasons = weighing.reasons(people.iloc[left[likely]], people.iloc[right[likely]])
    keys = people["member_key"].to_numpy()
    found = pd.DataFrame(
        {
            "key_a": keys[left[likely]],
            "key_b": keys[right[likely]],
            "score": np.minimum(99, np.floor(100 * chances[likely])).astype(int),
            "reasons": pd.Series(reasons, dtype=object),
        }
    )
    return _with_places(found, rows)


def _rows(listed: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The rolls with what only the originals say, ready to be compared; in order of key and year."""
    rows = listed.merge(known.reindex(columns=list(PERSON)), on=["source_hash", "row"], how="left")
    distinct = rows["name"].dropna().unique()
    rows["plain"] = rows["name"].map({name: strip_marks(name) for name in distinct})
    rows["name"] = rows["name"].map({name: fold(name) for name in distinct})
    card = rows.pop("card").astype("object").where(lambda cards: cards.astype("str").str.fullmatch(r"\d{1,18}"))
    rows["card"] = card.fillna(-1).astype("int64")
    for column in ("born_on", "admitted_on", "official_on"):
        rows[column] = pd.to_datetime(rows[column], errors="coerce").astype("datetime64[s]")
    rows["is_present"] = _is_present(rows["status"])
    return rows.sort_values(["member_key", "year", "unit_code", "row"], ignore_index=True)


def _people(rows: pd.DataFrame, joined: Mapping[str, str]) -> pd.DataFrame:
    """A row a key: what is known last, where it stood first and last, its years (as bits), and as whose it is read."""
    years = {year: position for position, year in enumerate(sorted(rows["year"].unique()))}
    rows = rows.assign(
        group=rows["member_key"].map(lambda key: joined.get(key, key)),
        bit=np.int64(1) << rows["year"].map(years).astype("int64"),
        died=rows["year"].where(rows["status"] == DIED),
        has_left=~rows["is_present"] & ~rows["status"].isin([MOVED, DIED]),
    )
    by_key = rows.groupby("member_key", sort=True)
    lasting = ["card", "name", "plain", "born_on", "admitted_on", "official_on", "gender", "ethnicity", "has_left"]
    people = by_key[["group", *lasting]].last()
    for side in ("first", "last"):
        people[[f"{side}_unit", f"{side}_cell"]] = by_key[["unit_code", "cell_code"]].agg(side).to_numpy()
    ends = by_key["year"].agg(["min", "max"])
    people = people.assign(
        first=ends["min"], last=ends["max"], died=by_key["died"].min(), own_bits=_bits(rows, "member_key")
    )
    people = people.reset_index()
    there = rows[rows["is_present"]]
    people["present_bits"] = people["group"].map(_bits(there, "group")).fillna(0).astype("int64")
    people["bits"] = people["group"].map(_bits(rows, "group"))
    people["is_always"] = people["present_bits"] == sum(1 << position for position in years.values())
    return people


def _bits(rows: pd.DataFrame, by: str) -> pd.Series:
    return rows.drop_duplicates([by, "bit"]).groupby(by)["bit"].sum()


def _candidates(people: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Positions of pairs that are alike in something that two persons seldom share; each pair once."""
    some = people[~people["is_always"]]
    texts = {
        name: some[name].astype("object") for name in ("plain", "born_on", "admitted_on", "first_cell", "last_cell")
    }
    born_in, has_name = some["born_on"].dt.year, some["plain"].notna()
    blocks = [
        _codes(some["born_on"]),
        _codes(texts["plain"], born_in),
        _codes(texts["plain"], texts["admitted_on"]),
        _codes(texts["admitted_on"], born_in),
        _codes(texts["plain"], texts["last_cell"]),
    ]
    # A member who was mistyped before he moved on: the one's last cell is the other's first.
    both = pd.concat([texts["last_cell"], texts["first_cell"]])
    twice = _codes(pd.concat([texts["plain"]] * 2).where(pd.concat([has_name] * 2)), both)
    cards = some["card"].to_numpy()
    blocks += [*_card_blocks(cards)]
    pairs = [_pairs_within(codes) for codes in blocks]
    one, other = _pairs_within(twice)
    pairs.append((one % len(some), other % len(some)) if len(some) else (one, other))
    left, right = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
    low, high = np.minimum(left, right), np.maximum(left, right)
    code = np.unique(low[low != high] * np.int64(len(some) or 1) + high[low != high])
    places = np.flatnonzero(~people["is_always"].to_numpy())
    return places[code // (len(some) or 1)], places[code % (len(some) or 1)]


def _codes(*columns: pd.Series) -> np.ndarray:
    """A number for each combination of values, -1 where one is missing."""
    found = np.zeros(len(columns[0]), dtype="int64")
    missing = np.zeros(len(found), dtype=bool)
    for column in columns:
        codes, distinct = pd.factorize(column)
        missing |= codes < 0
        found = found * (len(distinct) + 1) + codes
        found = pd.factorize(found)[0]
    return np.where(missing, -1, found)


def _card_blocks(cards: np.ndarray) -> Iterable[np.ndarray]:
    """Cards without one digit, and with two neighbours in order: alike if one digit differs, or two are exchanged."""
    digits = 18 if len(cards) and cards.max() >= 10**12 else 12
    for place in range(digits):
        power = np.int64(10) ** place
        rest = cards - cards // power % 10 * power
        yield np.where(cards < 0, -1, pd.factorize(rest)[0])
        if place + 1 < digits:
            low, high = cards // power % 10, cards // (power * 10) % 10
            ordered = cards + (np.minimum(low, high) - low) * power + (np.maximum(low, high) - high) * power * 10
            yield np.where(cards < 0, -1, pd.factorize(ordered)[0])


def _pairs_within(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of all pairs with one code."""
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    ordered = codes[order]
    sizes = np.bincount(ordered) if len(ordered) else np.zeros(1, dtype=int)
    order = order[sizes[ordered] <= LARGEST_BLOCK] if len(ordered) else order
    ordered = codes[order]
    left, right = [], []
    for apart in range(1, min(LARGEST_BLOCK, int(sizes.max(initial=0)) + 1)):
        same = np.flatnonzero(ordered[apart:] == ordered[:-apart])
        left.append(order[same])
        right.append(order[same + apart])
    empty = np.zeros(0, dtype="int64")
    return np.concatenate([empty, *left]), np.concatenate([empty, *right])


def _possible(
    people: pd.DataFrame, rows: pd.DataFrame, left: np.ndarray, right: np.ndarray, apart: Iterable[tuple[str, str]]
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs that can be one person, nobody has said otherwise, and nobody has joined yet; the earlier key first."""
    group = people["group"].to_numpy()
    possible = group[left] != group[right]
    possible &= _can_be_one(people, left, right)
    left, right = left[possible], right[possible]
    together = people["bits"].to_numpy()[left] & people["bits"].to_numpy()[right]
    # Few stand on two rolls of a year: their units are compared one by one.
    keep = np.ones(len(left), dtype=bool)
    doubtful = np.flatnonzero(together)
    if len(doubtful):
        placed: dict[str, set[tuple[int, str]]] = defaultdict(set)
        of_key = dict(zip(people["member_key"], group, strict=True))
        for key, *place in zip(rows["member_key"], rows["year"], rows["unit_code"], strict=True):
            placed[of_key[key]].add(tuple(place))
        for at in doubtful:
            keep[at] = placed[group[left[at]]].isdisjoint(placed[group[right[at]]])
    position = dict(zip(people["member_key"], group, strict=True))
    said = {frozenset((position.get(one, one), position.get(other, other))) for one, other in apart}
    if said:
        keep &= [frozenset((group[one], group[other])) not in said for one, other in zip(left, right, strict=True)]
    left, right = left[keep], right[keep]
    order = people["first"].to_numpy() * np.int64(len(people)) + np.arange(len(people))
    earlier = order[left] <= order[right]
    return np.where(earlier, left, right), np.where(earlier, right, left)


def _can_be_one(people: pd.DataFrame, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Whether two keys are never present in one year, and neither goes on after the other's death."""
    present, last, died = (people[name].to_numpy() for name in ("present_bits", "last", "died"))
    apart = (present[left] & present[right]) == 0
    outlived = (died[left] < last[right]) | (died[right] < last[left])
    return apart & ~outlived


# --- weights -------------------------------------------------------------------------------------------------------


class _Weighing:
    """How much each outcome of a comparison says, in this province."""

    def __init__(self, rows: pd.DataFrame, people: pd.DataFrame) -> None:
        """Count in the rolls how often things agree for one person and for two."""
        one, other = _linked(rows)
        some = people[~people["is_always"]].reset_index(drop=True)
        drawn = np.random.default_rng(1)  # the same pairs each time
        size = min(_SAMPLE, len(some) ** 2)
        left, right = (drawn.integers(0, max(len(some), 1), size if len(some) else 0) for _ in range(2))
        distinct = left != right
        left, right = left[distinct], right[distinct]
        possible = _can_be_one(some, left, right)
        self.pairs = max(1.0, len(some) * (len(some) - 1) / 2 * (possible.mean() if len(possible) else 1.0))
        left, right = left[possible], right[possible]
        swap = some["first"].to_numpy()[left] > some["first"].to_numpy()[right]
        left, right = np.where(swap, right, left), np.where(swap, left, right)
        a, b = some.iloc[left], some.iloc[right]
        same, random = _compared(one, other), _compared(a, b)
        self._weights: dict[str, np.ndarray] = {}
        self._of_one: dict[str, np.ndarray] = {}
        for field, (_, least, unknown) in _LEVELS.items():
            of_one = np.maximum(_shares(same[field], least / least.sum()), least * (least < 0.5))
            of_two = _shares(random[field], unknown / unknown.sum())
            self._weights[field] = np.log2(of_one / of_one.sum()) - np.log2(of_two)
            if field in {"gender", "ethnicity"}:
                self._weights[field][0] = 0.0  # the name has said it
            self._of_one[field] = of_one / of_one.sum()
        self._share = {field: _frequencies(people[column]) for field, column in _VALUES.items()}
        self._plain = _frequencies(people["plain"])
        named = people["name"].value_counts()
        self._common_names = set(named.index[(named >= SEVERAL) & (named >= COMMON * len(people))])
        in_one_unit = random["place"] < 2
        self._card = {
            is_near: np.log2(_CARD_OF_ONE)
            - np.log2(_card_shares(people, _cards(a, b)[in_one_unit == is_near], is_near))
            for is_near in (False, True)
        }
        times = _times(a, b)
        self._times = np.log2(_TIMES_OF_ONE) - np.log2(_shares(times, np.full(4, 0.25)))
        has_left = a["has_left"].to_numpy(dtype=bool)
        of_two = (has_left.sum() + 0.02 * _STRENGTH) / (len(has_left) + _STRENGTH)
        self._left = np.log2(_LEFT_OF_ONE / of_two), np.log2((1 - _LEFT_OF_ONE) / (1 - of_two))

    def weigh(self, a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
        """The evidence that two keys are one person, in bits."""
        compared = _compared(a, b)
        cards = _cards(a, b)
        near = compared["place"] < 2
        weights = np.where(near, _at(self._card[True], cards), _at(self._card[False], cards))
        weights += _at(self._times, _times(a, b))
        weights += np.where(a["has_left"].to_numpy(dtype=bool), *self._left)
        for field, levels in compared.items():
            found = _at(self._weights[field], levels)
            if field in _VALUES:
                # What the value itself says, by how many have it.
                share = a[_VALUES[field]].map(self._share[field]).to_numpy(dtype=float)
                found = np.where(levels == 0, np.log2(self._of_one[field][0]) - np.log2(share), found)
            if field == "name":
                share = a["plain"].map(self._plain).to_numpy(dtype=float)
                found = np.where(levels == 1, np.log2(self._of_one[field][1]) - np.log2(share), found)
            weights += found
        return weights

    def reasons(self, a: pd.DataFrame, b: pd.DataFrame) -> list[tuple[str, ...]]:
        """The codes of what agrees and what does not."""
        told = [_words(_CARDS, _cards(a, b))]
        for field, levels in _compared(a, b).items():
            words = _words(_LEVELS[field][0], levels)
            if field == "name":
                words = np.where((levels == 0) & a["name"].isin(self._common_names), "common_name", words)
            told.append(words)
        told += [_words(_TIMES, _times(a, b)), np.where(a["has_left"].to_numpy(dtype=bool), "left", "")]
        return [tuple(str(word) for word in words if word) for words in zip(*told, strict=True)]


_VALUES = {"name": "name", "birth": "born_on", "admission": "admitted_on"}


def _linked(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows with one card in two reports, one after the other: one person, as everybody says."""
    follows = rows["member_key"].eq(rows["member_key"].shift()) & (rows["year"] > rows["year"].shift())
    later = np.flatnonzero(follows)
    later = later[:: max(1, len(later) // _SAMPLE)]
    stood = {f"{end}_{place}": f"{place}_code" for end in ("first", "last") for place in ("unit", "cell")}
    with_places = rows.assign(first=rows["year"], **{name: rows[column] for name, column in stood.items()})
    return with_places.iloc[later - 1], with_places.iloc[later]


def _shares(levels: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """Shares of levels, with what is known beforehand."""
    counts = np.bincount(levels[levels >= 0], minlength=len(unknown))
    return (counts + _STRENGTH * unknown / unknown.sum()) / (counts.sum() + _STRENGTH)


def _frequencies(values: pd.Series) -> pd.Series:
    """How often each value stands among the keys; one that stands once could stand twice."""
    counts = values.value_counts()
    return (counts + 1) / (counts.sum() + _STRENGTH)


def _card_shares(people: pd.DataFrame, sampled: np.ndarray, of_one_unit: bool) -> np.ndarray:
    """How often the cards of two persons are alike, of one unit or of two: exactly, since numbers follow each other."""
    has_card = people[people["card"] >= 0]
    cards, units = has_card["card"].to_numpy(), pd.factorize(has_card["first_unit"])[0]
    inside, everywhere = np.zeros(2), np.zeros(2)
    for at, codes in enumerate(_card_blocks(cards)):
        # Blocks of one digit and of two neighbours take turns.
        everywhere[at % 2] += _pairs_of(codes)
        inside[at % 2] += _pairs_of(_codes(pd.Series(codes), pd.Series(units)))
    pairs_inside = _pairs_of(units)
    counts, pairs = (
        (inside, pairs_inside)
        if of_one_unit
        else (everywhere - inside, len(cards) * (len(cards) - 1) / 2 - pairs_inside)
    )
    alike = (counts + 1) / (pairs + 10_000)
    two = (np.sum(sampled == 2) + 1) / (len(sampled) + _STRENGTH)
    return np.array([*alike, two, max(0.01, 1 - alike.sum() - two)])


def _pairs_of(codes: np.ndarray) -> float:
    sizes = np.bincount(codes[codes >= 0]).astype(float)
    return float((sizes * (sizes - 1) / 2).sum())


def _at(weights: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The weight of each level; what is missing on one side says nothing."""
    return np.where(levels < 0, 0.0, weights[np.maximum(levels, 0)])


def _words(names: Sequence[str], levels: np.ndarray) -> np.ndarray:
    return np.where(levels < 0, "", np.array(names, dtype=object)[np.maximum(levels, 0)])


# --- comparisons, by level: 0 is the same, -1 is not known ----------------------------------------------------------


def _compared(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, np.ndarray]:
    return {
        "name": _names(a, b),
        "birth": _dates(a["born_on"], b["born_on"]),
        "admission": _admissions(a, b),
        "gender": _equal(a["gender"], b["gender"]),
        "ethnicity": _equal(a["ethnicity"], b["ethnicity"]),
        "place": _places(a, b),
    }


def _equal(a: pd.Series, b: pd.Series) -> np.ndarray:
    one, other = a.to_numpy(dtype=object), b.to_numpy(dtype=object)
    return np.where(pd.isna(one) | pd.isna(other), -1, np.where(one == other, 0, 1))


def _dates(a: pd.Series, b: pd.Series) -> np.ndarray:
    """1: one part differs, or day and month are exchanged; 2: more."""
    one, other = (
        [column.dt.day.to_numpy(), column.dt.month.to_numpy(), column.dt.year.to_numpy()] for column in (a, b)
    )
    same = sum((left == right).astype(int) for left, right in zip(one, other, strict=True))
    turned = (one[0] == other[1]) & (one[1] == other[0]) & (one[2] == other[2])
    levels = np.where(same == 3, 0, np.where((same == 2) | turned, 1, 2))
    return np.where(a.isna().to_numpy() | b.isna().to_numpy(), -1, levels)


def _admissions(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
    """1: nearly the same, or the day of full membership is; 2: differs; 3: is later than a first year on a roll."""
    admitted, official = (_dates(a[column], b[column]) for column in ("admitted_on", "official_on"))
    since = (admitted == 2) & (b["admitted_on"].dt.year.to_numpy() > a["first"].to_numpy())
    return np.where((admitted == 2) & (official == 0), 1, np.where(since, 3, admitted))


def _names(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
    """1: only marks differ; 2: one letter of one syllable, or one syllable more; 3: more."""
    names, plain = _equal(a["name"], b["name"]), _equal(a["plain"], b["plain"])
    levels = np.where(names <= 0, names, np.where(plain == 0, 1, 3))
    ours, theirs = a["plain"].to_numpy(dtype=object), b["plain"].to_numpy(dtype=object)
    for at in np.flatnonzero(levels == 3):
        if _is_similar(ours[at], theirs[at]):
            levels[at] = 2
    return levels


def _is_similar(one: str, other: str) -> bool:
    """Whether two names without marks differ in one letter of one syllable, or in a syllable that one has not."""
    ours, theirs = one.split(), other.split()
    if len(ours) == len(theirs):
        differing = [(left, right) for left, right in zip(ours, theirs, strict=True) if left != right]
        return len(differing) == 1 and _is_one_letter(*differing[0])
    short, long = sorted((ours, theirs), key=len)
    return (
        len(long) == len(short) + 1
        and len(short) > 1
        and any(long[:at] + long[at + 1 :] == short for at in range(1, len(long) - 1))
    )


def _is_one_letter(one: str, other: str) -> bool:
    """Whether one letter was changed, added, left out, or exchanged with its neighbour."""
    short, long = sorted((one, other), key=len)
    start = next((at for at, (left, right) in enumerate(zip(short, long, strict=False)) if left != right), len(short))
    rest, other_rest = short[start:], long[start:]
    if len(short) == len(long):
        return rest[1:] == other_rest[1:] or (rest[:2] == other_rest[1::-1] and rest[2:] == other_rest[2:])
    return len(long) == len(short) + 1 and rest == other_rest[1:]


def _cards(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
    """0: one digit differs; 1: two neighbours are exchanged; 2: two digits; 3: more."""
    one, other = a["card"].to_numpy(), b["card"].to_numpy()
    differing = np.zeros(len(one), dtype=int)
    swapped = np.zeros(len(one), dtype=bool)
    for place in range(18):
        power = np.int64(10) ** place
        mine, theirs = one // power % 10, other // power % 10
        differing += mine != theirs
        if place < 17:
            swapped |= (mine != theirs) & (mine == other // (power * 10) % 10) & (theirs == one // (power * 10) % 10)
    levels = np.select([differing == 1, (differing == 2) & swapped, differing == 2], [0, 1, 2], 3)
    return np.where((one < 0) | (other < 0), -1, levels)


def _places(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
    """Where the earlier key stood last and the later one first. 0: one cell; 1: one unit; 2: two units."""
    same_unit = a["last_unit"].to_numpy(dtype=object) == b["first_unit"].to_numpy(dtype=object)
    same_cell = _equal(a["last_cell"], b["first_cell"]) == 0
    return np.where(same_unit & same_cell, 0, np.where(same_unit, 1, 2))


def _times(a: pd.DataFrame, b: pd.DataFrame) -> np.ndarray:
    """0: the later key begins the year after the earlier one's last; 1: later; 2: in between; 3: in the same year."""
    last, first = a["last"].to_numpy(), b["first"].to_numpy()
    together = (a["own_bits"].to_numpy() & b["own_bits"].to_numpy()) != 0
    return np.select([together, first == last + 1, first > last + 1], [3, 0, 1], 2)


# --- from weights to proposals ---------------------------------------------------------------------------------------


def _chances(weights: np.ndarray, pairs: float) -> np.ndarray:
    """The chance of each pair to be one person; how many are to be expected is found from the weights themselves."""
    expected = 1.0
    for _ in range(30):
        chances = 1 / (1 + np.exp2(np.clip(-(weights + np.log2(expected / pairs)), -500, 500)))
        expected = max(1.0, float(chances.sum()))
    return chances


def _without_rivals(people: pd.DataFrame, left: np.ndarray, right: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """A key is one person's: of several it might be one with, and that cannot all be one, each is less likely."""
    likely = np.flatnonzero(chances > 0.01)
    odds = chances[likely] / np.maximum(1 - chances[likely], 1e-9)
    ends = np.stack([left[likely], right[likely]])
    by_key: dict[int, list[int]] = defaultdict(list)
    for side in ends.tolist():
        for at, key in enumerate(side):
            by_key[key].append(at)
    # Every two pairs that share a key: `one` of them, the `other`, and whom each has at its other end.
    shared = [(one, other, key) for key, ats in by_key.items() for one in ats for other in ats if one != other]
    found = chances.copy()
    if shared:
        one, other, key = np.array(shared).T
        partners = [np.where(ends[0][at] == key, ends[1][at], ends[0][at]) for at in (one, other)]
        cannot = ~_can_be_one(people, *partners)
        rivals = np.zeros((2, len(likely)))
        np.add.at(rivals, ((ends[1][one] == key).astype(int)[cannot], one[cannot]), odds[other[cannot]])
        found[likely] = odds / (1 + odds + rivals.max(axis=0))
    return found


def _with_places(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Pairs with the years in which each key is listed, and where the clerk finds both in the workbooks."""
    rows = rows[rows["member_key"].isin({*found["key_a"], *found["key_b"]})]
    by_key = rows.groupby("member_key")
    years = by_key["year"].agg(lambda years: ", ".join(map(str, sorted(set(years))))).rename("years")
    for side, row in (("a", by_key.tail(1)), ("b", by_key.head(1))):
        places = row.set_index("member_key")[list(PLACE)].join(years).add_suffix(f"_{side}")
        found = found.join(places, on=f"key_{side}")
    return found[list(PROPOSAL)]
