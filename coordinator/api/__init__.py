"""The HTTP API: endpoints of a few lines around use cases and read models."""
