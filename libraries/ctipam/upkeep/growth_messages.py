"""What a person is told about a pool that fills up or has grown."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network

from ctipam.messages import Message, ascii_title
from ctipam.phrases import numbered
from ctipam.pools.existing import ExistingPool
from ctipam.pools.parameters import CIDRS_PER_POOL
from ctipam.upkeep.growth import Family, parameters_for_growth, pool_at_the_limit
from ctipam.upkeep.utilization import Utilization

HOW = (
    "What to do: delete VPCs that are not needed, or update the stack in the management account with {parameters}. "
    "Leave the other entries of PoolSizes as they are. With make, the names are POOL_SIZES and CIDR."
)

NO_SPACE = (
    "What to do: delete VPCs that are not needed. No parameter helps: {region} and the top-level pool are full, and no "
    "private /{size} is left beside the top-level pools of this scope."
)

TOO_MANY_BLOCKS = (
    "What to do: delete VPCs that are not needed. No parameter helps directly: {phrase} has {number} CIDRs, and AWS "
    "allows {limit} in a pool. First give back one that is unused: leave it out of {parameter} and update the stack, "
    "or deprovision it in IPAM if it was added by hand. Then declare a larger one."
)


def due(family: Family, use: Utilization, why: str, elsewhere: Collection[IPv4Network] = ()) -> Message:
    """Return what to change for a pool that stays over the threshold.

    why         why it does not grow by itself, as part of a sentence; empty: PoolGrowth is off
    elsewhere   CIDRs of other top-level pools of the scope
    """
    key = family.pool.key
    room = (
        f"Room left: {family.region.key} has room for {_more(family.room_in_region, family.size)}, and the top-level "
        f"pool for {_more(family.room_in_top, family.region_size)}."
    )
    no_growth = f"It does not grow by itself: {why or 'PoolGrowth is off'}."
    return Message(
        ascii_title(f"{key} is {use.percent_used:g} % full"),
        "\n\n".join(
            [
                f"The pool of {key} ({family.pool.pool_id}) is {use.percent_used:g} % full: {use.used:,} of "
                f"{use.addresses:,} addresses are allocated. VPCs among them: {use.vpcs:,}; `make report` lists what "
                f"is not reserved. It has {_blocks(family.pool)}.",
                room,
                no_growth,
                _what_to_do(family, elsewhere),
            ]
        ),
    )


def _what_to_do(family: Family, elsewhere: Collection[IPv4Network]) -> str:
    if (full := pool_at_the_limit(family)) and full.key is not None:
        parameter = "PoolSizes" if full.key.region else "TopLevelPoolCidr"
        numbers = {"number": len(full.held), "limit": CIDRS_PER_POOL}
        return TOO_MANY_BLOCKS.format(phrase=full.key.phrase, parameter=parameter, **numbers)
    parameters = parameters_for_growth(family, elsewhere)
    if not parameters:
        return NO_SPACE.format(region=family.region.key, size=family.region_size)
    return HOW.format(parameters=parameters)


def _more(number: int, size: int) -> str:
    return f"{numbered(number, 'more block')} of /{size}"


def grown(pool: ExistingPool, before: int, use: Utilization | None = None) -> Message:
    """Return that a pool has more blocks than before.

    before   how many it had
    use      of the pool, if it was measured
    """
    full = f" It is {use.percent_used:g} % full now." if use else ""
    return Message(
        ascii_title(f"{pool.key} has grown to {len(pool.held)} blocks"),
        f"The pool of {pool.key} ({pool.pool_id}) has {_blocks(pool)}; it had {before} before.{full}\n\n"
        "Nothing has to be done: updates of the stack keep what a pool has beyond PoolSizes.",
    )


def _blocks(pool: ExistingPool) -> str:
    cidrs = [str(block.cidr) for block in pool.held]
    return f"the block {cidrs[0]}" if len(cidrs) == 1 else f"the blocks {', '.join(cidrs)}"
