"""A made-up province of any size for benchmarks: lawful, honest workbooks, one a unit; nobody in them exists."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import xlsxwriter

from submissions.form_set import FormSet, load_form_sets

LEVELS = ["Hoàn thành xuất sắc nhiệm vụ", "Hoàn thành tốt nhiệm vụ", "Hoàn thành nhiệm vụ"]
SCORES = [93.0, 80.5, 61.0]
CELL_SIZE = 14
"""Members of a cell; `domain.md` 6: 13,9 on average."""
CELLS_PER_ORGANISATION = 4

Rows = dict[str, list[dict[str, object]]]


def write_province(
    folder: Path, *, units: int, members: int, first: int = 1, year: int = 2025, seed: int = 1
) -> list[Path]:
    """Write a workbook of `members` members for each of `units` units, numbered from `first`; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    form_set = next(one for one in load_form_sets().values() if one.kind == "unit" and (one.years.first or 0) >= 2025)
    return [
        _write(
            folder / f"don-vi-{number:03}.xlsx", form_set, f"99.{number:03}", year, _unit(number, members, year, seed)
        )
        for number in range(first, first + units)
    ]


def _days(draw: np.random.Generator, year: int, count: int) -> list[date]:
    return [date(year, 1, 1) + timedelta(days=int(day)) for day in draw.integers(0, 365, count)]


