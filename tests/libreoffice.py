"""The real LibreOffice: what an office machine does to a file when a person opens and saves it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SECONDS = 120
"""How long one conversion may take; it takes three seconds alone, and longer beside seven others."""


def find_office() -> str:
    """The path of ``soffice``. Without it the test is skipped, and fails in CI."""
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None:
        reason = "LibreOffice (soffice) is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


class LibreOffice:
    """One office with a profile of its own, so that tests may run beside each other and beside a person's office."""

    def __init__(self, folder: Path) -> None:
        self.program = find_office()
        self.folder = folder
        self._saved = 0

    def convert(self, path: Path, to: str, filters: str = "") -> Path:
        """Open a file, recalculate it and save it as `to` (``xlsx``, ``ods``, ``pdf``, ``csv`` …) in a new folder.

        Raises `AssertionError` with what LibreOffice said when it wrote nothing.
        """
        self._saved += 1
        target = self.folder / f"saved-{self._saved}"
        target.mkdir(parents=True)
        profile = self.folder / "profile"
        self._set_up(profile)
        done = subprocess.run(
            [
                self.program,
                f"-env:UserInstallation={profile.as_uri()}",
                "--headless",
                "--norestore",
                "--nolockcheck",
                "--convert-to",
                f"{to}:{filters}" if filters else to,
                "--outdir",
                str(target),
                str(path),
            ],
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
            env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
        )
        written = target / f"{path.stem}.{to}"
        assert written.exists(), f"LibreOffice wrote nothing for {path.name}: {done.stdout} {done.stderr}"
        return written

    def save(self, path: Path) -> Path:
        """The workbook as LibreOffice writes it after opening and recalculating it, as .xlsx."""
        return self.convert(path, "xlsx", "Calc MS Excel 2007 XML")

    def pages(self, path: Path) -> Path:
        """The workbook as it prints, as PDF."""
        return self.convert(path, "pdf")

    def _set_up(self, profile: Path) -> None:
        """Recalculate every file that is opened; the default trusts the stored values of Excel's files."""
        settings = profile / "user" / "registrymodifications.xcu"
        if settings.exists():
            return
        settings.parent.mkdir(parents=True)
        always = "".join(
            f'<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="{name}" oor:op="fuse">'
            "<value>0</value></prop></item>"
            for name in ("OOXMLRecalcMode", "ODFRecalcMode")
        )
        settings.write_text(
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<oor:items xmlns:oor="http://openoffice.org/2001/registry" '
            'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            f"{always}</oor:items>",
            encoding="utf-8",
        )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> LibreOffice:
    """LibreOffice for a module's tests: ``from tests.libreoffice import office  # noqa: F401``."""
    return LibreOffice(tmp_path_factory.mktemp("office"))
