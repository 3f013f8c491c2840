"""The text of a plan: the tree, the VPCs that fit, the room left and for how long it lasts, and the cost."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from textwrap import wrap

from commands.existing_vpcs.reserve import too_long
from commands.existing_vpcs.vpcs import Existing, Overlap, elsewhere, overlaps, reservations
from commands.plan.simulation import Blocks, with_room_for
from commands.plan.space import Space
from ctipam.phrases import numbered
from ctipam.pools.parameters import joined
from ctipam.pools.room import lacking_room
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec, VpcSizes

PRICE = 0.00027
"""US$ per active IP address and hour in the advanced tier, which pools in other Regions and accounts require.
https://aws.amazon.com/vpc/pricing/, IPAM"""

HOURS = 730
"""Per month."""

LARGER = "a longer ENV_PREFIX or a shorter REGION_PREFIX"
"""What makes a Region's pool hold more environments."""

MOST_OVERLAPS = 1_000
"""How many overlaps are listed; the others are counted."""

WIDTH = 115
"""Characters per line."""


def to_lines(spec: PoolSpec, blocks: Blocks, active_ips: int, vpcs_a_month: int) -> list[str]:
    """Return the lines of a plan. vpcs_a_month: 0 if nothing is to be said about how long the pools last."""
    space = Space(spec, blocks)
    return [
        *_tree(spec, blocks),
        "",
        *_vpcs(spec),
        "",
        *_room(space),
        "",
        *_growth(space),
        *(_duration(space, vpcs_a_month) if vpcs_a_month else []),
        "",
        *_pools(spec),
        "",
        *_cost(active_ips),
    ]


def _tree(spec: PoolSpec, blocks: Blocks) -> list[str]:
    rows = [("top-level pool", "", TOP_LEVEL)]
    for region in spec.regions:
        last = region == spec.regions[-1]
        stem = " " if last else "│"
        rows.append((f"{'└─' if last else '├─'} {region}", stem, PoolKey(region)))
        for environment in spec.environments:
            last_of_region = environment == spec.environments[-1]
            name = f"{stem}  {'└─' if last_of_region else '├─'} {environment}"
            rows.append((name, f"{stem}  {' ' if last_of_region else '│'}", PoolKey(region, environment)))
    width = max(len(name) for name, _, _ in rows)
    lines = []
    for name, stem, key in rows:
        tag = f"  VPCs tagged Env={key.environment}" if key.environment else ""
        for number, block in enumerate(blocks[key]):
            line = f"{stem if number else name:{width}}  {block!s:18}  {block.num_addresses:>10,} addresses"
            lines.append(line if number else line + tag)
    return lines


def vpc_counts(sizes: Sequence[int], limits: VpcSizes) -> dict[int, int]:
    """Return the number of VPCs of each netmask length that fit in an environment in one Region.

    sizes    prefix lengths of its blocks
    limits   the VPCs that its pool allows
    """
    lengths = range(max(limits.minimum, min(sizes)), limits.maximum + 1)
    return {length: sum(2 ** (length - size) for size in sizes if size <= length) for length in lengths}


def _vpcs(spec: PoolSpec) -> list[str]:
    environments = [key for key in spec.pools if key.environment]
    default = (spec.environment_prefix_length,)
    ordered = sorted(dict.fromkeys(map(spec.sizes, environments)), key=lambda sizes: sizes != default)
    counts = {
        "at most" if sizes == default else f"in {joined(sizes)}": vpc_counts(sizes, spec.vpc_sizes) for sizes in ordered
    }
    lengths = sorted({length for of_pool in counts.values() for length in of_pool})
    width = max(5, *(len(f"{count:,}") + 2 for of_pool in counts.values() for count in of_pool.values()))
    label = max(8, *map(len, counts))
    return [
        f"VPCs that fit in an environment, in each Region (a VPC is a /{spec.default_vpc(environments[0])} by default)",
        f"  {'of size':{label}}  " + "".join(f"{f'/{length}':>{width}}" for length in lengths),
        *(
            f"  {name:{label}}  " + "".join(f"{of_pool.get(length, 0):>{width},}" for length in lengths)
            for name, of_pool in counts.items()
        ),
    ]


