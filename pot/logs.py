"""What a long-running service says: one line per event on stderr, whichever library its package logs with."""

import logging
import sys

import structlog


def log_to_stderr(package: str) -> None:
    """Let ``package`` speak from level INFO on; everybody else keeps to warnings."""
    logging.getLogger(package).setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.LogfmtRenderer(key_order=("timestamp", "level", "event"), sort_keys=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
