"""Finds what differs from the spec although no deployment changed it, and mends what can be. `drift` decides.

The spec is the parameters of the stack, as DescribeStacks returns them. The watch looks; what it finds is mended by the
function that builds the pools, which may change them:

    {"action": "mend", "stackId": "arn:aws:cloudformation:...", "run": "2026-11-26T10:03:00Z"}

Nothing is looked for, or mended, while an operation of the stack is in progress. Two invocations with the same run make
the same requests, which AWS recognizes by their client tokens.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ctipam import waiting
from ctipam.cloudformation.own_stack import OwnStack, Snapshot
from ctipam.cloudformation.request import ResourceRequest
from ctipam.errors import OutOfTime, Refused, Superseded
from ctipam.ipam.listing import list_pools, scope_of, stack_of
from ctipam.ipam.reader import find_ipam
from ctipam.logs import log_decision
from ctipam.pools import reserving
from ctipam.pools.change_kinds import PendingChanges
from ctipam.pools.existing import Allocation, ExistingPool
from ctipam.pools.feasibility import refuse_impossible
from ctipam.pools.matching import compare, kept_pools
from ctipam.pools.placement import Occupied, parents_of_new_cidrs
from ctipam.pools.reader import CONCURRENT_READS, PoolReader
from ctipam.pools.recognition import has_lost_stack_tag, recognized
from ctipam.pools.rounds import Allocated, Rounds, with_coming
from ctipam.pools.spec import PoolSpec
from ctipam.sessions import Account
from ctipam.upkeep import drift
from ctipam.upkeep.drift import Drift
from ctipam.waiting import Deadline

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

ACTION = "mend"


def spec_of(account: Account, stack_id: str, stack: Snapshot) -> PoolSpec | None:
    """Return what the stack wants; None while an operation is in progress, or after one that ended half-way."""
    if not stack.is_settled:
        return None
    return PoolSpec.from_properties(stack.parameters, account.known_regions(), stack_id, stack.tags)


def scope_of_pools(account: Account, stack_id: str, stack: Snapshot, listed: Sequence[IpamPoolTypeDef]) -> str:
    """Return the id of the scope that the stack's pools are, or would be, in; empty if there is no IPAM."""
    scopes = {scope_of(pool) for pool in listed if stack_of(pool) == stack_id}
    if scope_id := min(scopes, default="") or stack.parameters.get("IpamScope", ""):
        return scope_id
    ipam = find_ipam(account)
    return ipam.private_scope_id if ipam else ""


def look(
    reader: PoolReader,
    spec: PoolSpec,
    listed: Sequence[IpamPoolTypeDef],
    pools: Sequence[ExistingPool],
    allocated: Mapping[str, Collection[Allocation]],
) -> Drift:
    """Return what differs from the spec.

    listed      all pools of the account
    pools       those of the scope, ours with their CIDRs
    allocated   what is allocated from environment pools, by the pool's id
    """
    found = recognized(spec, pools)
    return drift.find_drift(spec, found, allocated, _refusal(reader, spec, found, listed, {}))


def request_mending(account: Account, function: str, stack_id: str, run: str) -> None:
    """Invoke the function that mends, and do not wait for it."""
    payload = {"action": ACTION, "stackId": stack_id, "run": run}
    account.lambda_client().invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(payload).encode())


def is_requested(event: Mapping[str, Any]) -> bool:
    return event.get("action") == ACTION


def mend(account: Account, event: Mapping[str, Any], deadline: Deadline) -> None:
    """Mend what can be mended. The next watch finds and mends what is left at the end of the invocation.

    Raises ClientError, or AwsFailed with AWS's reason.
    """
    stack_id = event["stackId"]
    stack = OwnStack(account, stack_id, believed_s=0)
    snapshot = stack.snapshot()
    spec = spec_of(account, stack_id, snapshot)
    if spec is None:
        log_decision("not mended, because the stack is not settled", status=snapshot.status)
        return
    request = _MendRequest(
        kind="Mend",
        request_id=f"mend {stack_id} {event['run']}",
        properties=snapshot.parameters,
        account=account,
        deadline=deadline,
        began=waiting.now(),
        stack=stack,
        stack_status=snapshot.status,
        snapshot=snapshot,
    )
    try:
        with ThreadPoolExecutor(CONCURRENT_READS) as executor:
            listed = list_pools(account)
            scope_id = scope_of_pools(account, stack_id, snapshot, listed)
            reader = PoolReader(account, frozenset({stack_id}), scope_id, executor)
            Mending(request, reader, spec).run(listed)
    except (Refused, OutOfTime, Superseded) as reason:
        log_decision("not all was mended", reason=str(reason))


@dataclass(frozen=True)
class _MendRequest(ResourceRequest):
    """snapshot   the stack whose parameters are the spec"""

    snapshot: Snapshot | None = None

    def raise_if_superseded(self) -> None:
        """Raise Superseded if an operation of the stack has begun since. Raises ClientError if that cannot be read."""
        now = self.stack.snapshot()
        if now != self.snapshot:
            raise Superseded(f"The stack is {now.status} since {now.updated}, and may want other pools.")


class Mending(Rounds):
    """Adds and corrects; takes nothing away."""

    _spec: PoolSpec
    _leaves_impossible = True  # a pool that AWS does not change keeps nothing else from being mended

    def run(self, listed: Sequence[IpamPoolTypeDef]) -> None:
        """Mend. Raises Refused at the end, if something cannot be added."""
        spec = self._spec
        pools = with_coming(self._reader, spec, self._read(listed), self._allocated)
        refusal = _refusal(self._reader, spec, recognized(spec, pools), listed, self._allocated)

        def left_to_do(pools: Sequence[ExistingPool], occupied: Occupied) -> PendingChanges:
            found = recognized(spec, pools)
            return drift.mendable_changes(spec, found, occupied, refusal)

        pools = self._change_until_done(spec, pools, left_to_do)
        built = kept_pools(spec, recognized(spec, pools))
        ours = {key: pool for key, pool in built.items() if not has_lost_stack_tag(pool)}
        reserving.reserve(self._request, self._reader.executor, spec, ours, leaves_impossible=self._leaves_impossible)
        if refusal:
            raise Refused(refusal)


def _refusal(
    reader: PoolReader,
    spec: PoolSpec,
    pools: Sequence[ExistingPool],
    listed: Sequence[IpamPoolTypeDef],
    allocated: Allocated,
) -> str:
    """Return why nothing can be added, in words; empty: it can."""
    if any(map(has_lost_stack_tag, pools)):
        return drift.LOST_TAG
    if not drift.is_incomplete(spec, pools):
        return ""
    try:
        refuse_impossible(reader, spec, pools, listed, allocated)
    except Refused as error:
        return str(error)
    occupied, _ = reader.read_occupied(pools, parents_of_new_cidrs(compare(spec, pools)), allocated)
    return drift.lacking_until_removed(spec, pools, occupied)
