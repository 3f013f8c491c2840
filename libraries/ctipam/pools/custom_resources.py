"""Custom::Ipam and Custom::InitPools. The stack creates Custom::Ipam first: it refuses what Custom::InitPools could not
do, before anything is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from botocore.exceptions import ClientError

from ctipam.cloudformation.custom_resource import CustomResource, Data
from ctipam.cloudformation.outputs import warnings_output
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import AwsFailed, OutOfTime, explain
from ctipam.ipam import discovery
from ctipam.ipam import reconcile as ipam_reconcile
from ctipam.ipam.cost_controls import CostControls
from ctipam.ipam.spec import IpamSpec
from ctipam.logs import logger
from ctipam.pools import existing_vpcs
from ctipam.pools import reconcile as pools
from ctipam.pools.existing import ExistingPool
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec


def _ensure_ipam(request: ResourceRequest) -> Data:
    pool_spec = _pool_spec(request)
    costs = CostControls.from_properties(request.properties)
    spec = IpamSpec(request.properties.get("IpamScope", ""), pool_spec.regions, costs)
    existing = ipam_reconcile.check(request, spec)
    pools.check(request, spec.scope_id_in(existing) if existing else "", pool_spec)
    ipam = ipam_reconcile.ensure(request, spec, existing)
    if costs.exclusions is not None:
        _exclude(request, ipam.discovery_id, costs.exclusions)
    scope_id = spec.scope_id_in(ipam)
    warnings = existing_vpcs.warnings(request.account, ipam, scope_id, pool_spec, is_new=existing is None)
    return {"IpamId": ipam.ipam_id, "ScopeId": scope_id, "Warnings": warnings_output(warnings)}


def _exclude(request: ResourceRequest, discovery_id: str, paths: Set[str]) -> None:
    try:
        discovery.ensure_exclusions(request, discovery_id, paths)
    except (ClientError, AwsFailed) as error:
        if not request.is_rollback:  # which has to end, even if AWS does not know one of the OUs any more
            raise
        logger.warning("the rollback goes on without the excluded OUs", exc_info=error)


def _ensure_pools(request: ResourceRequest) -> Data:
    built = pools.ensure(request, request.properties["ScopeId"], _pool_spec(request))
    return _outputs(built)


def _outputs(built: Mapping[PoolKey, ExistingPool]) -> Data:
    top = built.get(TOP_LEVEL)  # None in a rollback that cannot add it
    return {"TopLevelPoolId": top.pool_id if top else "unknown", "PoolCount": str(len(built))}


def _ipam_as_it_is(request: ResourceRequest, error: Exception) -> Data:
    """Return the outputs of a rollback for which AWS did not finish with the IPAM in time. Raise any other error."""
    spec = IpamSpec(request.properties.get("IpamScope", ""))
    existing = ipam_reconcile.check(request, spec) if isinstance(error, OutOfTime) else None
    if existing is None:
        raise error
    warnings = warnings_output([explain(error)])
    return {"IpamId": existing.ipam_id, "ScopeId": spec.scope_id_in(existing), "Warnings": warnings}


def _pools_as_they_are(request: ResourceRequest, error: Exception) -> Data:
    """Return the outputs of a rollback for which AWS did not finish in time: the watch adds what is missing, and tells
    until nothing is. Raise any other error."""
    if not isinstance(error, OutOfTime):
        raise error
    return _outputs(pools.existing_pools(request, request.properties["ScopeId"], _pool_spec(request)))


def _pool_spec(request: ResourceRequest) -> PoolSpec:
    return PoolSpec.from_properties(
        request.properties, request.account.known_regions(), request.stack_id, request.stack.tags()
    )


# Delete does not read the spec: a creation that was refused because of it must be able to roll back.
CUSTOM_RESOURCES = {
    "Custom::Ipam": CustomResource(_ensure_ipam, ipam_reconcile.delete, _ipam_as_it_is),
    "Custom::InitPools": CustomResource(_ensure_pools, pools.delete, _pools_as_they_are),
}
