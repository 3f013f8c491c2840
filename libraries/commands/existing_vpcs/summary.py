"""Sums up the VPCs that were read in the accounts of an organization, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import groupby
from typing import Any

from commands.existing_vpcs.vpcs import Existing, Vpc
from ctipam.names import ENVIRONMENT_TAG
from ctipam.phrases import numbered, some

NOT_IN_USE = frozenset({"disassociated", "failed"})
"""States in which a VPC does not have a CIDR. It still has one that is being taken from it, and perhaps in a state that
AWS adds. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_VpcCidrBlockState.html"""

LISTED = 3
"""How many VPCs of the same CIDR, or accounts with the same error, are listed; the others are counted."""


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


def of_organization(found: Iterable[VpcCidr | Unread], accounts: int, not_known: Sequence[str]) -> Existing:
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
    """Return each CIDR of a VPC once, in their order.

    An account also sees a VPC in which a subnet is shared with it, but without its tags. So a row with a tag wins.

    https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html
    """
    return {(row.cidr, row.account_id, row.region, row.vpc_id): row for row in sorted(cidrs)}.values()


def _condensed(cidrs: Iterable[VpcCidr], *, unsure: bool) -> Iterator[Vpc]:
    """Yield a few rows for each CIDR: many accounts may use the same one, and all default VPCs do."""
    for (cidr, is_default, allocated), group in groupby(sorted(cidrs, key=_default_vpcs_last), _default_vpcs_last):
        same = [*group]
        listed = 0 if is_default and len(same) > 1 else _number_listed(len(same))
        for row in same[:listed]:
            yield Vpc(cidr, label=_label(row), tagged=unsure and bool(row.environment), allocated=allocated)
        if others := same[listed:]:
            what = numbered(len(others), "default VPC") if is_default else f"and {numbered(len(others), 'more VPC')}"
            where = numbered(len({row.account_id for row in others}), "account")
            tagged = unsure and any(row.environment for row in others)
            yield Vpc(cidr, len(others), f"{what} in {where}", tagged, allocated)


def _default_vpcs_last(row: VpcCidr) -> tuple[IPv4Network, bool, bool]:
    return row.cidr, row.is_default, row.allocated


def _label(row: VpcCidr) -> str:
    kind = ", default VPC" if row.is_default else ""
    tag = f", {ENVIRONMENT_TAG}={row.environment}" if row.environment else ""
    return f"{row.vpc_id} {row.account_id} {row.region}{kind}{tag}"


def _unread_sentences(unread: Iterable[Unread], accounts: int) -> Iterator[str]:
    """Yield a sentence for each error, errors of whole accounts first."""
    for (in_regions, why), same in groupby(sorted(unread, key=_error), _error):
        rows = [*same]
        ids = sorted({row.account_id for row in rows})
        where = f" in {some_of(sorted({row.region for row in rows}))}" if in_regions else ""
        yield (
            f"{len(ids):,} of {numbered(accounts, 'account')} could not be read{where}, and may have overlapping VPCs: "
            f"{some_of(ids)} ({why})."
        )


def _error(row: Unread) -> tuple[bool, str]:
    return bool(row.region), row.why


def some_of(names: Sequence[str]) -> str:
    return some(names, _number_listed(len(names)))


def _number_listed(number: int) -> int:
    """Return how many of number items to list; never all but one, because "1 more" is as long as an item."""
    return number if number <= LISTED + 1 else LISTED
