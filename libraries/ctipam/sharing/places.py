"""Where the accounts of a run are, and which OU each environment is: reads of AWS Organizations no more than needed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor

from ctipam import waiting
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
        self._list_tree = list_tree
        self._complete = complete
        self._locations: dict[str, AccountLocation | None] = {}
        self._names: dict[str, str] = {}  # of OUs, by id
        self._listing_s = 0.0
        self.environments = EnvironmentOus(run)
        self.fresh: set[str] = set()
        self.tree = NOTHING_LISTED
        if list_tree:
            self._list(list_tree)

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

        Lists the organization again if that takes fewer calls than one for each account.
        """
        never = self._run.rules.never
        account_ids = asked = [account_id for account_id in account_ids if account_id not in never]
        pages = len(self.tree.locations) / 20 + len(self.tree.ous)
        if self._list_tree and len(account_ids) > pages:
            self._run.deadline.require(2 * self._listing_s)
            self._list(self._list_tree)
            account_ids = list(set(account_ids).difference(self.listed))
        for account_id, location in zip(account_ids, self._locate(account_ids), strict=True):
            self._locations[account_id] = location
        self._locations |= dict.fromkeys(never)
        self.fresh |= {*asked, *never}

    def _list(self, list_tree: ListTree) -> None:
        began = waiting.now()
        self.tree = list_tree()
        self._listing_s = waiting.now() - began
        self._locations = {location.account_id: location for location in self.tree.locations}
        self.fresh.clear()
        self._names |= {ou.ou_id: ou.name for ou in self.tree.ous}
        if self._complete:
            self.environments.decide(self.tree.ous)

    def _locate(self, account_ids: Collection[str]) -> list[AccountLocation | None]:
        if len(account_ids) < 2:
            return [self._locate_one(account_id) for account_id in account_ids]
        with ThreadPoolExecutor(WORKERS) as workers:
            return list(workers.map(self._locate_one, account_ids))

    def _locate_one(self, account_id: str) -> AccountLocation | None:
        exact, by_ou = self._run.rules.exact, self.environments.known.by_ou
        location = organization.locate(self._organizations, account_id, lambda ou_id: exact or ou_id in by_ou)
        return location and self._named(location)

    def _named(self, location: AccountLocation) -> AccountLocation:
        """Name the account's own OU, for people, and all others if an environment is still to be found by its name."""
        path = location.ou_path
        count = len(path) if self.environments.is_open else 1
        named = organization.name_ous(self._organizations, path[:count], self._names)
        return AccountLocation(location.account_id, location.state, location.joined, (*named, *path[count:]))

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
