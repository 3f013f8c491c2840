"""The wanted pool hierarchy, read from what CloudFormation sends, and refused if it cannot be built.

    TopLevelPoolCidr        "192.168.0.0/16"
    IpamPoolPrefixLength    "20"                  size of each Region's pool
    AccPoolPrefixLength     "21"                  size of each environment's pool, in each Region
    RegionSelection         ["us-west-2", ...]    one pool each; their order is the order of the blocks
    AccEnvName              ["Prod OU", ...]      OU names; one pool each in each Region, in this order. An OU that has
                                                  its name in common with others: "Prod OU (ou-ab12-34567890)"
    VpcDefaultNetmaskLength "24"                  size of a VPC whose creator names none
    VpcMinNetmaskLength     "16"                  the largest VPC, in AWS's words: the shortest netmask
    VpcMaxNetmaskLength     "28"                  the smallest VPC
    IpamPoolQuota           "50"                  how many pools AWS allows in the scope

CloudFormation sends numbers as text. Everything here is decided before the first call to AWS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any

from ctipam import names
from ctipam.errors import Refused

PRIVATE_RANGES = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
"""RFC 1918 and RFC 6598: what a VPC is meant to use. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"""

LARGEST_VPC, SMALLEST_VPC = 16, 28
"""Netmask lengths. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"""

POOLS_PER_SCOPE = 50
"""Until AWS raises it. https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html"""

OU_NAME_LIMIT = 128
"""https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html"""


@dataclass(frozen=True, order=True)
class PoolKey:
    """Which pool: the top-level pool (no Region), a Region's (no environment), or an environment's in a Region."""

    region: str = ""
    environment: str = ""

    @property
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


@dataclass(frozen=True)
class VpcSizes:
    """Netmask lengths of the VPCs that an environment's pool gives out; as with AWS, the minimum is the largest VPC."""

    default: int = 24
    minimum: int = LARGEST_VPC
    maximum: int = SMALLEST_VPC


@dataclass(frozen=True)
class PoolSpec:
    """Which pools are wanted and of which size, in the order in which they get their CIDRs.

    pinned_ous   the ids of the OUs that the user has named by id, by environment
    stack_id     ARN of the stack that owns the pools
    stack_tags   of that stack
    """

    top_cidr: IPv4Network
    region_prefix_length: int
    environment_prefix_length: int
    regions: tuple[str, ...]
    environments: tuple[str, ...]
    vpc_sizes: VpcSizes = VpcSizes()
    quota: int = POOLS_PER_SCOPE
    stack_id: str = ""
    stack_tags: Mapping[str, str] = field(default_factory=dict)
    pinned_ous: Mapping[str, str] = field(default_factory=dict)

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
        pinned_ous = dict(map(names.split_environment, _names("AccEnvName", properties["AccEnvName"])))
        spec = cls(
            top_cidr=_cidr(properties["TopLevelPoolCidr"]),
            region_prefix_length=_prefix_length("IpamPoolPrefixLength", properties["IpamPoolPrefixLength"]),
            environment_prefix_length=_prefix_length("AccPoolPrefixLength", properties["AccPoolPrefixLength"]),
            regions=_regions(properties, known_regions),
            environments=_environments(properties["AccEnvName"]),
            vpc_sizes=_vpc_sizes(properties),
            quota=_number("IpamPoolQuota", properties.get("IpamPoolQuota", POOLS_PER_SCOPE)),
            stack_id=stack_id,
            stack_tags=stack_tags or {},
            pinned_ous={environment: ou_id for environment, ou_id in pinned_ous.items() if ou_id},
        )
        _refuse_long_names(spec.environments)
        _refuse_sizes_that_do_not_nest(spec)
        _refuse_vpc_sizes_that_do_not_fit(spec)
        _refuse_more_than_fits(spec)
        refuse_over_quota(spec, others=0)
        return spec

    @property
    def pools(self) -> tuple[PoolKey, ...]:
        """Every wanted pool, parents before children, each level in the order of the user's lists."""
        return (
            TOP_LEVEL,
            *(PoolKey(region) for region in self.regions),
            *(PoolKey(region, environment) for region in self.regions for environment in self.environments),
        )

    @property
    def default_vpc(self) -> int:
        """Netmask length of a VPC whose creator names none: the whole pool where that is smaller."""
        return max(self.vpc_sizes.default, self.environment_prefix_length)

    def prefix_length(self, key: PoolKey) -> int:
        if key == TOP_LEVEL:
            return self.top_cidr.prefixlen
        return self.environment_prefix_length if key.environment else self.region_prefix_length


