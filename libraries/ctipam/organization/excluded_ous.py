"""IpamExcludedOus, the OUs that IPAM does not monitor: ids as the user gives them, entity paths as IPAM takes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ctipam.ipam.cost_controls import LEAVE, NONE, paths_of
from ctipam.organization.tree import OuPath


@dataclass(frozen=True)
class OuIndex:
    """All OUs of the organization."""

    organization_id: str
    root_id: str
    chains: Sequence[OuPath]

    def path(self, chain: OuPath) -> str:
        """Of an OU with all that are in it. https://docs.aws.amazon.com/vpc/latest/ipam/exclude-ous.html"""
        return "/".join([self.organization_id, self.root_id, *(unit.ou_id for unit in reversed(chain)), "*"])


def find_exclusions(
    text: str, units: OuIndex, environments: Collection[str], *, exact: bool
) -> tuple[frozenset[str] | None, list[str]]:
    """The paths for IpamExclusions, and in a sentence each, which OUs are left out of them.

    text    "leave", "none", or ids of OUs with commas between them
    exact   an OU without pools has none, also if one around it has
    """
    if text in (LEAVE, NONE):
        return paths_of(text), []
    ou_ids = [ou_id.strip() for ou_id in text.split(",")]
    chains = {chain[0].ou_id: chain for chain in units.chains}
    problems = {ou_id: _problem(ou_id, ou_ids, chains, environments, exact) for ou_id in ou_ids}
    good = frozenset(units.path(chains[ou_id]) for ou_id, problem in problems.items() if not problem)
    return good, [f"IpamExcludedOus names {ou_id}, {problem}." for ou_id, problem in problems.items() if problem]


def _problem(
    ou_id: str, ou_ids: Collection[str], chains: Mapping[str, OuPath], environments: Collection[str], exact: bool
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
