"""The page of codes and the code, held together."""

import re
from pathlib import Path

from submissions.files import codes

ROOT = Path(__file__).resolve().parents[1]


def test_every_code_of_a_report_is_in_the_documentation_and_no_other():
    page = (ROOT / "docs" / "report-codes.md").read_text(encoding="utf-8")
    documented = {
        code for cells in re.findall(r"^\| (`[^|]*)\|", page, re.MULTILINE) for code in re.findall(r"[A-Z_]+", cells)
    }
    written = set()
    for path in [*(ROOT / "submissions").glob("*.py"), ROOT / "submissions" / "register" / "states.py"]:
        written |= set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', path.read_text(encoding="utf-8")))

    # What the gate says already stands on its own page, but for formulas, which a table alone can need.
    assert documented == (written - codes.REFUSALS.keys()) | {"FORMULA_NOT_CALCULATED"}
