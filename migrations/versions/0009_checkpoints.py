"""Checkpoints of the Ledger, the tree under them, and who outside has seen them.

An existing Ledger gets its tree with its first checkpoint.
"""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "merkle_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name="pk_merkle_node"),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_merkle_node_hash")),
    )
    op.create_table(
        "ledger_checkpoint",
        sa.Column(
            "tree_size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("root", sa.String(64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tree_size", name="pk_ledger_checkpoint"),
        sa.CheckConstraint("tree_size > 0", name=op.f("ck_ledger_checkpoint_tree_size")),
    )
    op.create_table(
        "ledger_cosignature",
        sa.Column("tree_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tree_size", "witness", name="pk_ledger_cosignature"),
        sa.ForeignKeyConstraint(["tree_size"], ["ledger_checkpoint.tree_size"], name="fk_ledger_cosignature_tree_size"),
    )
    op.create_table(
        "ledger_anchor",
        sa.Column("tree_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("blob_sha256", sa.String(71), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tree_size", "kind", "place", name="pk_ledger_anchor"),
        sa.ForeignKeyConstraint(["tree_size"], ["ledger_checkpoint.tree_size"], name="fk_ledger_anchor_tree_size"),
        sa.ForeignKeyConstraint(["blob_sha256"], ["evidence_blob.sha256"], name="fk_ledger_anchor_blob_sha256"),
        sa.CheckConstraint("kind IN ('witness', 'rfc3161', 'folder')", name=op.f("ck_ledger_anchor_kind")),
    )
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")


PRESENT = {
    "merkle_node": "level = NEW.level AND number = NEW.number",
    "ledger_checkpoint": "tree_size = NEW.tree_size",
    "ledger_cosignature": "tree_size = NEW.tree_size AND witness = NEW.witness",
    "ledger_anchor": "tree_size = NEW.tree_size AND kind = NEW.kind AND place = NEW.place",
}

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
  WHERE EXISTS (SELECT 1 FROM {table} WHERE {present});
END
""",
)


def _sqlite_triggers() -> None:
    for table, present in PRESENT.items():
        for trigger in SQLITE_APPEND_ONLY:
            op.execute(sa.DDL(trigger.format(table=table, present=present).strip()))


def _postgresql_triggers() -> None:
    for table in PRESENT:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION public.countermand_append_only()"
        )
        op.execute(f"ALTER TABLE public.{table} ENABLE ALWAYS TRIGGER {table}_append_only")
