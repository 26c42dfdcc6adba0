"""What signers of a certificate say that they executed."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Records of the form before cannot be read any more: the work begins anew.
UNFINISHED = ("contributions", "fault_reports", "leases", "rounds", "segments")


def upgrade() -> None:
    for name in UNFINISHED:
        op.execute(sa.text(f"DELETE FROM {name}"))
    op.create_table(
        "attestations",
        sa.Column("task_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("segment", sa.LargeBinary(32), nullable=False),
        sa.Column("validator", sa.String(42), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "segment", "validator"),
    )


def downgrade() -> None:
    op.drop_table("attestations")
