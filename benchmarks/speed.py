"""Speed, as ratios measured in one run: intake against bare parses of the same files, and the whole path.

Usage: ``python benchmarks/speed.py [FOLDER] [--json]``; the folder holds workbooks (default: the sample province).
"""

import argparse
import io
import json
import multiprocessing
import os
import platform
import shutil
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
OPENPYXL_EVERY = 8
"""pandas with openpyxl is slow: it reads every eighth file, and is compared with the others on those."""


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


def take_in_all(files: list[Path], cores: int) -> float:
    """Seconds for the intake of all files into an empty store, starting its processes included."""
    from submissions.intake import take_in

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        report = take_in(files, data=Path(folder), workers=cores)
        elapsed = time.perf_counter() - start
    states = {result.state for result in report.files}
    if states != {"accepted"}:
        raise SystemExit(f"not every file was accepted: {sorted(states)}")
    return elapsed


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


def run_whole_path(folder: Path) -> tuple[float, int]:
    """(seconds, peak resident bytes of all processes) from workbooks to the pack, in a fresh data folder."""
    with tempfile.TemporaryDirectory() as data:
        sent = Path(data) / "sent"
        sent.mkdir()
        for path in folder.glob("*.xlsx"):
            shutil.copy(path, sent)
        command = [str(Path(sys.executable).with_name("thucchat")), "--data", data]
        peak, done = [0], threading.Event()

        start = time.perf_counter()
        for step in (["intake", str(sent)], ["build"]):
            done.clear()
            process = subprocess.Popen([*command, *step], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

            def watch(process: subprocess.Popen = process) -> None:
                while not done.wait(0.1):
                    peak[0] = max(peak[0], _memory(process.pid))

            watcher = threading.Thread(target=watch, daemon=True)
            watcher.start()
            told = process.communicate()[0]
            done.set()
            watcher.join()
            if process.returncode:
                raise SystemExit(f"{' '.join(step)} failed:\n{told.decode()}")
        return time.perf_counter() - start, peak[0]


def measure(folder: Path) -> dict[str, object]:
    """Everything measured, by name; seconds unless the name says otherwise."""
    files = sorted(folder.glob("*.xlsx"))
    if not files:
        raise SystemExit(f"no workbooks in {folder}")
    cores = os.cpu_count() or 1
    some = files[::OPENPYXL_EVERY]
    for path in files:
        path.read_bytes()
    measured: dict[str, object] = {
        "machine": f"{platform.machine()}, {cores} cores, Python {platform.python_version()}",
        "input": f"{len(files)} workbooks, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB ({folder.name})",
        "calamine, bare, 1 core": parse_all(parse_with_calamine, files, 1),
        "fastexcel, bare, 1 core": parse_all(parse_with_fastexcel, files, 1),
        f"calamine, bare, {cores} cores": parse_all(parse_with_calamine, files, cores),
        "intake, 1 core": take_in_all(files, 1),
        f"intake, {cores} cores": take_in_all(files, cores),
        f"pandas + openpyxl, bare, 1 core, {len(some)} files": parse_all(parse_with_openpyxl, some, 1),
        f"intake, {cores} cores, {len(some)} files": take_in_all(some, cores),
    }
    measured["whole path"], peak = run_whole_path(folder)
    measured["whole path, peak GB"] = peak / 1e9
    intake = measured[f"intake, {cores} cores"]
    measured["ratio: intake / bare calamine, 1 core (aim <= 3)"] = intake / measured["calamine, bare, 1 core"]
    measured["ratio: intake / bare fastexcel, 1 core (aim <= 3)"] = intake / measured["fastexcel, bare, 1 core"]
    measured[f"ratio: intake / bare calamine, {cores} cores each"] = intake / measured[f"calamine, bare, {cores} cores"]
    measured["ratio: intake / bare pandas + openpyxl (aim < 0.5)"] = (
        measured[f"intake, {cores} cores, {len(some)} files"]
        / measured[f"pandas + openpyxl, bare, 1 core, {len(some)} files"]
    )
    return measured


def main() -> None:
    """Print what was measured."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", nargs="?", type=Path, default=SAMPLE if SAMPLE.exists() else ROOT / "demo")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    measured = measure(chosen.folder)
    if chosen.json:
        print(json.dumps(measured, ensure_ascii=False, indent=1))
        return
    for name, value in measured.items():
        print(f"{name:58} {value if isinstance(value, str) else f'{value:8.2f}'}")


if __name__ == "__main__":
    main()
