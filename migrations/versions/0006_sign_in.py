"""How somebody signed in, and the groups that the identity provider named then."""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Whoever is signed in now signs in again: nothing is known about how they did.
    op.drop_table("session")
    op.create_table(
        "session",
        sa.Column("token_sha256", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("acr", sa.Text(), nullable=False),
        sa.Column("amr", sa.JSON(), nullable=False),
        sa.Column("auth_time", UtcDateTime()),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_session"),
        sa.ForeignKeyConstraint(["subject"], ["account.subject"], name="fk_session_subject"),
    )
    op.create_table(
        "sign_in_groups",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_sign_in_groups"),
    )


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")
