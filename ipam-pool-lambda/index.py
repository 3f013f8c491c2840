"""The Networking account's function: the IPAM and the pools below the top-level pool, as custom resources."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

from ctipam import ipam, pools, sessions, utilisation
from ctipam.custom_resource import CustomResource, Data, Request, Responder
from ctipam.inventory import Hierarchy
from ctipam.plan import PoolPlan, regions_of
from ctipam.waiting import LambdaContext


def _ipam_request(request: Request, account: sessions.Account, regions: Sequence[str] = ()) -> ipam.IpamRequest:
    return ipam.IpamRequest(
        account=account,
        account_id=request.account_id,
        stack_id=request.stack_id,
        request_id=request.request_id,
        scope_id=request.properties.get("IpamScope", ""),
        regions=regions,
    )


def _ensure_ipam(request: Request) -> Data:
    account = sessions.here()
    regions = regions_of(request.properties, account.known_regions())
    found = ipam.ensure(_ipam_request(request, account, regions), request.deadline)
    return {"IpamId": found.ipam_id, "ScopeId": found.scope_id}


def _delete_ipam(request: Request) -> None:
    # The Regions are not read: a creation that was refused because of them must be able to roll back.
    ipam.delete(_ipam_request(request, sessions.here()), request.deadline)


def _hierarchy(request: Request) -> Hierarchy:
    return Hierarchy(
        account=sessions.here(),
        stack_id=request.stack_id,
        scope_id=request.properties["ScopeId"],
        top_pool_id=request.properties["TopLevelPoolId"],
        request_id=request.request_id,
    )


def _ensure_pools(request: Request) -> Data:
    hierarchy = _hierarchy(request)
    plan = PoolPlan.from_properties(request.properties, hierarchy.account.known_regions())
    kept = pools.ensure(hierarchy, plan, request.deadline)
    return {"PoolCount": str(len(kept))}


def _delete_pools(request: Request) -> None:
    pools.ensure(_hierarchy(request), None, request.deadline)


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