def refuse_over_quota(spec: PoolSpec, others: int) -> None:
    """Raise Refused if the scope cannot hold the spec's pools beside the others that it holds."""
    total = len(spec.pools) + others
    if total > spec.quota:
        regions, environments = len(spec.regions), len(spec.environments)
        raise Refused(
            f"The scope would have {others + 1} + {regions} + {regions} * {environments} = {total} pools, and may have "
            f"{spec.quota}; take fewer Regions or environments, or have AWS raise that and give IpamPoolQuota {total}."
        )


def _regions(properties: Mapping[str, Any], known_regions: Collection[str]) -> tuple[str, ...]:
    regions = _names("RegionSelection", properties["RegionSelection"])
    for region in regions:
        if region not in known_regions:
            raise Refused(
                f"RegionSelection names {_quoted(region)}, which this Lambda runtime's boto3 does not know. "
                "Check the name; if the Region is new, leave it out until the runtime knows it."
            )
    return regions


def _cidr(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise Refused(f"TopLevelPoolCidr {_quoted(text)} is not an IPv4 CIDR; give one such as 10.0.0.0/8.") from None
    if "/" not in text:
        raise Refused(f"TopLevelPoolCidr {_quoted(text)} has no prefix length; give one, such as {text}/16.")
    if str(network) != text:
        raise Refused(f"TopLevelPoolCidr {_quoted(text)} is not the start of its block; did you mean {network}?")
    if not any(network.subnet_of(private) for private in PRIVATE_RANGES):
        ranges = ", ".join(map(str, PRIVATE_RANGES))
        raise Refused(f"TopLevelPoolCidr {text} is not private address space; choose a block within {ranges}.")
    return network


def _prefix_length(name: str, text: str) -> int:
    length = _number(name, text)
    if not 0 < length <= SMALLEST_VPC:
        raise Refused(f"{name} {length} cannot be; give a prefix length from 1 to {SMALLEST_VPC}, such as 20.")
    return length


def _vpc_sizes(properties: Mapping[str, Any]) -> VpcSizes:
    """A template from before there were these parameters does not send them."""
    usual = VpcSizes()
    return VpcSizes(
        default=_number("VpcDefaultNetmaskLength", properties.get("VpcDefaultNetmaskLength", usual.default)),
        minimum=_number("VpcMinNetmaskLength", properties.get("VpcMinNetmaskLength", usual.minimum)),
        maximum=_number("VpcMaxNetmaskLength", properties.get("VpcMaxNetmaskLength", usual.maximum)),
    )


def _number(name: str, text: object) -> int:
    digits = str(text).strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise Refused(f"{name} {_quoted(text)} is not a whole number; give one in digits.")
    return int(digits)


def _quoted(value: object) -> str:
    """A value in a message, quoted, and cut so that the rest of the message is read too."""
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _names(name: str, values: str | Sequence[str]) -> tuple[str, ...]:
    """CloudFormation trims the members of a CommaDelimitedList; text that a StackSet passed on is split again here."""
    items = values.split(",") if isinstance(values, str) else values
    found = tuple(item.strip() for item in items)
    if not any(found):
        raise Refused(f"{name} is empty; give at least one name.")
    if "" in found:
        raise Refused(f"{name} {_quoted(','.join(found))} has an empty name in it; remove the extra comma.")
    for position, value in enumerate(found):
        if value in found[:position]:
            raise Refused(f"{name} lists {_quoted(value)} twice; list each name once.")
    return found


def _environments(values: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of the environments, without the ids of OUs."""
    split = [names.split_environment(item) for item in _names("AccEnvName", values)]
    ou_ids = [ou_id for _, ou_id in split if ou_id]
    for ou_id in ou_ids:
        if ou_ids.count(ou_id) > 1:
            raise Refused(f"AccEnvName lists OU {ou_id} twice; an OU is one environment, so list it once.")
    return _names("AccEnvName", [environment for environment, _ in split])


def _refuse_long_names(environments: Sequence[str]) -> None:
    for environment in environments:
        if len(environment) > OU_NAME_LIMIT:
            raise Refused(
                f"AccEnvName has a name of {len(environment)} characters, {_quoted(environment)}; "
                f"an OU's name has at most {OU_NAME_LIMIT}, so correct it."
            )


def _refuse_sizes_that_do_not_nest(spec: PoolSpec) -> None:
    top, region, environment = spec.top_cidr.prefixlen, spec.region_prefix_length, spec.environment_prefix_length
    longest = SMALLEST_VPC - 1  # of a Region's pool, in which that of an environment is at least half as large
    if top >= longest:
        raise Refused(
            f"TopLevelPoolCidr {spec.top_cidr} is too small for a pool in a pool that a VPC fits in; "
            f"give a /{longest - 1} or larger, such as {PRIVATE_RANGES[2]}."
        )
    if not top < region <= longest:
        raise Refused(
            f"IpamPoolPrefixLength {region} is no part of the /{top} of TopLevelPoolCidr; give {top + 1} to {longest}."
        )
    if not region < environment:
        raise Refused(
            f"AccPoolPrefixLength {environment} is no part of a Region's /{region}; "
            f"give {region + 1} to {SMALLEST_VPC}, or a smaller IpamPoolPrefixLength."
        )


def _refuse_vpc_sizes_that_do_not_fit(spec: PoolSpec) -> None:
    """https://docs.aws.amazon.com/vpc/latest/ipam/create-top-ipam.html"""
    sizes, pool = spec.vpc_sizes, spec.environment_prefix_length
    if not LARGEST_VPC <= sizes.minimum < sizes.maximum <= SMALLEST_VPC:
        raise Refused(
            f"VpcMinNetmaskLength {sizes.minimum} and VpcMaxNetmaskLength {sizes.maximum} are not the "
            f"largest and the smallest size of a VPC; give two from {LARGEST_VPC} to {SMALLEST_VPC}, in this order."
        )
    if sizes.maximum < pool:
        raise Refused(
            f"VpcMaxNetmaskLength {sizes.maximum} is more than a whole environment pool, a /{pool}; "
            f"choose {pool} to {SMALLEST_VPC}."
        )
    if not sizes.minimum <= spec.default_vpc <= sizes.maximum:
        raise Refused(
            f"VpcDefaultNetmaskLength {sizes.default} is not between VpcMinNetmaskLength {sizes.minimum} and "
            f"VpcMaxNetmaskLength {sizes.maximum}; choose one that is."
        )


def _refuse_more_than_fits(spec: PoolSpec) -> None:
    room = 2 ** (spec.region_prefix_length - spec.top_cidr.prefixlen)
    if len(spec.regions) > room:
        raise Refused(
            f"RegionSelection has {len(spec.regions)} Regions, but {spec.top_cidr} has room for {room} blocks of "
            f"/{spec.region_prefix_length}; give fewer Regions or a longer IpamPoolPrefixLength."
        )
    room = 2 ** (spec.environment_prefix_length - spec.region_prefix_length)
    if len(spec.environments) > room:
        raise Refused(
            f"AccEnvName has {len(spec.environments)} environments, but a Region's /{spec.region_prefix_length} has "
            f"room for {room} blocks of /{spec.environment_prefix_length}; "
            "give fewer environments or a longer AccPoolPrefixLength."
        )
