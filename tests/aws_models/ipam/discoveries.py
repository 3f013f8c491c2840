"""DescribeIpamResourceDiscoveries, ModifyIpamResourceDiscovery: the discovery that comes with an IPAM.

What it discovers is in `resources`. Here: the accounts that it monitors, and the OUs that it excludes from monitoring
and billing.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/exclude-ous.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from itertools import combinations
from typing import Any

from aws_models.errors import AwsError
from aws_models.ipam.delegation import SERVICE
from aws_models.ipam.pages import Attributes, filtered, page
from aws_models.ipam.records import Discovery, Ipam
from aws_models.ipam.requests import Call, asks_for, invalid, listed_tags
from aws_models.ipam.store import Store, administers, begin, incorrect_state

PATH = re.compile(r"(o-[a-z0-9]{10,32})/r-[0-9a-z]{4,32}(/ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})+/\*?")
MODIFICATIONS = ("AddOrganizationalUnitExclusions", "RemoveOrganizationalUnitExclusions")


def describe_ipam_resource_discoveries(store: Store, call: Call) -> dict[str, Any]:
    found = {one.id: one for one in store.discoveries.values() if store.lists(one) and _is_own(store, call, one)}
    for discovery_id in (asked := call.params.get("IpamResourceDiscoveryIds") or list(found)):
        if discovery_id not in found:
            raise _not_found(discovery_id)
    discoveries = filtered(call, "owner-id", [found[discovery_id] for discovery_id in asked], _attributes)

    def shown(discovery: Discovery) -> dict[str, Any]:
        return described(store, discovery)

    return page(call, discoveries, lambda one: one.id, shown, "IpamResourceDiscoveries", store.page_size)


def modify_ipam_resource_discovery(store: Store, call: Call) -> dict[str, Any]:
    discovery = own_discovery(store, call, call.params["IpamResourceDiscoveryId"])
    if not any(asks_for(call.params, name) for name in MODIFICATIONS):
        message = "The request must contain a modification to the resource discovery"  # unverified, as for pools
        raise AwsError("InvalidParameterCombination", message)
    if discovery.in_progress:
        raise incorrect_state(discovery.id, discovery.state)
    _check_integration(store, call)
    added, removed = (_paths(store, call, name) for name in MODIFICATIONS)
    if added and store.agenda.now - discovery.made_at < store.timings.ous_known:
        # The code and the words are those that a provider waits for: hashicorp/terraform-provider-aws,
        # internal/service/ec2/vpc_ipam_resource_discovery.go
        raise AwsError("InvalidParameterValue", "One or more of the organizations entity paths is invalid.")
    _check_change(discovery, added, removed)
    excluded = [path for path in [*discovery.exclusions, *added] if path not in removed]
    _check_result(store, excluded)
    begin(store, call, discovery, "modify", store.timings.discovery_modify, partial(_exclude, discovery, excluded))
    return {"IpamResourceDiscovery": described(store, discovery)}


def _exclude(discovery: Discovery, excluded: list[str]) -> None:
    discovery.exclusions = excluded


def own_discovery(store: Store, call: Call, discovery_id: str) -> Discovery:
    discovery = store.discoveries.get(discovery_id)
    if discovery is None or not store.finds(discovery) or not _is_own(store, call, discovery):
        raise _not_found(discovery_id)
    return discovery


def is_excluded(store: Store, ipam: Ipam, account_id: str) -> bool:
    """Return whether the account is in an OU that the IPAM does not monitor."""
    path = store.organization.path_of(account_id)
    return any(_covers(excluded, path) for excluded in store.discoveries[ipam.discovery_id].exclusions)


def watches_since(store: Store, ipam: Ipam, account_id: str, region: str) -> float | None:
    """Return when the IPAM began to look at the account's Region; None: it does not."""
    region_since = ipam.watched_since.get(region)
    if region_since is None:
        return None
    if account_id == ipam.owner:
        return region_since
    integrated = store.integrated_at
    if integrated is None or store.organization.delegated_administrators.get(SERVICE) != ipam.owner:
        return None
    if not store.organization.is_member(account_id) or is_excluded(store, ipam, account_id):
        return None
    return max(region_since, integrated, store.member_since.setdefault(account_id, store.agenda.now))


