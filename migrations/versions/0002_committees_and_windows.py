"""Drawn committees, challenge windows, disputes."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# The index is made anew from the chain: rows of an earlier schema lack what only the chain tells.
INDEXED = (
    "answers",
    "blocks",
    "certificates",
    "chain_events",
    "contributions",
    "epochs",
    "fault_reports",
    "leases",
    "rounds",
    "segments",
    "stakes",
    "task_accounts",
    "tasks",
    "validators",
)


def upgrade() -> None:
    _forget()
    with op.batch_alter_table("tasks", recreate="always") as table:
        table.add_column(sa.Column("challenge_window", sa.Integer(), nullable=False))
        table.add_column(sa.Column("committee_size", sa.Integer(), nullable=False))
        table.add_column(sa.Column("members", sa.JSON(none_as_null=True), nullable=True))
        table.add_column(sa.Column("disputed_from", sa.Integer(), nullable=True))
    with op.batch_alter_table("certificates", recreate="always") as table:
        table.add_column(sa.Column("number", sa.Integer(), nullable=False))
        table.add_column(sa.Column("void", sa.Boolean(), nullable=False))
        table.add_column(sa.Column("matures_at", sa.BigInteger(), nullable=False))
    op.create_table(
        "certified_payouts",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("cumulative", sa.String(length=78), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "number", "account"),
    )


def downgrade() -> None:
    _forget()
    op.drop_table("certified_payouts")
    with op.batch_alter_table("certificates", recreate="always") as table:
        table.drop_column("matures_at")
        table.drop_column("void")
        table.drop_column("number")
    with op.batch_alter_table("tasks", recreate="always") as table:
        table.drop_column("disputed_from")
        table.drop_column("members")
        table.drop_column("committee_size")
        table.drop_column("challenge_window")


def _forget() -> None:
    for table in INDEXED:
        op.execute(sa.text(f"DELETE FROM {table}"))
