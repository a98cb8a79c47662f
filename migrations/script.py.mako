"""${message}.

Append-only tables may gain nullable columns and indexes, nothing else (STO-20); batch mode is forbidden on
them because it recreates the table and loses its triggers (STO-19).
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

from adapters.database import UtcDateTime
${imports if imports else ""}
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise NotImplementedError("the Ledger keeps the newer schema (STO-21)")
