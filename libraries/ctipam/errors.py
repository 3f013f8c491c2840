"""What this solution refuses or cannot do, in words for the person who reads a stack event or a log.

Refused          what was asked for cannot be done; nothing was changed
AwsFailed        AWS accepted a request and failed it later, or a state never ended
OutOfTime        there is work left, and this invocation has no time left for it
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # so that `make plan` needs nothing installed
    from botocore.exceptions import ClientError


class Refused(Exception):
    """The request cannot be granted: the text names the value, the limit and the way out."""


class AwsFailed(Exception):
    """AWS took the request and failed it later; the text carries AWS's own reason."""


class OutOfTime(Exception):
    """Nothing is wrong, but the rest has to be done by another invocation."""


def code_of(error: ClientError) -> str:
    """AWS's error code, such as InvalidIpamPoolId.NotFound: the only part of an error that is compared."""
    return error.response["Error"]["Code"]
