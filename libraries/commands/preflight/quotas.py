"""Compare the plan with AWS's quotas. Pure: nothing here calls AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from commands.preflight.environments import accounts_with_pools
from commands.preflight.facts import Check, Fact, Facts, Unknown, unknown_check
from ctipam.errors import Refused

PERMISSION = "servicequotas:ListServiceQuotas in the Networking account"


@dataclass(frozen=True)
class Quota:
    """code, name: as Service Quotas has them. of: what is counted, in a sentence"""

    code: str
    name: str
    of: str


POOLS = Quota("L-7319AFC3", "Pools per IPAM scope", "pools in a scope")
CIDRS = Quota("L-0BC051D6", "CIDRs per IPAM pool", "CIDRs in a pool")
"""https://docs.aws.amazon.com/vpc/latest/ipam/quotas-ipam.html"""

SHARES = Quota("L-595828F9", "Number of resource shares", "shares")
PRINCIPALS = Quota("L-8491BF81", "Number of principal associations", "accounts in shares")
RESOURCES = Quota("L-4A6CEE66", "Number of resource associations", "pools in shares")
"""https://docs.aws.amazon.com/general/latest/gr/ram.html"""


def pools(facts: Facts) -> Iterator[Check]:
    spec = facts.spec()
    if isinstance(spec, Refused):
        yield Check("Pools", "failed", str(spec))
        return
    fit = f"{len(spec.pools)} pools fit into {', '.join(map(str, spec.top_cidrs))}."
    beside_others = f"{len(spec.pools)} pools; `make preview` shows whether all find room."
    yield Check("Pools", "ok", fit if facts.stack is None else beside_others)
    most = max(len(spec.wanted(key)) for key in spec.pools)
    yield from _compare("Quota of pools", {POOLS: len(spec.pools), CIDRS: most}, facts.quotas)


def shares(facts: Facts) -> Iterator[Check]:
    """Check the quotas of RAM: an account has one share, with a pool in each Region.

    Shares of other resources count too, and are not known.
    """
    spec = facts.spec()
    if isinstance(spec, Refused) or isinstance(facts.tree, Unknown):
        return
    number = len(accounts_with_pools(facts, facts.tree))
    counts = {SHARES: number, PRINCIPALS: number, RESOURCES: number * len(spec.regions)}
    yield from _compare("Quota of shares", counts, facts.share_quotas)


def _compare(about: str, counts: Mapping[Quota, int], quotas: Fact[Mapping[str, int]]) -> Iterator[Check]:
    """Yield a check for each quota that is too small, or else one for all."""
    if isinstance(quotas, Unknown):
        yield unknown_check(about, PERMISSION, quotas)
        return
    known = {quota: number for quota, number in counts.items() if quota.code in quotas}
    for quota, number in known.items():
        if number > quotas[quota.code]:
            yield Check(about, "failed", _too_many(quota, number, quotas[quota.code]))
    if missing := [repr(quota.name) for quota in counts if quota not in known]:
        yield unknown_check(about, PERMISSION, Unknown(f"Service Quotas lists no {', '.join(missing)}", by_aws=False))
    if known and all(number <= quotas[quota.code] for quota, number in known.items()):
        listed = ", ".join(f"{number:,} of {quotas[quota.code]:,} {quota.of}" for quota, number in known.items())
        yield Check(about, "ok", f"{listed}.")


def _too_many(quota: Quota, number: int, limit: int) -> str:
    return (
        f"{quota.of[0].upper()}{quota.of[1:]}: {number:,}, and AWS allows {limit:,}. Request an increase of "
        f"{quota.name!r} in Service Quotas, in the Networking account, or take fewer Regions or environments."
    )
