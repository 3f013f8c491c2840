"""One line per decision, with what it was about as fields that a log query can find."""

from __future__ import annotations

import logging

logger = logging.getLogger("ctipam")


def log_decision(what: str, /, **fields: object) -> None:
    """Log a decision at INFO. Lambda's JSON log format writes the fields beside the message.

    Never a field: a credential, a presigned URL, a whole event.
    """
    logger.info(what, extra=fields)
