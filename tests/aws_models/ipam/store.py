"""The model's state, and which resources a caller finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network
from typing import Any, Literal

from aws_models.errors import AwsError
from aws_models.ipam.agenda import Agenda
from aws_models.ipam.faults import HANG, Faults
from aws_models.ipam.records import (
    NO_LOCALE,
    Allocation,
    Discovery,
    Failure,
    Ids,
    Ipam,
    Lasting,
    Pool,
    PoolCidr,
    Scope,
    VpcCidr,
)
from aws_models.ipam.requests import Call
from aws_models.ipam.settings import MutationLock, Quotas, Timings
from aws_models.organization import Organization


@dataclass
class Store:
    agenda: Agenda
    organization: Organization
    timings: Timings
    quotas: Quotas
    mutation_lock: MutationLock
    page_size: int
    faults: Faults = field(default_factory=Faults)
    ids: Ids = field(default_factory=Ids)
    # Nothing is ever dropped from the first four: a client token still answers what was deleted long ago.
    ipams: dict[str, Ipam] = field(default_factory=dict)
    discoveries: dict[str, Discovery] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    pools: dict[str, Pool] = field(default_factory=dict)
    cidrs: dict[str, PoolCidr] = field(default_factory=dict)
    allocations: dict[str, Allocation] = field(default_factory=dict)
    tokens: dict[tuple[str, str, str, str], tuple[dict[str, Any], Any]] = field(default_factory=dict)
    vpc_cidrs: dict[tuple[str, IPv4Network], VpcCidr] = field(default_factory=dict)
    integrated_at: float | None = None  # when the organization got its IPAM administrator
    undiscoverable_since: dict[str, float] = field(default_factory=dict)  # accounts that discovery fails for
    member_since: dict[str, float] = field(default_factory=dict)  # when an account was first seen in the organization

    def finds(self, thing: Lasting) -> bool:
        """Return whether a call finds it. What has just been made does not exist yet for the calls that follow.

        Source  https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html
        """
        return thing.exists and thing.known_from <= self.agenda.now

    def lists(self, thing: Lasting) -> bool:
        """Return whether a list shows it: what has been deleted for a while yet, what has just been made not yet."""
        return thing.listed and thing.known_from <= self.agenda.now

    def shown_tags(self, thing: Lasting) -> dict[str, str]:
        """Return the tags that lists show."""
        return thing.tags if thing.tags_known_from <= self.agenda.now else thing.tags_before

    def scopes_of(self, ipam: Ipam) -> list[Scope]:
        return [scope for scope in self.scopes.values() if scope.ipam_id == ipam.id and scope.exists]

    def pools_in(self, scope: Scope) -> list[Pool]:
        return [pool for pool in self.pools.values() if pool.scope_id == scope.id and pool.exists]

    def children_of(self, pool: Pool) -> list[Pool]:
        return [child for child in self.pools.values() if child.source_pool_id == pool.id and child.exists]

    def cidrs_of(self, pool: Pool) -> list[PoolCidr]:
        return [row for row in self.cidrs.values() if row.pool_id == pool.id]

    def allocations_from(self, pool: Pool) -> list[Allocation]:
        return [allocation for allocation in self.allocations.values() if allocation.pool_id == pool.id]

    def ipam_of(self, pool: Pool) -> Ipam:
        return self.ipams[pool.ipam_id]


# Administration goes to the IPAM's home Region and is the owner's; through any other endpoint the thing does not exist.
# https://docs.aws.amazon.com/vpc/latest/ipam/what-it-is-ipam.html


def own_ipam(store: Store, call: Call, ipam_id: str) -> Ipam:
    ipam = store.ipams.get(ipam_id)
    if ipam is None or not store.finds(ipam) or not administers(ipam, call):
        raise AwsError("InvalidIpamId.NotFound", f"The ipam ID '{ipam_id}' does not exist")
    return ipam


def own_scope(store: Store, call: Call, scope_id: str) -> Scope:
    scope = store.scopes.get(scope_id)
    if scope is None or not store.finds(scope) or not administers(store.ipams[scope.ipam_id], call):
        raise AwsError("InvalidIpamScopeId.NotFound", f"The ipam-scope ID '{scope_id}' does not exist")
    return scope


def own_pool(store: Store, call: Call, pool_id: str) -> Pool:
    pool = store.pools.get(pool_id)
    if pool is None or not store.finds(pool) or not administers(store.ipam_of(pool), call):
        raise no_pool(pool_id)
    return pool


def administers(ipam: Ipam, call: Call) -> bool:
    return (ipam.owner, ipam.region) == (call.caller.account_id, call.caller.region)


def may_use(pool: Pool, call: Call) -> bool:
    return pool.owner == call.caller.account_id or pool.arn in call.shared_arns


def pool_to_draw_from(store: Store, call: Call, pool_id: str) -> Pool:
    """Return the pool to allocate from: in its locale, or in the home Region if it has none.

    Source  https://docs.aws.amazon.com/vpc/latest/ipam/tutorials-byoip-ipam-ipv6.html
            https://github.com/aws-ia/terraform-aws-vpc/issues/65, for the words of AllocateIpamPoolCidr elsewhere
            Unverified: that other actions have the same answer, and that it takes no operating Region
    """
    pool = store.pools.get(pool_id)
    if pool is None or not store.finds(pool) or not may_use(pool, call):
        raise no_pool(pool_id)
    here = call.caller.region
    if here != (store.ipam_of(pool).region if pool.locale == NO_LOCALE else pool.locale):
        raise AwsError("InvalidParameterValue", f"The pool {pool_id} is not in the current region {here}.")
    return pool


def no_pool(pool_id: str) -> AwsError:
    return AwsError("InvalidIpamPoolId.NotFound", f"The ipam-pool ID '{pool_id}' does not exist")


def incorrect_state(thing_id: str, state: str) -> AwsError:
    """The code is the provider's experience with CIDRs; for pools, scopes and IPAMs it is unverified."""
    return AwsError("IncorrectState", f"The specified action is not valid for {thing_id}. Its state is {state}.")


def dependency_violation(thing_id: str, reason: str) -> AwsError:
    return AwsError("DependencyViolation", f"The specified action is not valid for {thing_id}. {reason}")


def begin(
    store: Store,
    call: Call,
    thing: Lasting,
    verb: Literal["create", "modify", "delete"],
    seconds: float,
    then: Callable[[], None] | None = None,
) -> None:
    """Set the state to <verb>-in-progress, and after some seconds to <verb>-complete; then call `then`."""
    thing.state, thing.state_message = f"{verb}-in-progress", ""
    fate = store.faults.fate(call.action)
    if fate is not HANG:
        store.agenda.later(seconds, partial(_end, thing, verb, fate, then))


def _end(thing: Lasting, verb: str, fate: Failure | None, then: Callable[[], None] | None) -> None:
    if not thing.exists:  # deleted by hand meanwhile
        return
    thing.state = f"{verb}-failed" if fate else f"{verb}-complete"
    thing.state_message = fate.message if fate else ""
    if then and not fate:
        then()


def leave_lists(store: Store, thing: Lasting, seconds: float) -> None:
    store.agenda.later(seconds, partial(unlist, thing))


def unlist(thing: Lasting | PoolCidr | Allocation) -> None:
    thing.listed = False


def listed_to_owner(store: Store, call: Call) -> Iterator[Ipam]:
    return (ipam for ipam in store.ipams.values() if store.lists(ipam) and administers(ipam, call))
