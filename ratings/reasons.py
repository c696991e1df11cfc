"""What a signal says in words: what was reported, what is usual, what else it may be, and what to ask for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pandas as pd
import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ratings.signals.battery import FAMILIES, SIGNALS
from ratings.signals.frames import REASONS, Scale

SIGNAL_TEXTS = Path(__file__).with_name("signals.yaml")

AGAIN = "đề nghị thẩm định lại."
"""Every sentence ends so."""

MOST_REASONS = 3

TOLD_CLOSELY = 10
"""Expected counts below this are told between two whole numbers."""

SPEAKS = 0.05
"""A third reason is told where its p is at most this."""

REASON_COLUMNS = {
    "organisation": "str",
    "period": "Int64",
    "place": "Int64",
    "signal": "str",
    "name": "str",
    "z": "Float64",
    "p": "Float64",
    "reported": "str",
    "usual": "str",
    "innocent": "str",
    "ask_for": "str",
    "sentence": "str",
}
"""Of `reasons`: one row an organisation and reason, `place` 1 the strongest; `sentence` is the four parts in one."""


class _Text(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, str_min_length=1)


class SignalText(_Text):
    """One signal as it is explained; `reported` and `usual` by view, and what follows them where periods are pooled."""

    id: str
    name: str
    question: str
    source: str
    needs: str
    reported: dict[str, str]
    usual: dict[str, str]
    innocent: str
    ask_for: str
    together: dict[Literal["reported", "usual"], str] = {}

    @model_validator(mode="after")
    def _has_a_default(self) -> Self:
        if "default" not in self.reported or "default" not in self.usual:
            raise ValueError(f"{self.id}: no default wording")
        return self


class _Texts(_Text):
    signals: list[SignalText] = Field(min_length=1)


@dataclass(frozen=True)
class Words:
    """What the rated, the parts of an organisation and the organisation itself are called."""

    subject: str = "đối tượng"
    group: str = "bộ phận"
    kind: str = "tổ chức"


PLAIN = Words()


@cache
def signal_texts(path: Path = SIGNAL_TEXTS) -> Mapping[str, SignalText]:
    """The texts of all signals by id; raises ValueError where one is missing or is of no signal."""
    texts = {text.id: text for text in _Texts.model_validate(yaml.safe_load(path.read_text("utf-8"))).signals}
    if set(texts) != set(SIGNALS):
        raise ValueError(f"{path.name}: texts of {sorted(texts)}, signals {sorted(SIGNALS)}")
    return texts


def reasons(listed: pd.DataFrame, signals: pd.DataFrame, scale: Scale, words: Words = PLAIN) -> pd.DataFrame:
    """Two or three reasons of each listed organisation (`combination.LIST_COLUMNS`), strongest first; `REASON_COLUMNS`.

    The strongest signal of each of its two families, then that of a third where p <= .05.
    """
    rows = signals[signals["organisation"].isin(set(listed["organisation"])) & signals["is_testable"]]
    rows = rows[rows["family"].notna()].sort_values(["organisation", "p", "signal"], kind="stable")
    rows = rows.drop_duplicates(["organisation", "family"])
    order = dict(zip(listed["organisation"], range(len(listed)), strict=True))
    rows = rows.assign(place=rows.groupby("organisation").cumcount() + 1, listed=rows["organisation"].map(order))
    rows = rows[(rows["place"] <= 2) | ((rows["place"] <= MOST_REASONS) & (rows["p"] <= SPEAKS))]
    rows = rows.sort_values(["listed", "place"], kind="stable")
    return tell(rows, scale, words).assign(place=rows["place"].to_numpy()).astype(REASON_COLUMNS)


def tell(rows: pd.DataFrame, scale: Scale, words: Words = PLAIN) -> pd.DataFrame:
    """Rows of signals that could be tested in words; `REASON_COLUMNS` but for `place`, which is 1."""
    told = [_told(row, scale, words) for row in rows.to_dict("records")]
    return pd.DataFrame(told, columns=list(REASON_COLUMNS)).astype(REASON_COLUMNS)


def why_not(reason_code: str) -> str:
    """Why something could not be tested, in words."""
    return REASONS[reason_code]


def sentence(reported: str, usual: str, innocent: str, ask_for: str) -> str:
    """The four parts as they are told."""
    whole = f"{reported}; {usual}. Cũng có thể do: {innocent}. Cần xem {ask_for}; {AGAIN}"
    return whole[:1].upper() + whole[1:]


def number(value: object, decimals: int = 1) -> str:
    """A figure as Vietnamese reports write it: 1.234,5; whole numbers without decimals; "không rõ" where not known."""
    if value is None or pd.isna(value):
        return "không rõ"
    rounded = round(float(value), decimals)
    text = f"{abs(rounded):,.{0 if rounded == round(rounded) else decimals}f}".translate(str.maketrans(",.", ".,"))
    return f"−{text}" if rounded < 0 else text


def about(expected: object, observed: object = None) -> str:
    """An expected count in whole numbers: "khoảng 12", "khoảng 2 đến 3", "chưa đến 1".

    Both whole numbers around it where it is below ten, or where the nearer one is what was observed.
    """
    if expected is None or pd.isna(expected):
        return "không rõ"
    value = float(expected)
    low, high = int(np.floor(value)), int(np.ceil(value))
    nearest = int(np.floor(value + 0.5))
    if value < 1 and nearest != value:
        return "chưa đến 1"
    is_told = observed is not None and not pd.isna(observed) and nearest == float(observed)
    if low != high and (value < TOLD_CLOSELY or is_told):
        return f"khoảng {number(low)} đến {number(high)}"
    return f"khoảng {number(nearest)}"


def percent(share: object, decimals: int = 1) -> str:
    """A share as a percentage; never 100% where it is less."""
    if share is None or pd.isna(share):
        return "không rõ"
    held = min(100 * float(share), 99.9) if float(share) < 1 else 100 * float(share)
    return f"{number(held, decimals)}%"


def _told(row: Mapping[str, object], scale: Scale, words: Words) -> dict[str, object]:
    text = signal_texts()[row["signal"]]
    given = json.loads(row["parameters"]) if isinstance(row["parameters"], str) else {}
    view = _view(row["signal"], given)
    places = _places(row, given, scale, words)
    together = text.together if (given.get("periods") or 0) > 1 else {}
    parts = {
        **{
            name: (by_view.get(view, by_view["default"]) + together.get(name, "")).format_map(places)
            for name, by_view in {"reported": text.reported, "usual": text.usual}.items()
        },
        "innocent": text.innocent.format_map(places),
        "ask_for": text.ask_for.format_map(places),
    }
    same = {name: row[name] for name in ("organisation", "period", "signal", "z", "p")}
    return {**same, "place": 1, "name": text.name, **parts, "sentence": sentence(**parts)}


def _view(signal: str, given: Mapping[str, object]) -> str:
    if signal == "UNIFORM":  # the parameters are the deviates of its views
        views = {name: value for name, value in given.items() if isinstance(value, int | float)}
        return max(views, key=views.get, default="default")
    return str(given.get("view") or given.get("variant") or "default")


def _places(row: Mapping[str, object], given: Mapping[str, object], scale: Scale, words: Words) -> dict[str, str]:
    """What may stand in a wording, as text."""
    n, observed, expected = (_float(row[name]) for name in ("n", "observed", "expected"))
    whole = n if n and n > 0 else np.nan
    places = {
        "n": number(n),
        "observed": number(observed, 2),
        "expected": number(expected),
        "about": about(expected, observed),
        "statistic": number(row["statistic"]),
        "peers": number(row["peers"]),
        "share": percent(observed / whole),
        "usual_share": percent(expected / whole),
        "expected_share": percent(expected),
        "subject": words.subject,
        "group": words.group,
        "kind": words.kind,
        "highest": str(len(scale.levels) - 1),
        "level": _level(observed, scale) if row["signal"] == "OWN" else "",
        "target_share": percent(given.get("target")),
        "modal_share": percent(given.get("share")),
    }
    for name, value in given.items():
        if name not in places:
            places[name] = _as_text(value, scale)
    if "all_expected" in given:
        places["all_about"] = about(given["all_expected"], given["all_observed"])
    return places


def _as_text(value: object, scale: Scale) -> str:
    if isinstance(value, list):  # places on the scale of scores
        return ", ".join(number(scale.shown(each), 2) for each in value)
    return value if isinstance(value, str) else number(value, 2)


def _level(rank: float, scale: Scale) -> str:
    place = len(scale.levels) - 1 - int(rank) if np.isfinite(rank) else -1
    return scale.levels[place] if 0 <= place < len(scale.levels) else "không rõ"


def _float(value: object) -> float:
    return np.nan if pd.isna(value) else float(value)


def family_names() -> dict[str, str]:
    """What a family is called: by its first signal."""
    return {family: signal_texts()[names[0]].name for family, names in FAMILIES.items()}
