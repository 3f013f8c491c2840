"""What this solution refuses or cannot do, in words for the person who reads a stack event or a log.

Refused            what was asked for cannot be done; nothing was changed
AwsFailed          AWS accepted a request and failed it later, or a state never ended
OutOfTime          there is work left, and this invocation has no time left for it
StackBeingDeleted  the stack is being deleted, so that there is nothing left to do
Superseded         CloudFormation no longer waits for the answer to this request
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


class StackBeingDeleted(Exception):
    """Nothing is wrong, but what would be made now would be left over."""


class Superseded(Exception):
    """Nothing is wrong, but CloudFormation has sent another request since: this one stops without an answer."""


def code_of(error: ClientError) -> str:
    """AWS's error code, such as InvalidIpamPoolId.NotFound: the only part of an error that is compared."""
    return error.response["Error"]["Code"]


DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
THROTTLED = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})
UNREACHABLE = frozenset({"UnknownResourceException", "InvalidParameterException", "OperationNotPermittedException"})
"""What RAM answers for a principal when sharing with the organization is off.
https://docs.aws.amazon.com/ram/latest/userguide/troubleshooting.html"""


REASON_LIMIT = 240
"""Characters. crhelper cuts what is longer than 256; a StackSet shows 850 for all resources together."""


def explain(error: BaseException) -> str:
    """Return any error in one line: the cause first, at most REASON_LIMIT characters."""
    if hasattr(error, "operation_name") and hasattr(error, "response"):
        text = _explain_client_error(error)  # type: ignore[arg-type]
    elif isinstance(error, OutOfTime):
        text = f"AWS did not finish in time ({error}). What was begun is kept; try again to go on from there."
    elif isinstance(error, Refused | AwsFailed | StackBeingDeleted | Superseded):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}. See the function's log."
    line = " ".join(text.split())
    return line if len(line) <= REASON_LIMIT else line[: REASON_LIMIT - 3] + "..."


def _explain_client_error(error: ClientError) -> str:
    """What AWS refused, and what can be done about it, in a sentence or two."""
    code, message = code_of(error), " ".join(error.response["Error"].get("Message", "").split())
    refused = f"{error.operation_name} was refused: {code}: {message}"
    if code in DENIED:
        return f"{refused} Look for a service control policy or a permissions boundary that forbids it."
    if code in THROTTLED:
        return f"{refused} AWS was asked too often; the next scheduled run goes on."
    if code in UNREACHABLE and error.operation_name.endswith("ResourceShare"):
        return (
            f"{refused} If RAM sharing with the organization is off, run "
            "`aws ram enable-sharing-with-aws-organization` in the management account."
        )
    if code == "ResourceShareLimitExceededException":
        return f"{refused} Ask for more in Service Quotas, in the Networking account."
    return refused
