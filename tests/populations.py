"""Rolls of members over several years, drawn, in which some cards are mistyped or replaced, with the truth."""

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256

import numpy as np
import pandas as pd

from submissions.identities import PERSON, ROLL

FAMILIES = {
    "Nguyễn": 38, "Trần": 11, "Lê": 10, "Phạm": 7, "Hoàng": 5, "Phan": 5, "Vũ": 4, "Đặng": 2, "Bùi": 2, "Đỗ": 1.5,
    "Hồ": 1.5, "Ngô": 1.5, "Dương": 1, "Lý": 1, "Nông": 1, "H’": 2, "Y": 2, "Điểu": 1.5, "Cao": 1, "Mai": 1,
}  # fmt: skip
"""About as often as they stand in Việt Nam (Lê Trung Hoa, "Họ và tên người Việt Nam", 2005), and the province's own."""

MIDDLES = {
    "Nam": ("Văn", "Hữu", "Đức", "Công", "Quang", "Minh", "Xuân", "Ngọc"),
    "Nữ": ("Thị", "Thị", "Thị", "Ngọc", "Thanh", "Minh"),
}
GIVEN = (
    "An", "Bình", "Châu", "Cường", "Dũng", "Giang", "Hà", "Hải", "Hạnh", "Hiền", "Hoa", "Hòa", "Hồng", "Hùng", "Hương",
    "Khánh", "Lan", "Liên", "Linh", "Long", "Mai", "Minh", "Nam", "Nga", "Ngọc", "Nhung", "Phong", "Phúc", "Phương",
    "Quân", "Quang", "Sơn", "Tâm", "Thảo", "Thắng", "Thu", "Thủy", "Tiến", "Trang", "Tuấn", "Tùng", "Vân", "Việt",
    "Vinh", "Xuân", "Yến",
)  # fmt: skip
MARKS = {"à": "a", "ạ": "á", "ả": "ã", "ễ": "ê", "ê": "e", "ị": "i", "ư": "u", "ồ": "ô", "ù": "u", "ủ": "u", "á": "à"}

KINDS = (
    "mistyped_once",
    "mistyped_for_good",
    "swapped",
    "replaced",
    "moved_and_mistyped",
    "moved_and_replaced",
    "moved_in_the_year",
)


@dataclass
class Population:
    """What `submissions.identities` is given, and what is true."""

    listed: pd.DataFrame
    known: pd.DataFrame
    truth: dict[frozenset[str], str]
    """The kind of change of each pair of keys that are one person."""


@dataclass
class _Person:
    name: str
    gender: str
    ethnicity: str
    born_on: date | None
    admitted_on: date
    unit: int
    cell: int
    card: int
    first: int
    last: int
    status: str = "Chính thức"


def key_of(card: int) -> str:
    """A key of a card, as good as a pseudonym for what is tested."""
    return sha256(str(card).encode()).hexdigest()[:32]


