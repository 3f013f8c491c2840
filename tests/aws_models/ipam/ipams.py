"""CreateIpam, ModifyIpam, DeleteIpam, DescribeIpams.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/create-ipam.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from aws_models.errors import AwsError
from aws_models.ipam.delegation import SERVICE
from aws_models.ipam.pages import Attributes, filtered, page
from aws_models.ipam.records import Discovery, Ipam, Lasting, Scope
from aws_models.ipam.requests import Call, asks_for, invalid, listed_tags, one_of, tags_of
from aws_models.ipam.store import (
    Store,
    begin,
    dependency_violation,
    incorrect_state,
    leave_lists,
    listed_to_owner,
    own_ipam,
)
from aws_models.ipam.tokens import once

TIERS = ("free", "advanced")
METERED_ACCOUNTS = ("ipam-owner", "resource-owner")
DAY = 86400.0
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
MODIFICATIONS = ("Description", "AddOperatingRegions", "RemoveOperatingRegions", "Tier", "MeteredAccount")


def create_ipam(store: Store, call: Call) -> dict[str, Any]:
    return {"Ipam": described(store, once(store, call, lambda: _create(store, call)))}


def _create(store: Store, call: Call) -> Ipam:
    regions = _region_names(call, "OperatingRegions")
    if any((ipam.owner, ipam.region) == _place(call) for ipam in store.ipams.values() if ipam.exists):
        # https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html
        # https://github.com/rebuy-de/aws-nuke/issues/834
        words = "You've reached the limit for ipams. You have created 1 ipams and you are limited to 1."
        raise AwsError("ResourceLimitExceeded", words)
    home = call.caller.region
    metered_account = one_of(call, "MeteredAccount", METERED_ACCOUNTS, default="ipam-owner")
    _check_metered_account(store, call, "ipam-owner", metered_account, 0.0)
    ipam = Ipam(
        id=store.ids.new("ipam"),
        owner=call.caller.account_id,
        tags=tags_of(call, "ipam"),
        known_from=store.agenda.now + store.timings.known,
        region=home,
        description=call.params.get("Description"),
        operating_regions=regions if home in regions else [*regions, home],  # AWS appends the home Region itself
        tier=one_of(call, "Tier", TIERS, default="advanced"),
        metered_account=metered_account,
        distributed_at=store.agenda.now,
        discovery_id=store.ids.new("ipam-res-disco"),
        discovery_association_id=store.ids.new("ipam-res-disco-assoc"),
    )
    private, public = (_default_scope(store, ipam, public=public) for public in (False, True))
    ipam.private_scope_id, ipam.public_scope_id = private.id, public.id
    store.ipams[ipam.id] = ipam
    store.discoveries[ipam.discovery_id] = Discovery(
        ipam.discovery_id, ipam.owner, {}, known_from=ipam.known_from, ipam_id=ipam.id, made_at=store.agenda.now
    )

    begin(store, call, ipam, "create", store.timings.ipam_create, partial(_created, store, ipam))
    return ipam


def _created(store: Store, ipam: Ipam) -> None:
    _end_parts(store, ipam, "create-complete")
    _watch(store, ipam)


def _watch(store: Store, ipam: Ipam) -> None:
    """Look at the operating Regions from now on, and no longer at others."""
    since = store.agenda.now
    ipam.watched_since = {region: ipam.watched_since.get(region, since) for region in ipam.operating_regions}
    ipam.coming_regions.clear()


def _place(call: Call) -> tuple[str, str]:
    return call.caller.account_id, call.caller.region


def _default_scope(store: Store, ipam: Ipam, *, public: bool) -> Scope:
    scope = Scope(
        id=store.ids.new("ipam-scope"),
        owner=ipam.owner,
        tags={},
        ipam_id=ipam.id,
        type="public" if public else "private",
        is_default=True,
        known_from=ipam.known_from,
    )
    store.scopes[scope.id] = scope
    return scope


def _end_parts(store: Store, ipam: Ipam, state: str) -> None:
    """Set the state of the default scopes and the default discovery, which follow their IPAM."""
    parts: list[Lasting] = [*store.scopes_of(ipam), store.discoveries[ipam.discovery_id]]
    for part in parts:
        part.state, part.listed = state, state != "delete-complete"


def _check_metered_account(store: Store, call: Call, old: str, new: str, distributed_at: float) -> None:
    """https://docs.aws.amazon.com/vpc/latest/ipam/ipam-enable-cost-distro.html; the codes are unverified."""
    administrator = store.organization.delegated_administrators.get(SERVICE)
    if new == "resource-owner" and administrator != call.caller.account_id:
        raise invalid("MeteredAccount", new, "Only the organization's IPAM administrator can distribute costs.")
    since = store.agenda.now - distributed_at
    if (old, new) == ("resource-owner", "ipam-owner") and DAY < since < 7 * DAY:
        raise invalid("MeteredAccount", new, "It cannot be changed for seven days.")


def modify_ipam(store: Store, call: Call) -> dict[str, Any]:
    ipam = own_ipam(store, call, call.params["IpamId"])
    if not any(asks_for(call.params, name) for name in MODIFICATIONS):
        message = "The request must contain a modification to the ipam"  # unverified, after ModifyIpamPool's words
        raise AwsError("InvalidParameterCombination", message)
    if ipam.in_progress:
        raise incorrect_state(ipam.id, ipam.state)
    added, removed = _region_names(call, "AddOperatingRegions"), _region_names(call, "RemoveOperatingRegions")
    tier = one_of(call, "Tier", TIERS, default=ipam.tier)
    metered_account = one_of(call, "MeteredAccount", METERED_ACCOUNTS, default=ipam.metered_account)
    _check_metered_account(store, call, ipam.metered_account, metered_account, ipam.distributed_at)
    _check_added(ipam, added)
    _check_removed(store, ipam, removed)
    if (ipam.tier, tier) == ("advanced", "free"):
        _check_free(store, ipam)

    ipam.operating_regions = [name for name in [*ipam.operating_regions, *added] if name not in removed]
    ipam.coming_regions |= set(added)
    if (ipam.metered_account, metered_account) == ("ipam-owner", "resource-owner"):
        ipam.distributed_at = store.agenda.now
    ipam.tier, ipam.metered_account = tier, metered_account
    ipam.description = call.params.get("Description", ipam.description)
    begin(store, call, ipam, "modify", store.timings.ipam_modify, partial(_watch, store, ipam))
    return {"Ipam": described(store, ipam, with_tags=False)}


