"""The index and the leases in SQL: SQLite embedded, PostgreSQL by URL; deletable at any time."""
