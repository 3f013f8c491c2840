"""What limits the bill for IPAM, if somebody wants that. "leave" leaves each as it is, and is the default.

    IpamTier            "advanced"                 an IPAM in the free tier is moved; "leave": it is refused
    IpamMeteredAccount  "resource-owner"           each account pays for its own addresses
                        "ipam-owner"               the Networking account pays for all, AWS's default
    IpamExclusions      "o-1/r-1/ou-1/*,o-1/..."   OUs that IPAM does not monitor, and so does not bill; "none"

The user gives the last as IpamExcludedOus, ids of OUs; the management account sees where they are, and makes paths of
them. Nothing here touches AWS.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctipam.organization import Chain

LEAVE, NONE = "leave", "none"

OWNER_PAYS = "ipam-owner"
"""https://docs.aws.amazon.com/vpc/latest/ipam/ipam-enable-cost-distro.html"""


@dataclass(frozen=True)
class CostControls:
    """exclusions   Organizations entity paths, as AWS::EC2::IPAM takes them; None: left as they are"""

    tier: str = LEAVE
    metered_account: str = LEAVE
    exclusions: frozenset[str] | None = None

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any]) -> CostControls:
        """A template from before there were these properties does not send them."""
        return cls(
            tier=properties.get("IpamTier", LEAVE),
            metered_account=properties.get("IpamMeteredAccount", LEAVE),
            exclusions=_paths(properties.get("IpamExclusions", LEAVE)),
        )


LEFT_AS_THEY_ARE = CostControls()


def _paths(text: str) -> frozenset[str] | None:
    if text == LEAVE:
        return None
    return frozenset() if text == NONE else frozenset(text.split(","))


def shown(paths: frozenset[str] | None) -> str:
    """As IpamExclusions, which `from_properties` reads."""
    return LEAVE if paths is None else ",".join(sorted(paths)) or NONE


@dataclass(frozen=True)
class Units:
    """All OUs of the organization."""

    organization_id: str
    root_id: str
    chains: Sequence[Chain]

    def path(self, chain: Chain) -> str:
        """Of an OU with all that are in it. https://docs.aws.amazon.com/vpc/latest/ipam/exclude-ous.html"""
        return "/".join([self.organization_id, self.root_id, *(unit.ou_id for unit in reversed(chain)), "*"])


def find_exclusions(
    text: str, units: Units, environments: Collection[str], *, exact: bool
) -> tuple[frozenset[str] | None, list[str]]:
    """The paths for IpamExclusions, and in a sentence each, which OUs are left out of them.

    text    "leave", "none", or ids of OUs with commas between them
    exact   an OU without pools has none, also if one around it has
    """
    if text in (LEAVE, NONE):
        return _paths(text), []
    ou_ids = [ou_id.strip() for ou_id in text.split(",")]
    chains = {chain[0].ou_id: chain for chain in units.chains}
    problems = {ou_id: _problem(ou_id, ou_ids, chains, environments, exact) for ou_id in ou_ids}
    good = frozenset(units.path(chains[ou_id]) for ou_id, problem in problems.items() if not problem)
    return good, [f"IpamExcludedOus names {ou_id}, {problem}." for ou_id, problem in problems.items() if problem]


def _problem(
    ou_id: str, ou_ids: Collection[str], chains: Mapping[str, Chain], environments: Collection[str], exact: bool
) -> str:
    """Why an OU cannot be excluded: it is not there, is in another that is named, or its accounts use the pools.

    What IPAM does with VPCs from its pools in accounts that it does not monitor is not documented.
    """
    if ou_id not in chains:
        return "which is no OU of the organization; correct it"
    outer = next((unit.ou_id for unit in chains[ou_id][1:] if unit.ou_id in ou_ids), None)
    if outer:
        return f"which is in {outer} and goes with it; leave it out"
    inside = (chain[0].name for chain in chains.values() if any(unit.ou_id == ou_id for unit in chain))
    around = () if exact else (unit.name for unit in chains[ou_id][1:])
    environment = next((name for name in (*inside, *around) if name in environments), None)
    if environment:
        return f"whose accounts use the pools of {environment!r}, and IPAM would not see their VPCs; name other OUs"
    return ""
