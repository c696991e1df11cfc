"""Numbers, dates and lists as Vietnamese official reports write them: 1.716; 91,2%; 31/12/2025; tăng 1,5 điểm %."""

from collections.abc import Iterable
from datetime import date as Date
from decimal import ROUND_HALF_UP, Decimal
from numbers import Real

MISSING = "Thiếu dữ liệu"
"""What stands where a figure is not known; never a zero."""

MOST_DECIMALS = 4


def is_missing(value: Real | None) -> bool:
    """Whether a figure is unknown: None, NaN or pandas' NA."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    return bool(value != value)


def number(value: Real | None, decimals: int = 0) -> str:
    """A figure with decimal comma and thousands dot, halves rounded away from zero."""
    if is_missing(value):
        return MISSING
    rounded = _rounded(value, decimals)
    text = f"{abs(rounded):,.{decimals}f}".translate(str.maketrans(",.", ".,"))
    return f"−{text}" if rounded < 0 else text


def one_decimal(value: Real | None) -> str:
    """A number with one decimal, for columns of tables."""
    return number(value, 1)


def percent(value: Real | None, decimals: int = 1) -> str:
    """A percentage given on the scale 0-100."""
    return MISSING if is_missing(value) else f"{number(value, decimals)}%"


def percent_beside(value: Real | None, target: Real, decimals: int = 1) -> str:
    """A percentage with as many decimals as it takes not to look like the target it missed or passed."""
    if is_missing(value):
        return MISSING
    return percent(value, _decimals_apart(value, target, decimals))


def trimmed(value: Real | None, decimals: int = 2) -> str:
    """A figure without needless zeros after the comma: 3, 2,5, 0,75."""
    text = number(value, decimals)
    return text.rstrip("0").rstrip(",") if "," in text else text


def points(difference: Real | None, decimals: int = 1) -> str:
    """A difference of two percentages in words: 'tăng 1,5 điểm %', 'giảm 0,4 điểm %', 'không đổi'."""
    if is_missing(difference):
        return MISSING
    rounded = _rounded(difference, decimals)
    if rounded == 0:
        return "không đổi"
    return f"{'tăng' if rounded > 0 else 'giảm'} {number(abs(rounded), decimals)} điểm %"


def gap(value: Real, target: Real, decimals: int = 1) -> str:
    """The distance of two percentages without a sign, never rounded to nothing when there is one."""
    return f"{number(abs(_decimal(value) - _decimal(target)), _decimals_apart(value, target, decimals))} điểm %"


def date(value: Date | None) -> str:
    """A day as dd/mm/yyyy."""
    return MISSING if is_missing(value) else f"{value:%d/%m/%Y}"


def share(part: Real | None, whole: Real | None) -> float | None:
    """Part of whole on the scale 0-100; unknown when either is, or when the whole is nothing."""
    if is_missing(part) or is_missing(whole) or not whole:
        return None
    return 100 * float(part) / float(whole)


def listed(names: Iterable[str]) -> str:
    """Names in a row: 'A', 'A và B', 'A, B và C'."""
    names = list(names)
    return " và ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _decimals_apart(value: Real, target: Real, decimals: int) -> int:
    while (
        decimals < MOST_DECIMALS
        and _decimal(value) != _decimal(target)
        and _rounded(value, decimals) == _rounded(target, decimals)
    ):
        decimals += 1
    return decimals


def _decimal(value: Real | Decimal) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(float(value)))


def _rounded(value: Real | Decimal, decimals: int) -> Decimal:
    return _decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP) + 0
