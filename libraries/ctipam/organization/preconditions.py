"""Decides what Custom::OrganizationSetup refuses, and what it only warns of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ctipam.cloudformation.request import ResourceRequest
from ctipam.environment_names import split_environment
from ctipam.errors import Refused
from ctipam.ipam.cost_controls import LEAVE
from ctipam.organization.environments import EnvironmentOu
from ctipam.pools.spec import PoolSpec
from ctipam.tags import TAGS_OF_A_RESOURCE

EXCLUSIONS_LIMIT = 2_400
"""Characters. CloudFormation reads 4096 bytes of answer, of which warnings and ids take the rest."""

MOST_STACK_TAGS = TAGS_OF_A_RESOURCE - 14
"""The rest is for a pool's own tags: eleven, and three more if the record of its CIDRs is long."""


@dataclass(frozen=True)
class SetupSpec:
    """What the stack wants of the organization.

    new            the stack is being created. Later, an OU that cannot be excluded is only a warning: it may have been
                   deleted since, and CloudFormation must be able to roll an update back
    environments   of AccEnvName, each with the id of its OU if that is named by id
    added          those of the environments that the request adds, or names by another id
    exact          see `excluded_ous.find_exclusions`, also for excluded_ous
    added_regions  those of regions that the request adds. One that Control Tower does not govern is refused; for the
                   other Regions that is only a warning
    rollback       an update that failed is being rolled back
    """

    new: bool
    network_account_id: str
    environments: Mapping[str, str]
    exact: bool
    excluded_ous: str
    regions: tuple[str, ...]
    added_regions: frozenset[str]
    rollback: bool
    added: frozenset[str]

    @classmethod
    def from_request(cls, request: ResourceRequest, known_regions: Collection[str]) -> SetupSpec:
        """Raise Refused for what the Networking stack would refuse later, after other resources exist."""
        pools = PoolSpec.from_properties(request.properties, known_regions)
        added = frozenset(pools.regions).difference(request.old_properties.get("RegionSelection", ()))
        old = dict(map(split_environment, request.old_properties.get("AccEnvName", ())))
        environments = {environment: pools.pinned_ous.get(environment, "") for environment in pools.environments}
        return cls(
            new=request.kind == "Create",
            network_account_id=request.properties["NetworkAccountId"],
            environments=environments,
            exact=request.properties.get("OuMatch") == "exact",
            excluded_ous=request.properties.get("IpamExcludedOus", LEAVE),
            regions=tuple(pools.regions),
            added_regions=frozenset() if request.is_rollback else added,
            rollback=request.is_rollback,
            added=frozenset() if request.is_rollback else added_environments(old, environments),
        )


@dataclass(frozen=True)
class SetupResult:
    """What the stack reads.

    exclusions   for the Networking account's stack
    warnings     a sentence each
    """

    exclusions: str
    warnings: tuple[str, ...]


def refuse_wrong_account(own_account_id: str, organization_id: str, owner_id: str) -> None:
    """Raise Refused unless this is the management account. A rule of the template refuses it as Networking account."""
    if owner_id != own_account_id:
        raise Refused(
            f"Account {own_account_id} is not the management account of {organization_id}; "
            f"deploy this stack in account {owner_id}."
        )


def refuse_too_many_tags(stack_tags: Collection[str]) -> None:
    """Raise Refused if pools and shares cannot carry all tags of the stack beside their own."""
    if len(stack_tags) > MOST_STACK_TAGS:
        raise Refused(
            f"The stack has {len(stack_tags)} tags, and pools can take {MOST_STACK_TAGS} beside their own, because AWS "
            f"allows {TAGS_OF_A_RESOURCE} on a resource. Give the stack fewer."
        )


def refuse_too_many_exclusions(exclusions: str) -> None:
    """Raise Refused if the paths of the excluded OUs do not fit into the answer to CloudFormation.

    exclusions   the property IpamExclusions
    """
    if len(exclusions) > EXCLUSIONS_LIMIT:
        raise Refused(
            f"IpamExcludedOus names too many OUs: their paths have {len(exclusions)} characters, and CloudFormation "
            f"takes {EXCLUSIONS_LIMIT}. Exclude OUs above them instead."
        )


