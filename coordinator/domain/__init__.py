"""What the coordinator decides, as values: no clock, no database, no network."""
