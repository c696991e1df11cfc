"""Provinces with a history, and the truth of them: told by the events, never by the product's SQL.

`Province` is a small world: organisations, people and what happens to them, year by year. It is written as the units
would have reported it (`write_store`, `write_workbooks`), and it says itself what a warehouse ought to know of it
(`organisation_versions`, `member_versions`, `facts`, `hierarchy`, `totals`, `restated`). What nobody reported, nobody
can know: the truth is what follows from the events through the reports that were sent.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, wraps
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

import pandas as pd
from store_builder import FIRST_ROW, DrawnStore
from workbooks import write_unit

from submissions.form_set import load_form_sets
from submissions.register.log import Event
from submissions.store import SUCCESSIONS, frame_table, write_table

CELLS = {"Chi bộ cơ sở", "Chi bộ trực thuộc"}
GRASSROOTS = {"Đảng bộ cơ sở", "Chi bộ cơ sở"}
COMMUNES = {"Xã", "Phường", "Thị trấn"}
PRESENT = {"Chính thức", "Dự bị", "Miễn sinh hoạt", "Đình chỉ sinh hoạt"}
EXCELLENT, GOOD, DONE, FAILED = (
    "Hoàn thành xuất sắc nhiệm vụ",
    "Hoàn thành tốt nhiệm vụ",
    "Hoàn thành nhiệm vụ",
    "Không hoàn thành nhiệm vụ",
)
NAMED = ["Đức Minh", "Xuân Thành", "Xuân Sơn", "Xuân Trang", "Minh Đoài", "Thanh Sơn"]
"""The commune of the hamlets that the targets name, and the hamlets."""
DOCUMENTS = {"12-CTr/TU": date(2021, 6, 11), "48-CTr/TU": date(2022, 10, 31)}
FORMS = [form.table for form in load_form_sets()["B12-2021"].forms]
PROVINCE = "province"
OPEN = date(9999, 12, 31)

SUPERIORS_SINCE = date(2023, 8, 14)
"""From which day superiors have to attend meetings (26-QĐ/TU)."""
BANDS = {"Tốt": 90, "Khá": 70, "Trung bình": 50, "Kém": 0}
"""Quality of a meeting: from how many points."""

Pair = tuple[Fraction, Fraction]
"""Numerator and denominator."""

Value = TypeVar("Value")
Key = TypeVar("Key")


class Timeline(Generic[Value]):
    """What held from which year on; None where there was nothing."""

    def __init__(self) -> None:
        self.changes: dict[int, Value | None] = {}

    def __setitem__(self, year: int, value: Value | None) -> None:
        self.changes[year] = value

    def at(self, year: int) -> Value | None:
        since = max((at for at in self.changes if at <= year), default=None)
        return None if since is None else self.changes[since]


@dataclass(frozen=True)
class Listing:
    """What Biểu 2 says of an organisation in a year."""

    unit_code: str
    org_name: str
    org_kind: str
    org_sector: str
    parent_code: str
    commune: str

    @property
    def is_cell(self) -> bool:
        return self.org_kind in CELLS

    @property
    def level(self) -> str:
        if self.org_kind in GRASSROOTS:
            return "grassroots"
        return "cell" if self.is_cell else "sectional"


@dataclass
class Organisation:
    code: str
    founded_on: date | None
    listings: Timeline[Listing] = field(default_factory=Timeline)
    closed_on: date | None = None
    nameless: set[int] = field(default_factory=set)
    """Years in whose report the cell of the name is empty."""


@dataclass(frozen=True)
class Post:
    """What Biểu 3 says of a member in a year, as far as versions are kept of it."""

    cell_code: str
    status: str
    qualification: str | None
    theory: str | None


@dataclass
class Person:
    name: str
    card: str
    admitted_on: date
    born_on: date
    gender: str
    posts: Timeline[Post] = field(default_factory=Timeline)
    cards: Timeline[str] = field(default_factory=Timeline)
    mistyped: dict[int, str] = field(default_factory=dict)
    """Year -> the card number that stands in that year's report."""
    left: dict[int, str] = field(default_factory=dict)
    """Year -> cell in whose unit's report "Chuyển đi" stands."""
    expelled_on: date | None = None

    def card_in(self, year: int) -> str:
        return self.mistyped.get(year) or self.cards.at(year) or self.card


@dataclass(frozen=True)
class Succession:
    effective_on: date
    kind: str
    old_code: str
    new_code: str | None
    share: Decimal = Decimal(1)


@dataclass(frozen=True)
class Row:
    """One row of a form, and what the truth needs to know of it."""

    form: str
    cells: dict[str, object]
    org_code: str | None = None
    card: str | None = None
    on: date | None = None
    """The day the row speaks of; None: the whole year, which is told at its end."""


@dataclass(frozen=True)
class Sighting(Generic[Value]):
    """What the reports of one year told of somebody; `what` is None where they left him out."""

    year: int
    unit_code: str
    what: Value | None


def remembered(method: Callable) -> Callable:
    """A method of a province that nothing more happens to: each answer is worked out once."""

    @wraps(method)
    def answer(self: "Province", *asked: object) -> object:
        known = self.known.setdefault(method.__name__, {})
        if asked not in known:
            known[asked] = method(self, *asked)
        return known[asked]

    return answer


def key_of(card: str) -> str:
    """A pseudonym as the drawn store has it."""
    return sha256(card.encode()).hexdigest()[:32]


def hash_of_sending(unit: str, year: int) -> str:
    """What the drawn store calls the first sending of a unit and year."""
    return sha256(f"{unit} {year} 1 accepted".encode()).hexdigest()


def _within(day: date, between: tuple[date, date], *, late: bool = False) -> bool:
    """Whether a day lies between two reports; `late`, or within the year of the first, whose report it was late for."""
    first, last = between
    return (first_of(first.year - 1) < day if late else first <= day) and day <= last


def first_of(year: int) -> date:
    return date(year, 1, 1)


def last_of(year: int) -> date:
    return date(year, 12, 31)


@dataclass
class Version(Generic[Value]):
    """What held of somebody, from a day to the day before another."""

    unit_code: str
    what: Value
    valid_from: date
    basis: str
    last_year: int
    valid_to: date | None = None

    def row(self) -> dict[str, object]:
        days = {"valid_from": self.valid_from, "valid_to": self.valid_to, "basis": self.basis}
        return {**vars(self.what), "unit_code": self.unit_code, **days}


Start = Callable[[Sighting[Value], Version[Value] | None, bool], tuple[date, str]]
"""What is seen now, the version before if it went on till then, whether it is the first version -> day, why."""
End = Callable[[Version[Value], int | None], date | None]
"""The version, the year whose report left it out (None: no report has) -> the day after its last."""


def _without_blanks(seen: list[Sighting[Value]]) -> list[Sighting[Value]]:
    """An empty cell says nothing: what was known goes on; before anything was known, what came to be known."""
    attributes = {name for one in seen if one.what for name in vars(one.what)}
    for order in (1, -1):
        known: dict[str, object] = {}
        filled = []
        for one in seen[::order]:
            what = one.what
            if what:
                blank = {name for name in attributes if getattr(what, name) is None}
                what = replace(what, **{name: known.get(name) for name in blank})
                known |= {name: value for name, value in vars(what).items() if value is not None}
            filled.append(replace(one, what=what))
        seen = filled[::order]
    return seen


def _left_out(_version: Version[Value], year: int | None) -> date | None:
    """Nothing but a report without it ends it: from the first day of the year."""
    return first_of(year) if year else None


def _fold(seen: list[Sighting[Value]], start: Start, end: End = _left_out) -> list[Version[Value]]:
    versions: list[Version[Value]] = []
    now: Version[Value] | None = None
    for one in seen:
        if now and one.what == now.what and one.unit_code == now.unit_code:
            now.last_year = one.year
            continue
        if not one.what:
            if now:
                now.valid_to = end(now, one.year)
            now = None
            continue
        day, why = start(one, now, not versions)
        if now:
            now.valid_to = day
        now = Version(one.unit_code, one.what, day, why, one.year)
        versions.append(now)
    if now:
        now.valid_to = end(now, None)
    return versions


def _lives(versions: pd.DataFrame, *key: str) -> dict[tuple, list[tuple[date, date]]]:
    """The days of the versions of each, in order."""
    lives: dict[tuple, list[tuple[date, date]]] = defaultdict(list)
    for *one, valid_from, valid_to in versions[[*key, "valid_from", "valid_to"]].itertuples(index=False):
        lives[tuple(one)].append((valid_from, valid_to if isinstance(valid_to, date) else OPEN))
    return {one: sorted(days) for one, days in lives.items()}


def _in_force(life: list[tuple[date, date]], day: date) -> tuple[date, bool]:
    """The first day of the version in force, else of the one before, else of the first; whether it was not in force."""
    valid_from, valid_to = max((days for days in life if days[0] <= day), default=life[0])
    return valid_from, not valid_from <= day < valid_to


def _add(sums: dict[Key, Pair], key: Key, pair: Pair) -> None:
    numerator, denominator = sums.get(key, (Fraction(0), Fraction(0)))
    sums[key] = numerator + pair[0], denominator + pair[1]


