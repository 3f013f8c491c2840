"""The calls to AWS that `make report` needs, and how long the function takes, with made-up responses.

Each call takes as long as a call to AWS, and those that the function makes side by side overlap. The time of our own
code is real. Not in it: starting the AWS CLI, and waiting if AWS throttles.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network
from threading import Lock
from typing import Any, cast

from benchmarks.many_accounts import OUS, REGIONS, STACK_ID, MadeUp, environments_of, pool_arn
from benchmarks.page import Row, Section, true_faults
from ctipam import names
from ctipam.cloudformation.own_stack import OwnStack
from ctipam.sessions import Account
from ctipam.sharing.brake import Brake
from ctipam.sharing.reader import FoundPools
from ctipam.sharing.report import report
from ctipam.sharing.run import SharingRun
from ctipam.sharing.spec import Rules
from ctipam.waiting import Deadline

ACCOUNTS, ENVIRONMENTS = 1_000, 24
POOLS = 1 + REGIONS + REGIONS * ENVIRONMENTS
CALL_S, MOST_S = 0.05, 2.0
NETWORKING_STACK = "arn:aws:cloudformation:us-east-1:222222222222:stack/ipam/1"


class Answering(MadeUp):
    """Stands in for both accounts and their clients, counts the calls, and takes its time for each."""

    account_id, region, partition = "222222222222", "us-east-1", "aws"

    def __init__(self, accounts: int) -> None:
        super().__init__(accounts)
        self.calls = Counter[str]()
        self._one_at_a_time = Lock()

    def _call(self, name: str) -> None:
        with self._one_at_a_time:
            self.calls[name] += 1
        time.sleep(CALL_S)

    def get_paginator(self, name: str) -> Any:
        def paginate(**parameters: Any) -> Iterator[Any]:
            for page in getattr(self, f"_{name}")(**parameters):
                self._call(name)
                yield page

        return type("Paginator", (), {"paginate": staticmethod(paginate)})()

    def _list_accounts_for_parent(self, **parameters: Any) -> Iterator[Any]:
        yield from super()._list_accounts_for_parent(**parameters)
        if parameters["ParentId"] == "r-root":
            yield {"Accounts": []}

    def assume(self, *_: Any) -> Answering:
        self._call("assume_role")
        return self

    def ec2(self, _region: str | None = None) -> Any:
        return self

    def cloudformation(self) -> Any:
        return self

    def logs(self) -> Any:
        return self

    def describe_stacks(self, **_: Any) -> Any:
        self._call("describe_stacks")
        output = {"OutputKey": "PoolUtilizationLogGroupName", "OutputValue": "log"}
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Outputs": [output]}]}

    def _list_delegated_administrators(self, **_: Any) -> Iterator[Any]:
        yield {"DelegatedAdministrators": [{"Id": self.account_id}]}

    def _filter_log_events(self, **_: Any) -> Iterator[Any]:
        yield {"events": [{"timestamp": 1, "message": '{"Findings": 0}'}]}

    def _describe_ipam_pools(self, **_: Any) -> Iterator[Any]:
        rows = [self._pool("top", "", "None")]
        for region in range(REGIONS):
            rows.append(self._pool(f"region-{region}", "top", f"region-{region}"))
            rows += [
                self._pool(pool_arn(ou, region).rpartition("/")[2], f"region-{region}", f"region-{region}", f"OU {ou}")
                for ou in range(ENVIRONMENTS)
            ]
        yield {"IpamPools": rows}

    def _pool(self, pool_id: str, source: str, locale: str, environment: str = "") -> dict[str, Any]:
        tags = {names.STACK_TAG: NETWORKING_STACK, names.POOL_ENVIRONMENT_TAG: environment, "Name": pool_id}
        return {
            "IpamPoolId": pool_id,
            "OwnerId": self.account_id,
            "SourceIpamPoolId": source,
            "Locale": locale,
            "State": "create-complete",
            "AddressFamily": "ipv4",
            "IpamScopeArn": "arn:aws:ec2::222222222222:ipam-scope/ipam-scope-1",
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items() if value],
        }

    def _get_ipam_pool_cidrs(self, **_: Any) -> Iterator[Any]:
        yield {"IpamPoolCidrs": [{"Cidr": "10.0.0.0/16", "State": "provisioned"}]}

    def _get_ipam_pool_allocations(self, **parameters: Any) -> Iterator[Any]:
        vpcs = IPv4Network("10.0.0.0/16").subnets(new_prefix=24)
        own = list(zip(self._accounts[: ACCOUNTS // ENVIRONMENTS], vpcs, strict=False))
        yield {
            "IpamPoolAllocations": [
                {
                    "Cidr": str(cidr),
                    "ResourceType": "vpc",
                    "ResourceId": f"vpc-{cidr}",
                    "ResourceOwner": account_id,
                    "IpamPoolAllocationId": f"ipam-pool-alloc-{parameters['IpamPoolId']}-{cidr}",
                }
                for account_id, cidr in own
            ]
        }


def measure() -> Iterator[Row]:
    made_up = Answering(ACCOUNTS)
    account = cast(Account, made_up)
    stack, deadline = OwnStack(account, STACK_ID), Deadline(lambda: 900.0)
    every_shared = frozenset(pool.arn for pools in environments_of(OUS).values() for pool in pools)
    pools, rules = FoundPools(environments_of(ENVIRONMENTS), listed=every_shared), Rules(frozenset())
    run = SharingRun(account, account, pools, rules, stack, deadline, Brake(0), dry_run=True)
    began = time.perf_counter()
    answer = report(run)
    took = time.perf_counter() - began
    calls, pages = made_up.calls.total(), 2 * (OUS + 1) + 2  # with the roots, and IPAM's administrator
    faults = {
        f"{took:.1f} s": took > MOST_S,
        "incomplete": (len(answer["tree"]), len(answer["accountDetails"])) != (POOLS, ACCOUNTS),
    }
    organization = sum(made_up.calls[name] for name in made_up.calls if name.startswith("list_"))
    of_pools = sum(made_up.calls[name] for name in made_up.calls if "ipam" in name)
    faults[f"{organization} calls for the organization"] = organization > pages
    yield Row((f"{calls:,}", f"{organization:,}", f"{of_pools:,}", f"{took:.1f} s"), true_faults(faults))


SECTION = Section(
    title="Report: what make report reads",
    columns=("calls", "organization", "pools", "took"),
    labels=(f"{POOLS} pools, {ACCOUNTS:,} accounts",),
    measure=measure,
    notes=(
        f"The function alone, in {OUS} OUs, if each call takes {CALL_S * 1000:.0f} ms and none is throttled. "
        f"Promise: {MOST_S:.0f} s."
    ),
)
