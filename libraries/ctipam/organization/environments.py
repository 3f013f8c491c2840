"""Decides which OU each environment is.

An environment is found by the name of its OU once. From then on it is known by the OU's id, which its pools carry in a
tag (names.OU_TAG), and the name is only a label: the OU may be renamed, and another OU that takes the name is another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctipam.organization.tree import OrganizationalUnit

KnownOus = Mapping[str, Collection[str]]
"""Environment -> the ids of OUs that its pools carry: none before it has been found, normally one."""


@dataclass(frozen=True)
class EnvironmentOu:
    """Which OU an environment is.

    ou        as it is named now; None: there is none, or it cannot be said which
    problem   why there is none, in a sentence with the way out
    lasting   the problem does not wait for an OU that is to be created, but needs somebody to decide
    """

    environment: str
    ou: OrganizationalUnit | None = None
    problem: str = ""
    lasting: bool = False

    @property
    def is_renamed(self) -> bool:
        return self.ou is not None and self.ou.name != self.environment

    @property
    def sentence(self) -> str:
        """Return which OU it is, for people."""
        if self.ou is None:
            return self.problem
        now = f", which is now named {self.ou.name!r}" if self.is_renamed else ""
        return f"Environment {self.environment!r} is OU {self.ou.ou_id}{now}."

    def to_dict(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "organizationalUnit": self.ou.name if self.ou else None,
            "organizationalUnitId": self.ou.ou_id if self.ou else None,
        } | ({"problem": self.problem} if self.problem else {})


def known_ous(named: Mapping[str, str], remembered: KnownOus) -> KnownOus:
    """Return the ids of OUs by environment: the one that AccEnvName names, or else those that the pools carry.

    named   the id of each environment's OU; empty: AccEnvName has only the name
    """
    return {environment: [ou_id] if ou_id else remembered.get(environment, ()) for environment, ou_id in named.items()}


def identify(known: KnownOus, ous: Iterable[OrganizationalUnit]) -> dict[str, EnvironmentOu]:
    """Return which OU each environment is, by environment. ous: all OUs of the organization."""
    by_id = {ou.ou_id: ou for ou in ous}
    claims: dict[str, list[str]] = {}
    for environment, ou_ids in known.items():
        for ou_id in set(ou_ids):
            claims.setdefault(ou_id, []).append(environment)
    found = {}
    for environment, ou_ids in known.items():
        of_name = [ou for ou in by_id.values() if ou.name == environment]
        if ou_ids:
            found[environment] = _by_id(environment, ou_ids, by_id, claims, of_name)
        else:
            found[environment] = _by_name(environment, claims, of_name)
    return found


def if_accounts_have_its_pools(one: EnvironmentOu) -> EnvironmentOu:
    """Return an environment of which accounts have pools. They keep them, even if no OU has its name."""
    if one.ou or one.lasting:
        return one
    problem = (
        f"No OU is named {one.environment!r} any more, and its pools do not say which OU it is. Its shares stay as "
        f"they are, and no other account gets its pools. Write its OU: {pinned(one.environment, 'ou-...')} in "
        "AccEnvName, or remove the environment there."
    )
    return replace(one, problem=problem, lasting=True)


def _by_id(
    environment: str,
    ou_ids: Collection[str],
    by_id: Mapping[str, OrganizationalUnit],
    claims: Mapping[str, Collection[str]],
    of_name: Sequence[OrganizationalUnit],
) -> EnvironmentOu:
    ou_id, *others = sorted(ou_ids)
    why = "which has that name now"
    if others:
        problem = f"The tags of the pools of {environment!r} name several OUs ({', '.join([ou_id, *others])})."
        if there := [by_id[one] for one in (ou_id, *others) if one in by_id]:  # an OU that no tag names is another one
            of_name = [ou for ou in there if ou.name == environment]
            if not of_name and len(there) == 1:
                of_name, why = there, "the only one of them in the organization"
    elif len(claims[ou_id]) > 1:
        return _claimed_twice(environment, ou_id, by_id, claims)
    elif ou_id not in by_id:
        problem = f"OU {ou_id} of environment {environment!r} is not in the organization."
    else:
        return EnvironmentOu(environment, by_id[ou_id])
    if free := [ou.ou_id for ou in of_name if _is_free(ou.ou_id, environment, claims)]:
        way_out = f"In AccEnvName, write {pinned(environment, free[0])}, {why}."
    else:
        way_out = f"In AccEnvName, write its OU: {pinned(environment, 'ou-...')}."
    problem = f"{problem} {way_out} Until then, its shares stay as they are."
    return EnvironmentOu(environment, problem=problem, lasting=True)


def _is_free(ou_id: str, environment: str, claims: Mapping[str, Collection[str]]) -> bool:
    """Return whether an OU is no other environment, by the tags of the pools: that one may have been renamed."""
    return set(claims.get(ou_id, ())) <= {environment}


def _claimed_twice(
    environment: str,
    ou_id: str,
    by_id: Mapping[str, OrganizationalUnit],
    claims: Mapping[str, Collection[str]],
) -> EnvironmentOu:
    """Return the problem, with a way out for the environment that is not named as the OU: the other may be right."""
    named = by_id[ou_id].name if ou_id in by_id else ""
    wrong = next(other for other in sorted(claims[ou_id]) if other != named)  # there are several
    own = next((ou.ou_id for ou in by_id.values() if ou.name == wrong and _is_free(ou.ou_id, wrong, claims)), "ou-...")
    problem = (
        f"OU {ou_id} is the OU of {environment!r} and of another environment, by the tags of their pools. In "
        f"AccEnvName, write another OU: {pinned(wrong, own)}. Until then, their shares stay as they are."
    )
    return EnvironmentOu(environment, problem=problem, lasting=True)


def _by_name(
    environment: str, claims: Mapping[str, Collection[str]], of_name: Sequence[OrganizationalUnit]
) -> EnvironmentOu:
    if not of_name:
        problem = f"No OU is named {environment!r}, so no account gets the pools of that environment."
        return EnvironmentOu(environment, problem=problem)
    ou_ids = sorted(ou.ou_id for ou in of_name)
    if len(ou_ids) > 1:
        problem = (
            f"{len(ou_ids)} OUs are named {environment!r}. In AccEnvName, write the one to use, for example "
            f"{pinned(environment, ou_ids[0])}. They are {', '.join(ou_ids)}."
        )
        return EnvironmentOu(environment, problem=problem, lasting=True)
    if ou_ids[0] in claims:
        problem = f"OU {ou_ids[0]}, named {environment!r}, is the OU of another environment. Remove one of the two."
        return EnvironmentOu(environment, problem=problem, lasting=True)
    return EnvironmentOu(environment, of_name[0])


def pinned(environment: str, ou_id: str) -> str:
    """Return how AccEnvName names an OU by its id, see environment_names.split_environment."""
    return f"{environment} ({ou_id})"
