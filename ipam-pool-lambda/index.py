"""The Networking account's functions: the IPAM and its pools as custom resources, which mends the pools too, and the
measurement of the pools, which grow by themselves if that is asked for, with the watch.

The stack creates Custom::Ipam first. It refuses what Custom::InitPools could not do, before anything is changed.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

from ctipam import findings, sessions
from ctipam.cloudformation.custom_resource import CustomResource, Data, Responder
from ctipam.cloudformation.outputs import warnings_output
from ctipam.cloudformation.request import ResourceRequest
from ctipam.invocation import LambdaContext, account_id_of
from ctipam.ipam import discovery
from ctipam.ipam import reconcile as ipam_reconcile
from ctipam.ipam.cost_controls import CostControls
from ctipam.ipam.spec import IpamSpec
from ctipam.pools import existing_vpcs, growing, measurement, mending, watch
from ctipam.pools import reconcile as pools
from ctipam.pools.listing import list_pools
from ctipam.pools.spec import TOP_LEVEL, PoolSpec
from ctipam.pools.utilization import Utilization, metric_line
from ctipam.settings import UtilizationSettings
from ctipam.waiting import Deadline


def _ensure_ipam(request: ResourceRequest) -> Data:
    pool_spec = _pool_spec(request)
    costs = CostControls.from_properties(request.properties)
    spec = IpamSpec(request.properties.get("IpamScope", ""), pool_spec.regions, costs)
    existing = ipam_reconcile.check(request, spec)
    pools.check(request, spec.scope_id_in(existing) if existing else "", pool_spec)
    ipam = ipam_reconcile.ensure(request, spec, existing)
    if costs.exclusions is not None:
        discovery.ensure_exclusions(request, ipam.discovery_id, costs.exclusions)
    scope_id = spec.scope_id_in(ipam)
    warnings = existing_vpcs.warnings(request.account, ipam, scope_id, pool_spec, is_new=existing is None)
    return {"IpamId": ipam.ipam_id, "ScopeId": scope_id, "Warnings": warnings_output(warnings)}


def _ensure_pools(request: ResourceRequest) -> Data:
    built = pools.ensure(request, request.properties["ScopeId"], _pool_spec(request))
    return {"TopLevelPoolId": built[TOP_LEVEL].pool_id, "PoolCount": str(len(built) - 1)}  # below the top-level pool


def _pool_spec(request: ResourceRequest) -> PoolSpec:
    return PoolSpec.from_properties(
        request.properties, request.account.known_regions(), request.stack_id, request.stack_tags()
    )


responder = Responder(
    {
        # Delete does not read the spec: a creation that was refused because of it must be able to roll back.
        "Custom::Ipam": CustomResource(_ensure_ipam, ipam_reconcile.delete),
        "Custom::InitPools": CustomResource(_ensure_pools, pools.delete),
    }
)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Serve a custom resource, or mend what the watch has found."""
    if mending.is_requested(event):
        mending.mend(sessions.current_account(account_id_of(context)), event, Deadline.of(context))
    else:
        responder(event, context)


def measure_utilization(event: dict[str, Any], context: LambdaContext) -> None:
    """On a schedule, print one line for each environment pool of the stack, from which CloudWatch makes a metric, see
    to the pools that fill up, and once an hour print one line for each finding of the watch.

    Printed, not logged: Lambda wraps what is logged into JSON of its own, and passes on what is printed.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
    """
    account = sessions.current_account(account_id_of(context))
    settings = UtilizationSettings.from_environment()
    listed = list_pools(account)
    measured: list[Utilization] = []
    with ExitStack() as afterwards:  # each is done even if what comes before it fails
        afterwards.callback(_watch, account, settings, event)
        afterwards.callback(growing.see_to_pools, account, settings, listed, measured)
        for utilization in measurement.measure_pools(account, settings.stack_id, listed):
            print(metric_line(utilization, time.time()))
            measured.append(utilization)


def _watch(account: sessions.Account, settings: UtilizationSettings, event: dict[str, Any]) -> None:
    if watch.is_due(event):
        found = watch.watch(account, settings, event)
        for line in findings.lines(found, time.time()):
            print(line)
