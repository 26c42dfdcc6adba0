"""What the coordinator can do: one use case per file."""
