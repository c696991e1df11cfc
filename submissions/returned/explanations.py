"""What comes back: is this a workbook that we returned, and what did the unit explain in it."""

import re
from dataclasses import dataclass

import pandas as pd

from submissions.files.source import ErrorCell, Source
from submissions.returned.listing import COLUMNS, LIST_SHEET, MARK, MARK_SHEET, SEPARATOR
from submissions.returned.marking import letters
from submissions.rules import load_rules
from submissions.text import clean, fold

EXPLANATIONS = ("issue_id", "numbers", "rule", "form", "key", "column", "code", "text")
PROBLEMS = ("sheet", "cell", "value", "message")
LONGEST = 2_000
"""Characters of an explanation; more belongs in a document of its own."""
_SEARCHED = 60
"""Rows from the top in which the headings of a list are looked for."""
_CODE = re.compile(r"\s*([A-Za-zĐđ]{1,4})[\s.]*(\d{1,3})(?!\w)")


@dataclass(frozen=True)
class ReturnMark:
    """What a returned workbook says it answers."""

    unit_code: str | None
    year: int | None
    source_hash: str | None
    sent_no: int | None
    version: int


@dataclass(frozen=True)
class Explanations:
    """What a unit filled into a list: what can be taken, and what cannot, with its cell."""

    given: pd.DataFrame
    """`EXPLANATIONS`; one row an issue."""
    problems: pd.DataFrame
    """`PROBLEMS`; the message is Vietnamese."""


def is_ours(sheet: str) -> bool:
    """Whether a sheet's name is one of those that we put in: no data of the unit, wherever it was copied to."""
    return re.sub(r"[ _]?\(?\d*\)?$", "", fold(sheet)) in (fold(LIST_SHEET), MARK_SHEET)


def recognise(source: Source) -> ReturnMark | None:
    """What a file that we returned says of itself, also after Excel or LibreOffice saved it; None for any other file.

    The mark is the hidden sheet. A list alone, copied into a unit's own workbook, is no mark.
    """
    for info in source.sheets:
        if not is_ours(info.name) or not fold(info.name).startswith(MARK_SHEET):
            continue
        facts = {_text(row[0]): _text(row[1]) for row in source.cells(info.name) if len(row) > 1 and _text(row[0])}
        if MARK in facts:
            return ReturnMark(
                unit_code=facts.get("unit_code") or None,
                year=_integer(facts.get("year")),
                source_hash=facts.get("source_hash") or None,
                sent_no=_integer(facts.get("sent_no")),
                version=_integer(facts[MARK]) or 0,
            )
    return None


def read_explanations(source: Source) -> Explanations:
    """What was filled in in the lists of a file, be it a returned one or one that a list was copied into.

    All problems come at once: an unknown code, words without a code, a code that needs words, an error explained away,
    a row that says no longer which issue it is about. Where two lists explain one issue, the later sheet holds.
    """
    given: dict[str, dict[str, str]] = {}
    problems: list[dict[str, str]] = []
    for info in source.sheets:
        if is_ours(info.name) and not fold(info.name).startswith(MARK_SHEET):
            for explained in _read_list(info.name, source.cells(info.name), problems):
                given[explained["issue_id"]] = explained
    return Explanations(
        pd.DataFrame(list(given.values()), columns=list(EXPLANATIONS), dtype=object),
        pd.DataFrame(problems, columns=list(PROBLEMS), dtype=object),
    )


def _read_list(sheet: str, rows: list[list[object]], problems: list[dict[str, str]]) -> list[dict[str, str]]:
    headings = {fold(heading): key for key, (heading, _) in COLUMNS.items()}
    found_at = [[headings.get(fold(_text(cell))) for cell in row] for row in rows[:_SEARCHED]]
    top = next((at for at, keys in enumerate(found_at, start=1) if {"code", "text"} <= set(keys)), None)
    if top is None:
        return []
    places = {key: at for at, key in enumerate(found_at[top - 1]) if key}
    codes = {entry.code: entry for entry in load_rules().explanations}
    found = []
    for place, row in enumerate(rows[top:], start=top + 1):
        cells = {key: _text(row[at]) if at < len(row) else "" for key, at in places.items()}
        code, text = cells["code"], cells["text"]
        if not code and not text:
            continue
        wrong = _problem(row, places, cells, codes)
        if wrong is not None:
            key, message = wrong
            cell = f"{letters(places.get(key, places['code']) + 1)}{place}"
            value = "" if len(cells.get(key, "")) > 60 else cells.get(key, "")
            problems.append({"sheet": sheet, "cell": cell, "value": value, "message": message})
            continue
        issue_id, numbers, _, rule, column = cells["identity"].split(SEPARATOR, 4)
        found.append(
            {
                "issue_id": issue_id,
                "numbers": numbers,
                "rule": rule,
                "form": cells.get("form", ""),
                "key": cells.get("key", ""),
                "column": column,
                "code": _code(code),
                "text": text,
            }
        )
    return found


def _problem(
    row: list[object], places: dict[str, int], cells: dict[str, str], codes: dict[str, object]
) -> tuple[str, str] | None:
    """What is wrong with a row that was filled in: the column and what to do; None where nothing is."""
    listed = ", ".join(codes)
    identity = cells.get("identity", "").split(SEPARATOR, 4)
    broken = [key for key in ("code", "text") if places[key] < len(row) and isinstance(row[places[key]], ErrorCell)]
    if broken:
        return broken[0], "Ô đang là lỗi công thức: hãy gõ lại."
    if len(identity) != 5:
        return "identity", (
            "Dòng này không còn mã nhận dạng nên không biết giải trình cho ô nào: "
            "hãy ghi giải trình vào đúng dòng của bản trả lại, không thêm dòng và không xóa cột ẩn."
        )
    if identity[2] == "error":
        return "code", "Đây là lỗi phải sửa, không giải trình được: hãy sửa ô trong tệp của đơn vị."
    code = _code(cells["code"])
    if not code:
        return "code", f"Có lời giải trình nhưng chưa có mã: hãy chọn một trong {listed}."
    if code not in codes:
        return "code", f"Không có mã giải trình này: hãy chọn một trong {listed}."
    words = sum(letter.isalnum() for letter in cells["text"])
    if codes[code].needs_text and words < 3:
        return "text", f"Mã {code} cần ghi rõ lý do: hãy điền cột Giải trình."
    if len(cells["text"]) > LONGEST:
        return "text", f"Giải trình dài quá {LONGEST:,} chữ: hãy rút gọn.".replace(",", ".")
    return None


def _code(text: str) -> str:
    """The code at the start of what was chosen or typed: ``gt 1 – …`` is GT01; what has no such form stays."""
    found = _CODE.match(text)
    return f"{found[1].upper()}{int(found[2]):02}" if found else text.strip().upper()


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else clean(str(cell))


def _integer(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 10 else None
