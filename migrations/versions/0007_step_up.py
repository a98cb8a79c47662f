"""Security keys of people, and the questions that were put to them."""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "security_key",
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime()),
        sa.Column("revoked_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("credential_id", name="pk_security_key"),
    )
    op.create_index("ix_security_key_subject", "security_key", ["subject"])
    op.create_table(
        "step_up",
        sa.Column("step_up_id", sa.String(32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("credential_id", sa.Text()),
        sa.Column("used_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("step_up_id", name="pk_step_up"),
    )
    op.create_index("ix_step_up_expires_at", "step_up", ["expires_at"])


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")
