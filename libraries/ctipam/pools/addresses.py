"""Where a block goes: the lowest place that is free. And what is left of a block."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Network


def lowest_free(parent: IPv4Network, prefix_length: int, occupied: Iterable[IPv4Network]) -> IPv4Network | None:
    """Return the lowest block of this size in the parent that overlaps nothing occupied; None if there is none.

    Steps over each occupied block at once, so the time depends on how much is occupied, not on how large the parent is.
    """
    size = 2 ** (32 - prefix_length)
    start = int(parent.network_address)
    end = int(parent.broadcast_address)
    for first, last in sorted((int(block.network_address), int(block.broadcast_address)) for block in occupied):
        if last < start:
            continue
        if first >= start + size:
            break
        start = -(-(last + 1) // size) * size  # the next multiple of the size after this block
    if start + size - 1 > end:
        return None
    return IPv4Network((start, prefix_length))


def lowest_free_in(
    parents: Iterable[IPv4Network], prefix_length: int, occupied: Iterable[IPv4Network]
) -> IPv4Network | None:
    """Return the lowest block of this size in one of the parents that overlaps nothing occupied, or None."""
    taken = list(occupied)
    found = (lowest_free(parent, prefix_length, taken) for parent in sorted(parents))
    return next((block for block in found if block), None)


def count_free(parents: Iterable[IPv4Network], prefix_length: int, occupied: Iterable[IPv4Network]) -> int:
    """Return how many blocks of this size still fit in the parents beside the occupied ones."""
    size = 2 ** (32 - prefix_length)
    taken = sorted(occupied)
    free = 0
    for parent in (one for one in parents if one.prefixlen <= prefix_length):
        start, end = int(parent.network_address) // size, (int(parent.broadcast_address) + 1) // size
        for block in taken:
            if block.overlaps(parent):
                free += max(int(block.network_address) // size - start, 0)
                start = max(start, int(block.broadcast_address) // size + 1)
        free += max(end - start, 0)
    return free


def outermost(networks: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """Yield the networks that no other contains, in address order: there, one follows those that contain it."""
    last = None
    for network in sorted(networks):
        if last is None or not network.subnet_of(last):
            last = network
            yield network


def overlapping(network: IPv4Network, apart: Sequence[IPv4Network]) -> Sequence[IPv4Network]:
    """Return those of the networks that overlap this one. apart: as `outermost` yields them"""
    first = bisect_left(apart, network.network_address, key=lambda one: one.broadcast_address)
    return apart[first : bisect_right(apart, network.broadcast_address, key=lambda one: one.network_address)]


def without(network: IPv4Network, taken: Iterable[IPv4Network]) -> Iterator[IPv4Network]:
    """Yield what is left of a network."""
    left = [network]
    for other in taken:
        left = [rest for part in left for rest in _difference(part, other)]
    yield from left


def _difference(network: IPv4Network, other: IPv4Network) -> Iterable[IPv4Network]:
    if not network.overlaps(other):
        return [network]
    return [] if network.subnet_of(other) else network.address_exclude(other)
