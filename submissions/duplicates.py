"""Which of several rows that carry one key owns it, and which cell of the others is mistyped."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import islice

import numpy as np

Key = tuple[int, ...]

_SORTED = 0.75
"""A sheet counts as sorted where at least this share of neighbours stands in order; without any order it is a half."""
_NEAR = 3
"""How many neighbours on each side are asked: one of them may be mistyped too."""


class KeyOrder:
    """The keys of a form as ranks, in the order of its rows: a mistyped key stands out of order and leaves a gap."""

    def __init__(
        self,
        rows: Sequence[int],
        keys: Mapping[str, Sequence[object]],
        listed: Mapping[str, Sequence[str]],
        lacking: Sequence[object] = (),
    ) -> None:
        """`keys` are the complete keys of `rows`, by column; `listed` is the agreed order of columns with a list.

        `lacking` are keys that other forms refer to and no row has (of a key of one column): one may be meant.
        """
        self._columns = list(keys)
        ranks = [_ranks([*values, *lacking], listed.get(column)) for column, values in keys.items()]
        self._counts = [Counter(dict.fromkeys(column, 0)) for column in ranks]
        for counts, column in zip(self._counts, ranks, strict=True):
            counts.update(column[: len(rows)])
        self._keys: list[Key] = list(zip(*(column[: len(rows)] for column in ranks), strict=True))
        self._place = {row: place for place, row in enumerate(rows)}
        self._known = set(self._keys)
        nestings = [tuple(range(len(ranks))), tuple(reversed(range(len(ranks))))]
        best = max(nestings, key=self._share_in_order)
        self._nesting = best if self._share_in_order(best) >= _SORTED else None

    def _nested(self, key: Key) -> Key:
        return tuple(key[part] for part in self._nesting or ())

    def _share_in_order(self, nesting: Key) -> float:
        nested = np.zeros(len(self._keys), dtype=np.int64)
        for part in nesting:
            nested = nested * (max(self._counts[part], default=0) + 1) + [key[part] for key in self._keys]
        return float(np.mean(np.diff(nested) >= 0)) if len(nested) > 1 else 1.0

    def _contradictions(self, place: int, key: Key, skipped: Collection[int]) -> int:
        """How many neighbours say that a key does not stand in order at a place."""
        if self._nesting is None:
            return 0
        nested = self._nested(key)
        before = islice((at for at in range(place - 1, -1, -1) if at not in skipped), _NEAR)
        after = islice((at for at in range(place + 1, len(self._keys)) if at not in skipped), _NEAR)
        return sum(self._nested(self._keys[at]) >= nested for at in before) + sum(
            self._nested(self._keys[at]) <= nested for at in after
        )

    def _mending(self, place: int, skipped: Collection[int]) -> tuple[int, int, int]:
        """(contradictions left, rarity, part) of the best mending of a key: one part changed so that it fills a gap.

        Of two mendings the one with the commoner value is the better: a rare one may itself be mistyped.
        """
        key = self._keys[place]
        found = []
        for part in reversed(range(len(self._columns))):
            for rank, count in self._counts[part].items():
                meant = (*key[:part], rank, *key[part + 1 :])
                if meant not in self._known:
                    found.append((self._contradictions(place, meant, skipped), -count, part))
        return min(found, key=lambda one: one[:2], default=(0, 0, len(key) - 1))

    def resolve(self, rows: Sequence[int], likely: Sequence[int]) -> tuple[int, dict[int, str]]:
        """(owner, column to blame by row of the others) of rows with one key; the owner is one of the `likely`.

        It is the row where the key stands in order while the others, mended, would; where the order does not tell,
        the first. Where no gap tells which part of a key is mistyped, the last is.
        """
        places = {row: self._place[row] for row in rows}

        def mendings(owner: int) -> dict[int, tuple[int, int, int]]:
            others = {place for row, place in places.items() if row != owner}
            return {row: self._mending(place, others - {place}) for row, place in places.items() if row != owner}

        def cost(owner: int) -> tuple[int, int]:
            own = self._contradictions(places[owner], self._keys[places[owner]], {*places.values()})
            mended = mendings(owner).values()
            return own + sum(left for left, _, _ in mended), sum(rarity for _, rarity, _ in mended)

        owner = min(likely, key=cost)
        return owner, {row: self._columns[part] for row, (_, _, part) in mendings(owner).items()}


def _ranks(values: Sequence[object], listed: Sequence[str] | None) -> list[int]:
    order = list(listed) if listed is not None else sorted(set(values))
    rank = {value: position for position, value in enumerate(order)}
    return [rank[value] for value in values]
