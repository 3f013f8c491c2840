"""What a deployment warns of: existing VPCs whose addresses IPAM can assign again, as far as IPAM knows them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ctipam.ipam.discovered import DiscoveredAccount, DiscoveredCidr
from ctipam.pools import existing_vpcs
from ctipam.pools.spec import PoolSpec
from landing_zone.direct_stack import DirectStack

SHOP, WEST = "012345678901", "us-west-2"
SPEC = PoolSpec((IPv4Network("10.0.0.0/8"),), 10, 12, (WEST,), ("Prod OU",))
LOOKED = [DiscoveredAccount(SHOP, WEST, looked=True)]
IPAM: Any = SimpleNamespace(
    operating_regions=[WEST, "us-east-1"], discovery_id="ipam-res-disco-1", private_scope_id="ipam-scope-1"
)
LATER = existing_vpcs.LATER


def vpc(number: int, cidr: str) -> DiscoveredCidr:
    return DiscoveredCidr(IPv4Network(cidr), SHOP, WEST, f"vpc-{number}")


@pytest.fixture
def discovered(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what IPAM has discovered; no pool has allocated anything."""
    found = SimpleNamespace(vpcs=[], accounts=LOOKED)
    monkeypatch.setattr(existing_vpcs, "read_vpcs", lambda *_: found.vpcs)
    monkeypatch.setattr(existing_vpcs, "read_accounts", lambda *_: found.accounts)
    monkeypatch.setattr(existing_vpcs, "_allocated", lambda *_: set())
    return found


def warnings(spec: PoolSpec = SPEC, account: Any = None, *, is_new: bool = False) -> list[str]:
    return existing_vpcs.warnings(account, IPAM, IPAM.private_scope_id, spec, is_new=is_new)


@pytest.mark.parametrize(
    ("vpcs", "named", "reserve"),
    [
        ([vpc(1, "10.1.0.0/24")], f"vpc-1 (10.1.0.0/24, account {SHOP}, us-west-2)", "10.1.0.0/24"),
        (
            [vpc(number, f"10.1.{number}.0/24") for number in range(3)],
            ", ".join(f"vpc-{number} (10.1.{number}.0/24, account {SHOP}, us-west-2)" for number in range(3)),
            "10.1.0.0/24, 10.1.1.0/24, 10.1.2.0/24",
        ),
        (
            [vpc(1, "10.1.0.0/16"), *(vpc(number, f"10.1.{number}.0/24") for number in range(2, 22))],
            f"vpc-1 (10.1.0.0/16, account {SHOP}, us-west-2), vpc-2 (10.1.2.0/24, account {SHOP}, us-west-2), "
            f"vpc-3 (10.1.3.0/24, account {SHOP}, us-west-2) and 18 more",
            "10.1.0.0/16",
        ),
        (
            [vpc(number, f"10.{number}.0.0/24") for number in range(22)],
            ", ".join(f"vpc-{number} (10.{number}.0.0/24, account {SHOP}, us-west-2)" for number in range(3))
            + " and 19 more",
            ", ".join(f"10.{number}.0.0/24" for number in range(20)) + " and 2 more",
        ),
    ],
    ids=["one", "as many as are named", "more, in the first", "many"],
)
def test_the_vpcs_in_the_pools_space_are_named_with_what_to_reserve(
    discovered: Any, vpcs: list[DiscoveredCidr], named: str, reserve: str
) -> None:
    discovered.vpcs = vpcs

    assert warnings() == [
        f"IPAM can assign the addresses of existing VPCs again, {named}. Add to ReservedCidrs: {reserve}."
    ]


@pytest.mark.parametrize(
    ("vpcs", "reserved"),
    [
        ([vpc(1, "192.168.0.0/24")], ""),
        ([replace(vpc(1, "10.1.0.0/24"), allocated=True)], ""),
        ([vpc(1, "10.1.0.0/24"), vpc(2, "10.1.0.0/24")], "10.1.0.0/16"),
    ],
    ids=["elsewhere", "from a pool", "reserved, although they overlap each other"],
)
def test_other_vpcs_are_not_warned_of(discovered: Any, vpcs: list[DiscoveredCidr], reserved: str) -> None:
    discovered.vpcs = vpcs

    assert warnings(replace(SPEC, reserved=tuple(map(IPv4Network, reserved.split())))) == []


