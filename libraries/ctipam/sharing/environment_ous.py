"""Which OU each environment of a run is. Writes the ids of OUs into the tags of the pools."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from ctipam import names
from ctipam.logs import log_decision
from ctipam.organization.environments import EnvironmentOu, identify
from ctipam.organization.tree import OrganizationalUnit
from ctipam.sharing.run import SharingRun
from ctipam.sharing.spec import EnvironmentsOfOus
from ctipam.tags import to_list


class EnvironmentOus:
    """Which OU each environment of a run is.

    An environment whose pools carry the id of one OU is taken for that OU until all OUs are listed. The others are
    open.
    """

    def __init__(self, run: SharingRun) -> None:
        self._run = run
        self._ids = {
            environment: {pool.ou_id for pool in pools if pool.ou_id} for environment, pools in run.environments.items()
        }
        claimed = [ou_id for ou_ids in self._ids.values() for ou_id in ou_ids]
        alone = {next(iter(ou_ids)): name for name, ou_ids in self._ids.items() if len(ou_ids) == 1}
        by_ou = {ou_id: name for ou_id, name in alone.items() if claimed.count(ou_id) == 1}
        self.known = EnvironmentsOfOus(
            run.environments, by_ou, frozenset(run.pools.doubtful), run.pools.doubtful_ous.union(claimed)
        )
        self.decided: Mapping[str, EnvironmentOu] = {}

    @property
    def is_open(self) -> bool:
        return not self.decided and bool(self.known.undecided)

    def matter(
        self, path: Collection[OrganizationalUnit], present: Collection[str], exists: Callable[[str], bool]
    ) -> bool:
        """Return whether all OUs have to be listed to decide about an account in this path.

        present   ARNs of pools that it has
        exists    returns whether there is an OU of this id
        """
        if self.decided:
            return False
        if any(ou.name in self.known.undecided for ou in path) or self.known.undecided_pools & set(present):
            return True
        own = {self.known.environment_by_pool.get(arn) for arn in present}
        in_path = {ou.ou_id for ou in path}
        return any(
            environment in own and ou_id not in in_path and not exists(ou_id)
            for ou_id, environment in self.known.by_ou.items()
        )

    def decide(self, ous: Iterable[OrganizationalUnit]) -> None:
        """Decide which OU each environment is, and write its id to those of its pools that do not carry it."""
        self.decided = identify(self._ids, ous)
        by_ou = {one.ou.ou_id: one.environment for one in self.decided.values() if one.ou}
        self.known = replace(self.known, by_ou=by_ou)
        for ou_id, environment in by_ou.items():
            self._ids[environment] = {ou_id}
            if not self._run.dry_run:
                self._write(environment, ou_id)

    def _write(self, environment: str, ou_id: str) -> None:
        arns = {pool.arn for pool in self._run.environments[environment] if pool.ou_id != ou_id}
        if not arns:
            return
        if self._run.for_request:
            self._run.for_request.raise_if_superseded()
        pool_ids = sorted(arn.rpartition("/")[2] for arn in arns)
        self._run.networking.ec2().create_tags(Resources=pool_ids, Tags=to_list({names.OU_TAG: ou_id}))
        log_decision("wrote the OU of an environment", environment=environment, ou_id=ou_id, pools=pool_ids)
