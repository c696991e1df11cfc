"""The register as tables for the warehouse."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa

from submissions.register.answers import explanations, waivers
from submissions.register.deadlines import Deadlines, obligations
from submissions.register.fieldchecks import draws
from submissions.register.identities import canonical_keys
from submissions.register.log import Register
from submissions.register.states import sendings
from submissions.store import FIELD_CHECK_DRAWS, MEMBER_IDENTITIES, frame_table, write_aside, write_table

CAME = ("on_time", "late", "held", "received")
"""States of obligations for which something came that lateness is told by; the others' would grow day by day."""

_INSTANT = pa.timestamp("us", tz="UTC")

SENDINGS = pa.schema(
    [
        ("receipt_no", pa.int64()),
        ("source_hash", pa.string()),
        ("source_kind", pa.string()),
        ("size_bytes", pa.int64()),
        ("received_at", _INSTANT),
        ("unit_code", pa.string()),
        ("year", pa.int64()),
        ("number", pa.int64()),
        ("sent_no", pa.int64()),
        ("prepared_on", pa.date32()),
        ("form_version", pa.string()),
        ("state", pa.string()),
        ("state_reason_code", pa.string()),
        ("decided_at", _INSTANT),
        ("errors", pa.int64()),
        ("queries", pa.int64()),
        ("counts", pa.string()),
        ("replaced_by", pa.string()),
        ("days_late", pa.int64()),
        ("is_in_force", pa.bool_()),
    ]
)
"""One row a file received; without file names and messages, which may name persons."""

OBLIGATIONS = pa.schema(
    [
        ("unit_code", pa.string()),
        ("unit_name", pa.string()),
        ("level", pa.string()),
        ("year", pa.int64()),
        ("due_before", pa.date32()),
        ("due_source", pa.string()),
        ("extended_until", pa.date32()),
        ("is_due", pa.bool_()),
        ("state", pa.string()),
        ("state_name", pa.string()),
        ("received_on", pa.date32()),
        ("reported_on", pa.date32()),
        ("accepted_on", pa.date32()),
        ("days_late", pa.int64()),
        ("sendings", pa.int64()),
    ]
)
"""One row a unit and year."""

EXPLANATIONS = pa.schema(
    [
        ("unit_code", pa.string()),
        ("year", pa.int64()),
        ("issue_id", pa.string()),
        ("numbers", pa.string()),
        ("code", pa.string()),
        ("source_hash", pa.string()),
        ("explained_at", _INSTANT),
    ]
)
"""One row an issue that was explained; without the text, which may name persons."""

WAIVERS = pa.schema(
    [
        ("rule", pa.string()),
        ("unit_code", pa.string()),
        ("year", pa.int64()),
        ("limit_count", pa.int64()),
        ("limit_share", pa.float64()),
        ("until", pa.date32()),
        ("decided_at", _INSTANT),
        ("is_ended", pa.bool_()),
    ]
)
"""One row a rule, unit and year that was waived; without approver and reason, which may name persons."""


def export(
    register: Register,
    units: pd.DataFrame,
    years: Sequence[int],
    folder: Path,
    *,
    today: date,
    deadlines: Deadlines | None = None,
) -> None:
    """Write `register/*.parquet` under `folder`: whole files, with the same bytes for the same events.

    The day decides on what is due; it is not counted from, so that nothing changes from one day to the next unless a
    deadline passes. `anchor.json` beside them says up to which event they were told, and on which day.
    """
    anchor = register.anchor()
    deadlines = deadlines or Deadlines.read()
    sent = sendings(register, deadlines)
    sent = sent.assign(prepared_on=pd.to_datetime(sent["prepared_on"], format="%Y-%m-%d", errors="coerce").dt.date)
    owed = obligations(register, units, years, today, deadlines)
    came = owed["state"].isin(CAME)
    tables = {
        "sendings": (sent, SENDINGS),
        "obligations": (owed.assign(days_late=owed["days_late"].where(came)), OBLIGATIONS),
        "explanations": (explanations(register), EXPLANATIONS),
        "waivers": (waivers(register), WAIVERS),
        "member_identities": (canonical_keys(register), MEMBER_IDENTITIES),
        "field_check_draws": (draws(register), FIELD_CHECK_DRAWS),
    }
    target = folder / "register"
    target.mkdir(parents=True, exist_ok=True)
    for name, (frame, schema) in tables.items():
        write_table(frame_table(frame, schema), target / f"{name}.parquet")
    told = {"count": anchor.count, "hash": anchor.hash, "today": today.isoformat()}
    write_aside(target / "anchor.json", json.dumps(told).encode())
