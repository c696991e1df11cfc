"""Random lawful histories of organisations that succeed each other, for properties over `histories.Province`."""

import random
from collections.abc import Callable, Iterable
from datetime import date

from histories import Listing, Province
from hypothesis import strategies as st

DAYS = (date(2023, 4, 1), date(2024, 7, 1), date(2025, 7, 1), date(2025, 10, 1))
YEARS = range(2022, 2027)


@st.composite
def provinces(draw: st.DrawFn, members: int = 0) -> Province:
    """A province of three units to which a few successions happen; hypothesis finds the fewest that matter."""
    chance = draw(st.randoms(use_true_random=False))
    return reorganised_at_random(chance, members=members, steps=draw(st.integers(1, 8)))


def reorganised_at_random(
    chance: random.Random, *, members: int = 0, steps: int = 6, units: int = 3, prefix: str = "67"
) -> Province:
    """`steps` successions of any kind on one day or several, seen by the reports of the year itself or of the next.

    Beside them organisations are renamed and units miss a year.
    """
    province = Province(YEARS, chance.randrange(1_000), prefix)
    for number in range(1, units + 1):
        unit = province.unit(f"{prefix}.{number:03}", f"Đơn vị {number}")
        for group in ("001", "002"):
            founded_on = chance.choice([None, date(1990, 3, 2), date(2022, 5, 15)])
            top = province.found(f"{unit}.{group}.000.000", unit, founded_on=founded_on)
            for cell in ("001", "002"):
                code = province.found(f"{top[:-3]}{cell}", unit, top, "Chi bộ trực thuộc", founded_on=founded_on)
                for _ in range(members):
                    province.admit(code, date(2010, 5, 19))
    happening = _Happening(province, chance)
    for on in sorted(chance.choice(DAYS) for _ in range(steps)):
        happening.one(on)
    for _ in range(chance.randrange(3)):
        happening.the_name(chance.choice(YEARS[1:]))
    for _ in range(chance.randrange(2)):
        province.silence(chance.choice([*province.units]), chance.choice(YEARS[1:-1]))
    return province


