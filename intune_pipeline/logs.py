"""How the product logs: one JSON object a line on stderr, with the account and the run it is about.

Belongs here: the one configuration of structlog. Does not belong here: what is logged. Standard output stays free for
what commands print.
"""

import logging
import sys

import structlog


def configure(level: int = logging.INFO) -> None:
    """Configure logging of this process; safe to repeat."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Looked up for each logger: standard error may be another one by then.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
