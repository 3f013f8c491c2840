"""A plan in words: the tree, what fits, what is left, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from textwrap import wrap

from commands.vpcs import Existing, Overlap, elsewhere, overlaps
from ctipam.pools.spec import PoolKey, PoolSpec

PRICE = 0.00027
"""US$ for each active IP address and hour, in the advanced tier, which pools of other Regions and accounts need.
https://aws.amazon.com/vpc/pricing/, IPAM"""

HOURS = 730
"""In a month."""

WIDTH = 115
"""Letters of a line, where it is broken."""


def report(plan: PoolSpec, blocks: Mapping[PoolKey, IPv4Network], active_ips: int) -> list[str]:
    return [*_tree(plan, blocks), "", *_vpcs(plan), "", *_room(plan), "", *_pools(plan), "", *_cost(active_ips)]


def _tree(plan: PoolSpec, blocks: Mapping[PoolKey, IPv4Network]) -> list[str]:
    rows = [("top-level pool", plan.top_cidr, "")]
    for region in plan.regions:
        last = region == plan.regions[-1]
        rows.append((f"{'└─' if last else '├─'} {region}", blocks[PoolKey(region)], ""))
        for environment in plan.environments:
            branch = "└─" if environment == plan.environments[-1] else "├─"
            name = f"{' ' if last else '│'}  {branch} {environment}"
            rows.append((name, blocks[PoolKey(region, environment)], f"  VPCs tagged Env={environment}"))
    width = max(len(name) for name, _, _ in rows)
    return [f"{name:{width}}  {block!s:18}  {block.num_addresses:>10,} addresses{tag}" for name, block, tag in rows]


def vpc_counts(plan: PoolSpec) -> dict[int, int]:
    """How many VPCs of each netmask length an environment has room for in one Region."""
    pool, sizes = plan.environment_prefix_length, plan.vpc_sizes
    return {length: 2 ** (length - pool) for length in range(max(sizes.minimum, pool), sizes.maximum + 1)}


def _vpcs(plan: PoolSpec) -> list[str]:
    counts = vpc_counts(plan)
    width = max(5, *(len(f"{count:,}") + 2 for count in counts.values()))
    return [
        f"VPCs that fit in an environment, in each Region (unless its creator says otherwise, a VPC is a "
        f"/{plan.default_vpc})",
        "  of size   " + "".join(f"{f'/{length}':>{width}}" for length in counts),
        "  at most   " + "".join(f"{count:>{width},}" for count in counts.values()),
    ]


def _room(plan: PoolSpec) -> list[str]:
    regions, environments = len(plan.regions), len(plan.environments)
    free = plan.quota - 1
    more_regions = 2 ** (plan.region_prefix_length - plan.top_cidr.prefixlen) - regions
    more_environments = 2 ** (plan.environment_prefix_length - plan.region_prefix_length) - environments
    rows = [
        ("more Regions", more_regions, free // (1 + environments) - regions),
        ("more environments", more_environments, (free - regions) // regions - environments),
    ]
    lines = ["Room left for           in the address space   in the pool quota"]
    lines += [f"  {what:20}  {space:>21,}  {quota:>18,}" for what, space, quota in rows]
    if not more_regions:
        lines.append("  No Region can be added later: pools keep their size. For more, take a longer REGION_PREFIX.")
    if not more_environments:
        lines += [
            "  No environment can be added later: pools keep their size. For more, take a longer ENV_PREFIX, or a",
            "  shorter REGION_PREFIX, now.",
        ]
    return lines


def _pools(plan: PoolSpec) -> list[str]:
    regions, environments = len(plan.regions), len(plan.environments)
    total = 1 + len(plan.pools)
    sum_of_pools = f"1 + {regions} + {regions} * {environments} = {total}"
    return [f"Pools: {sum_of_pools}, of the {plan.quota} that AWS allows in a scope"]


def _cost(active_ips: int) -> list[str]:
    return [
        f"Cost: about US$ {active_ips * PRICE * HOURS:,.0f} a month for IPAM, if {active_ips:,} addresses are in use "
        f"(ACTIVE_IPS; US$ {PRICE} an hour for each,",
        "  in all VPCs that IPAM sees, also those outside these pools). The rest of the solution costs little.",
    ]


def report_vpcs(plan: PoolSpec, blocks: Mapping[PoolKey, IPv4Network], existing: Existing) -> list[str]:
    lines = _overlaps(plan, blocks, existing)
    for sentence in existing.unread:
        lines += wrap(sentence, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return lines


def _overlaps(plan: PoolSpec, blocks: Mapping[PoolKey, IPv4Network], existing: Existing) -> list[str]:
    found = overlaps(plan.top_cidr, blocks, existing.vpcs)
    total = f"{sum(vpc.number for vpc in existing.vpcs):,} {existing.what}".rstrip()
    if not found:
        return [f"Existing VPCs: none of the {total} overlaps {plan.top_cidr}."]
    in_the_way = sum(vpc.number for vpc in {overlap.vpc for overlap in found})
    width = max(len(f"{overlap.vpc.cidr}  {overlap.vpc.label}".rstrip()) for overlap in found)
    lines = [f"Existing VPCs: {in_the_way:,} of {total} overlap{'s' if in_the_way == 1 else ''} {plan.top_cidr}"]
    lines += [
        f"  {f'{overlap.vpc.cidr}  {overlap.vpc.label}'.rstrip():{width}}  {_where(overlap)}" for overlap in found
    ]
    lines += [
        "  IPAM would give these addresses to other VPCs too. Reserve them in the environment's pool, before the first",
        "  VPC is made: aws ec2 allocate-ipam-pool-cidr --region REGION --ipam-pool-id POOL --cidr CIDR",
    ]
    if any(overlap.vpc.tagged for overlap in found):
        lines.append("  A VPC tagged Env may have its addresses from these pools already; then there is nothing to do.")
    other = elsewhere(plan.top_cidr.prefixlen, existing.vpcs)
    return [*lines, f"  Or take space that none of them uses: CIDR={other}"] if other else lines


def _where(overlap: Overlap) -> str:
    if overlap.key is None:
        return "in space that no Region has yet"
    region, environment = overlap.key.region, overlap.key.environment
    where = f"{environment} in {region}" if environment else f"{region}, in space that no environment has yet"
    return f"{where}: {overlap.addresses:,} addresses"