def lists_in_home_region(partition: str) -> bool:
    """Return whether a Region that lists no landing zone is certainly not the home Region. AWS says so of commercial
    Regions only: https://docs.aws.amazon.com/controltower/latest/userguide/lz-api-list.html
    """
    return partition == "aws"


def refuse_another_region(region: str, home_region: str | None, partition: str, *, new: bool) -> list[str]:
    """Raise Refused outside Control Tower's home Region. Returns a warning if the home Region is not certain.

    home_region   empty: this Region lists no landing zone; None: Control Tower cannot be read here
    new           the stack is being created. A stack that exists is not refused for a landing zone that is not listed
    """
    if home_region is None:
        return [f"Control Tower cannot be read in {region}; its events arrive in its home Region."]
    if not home_region:
        if new and lists_in_home_region(partition):
            raise Refused(
                f"Control Tower lists no landing zone in {region}, so its home Region is another: deploy this stack "
                "there."
            )
        return [f"Control Tower lists no landing zone in {region}; its events arrive in its home Region."]
    if home_region != region:
        raise Refused(f"{region} is not Control Tower's home Region: deploy this stack in {home_region}.")
    return []


def ungoverned_regions(regions: Iterable[str], governed: Collection[str] | None) -> dict[str, str]:
    """Return a sentence for each Region that Control Tower does not govern. governed: None if that is not known."""
    return {
        region: f"RegionSelection names {region}, which Control Tower does not govern, so its Region deny may block "
        "the pools there. Add the Region in the landing zone settings, or remove it from RegionSelection."
        for region in regions
        if governed is not None and region not in governed
    }


def refuse_added_regions(ungoverned: Mapping[str, str], added: Collection[str]) -> None:
    """Raise Refused if Control Tower does not govern an added Region. ungoverned: see `ungoverned_regions`."""
    for region, sentence in ungoverned.items():
        if region in added:
            raise Refused(sentence)


def refuse_another_networking_account(request: ResourceRequest) -> None:
    """Raise Refused if an update changes the Networking account, because its pools would stay behind."""
    new_account_id = request.properties["NetworkAccountId"]
    old_account_id = request.old_properties.get("NetworkAccountId", new_account_id)
    if old_account_id != new_account_id and not request.is_rollback:
        raise Refused(
            f"NetworkAccountId cannot change from {old_account_id} to {new_account_id}: a deployment cannot move. "
            "Restore it; to use another account, delete this stack (make undo), then deploy with the new account."
        )


def refuse_another_administrator(administrators: Sequence[str], network_account_id: str, *, new: bool) -> None:
    """Raise Refused if another account is IPAM's delegated administrator.

    new   the stack is being created. An existing one keeps its Networking account, so it is not told to use another
    """
    if not administrators or network_account_id in administrators:
        return
    if new:
        raise Refused(
            f"IPAM's delegated administrator is account {administrators[0]}, and an organization has only one. Use it "
            "as NetworkAccountId; or delete the deployment that has its pools there, if any, then disable it in IPAM's "
            "settings."
        )
    raise Refused(
        f"IPAM's delegated administrator is account {administrators[0]}, but the pools of this stack are in "
        f"{network_account_id}. Disable {administrators[0]} in IPAM's settings and update again: the stack then makes "
        f"{network_account_id} the administrator."
    )


def refuse_unclear_environments(found: Mapping[str, EnvironmentOu], added: Collection[str]) -> None:
    """Raise Refused if it is not clear which OU an added environment is. An OU that does not exist yet is no problem,
    unless it is named by its id."""
    for environment, one in found.items():
        if environment in added and one.lasting:
            raise Refused(one.problem)


def environment_warnings(found: Iterable[EnvironmentOu]) -> list[str]:
    """Return a sentence for each environment that has no OU, or whose OU has another name now."""
    return [one.sentence for one in found if one.problem or one.is_renamed]


def added_environments(old: Mapping[str, str], new: Mapping[str, str]) -> frozenset[str]:
    """Return the environments that are new, or named by another id.

    old, new   the id of each environment's OU; empty: AccEnvName has only the name
    """
    return frozenset(name for name, ou_id in new.items() if name not in old or (ou_id or old[name]) != old[name])
