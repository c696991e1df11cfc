"""Vietnamese wording of columns: 1.716, 25,4%, 05/02/2026, subjects without names of persons."""

from string import Formatter

import pandas as pd

KEY_LENGTH = 8
"""Characters of a member key that are shown: enough to find the case, and no name."""


def number(values: pd.Series) -> pd.Series:
    """Whole numbers as ``1.716``."""
    return values.map(lambda value: f"{int(value):,}".replace(",", "."), na_action="ignore").astype("str")


def ratio(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Percentages as ``25,4%``, half rounded up."""
    tenths = (part * 2000 // whole.where(whole > 0) + 1) // 2
    text = tenths.map(lambda value: f"{int(value) // 10},{int(value) % 10}%", na_action="ignore")
    return text.astype("str").fillna("không xác định")


def date(values: pd.Series) -> pd.Series:
    """Dates as ``05/02/2026``."""
    return values.dt.strftime("%d/%m/%Y").astype("str")


def member(keys: pd.Series) -> pd.Series:
    """A member by the first characters of the key."""
    return "đảng viên mã " + keys.str[:KEY_LENGTH]


def organisation(names: pd.Series, codes: pd.Series) -> pd.Series:
    """An organisation by name and code, or by code alone where its name is not known."""
    return (names + " (" + codes + ")").fillna("tổ chức đảng " + codes)


def sentence(text: pd.Series) -> pd.Series:
    """The text with its first letter raised, nothing else changed."""
    return text.str[:1].str.upper() + text.str[1:]


def phrase(template: str, **parts: pd.Series) -> pd.Series:
    """The template with a column in each ``{place}``; missing where a part is missing."""
    text: pd.Series | str = ""
    for literal, place, _, _ in Formatter().parse(template):
        text = text + literal
        if place is not None:
            text = text + parts[place].astype("str")
    return text


def listed(parts: pd.DataFrame) -> pd.Series:
    """The parts of each row that are given, one after the other: ``a; b``."""
    text = pd.Series("", parts.index, dtype="str")
    for part in (parts[name].astype("str") for name in parts):
        between = (text.eq("") | part.isna()).map({True: "", False: "; "})
        text = text + between.astype("str") + part.fillna("")
    return text
