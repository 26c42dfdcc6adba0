"""Alembic's entry: migrates the connection that ``coordinator.store.migrate`` hands over."""

from alembic import context

from coordinator.store.chain_tables import Base

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
