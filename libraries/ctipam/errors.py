"""What this solution refuses or cannot do, in words for the person who reads a stack event or a log.

Refused            the request cannot be fulfilled; nothing was changed
AwsFailed          AWS accepted a request that failed later, or a state never ended
OutOfTime          there is work left, and this invocation has no time left for it
StackBeingDeleted  the stack is being deleted, so that there is nothing left to do
Superseded         CloudFormation no longer waits for the answer to this request
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:  # so that `make plan` needs nothing installed
    from botocore.exceptions import ClientError


class Refused(Exception):
    """The request cannot be fulfilled: the text names the value, the reason and a way out."""


class AwsFailed(Exception):
    """AWS accepted the request, which failed later; the text has AWS's own reason."""


class OutOfTime(Exception):
    """Nothing is wrong, but another invocation has to do the rest."""


class StackBeingDeleted(Exception):
    """Nothing is wrong, but what is created now would be left behind."""


class Superseded(Exception):
    """Nothing is wrong, but CloudFormation has sent another request since: this one stops without an answer."""


def code_of(error: BaseException) -> str:
    """Return AWS's error code, for example InvalidIpamPoolId.NotFound; empty for anything but a ClientError."""
    return str(error.response.get("Error", {}).get("Code", "")) if is_client_error(error) else ""


# AWS's error codes, one list for each meaning.

DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "UnauthorizedOperation",
        "AuthorizationError",
        "AuthorizationErrorException",
    }
)
THROTTLED = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"})
BUSY = frozenset({"IncorrectState", "ConcurrentMutationLimitExceeded", "DependencyViolation"})
"""A later attempt may not meet these: the resource is being changed, or a deleted part of it still counts."""

CONCURRENT = "ConcurrentModificationException"
"""The answer of Organizations while somebody else changes it, which boto3 does not retry.
https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html"""

REGION_NOT_ENABLED = frozenset({"AuthFailure", "OptInRequired", "InvalidClientTokenId", "UnrecognizedClientException"})
"""Answers of a Region that the account has not enabled.
https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html"""

POOL_NOT_FOUND = "InvalidIpamPoolId.NotFound"
RETRYABLE_POOL_ERRORS = BUSY | THROTTLED | {POOL_NOT_FOUND}
"""Refusals that a later attempt may not meet. A pool is not found if it was deleted by hand a moment ago, or is so new
that not all of AWS knows it; boto3 does not retry ConcurrentMutationLimitExceeded, one of BUSY."""

SCOPE_ID_ERRORS = frozenset({"InvalidIpamScopeId.NotFound", "InvalidIpamScopeId.Malformed"})
DISCOVERY_ID_ERRORS = frozenset({"InvalidIpamResourceDiscoveryId.NotFound", "InvalidIpamResourceDiscoveryId.Malformed"})
INVALID_VALUE = "InvalidParameterValue"

NOT_PERMITTED = "OperationNotPermittedException"
"""Also RAM's answer if the account is no longer IPAM's delegated administrator, which `make report` says.
https://docs.aws.amazon.com/vpc/latest/ipam/share-pool-ipam.html"""

UNREACHABLE = frozenset({"UnknownResourceException", "InvalidParameterException", NOT_PERMITTED})
"""RAM's answers for a principal when sharing with the organization is off.
https://docs.aws.amazon.com/ram/latest/userguide/troubleshooting.html"""

SHARING = ("CreateResourceShare", "AssociateResourceShare")
"""The actions that need sharing with the organization. RAM gives the same answers to others for what is gone."""

TOO_MANY_TAGS = frozenset({"TagLimitExceeded", "TagLimitExceededException"})
"""The answers of EC2 and RAM.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
https://docs.aws.amazon.com/ram/latest/APIReference/API_TagResource.html"""

REASON_LIMIT = 239
"""Characters. crhelper cuts what is longer than 256; a StackSet shows 850 for all resources together."""

WHERE = "Ctipam"
"""Key of a ClientError's response under which `where_it_happened` stands."""

_DENIAL = re.compile(
    r"(explicit deny in an? |no )"
    r"(service control policy|resource control policy|session policy|permissions boundary"
    r"|identity-based policy|resource-based policy|VPC endpoint policy)( allows)?",
    re.IGNORECASE,
)
"""The part of a denial that names its cause. It usually stands at the end, behind long ARNs.
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""

_WAYS_OUT = {
    "service control policy": (
        "Change that policy. If it is Control Tower's Region deny: govern the Region, or remove it."
    ),
    "resource control policy": "Change that policy in AWS Organizations.",
    "session policy": "Deploy templates and packages of the same version.",
    "permissions boundary": "Allow the action in the boundary of the role.",
    "identity-based policy": "Deploy templates and packages of the same version.",
    "resource-based policy": "Change the policy of the resource.",
    "vpc endpoint policy": "Allow the action in the policy of the VPC endpoint.",
}


_POLICIES_OF_A_COMPANY = ("service control policy", "resource control policy")
_CLOSED_SHARES = (
    "Exempt AWSControlTowerExecution from it, above all if it demands retainSharingOnAccountLeaveOrganization."
)
"""These shares end with the membership of their account, and must not be open to outsiders."""

_LOOK_FOR_A_POLICY = "Look for a service control policy or a permissions boundary that forbids it."


def where_it_happened(region: str, account_id: str) -> dict[str, str]:
    """Return what `explain` reads under the key WHERE of a ClientError's response."""
    return {"Region": region, "AccountId": account_id}


