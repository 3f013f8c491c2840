"""The Networking account's functions: the IPAM and its pools as custom resources, and the measurement of utilization.

The stack creates Custom::Ipam first, which therefore also refuses what Custom::InitPools could not do later, before
anything is changed.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ctipam import sessions
from ctipam.cloudformation.custom_resource import CustomResource, Data, Responder
from ctipam.cloudformation.request import ResourceRequest
from ctipam.invocation import LambdaContext, account_id_of
from ctipam.ipam import discovery
from ctipam.ipam import reconcile as ipam_reconcile
from ctipam.ipam.cost_controls import CostControls
from ctipam.ipam.spec import IpamSpec
from ctipam.pools import reconcile, utilization
from ctipam.pools.reader import PoolHierarchy
from ctipam.pools.spec import PoolSpec
from ctipam.settings import UtilizationSettings


def _ensure_ipam(request: ResourceRequest) -> Data:
    pool_spec = PoolSpec.from_properties(request.properties, request.account.known_regions())
    costs = CostControls.from_properties(request.properties)
    spec = IpamSpec(request.properties.get("IpamScope", ""), pool_spec.regions, costs)
    existing = ipam_reconcile.check(request, spec)
    if existing:
        reconcile.check(PoolHierarchy(request, spec.scope_id_in(existing)), pool_spec)
    ipam = ipam_reconcile.ensure(request, spec, existing)
    if costs.exclusions is not None:
        discovery.ensure_exclusions(request, ipam.discovery_id, costs.exclusions)
    return {"IpamId": ipam.ipam_id, "ScopeId": spec.scope_id_in(ipam)}


def _ensure_pools(request: ResourceRequest) -> Data:
    spec = PoolSpec.from_properties(request.properties, request.account.known_regions())
    return {"PoolCount": str(len(reconcile.ensure(_hierarchy(request), spec)))}


def _delete_pools(request: ResourceRequest) -> Sequence[str]:
    reconcile.ensure(_hierarchy(request), None)
    return ()


def _hierarchy(request: ResourceRequest) -> PoolHierarchy:
    return PoolHierarchy(request, request.properties.get("ScopeId", ""), request.properties.get("TopLevelPoolId", ""))


responder = Responder(
    {
        # Delete does not read the spec, so a creation that was refused because of it can roll back.
        "Custom::Ipam": CustomResource(_ensure_ipam, ipam_reconcile.delete),
        "Custom::InitPools": CustomResource(_ensure_pools, _delete_pools),
    }
)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    responder(event, context)


def measure_utilization(_event: dict[str, Any], context: LambdaContext) -> None:
    """Print one line for each environment pool of the stack, from which CloudWatch makes a metric. Runs on a schedule.

    Lambda wraps log messages into JSON of its own, but passes on what is printed.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
    """
    account = sessions.current_account(account_id_of(context))
    for measured in utilization.find(account, UtilizationSettings.from_environment().stack_id):
        print(utilization.metric_line(measured, time.time()))