def _unit(number: int, members: int, year: int, seed: int) -> Rows:
    draw = np.random.default_rng([seed, number])
    unit = f"99.{number:03}"
    sizes = [CELL_SIZE] * (members // CELL_SIZE) + ([members % CELL_SIZE] if members % CELL_SIZE else [])
    groups = [sizes[at : at + CELLS_PER_ORGANISATION] for at in range(0, len(sizes), CELLS_PER_ORGANISATION)]
    organisations, cells = [], []
    for group, own in enumerate(groups, start=1):
        code = f"{unit}.{group:03}.000.000"
        place = {"commune": f"Xã {group}", "org_sector": "Xã", "founded_on": date(1990, 2, 3)}
        organisations.append(
            {"org_code": code, "org_name": f"Đảng bộ xã {group}", "org_kind": "Đảng bộ cơ sở", "parent_code": unit}
            | {"member_count": sum(own), **place}
        )
        for cell, size in enumerate(own, start=1):
            name = f"Chi bộ thôn {cell} xã {group}"
            below = f"{unit}.{group:03}.000.{cell:03}"
            cells.append((below, size))
            organisations.append(
                {"org_code": below, "org_name": name, "org_kind": "Chi bộ trực thuộc", "parent_code": code}
                | {"member_count": size, **place}
            )
    people = _people(draw, number, cells, year)
    rated = draw.choice(3, len(people), p=[0.15, 0.78, 0.07])
    decided = date(year, 12, 20)
    return {
        "membership_movements": _movements(len(people)),
        "organisations": organisations,
        "members": people,
        "organisation_assessments": [
            _assessed(draw, one, int(level), year, decided)
            for one, level in zip(organisations, draw.choice(3, len(organisations), p=[0.14, 0.78, 0.08]), strict=True)
        ],
        "member_assessments": [
            {key: person[key] for key in ("card_no", "full_name", "cell_code")}
            | {f"{step}_level": LEVELS[level] for step in ("self", "proposed", "final")}
            | {"decided_on": decided, "score": SCORES[level]}
            for person, level in zip(people, rated, strict=True)
        ],
        "cell_meetings": list(_meetings(draw, cells, year)),
        "hamlets": [
            {"hamlet_code": f"T{place:04}", "hamlet_name": f"Thôn {place}", "commune": "Xã 1", "cell_code": code}
            | {"members": size, "local_members": size // 2}
            for place, (code, size) in enumerate(cells, start=1)
        ],
    }


def _people(draw: np.random.Generator, number: int, cells: list[tuple[str, int]], year: int) -> list[dict[str, object]]:
    codes = [code for code, size in cells for _ in range(size)]
    families = np.array(["Nguyễn", "Trần", "Lê", "Phạm", "Điểu", "H’"])[draw.integers(0, 6, len(codes))]
    given = np.array(["An", "Bình", "Chi", "Dũng", "Giang", "Hòa", "Minh"])[draw.integers(0, 7, len(codes))]
    ages, since = draw.integers(25, 75, len(codes)), draw.integers(2, 7, len(codes))
    people = []
    for place, code in enumerate(codes):
        admitted = date(year - int(since[place]), 5, 19)
        people.append(
            {"card_no": f"99{number:03}{place:07}", "full_name": f"{families[place]} Văn {given[place]} {place}"}
            | {"born_on": date(year - int(ages[place]), 3, 1 + place % 28), "gender": ("Nam", "Nữ")[place % 2]}
            | {"ethnicity": "Kinh", "cell_code": code, "admitted_on": admitted, "school": "THPT"}
            | {"official_on": admitted.replace(year=admitted.year + 1), "qualification": "Đại học"}
            | {"theory": "Sơ cấp", "occupation": "Nông dân", "status": "Chính thức"}
            | {"is_head": "x" if place == 0 or codes[place - 1] != code else None, "local": "x" if place % 3 else None}
        )
    return people


def _movements(count: int) -> list[dict[str, object]]:
    lines = {
        "A": count,
        "B": 0,
        "B1": 0,
        "B2": 0,
        "B3": 0,
        "C": 0,
        "C1": 0,
        "C2": 0,
        "C3": 0,
        "C4": 0,
        "C5": 0,
        "D": count,
    }
    return [{"line": line, "label": f"Dòng {line}", "count": value} for line, value in lines.items()]


def _assessed(
    draw: np.random.Generator, organisation: dict[str, object], level: int, year: int, decided: date
) -> dict[str, object]:
    tasks = int(draw.integers(8, 30))
    common = [28.0, 25.0, 20.0][level]
    return (
        {key: organisation[key] for key in ("org_code", "org_name")}
        | {f"{step}_level": LEVELS[level] for step in ("self", "appraised", "final")}
        | {
            "self_on": date(year, 12, 5),
            "appraised_on": date(year, 12, 10),
            "decided_on": decided,
            "decision_no": "1-QĐ",
        }
        | {"common_points": common, "task_points": SCORES[level] - common, "score": SCORES[level]}
        | {"tasks_assigned": tasks, "tasks_done": tasks, "tasks_late": 0, "tasks_exceeded": tasks // 3}
        | {"shortcomings": 2, "shortcomings_fixed": 2, "decided_by_code": organisation["parent_code"]}
    )


def _meetings(draw: np.random.Generator, cells: list[tuple[str, int]], year: int) -> Iterator[dict[str, object]]:
    for code, size in cells:
        for month in range(1, 13):
            if draw.random() < 0.03:
                yield {"cell_code": code, "month": month}
                continue
            points = float(draw.integers(140, 196)) / 2
            band = "Tốt" if points >= 90 else "Khá"
            attended = size - int(draw.integers(0, 3))
            yield (
                {"cell_code": code, "month": month, "held_on": date(year, month, 3), "expected": size}
                | {"attended": max(attended, 0), "points": points, "band": band}
                | {"thematic": "x" if month % 3 == 0 else None}
            )


def _write(path: Path, form_set: FormSet, unit: str, year: int, rows: Rows) -> Path:
    with xlsxwriter.Workbook(path, {"constant_memory": True, "default_date_format": "dd/mm/yyyy"}) as book:
        cover = book.add_worksheet(form_set.cover.sheet)
        values = {
            "form_version": form_set.form_set,
            "unit_code": unit,
            "unit_name": f"Đơn vị {unit}",
            "year": f"Năm {year}",
            "sent_no": 1,
            "prepared_on": date(year + 1, 1, 5),
            "prepared_by": "Người lập",
            "approved_by": "Người duyệt",
        }
        for place, item in enumerate(form_set.cover.fields):
            cover.write_row(place, 0, [item.heading, values[item.key]])
        for form in form_set.forms:
            sheet = book.add_worksheet(form.sheet)
            sheet.write_string(0, 0, f"Đơn vị {unit}")
            sheet.write_string(2, 0, f"{form.title}. {form.name.upper()} NĂM {year}")
            sheet.write_row(4, 0, [column.heading for column in form.columns])
            for place, row in enumerate(rows.get(form.table, []), start=5):
                for position, column in enumerate(form.columns):
                    value = row.get(column.key)
                    if value is not None:
                        sheet.write(place, position, value)
    return path