def explain(error: BaseException, limit: int = REASON_LIMIT) -> str:
    """Return any error in one line of at most `limit` characters.

    For an error of AWS: the action with its Region and account, the decisive part of AWS's message, and a way out.
    """
    if is_client_error(error):
        return _explain_client_error(error, limit)
    if isinstance(error, OutOfTime):
        way_out = "What was begun is kept; try again to go on from there."
        return fit("AWS did not finish in time: ", _why(error), way_out, limit)
    if isinstance(error, Refused | AwsFailed | StackBeingDeleted | Superseded):
        text = str(error)
    else:
        text = f"{type(error).__name__}: {error}. See the function's log."
    return _cut(_one_line(text), limit)


def _why(error: OutOfTime) -> str:
    """Return what an invocation was waiting for when its time was up: what AWS refused last, if that is known."""
    refusal = error.__cause__
    return f"{attempt(refusal)} failed: {cause_of(refusal)}" if refusal and is_client_error(refusal) else str(error)


def is_client_error(error: BaseException) -> TypeGuard[ClientError]:
    return hasattr(error, "operation_name") and hasattr(error, "response")


def cause_of(error: ClientError) -> str:
    """Return the decisive part of AWS's message, without the action and the way out."""
    code, message = code_of(error), _one_line(error.response["Error"].get("Message", ""))
    if code in REGION_NOT_ENABLED:
        return "the Region is not enabled in the account"
    if found := _DENIAL.search(message):
        return found[0]
    return f"{code}: {message.partition(' Encoded authorization failure message')[0]}"


def attempt(error: ClientError) -> str:
    """Return what was attempted and where: "GetIpamPoolAllocations in us-west-2 (account 222222222222)"."""
    where: Mapping[str, str] = error.response.get(WHERE, {})  # type: ignore[assignment]  # not a key of botocore's own
    region = f" in {where['Region']}" if where.get("Region") else ""
    account = f" (account {where['AccountId']})" if where.get("AccountId") else ""
    return f"{error.operation_name}{region}{account}"


def _explain_client_error(error: ClientError, limit: int) -> str:
    verb = "was denied" if code_of(error) in DENIED else "failed"
    return fit(f"{attempt(error)} {verb}: ", cause_of(error), _way_out(error), limit)


def fit(head: str, cause: str, way_out: str, limit: int = REASON_LIMIT) -> str:
    """Return the three in one line of at most `limit` characters. A long cause is cut, so that the way out stays.

    head   ends with a space
    """
    cause = cause if cause.endswith((".", "!")) or not cause else f"{cause}."
    room = limit - len(head) - len(way_out) - 1
    return _cut(f"{head}{_cut(cause, room)} {way_out}".strip(), limit)


def _way_out(error: ClientError) -> str:
    code, cause = code_of(error), cause_of(error)
    if code in DENIED:
        found = _DENIAL.search(cause)
        if found and error.operation_name == "CreateResourceShare" and found[2].lower() in _POLICIES_OF_A_COMPANY:
            return _CLOSED_SHARES
        return _WAYS_OUT[found[2].lower()] if found else _LOOK_FOR_A_POLICY
    if code in REGION_NOT_ENABLED:
        return "Enable the Region in the account, or remove it from RegionSelection."
    if code in THROTTLED:
        if error.operation_name.endswith("ResourceShare"):
            return "AWS was called too often. Try again, or wait: the next scheduled run goes on."
        return "AWS was called too often. Try again in some minutes."  # no schedule goes on with a stack's operation
    if code == CONCURRENT:
        return "Somebody else is changing the organization. Try again."
    if code == NOT_PERMITTED and error.operation_name in SHARING:
        return "Run `aws ram enable-sharing-with-aws-organization`, or else see `make report`."
    if code in UNREACHABLE and error.operation_name in SHARING:
        return "Run `aws ram enable-sharing-with-aws-organization` in the management account."
    if code == "ResourceShareLimitExceededException":
        return "Request an increase in Service Quotas, in the Networking account."
    if code in TOO_MANY_TAGS:
        return "Remove tags from the stack, or from the resource."
    return ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: max(limit - 3, 0)] + "..."