def test_vpcs_of_the_default_scope_are_named_for_pools_in_another_whoever_has_allocated_them(
    discovered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPAM puts there what it discovers, and our own message proposes another scope for addresses that overlap."""
    found = {IPAM.private_scope_id: [vpc(1, "10.1.0.0/24"), replace(vpc(2, "10.2.0.0/24"), allocated=True)]}
    monkeypatch.setattr(existing_vpcs, "read_vpcs", lambda _, scope_id: found.get(scope_id, []))

    assert existing_vpcs.warnings(discovered, IPAM, "ipam-scope-2", SPEC, is_new=False) == [
        f"VPCs in IPAM's default scope use addresses of the pools too, vpc-1 (10.1.0.0/24, account {SHOP}, us-west-2), "
        f"vpc-2 (10.2.0.0/24, account {SHOP}, us-west-2). If their network is connected with that of the pools, add to "
        "ReservedCidrs: 10.1.0.0/24, 10.2.0.0/24."
    ]
    monkeypatch.setattr(existing_vpcs, "_allocated", lambda *_: {("vpc-9", IPv4Network("10.0.0.0/8"))})
    (sentence,) = existing_vpcs.warnings(discovered, IPAM, "ipam-scope-2", SPEC, is_new=False)
    assert sentence.endswith("with that of the pools, replace one of each two VPCs.")


@pytest.mark.parametrize(
    ("accounts", "whose"),
    [
        (LOOKED, None),
        ([], ""),
        ([*LOOKED, DiscoveredAccount("1", WEST, looked=False)], " of 1 account"),
        (
            [DiscoveredAccount("1", WEST, looked=False), DiscoveredAccount("2", WEST, looked=True, failure="no")],
            " of 2 accounts",
        ),
    ],
    ids=["all are known", "none is known", "one is not known", "two are not known"],
)
def test_accounts_that_ipam_does_not_know_yet_are_counted(
    discovered: Any, accounts: list[DiscoveredAccount], whose: str | None
) -> None:
    discovered.accounts = accounts

    assert warnings() == ([] if whose is None else [f"IPAM does not know the VPCs{whose} yet. {LATER}"])


def test_of_a_new_ipam_nothing_is_known(discovered: Any) -> None:
    discovered.vpcs = [vpc(1, "10.1.0.0/24")]

    assert warnings(is_new=True) == [
        f"IPAM is new and has not looked for existing VPCs yet, which takes up to an hour. {LATER}"
    ]


def test_what_cannot_be_read_fails_no_deployment(discovered: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise ClientError({"Error": {"Code": "UnauthorizedOperation", "Message": "No."}}, "GetIpamResourceCidrs")

    monkeypatch.setattr(existing_vpcs, "read_vpcs", denied)

    (sentence,) = warnings()
    assert sentence.startswith("Existing VPCs are not known: GetIpamResourceCidrs ")


def test_a_vpc_from_a_pool_is_not_warned_of_even_while_ipam_does_not_show_where_it_is_from(
    built: DirectStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, beside = vpc(1, "10.0.0.0/16"), vpc(2, "10.0.0.0/16")
    ours = replace(ours, vpc_id=built.make_vpc(WEST, "Prod OU", length=16))
    monkeypatch.setattr(existing_vpcs, "read_accounts", lambda *_: LOOKED)
    spec = replace(SPEC, stack_id=built.stack_id)

    for vpcs in ([ours], [ours, beside]):
        monkeypatch.setattr(existing_vpcs, "read_vpcs", lambda *_, vpcs=vpcs: vpcs)
        assert [beside.vpc_id in sentence for sentence in warnings(spec, built.account)] == [True] * (len(vpcs) - 1)

    monkeypatch.setattr(existing_vpcs, "read_vpcs", lambda *_: [ours])
    (of_another_stack,) = warnings(replace(spec, stack_id=f"{built.stack_id}-2"), built.account)
    assert ours.vpc_id in of_another_stack
