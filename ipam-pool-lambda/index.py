"""The Networking account's functions: the IPAM and its pools as custom resources, which mends the pools too, and the
measurement of the pools, which grow by themselves if that is asked for, with the watch.

The measurement starts every five minutes, so what only other work needs is imported where that begins.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ctipam import sessions
from ctipam.invocation import account_id_of
from ctipam.ipam.listing import list_pools
from ctipam.settings import UtilizationSettings
from ctipam.upkeep import measurement, schedule
from ctipam.upkeep.utilization import Utilization, metric_line

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

    from ctipam.cloudformation.custom_resource import Responder
    from ctipam.invocation import LambdaContext


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Serve a custom resource, or mend what the watch has found."""
    from ctipam.upkeep import mending
    from ctipam.waiting import Deadline

    if mending.is_requested(event):
        mending.mend(sessions.current_account(account_id_of(context)), event, Deadline.of(context))
    else:
        _responder()(event, context)


@functools.cache
def _responder() -> Responder:
    from ctipam.cloudformation.custom_resource import Responder
    from ctipam.pools.custom_resources import CUSTOM_RESOURCES

    return Responder(CUSTOM_RESOURCES)


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
        afterwards.callback(_see_to_pools, account, settings, listed, measured)
        for utilization in measurement.measure_pools(account, settings.stack_id, listed):
            print(metric_line(utilization, time.time()))
            measured.append(utilization)


def _see_to_pools(
    account: sessions.Account,
    settings: UtilizationSettings,
    listed: Sequence[IpamPoolTypeDef],
    measured: Sequence[Utilization],
) -> None:
    if schedule.is_growth_due(listed, measured, stack_id=settings.stack_id, threshold=settings.threshold):
        from ctipam.upkeep import growing

        growing.see_to_pools(account, settings, listed, measured)


def _watch(account: sessions.Account, settings: UtilizationSettings, event: dict[str, Any]) -> None:
    if schedule.is_watch_due(event):
        from ctipam import findings
        from ctipam.upkeep import watch

        for line in findings.lines(watch.watch(account, settings, event), time.time()):
            print(line)
