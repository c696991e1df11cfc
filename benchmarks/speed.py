"""Speed, as ratios measured in one run: intake against bare parses of the same files, and the whole path.

Usage: ``python benchmarks/speed.py [FOLDER] [--json] [--night UNITS]``; the folder holds workbooks (default: the sample
province). ``--night 70`` also takes in as many made-up workbooks of 8,000 members, marked copies included.
"""

import argparse
import io
import json
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT.parent / "shared" / "samples" / "dak-mau"
ROUNDS = 5
NIGHT_MEMBERS = 8_000
"""Members of a workbook of the night in which all units send."""


def parse_with_calamine(path: Path) -> int:
    """Read every cell of a workbook; returns the number of rows."""
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(path.read_bytes()))
    return sum(len(book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names)


def parse_with_fastexcel(path: Path) -> int:
    """Read every cell of a workbook; returns the number of rows."""
    import fastexcel

    book = fastexcel.read_excel(path.read_bytes())
    return sum(book.load_sheet(name, header_row=None).to_arrow().num_rows for name in book.sheet_names)


def parse_with_openpyxl(path: Path) -> int:
    """Read every cell of a workbook through pandas; returns the number of rows."""
    import pandas as pd

    return sum(map(len, pd.read_excel(path, sheet_name=None, header=None, engine="openpyxl").values()))


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of `work`."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def parse_all(parse: Callable[[Path], int], files: list[Path], cores: int) -> float:
    """Seconds for parsing all files, on one core or on several (the processes started before)."""
    if cores == 1:
        return seconds_of(lambda: [parse(path) for path in files])
    with ProcessPoolExecutor(cores, mp_context=multiprocessing.get_context("forkserver")) as pool:
        list(pool.map(parse, files[:cores]))
        return seconds_of(lambda: list(pool.map(parse, files)))


def processor_seconds() -> float:
    """Processor time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def take_in_all(files: list[Path], cores: int) -> tuple[float, float]:
    """(wall, processor) seconds for the intake of all files into an empty store, with all rules and its processes."""
    from submissions.intake import take_in

    with tempfile.TemporaryDirectory() as folder:
        start, used = time.perf_counter(), processor_seconds()
        report = take_in(files, data=Path(folder), workers=cores)
        elapsed, used = time.perf_counter() - start, processor_seconds() - used
    states = {result.state for result in report.files}
    if states != {"accepted"}:
        raise SystemExit(f"not every file was accepted: {sorted(states)}")
    return elapsed, used


def check_one(path: Path, data: Path | None) -> float:
    """Seconds for ``thucchat check`` of one workbook, its start included."""
    command = [str(Path(sys.executable).with_name("thucchat"))]
    command += ["--data", str(data)] if data else ["--data", "/nonexistent"]
    start = time.perf_counter()
    done = subprocess.run([*command, "check", str(path), "--json"], stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in {0, 1}:
        raise SystemExit(f"check ended with {done.returncode}")
    return time.perf_counter() - start


def take_in_a_night(units: int) -> dict[str, object]:
    """A night in which `units` units send 8,000 members each: seconds, and resident memory of all processes."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.province import write_province

    with tempfile.TemporaryDirectory() as folder:
        sent = Path(folder) / "sent"
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork")) as pool:
            for done in [
                pool.submit(write_province, sent, units=1, members=NIGHT_MEMBERS, first=n + 1) for n in range(units)
            ]:
                done.result()
        size = sum(path.stat().st_size for path in sent.iterdir()) / 1e6
        seconds, peak = run_command(["intake", str(sent)], Path(folder) / "data")
    return {
        "night": f"{units} workbooks of {NIGHT_MEMBERS} members, {size:.0f} MB, marked copies included",
        "night, seconds": seconds,
        "night, peak GB of all processes": peak / 1e9,
        "night, minutes for 700 (aim <= 15)": seconds / units * 700 / 60,
    }


def _memory(root: int) -> int:
    """Resident bytes of a process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    total, queue = 0, [root]
    while queue:
        pid = queue.pop()
        queue += children.get(pid, [])
        try:
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def run_command(arguments: list[str], data: Path) -> tuple[float, int]:
    """(seconds, peak resident bytes of all processes) of a ``thucchat`` command on a data folder."""
    command = [str(Path(sys.executable).with_name("thucchat")), "--data", str(data), *arguments]
    peak, done = [0], threading.Event()
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], _memory(process.pid))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    told = process.communicate()[0]
    done.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{told.decode()}")
    return time.perf_counter() - start, peak[0]


def correct(workbook: Path, target: Path) -> None:
    """The workbook as its unit sends it again: one attendance is another, and the cover says so."""
    import openpyxl

    book = openpyxl.load_workbook(workbook)
    (number,) = (row[1] for row in book.worksheets[0].iter_rows(max_row=20) if row[0].value == "Lần gửi")
    number.value = int(number.value) + 1
    meetings = book["Biểu 6"]
    label = "Số đảng viên dự"
    heading = next(row for row in meetings.iter_rows(max_row=20) if label in {cell.value for cell in row})
    (column,) = (cell.column for cell in heading if cell.value == label)
    rows = range(heading[0].row + 1, meetings.max_row)
    cells = (meetings.cell(row, column) for row in rows)
    attended = next(cell for cell in cells if isinstance(cell.value, int) and cell.value > 0)
    attended.value -= 1
    book.save(target)


def run_whole_path(folder: Path) -> dict[str, object]:
    """From workbooks to the published warehouse in a fresh folder, then with nothing new, then with one corrected."""
    with tempfile.TemporaryDirectory() as place:
        data, sent = Path(place) / "data", Path(place) / "sent"
        sent.mkdir()
        for path in folder.glob("*.xlsx"):
            shutil.copy(path, sent)
        again = Path(place) / "again.xlsx"
        correct(max(sent.iterdir(), key=lambda path: path.stat().st_size), again)
        used = processor_seconds()
        intake, build = (run_command(step, data) for step in (["intake", str(sent)], ["build"]))
        used = processor_seconds() - used
        nothing = run_command(["build"], data)
        less = processor_seconds()
        corrected = [run_command(step, data) for step in (["intake", str(again)], ["build"])]
        less = processor_seconds() - less
    whole, part = intake[0] + build[0], sum(seconds for seconds, _ in corrected)
    return {
        "whole path": whole,
        "whole path, peak GB": max(intake[1], build[1]) / 1e9,
        "nothing new (aim < 15)": nothing[0],
        "one corrected workbook, intake and build": part,
        "ratio: one corrected workbook / whole path (aim <= 0.25)": part / whole,
        "the same of processor seconds": less / used,
        "load of the machine": os.getloadavg()[0],
    }


def measure(folder: Path) -> dict[str, object]:
    """Everything measured, by name; seconds unless the name says otherwise."""
    files = sorted(folder.glob("*.xlsx"))
    if not files:
        raise SystemExit(f"no workbooks in {folder}")
    cores = os.cpu_count() or 1
    for path in files:
        path.read_bytes()
    # One after the other, some times over: a machine that others use as well is not the same a minute later.
    rounds = [(parse_all(parse_with_fastexcel, files, 1), *take_in_all(files, cores)) for _ in range(ROUNDS)]
    fast, intake, used = (statistics.median(times) for times in zip(*rounds, strict=True))
    measured: dict[str, object] = {
        "machine": f"{platform.machine()}, {cores} cores, Python {platform.python_version()}",
        "input": f"{len(files)} workbooks, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB ({folder.name})",
        "calamine, bare, 1 core": parse_all(parse_with_calamine, files, 1),
        f"fastexcel, bare, 1 core (median of {ROUNDS})": fast,
        f"fastexcel, bare, {cores} cores": parse_all(parse_with_fastexcel, files, cores),
        "pandas + openpyxl, bare, 1 core": parse_all(parse_with_openpyxl, files, 1),
        f"intake, {cores} cores (median of {ROUNDS})": intake,
        "intake, processor seconds of all cores": used,
        "check of one workbook": check_one(files[0], None),
    }
    measured |= run_whole_path(folder)
    slow = measured["pandas + openpyxl, bare, 1 core"]
    ratios = [taken / bare for bare, taken, _ in rounds]
    measured["ratio: intake / bare fastexcel summed over cores (aim <= 2)"] = statistics.median(ratios)
    measured["the same, lowest and highest"] = f"{min(ratios):8.2f} {max(ratios):.2f}"
    measured["ratio: processor time of intake / bare fastexcel"] = used / fast
    measured["ratio: bare pandas + openpyxl / intake (aim >= 8)"] = slow / intake
    return measured


def main() -> None:
    """Print what was measured."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path, default=SAMPLE if SAMPLE.exists() else ROOT / "demo")
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--night", type=int, default=0, metavar="UNITS")
    chosen = arguments.parse_args()
    measured = measure(chosen.folder)
    if chosen.night:
        measured |= take_in_a_night(chosen.night)
    if chosen.json:
        print(json.dumps(measured, ensure_ascii=False, indent=1))
        return
    for name, value in measured.items():
        print(f"{name:62} {value if isinstance(value, str) else f'{value:8.2f}'}")


if __name__ == "__main__":
    main()
