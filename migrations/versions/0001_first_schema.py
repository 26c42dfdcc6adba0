"""The index of the chain, the work in progress, and the feed."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "answers",
    "blocks",
    "certificates",
    "chain_events",
    "contributions",
    "counters",
    "epochs",
    "fault_reports",
    "leases",
    "miners",
    "news",
    "rounds",
    "segments",
    "stakes",
    "task_accounts",
    "tasks",
    "validators",
)


def upgrade() -> None:
    _create_chain_tables()
    _create_shard_tables()
    _create_other_tables()


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)


def _create_chain_tables() -> None:
    op.create_table(
        "blocks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "certificates",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("last_round", sa.Integer(), nullable=False),
        sa.Column("first_round", sa.Integer(), nullable=False),
        sa.Column("encoded", sa.LargeBinary(length=384), nullable=False),
        sa.Column("signers", sa.String(length=78), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("gas_used", sa.BigInteger(), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "last_round"),
    )
    op.create_index("ix_certificates_block", "certificates", ["block_number"], unique=False)
    op.create_table(
        "chain_events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("account", sa.String(length=42), nullable=True),
        sa.Column("amount", sa.String(length=78), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("block_number", "log_index"),
    )
    op.create_index("ix_chain_events_account", "chain_events", ["account", "kind", "id"], unique=False)
    op.create_index("ix_chain_events_task", "chain_events", ["task_id", "kind", "id"], unique=False)
    op.create_table(
        "epochs",
        sa.Column("epoch", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("members", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("epoch"),
    )
    op.create_index(op.f("ix_epochs_block_number"), "epochs", ["block_number"], unique=False)
    op.create_table(
        "stakes",
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("stake", sa.String(length=78), nullable=False),
        sa.Column("unbonding", sa.String(length=78), nullable=False),
        sa.Column("unlocks_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("poster", sa.String(length=42), nullable=False),
        sa.Column("spec_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("genesis_model", sa.LargeBinary(length=32), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("shards", sa.Integer(), nullable=False),
        sa.Column("reward_per_shard", sa.String(length=78), nullable=False),
        sa.Column("fee_per_round", sa.String(length=78), nullable=False),
        sa.Column("miner_stake", sa.String(length=78), nullable=False),
        sa.Column("slash_per_fault", sa.String(length=78), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("escrow", sa.String(length=78), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("spec", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("certified_round", sa.Integer(), nullable=False),
        sa.Column("certified_model", sa.LargeBinary(length=32), nullable=False),
        sa.Column("certified_tx", sa.LargeBinary(length=32), nullable=True),
        sa.Column("paid_total", sa.String(length=78), nullable=False),
        sa.Column("claimed_total", sa.String(length=78), nullable=False),
        sa.Column("fees_claimed", sa.String(length=78), nullable=False),
        sa.Column("refund", sa.String(length=78), nullable=True),
        sa.Column("adopted_round", sa.Integer(), nullable=False),
        sa.Column("adopted_tx", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("task_id"),
    )
    op.create_index(op.f("ix_tasks_block_number"), "tasks", ["block_number"], unique=False)
    op.create_index("ix_tasks_poster", "tasks", ["poster"], unique=False)
    op.create_index("ix_tasks_status", "tasks", ["status", "task_id"], unique=False)
    op.create_table(
        "validators",
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )


def _create_shard_tables() -> None:
    op.create_table(
        "contributions",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("miner", sa.String(length=42), nullable=False),
        sa.Column("parent_model", sa.LargeBinary(length=32), nullable=False),
        sa.Column("gradient", sa.LargeBinary(length=32), nullable=False),
        sa.Column("samples", sa.BigInteger(), nullable=False),
        sa.Column("loss_micros", sa.String(length=78), nullable=False),
        sa.Column("signature", sa.LargeBinary(length=65), nullable=False),
        sa.Column("received_s", sa.Float(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_contributions_miner", "contributions", ["miner", "id"], unique=False)
    op.create_index("ix_contributions_round", "contributions", ["task_id", "round", "shard"], unique=False)
    op.create_index(
        "ux_contributions_counting",
        "contributions",
        ["task_id", "round", "shard"],
        unique=True,
        sqlite_where=sa.text("verdict IN ('accepted', 'certified')"),
        postgresql_where=sa.text("verdict IN ('accepted', 'certified')"),
    )
    op.create_table(
        "leases",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("miner", sa.String(length=42), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("granted_s", sa.Float(), nullable=False),
        sa.Column("sent_s", sa.Float(), nullable=True),
        sa.Column("lease_s", sa.Integer(), nullable=False),
        sa.Column("past", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "round", "shard"),
    )
    op.create_index("ix_leases_miner", "leases", ["miner"], unique=False)
    op.create_index("ix_leases_sent", "leases", ["sent_s"], unique=False)
    op.create_table(
        "rounds",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("parent_model", sa.LargeBinary(length=32), nullable=False),
        sa.Column("model", sa.LargeBinary(length=32), nullable=True),
        sa.Column("opened_s", sa.Float(), nullable=False),
        sa.Column("closed_s", sa.Float(), nullable=True),
        sa.Column("loss_micros", sa.BigInteger(), nullable=True),
        sa.Column("correct", sa.Integer(), nullable=True),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("test_loss_micros", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("task_id", "number"),
    )


def _create_other_tables() -> None:
    op.create_table(
        "answers",
        sa.Column("segment_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member", sa.String(length=42), nullable=False),
        sa.Column("answer", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("segment_id", "member"),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "fault_reports",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("miner", sa.String(length=42), nullable=False),
        sa.Column("gradient", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parent_model", sa.LargeBinary(length=32), nullable=False),
        sa.Column("reporter", sa.String(length=42), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("task_id", "round", "shard", "miner", "gradient", "parent_model", "reporter"),
    )
    op.create_table(
        "miners",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("device", sa.String(length=100), nullable=False),
        sa.Column("beat_s", sa.BigInteger(), nullable=False),
        sa.Column("seen_s", sa.Float(), nullable=False),
        sa.Column("strikes", sa.Integer(), nullable=False),
        sa.Column("benched_until_s", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("address"),
    )
    op.create_index(op.f("ix_miners_seen_s"), "miners", ["seen_s"], unique=False)
    op.create_table(
        "news",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_s", sa.Float(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("task_id", sa.BigInteger(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "segments",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("first_round", sa.Integer(), nullable=False),
        sa.Column("last_round", sa.Integer(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sent_s", sa.Float(), nullable=False),
        sa.Column("sends", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_segments_task_id"), "segments", ["task_id"], unique=False)
    op.create_index(
        "ux_segments_in_flight",
        "segments",
        ["task_id"],
        unique=True,
        sqlite_where=sa.text("state = 'in flight'"),
        postgresql_where=sa.text("state = 'in flight'"),
    )
    op.create_table(
        "task_accounts",
        sa.Column("task_id", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(length=42), nullable=False),
        sa.Column("earned", sa.String(length=78), nullable=False),
        sa.PrimaryKeyConstraint("task_id", "account"),
    )
    op.create_index("ix_task_accounts_account", "task_accounts", ["account"], unique=False)
