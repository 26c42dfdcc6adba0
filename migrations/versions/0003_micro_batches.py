"""Contributions name the gradients of their micro-batches."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# What was signed without them is no contribution any more: the work begins anew.
UNFINISHED = ("contributions", "fault_reports", "leases", "rounds", "segments")


def upgrade() -> None:
    for name in UNFINISHED:
        op.execute(sa.text(f"DELETE FROM {name}"))
    with op.batch_alter_table("contributions", recreate="always") as table:
        table.add_column(sa.Column("batches", sa.LargeBinary(), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("contributions", recreate="always") as table:
        table.drop_column("batches")
