"""Decide which OU each environment is, as the functions will. Pure: nothing here calls AWS."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from commands.arguments import item_of_environments, with_short_names
from commands.preflight.facts import Check, Facts, Unknown, unknown_check
from ctipam.errors import Refused
from ctipam.organization.environments import EnvironmentOu, identify, known_ous
from ctipam.organization.preconditions import added_environments
from ctipam.organization.tree import OrganizationalUnit, OrganizationTree
from ctipam.phrases import numbered
from ctipam.pools import parameters as pools_parameters
from ctipam.sharing.spec import nearest_ou

ABOUT = "Environments"

MOST_OUS = 20
"""How many names of OUs are listed."""


def environments(facts: Facts) -> Iterator[Check]:
    if isinstance(facts.tree, Unknown):
        calls = "organizations:ListRoots, ListOrganizationalUnitsForParent and ListAccountsForParent"
        yield unknown_check(ABOUT, calls, facts.tree)
        return
    old = _wanted(facts.stack) if isinstance(facts.stack, Mapping) else {}
    added = added_environments(old, _wanted(facts.parameters))
    with_pools = accounts_with_pools(facts, facts.tree)
    for one in _identified(facts, facts.tree):
        if one.ou is None:
            text = with_short_names(one.problem if one.lasting else _missing(one.environment, facts.tree.ous))
            yield Check(ABOUT, "failed" if one.environment in added else "warning", text)
            continue
        number = sum(environment == one.environment for environment in with_pools.values())
        renamed = one.is_renamed and one.environment in added
        now = f", which is named {one.ou.name!r}" if one.is_renamed else ""
        text = f"{one.environment!r} is {one.ou.ou_id}{now}; {numbered(number, 'account')} in it."
        yield Check(ABOUT, "warning" if renamed else "ok", text)


def _wanted(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the environments, with the ids of those OUs that are named by id; none if they are not valid."""
    try:
        return pools_parameters.environments(parameters.get("AccEnvName", ""))
    except Refused:  # which the check of the pools says
        return {}


def _identified(facts: Facts, tree: OrganizationTree) -> list[EnvironmentOu]:
    """Return which OU each environment is."""
    remembered = {} if isinstance(facts.remembered, Unknown) else facts.remembered
    return [*identify(known_ous(_wanted(facts.parameters), remembered), tree.ous).values()]


def accounts_with_pools(facts: Facts, tree: OrganizationTree) -> dict[str, str]:
    """Return the environment of each account that is to have pools, by account id."""
    by_ou = {one.ou.ou_id: one.environment for one in _identified(facts, tree) if one.ou}
    exact = facts.parameters.get("OuMatch") == "exact"
    never = {facts.network_account_id, facts.management_id}
    found = {
        one.account_id: by_ou.get(nearest_ou(one.ou_path, by_ou, exact), "")
        for one in tree.locations
        if one.state == "ACTIVE" and one.account_id not in never
    }
    return {account_id: environment for account_id, environment in found.items() if environment}


def _missing(environment: str, ous: Iterable[OrganizationalUnit]) -> str:
    """Return that no OU has this name, and how AccEnvName would name those that exist."""
    items = dict(sorted((ou.name, item) for ou in ous if (item := item_of_environments(ou.name, ou.ou_id))))
    close = difflib.get_close_matches(environment, items)
    meant = f" Did you mean {items[close[0]]!r}?" if close else ""
    more = f", and {len(items) - MOST_OUS:,} more" if len(items) > MOST_OUS else ""
    listed = ", ".join([*items.values()][:MOST_OUS]) or "none"
    way_out = f"{meant} Correct AccEnvName, or create the OU first. The OUs are: {listed}{more}."
    return f"No OU is named {environment!r}.{way_out}"
