"""The error that a model raises, with AWS's code and message."""

from __future__ import annotations


class AwsError(Exception):
    """An error answer, before it is written in a protocol.

    code     as clients compare it, for example InvalidIpamPoolId.NotFound
    status   HTTP status: 400 for the caller's mistakes, 5xx for the service's
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message, status)
        self.code = code
        self.message = message
        self.status = status

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
