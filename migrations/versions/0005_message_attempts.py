"""Which channel was asked to take which message, and what it answered."""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "message_attempt",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.JSON()),
        sa.PrimaryKeyConstraint("key", "channel", name="pk_message_attempt"),
    )


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")
