"""Issues and answers, drawn for the tests of what goes back."""

from datetime import date

import pandas as pd

from submissions.issues import COLUMNS
from submissions.returned.returns import Returned
from tests.drawing import table

FILLED_IN = ("issue_id", "numbers", "status", "explanation_code", "explanation")


def drawn_issues(text: str) -> pd.DataFrame:
    """Issues with all columns; those that are not drawn are empty, and each has an id and numbers of its own."""
    drawn = table(text).astype(object)
    issues = drawn.reindex(columns=list(dict.fromkeys([*COLUMNS, *FILLED_IN, *drawn])))
    count = range(len(issues))
    issues["form"] = issues["form"].where(issues["form"].notna(), issues["sheet"])
    issues["status"] = issues["status"].where(issues["status"].notna(), "open")
    issues["issue_id"] = issues["issue_id"].where(issues["issue_id"].notna(), [f"{n:016x}" for n in count])
    issues["numbers"] = issues["numbers"].where(issues["numbers"].notna(), [f"{n + 4096:016x}" for n in count])
    return issues.astype(object).where(issues.notna(), "").assign(unit_code="67.001", year=2024)


def about(**changes: object) -> Returned:
    """An accepted sending of a small unit."""
    usual = {
        "source_hash": "ab" * 32,
        "file_name": "Bieu tong hop 2024.xlsx",
        "state": "accepted",
        "unit_code": "67.001",
        "unit_name": "Huyện Thử Nghiệm",
        "year": 2024,
        "sent_no": 1,
        "form_version": "B12-2021",
        "counts": pd.DataFrame({"form_title": ["Biểu 1"], "rows_in": [12], "loaded": [10], "held_back": [2]}),
        "due_before": date(2025, 1, 31),
    }
    return Returned(**{**usual, **changes})
