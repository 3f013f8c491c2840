"""Arithmetic of CIDRs, without pools."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from ipaddress import AddressValueError, IPv4Network

from aws_models.errors import AwsError


def parse(cidr: str) -> IPv4Network:
    """Return the network. Raises AwsError InvalidParameterValue for no IPv4 CIDR, or host bits (strict: unverified)."""
    if ":" in cidr:
        raise NotImplementedError(f"IPv6 CIDR {cidr}")
    try:
        if "/" not in cidr:
            raise AddressValueError(f"{cidr} has no netmask length")
        return IPv4Network(cidr)
    except ValueError as error:
        raise AwsError("InvalidParameterValue", f"Value ({cidr}) for parameter cidr is invalid. {error}.") from error


def fit(wanted: IPv4Network | int, space: Iterable[IPv4Network], taken: Collection[IPv4Network]) -> IPv4Network | None:
    """Return the wanted block inside `space` that does not overlap `taken`, or None.

    wanted  a block, or a netmask length: then the lowest aligned free block, as in every listing that AWS publishes
    """
    if isinstance(wanted, IPv4Network):
        inside = any(wanted.subnet_of(block) for block in space)
        return wanted if inside and not overlaps(wanted, taken) else None
    found = (_lowest_free(block, wanted, taken) for block in sorted(space))
    return next((block for block in found if block), None)


def overlaps(network: IPv4Network, others: Iterable[IPv4Network]) -> bool:
    return any(network.overlaps(other) for other in others)


def _lowest_free(block: IPv4Network, length: int, taken: Iterable[IPv4Network]) -> IPv4Network | None:
    size = 1 << (32 - length)
    start, end = int(block.network_address), int(block.broadcast_address)
    for first, last in sorted((int(other.network_address), int(other.broadcast_address)) for other in taken):
        if first >= start + size:
            break
        if last >= start:
            start = -(-(last + 1) // size) * size  # the next multiple of the size past what is in the way
    return IPv4Network((start, length)) if start + size - 1 <= end else None
