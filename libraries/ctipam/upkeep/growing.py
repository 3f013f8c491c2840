"""Sees to the environment pools that fill up: notes it, tells the topic what to change, or gives them one more block.

Called by a schedule, after the pools were measured. `growth` decides. A pool that is not over the threshold, and was
not, costs no call.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ctipam import names, waiting
from ctipam.client_tokens import client_token
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.errors import BUSY, THROTTLED, AwsFailed, code_of, explain
from ctipam.ipam.listing import stack_of
from ctipam.logs import log_decision
from ctipam.messages import Message
from ctipam.phrases import numbered
from ctipam.pools.existing import ExistingPool
from ctipam.pools.parameters import reserved_cidrs
from ctipam.pools.reader import as_listed, read_allocations, read_blocks
from ctipam.pools.spec import TOP_LEVEL, PoolKey
from ctipam.sessions import Account
from ctipam.settings import UtilizationSettings
from ctipam.tags import to_list
from ctipam.upkeep import growth_messages
from ctipam.upkeep.growth import (
    LOOKS_APART_S,
    Family,
    Growth,
    Look,
    NoGrowth,
    Note,
    is_to_be_told,
    look,
    next_growth,
    provisioned,
)
from ctipam.upkeep.utilization import Utilization

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef

ANOTHER_DID_IT = frozenset({"IdempotentParameterMismatch"})
"""Another invocation has requested a block for the same pool at the same time, in another place."""

TOKEN_S = 3600
"""For so long a request for the same block is the same request. Then AWS may be asked again for one that failed."""


def see_to_pools(
    account: Account,
    settings: UtilizationSettings,
    listed: Sequence[IpamPoolTypeDef],
    measured: Sequence[Utilization],
) -> None:
    """See to each pool. Raises AwsFailed at the end if something failed: trouble with one pool hides no other."""
    ours = [as_listed(pool, ours=True) for pool in listed if stack_of(pool) == settings.stack_id]
    ids = {pool.pool_id for pool in ours}
    others = [
        pool["IpamPoolId"]
        for pool in listed
        if pool["IpamPoolId"] not in ids and pool["AddressFamily"] == "ipv4" and "SourceIpamPoolId" not in pool
    ]
    _Run(account, settings, ours, others).see_to(measured)


class _Run:
    """One look at all pools.

    others   ids of the top-level pools that are not ours
    """

    def __init__(
        self,
        account: Account,
        settings: UtilizationSettings,
        pools: Sequence[ExistingPool],
        others: Sequence[str],
    ) -> None:
        self._account = account
        self._settings = settings
        self._now = waiting.now()
        self._pools = {pool.key: pool for pool in pools if pool.key}
        self._others = others
        self._grown: dict[str, Growth] = {}  # what was requested in this run, by pool id
        self._families: dict[str, Family] = {}  # what was read, by Region
        self._failures: list[str] = []
        self._stack = OwnStack(account, settings.stack_id)
        self._is_idle: bool | None = None

    def see_to(self, measured: Sequence[Utilization]) -> None:
        use = {utilization.pool.pool_id: utilization for utilization in measured}
        # What a Region's pool is noted for comes first: it may be noted again for a pool in it.
        for pool in sorted(self._pools.values(), key=lambda pool: pool.pool_id in use):
            try:
                if pool.pool_id in use:
                    self._see_to_environment(pool, use[pool.pool_id])
                elif (note := Note.read(pool.tags)) and not pool.environment:
                    self._see_to_region(pool, note)
            except (ClientError, BotoCoreError, AwsFailed) as error:
                self._failures.append(f"{pool.key}: {explain(error)}")
        if self._failures:
            raise AwsFailed(
                f"The growth check failed for {numbered(len(self._failures), 'pool')}: {'; '.join(self._failures)}"
            )

    def _see_to_environment(self, pool: ExistingPool, use: Utilization) -> None:
        note, over = Note.read(pool.tags), use.percent_used >= self._settings.threshold
        found = look(note, over=over, blocks=use.blocks, now=self._now)
        if note and found is Look.GROWN:
            self._tell(growth_messages.grown(self._read(pool), note.blocks, use))
        if found is Look.OVER or (found is Look.GROWN and over):
            self._note(pool, Note(int(self._now), use.blocks))
        elif found in (Look.OVER_NO_MORE, Look.GROWN):
            self._forget(pool)
        elif note and found is Look.DUE and (self._settings.grow or is_to_be_told(note, self._now)):
            self._see_to_due(pool, note, use)

    def _see_to_region(self, region: ExistingPool, note: Note) -> None:
        """Tell when a Region's pool, which had to grow for one in it, has grown."""
        found = self._read(region)
        if found.pending or self._now - note.since < LOOKS_APART_S:
            return
        if len(found.held) > note.blocks:
            self._tell(growth_messages.grown(found, note.blocks))
        self._forget(region)

    def _see_to_due(self, pool: ExistingPool, note: Note, use: Utilization) -> None:
        family = self._family(pool)
        coming = sum(block.state == "pending-provision" for block in family.pool.held)
        if len(provisioned(family.pool)) + coming > note.blocks:
            return  # another invocation was faster; the next look tells
        growth = next_growth(family) if self._settings.grow and self._stack_is_idle() else NoGrowth()
        if isinstance(growth, Growth):
            self._grow(growth, note)
        elif (growth.why or not self._settings.grow) and is_to_be_told(note, self._now):
            self._tell(growth_messages.due(family, use, growth.why, self._read_elsewhere()))
            self._note(pool, Note(note.since, note.blocks, int(self._now)))

    def _grow(self, growth: Growth, note: Note) -> None:
        """Request the block, unless this run has requested one for the pool."""
        pool = growth.pool
        if pool.pool_id in self._grown:
            return
        if not pool.environment:
            self._note(pool, Note(int(self._now), len(pool.held)))  # so that its growth is told
        token = client_token(
            self._settings.stack_id, "grow", pool.pool_id, len(pool.blocks), note.since, int(self._now) // TOKEN_S
        )
        try:
            self._account.ec2().provision_ipam_pool_cidr(
                IpamPoolId=pool.pool_id, Cidr=str(growth.cidr), ClientToken=token
            )
        except ClientError as error:
            if code_of(error) not in BUSY | THROTTLED | ANOTHER_DID_IT:
                raise
            log_decision("growth has to wait", pool=pool.pool_id, key=str(pool.key), reason=explain(error))
            return
        self._grown[pool.pool_id] = growth
        log_decision("growing pool", pool=pool.pool_id, key=str(pool.key), cidr=str(growth.cidr))

    def _family(self, pool: ExistingPool) -> Family:
        """Return the pool with its parents, as they are, and with what this run has requested."""
        if pool.region not in self._families:
            region, top = self._pools.get(PoolKey(pool.region)), self._pools.get(TOP_LEVEL)
            if region is None or top is None:
                raise AwsFailed("a pool above it is missing; update the stack to mend that")
            reserved = reserved_cidrs(self._stack.snapshot().parameters.get("ReservedCidrs", ""))
            self._families[pool.region] = Family(
                pool,
                self._read(region),
                self._read(top),
                [*reserved, *(one.cidr for one in read_allocations(self._account, region.pool_id, region.region))],
                [*reserved, *(one.cidr for one in read_allocations(self._account, top.pool_id, ""))],
            )
        family = self._families[pool.region].of(self._read(pool))
        for growth in self._grown.values():
            family = family.with_growth(growth)
        return family

    def _read_elsewhere(self) -> list[IPv4Network]:
        """Return the CIDRs of other top-level pools."""
        return [block.cidr for pool_id in self._others for block in read_blocks(self._account, pool_id) if block.held]

    def _read(self, pool: ExistingPool) -> ExistingPool:
        return pool.with_blocks(read_blocks(self._account, pool.pool_id))

    def _stack_is_idle(self) -> bool:
        """Return whether no operation of the stack is in progress, which may change the same pools. Read once."""
        if self._is_idle is None:
            self._is_idle = not self._stack.status().endswith("_IN_PROGRESS")
        return self._is_idle

    def _note(self, pool: ExistingPool, note: Note) -> None:
        tags = {names.GROWTH_TAG: str(note)}
        self._account.ec2().create_tags(Resources=[pool.pool_id], Tags=to_list(tags))

    def _forget(self, pool: ExistingPool) -> None:
        self._account.ec2().delete_tags(Resources=[pool.pool_id], Tags=[{"Key": names.GROWTH_TAG}])

    def _tell(self, message: Message) -> None:
        log_decision(message.title, text=message.text)
        self._account.sns().publish(TopicArn=self._settings.topic_arn, Subject=message.title, Message=message.text)
