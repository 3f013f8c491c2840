"""An organization, RAM and the handlers of sharing without HTTP, for tests that need very many runs.

What goes over the wire is not looked at here; the tests on moto and on the engine do that. The accounts and OUs are two
mappings; RAM is the model of the landing zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from unittest.mock import patch

from botocore import xform_name
from botocore.exceptions import ClientError

from aws_models.clock import ManualClock
from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller, Organization
from ctipam import waiting
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.sessions import Account
from ctipam.sharing import reconcile
from ctipam.sharing.brake import Brake
from ctipam.sharing.reader import FoundPools
from ctipam.sharing.run import SharingRun
from ctipam.sharing.spec import Rules, SharedPool

MANAGEMENT, NETWORKING, HOME = "111111111111", "222222222222", "us-east-1"
ROOT, JOINED = "r-ab12", datetime(2026, 1, 1, tzinfo=UTC)
OWNER = Caller(NETWORKING, HOME)


class SharingWorld:
    """ous      OU id -> name, all of them below the root
    places   account -> (state, OU id), without the management and Networking accounts
    before   called before each call of a handler, with nothing
    """

    def __init__(self, ous: Mapping[str, str], environments: Mapping[str, str]) -> None:
        """environments   name -> OU id"""
        self.ous = dict(ous)
        self.places: dict[str, tuple[str, str]] = {}
        self.before: Callable[[], None] = lambda: None
        self.clock = ManualClock()
        organization = Organization(MANAGEMENT, lambda: {MANAGEMENT, NETWORKING, *self.places})
        organization.ram_sharing_enabled = True
        organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING
        self.models = Models(self.clock, organization, page_size=100)
        ipam = self.models.ipam.call("CreateIpam", {"OperatingRegions": [{"RegionName": HOME}]}, OWNER)["Ipam"]
        self.clock.advance(60)
        self.environments = {
            name: [SharedPool(self._add_pool(ipam["PrivateDefaultScopeId"]), HOME, True, ou_id, name)]
            for name, ou_id in environments.items()
        }

    def _add_pool(self, scope_id: str) -> str:
        params = {"IpamScopeId": scope_id, "AddressFamily": "ipv4", "Locale": HOME}
        pool = self.models.ipam.call("CreateIpamPool", params, OWNER)["IpamPool"]
        self.clock.advance(60)
        return str(pool["IpamPoolArn"])

    def run(self, account_id: str = "") -> Any:
        """Reconcile one account, or all, as a handler does, and return the result."""
        run = self.run_of_handler()
        with patch.object(waiting, "sleep", self.clock.advance), patch.object(waiting, "now", self.clock.now):
            return reconcile.reconcile_account(run, account_id) if account_id else reconcile.reconcile_all(run)

    def run_of_handler(self) -> SharingRun:
        api = cast(Account, Api(self))
        stack = OwnStack(api, "arn:aws:cloudformation:us-east-1:111111111111:stack/ipam/1")
        deadline = waiting.Deadline(lambda: 900.0)
        pools, rules = FoundPools(self.environments), Rules(frozenset({MANAGEMENT}))
        return SharingRun(api, api, pools, rules, stack, deadline, Brake(10))

    def ram(self, action: str, **params: Any) -> Any:
        return self.models.ram.call(action, params, OWNER)

    def shared(self) -> dict[str, list[str]]:
        """Wait until AWS is done, and return the environments of each account that has a share. It has only one."""
        self.clock.advance(60)
        names = {pool.arn: name for name, (pool,) in self.environments.items()}
        found: dict[str, list[str]] = {}
        for share in self.ram("GetResourceShares", resourceOwner="SELF", resourceShareStatus="ACTIVE")[
            "resourceShares"
        ]:
            asked = {"resourceShareArns": [share["resourceShareArn"]], "associationStatus": "ASSOCIATED"}
            rows = self.ram("GetResourceShareAssociations", associationType="RESOURCE", **asked)
            account_id = share["name"].removeprefix("ipamShare-")
            assert account_id not in found, f"{account_id} has two shares"
            found[account_id] = sorted(names[row["associatedEntity"]] for row in rows["resourceShareAssociations"])
        return found

    def delete_share(self, account_id: str) -> None:
        self.clock.advance(60)
        asked = {"resourceOwner": "SELF", "name": f"ipamShare-{account_id}", "resourceShareStatus": "ACTIVE"}
        for share in self.ram("GetResourceShares", **asked)["resourceShares"]:
            self.ram("DeleteResourceShare", resourceShareArn=share["resourceShareArn"])
        self.clock.advance(60)


class Api:
    """Stands in for both accounts and all their clients."""

    account_id, region, partition = MANAGEMENT, HOME, "aws"

    def __init__(self, world: SharingWorld) -> None:
        self._world = world

    def organizations(self) -> Any:
        return self

    def ram(self) -> Any:
        return self

    def cloudformation(self) -> Any:
        return self

    def get_paginator(self, name: str) -> Any:
        def paginate(PaginationConfig: Any = None, **params: Any) -> Iterator[Any]:  # noqa: N803 - boto3's
            yield getattr(self, name)(**params)

        return type("Paginator", (), {"paginate": staticmethod(paginate)})()

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Return a method of RAM's client."""
        action = next(name for name in self._world.models.ram.ACTIONS if xform_name(name) == method)

        def call(**params: Any) -> Any:
            self._world.before()
            try:
                return self._world.ram(action, **params)
            except AwsError as error:
                raise _client_error(error.code, action) from error

        return call

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803 - boto3's
        self._world.before()
        return {"Stacks": [{"StackId": StackName, "StackStatus": "CREATE_COMPLETE", "Tags": []}]}

    def describe_account(self, AccountId: str) -> Any:  # noqa: N803 - boto3's
        self._world.before()
        if AccountId not in self._world.places:
            raise _client_error("AccountNotFoundException", "DescribeAccount")
        return {"Account": self._account(AccountId)}

    def _account(self, account_id: str) -> dict[str, Any]:
        state, ou_id = self._world.places[account_id]
        path = "/".join(["o-exampleorgid", ROOT, *([ou_id] if ou_id else []), account_id, ""])
        return {"Id": account_id, "State": state, "JoinedTimestamp": JOINED, "Paths": [path]}

    def describe_organizational_unit(self, OrganizationalUnitId: str) -> Any:  # noqa: N803 - boto3's
        self._world.before()
        if OrganizationalUnitId not in self._world.ous:
            raise _client_error("OrganizationalUnitNotFoundException", "DescribeOrganizationalUnit")
        name = self._world.ous[OrganizationalUnitId]
        return {"OrganizationalUnit": {"Id": OrganizationalUnitId, "Name": name}}

    def list_roots(self) -> Any:
        self._world.before()
        return {"Roots": [{"Id": ROOT}]}

    def list_organizational_units_for_parent(self, ParentId: str) -> Any:  # noqa: N803 - boto3's
        self._world.before()
        found = self._world.ous.items() if ParentId == ROOT else ()
        return {"OrganizationalUnits": [{"Id": ou_id, "Name": name} for ou_id, name in found]}

    def list_accounts_for_parent(self, ParentId: str) -> Any:  # noqa: N803 - boto3's
        self._world.before()
        there = [one for one, (_, ou_id) in self._world.places.items() if (ou_id or ROOT) == ParentId]
        return {"Accounts": [self._account(account_id) for account_id in there]}


def _client_error(code: str, action: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, action)
