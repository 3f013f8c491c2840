"""A call, and the checks of its parameters that need no state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws_models.errors import AwsError
from aws_models.organization import Caller


@dataclass(frozen=True)
class Call:
    """One request.

    params        in boto3's shape
    shared_arns   pools of others that RAM shows to the caller's account
    """

    action: str
    params: Mapping[str, Any]
    caller: Caller
    shared_arns: frozenset[str] = frozenset()


_PAGED = "Filters MaxResults NextToken"
_RULES = "AllocationMinNetmaskLength AllocationMaxNetmaskLength AllocationDefaultNetmaskLength"

# What is modeled: what the action requires, and what it takes besides.
PARAMETERS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    action: (frozenset(required.split()), frozenset(optional.split()))
    for action, required, optional in (
        ("CreateIpam", "", "Description OperatingRegions TagSpecifications ClientToken Tier MeteredAccount"),
        ("ModifyIpam", "IpamId", "Description AddOperatingRegions RemoveOperatingRegions Tier MeteredAccount"),
        ("DeleteIpam", "IpamId", ""),
        ("DescribeIpams", "", f"IpamIds {_PAGED}"),
        ("DescribeIpamResourceDiscoveries", "", f"IpamResourceDiscoveryIds {_PAGED}"),
        (
            "ModifyIpamResourceDiscovery",
            "IpamResourceDiscoveryId",
            "AddOrganizationalUnitExclusions RemoveOrganizationalUnitExclusions",
        ),
        ("CreateIpamScope", "IpamId", "Description TagSpecifications ClientToken"),
        ("DeleteIpamScope", "IpamScopeId", ""),
        ("DescribeIpamScopes", "", f"IpamScopeIds {_PAGED}"),
        (
            "CreateIpamPool",
            "IpamScopeId AddressFamily",
            f"Locale SourceIpamPoolId Description {_RULES} AllocationResourceTags TagSpecifications ClientToken",
        ),
        (
            "ModifyIpamPool",
            "IpamPoolId",
            f"Description {_RULES} ClearAllocationDefaultNetmaskLength AddAllocationResourceTags "
            "RemoveAllocationResourceTags AutoImport",
        ),
        ("DeleteIpamPool", "IpamPoolId", ""),
        ("DescribeIpamPools", "", f"IpamPoolIds {_PAGED}"),
        ("ProvisionIpamPoolCidr", "IpamPoolId", "Cidr NetmaskLength ClientToken"),
        ("DeprovisionIpamPoolCidr", "IpamPoolId Cidr", ""),
        ("GetIpamPoolCidrs", "IpamPoolId", _PAGED),
        ("GetIpamPoolAllocations", "IpamPoolId", f"IpamPoolAllocationId {_PAGED}"),
        ("AllocateIpamPoolCidr", "IpamPoolId", "Cidr NetmaskLength ClientToken Description"),
        ("ReleaseIpamPoolAllocation", "IpamPoolId Cidr IpamPoolAllocationId", ""),
        ("EnableIpamOrganizationAdminAccount", "DelegatedAdminAccountId", ""),
        ("DisableIpamOrganizationAdminAccount", "DelegatedAdminAccountId", ""),
    )
}


def check_parameters(action: str, params: Mapping[str, Any]) -> None:
    """Raises NotImplementedError for what is not modeled, AwsError MissingParameter for what is missing.

    An empty value is as good as none: EC2's protocol cannot even send an empty list.
    """
    required, optional = PARAMETERS[action]
    # A switch that is off asks for nothing. AutoImport is in the list for ModifyIpamPool: off is a modification too.
    asked = {name for name, value in params.items() if value is not False}
    if unmodeled := sorted(asked - required - optional | asked & {"AutoImport"}):
        raise NotImplementedError(f"{action}: {', '.join(unmodeled)}")
    for name in sorted(required):
        if not asks_for(params, name):
            raise AwsError("MissingParameter", f"The request must contain the parameter {name}")


def asks_for(params: Mapping[str, Any], name: str) -> bool:
    return params.get(name) not in (None, "", [])


def one_of(call: Call, name: str, allowed: Iterable[str], default: str | None = None) -> str:
    value = call.params.get(name, default)
    if value not in (choices := list(allowed)):
        raise invalid(name, value, f"Valid values are {choices}.")
    return str(value)


def netmask_length(call: Call, name: str) -> int | None:
    value: int | None = call.params.get(name)
    if value is not None and not 0 <= value <= 32:
        raise invalid(name, value, "An IPv4 netmask length is from 0 to 32.")
    return value


def tags_of(call: Call, resource_type: str) -> dict[str, str]:
    """The tags that the call puts on what it makes."""
    tags: dict[str, str] = {}
    for specification in call.params.get("TagSpecifications", ()):
        if specification.get("ResourceType") != resource_type:
            message = f"'{specification.get('ResourceType')}' is not a valid taggable resource type for this operation."
            raise AwsError("InvalidParameterValue", message)
        tags |= pairs(specification.get("Tags", ()))
    check_tags(tags)
    return tags


def pairs(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """{"Key": k, "Value": v} ... as {k: v}; a key may come once."""
    found: dict[str, str] = {}
    for tag in tags:
        if tag["Key"] in found:
            raise AwsError("InvalidParameterValue", f"Duplicate tag key '{tag['Key']}' specified.")
        found[tag["Key"]] = tag.get("Value", "")
    return found


def listed_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def check_tags(tags: Mapping[str, str]) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions"""
    if len(tags) > 50:
        raise AwsError("TagLimitExceeded", "The maximum number of tags for a resource is 50.")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128:
            raise AwsError("InvalidParameterValue", f"Tag key '{key}' must have from 1 to 128 characters.")
        if len(value) > 256:
            raise AwsError("InvalidParameterValue", f"The value of tag '{key}' exceeds the maximum of 256 characters.")
        if key.startswith("aws:"):
            raise AwsError("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use")


def invalid(name: str, value: object, remedy: str) -> AwsError:
    """The words are unverified, except where a caller gives AWS's own."""
    return AwsError("InvalidParameterValue", f"Value ({value}) for parameter {name} is invalid. {remedy}")
