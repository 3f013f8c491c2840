"""Ask the functions' own code what an update would do, on what exists. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from commands import reading
from commands.plan import simulation
from commands.preview.changes import (
    Change,
    Difference,
    Preview,
    account_differences,
    environments_after,
    names_by_id,
    notes_on_blocks,
    notes_on_renamed,
    parameter_differences,
    pool_differences,
)
from commands.terminal import Progress
from ctipam import names, waiting
from ctipam.cloudformation import other_stacks
from ctipam.cloudformation.described import tags_of
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import Refused
from ctipam.ipam import reconcile as ipam_reconcile
from ctipam.ipam.changes import pending_changes
from ctipam.ipam.cost_controls import LEAVE, CostControls
from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.listing import list_pools, stack_of
from ctipam.ipam.reader import find_discovery
from ctipam.ipam.spec import IpamSpec
from ctipam.organization import preconditions, setup
from ctipam.organization.deployments import deployments_in, networking_account
from ctipam.organization.environments import identify
from ctipam.organization.preconditions import SetupResult, SetupSpec
from ctipam.organization.reader import find_ou_paths, find_roots
from ctipam.pools import reconcile as pools_reconcile
from ctipam.pools.existing import ExistingPool
from ctipam.pools.parameters import environments
from ctipam.pools.preconditions import refuse_second_deployment
from ctipam.pools.reader import as_listed
from ctipam.pools.recognition import lost_stack_tag, lost_stack_tags
from ctipam.pools.reconcile import Situation
from ctipam.pools.rounds import with_ancestors
from ctipam.pools.spec import PoolSpec
from ctipam.sessions import Account
from ctipam.sharing.reconcile import reconcile_all
from ctipam.sharing.results import SharingResult
from ctipam.sharing.run import SharingRun, start_run

LISTS = ("RegionSelection", "AccEnvName")
"""The parameters that CloudFormation passes on as lists."""

_POOLS = {
    "TopLevelPoolCidr",
    "RegionSelection",
    "IpamPoolPrefixLength",
    "AccEnvName",
    "AccPoolPrefixLength",
    "PoolSizes",
    "VpcDefaultNetmaskLength",
    "VpcMinNetmaskLength",
    "VpcMaxNetmaskLength",
    "ReservedCidrs",
    "AutoImport",
    "IpamPoolQuota",
    "PackageVersion",
}
_SHARING = {"RegionSelection", "AccEnvName", "IpamScope", "ShareWithExistingAccounts", "OuMatch", "UnshareLimit"}
PROPERTIES: dict[str, frozenset[str]] = {
    "OrganizationSetup": frozenset(_POOLS - {"AutoImport"} | {"NetworkAccountId", "OuMatch", "IpamExcludedOus"}),
    "Ipam": frozenset(_POOLS | {"IpamScope", "IpamTier", "IpamMeteredAccount"}),
    "InitPools": frozenset(_POOLS),
    "ShareExistingAccounts": frozenset(
        _SHARING | {"NetworkAccountId", "TopLevelPoolCidr", "ReservedCidrs", "PackageVersion"}
    ),
}
"""The parameters that each custom resource has as properties. CloudFormation invokes it only if one of them changes."""

T = TypeVar("T")


@dataclass(frozen=True)
class Update:
    """What is to be previewed.

    stack                 the name of the stack
    stack_id              its ARN; of a stack that does not exist yet, one that it might have
    networking_stack_id   the ARN of the stack in the Networking account, likewise
    old                   the parameters of the stack that exists; None: this is the first deployment
    new                   all parameters, with those that are given
    networking_exists     the StackSet lists a stack in the Networking account
    added                 the parameters that the stack does not have yet: an older version has deployed it
    """

    stack: str
    stack_id: str
    networking_stack_id: str
    old: Mapping[str, str] | None
    new: Mapping[str, str]
    networking_exists: bool
    added: frozenset[str]

    @property
    def network_account_id(self) -> str:
        """The account that has the pools. Another one is refused."""
        return (self.new if self.old is None else self.old)["NetworkAccountId"]

    @property
    def parameters(self) -> tuple[Difference, ...]:
        return () if self.old is None else parameter_differences(self.old, self.new)

    def invokes(self, resource: str) -> bool:
        """Return whether CloudFormation invokes the custom resource: also for a new property that changes nothing."""
        changed = self.added.union(one.name for one in self.parameters)
        return self.old is None or not changed.isdisjoint(PROPERTIES[resource])

    def request(self, account: Account, stack_id: str, properties: Mapping[str, Any]) -> ResourceRequest:
        """Return the request that CloudFormation would send, as far as deciding needs it."""
        return ResourceRequest(
            kind="Create" if self.old is None else "Update",
            request_id="preview",
            properties=properties,
            account=account,
            deadline=reading.LONG,
            began=waiting.now(),
            stack=OwnStack(account, stack_id),
            stack_status="",
            old_properties=as_properties(self.old or {}),
        )


def as_properties(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return parameters as a custom resource has them: lists are lists."""
    lists = {name: [item.strip() for item in parameters[name].split(",")] for name in LISTS if name in parameters}
    return {**parameters, **lists}


