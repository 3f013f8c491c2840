"""Where existing VPCs are found: in a file, or, with boto3, in EC2 (`organization`) or in IPAM (`ipam`).

A file contains a CIDR on each line, or several, and, optionally, a label:

    10.20.0.0/16  shop 111122223333
    10.21.0.0/16  # text after a hash is ignored

The AWS CLI writes such a file for one account and Region (with `Vpcs[].CidrBlock`, all on one line):

    aws ec2 describe-vpcs --query 'Vpcs[].CidrBlockAssociationSet[].[CidrBlock]' --output text
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from commands.arguments import shortened
from commands.existing_vpcs.vpcs import Existing, Vpc
from ctipam.errors import Refused

MOST_CIDRS = 100_000
"""Of a file, so that a plan takes seconds."""

ALMOST_A_CIDR = re.compile(r"\d+(\.\d+){3}/")
"""As in 10.0.0.0/33, or in a CIDR with quotes or a semicolon."""


def read_file(path: Path) -> list[Vpc]:
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


def read_organization(source: str, properties: Mapping[str, str], aws: str) -> Existing:
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
