"""VPCs that are there already. IPAM does not know them, so it would give their addresses to others as well.

A file with a CIDR a line and, if you like, words that say whose it is:

    10.20.0.0/16  shop 111122223333
    10.21.0.0/16  # everything after a hash is ignored

For one account and Region, the AWS CLI writes such a file:

    aws ec2 describe-vpcs --query 'Vpcs[].CidrBlockAssociationSet[].[CidrBlock]' --output text
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from ctipam.addresses import lowest_free
from ctipam.errors import Refused
from ctipam.plan import PRIVATE_RANGES, PoolKey


@dataclass(frozen=True, order=True)
class Vpc:
    cidr: IPv4Network
    label: str = ""


@dataclass(frozen=True)
class Overlap:
    """key: the pool that would give out addresses of the VPC; None: the part of the top-level pool that is still free.

    addresses: how many they have in common
    """

    vpc: Vpc
    key: PoolKey | None
    addresses: int


def read(path: Path) -> list[Vpc]:
    """Raises Refused with the number of the line that is no CIDR."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"VPCS={path} cannot be read ({error}); give a file with a CIDR a line.") from None
    found = []
    for number, line in enumerate(lines, start=1):
        cidr, *label = line.partition("#")[0].replace(",", " ").split() or [""]
        if cidr:
            try:
                found.append(Vpc(IPv4Network(cidr, strict=False), " ".join(label)))
            except ValueError:
                raise Refused(f"VPCS={path}, line {number}: {cidr!r} is not an IPv4 CIDR; correct it.") from None
    return found


def overlaps(top_cidr: IPv4Network, blocks: Mapping[PoolKey, IPv4Network], vpcs: Sequence[Vpc]) -> list[Overlap]:
    """For each VPC in the top-level pool's space: the environments whose pools it touches, or else what it touches."""
    found = []
    for vpc in sorted(vpcs):
        if not vpc.cidr.overlaps(top_cidr):
            continue
        touched = [key for key, block in blocks.items() if block.overlaps(vpc.cidr)]
        environments = [key for key in touched if key.parent]
        for key in environments or touched:
            found.append(Overlap(vpc, key, min(blocks[key].num_addresses, vpc.cidr.num_addresses)))
        if not touched:
            found.append(Overlap(vpc, None, min(top_cidr.num_addresses, vpc.cidr.num_addresses)))
    return found


def elsewhere(prefix_length: int, vpcs: Sequence[Vpc]) -> IPv4Network | None:
    """The first block of this size, in private address space, that no VPC touches."""
    sizes = (lowest_free(space, prefix_length, [vpc.cidr for vpc in vpcs]) for space in PRIVATE_RANGES)
    return next((block for block in sizes if block), None)
