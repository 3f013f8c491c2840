"""Existing VPCs. IPAM does not manage them, so it would assign their addresses to other VPCs as well.

A file contains a CIDR on each line, or several, and, optionally, a label:

    10.20.0.0/16  shop 111122223333
    10.21.0.0/16  # text after a hash is ignored

The AWS CLI writes such a file for one account and Region (with `Vpcs[].CidrBlock`, all on one line):

    aws ec2 describe-vpcs --query 'Vpcs[].CidrBlockAssociationSet[].[CidrBlock]' --output text

For a whole organization, `organization` reads EC2 and `ipam` reads IPAM; this module interprets the answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, collapse_addresses
from itertools import groupby
from pathlib import Path
from typing import Any

from commands.arguments import shortened
from ctipam.errors import DENIED, Refused, code_of, is_client_error, numbered
from ctipam.names import ENVIRONMENT_TAG, EXECUTION_ROLE
from ctipam.pools.addresses import lowest_free_in, overlapping, without
from ctipam.pools.parameters import PRIVATE_RANGES
from ctipam.pools.spec import TOP_LEVEL, PoolKey

NOT_IN_USE = frozenset({"disassociated", "failed"})
"""States in which a VPC does not have a CIDR. It still has one that is being taken from it, and perhaps in a state that
AWS adds. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcCidrBlockState.html"""

MOST_CIDRS = 100_000
"""Of a file, so that a plan takes seconds."""

ALMOST_A_CIDR = re.compile(r"\d+(\.\d+){3}/")
"""As in 10.0.0.0/33, or in a CIDR with quotes or a semicolon."""

LISTED = 3
"""How many VPCs of the same CIDR, or accounts with the same error, are listed; the others are counted."""


@dataclass(frozen=True, order=True)
class Vpc:
    """A CIDR of one or more VPCs.

    number      how many VPCs the label describes
    tagged      at least one of them has the tag that our pools require, and may be from pools that could not be read
    allocated   a pool of IPAM has allocated the CIDR, so that nobody else gets it
    """

    cidr: IPv4Network
    number: int = 1
    label: str = ""
    tagged: bool = False
    allocated: bool = False


@dataclass(frozen=True)
class Existing:
    """All existing VPCs.

    what     what was counted, for example "CIDRs in 3 accounts"; empty if the VPCs come from a file
    unread   accounts and Regions that could not be read, a sentence each
    note     a sentence about all of it
    """

    vpcs: tuple[Vpc, ...] = ()
    what: str = ""
    unread: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, order=True)
class VpcCidr:
    """A CIDR of a VPC. environment is the value of the VPC's tag Env; allocated as in Vpc."""

    cidr: IPv4Network
    account_id: str
    region: str
    vpc_id: str
    is_default: bool = False
    environment: str = ""
    allocated: bool = False


@dataclass(frozen=True, order=True)
class Unread:
    """An account, or one of its Regions, that could not be read. An empty region means the whole account."""

    account_id: str
    region: str
    why: str


@dataclass(frozen=True)
class Overlap:
    """An existing VPC that overlaps a pool.

    key         the pool; None: the free part of the top-level pool
    addresses   how many addresses the VPC and the pool have in common
    """

    vpc: Vpc
    key: PoolKey | None
    addresses: int


