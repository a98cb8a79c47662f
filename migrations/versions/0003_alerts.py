"""Alerts of other systems, when their senders were heard, and signed deliveries against replay."""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("starts_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger()),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("annotations", sa.JSON(), nullable=False),
        sa.Column("releases", sa.JSON(), nullable=False),
        sa.Column("unmatched", sa.Text()),
        sa.Column("anywhere", sa.Boolean(), nullable=False),
        sa.Column("first_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_alert"),
        sa.CheckConstraint("status IN ('firing', 'resolved', 'unmapped')", name=op.f("ck_alert_status")),
    )
    op.create_index("ix_alert_source_id_name_starts_us", "alert", ["source_id", "name", "starts_us"])
    op.create_index("ix_alert_last_at", "alert", ["last_at"])
    op.create_table(
        "source_heard",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.Column("partial_us", sa.BigInteger()),
        sa.Column("partial_why", sa.Text()),
        sa.PrimaryKeyConstraint("source_id", "from_us", name="pk_source_heard"),
    )
    op.create_table(
        "webhook_delivery",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("body_sha256", sa.String(64), nullable=False),
        sa.Column("answer", sa.JSON()),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "delivery_id", name="pk_webhook_delivery"),
    )
    op.create_index("ix_webhook_delivery_at", "webhook_delivery", ["at"])


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")
