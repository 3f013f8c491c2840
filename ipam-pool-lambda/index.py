"""The Networking account's function: the IPAM and the pools below the top-level pool, as custom resources.

The stack makes, in this order: Custom::Ipam, the top-level pool, Custom::InitPools. So the first of them refuses what
the last could not do, before anything is changed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from ctipam import ipam, ipam_discovery, pools, sessions, utilisation
from ctipam.cost_controls import LEFT_AS_THEY_ARE, CostControls
from ctipam.custom_resource import CustomResource, Data, Request, Responder
from ctipam.inventory import Hierarchy
from ctipam.plan import PoolPlan
from ctipam.waiting import LambdaContext


def _ensure_ipam(request: Request) -> Data:
    account = sessions.here()
    plan = PoolPlan.from_properties(request.properties, account.known_regions())
    costs = CostControls.from_properties(request.properties)
    wanted = _ipam_request(request, account, plan.regions, costs)
    if there := ipam.find(wanted):
        pools.check(_hierarchy(request, account, scope_id=there.scope_id), plan)
    found = ipam.ensure(wanted, request.deadline)
    if costs.exclusions is not None:
        ipam_discovery.ensure_exclusions(account, found.discovery_id, costs.exclusions, request.deadline)
    return {"IpamId": found.ipam_id, "ScopeId": found.scope_id}


def _delete_ipam(request: Request) -> None:
    # The plan is not read: a creation that was refused because of it must be able to roll back.
    ipam.delete(_ipam_request(request, sessions.here()), request.deadline)


def _ipam_request(
    request: Request, account: sessions.Account, regions: Sequence[str] = (), costs: CostControls = LEFT_AS_THEY_ARE
) -> ipam.IpamRequest:
    scope_id = request.properties.get("IpamScope", "")
    whose = (account, request.account_id, request.stack_id, request.request_id)
    return ipam.IpamRequest(*whose, scope_id, regions, costs)


def _ensure_pools(request: Request) -> Data:
    account, properties = sessions.here(), request.properties
    plan = PoolPlan.from_properties(properties, account.known_regions())
    hierarchy = _hierarchy(request, account, properties["ScopeId"], properties["TopLevelPoolId"])
    kept = pools.ensure(hierarchy, plan, request.deadline)
    return {"PoolCount": str(len(kept))}


def _delete_pools(request: Request) -> None:
    scope_id, top_pool_id = request.properties.get("ScopeId", ""), request.properties.get("TopLevelPoolId", "")
    pools.ensure(_hierarchy(request, sessions.here(), scope_id, top_pool_id), None, request.deadline)


def _hierarchy(request: Request, account: sessions.Account, scope_id: str, top_pool_id: str = "") -> Hierarchy:
    return Hierarchy(account, request.stack_id, scope_id, top_pool_id, request.request_id)


responder = Responder(
    {
        "Custom::Ipam": CustomResource(_ensure_ipam, _delete_ipam),
        "Custom::InitPools": CustomResource(_ensure_pools, _delete_pools),
    }
)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    responder(event, context)


def utilisation_handler(_event: dict[str, Any], _context: LambdaContext) -> None:
    """A schedule's tick: one line for each environment pool of the stack STACK_ID, of which CloudWatch makes a metric.

    Printed, not logged: the logger's lines get wrapped into Lambda's own JSON, what is printed is passed on as it is.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
    """
    for measured in utilisation.find(sessions.here(), os.environ["STACK_ID"]):
        print(utilisation.metric_line(measured, time.time()))
