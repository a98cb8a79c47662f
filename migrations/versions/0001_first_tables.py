"""First tables: ledger, evidence, playbooks, releases, signals, outbox, accounts.

The triggers are written out here because `op.create_table` fires no metadata events. A trigger that changes
needs a new migration and new digests in `adapters/append_only.py`.
"""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OPTIONAL_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    _append_only_tables()
    _signal_tables()
    _people_and_messages()
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")


def _append_only_tables() -> None:
    op.create_table(
        "ledger_record",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text()),
        sa.Column("release_id", sa.Text()),
        sa.Column("idem_key", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("prev", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger_record"),
        sa.CheckConstraint("seq >= 0", name=op.f("ck_ledger_record_seq")),
        sa.CheckConstraint("length(hash) = 64 AND length(prev) = 64", name=op.f("ck_ledger_record_hashes")),
        sa.UniqueConstraint("idem_key", name="uq_ledger_record_idem_key"),
        sa.UniqueConstraint("hash", name="uq_ledger_record_hash"),
    )
    for column in ("incident_id", "release_id", "kind"):
        op.create_index(f"ix_ledger_record_{column}_seq", "ledger_record", [column, "seq"])
    op.create_table(
        "evidence_blob",
        sa.Column("sha256", sa.String(71), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_evidence_blob"),
    )
    op.create_table(
        "playbook_version",
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_playbook_version"),
    )


def _signal_tables() -> None:
    op.create_table(
        "release",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("release", sa.JSON(), nullable=False),
        sa.Column("playbook_digest", sa.String(71), nullable=False),
        sa.Column("signals", sa.JSON(), nullable=False),
        sa.Column("registered_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime()),
        sa.Column("closed_why", sa.Text()),
        sa.Column("sealed_until_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("release_id", name="pk_release"),
        sa.ForeignKeyConstraint(["playbook_digest"], ["playbook_version.digest"], name="fk_release_playbook_digest"),
    )
    op.create_table(
        "observation",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("observation_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("signal", sa.Text(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("event_us", sa.BigInteger(), nullable=False),
        sa.Column("bad", sa.SmallInteger()),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "observation_id", name="pk_observation"),
        sa.CheckConstraint("bad IN (0, 1)", name=op.f("ck_observation_bad")),
        sa.CheckConstraint("arm IN ('candidate', 'baseline')", name=op.f("ck_observation_arm")),
    )
    op.create_index("ix_observation_release_id_event_us", "observation", ["release_id", "event_us"])
    op.create_table(
        "signal_batch",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("answer", OPTIONAL_JSON),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "batch_id", name="pk_signal_batch"),
    )
    op.create_table(
        "signal_block",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("start", UtcDateTime(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "seq", name="pk_signal_block"),
        sa.ForeignKeyConstraint(["release_id"], ["release.release_id"], name="fk_signal_block_release_id"),
    )
    op.create_table(
        "evaluation",
        sa.Column("release_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("release_id", "seq", name="pk_evaluation"),
        sa.ForeignKeyConstraint(["release_id"], ["release.release_id"], name="fk_evaluation_release_id"),
    )


def _people_and_messages() -> None:
    op.create_table(
        "outbox",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("receipt", OPTIONAL_JSON),
        sa.PrimaryKeyConstraint("key", name="pk_outbox"),
    )
    op.create_index("ix_outbox_incident_id", "outbox", ["incident_id"])
    op.create_table(
        "account",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_account"),
    )
    op.create_table(
        "session",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_session"),
        sa.ForeignKeyConstraint(["subject"], ["account.subject"], name="fk_session_subject"),
    )
    op.create_table(
        "api_token",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("releases", OPTIONAL_JSON),
        sa.Column("environments", OPTIONAL_JSON),
        sa.Column("issued_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_api_token"),
        sa.UniqueConstraint("token_id", name="uq_api_token_token_id"),
        sa.CheckConstraint("kind IN ('person', 'source')", name=op.f("ck_api_token_kind")),
    )
    op.create_table(
        "shown_view",
        sa.Column("view_sha256", sa.String(71), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("ask_id", sa.Text(), nullable=False),
        sa.Column("approval_digest", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("view_sha256", "subject", "ask_id", name="pk_shown_view"),
        sa.ForeignKeyConstraint(["view_sha256"], ["evidence_blob.sha256"], name="fk_shown_view_view_sha256"),
    )


# Update and delete triggers alone do not stop INSERT OR REPLACE, so each table has an insert guard too.
SQLITE_APPEND_ONLY = (
    """
CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table}
BEGIN
  SELECT RAISE(ABORT, '{table} is append-only: UPDATE refused');
END
""",
    """
CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table}
BEGIN
  SELECT RAISE(ABORT, '{table} is append-only: DELETE refused');
END
""",
    """
CREATE TRIGGER {table}_guard BEFORE INSERT ON {table}
BEGIN
  SELECT RAISE(ABORT, '{table} is append-only: already present')
  WHERE EXISTS (SELECT 1 FROM {table} WHERE {present});{shape}
END
""",
)

SQLITE_CHAIN_SHAPE = """
  SELECT RAISE(ABORT, 'ledger_record: seq is not the next one')
  WHERE NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 0) FROM ledger_record);
  SELECT RAISE(ABORT, 'ledger_record: prev is not the hash of the head')
  WHERE NEW.prev IS NOT coalesce(
    (SELECT hash FROM ledger_record ORDER BY seq DESC LIMIT 1),
    '0000000000000000000000000000000000000000000000000000000000000000'
  );"""


def _sqlite_triggers() -> None:
    for table, present, shape in (
        ("ledger_record", "seq = NEW.seq OR hash = NEW.hash OR idem_key = NEW.idem_key", SQLITE_CHAIN_SHAPE),
        ("evidence_blob", "sha256 = NEW.sha256", ""),
        ("playbook_version", "digest = NEW.digest", ""),
        ("signal_block", "release_id = NEW.release_id AND seq = NEW.seq", ""),
    ):
        for trigger in SQLITE_APPEND_ONLY:
            op.execute(sa.DDL(trigger.format(table=table, present=present, shape=shape).strip()))


POSTGRESQL_APPEND_ONLY = """
CREATE FUNCTION public.countermand_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$
"""

# The schema is named so that a temporary table called ledger_record cannot stand in for the head.
POSTGRESQL_CHAIN_GUARD = """
CREATE FUNCTION public.countermand_chain_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  head record;
BEGIN
  IF EXISTS (SELECT 1 FROM public.ledger_record WHERE hash = NEW.hash OR idem_key = NEW.idem_key) THEN
    RAISE EXCEPTION 'ledger_record is append-only: already present' USING ERRCODE = 'restrict_violation';
  END IF;
  SELECT seq, hash INTO head FROM public.ledger_record ORDER BY seq DESC LIMIT 1;
  IF NEW.seq IS DISTINCT FROM coalesce(head.seq + 1, 0) THEN
    RAISE EXCEPTION 'ledger_record: seq is not the next one' USING ERRCODE = 'restrict_violation';
  END IF;
  IF NEW.prev IS DISTINCT FROM coalesce(head.hash, repeat('0', 64)) THEN
    RAISE EXCEPTION 'ledger_record: prev is not the hash of the head' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$
"""


def _postgresql_triggers() -> None:
    op.execute(sa.DDL(POSTGRESQL_APPEND_ONLY.replace("%", "%%")))
    op.execute(sa.DDL(POSTGRESQL_CHAIN_GUARD.replace("%", "%%")))
    for table in ("ledger_record", "evidence_blob", "playbook_version", "signal_block"):
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION public.countermand_append_only()"
        )
        # ALWAYS: without it a session with session_replication_role = replica rewrites rows.
        op.execute(f"ALTER TABLE public.{table} ENABLE ALWAYS TRIGGER {table}_append_only")
    op.execute(
        "CREATE TRIGGER ledger_record_guard BEFORE INSERT ON public.ledger_record "
        "FOR EACH ROW EXECUTE FUNCTION public.countermand_chain_guard()"
    )
    op.execute("ALTER TABLE public.ledger_record ENABLE ALWAYS TRIGGER ledger_record_guard")
