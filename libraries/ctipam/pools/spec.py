"""The wanted pool hierarchy, read from what CloudFormation sends, and refused if it cannot be built.

    TopLevelPoolCidr        "192.168.0.0/16"      or several CIDRs, separated by commas
    IpamPoolPrefixLength    "20"                  size of each Region's pool
    AccPoolPrefixLength     "21"                  size of each environment's pool, in each Region
    PoolSizes               "us-east-1=20+20"     the blocks of pools that have others: several of one pool are joined
                                                  by +, several pools separated by commas. A pool is named us-east-1 or
                                                  us-east-1/Prod OU, or Prod OU for that environment in all Regions
    RegionSelection         ["us-west-2", ...]    one pool each; their order is the order of the blocks
    AccEnvName              ["Prod OU", ...]      OU names; one pool each in each Region, in this order. An OU that has
                                                  its name in common with others: "Prod OU (ou-ab12-34567890)"
    VpcDefaultNetmaskLength "24"                  size of a VPC whose creator names none
    VpcMinNetmaskLength     "16"                  the largest VPC, in AWS's words: the shortest netmask
    VpcMaxNetmaskLength     "28"                  the smallest VPC
    ReservedCidrs           "10.1.0.0/16,..."     what no VPC gets from the pools
    AutoImport              "off"                 on: environment pools import existing VPCs
    IpamPoolQuota           "50"                  how many pools AWS allows in the scope

CloudFormation sends numbers as text. Everything here is decided before the first call to AWS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from ipaddress import IPv4Network
from typing import Any

from ctipam.environment_names import split_environment
from ctipam.errors import Refused
from ctipam.pools import parameters
from ctipam.pools.parameters import PRIVATE_RANGES, SMALLEST_VPC, number, prefix_length, quoted

LARGEST_VPC = 16
"""A netmask length. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"""

POOLS_PER_SCOPE = 50
"""Until AWS raises it. https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html"""

Wanted = IPv4Network | int
"""A block that a pool should have: this CIDR, or any of this prefix length."""


@dataclass(frozen=True, order=True)
class PoolKey:
    """Which pool: the top-level pool (no Region), a Region's (no environment), or an environment's in a Region."""

    region: str = ""
    environment: str = ""

    @cached_property
    def parent(self) -> PoolKey | None:
        """The pool that this one gets its CIDR from; None for the top-level pool."""
        if self.environment:
            return PoolKey(self.region)
        return TOP_LEVEL if self.region else None

    @property
    def phrase(self) -> str:
        """Return the pool's name within a sentence: the top-level pool, or the pool of us-west-2."""
        return f"the pool of {self}" if self.region else str(self)

    def __str__(self) -> str:
        if not self.region:
            return "the top-level pool"
        return f"{self.region}/{self.environment}" if self.environment else self.region


TOP_LEVEL = PoolKey()

SMALLEST_REGION = SMALLEST_VPC - 1
"""Prefix length: the pool of an environment in it is at least half as large."""


@dataclass(frozen=True)
class VpcSizes:
    """Netmask lengths of the VPCs that an environment's pool gives out; as with AWS, the minimum is the largest VPC."""

    default: int = 24
    minimum: int = LARGEST_VPC
    maximum: int = SMALLEST_VPC


