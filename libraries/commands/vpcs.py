"""VPCs that are there already. IPAM does not know them, so it would give their addresses to others as well.

A file with a CIDR a line and, if you like, words that say whose it is:

    10.20.0.0/16  shop 111122223333
    10.21.0.0/16  # everything after a hash is ignored

For one account and Region, the AWS CLI writes such a file:

    aws ec2 describe-vpcs --query 'Vpcs[].CidrBlockAssociationSet[].[CidrBlock]' --output text

For a whole organization, commands.organization_vpcs asks EC2; what its answers mean is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import groupby
from pathlib import Path
from typing import Any

from ctipam.errors import Refused
from ctipam.names import ENVIRONMENT_TAG
from ctipam.pools.addresses import lowest_free
from ctipam.pools.spec import PRIVATE_RANGES, PoolKey

IN_USE = frozenset({"associating", "associated"})
"""States of a VPC's CIDR. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcCidrBlockState.html"""

NAMED = 3
"""How many of those that have the same CIDR, or the same trouble, are named; the others are counted."""


@dataclass(frozen=True, order=True)
class Vpc:
    """number: how many VPCs the label stands for. tagged: one of them has the tag that our pools ask for."""

    cidr: IPv4Network
    number: int = 1
    label: str = ""
    tagged: bool = False


@dataclass(frozen=True)
class Existing:
    """What is there already.

    what     that was counted, such as "CIDRs in 3 accounts"; empty: nothing but the VPCs is known
    unread   what could not be looked at, a sentence each
    """

    vpcs: tuple[Vpc, ...] = ()
    what: str = ""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class VpcCidr:
    """A CIDR of a VPC in EC2. environment: the value of the VPC's tag Env."""

    cidr: IPv4Network
    account_id: str
    region: str
    vpc_id: str
    is_default: bool = False
    environment: str = ""


@dataclass(frozen=True, order=True)
class Unread:
    """An account, or one Region of it, that could not be looked at.

    region   empty: the whole account
    """

    account_id: str
    region: str
    why: str


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
    except OSError as error:
        raise Refused(f"VPCS={path} cannot be read: {error.strerror}; give a file with a CIDR a line.") from None
    except UnicodeDecodeError:
        raise Refused(f"VPCS={path} is not in UTF-8; save it so, with a CIDR a line.") from None
    found = []
    for number, line in enumerate(lines, start=1):
        cidr, *label = line.partition("#")[0].replace(",", " ").split() or [""]
        if cidr and "/" not in cidr:
            raise Refused(f"VPCS={path}, line {number}: {cidr!r} has no prefix length; give one, such as {cidr}/16.")
        if cidr:
            try:
                found.append(Vpc(IPv4Network(cidr, strict=False), label=" ".join(label)))
            except ValueError:
                raise Refused(f"VPCS={path}, line {number}: {cidr!r} is not an IPv4 CIDR; correct it.") from None
    if not found:
        raise Refused(f"VPCS={path} names no VPC; give a file with a CIDR a line.")
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


def cidrs_of(vpc: Mapping[str, Any], region: str) -> Iterator[VpcCidr]:
    """The IPv4 CIDRs that it has, of one VPC of DescribeVpcs.

    vpc   {"VpcId": "vpc-...", "OwnerId": "111122223333", "IsDefault": false, "Tags": [{"Key": "Env", "Value": "..."}],
           "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}]}
    """
    tags = {tag["Key"]: tag["Value"] for tag in vpc.get("Tags", [])}
    for association in vpc.get("CidrBlockAssociationSet", []):
        if association["CidrBlockState"]["State"] in IN_USE:
            yield VpcCidr(
                IPv4Network(association["CidrBlock"]),
                vpc["OwnerId"],
                region,
                vpc["VpcId"],
                vpc["IsDefault"],
                tags.get(ENVIRONMENT_TAG, ""),
            )


def of_organization(found: Iterable[VpcCidr | Unread], accounts: int) -> Existing:
    """What a person wants to know of all that was read; the order and repetitions do not matter.

    accounts   how many there were to look at
    """
    everything = [*found]
    unread = {one for one in everything if isinstance(one, Unread)}
    read = accounts - len({one.account_id for one in unread if not one.region})
    return Existing(
        tuple(_condensed(_each_once(one for one in everything if isinstance(one, VpcCidr)))),
        f"CIDRs in {_counted(read, 'account')}",
        tuple(_unread_in_words(unread, accounts)),
    )


def _each_once(cidrs: Iterable[VpcCidr]) -> Iterable[VpcCidr]:
    """An account sees a VPC too of which it is shared a subnet, but not its tags: the row with a tag counts.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html
    """
    rows = sorted(cidrs, key=lambda one: one.environment)
    return {(one.cidr, one.account_id, one.region, one.vpc_id): one for one in rows}.values()


def _condensed(cidrs: Iterable[VpcCidr]) -> Iterator[Vpc]:
    """A few for each CIDR: many accounts may have the same, and all the default VPCs that AWS makes have it."""
    for (cidr, is_default), group in groupby(
        sorted(cidrs, key=_kind_and_place), lambda one: (one.cidr, one.is_default)
    ):
        same = [*group]
        named = 0 if is_default and len(same) > 1 else _number_named(len(same))
        for one in same[:named]:
            yield Vpc(cidr, label=_label(one), tagged=bool(one.environment))
        if rest := same[named:]:
            what = f"{len(rest):,} default VPCs" if is_default else f"and {len(rest):,} more VPCs"
            where = _counted(len({one.account_id for one in rest}), "account")
            yield Vpc(cidr, len(rest), f"{what} in {where}", any(one.environment for one in rest))


def _kind_and_place(one: VpcCidr) -> tuple[IPv4Network, bool, VpcCidr]:
    return one.cidr, one.is_default, one


def _label(one: VpcCidr) -> str:
    kind = ", default VPC" if one.is_default else ""
    tag = f", {ENVIRONMENT_TAG}={one.environment}" if one.environment else ""
    return f"{one.vpc_id} {one.account_id} {one.region}{kind}{tag}"


def _unread_in_words(unread: Iterable[Unread], accounts: int) -> Iterator[str]:
    """A sentence for each trouble, of whole accounts first."""
    for (in_regions, why), same in groupby(sorted(unread, key=_trouble), lambda one: (bool(one.region), one.why)):
        rows = [*same]
        ids = sorted({one.account_id for one in rows})
        where = f" in {_some(sorted({one.region for one in rows}))}" if in_regions else ""
        yield (
            f"{len(ids):,} of {_counted(accounts, 'account')} could not be looked at{where}, and may overlap too: "
            f"{_some(ids)} ({why})."
        )


def _trouble(one: Unread) -> tuple[bool, str]:
    return bool(one.region), one.why


def _some(names: Sequence[str]) -> str:
    named = _number_named(len(names))
    return ", ".join(names[:named]) + (f" and {len(names) - named:,} more" if names[named:] else "")


def _number_named(number: int) -> int:
    """How many of so many are named; never all but one, since "1 more" takes as much room as its name."""
    return number if number <= NAMED + 1 else NAMED


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
