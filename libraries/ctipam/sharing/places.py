"""Where the accounts of a run are, and which OU each environment is: reads of AWS Organizations no more than needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ctipam.organization import reader as organization
from ctipam.organization.tree import AccountLocation, OrganizationTree
from ctipam.sharing.environment_ous import EnvironmentOus
from ctipam.sharing.run import SharingRun

WORKERS = 4
"""Accounts at a time."""

NOTHING_LISTED = OrganizationTree((), ())

ListTree = Callable[[], OrganizationTree]


class Places:
    """Where accounts are.

    list_tree   lists the accounts in question; None: each account is read separately
    complete    what is listed is the whole organization, and not one OU
    fresh       accounts that were read again, and not changed since
    """

    def __init__(self, run: SharingRun, list_tree: ListTree | None = None, *, complete: bool = False) -> None:
        self._run = run
        self._organizations = run.management.organizations()
        self._locations: dict[str, AccountLocation | None] = {}
        self._names: dict[str, str] = {}  # of OUs, by id
        self.environments = EnvironmentOus(run)
        self.fresh: set[str] = set()
        self.tree = NOTHING_LISTED
        if list_tree:
            self.tree = list_tree()
            self._locations = {location.account_id: location for location in self.tree.locations}
            self._names = {ou.ou_id: ou.name for ou in self.tree.ous}
        if complete:
            self.environments.decide(self.tree.ous)

    @property
    def listed(self) -> Collection[str]:
        return [location.account_id for location in self.tree.locations]

    def of(self, account_id: str) -> AccountLocation | None:
        """Return where an account is; None if it is not in the organization. Reads it if that is not known."""
        if account_id not in self._locations:
            self.read_again([account_id])
        return self._locations[account_id]

    def read_again(self, account_ids: Collection[str]) -> None:
        """Read where these accounts are now. Raises OutOfTime if too little time is left.

        Lists the accounts of an OU if that takes fewer calls than one for each account that was last seen in it.
        """
        never = self._run.rules.never
        asked = [account_id for account_id in account_ids if account_id not in never]
        found = self._list_again(asked)
        missing = [account_id for account_id in asked if account_id not in found]
        found |= zip(missing, self._locate(missing), strict=True)
        self._locations |= {account_id: found[account_id] for account_id in asked} | dict.fromkeys(never)
        self.fresh |= {*asked, *never}

    def _list_again(self, account_ids: Collection[str]) -> dict[str, AccountLocation | None]:
        """Return the accounts that still are in the OU where they were, if they are many there.

        The OU itself is where it was: Organizations has no operation that moves one.
        https://docs.aws.amazon.com/organizations/latest/APIReference/API_Operations.html
        """
        members = Counter(one.ou_path for one in self._locations.values() if one and one.ou_path)
        asked = Counter(one.ou_path for account_id in account_ids if (one := self._locations.get(account_id)))
        found: dict[str, AccountLocation | None] = {}
        for path, count in asked.items():
            if path and count > members[path] / organization.ORGANIZATIONS_PAGE["PageSize"] + 1:
                self._run.deadline.pause(0)
                found |= organization.find_accounts_in(self._organizations, path)
        return found

    def by_ou(self, account_ids: Collection[str]) -> list[str]:
        """Return these accounts with those of each OU together, so that few OUs are listed for what a run changes."""

        def place(account_id: str) -> tuple[str, str]:
            location = self.of(account_id)
            return (location.ou_path[0].ou_id if location and location.ou_path else "", account_id)

        return sorted(account_ids, key=place)

    def _locate(self, account_ids: Collection[str]) -> list[AccountLocation | None]:
        with ThreadPoolExecutor(WORKERS) as workers:
            return list(workers.map(self._locate_one, account_ids))

    def _locate_one(self, account_id: str) -> AccountLocation | None:
        exact, by_ou = self._run.rules.exact, self.environments.known.by_ou
        location = organization.locate(self._organizations, account_id, lambda ou_id: exact or ou_id in by_ou)
        return location and self._named(location)

    def _named(self, location: AccountLocation) -> AccountLocation:
        """Name all OUs if an environment is still to be found by its name. Otherwise name the account's own OU, for
        people: an operator, or whoever reads in the log that an account has no pools."""
        path = location.ou_path
        has_pools = any(ou.ou_id in self.environments.known.by_ou for ou in path)
        count = len(path) if self.environments.is_open else int(self._run.by_hand or not has_pools)
        named = organization.name_ous(self._organizations, path[:count], self._names)
        return replace(location, ou_path=(*named, *path[count:]))

    def decide_environments(self, location: AccountLocation | None, present: Collection[str]) -> None:
        """Find out which OU each environment is, if that matters for an account. present: ARNs of pools that it has."""
        path = location.ou_path if location else ()
        if self.environments.matter(path, present, self._exists):
            roots = organization.find_roots(self._organizations)
            self.environments.decide(path[0] for path in organization.find_ou_paths(self._organizations, roots))

    def _exists(self, ou_id: str) -> bool:
        if ou_id not in self._names or not self._names[ou_id]:
            found = organization.find_ou(self._organizations, ou_id)
            self._names[ou_id] = found.name if found else ""
        return bool(self._names[ou_id])
