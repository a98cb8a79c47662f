"""The vault: what people typed, encrypted, and the keys that can be destroyed."""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "vault_key",
        sa.Column("key_ref", sa.String(35), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_ref", name="pk_vault_key"),
        sa.UniqueConstraint("scope", "subject", name="uq_vault_key_scope_subject"),
    )
    op.create_index("ix_vault_key_subject", "vault_key", ["subject"])
    # Adding a column leaves the append-only triggers of the table as they are.
    op.add_column("evidence_blob", sa.Column("key_ref", sa.String(35), nullable=True))
    op.create_table(
        "vault_item",
        sa.Column("commitment", sa.String(64), nullable=False),
        sa.Column("key_ref", sa.String(35), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=True),
        sa.Column("release_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("commitment", name="pk_vault_item"),
        sa.ForeignKeyConstraint(["key_ref"], ["vault_key.key_ref"], name="fk_vault_item_key_ref"),
    )
    op.create_index("ix_vault_item_class_created_at", "vault_item", ["class", "created_at"])
    for column in ("key_ref", "incident_id", "subject"):
        op.create_index(f"ix_vault_item_{column}", "vault_item", [column])


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")
