"""Draws existing pools as a tree, with the CIDRs and utilization of each pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network

UNKNOWN = "?" * 10
"""The bar of a pool whose utilization is not known."""


@dataclass(frozen=True)
class DrawnPool:
    """A pool. used_percent: of its addresses; None: not known. required_tags: those that a VPC must carry."""

    pool_id: str
    source_pool_id: str
    name: str
    cidrs: Sequence[str]
    used_percent: float | None
    required_tags: Mapping[str, str]


def draw(pools: Sequence[DrawnPool]) -> list[str]:
    """Return a line for each pool: branch, name, CIDR, a bar of ten blocks, the percentage, and the required tag.

    Further CIDRs of a pool have a line each.
    """
    known = {pool.pool_id for pool in pools}
    roots = sorted({pool.source_pool_id for pool in pools} - known)
    drawn = [row for root in roots for row in _branches(root, "", pools, is_root=True)]
    width = max(len(branch + pool.name) for branch, _, pool in drawn)
    return [line for branch, stem, pool in drawn for line in _lines(branch, stem, pool, width)]


def _lines(branch: str, stem: str, pool: DrawnPool, width: int) -> Iterator[str]:
    first, *others = pool.cidrs or [""]
    tags = ", ".join(f"{key}={value}" for key, value in pool.required_tags.items())
    yield f"{branch + pool.name:{width}}  {first:16}  {_fill(pool)}  {tags}".rstrip()
    for cidr in others:
        yield f"{stem:{width}}  {cidr}"


def _branches(
    source: str, indent: str, pools: Sequence[DrawnPool], *, is_root: bool = False
) -> Iterator[tuple[str, str, DrawnPool]]:
    """Yield each pool below a source, with what stands before its name and before its further CIDRs."""
    below = sorted((pool for pool in pools if pool.source_pool_id == source), key=_addresses)
    for pool in below:
        branch, further = ("", "") if is_root else ("└─ ", "   ") if pool is below[-1] else ("├─ ", "│  ")
        is_parent = any(child.source_pool_id == pool.pool_id for child in pools)
        yield indent + branch, indent + further + ("│" if is_parent else ""), pool
        yield from _branches(pool.pool_id, indent + further, pools)


def _addresses(pool: DrawnPool) -> list[int]:
    return [int(ip_network(cidr).network_address) for cidr in pool.cidrs]


def _fill(pool: DrawnPool) -> str:
    used = pool.used_percent
    if used is None:
        return f"{UNKNOWN}     ? %"
    blocks, shown = round(used / 10), used
    if 0 < used < 100:  # neither empty nor full, and not shown so
        blocks, shown = min(max(blocks, 1), 9), min(max(used, 0.1), 99.9)
    blocks = min(blocks, 10)
    return f"{'█' * blocks}{'░' * (10 - blocks)} {shown:5.1f} %"