def preview(management: Account, networking: Account, update: Update, progress: Progress) -> Preview:
    """Return what the update would do. Raises AWS's errors."""
    refused: list[str] = []
    hindered: list[str] = []  # what would be refused if CloudFormation invoked the custom resource
    result = None
    if update.invokes("OrganizationSetup"):
        progress("the organization")
        result = _unless_refused(refused, lambda: check_organization(management, update))
    progress("the IPAM and its pools")
    exclusions = result.exclusions if result else LEAVE
    reasons = refused if update.invokes("Ipam") else hindered
    forecast = _unless_refused(reasons, lambda: foresee_pools(networking, update, exclusions))
    found = Preview(update.stack, update.old is None, parameters=update.parameters, refused=tuple(refused))
    if refused or forecast is None:
        notes = (*_renamed(management, networking, update), *_lost_tags(networking))
        return replace(found, notes=notes, hindered=tuple(hindered))
    progress("accounts and shares")
    sharing_result = reconcile_all(start_sharing(management, networking, update, forecast.after))
    accounts = account_differences(sharing_result.accounts, forecast.names(networking))
    invokes_sharing = update.invokes("ShareExistingAccounts")
    return replace(
        found,
        ipam=forecast.ipam,
        pools=forecast.planned,
        accounts=accounts if invokes_sharing else (),
        drift=(*forecast.drift, *(() if invokes_sharing else accounts)),
        notes=(
            *notes_on_renamed(forecast.before, sharing_result.environments),
            *(f"{sentence}, and stays although the stack does not declare it." for sentence in forecast.stays),
            *_notes(update, result, forecast, sharing_result),
        ),
    )


def _renamed(management: Account, networking: Account, update: Update) -> list[str]:
    """Return which new environments are OUs that already have pools under another name."""
    pools = [as_listed(pool, ours=True) for pool in list_pools(networking) if stack_of(pool)]
    have_pools = {pool.key.environment for pool in pools if pool.key}
    try:
        ou_ids = environments(update.new["AccEnvName"])
    except Refused:  # which is why the update would be refused
        return []
    new = {name: [ou_id] if ou_id else [] for name, ou_id in ou_ids.items() if name not in have_pools}
    if not pools or not new:
        return []
    organizations = management.organizations()
    ous = [path[0] for path in find_ou_paths(organizations, find_roots(organizations))]
    return notes_on_renamed(pools, identify(new, ous).values())


def _lost_tags(networking: Account) -> list[str]:
    """Return which pools have lost the tag by which they are ours, with the command that puts it back."""
    listed = list_pools(networking)
    descriptions = {pool["IpamPoolId"]: pool.get("Description", "") for pool in listed}
    lost = lost_stack_tags(listed)
    return [lost_stack_tag(descriptions[pool_id] or "A pool", pool_id, value) for pool_id, value in lost.items()]


def _unless_refused(refused: list[str], ask: Callable[[], T]) -> T | None:
    """Return the answer, or note why there is none; what several would refuse, once."""
    try:
        return ask()
    except Refused as refusal:
        if str(refusal) not in refused:
            refused.append(str(refusal))
        return None


def check_organization(management: Account, update: Update) -> SetupResult:
    """Do what Custom::OrganizationSetup does before it changes anything. Raises Refused."""
    request = update.request(management, update.stack_id, as_properties(update.new))
    preconditions.refuse_another_networking_account(request)
    spec = SetupSpec.from_request(request, management.known_regions())
    result = setup.check(management, spec)
    if spec.new:
        ignored = [update.networking_stack_id]  # if it exists, an earlier deployment of the name has left it
        living = deployments_in(networking_account(management, spec.network_account_id), ignored)
        refuse_second_deployment(living, update.stack)
    return result


@dataclass(frozen=True)
class PoolsForecast:
    """planned   what the update does
    drift     what it leaves as it is
    after     the pools after the update
    stays     what keeps what is not wanted, in words
    """

    before: list[ExistingPool]
    after: list[ExistingPool]
    planned: tuple[Difference, ...] = ()
    drift: tuple[Difference, ...] = ()
    ipam: tuple[Difference, ...] = ()
    stays: tuple[str, ...] = ()

    def names(self, networking: Account) -> dict[str, str]:
        """Return the names of all pools by ARN."""
        names = names_by_id(self.before, self.after)
        return {reading.pool_arn(networking) + pool_id: name for pool_id, name in names.items()}


