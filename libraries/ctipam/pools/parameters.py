"""Reads the values of parameters, which CloudFormation sends as text. Each raises Refused for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import IPv4Network
from itertools import combinations

from ctipam.environment_names import corrected, looks_mistyped, split_environment
from ctipam.errors import Refused, fit
from ctipam.pools.addresses import outermost

PRIVATE_RANGES = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
"""RFC 1918 and RFC 6598: what a VPC is meant to use. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"""

SMALLEST_VPC = 28
"""A netmask length. https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html"""

CIDRS_PER_POOL = 50
"""https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html"""

OU_NAME_LIMIT = 128
"""https://docs.aws.amazon.com/organizations/latest/APIReference/API_OrganizationalUnit.html"""


def number(name: str, text: object) -> int:
    digits = str(text).strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise Refused(f"{name} {quoted(text)} is not a whole number; give one in digits.")
    return int(digits)


def prefix_length(name: str, text: object, shortest: int = 1, longest: int = SMALLEST_VPC) -> int:
    """Return a prefix length. The limits are those of the templates' parameters."""
    length = number(name, text)
    if not shortest <= length <= longest:
        raise Refused(
            f"{name} {length} is not possible; give a prefix length from {shortest} to {longest}, for example 20."
        )
    return length


def names(name: str, values: str | Sequence[str]) -> tuple[str, ...]:
    """CloudFormation trims the members of a CommaDelimitedList; text that a StackSet passed on is split again here."""
    items = values.split(",") if isinstance(values, str) else values
    found = tuple(item.strip() for item in items)
    if not any(found):
        raise Refused(f"{name} is empty; give at least one name.")
    if "" in found:
        raise Refused(f"{name} {quoted(','.join(found))} has an empty name in it; remove the extra comma.")
    for position, value in enumerate(found):
        if value in found[:position]:
            raise Refused(f"{name} lists {quoted(value)} twice; list each name once.")
    return found


def environments(values: str | Sequence[str]) -> dict[str, str]:
    """Return the name of each environment, and the id of its OU if it was named, as in Prod OU (ou-ab12-34567890)."""
    items = names("AccEnvName", values)
    for item in items:
        if looks_mistyped(item):
            cause = f"{quoted(item)}, which does not name an OU by its ID"
            way_out = f"Write {corrected(item)} for this OU: one space, the ID in lower case, no quotation marks."
            raise Refused(fit("AccEnvName has ", cause, way_out))
    split = [split_environment(item) for item in items]
    ou_ids = [ou_id for _, ou_id in split if ou_id]
    for ou_id in ou_ids:
        if ou_ids.count(ou_id) > 1:
            raise Refused(f"AccEnvName lists OU {ou_id} twice; an OU is one environment, so list it once.")
    for environment in names("AccEnvName", [environment for environment, _ in split]):
        if len(environment) > OU_NAME_LIMIT:
            raise Refused(
                f"AccEnvName has a name of {len(environment)} characters, {quoted(environment)}; "
                f"an OU's name has at most {OU_NAME_LIMIT}, so correct it."
            )
    return dict(split)


def top_level_cidrs(values: str | Sequence[str]) -> tuple[IPv4Network, ...]:
    """Return the CIDRs of TopLevelPoolCidr: private, and apart from each other."""
    found = tuple(_cidr(text) for text in names("TopLevelPoolCidr", values))
    for one, other in combinations(found, 2):
        if one.overlaps(other):
            raise Refused(f"TopLevelPoolCidr lists {one} and {other}, which overlap; give only the larger one.")
    if len(found) > CIDRS_PER_POOL:
        raise Refused(f"TopLevelPoolCidr lists {len(found)} CIDRs, and AWS allows {CIDRS_PER_POOL}; give fewer.")
    return found


def _cidr(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        cause = f"TopLevelPoolCidr {quoted(text)} is not an IPv4 CIDR"
        raise Refused(f"{cause}; give one, for example 10.0.0.0/8.") from None
    if "/" not in text:
        raise Refused(f"TopLevelPoolCidr {quoted(text)} has no prefix length; give one, for example {text}/16.")
    if str(network) != text:
        raise Refused(f"TopLevelPoolCidr {quoted(text)} is not the start of its block; did you mean {network}?")
    if not any(network.subnet_of(private) for private in PRIVATE_RANGES):
        ranges = ", ".join(map(str, PRIVATE_RANGES))
        raise Refused(f"TopLevelPoolCidr {text} is not private address space; choose a block within {ranges}.")
    return network


def reserved_cidrs(text: str) -> tuple[IPv4Network, ...]:
    """Return the CIDRs of ReservedCidrs in address order, without those that others contain.

    text   "10.1.0.0/16, 10.2.3.0/24"; empty for none
    """
    return tuple(outermost(_reserved_cidr(item.strip()) for item in text.split(",") if item.strip()))


def _reserved_cidr(text: str) -> IPv4Network:
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise Refused(
            f"ReservedCidrs has {quoted(text)}, which is not an IPv4 CIDR; give one, for example 10.1.0.0/16."
        ) from None
    if "/" not in text:
        raise Refused(f"ReservedCidrs has {text}, which has no prefix length; give {text}/32 for that address alone.")
    if str(network) != text:
        raise Refused(f"ReservedCidrs has {text}, which is not the start of its block; did you mean {network}?")
    return network


def pool_sizes(text: str) -> dict[str, tuple[int, ...]]:
    """Return the sizes of PoolSizes by the name that stands before them, the largest first.

    text   "Prod OU=20, us-east-1/Prod OU=21+21"; the name before the last = can hold anything but a comma
    """
    found: dict[str, tuple[int, ...]] = {}
    for item in filter(str.strip, text.split(",")):
        name, _, sizes = (part.strip() for part in item.rpartition("="))
        if not name or not re.fullmatch(r"\d+( *\+ *\d+)*", sizes, re.ASCII):
            raise Refused(
                f"PoolSizes has {quoted(item.strip())}; give a name and the prefix lengths of its blocks, "
                "for example Prod OU=21+21."
            )
        if name in found:
            raise Refused(f"PoolSizes lists {quoted(name)} twice; join its sizes with +, for example 21+21.")
        found[name] = tuple(sorted(prefix_length("PoolSizes", size) for size in sizes.split("+")))
        if len(found[name]) > CIDRS_PER_POOL:
            raise Refused(
                f"PoolSizes gives {quoted(name)} {len(found[name])} blocks, and AWS allows {CIDRS_PER_POOL} in a pool; "
                "give fewer and larger ones."
            )
    return found


def joined(sizes: Sequence[int]) -> str:
    """Return sizes as PoolSizes has them: 20+21."""
    return "+".join(map(str, sorted(sizes)))


def quoted(value: object) -> str:
    """Quote a value for a message, cut so that the rest of the message is read too."""
    text = str(value)
    return repr(text if len(text) <= 40 else text[:37] + "...")
