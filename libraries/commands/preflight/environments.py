"""Decide which OU each environment is, as the functions will. Pure: nothing here calls AWS."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from commands.arguments import item_of_environments, with_short_names
from commands.preflight.facts import Check, Facts, Unknown, unknown_check
from ctipam.errors import Refused, numbered
from ctipam.organization.environments import EnvironmentOu, identify, known_ous
from ctipam.organization.preconditions import added_environments
from ctipam.organization.tree import OrganizationalUnit
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
    with_pools = accounts_with_pools(facts)
    for one in _identified(facts):
        if one.ou is None:
            text = with_short_names(one.problem if one.lasting else _missing(one, _items(facts)))
            yield Check(ABOUT, "failed" if one.environment in added else "warning", text)
            continue
        number = sum(environment == one.environment for environment in with_pools.values())
        renamed = one.is_renamed and one.environment in added
        yield Check(ABOUT, "warning" if renamed else "ok", _found(one, one.ou, number))


def _wanted(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the environments, with the ids of those OUs that are named by id; none if they are not valid."""
    try:
        return pools_parameters.environments(parameters.get("AccEnvName", ""))
    except Refused:  # which the check of the pools says
        return {}


def _identified(facts: Facts) -> list[EnvironmentOu]:
    """Return which OU each environment is; none if the organization could not be read."""
    if isinstance(facts.tree, Unknown):
        return []
    remembered = {} if isinstance(facts.remembered, Unknown) else facts.remembered
    return [*identify(known_ous(_wanted(facts.parameters), remembered), facts.tree.ous).values()]


def accounts_with_pools(facts: Facts) -> dict[str, str]:
    """Return the environment of each account that is to have pools, by account id."""
    if isinstance(facts.tree, Unknown):
        return {}
    by_ou = {one.ou.ou_id: one.environment for one in _identified(facts) if one.ou}
    exact = facts.parameters.get("OuMatch") == "exact"
    never = {facts.network_account_id, facts.management_id}
    found = {
        one.account_id: by_ou.get(nearest_ou(one.ou_path, by_ou, exact), "")
        for one in facts.tree.locations
        if one.state == "ACTIVE" and one.account_id not in never
    }
    return {account_id: environment for account_id, environment in found.items() if environment}


def _found(one: EnvironmentOu, ou: OrganizationalUnit, number: int) -> str:
    now = f", which is named {ou.name!r}" if one.is_renamed else ""
    return f"{one.environment!r} is {ou.ou_id}{now}; {numbered(number, 'account')} in it."


def _items(facts: Facts) -> dict[str, str]:
    """Return the names of the OUs in their order, each with how AccEnvName names it."""
    ous = [] if isinstance(facts.tree, Unknown) else facts.tree.ous
    return dict(sorted((ou.name, item) for ou in ous if (item := item_of_environments(ou.name, ou.ou_id))))


def _missing(one: EnvironmentOu, items: Mapping[str, str]) -> str:
    close = difflib.get_close_matches(one.environment, items, n=1)
    meant = f" Did you mean {items[close[0]]!r}?" if close else ""
    more = f", and {len(items) - MOST_OUS:,} more" if len(items) > MOST_OUS else ""
    listed = ", ".join([*items.values()][:MOST_OUS]) or "none"
    way_out = f"{meant} Correct AccEnvName, or create the OU first. The OUs are: {listed}{more}."
    return f"No OU is named {one.environment!r}.{way_out}"
