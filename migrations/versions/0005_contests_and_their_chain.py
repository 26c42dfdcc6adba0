"""Contests and the learning chain are indexed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

HASH = sa.LargeBinary(32)
ADDRESS = sa.String(42)
# Blocks that were indexed without their contests are read again, with everything that follows from them.
INDEXED = (
    *("answers", "blocks", "certificates", "certified_payouts", "chain_events", "contributions", "epochs"),
    *("fault_reports", "leases", "rounds", "segments", "stakes", "task_accounts", "tasks", "validators"),
)


def upgrade() -> None:
    for name in INDEXED:
        op.execute(sa.text(f"DELETE FROM {name}"))
    with op.batch_alter_table("chain_events") as table:
        table.add_column(sa.Column("contest_id", sa.BigInteger(), nullable=True))
        table.create_index("ix_chain_events_contest", ["contest_id", "kind", "id"])
    op.create_table(
        "contests",
        sa.Column("contest_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("block_number", sa.BigInteger(), nullable=False, index=True),
        sa.Column("tx_hash", HASH, nullable=False),
        sa.Column("poster", ADDRESS, nullable=False),
        sa.Column("spec_hash", HASH, nullable=False),
        sa.Column("status", sa.String(16), nullable=False, index=True),
        sa.Column("outcome", sa.String(24), nullable=False),
        sa.Column("state", sa.JSON(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=True),
    )
    op.create_table(
        "learning_blocks",
        sa.Column("height", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("hash", HASH, nullable=False, index=True),
        sa.Column("header", sa.LargeBinary(416), nullable=False),
        sa.Column("contest_id", sa.BigInteger(), nullable=True, index=True),
        sa.Column("winner", ADDRESS, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False, index=True),
        sa.Column("tx_hash", HASH, nullable=False),
    )
    op.create_table(
        "contest_accounts",
        sa.Column("account", ADDRESS, primary_key=True),
        sa.Column("owed", sa.String(78), nullable=False),
        sa.Column("collected", sa.String(78), nullable=False),
    )


def downgrade() -> None:
    for name in ("contest_accounts", "learning_blocks", "contests"):
        op.drop_table(name)
    with op.batch_alter_table("chain_events") as table:
        table.drop_index("ix_chain_events_contest")
        table.drop_column("contest_id")
