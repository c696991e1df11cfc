"""The table of events, which the database itself lets grow only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_REFUSED = "register_events is append-only"


def upgrade() -> None:
    """Make the table, its indexes and its guards."""
    op.create_table(
        "register_events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False, unique=True),
        sa.Column("unit_code", sa.Text),
        sa.Column("year", sa.Integer),
        sa.Column("source_hash", sa.Text),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False, unique=True),
    )
    op.create_index("register_events_by_kind", "register_events", ["kind"])
    op.create_index("register_events_by_unit", "register_events", ["unit_code", "year"])
    guards = _postgresql() if op.get_bind().dialect.name == "postgresql" else _sqlite()
    for statement in guards:
        op.execute(sa.text(statement))


def _sqlite() -> list[str]:
    refuse = f"BEGIN SELECT RAISE(ABORT, '{_REFUSED}'); END"
    return [
        f"CREATE TRIGGER register_events_no_update BEFORE UPDATE ON register_events {refuse}",
        f"CREATE TRIGGER register_events_no_delete BEFORE DELETE ON register_events {refuse}",
        # INSERT OR REPLACE deletes without firing the trigger on DELETE: whatever it would replace is refused before.
        "CREATE TRIGGER register_events_no_replace BEFORE INSERT ON register_events WHEN EXISTS "
        "(SELECT 1 FROM register_events WHERE seq = NEW.seq) "
        "OR EXISTS (SELECT 1 FROM register_events WHERE key = NEW.key) "
        f"OR EXISTS (SELECT 1 FROM register_events WHERE hash = NEW.hash) {refuse}",
    ]


def _postgresql() -> list[str]:
    call = "FOR EACH STATEMENT EXECUTE FUNCTION register_events_refuse()"
    return [
        "CREATE FUNCTION register_events_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSED}'; END $$",
        f"CREATE TRIGGER register_events_append_only BEFORE UPDATE OR DELETE ON register_events {call}",
        f"CREATE TRIGGER register_events_no_truncate BEFORE TRUNCATE ON register_events {call}",
        # Also where session_replication_role says that triggers are not to fire.
        "ALTER TABLE register_events ENABLE ALWAYS TRIGGER register_events_append_only",
        "ALTER TABLE register_events ENABLE ALWAYS TRIGGER register_events_no_truncate",
    ]