def check_monitored(store: Store, ipam: Ipam, call: Call) -> None:
    """Refuse addresses to an account that the IPAM does not monitor, though a pool is shared with it.

    Source  https://github.com/hashicorp/terraform-provider-aws/pull/26943
            https://github.com/BinHsu/aegis-aws-landing-zone, docs/incidents.md, incident 7: at once after the naming
            hashicorp/terraform-provider-aws, internal/service/ec2/vpc_.go, for the code and for CreateVpc, which it
            tries again for two minutes; here, a new account is monitored at once
            Unverified: that this goes for excluded OUs too
    """
    account_id = call.caller.account_id
    if watches_since(store, ipam, account_id, call.caller.region) is None:
        words = f"Account {account_id} is not monitored by IPAM {ipam.id}."
        raise AwsError("UnsupportedOperation", f"The operation AllocateIpamPoolCidr is not supported. {words}")


def _is_own(store: Store, call: Call, discovery: Discovery) -> bool:
    return administers(store.ipams[discovery.ipam_id], call)


def _check_integration(store: Store, call: Call) -> None:
    """Refuse exclusions unless the caller is the organization's IPAM administrator (the code is unverified)."""
    if store.organization.delegated_administrators.get(SERVICE) != call.caller.account_id:
        raise AwsError("UnsupportedOperation", "The IPAM is not integrated with AWS Organizations.")


def _paths(store: Store, call: Call, member: str) -> list[str]:
    wanted: list[Mapping[str, str]] = call.params.get(member, [])
    paths = [exclusion.get("OrganizationsEntityPath", "") for exclusion in wanted]
    for path in paths:
        matched = PATH.fullmatch(path)
        if not matched or matched[1] != store.organization.organization_id:
            raise invalid(member, path, "It is no path of OUs of this organization.")
    if len(paths) != len(set(paths)):
        raise invalid(member, paths, "Each path once.")
    return paths


def _check_change(discovery: Discovery, added: list[str], removed: list[str]) -> None:
    """Refuse to add an existing exclusion or to remove a missing one (unverified, hence refused)."""
    if known := set(added) & set(discovery.exclusions):
        raise invalid(MODIFICATIONS[0], sorted(known), "It is excluded already.")
    if unknown := set(removed) - set(discovery.exclusions):
        raise invalid(MODIFICATIONS[1], sorted(unknown), "It is not excluded.")


def _check_result(store: Store, paths: list[str]) -> None:
    """Refuse overlaps, and more than the quota, as AWS does (codes and words are unverified)."""
    if len(paths) > store.quotas.exclusions_per_discovery:
        limit = store.quotas.exclusions_per_discovery
        raise AwsError("ResourceLimitExceeded", f"You are limited to {limit} exclusions per resource discovery.")
    for one, other in combinations(paths, 2):
        if _covers(one, other) or _covers(other, one):
            raise invalid("OrganizationalUnitExclusions", [one, other], "They exclude the same OU.")


def _covers(path: str, other: str) -> bool:
    return other.rstrip("*") == path.rstrip("*") or (path.endswith("*") and other.startswith(path.rstrip("*")))


def _not_found(discovery_id: str) -> AwsError:
    message = f"The ipam-resource-discovery ID '{discovery_id}' does not exist"
    return AwsError("InvalidIpamResourceDiscoveryId.NotFound", message)


def _attributes(discovery: Discovery) -> Attributes:
    return {"owner-id": discovery.owner}


def described(store: Store, discovery: Discovery) -> dict[str, Any]:
    ipam = store.ipams[discovery.ipam_id]
    return {
        "OwnerId": discovery.owner,
        "IpamResourceDiscoveryId": discovery.id,
        "IpamResourceDiscoveryArn": discovery.arn,
        "IpamResourceDiscoveryRegion": ipam.region,
        "OperatingRegions": [{"RegionName": name} for name in ipam.operating_regions],
        "IsDefault": True,
        "State": discovery.state,
        "Tags": listed_tags(discovery.tags),
        "OrganizationalUnitExclusions": [{"OrganizationsEntityPath": path} for path in discovery.exclusions],
    }
