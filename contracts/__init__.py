"""What the chain enforces, and how Python compiles it."""