@dataclass(frozen=True)
class PoolSpec:
    """Which pools are wanted and of which sizes, in the order in which they get their CIDRs.

    top_cidrs    of the top-level pool
    pool_sizes   the prefix lengths of the blocks of pools that have others than their level has by default, the
                 largest block first
    reserved     what no VPC gets from the pools
    auto_import  whether environment pools import existing VPCs
    stack_id     ARN of the stack that owns the pools
    stack_tags   of that stack
    pinned_ous   the ids of the OUs that the user has named by id, by environment
    known_ous    what the tags of its pools say of an environment's OU, for its new pools
    """

    top_cidrs: tuple[IPv4Network, ...]
    region_prefix_length: int
    environment_prefix_length: int
    regions: tuple[str, ...]
    environments: tuple[str, ...]
    vpc_sizes: VpcSizes = VpcSizes()
    quota: int = POOLS_PER_SCOPE
    pool_sizes: Mapping[PoolKey, tuple[int, ...]] = field(default_factory=dict)
    reserved: tuple[IPv4Network, ...] = ()
    auto_import: bool = False
    stack_id: str = ""
    stack_tags: Mapping[str, str] = field(default_factory=dict)
    pinned_ous: Mapping[str, str] = field(default_factory=dict)
    known_ous: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @classmethod
    def from_properties(
        cls,
        properties: Mapping[str, Any],
        known_regions: Collection[str],
        stack_id: str = "",
        stack_tags: Mapping[str, str] | None = None,
    ) -> PoolSpec:
        """Read what CloudFormation sends. Raises Refused, in one sentence with the value, the limit and the way out.

        stack_id     ARN of the stack that owns the pools; empty: it is only checked whether they can be built
        stack_tags   of that stack
        """
        regions = _regions(properties, known_regions)
        environments = parameters.environments(properties["AccEnvName"])
        spec = cls(
            top_cidrs=parameters.top_level_cidrs(properties["TopLevelPoolCidr"]),
            region_prefix_length=prefix_length(
                "IpamPoolPrefixLength", properties["IpamPoolPrefixLength"], longest=SMALLEST_REGION
            ),
            environment_prefix_length=prefix_length(
                "AccPoolPrefixLength", properties["AccPoolPrefixLength"], shortest=2
            ),
            regions=regions,
            environments=tuple(environments),
            vpc_sizes=_vpc_sizes(properties),
            quota=number("IpamPoolQuota", properties.get("IpamPoolQuota", POOLS_PER_SCOPE)),
            pool_sizes=_pool_sizes(parameters.pool_sizes(properties.get("PoolSizes", "")), regions, environments),
            reserved=parameters.reserved_cidrs(properties.get("ReservedCidrs", "")),
            auto_import=properties.get("AutoImport") == "on",
            stack_id=stack_id,
            stack_tags=stack_tags or {},
            pinned_ous={environment: ou_id for environment, ou_id in environments.items() if ou_id},
        )
        _refuse_sizes_that_do_not_nest(spec)
        _refuse_vpc_sizes_that_do_not_fit(spec)
        refuse_over_quota(spec, others=0)
        return spec

    @cached_property
    def pools(self) -> tuple[PoolKey, ...]:
        """Every wanted pool, parents before children, each level in the order of the user's lists."""
        return (
            TOP_LEVEL,
            *(PoolKey(region) for region in self.regions),
            *(PoolKey(region, environment) for region in self.regions for environment in self.environments),
        )

    def wanted(self, key: PoolKey) -> tuple[Wanted, ...]:
        """Return the blocks that the pool should have at least, the largest first."""
        return self.top_cidrs if key == TOP_LEVEL else self.sizes(key)

    def sizes(self, key: PoolKey) -> tuple[int, ...]:
        """Return their prefix lengths."""
        if key == TOP_LEVEL:
            return tuple(sorted(cidr.prefixlen for cidr in self.top_cidrs))
        default = self.environment_prefix_length if key.environment else self.region_prefix_length
        return self.pool_sizes.get(key, (default,))

    def written_sizes(self) -> list[str]:
        """Return the entries of PoolSizes: ["us-east-1=20+20", "Prod OU=21"]."""
        found: dict[str, None] = {}
        for key, sizes in self.pool_sizes.items():
            alike = {self.pool_sizes.get(PoolKey(region, key.environment)) for region in self.regions}
            everywhere = key.environment and len(alike) == 1 and key.environment not in self.regions
            found[f"{key.environment if everywhere else key}={parameters.joined(sizes)}"] = None
        return list(found)

    def default_vpc(self, key: PoolKey) -> int:
        """Netmask length of a VPC whose creator names none: the pool's largest block where that is smaller."""
        return max(self.vpc_sizes.default, self.sizes(key)[0])


def refuse_over_quota(spec: PoolSpec, others: int) -> None:
    """Raise Refused if the scope cannot hold the spec's pools beside the others that it holds."""
    total = len(spec.pools) + others
    if total > spec.quota:
        regions, environments = len(spec.regions), len(spec.environments)
        raise Refused(
            f"The scope would have {others + 1} + {regions} + {regions} * {environments} = {total} pools, and may have "
            f"{spec.quota}; take fewer Regions or environments, or have AWS raise the quota and give IpamPoolQuota "
            f"{total}."
        )


def _regions(properties: Mapping[str, Any], known_regions: Collection[str]) -> tuple[str, ...]:
    regions = parameters.names("RegionSelection", properties["RegionSelection"])
    for region in regions:
        if region not in known_regions:
            raise Refused(
                f"RegionSelection names {quoted(region)}, which this Lambda runtime's boto3 does not know. "
                "Check the name; if the Region is new, leave it out until the runtime knows it."
            )
    return regions


