"""The parameters that actions accept, and the checks of a request that need no state."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NoReturn

from aws_models.errors import AwsError
from aws_models.ram.records import AssociationType
from aws_models.ram.settings import ENTITIES_PER_REQUEST, NEXT_PAGE, TAG_KEY, TAG_VALUE, TAGS_PER_SHARE

Params = dict[str, Any]

IPAM_POOL = "ec2:IpamPool"

POOL_ARN = re.compile(r"arn:aws[a-z-]*:ec2::(?P<owner>\d{12}):ipam-pool/(?P<id>ipam-pool-[0-9a-f]+)")  # no Region in it
SHARE_ARN = re.compile(r"arn:aws[a-z-]*:ram:[a-z0-9-]+:\d{12}:resource-share/[0-9a-f-]{36}")
ANY_ARN = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:.+")
ACCOUNT_ID = re.compile(r"[0-9]{12}")

# action: what it needs, and what it may be given besides
PARAMETERS = {
    "AssociateResourceShare": ("resourceShareArn", "clientToken principals resourceArns"),
    "CreateResourceShare": ("name", "allowExternalPrincipals clientToken principals resourceArns tags"),
    "DeleteResourceShare": ("resourceShareArn", "clientToken"),
    "DisassociateResourceShare": ("resourceShareArn", "clientToken principals resourceArns"),
    "EnableSharingWithAwsOrganization": ("", ""),
    "GetResourceShareAssociations": (
        "associationType",
        "associationStatus maxResults nextToken principal resourceArn resourceShareArns",
    ),
    "GetResourceShares": (
        "resourceOwner",
        "maxResults name nextToken resourceShareArns resourceShareStatus tagFilters",
    ),
    "ListPrincipals": ("resourceOwner", "maxResults nextToken principals resourceArn resourceShareArns resourceType"),
    "ListResources": ("resourceOwner", "maxResults nextToken principal resourceArns resourceShareArns resourceType"),
    "TagResource": ("resourceShareArn tags", ""),
    "UntagResource": ("resourceShareArn tagKeys", ""),
    "UpdateResourceShare": ("resourceShareArn", "allowExternalPrincipals clientToken name"),
}

VALUES = {
    "resourceOwner": "SELF OTHER-ACCOUNTS",
    "associationType": "RESOURCE PRINCIPAL SOURCE",
    "resourceShareStatus": "PENDING ACTIVE FAILED DELETING DELETED",
    "associationStatus": "ASSOCIATING ASSOCIATED FAILED DISASSOCIATING DISASSOCIATED SUSPENDED SUSPENDING RESTORING",
}


def check(action: str, params: Params) -> None:
    """Raises  NotImplementedError for what is left out, AwsError for what makes no sense"""
    if action not in PARAMETERS:
        raise NotImplementedError(f"RAM's {action}")
    required, optional = (set(names.split()) for names in PARAMETERS[action])
    if unknown := params.keys() - required - optional:
        raise NotImplementedError(f"{action} with {', '.join(sorted(unknown))}")
    if missing := required - params.keys():
        raise invalid(f"{', '.join(sorted(missing))} must be specified.")
    for name in params.keys() & VALUES.keys():
        if params[name] not in VALUES[name].split():
            raise invalid(f"{params[name]} is not a valid {name}.")
    if not NEXT_PAGE[0] <= params.get("maxResults", NEXT_PAGE[0]) <= NEXT_PAGE[1]:
        raise invalid(f"maxResults must be between {NEXT_PAGE[0]} and {NEXT_PAGE[1]}.")
    if params.get("resourceType", IPAM_POOL) != IPAM_POOL:
        raise AwsError("InvalidResourceTypeException", f"{params['resourceType']} is not a shareable resource type.")
    for arn in [*params.get("resourceShareArns", []), params.get("resourceShareArn")]:
        if arn is not None and not SHARE_ARN.fullmatch(arn):
            raise AwsError("MalformedArnException", f"{arn} is not the ARN of a resource share.")
    _check_association_type(params)


def _check_association_type(params: Params) -> None:
    type_ = params.get("associationType")
    if type_ == "SOURCE":
        raise NotImplementedError("associationType SOURCE")
    useless = {"RESOURCE": "principal", "PRINCIPAL": "resourceArn"}.get(type_ or "")
    if useless in params:
        raise invalid(f"You cannot specify {useless} if the association type is {type_}.")


def entities(params: Params) -> list[tuple[AssociationType, str]]:
    """Return the pools and accounts that a request names."""
    named: list[tuple[AssociationType, str]] = [("RESOURCE", arn) for arn in params.get("resourceArns", [])]
    named += [("PRINCIPAL", principal) for principal in params.get("principals", [])]
    if len(named) > ENTITIES_PER_REQUEST:
        raise AwsError("ResourceShareLimitExceededException", f"Specify at most {ENTITIES_PER_REQUEST} at a time.")
    if twice := [entity for (_, entity), times in Counter(named).items() if times > 1]:
        raise invalid(f"{', '.join(twice)} is specified twice.")  # unverified
    return named


def some_entities(params: Params) -> list[tuple[AssociationType, str]]:
    if named := entities(params):
        return named
    raise invalid("Specify at least one resource or principal.")  # unverified


def pool_named_by(arn: str) -> re.Match[str]:
    """Return a match with the groups owner and id."""
    if match := POOL_ARN.fullmatch(arn):
        return match
    if ANY_ARN.fullmatch(arn) and ":ipam-pool/" not in arn:
        raise NotImplementedError(f"sharing {arn}")
    raise AwsError("MalformedArnException", f"The specified resource ARN {arn} is not valid.")


def check_principal(principal: str) -> None:
    if not ACCOUNT_ID.fullmatch(principal):
        _refuse_principal(principal)


def _refuse_principal(principal: str) -> NoReturn:
    if ANY_ARN.fullmatch(principal):
        raise NotImplementedError(f"the principal {principal}")
    if principal.startswith("arn:"):
        raise AwsError("MalformedArnException", f"The specified principal ARN {principal} is not valid.")
    raise invalid(f"The specified principal {principal} is not valid.")


def checked_name(name: str) -> str:
    if not name or "/" in name:
        raise invalid(f"{name!r} is not a valid name for a resource share.")
    return name


def with_tags(tags: dict[str, str], added: list[dict[str, str]]) -> dict[str, str]:
    """The tags after `added`, [{"key": ..., "value": ...}], has been added."""
    tags = tags | {tag.get("key", ""): tag.get("value", "") for tag in added}
    if any(not key or key.startswith("aws:") for key in tags):
        raise invalid("A tag key must not be empty, nor begin with aws:.")
    if wrong := [key for key, value in tags.items() if len(key) > TAG_KEY or len(value) > TAG_VALUE]:
        raise invalid(f"The tag {wrong[0]} is too long.")
    if len(tags) > TAGS_PER_SHARE:
        raise AwsError("TagLimitExceededException", f"A resource share has at most {TAGS_PER_SHARE} tags.")
    return tags


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)