def _room(space: Space) -> list[str]:
    spec = space.spec
    regions, environments = len(spec.regions), len(spec.environments)
    free = spec.quota - 1
    rows = [
        ("more Regions", space.more_regions, free // (1 + environments) - regions),
        ("more environments", space.more_environments, (free - regions) // regions - environments),
    ]
    lines = ["Room left for           in the address space   in the pool quota"]
    lines += [f"  {what:20}  {number:>21,}  {quota:>18,}" for what, number, quota in rows]
    if not space.more_regions:
        later = replace(spec, regions=(*spec.regions, "another"))
        longer = "a longer REGION_PREFIX"
        what, now = ("A Region", longer) if space.region_holds_environments else ("A Region (another)", LARGER)
        lines += _needs(what, spec, later, now)
    if not space.more_environments:
        later = replace(spec, environments=(*spec.environments, "another"))
        lines += _needs("An environment", spec, later, LARGER)
    return lines


def _needs(what: str, spec: PoolSpec, later: PoolSpec, now: str) -> list[str]:
    """Return which arguments make room for something that is added later, and what avoids them now."""
    larger = with_room_for(later, spec)
    if larger is None:
        return [f"  {what} cannot be added later; choose {now} now."]
    words = []
    if larger.pool_sizes != spec.pool_sizes:
        words.append(f"POOL_SIZES={shlex.quote(','.join(larger.written_sizes()))}")
    if larger.top_cidrs != spec.top_cidrs:
        words.append(f"CIDR={_value(larger.top_cidrs)}")
    return [
        f"  {what} added later also needs these arguments:",
        f"    {' '.join(words)}",
        f"  To avoid that, choose {now} now.",
    ]


def _growth(space: Space) -> list[str]:
    """Say for how many more blocks there is room."""
    spec = space.spec
    lines = ["More blocks that fit (POOL_SIZES adds them to a pool, PoolGrowth=on to one that fills up)"]
    width = max(map(len, ["top-level pool", *spec.regions]))
    for region in spec.regions:
        rooms = [f"{number:,} of /{size}" for size, number in space.room_in(region).items()]
        lines.append(f"  {region:{width}}  {', or '.join(rooms)}")
    size = spec.region_prefix_length
    lines.append(f"  {'top-level pool':{width}}  {space.more_blocks_of_regions:,} of /{size}, for Regions")
    return lines


def _duration(space: Space, vpcs_a_month: int) -> list[str]:
    pools = len(space.spec.regions) * len(space.spec.environments)
    now, grown = space.months(vpcs_a_month)
    return [
        f"  At {numbered(vpcs_a_month, 'VPC')} a month (VPCS_A_MONTH), of default size and spread evenly over "
        f"{numbered(pools, 'pool')}: {_months(now)} until the",
        f"  first pool is full, {_months(grown)} until one is that can grow no more, by blocks of its own size.",
    ]


def _months(number: float) -> str:
    return f"{number:,.1f} months" if number >= 0.1 else "less than 0.1 months"


def _pools(spec: PoolSpec) -> list[str]:
    regions, environments = len(spec.regions), len(spec.environments)
    total = len(spec.pools)
    sum_of_pools = f"1 + {regions} + {regions} * {environments} = {total}"
    return [f"Pools: {sum_of_pools}, of the {spec.quota} that AWS allows in a scope"]


def _cost(active_ips: int) -> list[str]:
    return [
        f"Cost: about US$ {active_ips * PRICE * HOURS:,.0f} a month for IPAM, if {active_ips:,} "
        f"{'address is' if active_ips == 1 else 'addresses are'} in use (ACTIVE_IPS; US$ {PRICE} an hour for each,",
        "  in all VPCs that IPAM monitors, including those outside these pools). The rest costs little.",
    ]


def vpcs_to_lines(spec: PoolSpec, blocks: Blocks, existing: Existing, reserved: tuple[IPv4Network, ...]) -> list[str]:
    """Return the lines about existing VPCs. reserved: see with_existing"""
    lines = _overlaps(spec, blocks, existing, reserved)
    if existing.unread:
        lines.append("  This answer is incomplete, and so are ReservedCidrs:")
    for sentence in (*existing.unread, existing.note):
        lines += _wrapped(sentence)
    return lines


def _wrapped(text: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _overlaps(spec: PoolSpec, blocks: Blocks, existing: Existing, reserved: tuple[IPv4Network, ...]) -> list[str]:
    found = overlaps(blocks, existing.vpcs)
    number = sum(vpc.number for vpc in existing.vpcs)
    what = existing.what.replace("CIDRs", "CIDR") if number == 1 else existing.what
    total, space = f"{number:,} {what}".rstrip(), _value(spec.top_cidrs)
    if not found:
        none = f"the only {what or 'one'} does not overlap" if number == 1 else f"none of the {total} overlaps"
        return [f"Existing VPCs: {none} {space}."]
    in_found = {overlap.vpc for overlap in found}
    overlapping = sum(vpc.number for vpc in existing.vpcs if vpc in in_found)  # a file may have two that are alike
    width = max(len(f"{overlap.vpc.cidr}  {overlap.vpc.label}".rstrip()) for overlap in found)
    lines = [f"Existing VPCs: {overlapping:,} of {total} overlap{'s' if overlapping == 1 else ''} {space}"]
    lines += [
        f"  {f'{overlap.vpc.cidr}  {overlap.vpc.label}'.rstrip():{width}}  {_where(overlap)}"
        for overlap in found[:MOST_OVERLAPS]
    ]
    if more := len(found[MOST_OVERLAPS:]):
        lines.append(f"  and {numbered(more, 'more overlap')}")
    if reserved == spec.reserved:
        return [*lines, "  No VPC gets these addresses from the pools: ReservedCidrs has all of them."]
    hindrance = _why_not_reserved(spec, reserved)
    if hindrance:
        lines += _wrapped(f"IPAM would assign these addresses to other VPCs too, and {hindrance}")
    else:
        lines += [
            "  IPAM would assign these addresses to other VPCs too. To keep them free, deploy with:",
            f"  ReservedCidrs={_value(reserved)}",
        ]
    if any(overlap.vpc.tagged for overlap in found):
        lines.append("  A VPC tagged Env may already have its addresses from these pools; then no action is needed.")
    other = elsewhere(spec.sizes(TOP_LEVEL)[0], existing.vpcs) if len(spec.top_cidrs) == 1 else None
    instead = "Space" if hindrance else "Or choose space"
    return [*lines, f"  {instead} that none of them uses: CIDR={other}"] if other else lines


def to_deploy(spec: PoolSpec, reserved: tuple[IPv4Network, ...]) -> str:
    """Return the value of ReservedCidrs with these CIDRs; empty if a deployment has it already, or cannot have it."""
    return "" if reserved == spec.reserved or _why_not_reserved(spec, reserved) else _value(reserved)


def with_existing(spec: PoolSpec, existing: Existing) -> tuple[IPv4Network, ...]:
    """Return the ReservedCidrs that keep the addresses of the VPCs free, too."""
    return (*spec.reserved, *reservations(spec.top_cidrs, existing.vpcs, spec.reserved))


def _why_not_reserved(spec: PoolSpec, reserved: tuple[IPv4Network, ...]) -> str:
    """Return why a deployment cannot reserve these CIDRs, and what to do; empty if it can."""
    if why := too_long(_value(reserved)):
        return f"{why}: choose other address space, or reserve fewer and larger CIDRs."
    if lacking_room(replace(spec, reserved=reserved), [], {}) is not None:
        return (
            "there is no room for the pools beside them: choose other address space, or give a larger CIDR, or several."
        )
    return ""


def _value(cidrs: Iterable[IPv4Network]) -> str:
    return ",".join(map(str, cidrs))


def _where(overlap: Overlap) -> str:
    if overlap.key is None:
        return "in space that no Region uses yet"
    region, environment = overlap.key.region, overlap.key.environment
    where = f"{environment} in {region}" if environment else f"{region}, in space that no environment uses yet"
    return f"{where}: {overlap.addresses:,} address{'' if overlap.addresses == 1 else 'es'}"