def _check_added(ipam: Ipam, regions: list[str]) -> None:
    if known := set(regions) & set(ipam.operating_regions):  # unverified, hence refused
        raise invalid("AddOperatingRegions", sorted(known), "It is an operating Region already.")


def _check_removed(store: Store, ipam: Ipam, regions: list[str]) -> None:
    """Refuse to remove the home Region, an unknown Region, or a pool's locale (unverified, hence refused)."""
    if unknown := set(regions) - set(ipam.operating_regions) | set(regions) & {ipam.region}:
        raise invalid("RemoveOperatingRegions", sorted(unknown), "Only operating Regions go, never the home Region.")
    locales = {pool.locale for scope in store.scopes_of(ipam) for pool in store.pools_in(scope)}
    if used := set(regions) & locales:
        raise dependency_violation(ipam.id, f"There are pools whose locale is {', '.join(sorted(used))}.")


def _check_free(store: Store, ipam: Ipam) -> None:
    """https://docs.aws.amazon.com/vpc/latest/ipam/mod-ipam-tier.html; AWS's code and words are unverified."""
    scopes = store.scopes_of(ipam)
    if any(not scope.is_default for scope in scopes) or any(store.pools_in(scope) for scope in scopes):
        raise invalid("Tier", "free", "First delete all pools in private scopes, and all scopes but the default ones.")


def delete_ipam(store: Store, call: Call) -> dict[str, Any]:
    ipam = own_ipam(store, call, call.params["IpamId"])
    if ipam.in_progress:
        raise incorrect_state(ipam.id, ipam.state)
    scopes = store.scopes_of(ipam)
    if any(store.pools_in(scope) for scope in scopes):  # the words are unverified, here and below
        raise dependency_violation(ipam.id, "There are pools in its scopes.")
    if any(not scope.is_default for scope in scopes):
        raise dependency_violation(ipam.id, "There are scopes other than the default ones.")
    begin(store, call, ipam, "delete", store.timings.ipam_delete, partial(_deleted, store, ipam))
    return {"Ipam": described(store, ipam, with_tags=False)}


def _deleted(store: Store, ipam: Ipam) -> None:
    _end_parts(store, ipam, "delete-complete")
    leave_lists(store, ipam, store.timings.deleted_ipam_listed)


def describe_ipams(store: Store, call: Call) -> dict[str, Any]:
    found = {ipam.id: ipam for ipam in listed_to_owner(store, call)}
    for ipam_id in (asked := call.params.get("IpamIds") or list(found)):
        if ipam_id not in found:
            raise AwsError("InvalidIpamId.NotFound", f"The ipam ID '{ipam_id}' does not exist")
    ipams = filtered(call, "owner-id tag:", [found[ipam_id] for ipam_id in asked], _attributes)
    with_tags = not store.faults.leaves_tags_out(call)

    def shown(ipam: Ipam) -> dict[str, Any]:
        return described(store, ipam, with_tags)

    return page(call, ipams, lambda ipam: ipam.id, shown, "Ipams", store.page_size)


def _attributes(ipam: Ipam) -> Attributes:
    return {"owner-id": ipam.owner} | {f"tag:{key}": value for key, value in ipam.tags.items()}


def described(store: Store, ipam: Ipam, with_tags: bool = True) -> dict[str, Any]:
    """Return the IPAM as AWS shows it; its published answers to ModifyIpam and the Delete calls have no tags."""
    description = {"Description": ipam.description} if ipam.description is not None else {}
    message = {"StateMessage": ipam.state_message} if ipam.state_message else {}
    return {
        "OwnerId": ipam.owner,
        "IpamId": ipam.id,
        "IpamArn": ipam.arn,
        "IpamRegion": ipam.region,
        "PublicDefaultScopeId": ipam.public_scope_id,
        "PrivateDefaultScopeId": ipam.private_scope_id,
        "ScopeCount": len(store.scopes_of(ipam)),
        **description,
        "OperatingRegions": [{"RegionName": name} for name in ipam.operating_regions],
        "State": ipam.state,
        **({"Tags": listed_tags(ipam.tags)} if with_tags else {}),
        "DefaultResourceDiscoveryId": ipam.discovery_id,
        "DefaultResourceDiscoveryAssociationId": ipam.discovery_association_id,
        "ResourceDiscoveryAssociationCount": 1,
        **message,
        "Tier": ipam.tier,
        "EnablePrivateGua": False,
        "MeteredAccount": ipam.metered_account,
    }


def _region_names(call: Call, member: str) -> list[str]:
    wanted: list[Mapping[str, str]] = call.params.get(member, [])
    names = [region.get("RegionName", "") for region in wanted]
    if len(names) > 50:
        raise invalid(member, len(names), "At most 50 Regions.")
    if wrong := [name for name in names if not REGION.fullmatch(name)]:
        raise invalid(member, wrong, "It is not a Region.")
    if len(names) != len(set(names)):
        raise invalid(member, names, "Each Region once.")
    return names
