"""Which pools exist, what each holds, and what is allocated from it: the data that is read from AWS."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from ipaddress import IPv4Network

from ctipam.pools.spec import PoolKey, VpcSizes

MODIFY_FAILED = "modify-failed"
"""A pool that is ready, but is not shared with further accounts until a modification succeeds."""

DELETE_FAILED = "delete-failed"

POOL_READY = frozenset({"create-complete", "modify-complete", MODIFY_FAILED, DELETE_FAILED})
"""States in which a pool takes requests. After a failed modify or delete the pool is what it was before."""

ISOLATED = frozenset({"isolate-in-progress", "isolate-complete"})
"""States in which a pool is assumed to take no requests. What leads to them, and out of them, is not documented.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamPool.html"""

NOT_TAKEN_BACK = "failed-deprovision"
"""A CIDR that AWS failed to take back. Whether anything more can be allocated from it is not documented."""

CIDR_HELD = frozenset({"provisioned", NOT_TAKEN_BACK})
"""States of a CIDR that is there, and with which AWS does nothing."""

CIDR_PENDING = frozenset({"pending-provision", "pending-deprovision"})
"""States of a CIDR that is coming or going. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamPoolCidr.html"""


@dataclass(frozen=True)
class Block:
    """A CIDR of a pool. code and reason are AWS's, and there as soon as AWS knows that the CIDR will fail."""

    cidr: IPv4Network
    state: str
    cidr_id: str = ""
    code: str = ""
    reason: str = ""

    @property
    def not_taken_back(self) -> bool:
        return self.state == NOT_TAKEN_BACK

    @property
    def held(self) -> bool:
        """The pool holds it, or is being given it, or is giving it back."""
        return self.state in CIDR_HELD or self.state in CIDR_PENDING


@dataclass(frozen=True)
class ExistingPool:
    """A pool of the scope.

    source_pool_id    empty: a top-level pool
    key               None: it is not a pool of ours, and is never changed
    tags              those of the pool itself; allocation_tags are those that a VPC must carry
    blocks            its CIDRs, whoever gave them and in AWS's order, those that failed or were given back too
    message           AWS's words about its state
    unmodifiable      AWS could not modify it in this run, which leaves it as it is
    """

    pool_id: str
    source_pool_id: str
    state: str
    key: PoolKey | None = None
    blocks: tuple[Block, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    allocation_tags: Mapping[str, str] = field(default_factory=dict)
    vpc_sizes: VpcSizes | None = None
    auto_import: bool = False
    message: str = ""
    unmodifiable: bool = False

    def with_blocks(self, blocks: Iterable[Block]) -> ExistingPool:
        return replace(self, blocks=tuple(blocks))

    @property
    def region(self) -> str:
        """The Region of a pool of ours; empty: it is the top-level pool, or not ours."""
        return self.key.region if self.key else ""

    @property
    def environment(self) -> str:
        """The environment of a pool of ours, which gives CIDRs to VPCs; empty: a parent of such pools, or not ours."""
        return self.key.environment if self.key else ""

    @property
    def ready(self) -> bool:
        return self.state in POOL_READY

    @property
    def busy(self) -> bool:
        """Whether a change is in progress, which may exclude others."""
        return self.state.endswith("-in-progress") or any(block.state in CIDR_PENDING for block in self.blocks)

    @cached_property
    def held(self) -> tuple[Block, ...]:
        """The CIDRs that the pool holds, is being given, or is giving back, whoever gave them, in address order."""
        return tuple(sorted((block for block in self.blocks if block.held), key=lambda block: block.cidr))

    @cached_property
    def pending(self) -> Block | None:
        """A CIDR that is coming or going. AWS is asked for one at a time."""
        return next((block for block in self.held if block.state in CIDR_PENDING), None)

    def shows(self, cidr: IPv4Network) -> bool:
        """Return whether the pool's list has the CIDR. An attempt that has failed tells nothing of the next one."""
        return any(block.cidr == cidr and block.state != "failed-provision" for block in self.blocks)

    @property
    def provisioned(self) -> bool:
        """Whether others can be given a part of it."""
        return self.ready and any(block.state in CIDR_HELD for block in self.held)

    @property
    def being_removed(self) -> bool:
        return self.gives_back or self.state == "delete-in-progress"

    @property
    def gives_back(self) -> bool:
        return any(block.state == "pending-deprovision" for block in self.blocks)


@dataclass(frozen=True)
class Allocation:
    """What holds a part of a pool: a VPC, a child pool, or a block that is reserved (custom).

    is_reservation   this solution made it, for ReservedCidrs
    Source           https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamPoolAllocation.html
    """

    cidr: IPv4Network
    resource_type: str
    resource_id: str
    owner: str
    allocation_id: str = ""
    is_reservation: bool = False

    def __str__(self) -> str:
        return f"{self.resource_id or f'{self.resource_type} allocation'} ({self.cidr}, account {self.owner})"
