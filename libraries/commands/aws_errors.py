"""Errors of AWS in few words."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from ctipam.errors import DENIED, code_of, is_client_error
from ctipam.names import EXECUTION_ROLE


def why_of(error: BaseException) -> str:
    """Return the operation and the code, without AWS's message: it differs between accounts, and the same error is
    reported once for all of them. It may also contain credentials: a signature, or an invalid header.
    """
    if not is_client_error(error):
        return type(error).__name__
    why = f"{error.operation_name}: {code_of(error)}"
    if error.operation_name == "AssumeRole" and code_of(error) in DENIED:
        return f"{why}; enroll it in Control Tower, which creates the role {EXECUTION_ROLE}"
    return why


def text_of(error: BotoCoreError | ClientError) -> str:
    """Return the error's own text, or what `why_of` returns where that may contain credentials."""
    return why_of(error) if isinstance(error, ClientError) or type(error) is HTTPClientError else str(error)
