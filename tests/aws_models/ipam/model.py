"""IpamModel: EC2's IPAM actions, as the engines call them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

from aws_models.clock import Clock
from aws_models.ipam import (
    allocations,
    by_hand,
    cidrs,
    delegation,
    discoveries,
    imports,
    ipams,
    pools,
    resources,
    scopes,
    tagging,
    vpcs,
)
from aws_models.ipam.addresses import parse
from aws_models.ipam.agenda import Agenda
from aws_models.ipam.faults import Faults
from aws_models.ipam.records import Lasting, VpcAllocation
from aws_models.ipam.requests import Call, check_parameters
from aws_models.ipam.settings import MutationLock, Quotas, Timings
from aws_models.ipam.store import Store
from aws_models.organization import Caller, Organization

Act = Callable[[Store, Call], dict[str, Any]]

ACTS: dict[str, Act] = {
    "CreateIpam": ipams.create_ipam,
    "ModifyIpam": ipams.modify_ipam,
    "DeleteIpam": ipams.delete_ipam,
    "DescribeIpams": ipams.describe_ipams,
    "DescribeIpamResourceDiscoveries": discoveries.describe_ipam_resource_discoveries,
    "ModifyIpamResourceDiscovery": discoveries.modify_ipam_resource_discovery,
    "CreateIpamScope": scopes.create_ipam_scope,
    "DeleteIpamScope": scopes.delete_ipam_scope,
    "DescribeIpamScopes": scopes.describe_ipam_scopes,
    "CreateIpamPool": pools.create_ipam_pool,
    "ModifyIpamPool": pools.modify_ipam_pool,
    "DeleteIpamPool": pools.delete_ipam_pool,
    "DescribeIpamPools": pools.describe_ipam_pools,
    "ProvisionIpamPoolCidr": cidrs.provision_ipam_pool_cidr,
    "DeprovisionIpamPoolCidr": cidrs.deprovision_ipam_pool_cidr,
    "GetIpamPoolCidrs": cidrs.get_ipam_pool_cidrs,
    "GetIpamPoolAllocations": allocations.get_ipam_pool_allocations,
    "AllocateIpamPoolCidr": allocations.allocate_ipam_pool_cidr,
    "ReleaseIpamPoolAllocation": allocations.release_ipam_pool_allocation,
    "GetIpamDiscoveredAccounts": resources.get_ipam_discovered_accounts,
    "GetIpamResourceCidrs": resources.get_ipam_resource_cidrs,
    "ModifyIpamResourceCidr": resources.modify_ipam_resource_cidr,
    "EnableIpamOrganizationAdminAccount": delegation.enable_ipam_organization_admin_account,
    "DisableIpamOrganizationAdminAccount": delegation.disable_ipam_organization_admin_account,
}


AS_AWS = Timings()
DEFAULT_QUOTAS = Quotas()


class IpamModel:
    """The IPAMs of all accounts.

    page_size    items on a page when the caller gives no MaxResults; small, so that missing pagination shows
    visible_to   returns the ARNs of the pools that RAM shares with an account. Called before the model takes its lock.
    faults       see aws_models.ipam.faults
    """

    ACTIONS = frozenset(ACTS)

    def __init__(
        self,
        clock: Clock,
        organization: Organization,
        *,
        timings: Timings = AS_AWS,
        quotas: Quotas = DEFAULT_QUOTAS,
        mutation_lock: MutationLock = "parent",
        page_size: int = 5,
    ) -> None:
        self._lock = threading.RLock()
        self._store = Store(Agenda(clock), organization, timings, quotas, mutation_lock, page_size)
        self.visible_to: Callable[[str], Collection[str]] = _nothing_shared

    @property
    def faults(self) -> Faults:
        return self._store.faults

    def call(self, action: str, params: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        """Do an EC2 action and return its answer. Shapes are boto3's, without ResponseMetadata.

        Raises  AwsError as AWS does, NotImplementedError for what is not modeled
        """
        if action not in ACTS:
            raise NotImplementedError(action)
        return self._answer(action, params, caller, ACTS[action])

    def _answer(self, action: str, params: Mapping[str, Any], caller: Caller, act: Act) -> dict[str, Any]:
        call = self._call(action, params, caller)
        with self._lock:
            self._settle()
            self.faults.before(action)
            check_parameters(action, call.params)
            answer = act(self._store, call)
            self.faults.after(action)
            return answer

    def _call(self, action: str, params: Mapping[str, Any], caller: Caller) -> Call:
        # Not under the lock: RAM's model has a lock too, and asks this one things under it.
        return Call(action, copy.deepcopy(dict(params)), caller, frozenset(self.visible_to(caller.account_id)))

    def allocate_vpc(self, params: Mapping[str, Any], caller: Caller) -> VpcAllocation:
        """Reserve the block of a new VPC. Call exactly one of vpc_created and vpc_refused afterwards.

        params  those of CreateVpc in boto3's shape, with Ipv4IpamPoolId; only those of the address are read
        """
        call = self._call("CreateVpc", params, caller)
        with self._lock:
            self._settle()
            self.faults.before("CreateVpc")
            return vpcs.allocate_vpc(self._store, call)

    def vpc_has_cidr(self, vpc_id: str, cidr: str, tags: Mapping[str, str], caller: Caller) -> None:
        """Remember a CIDR that a VPC has without a pool, as its first or as a further one."""
        with self._lock:
            self._settle()
            vpcs.vpc_has_cidr(self._store, vpc_id, parse(cidr), dict(tags), caller)

    def vpc_created(self, allocation: VpcAllocation, vpc_id: str) -> None:
        with self._lock:
            self._settle()
            vpcs.vpc_created(self._store, allocation, vpc_id)

    def vpc_refused(self, allocation: VpcAllocation) -> None:
        with self._lock:
            self._settle()
            vpcs.vpc_refused(self._store, allocation)

    def vpc_deleted(self, vpc_id: str) -> None:
        """Let the VPC's allocation go after Timings.vpc_release. VPCs without an allocation are ignored."""
        with self._lock:
            self._settle()
            vpcs.vpc_deleted(self._store, vpc_id)

    def _settle(self) -> None:
        """Do all that is due by now."""
        self._store.agenda.settle()
        for account_id in self.faults.undiscoverable:
            self._store.undiscoverable_since.setdefault(account_id, self._store.agenda.now)
        imports.import_vpcs(self._store)

    def holds(self, resource_id: str) -> bool:
        """Return whether the resource is one of this model's."""
        return tagging.holds(resource_id)

    def tag(self, resource_id: str, tags: Mapping[str, str], caller: Caller) -> None:
        """Do CreateTags on the owner's IPAM, scope or pool in the home Region."""
        with self._lock:
            self._settle()
            tagging.tag(self._store, Call("CreateTags", {}, caller), resource_id, tags)

    def untag(self, resource_id: str, keys: Collection[str], caller: Caller) -> None:
        """Do DeleteTags; without keys all tags go, as on AWS."""
        with self._lock:
            self._settle()
            tagging.untag(self._store, Call("DeleteTags", {}, caller), resource_id, keys)

    def set_state(self, resource_id: str, state: str) -> None:
        """Put an IPAM, scope or pool into a state to which no action leads here, for example isolate-complete, in which
        it takes no requests. For tests.

        Unverified: EC2 documents the values, and neither what leads to them nor what they mean.
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamPool.html
        """
        with self._lock:
            self._settle()
            things: dict[str, Lasting] = {**self._store.ipams, **self._store.scopes, **self._store.pools}
            things[resource_id].state = state

    def delete_by_hand(self, resource_id: str) -> None:
        """Delete this IPAM or pool with all that is in it, at once, as if an operator had done so. For tests."""
        with self._lock:
            self._settle()
            by_hand.delete(self._store, resource_id)


def _nothing_shared(_account_id: str) -> tuple[str, ...]:
    return ()