class Province:
    """A world of units, organisations and people over `years`; every method is something that happens."""

    def __init__(self, years: Iterable[int], seed: int = 1, prefix: str = "67") -> None:
        self.years = list(years)
        self.seed = seed
        self.prefix = prefix
        self.units: dict[str, tuple[str, int, int]] = {}
        self.silent: set[tuple[str, int]] = set()
        self.organisations: dict[str, Organisation] = {}
        self.people: list[Person] = []
        self.successions: list[Succession] = []
        self.known: dict[str, dict[tuple, object]] = {}

    # --- What happens to units and organisations

    def unit(self, code: str, name: str, first: int | None = None, last: int | None = None) -> str:
        """A unit that reports from its first to its last year."""
        self.units[code] = (name, first or self.years[0], last or self.years[-1])
        return code

    def silence(self, unit: str, year: int) -> None:
        """The unit sends no report of the year."""
        self.silent.add((unit, year))

    def reports(self, unit: str, year: int) -> bool:
        _, first, last = self.units[unit]
        return first <= year <= last and (unit, year) not in self.silent

    def found(
        self,
        code: str,
        unit: str,
        parent: str | None = None,
        kind: str = "Đảng bộ cơ sở",
        *,
        year: int | None = None,
        founded_on: date | None = None,
        sector: str = "Xã",
        commune: str = "Xã Một",
        name: str | None = None,
    ) -> str:
        """An organisation is there; without a day of founding, from the first year on."""
        year = year or (max(founded_on.year, self.years[0]) if founded_on else self.years[0])
        listing = Listing(unit, name or f"Tổ chức {code}", kind, sector, parent or unit, commune)
        organisation = self.organisations.setdefault(code, Organisation(code, founded_on))
        organisation.listings[year] = listing
        return code

    def change(self, code: str, year: int, **attributes: str) -> None:
        """Renamed, of another kind or sector, under another parent of the same unit."""
        listings = self.organisations[code].listings
        listings[year] = replace(listings.at(year), **attributes)

    def hand_over(self, code: str, year: int, unit: str, parent: str | None = None) -> None:
        """The organisation and all below it belong to another unit from the year on."""
        for below in [*self.below(code, year)]:
            self.change(below, year, unit_code=unit)
        self.change(code, year, unit_code=unit, parent_code=parent or unit)

    def close(self, code: str, on: date) -> None:
        """It ends on a day, is still listed in that year with the day, and no more afterwards."""
        self.organisations[code].closed_on = on
        self.organisations[code].listings[on.year + 1] = None

    def drop(self, code: str, year: int) -> None:
        """It is no longer listed, and nothing says why."""
        self.organisations[code].listings[year] = None

    def bring_back(self, code: str, year: int) -> None:
        """It is listed again as it was before it was dropped."""
        listings = self.organisations[code].listings
        listings[year] = next(
            listings.changes[at] for at in sorted(listings.changes, reverse=True) if listings.changes[at]
        )

    def leave_name_blank(self, code: str, year: int) -> None:
        self.organisations[code].nameless.add(year)

    def succeed(self, on: date, kind: str, old: str, *new: str | tuple[str, str]) -> None:
        """The old organisation has successors from a day on; for a split each with its share."""
        for one in new or (None,):
            code, share = one if isinstance(one, tuple) else (one, "1")
            self.successions.append(Succession(on, kind, old, code, Decimal(share)))

    def below(self, code: str, year: int) -> Iterator[str]:
        """The organisations anywhere below one, in a year."""
        listed = self.listed(year)
        level = {code}
        while level := {other for other, listing in listed.items() if listing.parent_code in level} - {code}:
            yield from sorted(level)

    def listed(self, year: int) -> dict[str, Listing]:
        found = {code: one.listings.at(year) for code, one in self.organisations.items()}
        return {code: listing for code, listing in found.items() if listing}

    # --- What happens to people

    def admit(self, cell: str, on: date, *, year: int | None = None, status: str = "Chính thức") -> Person:
        """A member; from the first year on, or from the year of the admission."""
        number = len(self.people) + 1
        person = Person(
            name=f"Người Thử {number}",
            card=f"{self.prefix}{number:010}",
            admitted_on=on,
            born_on=date(on.year - 19 - number % 30, 1 + number % 12, 1 + number % 28),
            gender=("Nam", "Nữ")[number % 2],
        )
        person.posts[year or max(on.year, self.years[0])] = Post(cell, status, "Trung cấp", "Sơ cấp")
        self.people.append(person)
        return person

    def post(self, person: Person, year: int, **changes: str | None) -> None:
        """Another cell of the unit, another status, qualification or theory."""
        person.posts[year] = replace(person.posts.at(year), **changes)

    def transfer(self, person: Person, year: int, cell: str) -> None:
        """To a cell of another unit: the former unit lists him as gone, the new one as its own."""
        person.left[year] = person.posts.at(year).cell_code
        self.post(person, year, cell_code=cell)

    def leave(self, person: Person, year: int, status: str, decided_on: date | None = None) -> None:
        """Died, struck off, expelled (by a decision of that day), or gone to another province."""
        self.post(person, year, status=status)
        person.posts[year + 1] = None
        person.expelled_on = decided_on

    def mistype(self, person: Person, year: int) -> None:
        """Two digits of the card change places in one year's report."""
        card = person.card_in(year)
        person.mistyped[year] = card[:2] + "9" + card[3:]

    def renew_card(self, person: Person, year: int) -> None:
        person.cards[year] = person.card_in(year)[:2] + "8" + person.card_in(year)[3:]

    def members_of(self, cell: str, year: int) -> list[Person]:
        """Who is present in a cell in a year."""
        posts = ((person, person.posts.at(year)) for person in self.people)
        return [person for person, post in posts if post and post.cell_code == cell and post.status in PRESENT]

    # --- What was reported

    def unit_of(self, cell: str, year: int) -> str | None:
        listing = self.organisations[cell].listings.at(year)
        return listing.unit_code if listing else None

    def roll(self, unit: str, year: int) -> list[tuple[Person, Post]]:
        """Who stands in the unit's Biểu 3: its own, and who went to another unit in the year."""
        return self._rolls(year)[unit]

    @remembered
    def _rolls(self, year: int) -> dict[str, list[tuple[Person, Post]]]:
        rolls = defaultdict(list)
        listed = self.listed(year)
        for person in self.people:
            post = person.posts.at(year)
            if post and post.cell_code in listed:
                rolls[listed[post.cell_code].unit_code].append((person, post))
            cell = person.left.get(year)
            if cell in listed:
                gone = replace(person.posts.at(year - 1), cell_code=cell, status="Chuyển đi")
                rolls[listed[cell].unit_code].append((person, gone))
        return rolls

    @cached_property
    def reports_sent(self) -> dict[tuple[str, int], dict[str, list[Row]]]:
        """The rows of every report, by unit and year, then by form."""
        return {
            (unit, year): self._report(unit, year)
            for year in self.years
            for unit in self.units
            if self.reports(unit, year)
        }

    def _report(self, unit: str, year: int) -> dict[str, list[Row]]:
        chance = random.Random(f"{self.seed} {unit} {year}")
        listed = {code: one for code, one in self.listed(year).items() if one.unit_code == unit}
        roll = self.roll(unit, year)
        sizes = defaultdict(int)
        for _, post in roll:
            sizes[post.cell_code] += post.status in PRESENT
        for code in [code for code, listing in listed.items() if listing.is_cell]:
            above = listed[code].parent_code
            while above in listed:
                sizes[above] += sizes[code]
                above = listed[above].parent_code
        rows = [
            *self._organisations(listed, sizes, year),
            *self._members(roll, year, chance),
            *self._assessments(listed, year, chance),
            *self._meetings(listed, sizes, year, chance),
            *self._work(unit, listed, roll, year, chance),
            *self._hamlets(listed, sizes),
            *self._movements(roll, year),
        ]
        forms = defaultdict(list)
        for row in rows:
            forms[row.form].append(row)
        return forms

    def _organisations(self, listed: dict[str, Listing], sizes: dict[str, int], year: int) -> Iterator[Row]:
        for code, listing in listed.items():
            organisation = self.organisations[code]
            closed_on = organisation.closed_on
            yield Row(
                "organisations",
                {
                    "org_code": code,
                    "org_name": None if year in organisation.nameless else listing.org_name,
                    "org_kind": listing.org_kind,
                    "org_sector": listing.org_sector,
                    "parent_code": listing.parent_code,
                    "commune": listing.commune,
                    "founded_on": organisation.founded_on,
                    "closed_on": closed_on if closed_on and closed_on.year == year else None,
                    "member_count": sizes[code],
                },
                code,
            )

    def _members(self, roll: list[tuple[Person, Post]], year: int, chance: random.Random) -> Iterator[Row]:
        heads: set[str] = set()
        for person, post in roll:
            present = post.status in PRESENT
            card = person.card_in(year)
            name = {"card_no": card, "full_name": person.name, "cell_code": post.cell_code}
            is_head = present and post.cell_code not in heads
            heads |= {post.cell_code} if is_head else set()
            yield Row(
                "members",
                name
                | {
                    "born_on": person.born_on,
                    "gender": person.gender,
                    "ethnicity": "Kinh",
                    "admitted_on": person.admitted_on,
                    "official_on": None if post.status == "Dự bị" else person.admitted_on + timedelta(365),
                    "school": "THPT",
                    "qualification": post.qualification,
                    "theory": post.theory,
                    "occupation": "Nông dân",
                    "status": post.status,
                    "is_head": is_head,
                    "local": len(person.name) % 2 == 0,
                },
                post.cell_code,
                card,
            )
            if present:
                level = chance.choices([EXCELLENT, GOOD, DONE, FAILED, None], [15, 60, 15, 5, 5])[0]
                reason = None if level else "Kết nạp dưới 6 tháng"
                yield Row(
                    "member_assessments",
                    name
                    | {"self_level": level, "proposed_level": level, "final_level": level, "not_rated_reason": reason}
                    | {"decided_on": date(year + 1, 1, 15) if level else None},
                    post.cell_code,
                    card,
                )
            if person.admitted_on.year == year:
                yield Row(
                    "admissions",
                    name
                    | {"admitted_on": person.admitted_on, "born_on": person.born_on, "gender": person.gender}
                    | {
                        "ethnicity": "Kinh",
                        "group": chance.choice(["Nông dân", "Học sinh", "Doanh nghiệp ngoài nhà nước"]),
                        "local": True,
                    },
                    post.cell_code,
                    card,
                    person.admitted_on,
                )

    def _assessments(self, listed: dict[str, Listing], year: int, chance: random.Random) -> Iterator[Row]:
        for code, listing in listed.items():
            level = chance.choices([EXCELLENT, GOOD, DONE, FAILED, None], [15, 60, 15, 5, 5])[0]
            tasks = chance.randrange(5, 25)
            yield Row(
                "organisation_assessments",
                {"org_code": code, "org_name": listing.org_name}
                | {"self_level": level, "appraised_level": level, "final_level": level}
                | {
                    "not_rated_reason": None if level else "Khác",
                    "decided_on": date(year + 1, 1, 10) if level else None,
                }
                | {
                    "tasks_assigned": tasks,
                    "tasks_done": tasks - chance.randrange(3),
                    "tasks_late": chance.randrange(2),
                },
                code,
            )

    def _meetings(
        self, listed: dict[str, Listing], sizes: dict[str, int], year: int, chance: random.Random
    ) -> Iterator[Row]:
        for code, listing in listed.items():
            for month in range(1, 13) if listing.is_cell else ():
                held_on = date(year, month, chance.randrange(1, 28)) if chance.random() < 0.9 else None
                came = {"expected": sizes[code], "attended": sizes[code] - chance.randrange(min(2, sizes[code] + 1))}
                points = chance.randrange(80, 200) / 2
                right = next(name for name, least in BANDS.items() if points >= least)
                band = right if chance.random() < 0.9 else chance.choice([*BANDS])
                quality = {"thematic": chance.random() < 0.3, "points": points, "band": band}
                quality |= {"superior_attended": chance.random() < 0.2}
                yield Row(
                    "cell_meetings",
                    {"cell_code": code, "month": month, "held_on": held_on} | (came | quality if held_on else {}),
                    code,
                    None,
                    held_on or date(year, month, 1),
                )

    def _work(
        self,
        unit: str,
        listed: dict[str, Listing],
        roll: list[tuple[Person, Post]],
        year: int,
        chance: random.Random,
    ) -> Iterator[Row]:
        """Inspections, discipline, training, and plans of the programmes."""
        tops = [code for code, listing in listed.items() if listing.org_kind in GRASSROOTS]
        for number, code in enumerate(tops):
            on = self._day(year, chance)
            conductor = chance.choice(["Ban thường vụ", "Ủy ban kiểm tra"])
            yield Row(
                "inspections",
                {"conductor_code": unit, "conductor": conductor, "kind": "Giám sát chuyên đề"}
                | {"article": chance.choice([30, 32])}
                | {"subject": "Tổ chức đảng", "subject_code": code, "concluded_on": on}
                | {"violation_found": chance.random() < 0.1, "planned": True},
                unit,
                None,
                on,
            )
            on = self._day(year, chance)
            invited = chance.randrange(3, 15)
            yield Row(
                "trainings",
                {"org_code": code, "topic": f"Chuyên đề {number}", "held_on": on}
                | {"invited": invited, "attended": invited - chance.randrange(3)},
                code,
                None,
                on,
            )
            for document, issued_on in DOCUMENTS.items():
                on = issued_on + timedelta(chance.randrange(20, 400))
                on = on if on <= last_of(year) and chance.random() < 0.8 else None
                yield Row(
                    "programme_uptakes",
                    {"org_code": code, "document": document, "plan_on": on}
                    | {"in_inspection_programme": bool(on) and chance.random() < 0.5},
                    code,
                )
        for code in self._closed(unit, year):  # found out later, booked where it happened
            on = self._day(year, chance)
            yield Row(
                "disciplines",
                {"subject": "Tổ chức đảng", "subject_code": code, "org_code": code, "form": "Cảnh cáo"}
                | {"duty_related": True, "corruption": False, "violated_on": on - timedelta(900), "decided_on": on}
                | {"decision_no": f"{code}-QĐ/{unit}", "self_reported": False},
                code,
                None,
                on,
            )
        expelled = [(person, post) for person, post in roll if person.expelled_on and post.status == "Khai trừ"]
        present = [(person, post) for person, post in roll if post.status in PRESENT]
        reproved = chance.sample(present, min(len(present), 1 + len(present) // 50))
        for number, (person, post) in enumerate([*expelled, *reproved], start=1):
            on = person.expelled_on if post.status == "Khai trừ" else self._day(year, chance)
            form = "Khai trừ" if post.status == "Khai trừ" else chance.choice(["Khiển trách", "Cảnh cáo"])
            card = person.card_in(year)
            yield Row(
                "disciplines",
                {"subject": "Đảng viên", "subject_code": card, "org_code": post.cell_code, "form": form}
                | {"duty_related": True, "corruption": False, "violated_on": on - timedelta(200), "decided_on": on}
                | {"decision_no": f"{number}-QĐ/{unit}", "self_reported": False},
                post.cell_code,
                card,
                on,
            )
            if post.status in PRESENT:
                on = self._day(year, chance)
                yield Row(
                    "inspections",
                    {"conductor_code": post.cell_code, "conductor": "Chi bộ", "article": 30}
                    | {"kind": "Kiểm tra chấp hành", "subject": "Đảng viên", "subject_code": card, "concluded_on": on}
                    | {"violation_found": True, "planned": False},
                    post.cell_code,
                    card,
                    on,
                )

    def _closed(self, unit: str, year: int) -> list[str]:
        """What the unit listed last in a year before, with the day it ended on."""
        ended = {code: one.closed_on.year for code, one in self.organisations.items() if one.closed_on}
        return [
            code
            for code, last in ended.items()
            if last < year and (listing := self.listed(last).get(code)) and listing.unit_code == unit
        ]

    @staticmethod
    def _day(year: int, chance: random.Random) -> date:
        return first_of(year) + timedelta(chance.randrange(365))

    @staticmethod
    def _hamlets(listed: dict[str, Listing], sizes: dict[str, int]) -> Iterator[Row]:
        for code, listing in listed.items():
            if listing.org_kind == "Chi bộ trực thuộc":
                is_named = listing.commune.endswith(NAMED[0]) and int(code[-3:]) < len(NAMED)
                yield Row(
                    "hamlets",
                    {"hamlet_code": f"T.{code}", "commune": listing.commune}
                    | {"hamlet_name": f"Thôn {NAMED[int(code[-3:])] if is_named else code[-3:]}"}
                    | {"cell_code": code, "members": sizes[code]}
                    | {"local_members": max(sizes[code] - 3, 0) if is_named else sizes[code] // 2},
                    code,
                )

    @staticmethod
    def _movements(roll: list[tuple[Person, Post]], year: int) -> Iterator[Row]:
        """Biểu 1: who came and went; its sums agree, who came from elsewhere makes up the rest."""
        gone = {"Từ trần": "C1", "Khai trừ": "C2", "Xóa tên": "C3", "Xin ra": "C4", "Chuyển đi": "C5"}
        counts = dict.fromkeys(["A", "B", "B1", "B2", "B3", "C", "C1", "C2", "C3", "C4", "C5", "D"], 0)
        for person, post in roll:
            counts["D"] += post.status in PRESENT
            counts["B1"] += person.admitted_on.year == year
            counts["B2"] += year in person.left and post.status in PRESENT
            if post.status in gone:
                counts[gone[post.status]] += 1
                counts["C"] += 1
        counts["B"] = counts["B1"] + counts["B2"]
        counts["A"] = counts["D"] + counts["C"] - counts["B"]
        for line, count in counts.items():
            yield Row("membership_movements", {"line": line, "label": f"Dòng {line}", "count": count})

    # --- What a warehouse ought to know

    @cached_property
    def organisation_versions(self) -> pd.DataFrame:
        """A row per version of an organisation: first day, and the day after the last (none: still in force)."""
        versions = []
        for code, organisation in self.organisations.items():
            seen = self._organisation_sightings(organisation)
            mine = _fold(seen, self._organisation_start(organisation), self._organisation_end(code))
            for version in mine:
                closed_on = organisation.closed_on
                if closed_on and version.last_year == closed_on.year:
                    version.valid_to = min(closed_on + timedelta(1), version.valid_to or OPEN)
            versions += [{"org_code": code, **version.row()} for version in mine]
        columns = ["org_code", "unit_code", "org_name", "org_kind", "org_sector", "parent_code", "commune"]
        columns += ["valid_from", "valid_to", "basis"]
        frame = pd.DataFrame(versions, columns=columns, dtype=object)
        home = frame.drop_duplicates("org_code").set_index("org_code")["unit_code"]
        return frame.assign(organisation_key=frame["org_code"].map(home) + "/" + frame["org_code"])

    def _organisation_sightings(self, organisation: Organisation) -> list[Sighting[Listing]]:
        seen: list[Sighting[Listing]] = []
        unit = None
        for year in self.years:
            listing = organisation.listings.at(year)
            if listing and self.reports(listing.unit_code, year):
                unit = listing.unit_code
                name = None if year in organisation.nameless else listing.org_name
                seen.append(Sighting(year, unit, replace(listing, org_name=name)))
            elif unit and self._lists(unit, year):
                seen.append(Sighting(year, unit, None))
        return _without_blanks(seen)

    def _lists(self, unit: str, year: int) -> bool:
        """Whether there is a list of the year that could leave somebody out."""
        return self.reports(unit, year) and any(one.unit_code == unit for one in self._told(year).values())

    def _organisation_start(self, organisation: Organisation) -> "Start":
        code, founded_on = organisation.code, organisation.founded_on

        def start(now: Sighting[Listing], before: Version[Listing] | None, is_first: bool) -> tuple[date, str]:
            if not is_first:
                brought_on = self._brought_on(code, before, now) if before else None
                return (brought_on, "succession") if brought_on else (first_of(now.year), "year")
            if born := self._born(code):
                return born[0], "succession"
            above = self._born_above(code, now)
            if founded_on and founded_on <= last_of(now.year) and not (above and founded_on < above[0]):
                return founded_on, "founded_on"
            # The first report of what is new shows what came with it.
            if above and ((founded_on and founded_on < above[0]) or above[1] == now.year):
                return above[0], "succession"
            return first_of(now.year), "first_listed"

        return start

    def _organisation_end(self, code: str) -> "End":
        def end(version: Version[Listing], year: int | None) -> date | None:
            gone_on = self._gone_on(code, version.unit_code, version.last_year, year)
            if gone_on and gone_on > version.valid_from and (year is None or gone_on.year <= year):
                return gone_on
            return _left_out(version, year)

        return end

    # --- The days that successions tell

    @remembered
    def _years_told(self, code: str) -> list[int]:
        """The years whose reports list a code, or that a unit has reported."""
        if code in self.units:
            return [year for year in self.years if self.reports(code, year)]
        listings = self.organisations[code].listings if code in self.organisations else Timeline()
        return [year for year in self.years if (one := listings.at(year)) and self.reports(one.unit_code, year)]

    def _days_of(self, code: str) -> dict[date, list[Succession]]:
        """What was decided of a code, by day."""
        days: dict[date, list[Succession]] = defaultdict(list)
        for one in self.successions:
            if one.old_code == code:
                days[one.effective_on].append(one)
        return days

    @remembered
    def _ended_on(self, code: str) -> date | None:
        """From when on it is only its successors; a report of a later year that lists it says that it is not."""
        for day, decided in self._days_of(code).items():
            if decided[0].kind != "new_parent" and code not in {one.new_code for one in decided}:
                return day if max(self._years_told(code), default=0) <= day.year else None
        return None

    def _ways_of(self, code: str) -> set[date]:
        """The days on which it went a way of its own: as what something became, or as what something was."""
        return {
            one.effective_on
            for one in self.successions
            if one.old_code == code or (one.new_code == code and one.kind != "new_parent")
        }

    def _above(self, code: str, unit: str, year: int) -> Iterator[str]:
        """What it was below by the unit's report of a year, the nearest first, the unit last."""
        while code != unit:
            listing = self._listing(code, year)
            parent = listing.parent_code if listing and listing.unit_code == unit else unit
            listing = self._listing(parent, year)
            code = parent if listing and listing.unit_code == unit else unit
            yield code

    def _gone_on(self, code: str, unit: str, year: int, left_out: int | None) -> date | None:
        """When what a report lists ended by a succession: by its own, or with what it was under and never got out of.

        Where a later report leaves it out and still has what was above, that was not why.
        """
        own_way = date.min
        for place in [code, *self._above(code, unit, year)]:
            day = self._ended_on(place)
            is_there = left_out and left_out in self._years_told(place)
            if day and day.year >= year and day > own_way and not is_there:
                return day
            own_way = max(self._ways_of(place) | {own_way})
        return None

    @remembered
    def _born(self, code: str) -> tuple[date, int] | None:
        """When others became a code that was not there before, and the first year that shows it."""
        told = self._years_told(code)
        if not told:
            return None
        listing = self._listing(code, told[0])
        unit = listing.unit_code if listing else code
        first = told[0]
        # What was put under another, or ended, had been there.
        known_on = min(
            (day + timedelta(rows[0].kind == "new_parent") for day, rows in self._days_of(code).items()), default=OPEN
        )
        joined = [one for one in self.successions if one.new_code == code != one.old_code and one.kind != "new_parent"]
        for day in sorted({one.effective_on for one in joined}):
            # Its unit may have sent a list since, without it.
            is_missed = any(self._lists(unit, year) for year in range(day.year + 1, first))
            if day < known_on and day.year <= first and not is_missed:
                return day, first
        return None

    def _born_above(self, code: str, now: Sighting[Listing]) -> tuple[date, int] | None:
        """The same of the nearest above it that was born so."""
        born = (self._born(place) for place in self._above(code, now.unit_code, now.year))
        return next((one for one in born if one), None)

    def _brought_on(self, code: str, before: Version[Listing], now: Sighting[Listing]) -> date | None:
        """The day of the succession that lies between two reports and explains what is different.

        The report of the very year may still have told of what was before, if what it tells of is now different.
        """
        between = (first_of(before.last_year + 1), last_of(now.year))
        is_put = before.what.parent_code != now.what.parent_code
        is_elsewhere = before.unit_code != now.unit_code
        moves = {
            one.effective_on: one.new_code
            for one in self.successions
            if one.old_code == code and one.kind == "new_parent"
        }
        reasons = [
            {
                day
                for day, parent in moves.items()
                if _within(day, between)
                or (is_put and parent == now.what.parent_code and _within(day, between, late=True))
            }
        ]
        if is_put or is_elsewhere:
            reasons += self._taken_along(code, before, now, between)
        reasons.append({day for day in self._ways_of(code) if _within(day, between)})
        if (is_put or is_elsewhere) and (born := self._born_above(code, now)):
            reasons.append({born[0]} if _within(born[0], between) else set())
        day = max(next((days for days in reasons if days), {date.min}))
        return day if day > before.valid_from else None

    def _taken_along(
        self, code: str, before: Version[Listing], now: Sighting[Listing], between: tuple[date, date]
    ) -> Iterator[set[date]]:
        """What happened to what was above it in the report before and took it along, the nearest first."""
        is_put = before.what.parent_code != now.what.parent_code
        still = {*self._above(code, now.unit_code, now.year)}
        for place in self._above(code, before.unit_code, before.last_year):
            days = set()
            for day, rows in self._days_of(place).items():
                if not _within(day, between, late=True):
                    continue
                if rows[0].kind == "new_parent":
                    takes = not is_put and before.unit_code != now.unit_code and place != before.unit_code
                else:
                    is_left = self._ended_on(place) == day or (is_put and place in {one.new_code for one in rows})
                    takes = is_left and place not in still
                days |= {day} if takes else set()
            yield days

    @cached_property
    def rolls(self) -> dict[str, dict[int, list[tuple[str, Post, Person]]]]:
        """Card number as it was sent -> year -> the rows of Biểu 3 that bear it: unit, post, whose it is."""
        rows: dict[str, dict[int, list[tuple[str, Post, Person]]]] = defaultdict(lambda: defaultdict(list))
        for unit, year in self.reports_sent:
            for person, post in self.roll(unit, year):
                rows[person.card_in(year)][year].append((unit, post, person))
        return rows

    @cached_property
    def member_versions(self) -> pd.DataFrame:
        """A row per version of a member, by the card that was sent: nobody has confirmed two to be one person."""
        versions = []
        for card, years in self.rolls.items():
            seen: list[Sighting[Post]] = []
            unit = None
            for year in self.years:
                if year in years:
                    # Who went from one unit to another stands in both reports: he is where he is present.
                    unit, post, _ = max(years[year], key=lambda row: row[1].status in PRESENT)
                    seen.append(Sighting(year, unit, post))
                elif unit and self.reports(unit, year):
                    seen.append(Sighting(year, unit, None))
            person = next(iter(years.values()))[0][2]
            mine = _fold(_without_blanks(seen), self._member_start(person))
            versions += [{"member_key": key_of(card), **version.row()} for version in mine]
        columns = ["member_key", "unit_code", "cell_code", "status", "qualification", "theory"]
        return pd.DataFrame(versions, columns=[*columns, "valid_from", "valid_to", "basis"], dtype=object)

    @staticmethod
    def _member_start(person: Person) -> "Start":
        def start(now: Sighting[Post], before: Version[Post] | None, is_first: bool) -> tuple[date, str]:
            if is_first:
                admitted = person.admitted_on.year == now.year
                return (person.admitted_on, "admitted_on") if admitted else (first_of(now.year), "first_listed")
            if before and before.what.status in PRESENT and now.what.status not in PRESENT:
                decided = now.what.status == "Khai trừ" and person.expelled_on
                return (person.expelled_on, "decision") if decided else (last_of(now.year), "year_end")
            return first_of(now.year), "year"

        return start

    @cached_property
    def facts(self) -> pd.DataFrame:
        """Every row of a fact: unit, year, form, place in the form, its day, and the versions in force on that day.

        The day lies in the year reported, and in the life of the organisation or member it speaks of.
        """
        organisations = _lives(self.organisation_versions, "unit_code", "org_code")
        members = _lives(self.member_versions, "member_key")
        rows = []
        for (unit, year), forms in self.reports_sent.items():
            for form, written in forms.items():
                for place, row in enumerate(written):
                    day = min(max(row.on or last_of(year), first_of(year)), last_of(year))
                    fact = {"unit_code": unit, "year": year, "form": form, "place": place, "on": day}
                    if life := organisations.get((unit, row.org_code)):
                        found, moved = _in_force(life, day)
                        fact |= {"org_code": row.org_code, "organisation_from": found, "is_moved": moved}
                    if row.card:
                        key = key_of(row.card)
                        fact |= {"member_key": key, "member_from": _in_force(members[key,], day)[0]}
                    rows.append(fact)
        return pd.DataFrame(rows).astype(object)

    @remembered
    def structure(self, day: date) -> dict[str, list[str]]:
        """On a day: each organisation in force -> those above it, nearest first, then unit and province."""
        versions = self.organisation_versions
        valid_to = versions["valid_to"].fillna(OPEN)
        now = versions[(versions["valid_from"] <= day) & (day < valid_to)].set_index("org_code")
        units, parents = now["unit_code"].to_dict(), now["parent_code"].to_dict()
        above: dict[str, list[str]] = {}
        for code in units:
            chain, unit, place = [], units[code], parents[code]
            while units.get(place) == unit:
                chain.append(place)
                place = parents[place]
            # Whose parent is not in force is under the unit itself; whose unit is not, under the province.
            first, end = self._days_of_unit(unit)
            above[code] = [*chain, *([unit] if first <= day < end else []), PROVINCE]
        return above

    @remembered
    def _days_of_unit(self, unit: str) -> tuple[date, date]:
        """A unit is there as long as any organisation that it lists, or since a succession, to the end of its list."""
        versions = self.organisation_versions.query("unit_code == @unit")
        born = self._born(unit)
        end = min(self._ended_on(unit) or OPEN, last_of(self.units[unit][2]) + timedelta(1))
        return born[0] if born else min(versions["valid_from"], default=date.min), end

    @cached_property
    def parts(self) -> dict[tuple[str, int], dict[tuple[str, str], Pair]]:
        """What is counted: (indicator, year) -> (unit, organisation) -> numerator and denominator."""
        parts: dict[tuple[str, int], dict[tuple[str, str], Pair]] = defaultdict(dict)
        in_term: dict[str, set[str]] = defaultdict(set)
        cases: dict[tuple[str, int], set[str]] = defaultdict(set)
        for (unit, _), forms in self.reports_sent.items():
            for row in forms["disciplines"]:
                year = row.cells["decided_on"].year
                cases[unit, year].add(self._still_listed(row.org_code, unit, year))
        for (unit, year), forms in self.reports_sent.items():
            listed = {code: one for code, one in self.listed(year).items() if one.unit_code == unit}
            in_term[unit] |= _with_all_above((row.org_code for row in forms["admissions"]), listed)
            counted = [
                (name, row.org_code, n, d)
                for rows in forms.values()
                for row in rows
                for name, n, d in _counted(row, year)
            ]
            told = [
                *_reached(forms, listed, year),
                *_admitting_in_term(listed, in_term[unit]),
                *_with_a_case(forms, listed, cases[unit, year]),
            ]
            for name, code, n, d in [*counted, *told]:
                _add(parts[name, year], (unit, code or unit), (Fraction(n), Fraction(d)))
        self._named_hamlets(parts)
        return parts

    def _still_listed(self, code: str, unit: str, year: int) -> str:
        """The organisation itself, or the first above it that has not ended by the year."""
        listed = self.listed(year)
        while code != unit and code not in listed:
            listings = self.organisations[code].listings
            code = next(one.parent_code for at in range(year, 0, -1) if (one := listings.at(at)))
        return code

    def _named_hamlets(self, parts: dict[tuple[str, int], dict[tuple[str, str], Pair]]) -> None:
        """Each hamlet that the targets name counts once in a year, where it is listed first."""
        places: dict[tuple[int, str], list[tuple[str, str, bool]]] = defaultdict(list)
        for (unit, year), forms in self.reports_sent.items():
            local = {row.org_code for row in forms["admissions"] if row.cells["local"]}
            for row in forms["hamlets"]:
                if row.cells["commune"].endswith(NAMED[0]) and row.cells["hamlet_name"].removeprefix("Thôn ") in NAMED:
                    has_local = row.cells["local_members"] > 0 or row.org_code in local
                    places[year, row.cells["hamlet_name"]].append((unit, row.org_code, has_local))
        for (year, _), listed in places.items():
            unit, code, _ = min(listed)
            pair = Fraction(any(has_local for *_, has_local in listed)), Fraction(1)
            _add(parts["named_hamlets", year], (unit, code), pair)

    def totals(self, indicator: str, year: int, day: date) -> dict[str | None, Pair]:
        """A year's numbers of each organisation, unit and the province, by the structure of a day.

        Under None stands what belongs to organisations that were not in force on that day.
        """
        above = self.structure(day)
        sums: dict[str | None, Pair] = {}
        for (unit, code), pair in self.parts[indicator, year].items():
            chain = [unit, PROVINCE] if code == unit else [code, *above[code]] if code in above else [None]
            for place in chain:
                _add(sums, place, pair)
        return sums

    def restated(self, indicator: str, year: int, day: date) -> dict[str, Pair]:
        """A year's numbers of each unit by the structure of a day, carried over by the successions up to that day.

        What was dissolved has no heir: its number stays with the unit it was in.
        """
        sums: dict[str, Pair] = {}
        for (unit, code), (numerator, denominator) in self.parts[indicator, year].items():
            for place, share in self._successors(code, unit, year, day).items():
                _add(sums, place, (numerator * share, denominator * share))
        return sums

    @remembered
    def _successors(self, code: str, unit: str, year: int, day: date) -> dict[str, Fraction]:
        """The units in which an organisation of a year's report ends up, and its shares in them.

        The nearest one on the way up of which the successions speak says where it goes.
        """
        place: str | None = code
        while place and place != unit and not self._is_touched(place, day):
            listing = self._listing(place, year)
            place = listing.parent_code if listing else None
        if not place or not self._is_touched(place, day):
            return {unit: Fraction(1)}
        before = self._predecessors(place, year, day)
        if before:
            units = {self._unit_by(one, day, before[1]) for one in before[0]}
            return {(units.pop() if len(units) == 1 else None) or unit: Fraction(1)}
        return self._forward(place, date.min, year, day)

    def _is_touched(self, code: str, day: date) -> bool:
        return any(
            (one.old_code == code and (one.effective_on <= day or one.kind == "new_parent"))
            or (one.new_code == code and one.kind != "new_parent" and one.effective_on > day)
            for one in self.successions
        )

    def _forward(self, place: str, since: date, year: int, day: date) -> dict[str, Fraction]:
        """What became of a code after a day, then of whatever it is under."""
        groups: dict[date, list[Succession]] = defaultdict(list)
        for one in self.successions:
            if one.old_code == place and one.effective_on <= day and one.new_code:
                groups[one.effective_on].append(one)
        for on, rows in sorted(groups.items()):
            others = [one.new_code for one in rows if one.new_code != place]
            stays = len(others) < len(rows)
            # What a report of the year already shows does not happen again: who stays himself has split before.
            shown = stays and (on.year < year or (on.year == year and any(self._has(one, year) for one in others)))
            if rows[0].kind == "new_parent" or shown or on < since or (on == since and stays):
                continue
            shares: dict[str, Fraction] = defaultdict(Fraction)
            for one in rows:
                for end, share in self._forward(one.new_code, on, year, day).items():
                    shares[end] += share * Fraction(one.share)
            return shares
        moves = [rows[0] for _, rows in sorted(groups.items()) if rows[0].kind == "new_parent"]
        if moves:
            return self._forward(moves[-1].new_code, date.min, year, day)
        if place in self.units:
            return {place: Fraction(1)}
        parent = self._parent_by(place, day) or self._unit_named_in(place)
        return self._forward(parent, date.min, year, day) if parent else {place: Fraction(1)}

    def _predecessors(self, code: str, year: int, day: date) -> tuple[set[str], date] | None:
        """What a code of a year's report was before a later succession, and the day of that succession."""
        for on in sorted({one.effective_on for one in self.successions if one.effective_on > day}):
            then = [one for one in self.successions if one.effective_on == on]
            old = {one.old_code for one in then if one.new_code == code and one.kind != "new_parent"}
            was_there = any(self._has(code, at) for at in self.years if at < on.year)
            # Who is new is what he became; who was there before is it once the others are no longer told of.
            others = any(self._has(one, year) for one in old - {code})
            if old and (on.year < year or (on.year == year and not (was_there and others))):
                return old | ({code} if was_there else set()), on
            moved = [one for one in then if one.old_code == code and one.kind == "new_parent"]
            listing = self._listing(code, year)
            if moved and on.year <= year and listing and listing.parent_code == moved[0].new_code:
                return {code}, on
        return None

    def _has(self, code: str, year: int) -> bool:
        """Whether a report of the year knows the code."""
        return code in self._told(year) or (code in self.units and self.reports(code, year))

    def _parent_by(self, code: str, day: date) -> str | None:
        """The parent by the structure of a day: by the latest report before another structure began, else the next."""
        later = [one.effective_on for one in self.successions if one.effective_on > day]
        last = min(later).year - 1 if later else self.years[-1]
        years = [year for year in self.years if code in self._told(year)]
        known = [year for year in years if year <= last][-1:] or years[:1]
        return self._told(known[0])[code].parent_code if known else None

    def _unit_by(self, code: str, day: date, before: date) -> str | None:
        """The unit by the structure of a day of what a code was before a later one."""
        if found := self._predecessors(code, before.year - 1, day):
            units = {self._unit_by(one, day, found[1]) for one in found[0]}
            return units.pop() if len(units) == 1 else None
        later = min(one.effective_on for one in self.successions if one.effective_on > day)
        known = [year for year in self.years if year < before.year and self._has(code, year)]
        known = [year for year in known if year < later.year] or known
        if not known:
            return self._unit_named_in(code)
        return code if code in self.units else self._told(known[-1])[code].unit_code

    def _unit_named_in(self, code: str) -> str | None:
        """The unit that a code begins with: where it is if no report knows it."""
        return max((unit for unit in self.units if code.startswith(unit)), key=len, default=None)

    @remembered
    def _told(self, year: int) -> dict[str, Listing]:
        return self.listed(year)

    def _listing(self, code: str, year: int) -> Listing | None:
        return self._told(year).get(code)

    # --- What the units send

    def write_store(self, root: Path) -> dict[tuple[str, int], str]:
        """Write the reports into a store, without workbooks; the hash of each by unit and year."""
        store = _HistoryStore(root)
        units = [f"{code} | {name} | {first} | {last}" for code, (name, first, last) in self.units.items()]
        store.list_units("\n".join(["unit_code | unit_name | from_year | to_year", "---", *units]))
        write_table(frame_table(self.succession_list(), SUCCESSIONS), root / "successions.parquet")
        with store.silently():
            return {
                (unit, year): store.send(unit, year, **{form: _stored(forms[form]) for form in FORMS})
                for (unit, year), forms in self.reports_sent.items()
            }

    def succession_list(self) -> pd.DataFrame:
        """The province's list of successions."""
        rows = [
            {"succession_id": f"KT{number}", "legal_source": f"Quyết định {number}", **vars(one)}
            for number, one in enumerate(self.successions, start=1)
        ]
        return pd.DataFrame(rows, columns=SUCCESSIONS.names, dtype=object)

    def write_workbooks(self, folder: Path) -> dict[tuple[str, int], Path]:
        """Write the reports as workbooks, one a unit and year."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = {}
        for (unit, year), forms in self.reports_sent.items():
            frames = {
                form.table: pd.DataFrame(
                    [{key: _in_a_cell(cell) for key, cell in row.cells.items()} for row in forms[form.table]],
                    columns=[column.key for column in form.columns],
                    dtype=object,
                )
                for form in load_form_sets()["B12-2021" if year < 2025 else "B12-2025"].forms
            }
            cover = {"unit_code": unit, "unit_name": self.units[unit][0]}
            path = folder / f"{unit} {year}.xlsx"
            paths[unit, year] = write_unit(path, frames, year=year, cover=cover).path
        return paths


class _HistoryStore(DrawnStore):
    """Takes frames beside drawn tables, and tells the register once."""

    quiet = False

    @contextmanager
    def silently(self) -> Iterator[None]:
        """Sendings inside are told to the register as they come, and to the warehouse together at the end."""
        self.quiet = True
        yield
        self.quiet = False
        self.tell()

    def tell(self, *events: Event) -> None:
        if self.quiet:
            self.register.append(events)
        else:
            super().tell(*events)

    def _records(self, name: str, drawn: str | pd.DataFrame, source_hash: str) -> pd.DataFrame:
        if isinstance(drawn, str):
            return super()._records(name, drawn, source_hash)
        rows = range(FIRST_ROW, FIRST_ROW + len(drawn))
        return drawn.assign(source_hash=source_hash, sheet=name, row=rows, is_held_back=False)


def _stored(rows: list[Row]) -> pd.DataFrame:
    """Rows of a form as the store keeps them: no names, pseudonyms for card numbers."""
    records = []
    for row in rows:
        cells = {key: cell for key, cell in row.cells.items() if key != "full_name"}
        if "card_no" in cells:
            cells["member_key"] = key_of(cells.pop("card_no"))
        if "born_on" in cells:
            cells["birth_year"] = cells.pop("born_on").year
        if "group" in cells:
            cells["admission_group"] = cells.pop("group")
        if "subject_code" in cells:
            code = cells.pop("subject_code")
            is_member = cells["subject"] == "Đảng viên"
            cells |= {"subject_member_key": key_of(code)} if is_member else {"subject_org_code": code}
        records.append(cells)
    return pd.DataFrame(records, dtype=object)


def _in_a_cell(value: object) -> object:
    """A value as it is typed into a sheet."""
    if isinstance(value, bool):
        return "x" if value else None
    return f"{value:%d/%m/%Y}" if isinstance(value, date) else value


# --- Numbers


def _counted(row: Row, year: int) -> Iterator[tuple[str, object, object]]:
    """What a row adds to which indicators: numerator and denominator."""
    cells = row.cells
    match row.form:
        case "organisation_assessments" | "member_assessments" if cells["final_level"]:
            good = cells["final_level"] in {EXCELLENT, GOOD}
            yield ("orgs_good" if row.form == "organisation_assessments" else "members_good"), good, 1
        case "members" if cells["status"] in PRESENT:
            yield "admission_rate", 0, 1
            wanted = [
                "born_on",
                "gender",
                "ethnicity",
                "admitted_on",
                "school",
                "qualification",
                "theory",
                "occupation",
            ]
            wanted += ["official_on"] if cells["status"] == "Chính thức" else []
            filled = sum(cells[key] is not None for key in wanted)
            yield "member_file_fields", filled, len(wanted)
            yield "member_files_complete", filled == len(wanted), 1
            if cells["qualification"]:
                yield "members_graduates", cells["qualification"] in {"Đại học", "Thạc sĩ", "Tiến sĩ"}, 1
            if cells["theory"]:
                yield "members_theory", cells["theory"] in {"Trung cấp", "Cao cấp, cử nhân"}, 1
        case "membership_movements" if cells["line"] in {"A", "D"}:
            yield (
                "members_growth",
                *((-cells["count"], cells["count"]) if cells["line"] == "A" else (cells["count"], 0)),
            )
        case "admissions":
            yield "admission_rate", 1, 0
            yield "admissions_pupils_students", cells["group"] in {"Học sinh", "Sinh viên"}, 1
            yield "admissions_non_state", cells["group"] == "Doanh nghiệp ngoài nhà nước", 1
        case "hamlets":
            yield "hamlets_without_local", cells["local_members"] == 0, 1
        case "inspections":
            by_commission = cells["conductor"] == "Ủy ban kiểm tra"
            yield "inspections_30", cells["article"] == 30, 1
            yield "inspections_32", cells["article"] == 32, 1
            yield "inspections_planned", cells["planned"], 1
            yield "inspections_wrong_article", by_commission != (cells["article"] == 32), 1
            yield "inspections_done", 1, 0
        case "cell_meetings" if cells["held_on"]:
            points = Fraction(cells["points"])
            band = next(name for name, least in BANDS.items() if points >= least)
            for name, known in zip(("tot", "kha", "trung_binh", "kem"), BANDS, strict=True):
                yield f"meetings_{name}", band == known, 1
            yield "meetings_band_differs", band != cells["band"], 1
            yield "meeting_points", points, 1
            yield "attendance", cells["attended"], cells["expected"]
            yield "meetings_per_cell", 1, 0
            yield "thematic_per_cell", cells["thematic"], 0
            yield "meetings_held", 1, 0
            if cells["held_on"] >= SUPERIORS_SINCE:
                yield "superiors_attended", cells["superior_attended"], 1
        case "organisations":
            if cells["org_kind"] in CELLS:
                founded_on, closed_on = cells["founded_on"], cells["closed_on"]
                first = founded_on.month if founded_on and founded_on.year == year else 1
                last = closed_on.month if closed_on else 12
                yield "meetings_held", 0, last - first + 1
                yield "meetings_per_cell", 0, 1
                yield "thematic_per_cell", 0, 1
            if cells["org_kind"] in GRASSROOTS:
                yield "inspections_done", 0, 1
        case "disciplines":
            yield "days_violation_to_decision", (cells["decided_on"] - cells["violated_on"]).days, 1
        case "programme_uptakes" if DOCUMENTS[cells["document"]] <= last_of(year):
            plan_on = cells["plan_on"]
            yield "programmes_taken_up", plan_on is not None, 1
            yield "programmes_in_inspection", cells["in_inspection_programme"], 1
            if cells["document"] == "12-CTr/TU":
                yield "programme_12_in_inspection", cells["in_inspection_programme"], 1
            if plan_on:
                yield "days_programme_to_plan", (plan_on - DOCUMENTS[cells["document"]]).days, 1
        case "trainings":
            yield "committee_training", cells["attended"], cells["invited"]


def _with_all_above(codes: Iterable[str], listed: dict[str, Listing]) -> set[str]:
    reached = set()
    for code in codes:
        while code in listed and code not in reached:
            reached.add(code)
            code = listed[code].parent_code
    return reached


def _top(code: str, listed: dict[str, Listing]) -> Listing:
    """The organisation right under the unit that one belongs to."""
    while listed[code].parent_code in listed:
        code = listed[code].parent_code
    return listed[code]


def _admitting_in_term(listed: dict[str, Listing], in_term: set[str]) -> Iterator[tuple[str, str, object, object]]:
    for code, listing in listed.items():
        yield "orgs_admitting", code, code in in_term, 1
        if listing.org_kind == "Chi bộ trực thuộc" and _top(code, listed).org_sector in COMMUNES:
            yield "commune_cells_admitting", code, code in in_term, 1


def _with_a_case(
    forms: dict[str, list[Row]], listed: dict[str, Listing], cases: set[str]
) -> Iterator[tuple[str, str, object, object]]:
    disciplined = _with_all_above(cases, listed)
    for row in forms["organisation_assessments"]:
        if row.cells["final_level"] == EXCELLENT and listed[row.org_code].parent_code not in listed:
            yield "excellent_with_discipline", row.org_code, row.org_code in disciplined, 1


def _reached(
    forms: dict[str, list[Row]], listed: dict[str, Listing], year: int
) -> Iterator[tuple[str, str, object, object]]:
    """Indicators that need more than one row: whether an organisation, or any below it, did something in the year."""

    def with_all_above(codes: Iterable[str]) -> set[str]:
        return _with_all_above(codes, listed)

    admitting = with_all_above(row.org_code for row in forms["admissions"])
    inspecting = with_all_above(row.org_code for row in forms["inspections"])
    training = with_all_above(row.org_code for row in forms["trainings"])
    cell_of = {row.card: row.org_code for row in forms["members"]}
    from_above = {
        code
        for row in forms["inspections"]
        for code in with_all_above([cell_of[row.card] if row.card else row.cells["subject_code"]])
        if listed[code].parent_code not in listed and code not in with_all_above([row.org_code])
    }
    rated = {row.org_code: row.cells["final_level"] for row in forms["organisation_assessments"]}
    thematic = {
        (row.org_code, (row.cells["month"] + 2) // 3) for row in forms["cell_meetings"] if row.cells.get("thematic")
    }
    ends = {row.org_code: (row.cells["founded_on"], row.cells["closed_on"]) for row in forms["organisations"]}
    for code, listing in listed.items():
        if listing.is_cell:
            founded_on, closed_on = ends[code]
            first = founded_on.month if founded_on and founded_on.year == year else 1
            quarters = range((first + 2) // 3, ((closed_on.month if closed_on else 12) + 2) // 3 + 1)
            yield "cells_admitting_year", code, code in admitting, 1
            yield "thematic_quarters", code, sum(place == code for place, _ in thematic), len(quarters)
        if listing.org_kind in GRASSROOTS:
            yield "orgs_admitting_year", code, code in admitting, 1
            yield "inspection_coverage", code, code in inspecting, 1
            yield "inspected_from_above", code, code in from_above, 1
            yield "committee_training_coverage", code, code in training, 1
            if rated[code]:
                yield "grassroots_good", code, rated[code] in {EXCELLENT, GOOD}, 1


# --- Provinces


def together(*provinces: Province) -> Province:
    """Provinces that have no code in common as one: what is told of each is as true of it among the others."""
    all_years = {year for one in provinces for year in one.years}
    both = Province(range(min(all_years), max(all_years) + 1))
    for one in provinces:
        assert not both.units.keys() & one.units.keys()
        assert not both.organisations.keys() & one.organisations.keys()
        both.units |= one.units
        both.silent |= one.silent
        both.organisations |= one.organisations
        both.people += one.people
        both.successions += one.successions
    return both


def every_event(years: Iterable[int] = range(2021, 2026)) -> Province:
    """A dozen organisations to which each of the things happens once that can happen to one."""
    province = Province(years)
    province.unit("67.001", "Huyện Một")
    province.unit("67.002", "Huyện Hai")
    province.unit("67.003", "Huyện Thưa")
    for unit in province.units:
        for group in ("001", "002"):
            commune = "Xã Đức Minh" if (unit, group) == ("67.002", "001") else f"Xã {unit}-{group}"
            top = province.found(f"{unit}.{group}.000.000", unit, sector="Xã", commune=commune)
            for cell in ("001", "002"):
                code = province.found(f"{unit}.{group}.000.{cell}", unit, top, "Chi bộ trực thuộc", commune=commune)
                for _ in range(3):
                    province.admit(code, date(2010, 5, 19))
    one, two, three = "67.001.001.000", "67.001.002.000", "67.002.001.000"
    # Organisations.
    province.change(f"{one}.000", 2022, org_name="Đảng bộ tên mới")
    province.change(f"{one}.001", 2023, parent_code=f"{two}.000")
    province.succeed(date(2023, 7, 1), "new_parent", f"{one}.001", f"{two}.000")
    province.change(f"{one}.002", 2024, parent_code=f"{two}.000")
    province.change(f"{two}.000", 2023, org_sector="Phường")
    province.change(f"{two}.001", 2024, org_kind="Chi bộ cơ sở", parent_code="67.001")
    province.hand_over("67.002.002.000.000", 2024, "67.001")
    province.found(f"{one}.009", "67.001", f"{one}.000", "Chi bộ trực thuộc", founded_on=date(2023, 5, 10))
    province.admit(f"{one}.009", date(2023, 6, 1))
    province.leave_name_blank(f"{two}.002", 2022)
    for cell, year, other in ((f"{three}.002", 2022, f"{three}.001"), (f"{three}.001", 2023, f"{three}.003")):
        for person in province.members_of(cell, year):
            province.post(person, year, cell_code=other)
    new = date(1999, 9, 9)
    province.found(f"{three}.003", "67.002", f"{three}.000", "Chi bộ trực thuộc", founded_on=new, commune="Đức Minh")
    province.close(f"{three}.001", date(2023, 9, 30))
    province.drop(f"{three}.002", 2022)
    province.bring_back(f"{three}.002", 2024)
    province.silence("67.003", 2023)
    province.change("67.003.001.000.001", 2023, org_name="Chi bộ đổi tên lúc đơn vị không gửi")
    # People.
    moved, promoted, schooled, taught, typed, renewed, died, expelled, gone = (
        province.members_of("67.003.001.000.001", 2021)
        + province.members_of("67.003.001.000.002", 2021)
        + province.members_of("67.003.002.000.001", 2021)
    )
    province.post(moved, 2022, cell_code="67.003.002.000.002")
    probationer = province.admit("67.003.001.000.001", date(2021, 11, 3), status="Dự bị")
    province.post(probationer, 2022, status="Chính thức")
    province.post(promoted, 2024, qualification="Đại học")
    province.post(schooled, 2022, qualification=None)
    province.post(schooled, 2024, qualification="Đại học")
    province.post(taught, 2025, theory="Trung cấp")
    province.mistype(typed, 2022)
    province.renew_card(renewed, 2024)
    province.leave(died, 2024, "Từ trần")
    province.leave(expelled, 2022, "Khai trừ", date(2022, 6, 10))
    province.transfer(gone, 2025, "67.001.001.000.002")
    return province


def drawn(
    seed: int,
    *,
    units: int = 2,
    groups: int = 2,
    cells: int = 3,
    members: int = 4,
    years: Iterable[int] = range(2021, 2026),
    events: float = 0.2,
    prefix: str = "67",
) -> Province:
    """A province of `units` x `groups` x `cells` x `members`, and as many events a year as a share of its cells.

    `drawn(1, units=12, groups=36, cells=4, members=15)` is as large as the sample.
    """
    chance = random.Random(seed)
    province = Province(years, seed, prefix)
    for unit in range(1, units + 1):
        code = province.unit(f"{prefix}.{unit:03}", f"Đơn vị {unit}")
        for group in range(1, groups + 1):
            top = f"{code}.{group:03}.000"
            day = chance.choice([None, date(1990 + group % 30, 3, 2), date(province.years[0], 1 + group % 12, 15)])
            if chance.random() < 0.2:
                province.found(f"{top}.000", code, kind="Chi bộ cơ sở", founded_on=day, sector="Khác")
                places = [f"{top}.000"]
            else:
                province.found(f"{top}.000", code, founded_on=day, commune=f"Xã {unit}-{group}")
                places = [
                    province.found(f"{top}.{cell:03}", code, f"{top}.000", "Chi bộ trực thuộc", founded_on=day)
                    for cell in range(1, cells + 1)
                ]
            for place in places:
                for _ in range(members):
                    province.admit(place, date(chance.randrange(1985, province.years[0]), chance.randrange(1, 13), 19))
    draw = _Events(province, chance)
    for year in province.years[1:]:
        for _ in range(max(1, round(events * units * groups * cells))):
            draw.one(year)
    return province


class _Events:
    """What may happen next; an organisation or person has one event a year, so that each stays what it says."""

    def __init__(self, province: Province, chance: random.Random) -> None:
        self.province = province
        self.chance = chance
        self.busy: set[tuple[object, int]] = set()
        self.dropped: list[tuple[str, int]] = []
        self.bag: list[str] = []

    def one(self, year: int) -> None:
        """Each kind once in a random order, then each once again."""
        if not self.bag:
            self.bag = [name for name in vars(_Events) if name.startswith("the_")]
            self.chance.shuffle(self.bag)
        getattr(self, self.bag.pop())(year)

    def _pick(self, year: int, wanted: Callable[[Listing], bool] = lambda _: True) -> str | None:
        free = [
            code
            for code, listing in self.province.listed(year).items()
            if wanted(listing) and (code, year) not in self.busy and self._since(code) < year
        ]
        if not free:
            return None
        code = self.chance.choice(free)
        self.busy.add((code, year))
        return code

    def _since(self, code: str) -> int:
        return max(self.province.organisations[code].listings.changes)

    def _someone(self, year: int) -> Person | None:
        free = [
            person
            for person in self.province.people
            if (post := person.posts.at(year))
            and post.status in PRESENT
            and max(person.posts.changes) < year
            and (id(person), year) not in self.busy
            and self.province.unit_of(post.cell_code, year)
        ]
        if not free:
            return None
        person = self.chance.choice(free)
        self.busy.add((id(person), year))
        return person

    def _cell(self, year: int, wanted: Callable[[str, Listing], bool]) -> str | None:
        later = self.province.listed(year + 1)
        cells = [
            code
            for code, listing in self.province.listed(year).items()
            if listing.is_cell and code in later and wanted(code, listing)
        ]
        return self.chance.choice(cells) if cells else None

    def _empty(self, cell: str, year: int) -> bool:
        """The members of a cell go to its neighbour; False where there is none."""
        unit = self.province.unit_of(cell, year)
        other = self._cell(year, lambda code, listing: code != cell and listing.unit_code == unit)
        people = [one for one in self.province.people if (post := one.posts.at(year)) and post.cell_code == cell]
        if not other or any((id(person), year) in self.busy or max(person.posts.changes) >= year for person in people):
            return False
        for person in people:
            self.province.post(person, year, cell_code=other)
            self.busy.add((id(person), year))
        return True

    def the_name(self, year: int) -> None:
        if code := self._pick(year):
            self.province.change(code, year, org_name=f"Tên mới {year} {code}")

    def the_parent(self, year: int) -> None:
        if code := self._pick(year, lambda one: one.org_kind == "Chi bộ trực thuộc"):
            now = self.province.listed(year)
            own = now[code]
            parents = [
                other
                for other, one in now.items()
                if one.org_kind == "Đảng bộ cơ sở" and one.unit_code == own.unit_code and other != own.parent_code
            ]
            if parents:
                self.province.change(code, year, parent_code=self.chance.choice(parents))

    def the_unit(self, year: int) -> None:
        if code := self._pick(year, lambda one: one.parent_code == one.unit_code):
            own = self.province.listed(year)[code].unit_code
            below = [*self.province.below(code, year)]
            others = [unit for unit in self.province.units if unit != own]
            if others and all((one, year) not in self.busy and self._since(one) < year for one in below):
                self.busy |= {(one, year) for one in below}
                self.province.hand_over(code, year, self.chance.choice(others))

    def the_kind(self, year: int) -> None:
        if code := self._pick(year, lambda one: one.org_kind == "Chi bộ trực thuộc"):
            unit = self.province.listed(year)[code].unit_code
            self.province.change(code, year, org_kind="Chi bộ cơ sở", parent_code=unit)

    def the_sector(self, year: int) -> None:
        if code := self._pick(year):
            self.province.change(code, year, org_sector=self.chance.choice(["Phường", "Thị trấn", "Cơ quan nhà nước"]))

    def the_founding(self, year: int) -> None:
        if top := self._pick(year, lambda one: one.org_kind == "Đảng bộ cơ sở"):
            unit = self.province.listed(year)[top].unit_code
            code = f"{top[:-4]}.9{year % 100:02}"
            day = date(year, self.chance.randrange(2, 12), 15)
            self.province.found(code, unit, top, "Chi bộ trực thuộc", founded_on=day)
            self.busy.add((code, year))
            self.province.admit(code, day + timedelta(10))

    def the_closing(self, year: int) -> None:
        code = self._pick(year, lambda one: one.org_kind == "Chi bộ trực thuộc")
        if code and self._empty(code, year):
            self.province.close(code, date(year, self.chance.randrange(2, 12), 28))

    def the_silent_end(self, year: int) -> None:
        code = self._pick(year, lambda one: one.org_kind == "Chi bộ trực thuộc")
        if code and self._empty(code, year):
            self.province.drop(code, year)
            self.dropped.append((code, year))

    def the_return(self, year: int) -> None:
        known = self.province.organisations
        for code, since in self.dropped:
            top = self.province.listed(year).get(known[code].listings.at(since - 1).parent_code)
            was = known[code].listings.at(since - 1)
            if since < year and top and top.unit_code == was.unit_code:
                self.dropped.remove((code, since))
                self.province.bring_back(code, year)
                self.busy.add((code, year))
                return

    def the_silence(self, year: int) -> None:
        unit = self.chance.choice([*self.province.units])
        if year != self.province.years[-1] and self.chance.random() < 0.6:
            self.province.silence(unit, year)

    def the_blank_name(self, year: int) -> None:
        if code := self._pick(year):
            self.province.leave_name_blank(code, year)

    def the_move(self, year: int) -> None:
        if person := self._someone(year):
            own = person.posts.at(year).cell_code
            unit = self.province.unit_of(own, year)
            if cell := self._cell(year, lambda code, one: one.unit_code == unit and code != own):
                self.province.post(person, year, cell_code=cell)

    def the_transfer(self, year: int) -> None:
        if person := self._someone(year):
            unit = self.province.unit_of(person.posts.at(year).cell_code, year)
            if cell := self._cell(year, lambda _, one: one.unit_code != unit):
                self.province.transfer(person, year, cell)

    def the_schooling(self, year: int) -> None:
        if person := self._someone(year):
            self.province.post(person, year, qualification=self.chance.choice(["Đại học", "Thạc sĩ", None]))

    def the_theory(self, year: int) -> None:
        if person := self._someone(year):
            self.province.post(person, year, theory="Cao cấp, cử nhân")

    def the_admission(self, year: int) -> None:
        if cell := self._cell(year, lambda _code, _one: True):
            day = date(year, self.chance.randrange(1, 13), 7)
            person = self.province.admit(cell, day, status="Dự bị")
            if year + 1 in self.province.years:
                self.province.post(person, year + 1, status="Chính thức")

    def the_death(self, year: int) -> None:
        if person := self._someone(year):
            self.province.leave(person, year, self.chance.choice(["Từ trần", "Xóa tên", "Xin ra", "Chuyển đi"]))

    def the_expulsion(self, year: int) -> None:
        if person := self._someone(year):
            self.province.leave(person, year, "Khai trừ", date(year, self.chance.randrange(1, 13), 11))

    def the_mistyped_card(self, year: int) -> None:
        if person := self._someone(year):
            self.province.mistype(person, year)

    def the_new_card(self, year: int) -> None:
        if person := self._someone(year):
            self.province.renew_card(person, year)


def reorganised(
    seed: int = 1, *, units: int = 3, groups: int = 6, communes: int = 4, prefix: str = "67", after: str = "68"
) -> Province:
    """A province whose districts report to 2025 and end in the middle of it; communes report 2026, by other codes.

    Of its grassroots organisations some go whole into a commune, some are split 50/30/20, some keep a part for
    themselves, some go on under a new code or under another unit, one is dissolved; a cell goes another way than the
    organisation it is in; the first was merged into the second before (a chain of two steps); the last district goes
    whole into a commune.
    """
    chance = random.Random(seed)
    on = date(2025, 7, 1)
    province = drawn(
        seed, units=units, groups=groups, cells=2, members=3, years=range(2022, 2027), events=0, prefix=prefix
    )
    districts = [*province.units]
    for code in districts:
        province.unit(code, province.units[code][0], last=2025)
    new = [province.unit(f"{after}.{n:03}", f"Xã mới {n}", first=2026) for n in range(1, communes + 1)]
    tops = [code for code, one in province.listed(2025).items() if one.parent_code in districts]
    province.succeed(date(2023, 4, 1), "merged", tops[0], tops[1])
    heirs = {code: chance.choice(new) for code in tops}
    whole = districts[-1]
    province.succeed(on, "merged", whole, new[0])
    below_whole = [code for code in tops if province.listed(2025)[code].unit_code == whole]
    for place, code in enumerate([code for code in tops[1:] if code not in below_whole]):
        one, two, three = chance.sample(new, 3)
        way = ("split", "merged", "renamed", "new_parent", "kept", "merged", "dissolved")[place % 7]
        if way == "split":
            province.succeed(on, "split", code, (one, "0.5"), (two, "0.3"), (three, "0.2"))
        elif way == "kept":
            province.succeed(on, "split", code, (code, "0.25"), (two, "0.75"))
            province.succeed(date(2025, 10, 1), "new_parent", code, one)
        elif way == "renamed":
            province.succeed(on, "renamed", code, _heir(code, heirs[code]))
        elif way == "dissolved":
            province.succeed(on, "dissolved", code)
        else:
            province.succeed(on, way, code, one)
            if below := [*province.below(code, 2025)]:
                province.succeed(on, "merged", below[0], two)
    for code in tops:
        for old in [code, *province.below(code, 2025)]:
            listing = province.organisations[old].listings.at(2025)
            parent = heirs[code] if listing.parent_code in districts else _heir(listing.parent_code, heirs[code])
            heir = province.found(_heir(old, heirs[code]), heirs[code], parent, listing.org_kind, year=2026)
            for person in province.members_of(old, 2025):
                province.post(person, 2026, cell_code=heir)
            province.drop(old, 2026)
    return province


def _heir(code: str, commune: str) -> str:
    """The code of an organisation of a district in its commune."""
    return f"{commune}.{code[3:].replace('.', '', 1)}"
