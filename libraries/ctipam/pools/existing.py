"""Which pools exist, what each holds, and what is allocated from it: the data that is read from AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from ctipam.pools.spec import PoolKey, VpcSizes

POOL_READY = frozenset({"create-complete", "modify-complete", "modify-failed", "delete-failed"})
"""States in which a pool takes requests. After a failed modify or delete the pool is what it was before."""

CIDR_HELD = frozenset({"provisioned", "failed-deprovision"})
"""States of a CIDR that is there, and with which AWS does nothing: one that could not be given back is still there."""

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
    def held(self) -> bool:
        """The pool holds it, or is being given it, or is giving it back."""
        return self.state in CIDR_HELD | CIDR_PENDING


@dataclass(frozen=True)
class ExistingPool:
    """A pool of the scope. key is None if it is no Region's or environment's of this stack; then it is not touched."""

    pool_id: str
    source_pool_id: str  # empty: a top-level pool
    state: str
    key: PoolKey | None = None
    blocks: tuple[Block, ...] = ()
    recorded_cidr: str = ""  # the tag that says which block was seen provisioned
    description: str = ""
    allocation_tags: Mapping[str, str] | None = None
    vpc_sizes: VpcSizes | None = None
    message: str = ""

    @property
    def ready(self) -> bool:
        return self.state in POOL_READY

    @property
    def busy(self) -> bool:
        """A change is under way, which may exclude others."""
        return self.state.endswith("-in-progress") or any(block.state in CIDR_PENDING for block in self.blocks)

    @property
    def block(self) -> Block | None:
        """The block that the pool holds, or is being given, or is giving back."""
        return next((block for block in self.blocks if block.held), None)

    @property
    def provisioned(self) -> bool:
        return self.ready and self.block is not None and self.block.state in CIDR_HELD

    @property
    def cidr_recorded(self) -> bool:
        return self.block is not None and self.recorded_cidr == str(self.block.cidr)


@dataclass(frozen=True)
class Allocation:
    """What holds a part of a pool: a VPC, a child pool, or a block that somebody reserved by hand (custom).

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamPoolAllocation.html
    """

    cidr: IPv4Network
    resource_type: str
    resource_id: str
    owner: str

    def __str__(self) -> str:
        return f"{self.resource_id or f'{self.resource_type} allocation'} ({self.cidr}, account {self.owner})"