def read(path: Path) -> list[Vpc]:
    """Return the VPCs of a file. Raises Refused with the number of a line that does not begin with a CIDR, or has
    something that is almost one: as a part of the label, its addresses would count as free."""
    found: list[Vpc] = []
    for number, line in enumerate(_lines(path), start=1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        cidrs = [_cidr(word) for word in words]
        unclear = [word for word, cidr in zip(words, cidrs, strict=True) if cidr is None]
        for word in unclear:
            if word == words[0] or ALMOST_A_CIDR.search(word):
                raise Refused(f"VPCS={path}, line {number}: {_why_no_cidr(word)}")
        label = " ".join(unclear)
        found += [Vpc(cidr, label=label) for cidr in cidrs if cidr]
        if len(found) > MOST_CIDRS:
            raise Refused(f"VPCS={path} has more than {MOST_CIDRS:,} CIDRs; give each once.")
    if not found:
        raise Refused(f"VPCS={path} contains no CIDR; give a file with a CIDR on each line.")
    return found


def read_from(source: str, properties: Mapping[str, str], aws: str) -> Existing:
    """Return the VPCs of all accounts, with the user's credentials. Raises Refused if they cannot be read.

    source       "organization" or "ipam", see these modules
    properties   the parameters of the deployment
    aws          AWS=, the words of an AWS CLI; may be empty
    """
    from commands.existing_vpcs import ipam, organization  # imported here because nothing else needs boto3

    region = properties["RegionSelection"].split(",")[0].strip()
    if source == "ipam":
        return ipam.read(region, properties.get("IpamScope", ""), aws)
    return organization.read(region, properties.get("NetworkAccountId", ""), aws)


def _cidr(word: str) -> IPv4Network | None:
    try:
        return IPv4Network(word, strict=False) if "/" in word else None
    except ValueError:
        return None


def _why_no_cidr(word: str) -> str:
    try:
        IPv4Address(word)
    except ValueError:
        return f"{word!r} is not an IPv4 CIDR; correct or remove it."
    return f"{word!r} has no prefix length; add it, as in {word}/16."


def _lines(path: Path) -> list[str]:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise Refused(f"VPCS={path} is not a file; save the list in a file first.")  # a pipe may never end
        return path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        given = shortened(str(path))
        raise Refused(f"VPCS={given} cannot be read: {error.strerror}; give a file with a CIDR on each line.") from None
    except UnicodeDecodeError:
        raise Refused(f"VPCS={path} is not in UTF-8; save it as UTF-8.") from None


def overlaps(blocks: Mapping[PoolKey, Sequence[IPv4Network]], vpcs: Sequence[Vpc]) -> list[Overlap]:
    """Return the environment pools that each VPC overlaps; if none, the Region pools, or the top-level pool."""
    found = []
    for vpc in sorted(vpc for vpc in vpcs if not vpc.allocated):
        common = {key: _common(cidrs, vpc.cidr) for key, cidrs in blocks.items()}
        overlapped = [key for key, addresses in common.items() if addresses]
        deepest = max((_depth(key) for key in overlapped), default=0)
        for key in overlapped:
            if _depth(key) == deepest:
                found.append(Overlap(vpc, None if key == TOP_LEVEL else key, common[key]))
    return found


def _common(cidrs: Iterable[IPv4Network], cidr: IPv4Network) -> int:
    return sum(min(one.num_addresses, cidr.num_addresses) for one in cidrs if one.overlaps(cidr))


def _depth(key: PoolKey) -> int:
    return bool(key.region) + bool(key.environment)


def reservations(
    space: Iterable[IPv4Network], vpcs: Iterable[Vpc], reserved: Iterable[IPv4Network] = ()
) -> list[IPv4Network]:
    """Return the fewest CIDRs that cover exactly the addresses of the VPCs within the planned space.

    Addresses that a pool has allocated to a VPC are left out, even if another VPC uses them too: IPAM assigns them to
    nobody else, and lets nobody reserve them.

    reserved   CIDRs that need not be covered again
    """
    known = list(vpcs)
    allocated = list(collapse_addresses(vpc.cidr for vpc in known if vpc.allocated))
    covered = list(collapse_addresses(reserved))
    shared = {
        max(vpc.cidr, block, key=lambda network: network.prefixlen)  # of two that overlap, one contains the other
        for block in space
        for vpc in known
        if not vpc.allocated and vpc.cidr.overlaps(block)
    }
    parts = (part for cidr in shared for part in without(cidr, overlapping(cidr, allocated)))
    return list(collapse_addresses(part for part in parts if not _is_within(part, covered)))


def _is_within(cidr: IPv4Network, apart: Sequence[IPv4Network]) -> bool:
    return any(cidr.subnet_of(other) for other in overlapping(cidr, apart))


def elsewhere(prefix_length: int, vpcs: Sequence[Vpc]) -> IPv4Network | None:
    """Return the first block of this size in private address space that overlaps no VPC."""
    taken = sorted({vpc.cidr for vpc in vpcs})  # once: lowest_free sorts again, which is quick then
    return lowest_free_in(PRIVATE_RANGES, prefix_length, taken)


def cidrs_of(vpc: Mapping[str, Any], region: str) -> Iterator[VpcCidr]:
    """Yield the IPv4 CIDRs of a VPC, as DescribeVpcs returns it.

    vpc   {"VpcId": "vpc-...", "OwnerId": "111122223333", "IsDefault": false, "Tags": [{"Key": "Env", "Value": "..."}],
           "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16", "CidrBlockState": {"State": "associated"}}]}
    """
    tags = {tag["Key"]: tag["Value"] for tag in vpc.get("Tags", [])}
    for association in vpc.get("CidrBlockAssociationSet", []):
        if association["CidrBlockState"]["State"] not in NOT_IN_USE:
            yield VpcCidr(
                IPv4Network(association["CidrBlock"]),
                vpc["OwnerId"],
                region,
                vpc["VpcId"],
                vpc["IsDefault"],
                tags.get(ENVIRONMENT_TAG, ""),
            )


def of_organization(found: Iterable[VpcCidr | Unread], accounts: int, not_known: Sequence[str] = ()) -> Existing:
    """Summarize what was read. Order and repetitions in found do not matter.

    accounts    the number of accounts to read
    not_known   sentences about pools of ours that could not be read: then any VPC with the tag may be from them
    """
    rows = [*found]
    unread = {row for row in rows if isinstance(row, Unread)}
    read_accounts = accounts - len({row.account_id for row in unread if not row.region})
    return Existing(
        tuple(_condensed(_unique(row for row in rows if isinstance(row, VpcCidr)), unsure=bool(not_known))),
        f"CIDRs in {numbered(read_accounts, 'account')}",
        (*_unread_sentences(unread, accounts), *not_known),
    )


def _unique(cidrs: Iterable[VpcCidr]) -> Iterable[VpcCidr]:
    """Return each CIDR of a VPC once.

    An account also sees a VPC in which a subnet is shared with it, but without its tags. So a row with a tag wins.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html
    """
    rows = sorted(cidrs, key=lambda row: row.environment)
    return {(row.cidr, row.account_id, row.region, row.vpc_id): row for row in rows}.values()


def _condensed(cidrs: Iterable[VpcCidr], *, unsure: bool) -> Iterator[Vpc]:
    """Yield a few rows for each CIDR: many accounts may use the same one, and all default VPCs do."""
    for (cidr, is_default, allocated), group in groupby(
        sorted(cidrs, key=_default_vpcs_last), lambda row: (row.cidr, row.is_default, row.allocated)
    ):
        same = [*group]
        listed = 0 if is_default and len(same) > 1 else _number_listed(len(same))
        for row in same[:listed]:
            yield Vpc(cidr, label=_label(row), tagged=unsure and bool(row.environment), allocated=allocated)
        if others := same[listed:]:
            what = numbered(len(others), "default VPC") if is_default else f"and {numbered(len(others), 'more VPC')}"
            where = numbered(len({row.account_id for row in others}), "account")
            tagged = unsure and any(row.environment for row in others)
            yield Vpc(cidr, len(others), f"{what} in {where}", tagged, allocated)


def _default_vpcs_last(row: VpcCidr) -> tuple[IPv4Network, bool, bool, VpcCidr]:
    return row.cidr, row.is_default, row.allocated, row


def _label(row: VpcCidr) -> str:
    kind = ", default VPC" if row.is_default else ""
    tag = f", {ENVIRONMENT_TAG}={row.environment}" if row.environment else ""
    return f"{row.vpc_id} {row.account_id} {row.region}{kind}{tag}"


def _unread_sentences(unread: Iterable[Unread], accounts: int) -> Iterator[str]:
    """Yield a sentence for each error, errors of whole accounts first."""
    for (in_regions, why), same in groupby(sorted(unread, key=_error), _error):
        rows = [*same]
        ids = sorted({row.account_id for row in rows})
        where = f" in {some(sorted({row.region for row in rows}))}" if in_regions else ""
        yield (
            f"{len(ids):,} of {numbered(accounts, 'account')} could not be read{where}, and may have overlapping VPCs: "
            f"{some(ids)} ({why})."
        )


def _error(row: Unread) -> tuple[bool, str]:
    return bool(row.region), row.why


def why_of(error: BaseException) -> str:
    """Return the operation and the code, without AWS's message: it differs between accounts, and the same error is
    reported once for all of them.
    """
    if not is_client_error(error):
        return type(error).__name__
    why = f"{error.operation_name}: {code_of(error)}"
    if error.operation_name == "AssumeRole" and code_of(error) in DENIED:
        return f"{why}; enroll it in Control Tower, which creates the role {EXECUTION_ROLE}"
    return why


def some(names: Sequence[str]) -> str:
    listed = _number_listed(len(names))
    return ", ".join(names[:listed]) + (f" and {len(names) - listed:,} more" if names[listed:] else "")


def _number_listed(number: int) -> int:
    """Return how many of number items to list; never all but one, because "1 more" is as long as an item."""
    return number if number <= LISTED + 1 else LISTED
