"""Decides which OUs IPAM does not monitor. Users name OU ids (IpamExcludedOus); IPAM takes entity paths."""

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
    ou_paths: Sequence[OuPath]

    def entity_path(self, ou_path: OuPath) -> str:
        """Return the path of an OU and its nested OUs. https://docs.aws.amazon.com/vpc/latest/ipam/exclude-ous.html"""
        return "/".join([self.organization_id, self.root_id, *(ou.ou_id for ou in reversed(ou_path)), "*"])


def find_exclusions(
    text: str, index: OuIndex, environments: Mapping[str, str], *, exact: bool
) -> tuple[frozenset[str] | None, list[str]]:
    """Return the paths for IpamExclusions, and a sentence for each OU that is left out of them.

    text           "leave", "none", or comma-separated OU ids
    environments   OU id -> environment
    exact          an OU without pools does not use those of its parent OUs
    """
    if text in (LEAVE, NONE):
        return paths_of(text), []
    ou_ids = [ou_id.strip() for ou_id in text.split(",")]
    ou_paths = {ou_path[0].ou_id: ou_path for ou_path in index.ou_paths}
    problems = {ou_id: _problem(ou_id, ou_ids, ou_paths, environments, exact) for ou_id in ou_ids}
    good = frozenset(index.entity_path(ou_paths[ou_id]) for ou_id, problem in problems.items() if not problem)
    return good, [f"IpamExcludedOus names {ou_id}, {problem}." for ou_id, problem in problems.items() if problem]


def _problem(
    ou_id: str, ou_ids: Collection[str], ou_paths: Mapping[str, OuPath], environments: Mapping[str, str], exact: bool
) -> str:
    """Return why an OU cannot be excluded: it does not exist, a parent OU is named, or its accounts use the pools.

    An account that IPAM does not monitor may get no addresses from a pool that is shared with it.
    https://github.com/hashicorp/terraform-provider-aws/pull/26943
    """
    if ou_id not in ou_paths:
        return "which is no OU of the organization; correct it"
    parent = next((ou.ou_id for ou in ou_paths[ou_id][1:] if ou.ou_id in ou_ids), None)
    if parent:
        return f"which is in {parent} and is excluded with it; remove it from the list"
    nested = (ou_path[0].ou_id for ou_path in ou_paths.values() if any(ou.ou_id == ou_id for ou in ou_path))
    parents = () if exact else (ou.ou_id for ou in ou_paths[ou_id][1:])
    environment = next((environments[used] for used in (*nested, *parents) if used in environments), None)
    if environment:
        return f"whose accounts use the pools of {environment!r}, and might get no VPCs from them; name other OUs"
    return ""
