"""The register as the command line asks for it: who owes what, sendings one by one, rates, two sendings compared."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from orchestration.problems import ProblemError, reason
from orchestration.settings import Folders, settings
from submissions import changes
from submissions.drift import list_aliases
from submissions.form_set import form_sets_of
from submissions.queries import read_sending
from submissions.register import deadlines, rates, states
from submissions.register.identities import canonical_keys
from submissions.register.log import Register, RegisterError
from submissions.store import Store
from submissions.units import read_units

COMPARED = ("accepted", "replaced", "held")
"""States of sendings whose rows the store has; of what was refused there are none."""

CHANGES = {"added": "thêm dòng", "removed": "bớt dòng", "changed": "đổi ô"}

USAGE = 2
"""Exit code of a command that asks for what cannot be."""

OBLIGATIONS = (
    "unit_code", "unit_name", "year", "due_before", "extended_until", "state_name", "received_on", "accepted_on",
    "days_late", "sendings",
)  # fmt: skip
SENDINGS = (
    "unit_code", "year", "number", "sent_no", "received_at", "state_name", "state_reason_code", "errors", "queries",
    "days_late", "source_hash",
)  # fmt: skip


@contextmanager
def open_register(folders: Folders, *, make: bool = True) -> Iterator[Register]:
    """The register in use; unless it may be made, it must exist. What goes wrong with it is a `ProblemError`."""
    place = settings().register or folders.register
    if isinstance(place, Path) and not place.exists():
        if not make:
            raise ProblemError(f"Chưa có sổ theo dõi trong {folders.data}. Hãy chạy: thucchat intake NƠI...")
        place.parent.mkdir(parents=True, exist_ok=True)
    try:
        with Register.open(place) as register:
            yield register
    except RegisterError as error:
        raise ProblemError(str(error)) from error


def obligations(folders: Folders, register: Register, *, year: int | None, unit: str | None) -> pd.DataFrame:
    """Who had to report when, and what came of it; columns of `deadlines.obligations`."""
    units = read_units(folders.data / "units.csv")
    years = [year] if year else sorted({int(one) for one in states.sendings(register)["year"].dropna()})
    agreed = deadlines.Deadlines.read(folders.data)
    found = deadlines.obligations(register, units, years, deadlines.today(), agreed)
    return found if unit is None else found[found["unit_code"] == unit]


def rates_by_level(folders: Folders, register: Register, *, year: int | None) -> pd.DataFrame:
    """Reporting rate and on-time rate by year and level of unit."""
    return rates.rates(obligations(folders, register, year=year, unit=None), by=["year", "level"])


def sendings(folders: Folders, register: Register, *, year: int | None, unit: str | None) -> pd.DataFrame:
    """Each file that was received, and what became of it; `SENDINGS`, without the names of files."""
    found = states.sendings(register, deadlines.Deadlines.read(folders.data))
    if year is not None:
        found = found[found["year"] == year]
    if unit is not None:
        found = found[found["unit_code"] == unit]
    return found.assign(state_name=found["state"].map(states.STATES)).loc[:, list(SENDINGS)]


def check_unit(folders: Folders, unit: str) -> str:
    """Why a unit is not known (neither on the list nor has it ever sent anything): a warning, empty for a known one.

    Nobody is warned where nothing is known yet. Raises `ProblemError` for what is no unit's code.
    """
    covers = [form_set.cover for form_set in form_sets_of(folders.data).values() if form_set.cover]
    patterns = [field.pattern or ".+" for cover in covers for field in cover.fields if field.key == "unit_code"]
    if not any(re.fullmatch(pattern, unit) for pattern in patterns):
        raise ProblemError(f"“{unit}” không phải là mã đơn vị (ví dụ 67.001).", USAGE)
    listed = set(read_units(folders.data / "units.csv")["unit_code"])
    if listed:
        place = f"danh sách {len(listed)} đơn vị ({folders.data / 'units.csv'})"
    else:
        sent = Store(folders.store).read_submissions()
        listed = set(sent.loc[sent["state"] == "accepted", "unit_code"].dropna())
        place = f"{len(listed)} đơn vị đã gửi báo cáo"
    if not listed or unit in listed:
        return ""
    return f"Cảnh báo: mã {unit} không có trong {place}. Hãy kiểm tra lại mã đơn vị."


def full_hash(register: Register, begin: str) -> str:
    """The hash of the one sending that begins so; raises `ProblemError` for none or several."""
    hashes = sorted({name for name in states.sendings(register)["source_hash"] if name.startswith(begin.lower())})
    if len(hashes) != 1 or len(begin) < 6:
        raise ProblemError(
            f"Có {len(hashes)} lần gửi mang mã băm bắt đầu bằng “{begin}”; cần ít nhất 6 ký tự, chỉ đúng một lần gửi. "
            "Xem: thucchat register --sendings"
        )
    return hashes[0]


def adopted_headings(data: Path) -> pd.DataFrame:
    """The headings that were adopted: form set, title of the form, agreed heading, the new one, who and when."""
    sets = form_sets_of(data)
    rows = []
    for alias in list_aliases(data):
        form = sets[alias.form_set].by_table[alias.form]
        rows.append(
            {
                "form_set": alias.form_set,
                "form": form.title,
                "column": form.by_key[alias.column].heading,
                "heading": alias.heading,
                "by": alias.by,
                "at": pd.Timestamp(alias.at),
            }
        )
    return pd.DataFrame(rows)


def write_template(path: Path, folders: Folders, unit: str, year: int) -> str:
    """Write the form set of a year for a unit, filled with what stands from the year before; says what it did."""
    from submissions import templates
    from submissions.files.source import RefusedError

    store = Store(folders.store)
    sent = store.read_submissions()
    named = pd.concat([sent[["unit_code", "unit_name"]], read_units(folders.data / "units.csv")]).dropna(
        subset=["unit_code", "unit_name"]
    )
    name = dict(zip(named["unit_code"], named["unit_name"], strict=True)).get(unit, "")
    try:
        previous = templates.previous_rows(store, unit, year, store.form_sets)
        form_set = templates.choose_form_set(store.form_sets, year)
        templates.write_template(path, form_set, unit, name, year, previous)
    except (templates.TemplateError, RefusedError) as error:
        raise ProblemError(str(error)) from error
    except FileExistsError as error:
        raise ProblemError(f"{path} đã có; hãy chọn tên khác bằng --out TỆP.") from error
    except OSError as error:
        raise ProblemError(f"Không ghi được {path}: {reason(error)}.") from error
    if previous is None:
        return f"mẫu {form_set.form_set}, chưa điền sẵn vì kho không có báo cáo năm trước của đơn vị."
    return f"mẫu {form_set.form_set}, điền sẵn tổ chức và đảng viên theo báo cáo năm {previous.year}."


def compare(
    folders: Folders, register: Register, unit: str, year: int, first: int | None, second: int | None
) -> tuple[pd.DataFrame, str]:
    """(differences, which sendings) between two sendings of a unit and year, by their number of receipt."""
    found = states.sendings(register)
    found = found[(found["unit_code"] == unit) & (found["year"] == year)]
    found = found[found["number"].notna() & (found["state"] != "duplicate")].set_index("number")
    told = "; ".join(f"lần {number}: {states.STATES[state].lower()}" for number, state in found["state"].items())
    found = found.loc[found["state"].isin(COMPARED), "source_hash"]
    numbers = [int(number) for number in found.index]
    if len(numbers) < 2:
        raise ProblemError(
            f"Đơn vị {unit} năm {year} có {len(numbers)} lần gửi đọc được; cần hai lần để so sánh. "
            f"{f'Đã nhận: {told}.' if told else 'Chưa nhận tệp nào của đơn vị cho năm này.'} "
            f"Xem: thucchat register --sendings --unit {unit} --year {year}",
            USAGE,
        )
    second = second if second is not None else numbers[-1]
    first = first if first is not None else max((number for number in numbers if number < second), default=numbers[0])
    for number in (first, second):
        if number not in numbers:
            raise ProblemError(
                f"Không so được lần gửi {number}. Các lần so được: {', '.join(map(str, numbers))}.", USAGE
            )
    about = f"Đơn vị {unit}, năm {year}: lần gửi {second} so với lần gửi {first}"
    store = Store(folders.store)
    before, after = (read_sending(store, found.loc[number]) for number in (first, second))
    joined = canonical_keys(register)
    canonical = dict(zip(joined["member_key"], joined["canonical_key"], strict=True))
    found = changes.find_changes(before, after, canonical)
    headings = {(form.title, column.key): column.heading for form in after.form_set.forms for column in form.columns}
    named = [headings.get(place, place[1]) for place in zip(found["form"], found["column"], strict=True)]
    return found.assign(column=named, kind=found["kind"].map(CHANGES)), about
