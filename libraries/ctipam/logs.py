"""Logs one line for each decision, with fields for log queries."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable

logger = logging.getLogger("ctipam")
logger.setLevel(logging.INFO)  # Python's own default, which only Lambda's log level would change, is WARNING

LIST_LIMIT = 200_000
"""Bytes of a list in one line, as JSON. A line is cut at 256 KB. Since 2025, CloudWatch takes 1 MB; whether Lambda does
is not documented.
https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_InputLogEvent.html"""


def log_decision(what: str, /, **fields: object) -> None:
    """Log a decision at INFO. Lambda's JSON log format writes the fields beside the message.

    Never pass a credential, a presigned URL or a whole event.
    """
    logger.info(what, extra=fields)


def log_sentences(what: str, field: str, sentences: Iterable[str]) -> None:
    """Log a decision with these sentences in a field, on as many lines as they need; nothing if there are none."""
    line: list[str] = []
    size = 0
    for sentence in sentences:
        length = len(json.dumps(sentence)) + len(", ")
        if line and size + length > LIST_LIMIT:
            log_decision(what, **{field: line})
            line, size = [], 0
        line.append(sentence)
        size += length
    if line:
        log_decision(what, **{field: line})
