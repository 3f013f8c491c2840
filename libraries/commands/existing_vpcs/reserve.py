"""`make deploy RESERVE=organization|ipam`: keep the addresses of existing VPCs from new ones, by ReservedCidrs.

    RESERVE=organization   reads the VPCs of every account in every Region, see `organization`
    RESERVE=ipam           after the first deployment: reads the VPCs that IPAM has discovered, see `ipam`
    INCOMPLETE=accept      deploy even though some accounts or Regions could not be read

The CIDRs are added to the ReservedCidrs that are given, or that the stack has: nothing is released because a VPC is no
longer found. VPCs that have their addresses from the pools need no reservation.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network

from commands.existing_vpcs.sources import read_organization
from commands.existing_vpcs.vpcs import Existing, reservations
from commands.terminal import plain
from ctipam.errors import Refused
from ctipam.pools import parameters

WAYS_OUT = {
    "organization": "Try again when all can be read",
    "ipam": "Try RESERVE=organization, which reads each account and Region itself",
}
"""What to do if not all VPCs are known, by the value of RESERVE."""

PARAMETER = "ReservedCidrs"

LONGEST_VALUE = 4096
"""Characters. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""


def refuse_unsupported(options: Mapping[str, str]) -> None:
    """Raise Refused for values of RESERVE and INCOMPLETE that mean nothing, before anything is read."""
    if options.get("RESERVE", "") not in ("", *WAYS_OUT):
        raise Refused(f"RESERVE={options['RESERVE']} is not supported; give {' or '.join(WAYS_OUT)}.")
    if options.get("INCOMPLETE", "accept") != "accept":
        raise Refused(f"INCOMPLETE={options['INCOMPLETE']} is not supported; give accept.")


def reserved_cidrs(options: Mapping[str, str], properties: Mapping[str, str]) -> str | None:
    """Return the value of ReservedCidrs; None without RESERVE, which leaves it as it is.

    options      RESERVE, INCOMPLETE, AWS
    properties   the parameters of the deployment, those that keep their value included
    Raises       Refused if the answer is incomplete, and that is not accepted
    """
    source = options.get("RESERVE", "")
    if not source:
        return None
    _reserved_and_space(properties)  # what is wrong is told before a read that may take minutes
    existing = read_organization(source, properties, options.get("AWS", ""))
    if existing.unread and "INCOMPLETE" not in options:
        way_out = f"{WAYS_OUT[source]}, or reserve only what is known: INCOMPLETE=accept"
        raise Refused("\n".join(["Nothing was changed, because not all VPCs are known:", *existing.unread, way_out]))
    for sentence in filter(None, (*existing.unread, existing.note)):
        print(plain(sentence), file=sys.stderr)
    return with_existing(properties, existing)


def with_existing(properties: Mapping[str, str], existing: Existing) -> str:
    """Return ReservedCidrs, and what reserves the addresses of the VPCs besides. Raises Refused if that is too long."""
    given = [cidr.strip() for cidr in properties.get(PARAMETER, "").split(",") if cidr.strip()]
    reserved, space = _reserved_and_space(properties)
    value = ",".join([*given, *map(str, reservations(space, existing.vpcs, reserved))])
    if why := too_long(value):
        raise Refused(
            f"{why}. Choose a CIDR with fewer existing VPCs (`make plan` with VPCS= names one), or give larger "
            "ReservedCidrs."
        )
    return value


def too_long(value: str) -> str:
    """Return why CloudFormation does not take this value of ReservedCidrs; empty if it is short enough."""
    if len(value) <= LONGEST_VALUE:
        return ""
    return f"ReservedCidrs would have {len(value):,} characters, and CloudFormation allows {LONGEST_VALUE:,}"


def _reserved_and_space(properties: Mapping[str, str]) -> tuple[Sequence[IPv4Network], Sequence[IPv4Network]]:
    """Return ReservedCidrs and TopLevelPoolCidr. Raises Refused."""
    return (
        parameters.reserved_cidrs(properties.get(PARAMETER, "")),
        parameters.top_level_cidrs(properties["TopLevelPoolCidr"]),
    )
