"""The history of the coordinator's schema (Alembic); run through ``coordinator.store.migrate``."""
