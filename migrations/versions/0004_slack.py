"""Slack: which person a Slack user is, where the copies of cards are, and what came in."""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "slack_link",
        sa.Column("team_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("linked_at", UtcDateTime()),
        sa.Column("code_sha256", sa.String(64)),
        sa.Column("code_until", UtcDateTime()),
        sa.PrimaryKeyConstraint("team_id", "user_id", name="pk_slack_link"),
        sa.UniqueConstraint("code_sha256", name="uq_slack_link_code_sha256"),
    )
    op.create_index("ix_slack_link_subject", "slack_link", ["subject"])
    op.create_table(
        "slack_card",
        sa.Column("card_id", sa.Text(), nullable=False),
        sa.Column("ask_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("thread_ts", sa.Text()),
        sa.Column("ts", sa.Text()),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("shown", sa.String(71)),
        sa.Column("posted", sa.String(71)),
        sa.Column("attempted_at", UtcDateTime()),
        sa.Column("edited_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("card_id", name="pk_slack_card"),
    )
    op.create_index("ix_slack_card_ask_id", "slack_card", ["ask_id"])
    op.create_table(
        "slack_inbox",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("inbound", sa.JSON(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("taken_at", UtcDateTime()),
        sa.Column("done_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("key", name="pk_slack_inbox"),
    )
    op.create_index("ix_slack_inbox_received_at", "slack_inbox", ["received_at"])
