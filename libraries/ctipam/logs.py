"""Logs one line for each decision, with fields for log queries."""

from __future__ import annotations

import logging

logger = logging.getLogger("ctipam")


def log_decision(what: str, /, **fields: object) -> None:
    """Log a decision at INFO. Lambda's JSON log format writes the fields beside the message.

    Never pass a credential, a presigned URL or a whole event.
    """
    logger.info(what, extra=fields)
