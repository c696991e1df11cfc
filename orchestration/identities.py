"""Members with two keys as the command line asks for them: the register's decisions beside the rolls of the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from orchestration.problems import ProblemError
from orchestration.registers import USAGE, open_register
from orchestration.settings import Folders
from submissions.identities import LEAST, Clash, Persons, clashes, persons, propose, rolls
from submissions.register.identities import STATES, canonical_keys, decisions, group_of
from submissions.register.log import Register, RegisterError
from submissions.store import Store

SHORTEST = 6
"""Signs of a key that must be given at least."""


@dataclass
class Desk:
    """The store and the register, read when something is asked of them."""

    store: Store
    log: Register = field(repr=False)

    @cached_property
    def listed(self) -> pd.DataFrame:
        """Every row of the rolls in force, as `submissions.identities.rolls`."""
        return rolls(self.store)

    @cached_property
    def _known(self) -> Persons:
        return persons(self.store, set(self.listed["source_hash"]))

    @property
    def unread(self) -> tuple[str, ...]:
        """Sendings whose original could not be read again."""
        return self._known.unread

    def proposals(self, least: float = LEAST) -> pd.DataFrame:
        """Pairs that nobody has decided, as `submissions.identities.propose`."""
        joined = canonical_keys(self.log)
        said = decisions(self.log)
        apart = said.loc[said["state"] == "not_same_person", ["key_a", "key_b"]]
        aliases = dict(zip(joined["member_key"], joined["canonical_key"], strict=True))
        return propose(self.listed, self._known.rows, aliases, apart.itertuples(index=False, name=None), least)

    def evidence(self, pair: tuple[str, str]) -> tuple[int | None, tuple[str, ...]]:
        """Score and reasons of a pair as they are proposed now; no score where it is not."""
        found = self.proposals()
        for row in found.itertuples():
            if {row.key_a, row.key_b} == set(pair):
                return int(row.score), tuple(row.reasons)
        return None, ()

    def pair(self, *begins: str) -> tuple[str, str]:
        """The two keys that begin so, the one listed first in front. Raises `ProblemError`."""
        said = decisions(self.log)
        known = sorted({*self.listed["member_key"], *said["key_a"], *said["key_b"]})
        found = []
        for begin in begins:
            begin = begin.lower()
            fitting = [key for key in known if key.startswith(begin)]
            if len(begin) < SHORTEST or len(fitting) != 1:
                many = "có nhiều khóa" if len(fitting) > 1 and len(begin) >= SHORTEST else "không có khóa nào"
                advice = f"cần ít nhất {SHORTEST} ký tự" if len(begin) < SHORTEST else f"{many} bắt đầu như vậy"
                raise ProblemError(f"Khóa “{begin[:40]}”: {advice}. Xem: thucchat members propose", USAGE)
            found += fitting
        if found[0] == found[1]:
            raise ProblemError("Cần hai khóa khác nhau.", USAGE)
        one, other = sorted(found, key=lambda key: (self.first_year(key), key))
        return one, other

    def first_year(self, key: str) -> int:
        """The year of the first roll in force that lists a key; 9999 where none does."""
        years = self.listed.loc[self.listed["member_key"] == key, "year"]
        return int(years.min()) if len(years) else 9999

    def clashes(self, pair: tuple[str, str]) -> list[Clash]:
        """Where two keys, with all that are joined to them, are listed together."""
        said = decisions(self.log)
        return clashes(self.listed, group_of(said, pair[0]) | group_of(said, pair[1]))

    def decided(self) -> pd.DataFrame:
        """What was decided, with `clash`: why it cannot be (a correction came since)."""
        said = decisions(self.log)
        told = [
            "; ".join(map(str, clashes(self.listed, group_of(said, row.key_a)))) if row.state == "same_person" else ""
            for row in said.itertuples()
        ]
        return said.assign(state=said["state"].map(STATES), clash=told).drop(columns=["seq", "reasons"])


@contextmanager
def at_work(folders: Folders) -> Iterator[Desk]:
    """A desk for one command. What goes wrong is a `ProblemError`."""
    if not folders.store.exists():
        raise ProblemError(f"Chưa có báo cáo nào trong {folders.data}. Hãy chạy: thucchat intake NƠI...")
    with open_register(folders, make=False) as log:
        try:
            yield Desk(Store(folders.store), log)
        except RegisterError as error:
            raise ProblemError(str(error)) from error
