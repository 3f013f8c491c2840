"""What a person is told about a pool that fills up or has grown."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network

from ctipam.cloudformation.leftovers import Message, ascii_title
from ctipam.pools.existing import ExistingPool
from ctipam.pools.growth import Family, parameters_for_growth
from ctipam.pools.utilization import Utilization

HOW = (
    "What to do: delete VPCs that are not needed, or update the stack in the management account with {parameters}. "
    "Leave the other entries of PoolSizes as they are. With make, the names are POOL_SIZES and CIDR."
)


def due(family: Family, use: Utilization, why: str, elsewhere: Collection[IPv4Network] = ()) -> Message:
    """Return what to change for a pool that stays over the threshold.

    why         why it does not grow by itself, as part of a sentence; empty: PoolGrowth is off
    elsewhere   CIDRs of other top-level pools of the scope
    """
    key = family.pool.key
    vpcs = f"{use.vpcs} VPC" if use.vpcs == 1 else f"{use.vpcs} VPCs"
    room = (
        f"Room left: {family.region.key} has room for {family.room_in_region} more blocks of /{family.size}, and the "
        f"top-level pool for {family.room_in_top} more blocks of /{family.region_size}."
    )
    no_growth = f"It does not grow by itself: {why or 'PoolGrowth is off'}."
    return Message(
        ascii_title(f"{key} is {use.percent_used:g} % full"),
        "\n\n".join(
            [
                f"The pool of {key} ({family.pool.pool_id}) is {use.percent_used:g} % full: {use.used:,} of "
                f"{use.addresses:,} addresses are allocated, to {vpcs}. It has {_blocks(family.pool)}.",
                room,
                no_growth,
                HOW.format(parameters=parameters_for_growth(family, elsewhere)),
            ]
        ),
    )


def grown(pool: ExistingPool, before: int, use: Utilization | None = None) -> Message:
    """Return that a pool has more blocks than before.

    before   how many it had
    use      of the pool, if it was measured
    """
    name = pool.key.phrase if pool.key else pool.pool_id
    full = f" It is {use.percent_used:g} % full now." if use else ""
    return Message(
        ascii_title(f"{pool.key} has grown to {len(pool.held)} blocks"),
        f"{name[0].upper()}{name[1:]} ({pool.pool_id}) has {_blocks(pool)}; it had {before} before.{full}\n\n"
        "Nothing has to be done: updates of the stack keep what a pool has beyond PoolSizes.",
    )


def _blocks(pool: ExistingPool) -> str:
    cidrs = [str(block.cidr) for block in pool.held]
    return f"the block {cidrs[0]}" if len(cidrs) == 1 else f"the blocks {', '.join(cidrs)}"
