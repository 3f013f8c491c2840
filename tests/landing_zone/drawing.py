"""The pool hierarchy as a tree, with CIDRs and how full each pool is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import ip_network

from landing_zone.reading import ReadPool


def draw(pools: Sequence[ReadPool]) -> list[str]:
    """Return one line per pool: branches, name, CIDR, a bar of ten, the percentage, and the tag a VPC must carry."""
    drawn = [(branch + pool.name, pool) for branch, pool in _branches("", "", pools)]
    width = max(len(name) for name, _ in drawn)
    return [f"{name:{width}}  {pool.cidr:16}  {_fill(pool)}  {_rules(pool)}".rstrip() for name, pool in drawn]


def _branches(source: str, indent: str, pools: Sequence[ReadPool]) -> Iterator[tuple[str, ReadPool]]:
    below = sorted((pool for pool in pools if pool.source_pool_id == source), key=_address)
    for pool in below:
        last = pool is below[-1]
        branch, further = ("", "") if not source else ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield indent + branch, pool
        yield from _branches(pool.pool_id, indent + further, pools)


def _address(pool: ReadPool) -> int:
    return int(ip_network(pool.cidr.split(",")[0]).network_address) if pool.cidr else 0


def _fill(pool: ReadPool) -> str:
    blocks = min(10, max(round(pool.used_percent / 10), pool.used_percent > 0))  # what is used at all is seen
    return f"{'█' * blocks}{'░' * (10 - blocks)} {pool.used_percent:5.1f} %"


def _rules(pool: ReadPool) -> str:
    return ", ".join(f"{key}={value}" for key, value in pool.required_tags.items())
