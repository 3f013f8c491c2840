"""The changes that are made to pools, each of which is requested in one call, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network

from ctipam.pools.existing import ExistingPool
from ctipam.pools.spec import PoolKey, VpcSizes


@dataclass(frozen=True)
class CreatePool:
    """source_pool_id   empty for the top-level pool"""

    key: PoolKey
    source_pool_id: str
    vpc_sizes: VpcSizes | None = None
    auto_import: bool = False

    def __str__(self) -> str:
        return f"create {self.key}"


@dataclass(frozen=True)
class ProvisionCidr:
    """record   tags to set before, so that the CIDR is known as declared if the function is killed afterwards"""

    pool: ExistingPool
    cidr: IPv4Network
    record: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"provision {self.cidr} for {self.pool.key}"


@dataclass(frozen=True)
class TagPool:
    """Set these tags on the pool and remove those keys."""

    pool: ExistingPool
    tags: Mapping[str, str]
    removed: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"tag {self.pool.key}"


@dataclass(frozen=True)
class ModifyPool:
    """Set the description, the rules for VPCs, and whether it imports existing VPCs."""

    key: PoolKey
    pool: ExistingPool
    vpc_sizes: VpcSizes | None = None
    auto_import: bool = False

    def __str__(self) -> str:
        return f"modify {self.key}"


@dataclass(frozen=True)
class DeprovisionCidr:
    """record   tags to set before, so that nobody believes in the CIDR any more"""

    pool: ExistingPool
    cidr: IPv4Network
    record: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"deprovision {self.cidr} of {self.pool.key}"


@dataclass(frozen=True)
class DeletePool:
    pool: ExistingPool

    def __str__(self) -> str:
        return f"delete {self.pool.key}"


PoolChange = CreatePool | ProvisionCidr | TagPool | ModifyPool | DeprovisionCidr | DeletePool


@dataclass(frozen=True)
class PendingChanges:
    """changes   that can be applied now
    waiting   names the pools that AWS is still busy with, and why
    """

    changes: tuple[PoolChange, ...] = ()
    waiting: tuple[str, ...] = ()

    def __add__(self, other: PendingChanges) -> PendingChanges:
        return PendingChanges(self.changes + other.changes, self.waiting + other.waiting)

    @property
    def nothing(self) -> bool:
        return not self.changes and not self.waiting

    @property
    def nothing_but_tags(self) -> bool:
        """A tag is there as soon as AWS has accepted it, and nothing waits for it."""
        return not self.waiting and are_tags(self.changes)


def are_tags(changes: Iterable[PoolChange]) -> bool:
    return all(isinstance(change, TagPool) for change in changes)