def foresee_pools(networking: Account, update: Update, exclusions: str) -> PoolsForecast:
    """Return what Custom::Ipam and Custom::InitPools would do. Raises Refused as they do.

    exclusions   the property IpamExclusions, from Custom::OrganizationSetup
    """
    properties = as_properties(update.new) | {"IpamExclusions": exclusions}
    request = update.request(networking, update.networking_stack_id, properties)
    stack = other_stacks.describe(networking, request.stack_id) if update.networking_exists else None
    tags = tags_of(stack) if stack else {}
    spec = PoolSpec.from_properties(properties, networking.known_regions(), request.stack_id, tags)
    ipam_spec = IpamSpec(properties["IpamScope"], spec.regions, CostControls.from_properties(properties))
    ipam = ipam_reconcile.check(request, ipam_spec)
    found = pools_reconcile.look(request, ipam_spec.scope_id_in(ipam) if ipam else "", spec)
    before = [*found.pools]
    if update.old is None:  # they are an earlier deployment's, and nobody knows the ARN yet that they are to carry
        before = [replace(pool, tags={**pool.tags, names.STACK_TAG: request.stack_id}) for pool in before]
    kept_anyway = with_ancestors(found.stays, before)
    after = simulation.update(spec, before, found.allocated, found.in_use, kept_anyway)
    differences = pool_differences(spec, before, after, found.reservable)
    applies = update.invokes("InitPools") and not found.built
    drifted = _drifted(networking, update, found, spec) if applies and update.old is not None else ()
    return PoolsForecast(
        before,
        after if applies else before,
        planned=tuple(_marked(one, drifted) for one in differences) if applies else (),
        drift=() if applies else differences,
        ipam=_ipam_differences(networking, ipam_spec, ipam) if update.invokes("Ipam") or exclusions != LEAVE else (),
        stays=tuple(sentence for sentences in found.stays.values() for sentence in sentences),
    )


def _drifted(networking: Account, update: Update, found: Situation, spec: PoolSpec) -> tuple[Difference, ...]:
    """Return what an update with the present parameters would change: what somebody has changed by hand."""
    properties = as_properties(update.old or {})
    try:
        old = PoolSpec.from_properties(properties, networking.known_regions(), spec.stack_id, spec.stack_tags)
        after = simulation.update(
            old, found.pools, found.allocated, kept_anyway=with_ancestors(found.stays, found.pools)
        )
    except Refused:  # by this version of the code: then everything counts as planned
        return ()
    return pool_differences(old, found.pools, after, found.reservable)


def _marked(one: Difference, drifted: Collection[Difference]) -> Difference:
    """Return a difference with what corrects drift marked: the whole, or those changes that do."""
    if one in drifted:
        return replace(one, drift=True)
    of_pool = {change for drift in drifted if drift.resource_id == one.resource_id for change in drift.changes}
    return replace(one, changes=tuple(replace(change, drift=change in of_pool) for change in one.changes))


def _ipam_differences(networking: Account, spec: IpamSpec, ipam: ExistingIpam | None) -> tuple[Difference, ...]:
    if ipam is None:
        regions = Change("operating Regions", "", ", ".join(spec.regions))
        return (Difference("add", f"IPAM in {networking.region}", changes=(regions,)),)
    before = {"Tier": ipam.tier, "MeteredAccount": ipam.metered_account}
    words = {"Tier": "tier", "MeteredAccount": "who pays"}
    changes = []
    for change in pending_changes(spec, ipam):
        for name, value in change.items():
            if name in words:
                changes.append(Change(words[name], before[name], value))
            else:
                changes += [Change("operating Region", "", region["RegionName"]) for region in value]
    if spec.costs.exclusions is not None and (discovery := find_discovery(networking, ipam.discovery_id)):
        excluded = {one["OrganizationsEntityPath"] for one in discovery.get("OrganizationalUnitExclusions", [])}
        changes += [Change("excluded OUs", "", path) for path in sorted(spec.costs.exclusions - excluded)]
        changes += [Change("excluded OUs", path, "") for path in sorted(excluded - spec.costs.exclusions)]
    return (Difference("change", "IPAM", ipam.ipam_id, changes=tuple(changes)),) if changes else ()


def start_sharing(management: Account, networking: Account, update: Update, after: list[ExistingPool]) -> SharingRun:
    """Return a dry run of the lifecycle function, as it will be after the update."""
    settings = reading.sharing_settings(update.new, update.stack_id)
    new = update.old is None
    run = start_run(management, settings, reading.LONG, dry_run=True, share_with_all=new)
    rules = run.rules
    if new and not settings.share_with_existing_accounts:  # the stack that would tell since when does not exist yet
        rules = replace(rules, since=datetime.now(UTC))
    pools = replace(run.pools, environments=environments_after(after, reading.pool_arn(networking)))
    return replace(run, rules=rules, pools=pools)


def _notes(
    update: Update, result: SetupResult | None, forecast: PoolsForecast, sharing_result: SharingResult
) -> tuple[str, ...]:
    is_taken_over = update.old is None and forecast.before
    taken_over = ["Pools of an earlier deployment are taken over."] if is_taken_over else []
    of_environments = preconditions.environment_warnings(sharing_result.environments)
    warnings = result.warnings if result else ()
    of_pools = [*sharing_result.wrong_rules.values(), *notes_on_blocks(forecast.after)]
    return tuple(dict.fromkeys([*taken_over, *warnings, *of_environments, *sharing_result.not_taken, *of_pools]))