class _Happening:
    """What may happen on a day; nothing happens to an organisation twice in one year's report."""

    def __init__(self, province: Province, chance: random.Random) -> None:
        self.province = province
        self.chance = chance
        self.changed: dict[str, set[int]] = {code: set() for code in province.organisations}
        self.of_units: dict[str, set[int]] = {unit: set() for unit in province.units}
        self.ended: set[str] = set()
        self.fresh = 0
        self.on = date.min

    def one(self, on: date) -> None:
        self.on = on
        year = on.year + self.chance.choice([0, 1])
        ways = [name for name in vars(_Happening) if name.startswith("the_") and name != "the_name"]
        getattr(self, self.chance.choice(ways))(on, year)

    # --- choosing

    def _free(self, code: str, year: int) -> bool:
        """Nothing has happened to it in a report of the year or later, nor to anything below it.

        Nor does a lawful list say two things of a code on one day, whichever reports see them.
        """
        if any((one.old_code, one.effective_on) == (code, self.on) for one in self.province.successions):
            return False
        return all(
            max(self.changed.get(one, {0}) | self.of_units.get(one, {0}), default=0) < year
            for one in [code, *self.province.below(code, year)]
        )

    def _one_of(self, year: int, wanted: Callable[[str, Listing], bool]) -> str | None:
        listed = self.province.listed(year)
        found = [code for code, one in listed.items() if wanted(code, one) and self._free(code, year)]
        return self.chance.choice(found) if found else None

    def _top(self, year: int, *but: str) -> str | None:
        return self._one_of(year, lambda code, one: one.parent_code == one.unit_code and code not in but)

    def _cell(self, year: int, *but: str) -> str | None:
        return self._one_of(year, lambda code, one: one.parent_code != one.unit_code and code not in but)

    def _unit(self, year: int, *but: str) -> str | None:
        found = [
            unit
            for unit, (_, first, last) in self.province.units.items()
            if unit not in but and unit not in self.ended and first <= year and last == YEARS[-1]
        ]
        return self.chance.choice(found) if found else None

    def _mark(self, year: int, *codes: str) -> None:
        for code in codes:
            marks = self.of_units if code in self.of_units else self.changed
            marks.setdefault(code, set()).add(year)

    def _new(self, unit: str, year: int, on: date) -> str:
        """A code that nobody has used; of some the unit tells when they were founded, or what they came from was."""
        self.fresh += 1
        founded_on = self.chance.choice([None, on, date(1985, 2, 3)])
        code = f"{unit}.8{self.fresh:02}.000.000"
        self.province.found(code, unit, year=year)
        self.province.organisations[code].founded_on = founded_on
        self._mark(year, code, unit)
        return code

    # --- what is below goes on below another

    def _give(self, old: str, heirs: Iterable[str], year: int) -> None:
        listed = self.province.listed(year)
        heirs = [*heirs]
        for code in [code for code, one in listed.items() if one.parent_code == old]:
            heir = self.chance.choice(heirs)
            unit = listed[heir].unit_code if heir in listed else heir
            self.province.change(code, year, parent_code=heir, unit_code=unit)
            self._mark(year, code)

    def _end(self, code: str, year: int) -> None:
        self._mark(year, code)
        self.province.drop(code, year)

    # --- what happens

    def the_name(self, year: int) -> None:
        if code := self._one_of(year, lambda _code, _one: True):
            self.province.change(code, year, org_name=f"Tên mới {code}")
            self._mark(year, code)

    def the_merger(self, on: date, year: int) -> None:
        old = self._top(year)
        heir = old and self._top(year, old)
        if heir:
            self.province.succeed(on, "merged", old, heir)
            self._mark(year, heir)
            self._give(old, [heir], year)
            self._end(old, year)

    def the_new_name(self, on: date, year: int) -> None:
        if (old := self._top(year)) and (unit := self._unit(year)):
            heir = self._new(unit, year, on)
            self.province.succeed(on, self.chance.choice(["renamed", "merged"]), old, heir)
            self._give(old, [heir], year)
            self._end(old, year)

    def the_split(self, on: date, year: int) -> None:
        if (old := self._top(year)) and (unit := self._unit(year)) and (other := self._unit(year)):
            stays = self.chance.random() < 0.5
            heirs = [old if stays else self._new(unit, year, on), self._new(other, year, on)]
            self.province.succeed(on, "split", old, (heirs[0], "0.6"), (heirs[1], "0.4"))
            self._give(old, heirs[1:] if stays else heirs, year)
            self._mark(year, old)
            if not stays:
                self._end(old, year)

    def the_dissolution(self, on: date, year: int) -> None:
        if old := self._top(year):
            self.province.succeed(on, "dissolved", old)
            for code in [*self.province.below(old, year)]:
                self._end(code, year)
            self._end(old, year)

    def the_move(self, on: date, year: int) -> None:
        old = self._top(year)
        own = old and self.province.listed(year)[old].unit_code
        if old and (unit := self._unit(year, own)):
            self.province.succeed(on, "new_parent", old, unit)
            self._mark(year, unit, old, *self.province.below(old, year))
            self.province.hand_over(old, year, unit)

    def the_move_of_a_cell(self, on: date, year: int) -> None:
        if cell := self._cell(year):
            listed = self.province.listed(year)
            if parent := self._top(year, listed[cell].parent_code):
                self.province.succeed(on, "new_parent", cell, parent)
                self.province.change(cell, year, parent_code=parent, unit_code=listed[parent].unit_code)
                self._mark(year, cell, parent)

    def the_merger_of_cells(self, on: date, year: int) -> None:
        old = self._cell(year)
        heir = old and self._cell(year, old)
        if heir:
            self.province.succeed(on, "merged", old, heir)
            self._mark(year, heir)
            self._end(old, year)

    def the_end_of_a_unit(self, on: date, year: int) -> None:
        """Into another unit, or a new one, which in some histories nobody has heard from yet."""
        listed = self.province.listed(year)
        old = self._unit(year)
        if not old or not self._free(old, year):
            return
        inside = [code for code, one in listed.items() if one.unit_code == old]
        if not all(self._free(code, year) for code in inside):
            return
        if self.chance.random() < 0.6:
            self.fresh += 1
            silent = self.chance.random() < 0.3
            heir = self.province.unit(
                f"{self.province.prefix}.9{self.fresh:02}", "Đơn vị mới", YEARS[-1] + 1 if silent else year
            )
            if silent:
                self.province.units[heir] = ("Đơn vị mới", YEARS[-1] + 1, YEARS[-1] + 1)
            self.of_units[heir] = set()
            kind = "renamed"
        else:
            heir, kind = self._unit(year, old), "merged"
        if not heir:
            return
        self.province.succeed(on, kind, old, heir)
        self._mark(year, old, heir, *inside)
        for code in [code for code in inside if listed[code].parent_code == old]:
            self.province.hand_over(code, year, heir)
        name, first, _ = self.province.units[old]
        self.province.units[old] = (name, first, year - 1)
        self.ended.add(old)