def _pool_sizes(
    given: Mapping[str, tuple[int, ...]], regions: Collection[str], environments: Mapping[str, str]
) -> dict[PoolKey, tuple[int, ...]]:
    """Return the sizes by pool: those of one pool precede those of an environment in all Regions.

    A name that is a Region's and an environment's is the Region's. An OU's id may follow its name as in AccEnvName.

    environments   the id of each one's OU if it was named
    """
    given = _without_ids(given, environments)
    named = {str(key): key for region in regions for key in (PoolKey(region), *_in(region, environments))}
    found: dict[PoolKey, tuple[int, ...]] = {}
    for name, sizes in given.items():
        if name in environments and name not in regions:
            found |= {PoolKey(region, name): sizes for region in regions}
        elif name not in named:
            example = next(reversed(named))
            raise Refused(
                f"PoolSizes names {quoted(name)}, which is no pool of this stack; remove the entry, or name a Region, "
                f"an environment, or both, for example {quoted(example)}."
            )
    return found | {named[name]: sizes for name, sizes in given.items() if name in named}


def _without_ids(given: Mapping[str, tuple[int, ...]], environments: Mapping[str, str]) -> dict[str, tuple[int, ...]]:
    by_id = {ou_id: environment for environment, ou_id in environments.items() if ou_id}
    found: dict[str, tuple[int, ...]] = {}
    for name, sizes in given.items():
        plain, ou_id = split_environment(name)
        is_pinned = ou_id in by_id and f"/{plain}".endswith(f"/{by_id[ou_id]}")
        key = plain if is_pinned else name
        if key in found:
            raise Refused(f"PoolSizes lists {quoted(key)} twice, once with the ID of its OU; list it once.")
        found[key] = sizes
    return found


def _in(region: str, environments: Collection[str]) -> list[PoolKey]:
    return [PoolKey(region, environment) for environment in environments]


def _vpc_sizes(properties: Mapping[str, Any]) -> VpcSizes:
    """Return the sizes, or the usual ones: an older template does not send them."""
    usual = VpcSizes()
    return VpcSizes(
        default=number("VpcDefaultNetmaskLength", properties.get("VpcDefaultNetmaskLength", usual.default)),
        minimum=number("VpcMinNetmaskLength", properties.get("VpcMinNetmaskLength", usual.minimum)),
        maximum=number("VpcMaxNetmaskLength", properties.get("VpcMaxNetmaskLength", usual.maximum)),
    )


def _refuse_sizes_that_do_not_nest(spec: PoolSpec) -> None:
    largest = min(spec.top_cidrs, key=lambda cidr: cidr.prefixlen)
    top, region, environment = largest.prefixlen, spec.region_prefix_length, spec.environment_prefix_length
    if top >= SMALLEST_REGION:
        raise Refused(
            f"TopLevelPoolCidr {largest} is too small for a Region's pool, an environment's in it and a VPC in that; "
            f"give a /{SMALLEST_REGION - 1} or larger, for example {PRIVATE_RANGES[2]}."
        )
    if not top < region:
        raise Refused(
            f"IpamPoolPrefixLength {region} is not longer than the /{top} of TopLevelPoolCidr; "
            f"give {_range(top + 1, SMALLEST_REGION)}."
        )
    if not region < environment:
        raise Refused(
            f"AccPoolPrefixLength {environment} is not longer than a Region's /{region}; "
            f"give {_range(region + 1, SMALLEST_VPC)}, or a smaller IpamPoolPrefixLength."
        )


def _range(first: int, last: int) -> str:
    return f"{first} to {last}" if first < last else str(last)


def _refuse_vpc_sizes_that_do_not_fit(spec: PoolSpec) -> None:
    """https://docs.aws.amazon.com/vpc/latest/ipam/create-top-ipam.html"""
    sizes = spec.vpc_sizes
    if not LARGEST_VPC <= sizes.minimum < sizes.maximum <= SMALLEST_VPC:
        raise Refused(
            f"VpcMinNetmaskLength {sizes.minimum} and VpcMaxNetmaskLength {sizes.maximum} are no range of sizes; "
            f"give two different lengths from {LARGEST_VPC} to {SMALLEST_VPC}, the smaller one first."
        )
    for key in (key for key in spec.pools if key.environment):
        largest = spec.sizes(key)[0]
        if sizes.maximum < largest:
            raise Refused(
                f"VpcMaxNetmaskLength {sizes.maximum} allows only VPCs larger than an environment's pool, a "
                f"/{largest}; choose {_range(largest, SMALLEST_VPC)}."
            )
        if not sizes.minimum <= spec.default_vpc(key) <= sizes.maximum:
            raise Refused(
                f"VpcDefaultNetmaskLength {sizes.default} is not between VpcMinNetmaskLength {sizes.minimum} and "
                f"VpcMaxNetmaskLength {sizes.maximum}; choose one that is."
            )
