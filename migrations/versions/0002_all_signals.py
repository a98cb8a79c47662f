"""Every kind of signal: outputs keep one integer and their groups; counted blocks, late rows, external events.

Labelled outputs that wait for their block are kept: a rate's `bad` is its integer.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _outputs()
    op.create_table(
        "counted_block",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("start_us", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("block", sa.JSON(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint(
            "source_id", "release_id", "signal", "arm", "segment", "start_us", name="pk_counted_block"
        ),
    )
    op.create_index("ix_counted_block_release_id_start_us", "counted_block", ["release_id", "start_us"])
    op.create_table(
        "external_event",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text()),
        sa.Column("begins_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "event_id", name="pk_external_event"),
    )
    op.create_index("ix_external_event_begins_us", "external_event", ["begins_us"])
    op.create_table(
        "signal_block_late",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("closed_after", sa.BigInteger(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "seq", name="pk_signal_block_late"),
        sa.ForeignKeyConstraint(["release_id"], ["release.release_id"], name="fk_signal_block_late_release_id"),
    )
    if op.get_bind().dialect.name == "sqlite":
        for trigger in SQLITE_APPEND_ONLY:
            op.execute(sa.DDL(trigger.strip()))
    else:
        op.execute(
            "CREATE TRIGGER signal_block_late_append_only BEFORE UPDATE OR DELETE OR TRUNCATE "
            "ON public.signal_block_late FOR EACH STATEMENT EXECUTE FUNCTION public.countermand_append_only()"
        )
        op.execute("ALTER TABLE public.signal_block_late ENABLE ALWAYS TRIGGER signal_block_late_append_only")


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")


def _outputs() -> None:
    """A new table, because SQLite cannot drop a column that a constraint names."""
    op.drop_index("ix_observation_release_id_event_us", table_name="observation")
    op.rename_table("observation", "observation_before")
    # The names of constraints belong to the schema on PostgreSQL; the old ones go with the old table.
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE observation_before RENAME CONSTRAINT pk_observation TO pk_observation_before")
    op.create_table(
        "observation",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("observation_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("event_us", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Integer()),
        sa.Column("segments", sa.Text()),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "observation_id", name="pk_observation"),
        sa.CheckConstraint("value >= 0", name=op.f("ck_observation_value")),
        sa.CheckConstraint("arm IN ('candidate', 'baseline')", name=op.f("ck_observation_arm")),
    )
    op.execute(
        "INSERT INTO observation SELECT source_id, observation_id, batch_id, release_id, signal, arm, event_us, bad, "
        "NULL, late FROM observation_before"
    )
    op.drop_table("observation_before")
    op.create_index("ix_observation_release_id_event_us", "observation", ["release_id", "event_us"])


SQLITE_APPEND_ONLY = (
    """
CREATE TRIGGER signal_block_late_no_update BEFORE UPDATE ON signal_block_late
BEGIN
  SELECT RAISE(ABORT, 'signal_block_late is append-only: UPDATE refused');
END
""",
    """
CREATE TRIGGER signal_block_late_no_delete BEFORE DELETE ON signal_block_late
BEGIN
  SELECT RAISE(ABORT, 'signal_block_late is append-only: DELETE refused');
END
""",
    """
CREATE TRIGGER signal_block_late_guard BEFORE INSERT ON signal_block_late
BEGIN
  SELECT RAISE(ABORT, 'signal_block_late is append-only: already present')
  WHERE EXISTS (SELECT 1 FROM signal_block_late WHERE release_id = NEW.release_id AND seq = NEW.seq);
END
""",
)
