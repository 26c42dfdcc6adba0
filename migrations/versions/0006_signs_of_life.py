"""Each miner is told when its next sign of life is due."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_miners_seen_s", "miners")
    with op.batch_alter_table("miners") as table:
        # Whoever is alive says so soon.
        table.add_column(sa.Column("silent_at_s", sa.Float(), nullable=False, server_default="0"))
    with op.batch_alter_table("miners") as table:
        table.alter_column("silent_at_s", server_default=None)
    op.create_index("ix_miners_silent_at_s", "miners", ["silent_at_s"])


def downgrade() -> None:
    op.drop_index("ix_miners_silent_at_s", "miners")
    with op.batch_alter_table("miners") as table:
        table.drop_column("silent_at_s")
    op.create_index("ix_miners_seen_s", "miners", ["seen_s"])