def draw_population(
    seed: int, members: int = 3000, units: int = 6, years: range = range(2022, 2026), changed: float = 0.01
) -> Population:
    """Members of some units; a share `changed` of those who could be seen to change has a second card.

    Cards follow each other within a unit, names and dates repeat as they do here, cells admit several on one day, every
    fifth birthday is written as 1 January, one in fifty members has somebody much alike in the same cell, and whoever
    types a member anew makes mistakes in names and dates as well.
    """
    draw = np.random.default_rng(seed)
    people = [_person(draw, number, units, years) for number in range(members)]
    people += [_sibling(draw, person, members + at) for at, person in enumerate(people[: members // 50])]
    cards = {person.card for person in people}
    rows: list[dict[str, object]] = []
    truth: dict[frozenset[str], str] = {}
    for person in people:
        present = [year for year in years if person.first <= year <= person.last]
        kind = str(draw.choice(KINDS)) if len(present) > 1 and draw.random() < changed else ""
        start = int(draw.integers(1, len(present))) if kind else len(present)
        second = _second_card(draw, person, kind, cards) if kind else person.card
        if kind:
            cards.add(second)
            truth[frozenset((key_of(person.card), key_of(second)))] = kind
        other = _retyped(draw, person) if kind else person
        if kind.startswith("moved"):
            other.unit, other.cell = (person.unit + 1) % units, int(draw.integers(0, 40))
        for at, year in enumerate(present):
            is_second = at == start if kind == "mistyped_once" else at >= start
            who, card = (other, second) if is_second else (person, person.card)
            # One who left is still listed in the last year, as one who left.
            status = person.status if year == person.last else "Chính thức"
            rows.append(_row(who, card, year, status))
            if kind == "moved_in_the_year" and at == start:
                rows.append(_row(person, person.card, year, "Chuyển đi"))
    frame = pd.DataFrame(rows)
    frame["source_hash"] = frame["unit_code"] + "/" + frame["year"].astype("str")
    frame["row"] = frame.groupby("source_hash").cumcount() + 8
    frame["sheet"] = "Biểu 3"
    return Population(frame[list(ROLL)], frame[list(PERSON)], truth)


def _person(draw: np.random.Generator, number: int, units: int, years: range) -> _Person:
    gender = str(draw.choice(["Nam", "Nữ"], p=[0.6, 0.4]))
    family = str(draw.choice(list(FAMILIES), p=np.array(list(FAMILIES.values())) / sum(FAMILIES.values())))
    middle, given = str(draw.choice(MIDDLES[gender])), str(draw.choice(GIVEN))
    born_on = date(1950, 1, 1) + timedelta(int(draw.integers(0, 20_000)))
    if draw.random() < 0.2:
        born_on = born_on.replace(month=1, day=1)
    # Cells admit on few days.
    admitted_on = born_on.replace(day=3, month=[2, 5, 9][int(draw.integers(0, 3))], year=born_on.year + 22)
    unit = int(draw.integers(0, units))
    first = years[0] if draw.random() < 0.88 else int(draw.integers(years[0] + 1, years[-1] + 1))
    if first > years[0] and draw.random() < 0.8:
        admitted_on = admitted_on.replace(year=first)
    leaves = draw.random() < 0.08
    last = int(draw.integers(first, years[-1] + 1)) if leaves else years[-1]
    status = str(draw.choice(["Chuyển đi", "Từ trần", "Khai trừ", "Chính thức"])) if leaves else "Chính thức"
    ethnicity = "M’Nông" if family in {"Y", "H’", "Điểu"} else "Kinh"
    name = f"{family} {middle} {given}"
    card = 670_000_000_000 + unit * 1_000_000 + number * 3
    return _Person(
        name, gender, ethnicity, born_on, admitted_on, unit, int(draw.integers(0, 40)), card, first, last, status
    )


def _sibling(draw: np.random.Generator, person: _Person, number: int) -> _Person:
    """Somebody much alike: of the same name or family and the same cell, who joins when the other may have left."""
    other = _person(draw, number, 1, range(2022, 2026))
    other.unit, other.cell, other.gender, other.ethnicity = person.unit, person.cell, person.gender, person.ethnicity
    other.card = 670_000_000_000 + person.unit * 1_000_000 + number * 3
    other.name = person.name
    if draw.random() < 0.5:
        other.admitted_on = person.admitted_on
    return other


def _second_card(draw: np.random.Generator, person: _Person, kind: str, taken: set[int]) -> int:
    while True:
        digits = list(str(person.card))
        at = int(draw.integers(3, 11))
        if kind.endswith("replaced"):
            digits = list(str(670_900_000_000 + int(draw.integers(0, 10_000_000))))
        elif kind == "swapped":
            digits[at], digits[at + 1] = digits[at + 1], digits[at]
        else:
            digits[at] = str((int(digits[at]) + int(draw.integers(1, 10))) % 10)
        if (card := int("".join(digits))) not in taken:
            return card
        if kind == "swapped":
            kind = "mistyped_once"  # no two different digits stand side by side, or the number is somebody's


def _retyped(draw: np.random.Generator, person: _Person) -> _Person:
    """The person as another clerk typed him: about every second time with a mistake, sometimes with several."""
    other = _Person(**vars(person))
    if draw.random() < 0.15:
        other.name = "".join(MARKS.get(letter, letter) for letter in person.name)
    elif draw.random() < 0.05:
        other.name = person.name[:-1]
    if draw.random() < 0.15:
        other.born_on = person.born_on.replace(year=person.born_on.year + 1, day=min(person.born_on.day, 28))
    elif draw.random() < 0.05:
        other.born_on = None
    if draw.random() < 0.15:
        other.admitted_on = person.admitted_on.replace(month=person.admitted_on.month + 1)
    if draw.random() < 0.02:
        other.gender = "Nữ" if person.gender == "Nam" else "Nam"
    return other


def _row(person: _Person, card: int, year: int, status: str) -> dict[str, object]:
    return {
        "member_key": key_of(card),
        "unit_code": f"67.{person.unit:03}",
        "year": year,
        "cell_code": f"67.{person.unit:03}.{person.cell:02}",
        "status": status,
        "gender": person.gender,
        "ethnicity": person.ethnicity,
        "admitted_on": person.admitted_on,
        "official_on": person.admitted_on.replace(year=person.admitted_on.year + 1),
        "card": str(card),
        "name": person.name,
        "born_on": person.born_on,
    }
