"""Samples that were drawn for a second appraisal on the spot: the fold of those events."""

from collections.abc import Mapping, Sequence

import pandas as pd

from submissions.register.log import Event, Register, RegisterError

KIND = "field_check_drawn"

MEMBER = ("number", "unit_code", "org_code", "cell_code", "member_key", "record_id", "level_code")
ORGANISATION = (
    "unit_code", "org_code", "arm", "t", "rated", "drawn", "risk_probability", "random_probability", "probability",
)  # fmt: skip
"""What the register keeps of each member and organisation drawn, in this order: codes and pseudonymous keys."""

SETTINGS = ("seed", "difference", "base_rate", "correlation", "power", "per_arm", "per_organisation", "population")
"""With what was drawn."""

COLUMNS = ("draw_id", "year", *SETTINGS, *MEMBER, *ORGANISATION[2:])
"""The columns of `draws`."""


def record(
    register: Register,
    draw_id: str,
    year: int,
    settings: Mapping[str, object],
    organisations: pd.DataFrame,
    members: pd.DataFrame,
    *,
    by: str,
) -> bool:
    """Enter a draw, with the columns of `ORGANISATION` and `MEMBER`; whether it is new: the same draw is one draw.

    Raises `RegisterError` where nobody answers for it.
    """
    if not by.strip():
        raise RegisterError("Phải ghi rõ cơ quan rút mẫu.")
    body = {
        **{name: settings[name] for name in SETTINGS},
        "draw_id": draw_id,
        "by": by.strip(),
        "organisations": _rows(organisations, ORGANISATION),
        "members": _rows(members, MEMBER),
    }
    return bool(register.append([Event(KIND, f"{KIND}:{draw_id}", year=int(year), body=body)]))


def draws(register: Register) -> pd.DataFrame:
    """Every member drawn, `COLUMNS`: a row a draw and number, in the order of the log."""
    frames = [pd.DataFrame(columns=list(COLUMNS))]
    for event in register.read([KIND]):
        members = pd.DataFrame(event.body["members"], columns=list(MEMBER))
        organisations = pd.DataFrame(event.body["organisations"], columns=list(ORGANISATION))
        told = {name: event.body[name] for name in ("draw_id", *SETTINGS)} | {"year": event.year}
        frames.append(members.merge(organisations, on=["unit_code", "org_code"], how="left").assign(**told))
    return pd.concat([frame.astype(object) for frame in frames], ignore_index=True)[list(COLUMNS)]


def _rows(frame: pd.DataFrame, columns: Sequence[str]) -> list[list[object]]:
    """The rows as JSON has them: an empty value is none."""
    picked = frame[list(columns)].astype(object)
    return picked.where(picked.notna(), None).to_numpy().tolist()
