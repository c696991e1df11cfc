"""Which repairs clear most: issues that one repair would clear, taken together, best first."""

import re

import numpy as np
import pandas as pd

from submissions.form_set import FormSet, load_form_sets
from submissions.issues import ERROR, number
from submissions.rules import load_rules

COLUMNS = ("repair", "rule", "form", "column", "value", "issues", "rows_released")
"""The columns of a list of repairs, in order."""

_BY_VALUE = ("not_in_list", "unknown_code")
"""One wrong spelling, or one row lacking elsewhere, makes the same value wrong in many cells."""

_PERSONAL = re.compile(r"\d{9}")


def rank_repairs(issues: pd.DataFrame, form_set: FormSet | None = None, top: int = 5) -> pd.DataFrame:
    """The repairs that clear most of the errors of a list: a row a repair with `COLUMNS`, best first.

    `repair` is a Vietnamese sentence, which quotes no value but one of a list or a code that stands in several cells.
    `issues` counts the errors that it clears, `rows_released` the rows that nothing else holds back. `form_set` gives
    headings and effects; without it they are taken from the agreed ones.
    """
    errors = issues[issues["severity"] == ERROR]
    errors = errors[errors["cell"].astype("str").str.match(r"[A-Z]+\d+$")]
    if errors.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    rule, value = errors["rule"].astype("str"), errors["value"].fillna("").astype("str")
    by_value = rule.isin(_BY_VALUE) & ~value.str.contains(_PERSONAL) & (value != "")
    year = value.str.extract(r"(\d{4})$")[0].where(rule == "outside_period")
    grouped = errors.assign(
        about=np.where(by_value, value, year.fillna("")),
        # The same unknown code is one missing row, whichever forms refer to it.
        where=np.where(by_value & (rule == "unknown_code"), "", errors["form"] + "\n" + errors["column"]),
        line=errors["file"].fillna("") + "\n" + errors["form"] + "\n" + errors["cell"].str.extract(r"(\d+)$")[0],
    )
    keys = ["rule", "where", "about"]
    grouped["group"] = grouped.groupby(keys, sort=False).ngroup()
    holding = grouped[_holds_back(grouped, form_set)]
    alone = holding.groupby("line")["group"].transform("nunique") == 1
    released = holding[alone].groupby("group")["line"].nunique()
    ranked = grouped.groupby("group").agg(
        rule=("rule", "first"),
        forms=("form", lambda titles: ", ".join(dict.fromkeys(titles))),
        column=("column", "first"),
        value=("about", "first"),
        issues=("rule", "size"),
        cell=("cell", "first"),
    )
    ranked["rows_released"] = released.reindex(ranked.index).fillna(0).astype(int)
    ranked = ranked.sort_values(["rows_released", "issues"], ascending=False, kind="stable").head(top)
    headings = _headings(form_set)
    ranked["repair"] = [_sentence(line, headings) for line in ranked.itertuples()]
    # A value that stands in one cell may be anything, a name typed into a wrong column too.
    ranked["value"] = ranked["value"].where((ranked["issues"] > 1) | (ranked["rule"] == "outside_period"), "")
    return ranked.rename(columns={"forms": "form"}).reset_index(drop=True)[list(COLUMNS)]


def _holds_back(errors: pd.DataFrame, form_set: FormSet | None) -> np.ndarray:
    """Which errors hold their row back; one at a line that is lacking or on the cover holds none."""
    sets = [form_set] if form_set is not None else list(load_form_sets().values())
    forms = {form.title: form for one in sets for form in one.forms}
    places = list(zip(errors["form"], errors["column"], errors["rule"], strict=True))
    holds = {
        (form, column, rule): form in forms and rule != "row_missing" and forms[form].effect(column, rule) == "hold"
        for form, column, rule in set(places)
    }
    return np.array([holds[place] for place in places], dtype=bool)


def _headings(form_set: FormSet | None) -> dict[tuple[str, str], str]:
    """Headings by form title and column key."""
    sets = [form_set] if form_set is not None else list(load_form_sets().values())
    found = {(form.title, item.key): item.heading for one in sets for form in one.forms for item in form.columns}
    return found | {(one.cover.sheet, item.key): item.heading for one in sets if one.cover for item in one.cover.fields}


def _sentence(line: tuple, headings: dict[tuple[str, str], str]) -> str:
    form, count = line.forms, number(line.issues)
    heading = headings.get((form.split(", ")[0], line.column), line.column)
    place = f"{form}, cột “{heading}”"
    one = line.issues == 1
    cells = f"ô {line.cell}" if one else f"{count} ô"
    match line.rule:
        case "not_in_list" if not one and line.value:
            return f"{place}: thay “{line.value}” bằng một giá trị của danh mục ({cells})."
        case "unknown_code" if not one and line.value:
            return f"Bổ sung mã {line.value} ở biểu được dẫn chiếu, hoặc sửa {cells} đang ghi mã này ({form})."
        case "outside_period" if line.value:
            return f"{place}: kiểm tra năm {line.value} ở {cells}."
        case "code_as_number":
            return f"{place}: định dạng cả cột là Text rồi gõ lại mã ở {cells}."
        case "row_missing":
            return f"{form}: bổ sung {count} dòng còn thiếu."
    rule = load_rules().rule(line.rule)
    mend = rule.mend.format_map({"heading": heading})
    return f"{place}: {rule.name[0].lower()}{rule.name[1:]} ở {cells}. {mend}"
