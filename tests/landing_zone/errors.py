"""How a model refuses: with AWS's error code and AWS's words."""

from __future__ import annotations


class AwsError(Exception):
    """An error answer, before any protocol has written it down.

    code     as the service's clients compare it, such as InvalidIpamPoolId.NotFound
    status   HTTP status: 400 for the caller's mistakes, 5xx for the service's
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
