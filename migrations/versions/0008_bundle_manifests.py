"""Which manifest describes which bundle."""

import sqlalchemy as sa
from alembic import op

from adapters.database import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bundle_manifest",
        sa.Column("bundle_digest", sa.String(71), nullable=False),
        sa.Column("manifest_sha256", sa.String(71), nullable=False),
        sa.Column("stored", sa.JSON(), nullable=False),
        sa.Column("described_by", sa.Text(), nullable=False),
        sa.Column("described_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("bundle_digest", name="pk_bundle_manifest"),
        sa.ForeignKeyConstraint(
            ["manifest_sha256"], ["evidence_blob.sha256"], name="fk_bundle_manifest_manifest_sha256"
        ),
    )


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")
