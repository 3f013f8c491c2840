"""The text of a plan: the tree, the VPCs that fit, the room left, and the cost."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from textwrap import wrap

from commands.vpcs import Existing, Overlap, elsewhere, overlaps
from ctipam.pools.spec import PoolKey, PoolSpec

PRICE = 0.00027
"""US$ per active IP address and hour in the advanced tier, which pools in other Regions and accounts require.
https://aws.amazon.com/vpc/pricing/, IPAM"""

HOURS = 730
"""Per month."""

MOST_OVERLAPS = 1_000
"""How many overlaps are listed; the others are counted."""

WIDTH = 115
"""Characters per line."""


def report(spec: PoolSpec, blocks: Mapping[PoolKey, IPv4Network], active_ips: int) -> list[str]:
    return [*_tree(spec, blocks), "", *_vpcs(spec), "", *_room(spec), "", *_pools(spec), "", *_cost(active_ips)]


def _tree(spec: PoolSpec, blocks: Mapping[PoolKey, IPv4Network]) -> list[str]:
    rows = [("top-level pool", spec.top_cidr, "")]
    for region in spec.regions:
        last = region == spec.regions[-1]
        rows.append((f"{'└─' if last else '├─'} {region}", blocks[PoolKey(region)], ""))
        for environment in spec.environments:
            branch = "└─" if environment == spec.environments[-1] else "├─"
            name = f"{' ' if last else '│'}  {branch} {environment}"
            rows.append((name, blocks[PoolKey(region, environment)], f"  VPCs tagged Env={environment}"))
    width = max(len(name) for name, _, _ in rows)
    return [f"{name:{width}}  {block!s:18}  {block.num_addresses:>10,} addresses{tag}" for name, block, tag in rows]


def vpc_counts(spec: PoolSpec) -> dict[int, int]:
    """Return the number of VPCs of each netmask length that fit in an environment in one Region."""
    pool, sizes = spec.environment_prefix_length, spec.vpc_sizes
    return {length: 2 ** (length - pool) for length in range(max(sizes.minimum, pool), sizes.maximum + 1)}


def _vpcs(spec: PoolSpec) -> list[str]:
    counts = vpc_counts(spec)
    width = max(5, *(len(f"{count:,}") + 2 for count in counts.values()))
    return [
        f"VPCs that fit in an environment, in each Region (a VPC is a /{spec.default_vpc} by default)",
        "  of size   " + "".join(f"{f'/{length}':>{width}}" for length in counts),
        "  at most   " + "".join(f"{count:>{width},}" for count in counts.values()),
    ]


def _room(spec: PoolSpec) -> list[str]:
    regions, environments = len(spec.regions), len(spec.environments)
    free = spec.quota - 1
    more_regions = 2 ** (spec.region_prefix_length - spec.top_cidr.prefixlen) - regions
    more_environments = 2 ** (spec.environment_prefix_length - spec.region_prefix_length) - environments
    rows = [
        ("more Regions", more_regions, free // (1 + environments) - regions),
        ("more environments", more_environments, (free - regions) // regions - environments),
    ]
    lines = ["Room left for           in the address space   in the pool quota"]
    lines += [f"  {what:20}  {space:>21,}  {quota:>18,}" for what, space, quota in rows]
    if not more_regions:
        lines.append(
            "  No Region can be added later: pools keep their size. To leave room, choose a longer REGION_PREFIX now."
        )
    if not more_environments:
        lines += [
            "  No environment can be added later: pools keep their size. To leave room, choose a longer ENV_PREFIX or",
            "  a shorter REGION_PREFIX now.",
        ]
    return lines


def _pools(spec: PoolSpec) -> list[str]:
    regions, environments = len(spec.regions), len(spec.environments)
    total = len(spec.pools)
    sum_of_pools = f"1 + {regions} + {regions} * {environments} = {total}"
    return [f"Pools: {sum_of_pools}, of the {spec.quota} that AWS allows in a scope"]


def _cost(active_ips: int) -> list[str]:
    return [
        f"Cost: about US$ {active_ips * PRICE * HOURS:,.0f} a month for IPAM, if {active_ips:,} addresses are in use "
        f"(ACTIVE_IPS; US$ {PRICE} an hour for each,",
        "  in all VPCs that IPAM monitors, including those outside these pools). The rest costs little.",
    ]


def report_vpcs(spec: PoolSpec, blocks: Mapping[PoolKey, IPv4Network], existing: Existing) -> list[str]:
    lines = _overlaps(spec, blocks, existing)
    for sentence in existing.unread:
        lines += wrap(sentence, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return lines


def _overlaps(spec: PoolSpec, blocks: Mapping[PoolKey, IPv4Network], existing: Existing) -> list[str]:
    found = overlaps(spec.top_cidr, blocks, existing.vpcs)
    total = f"{sum(vpc.number for vpc in existing.vpcs):,} {existing.what}".rstrip()
    if not found:
        return [f"Existing VPCs: none of the {total} overlaps {spec.top_cidr}."]
    overlapping = sum(vpc.number for vpc in {overlap.vpc for overlap in found})
    width = max(len(f"{overlap.vpc.cidr}  {overlap.vpc.label}".rstrip()) for overlap in found)
    lines = [f"Existing VPCs: {overlapping:,} of {total} overlap{'s' if overlapping == 1 else ''} {spec.top_cidr}"]
    lines += [
        f"  {f'{overlap.vpc.cidr}  {overlap.vpc.label}'.rstrip():{width}}  {_where(overlap)}"
        for overlap in found[:MOST_OVERLAPS]
    ]
    if more := len(found[MOST_OVERLAPS:]):
        lines.append(f"  and {more:,} more overlaps")
    lines += [
        "  IPAM would assign these addresses to other VPCs too. Reserve them in the environment's pool before the",
        "  first VPC is created: aws ec2 allocate-ipam-pool-cidr --region REGION --ipam-pool-id POOL --cidr CIDR",
    ]
    if any(overlap.vpc.tagged for overlap in found):
        lines.append("  A VPC tagged Env may already have its addresses from these pools; then no action is needed.")
    other = elsewhere(spec.top_cidr.prefixlen, existing.vpcs)
    return [*lines, f"  Or choose space that none of them uses: CIDR={other}"] if other else lines


def _where(overlap: Overlap) -> str:
    if overlap.key is None:
        return "in space that no Region uses yet"
    region, environment = overlap.key.region, overlap.key.environment
    where = f"{environment} in {region}" if environment else f"{region}, in space that no environment uses yet"
    return f"{where}: {overlap.addresses:,} addresses"
