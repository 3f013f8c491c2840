"""`make deploy RESERVE=`: which ReservedCidrs a deployment gets."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from commands.existing_vpcs import ipam as ipam_vpcs
from commands.existing_vpcs import organization as organization_vpcs
from commands.existing_vpcs import reserve
from commands.existing_vpcs.vpcs import Existing, Vpc
from ctipam.errors import Refused

PROPERTIES = {
    "TopLevelPoolCidr": "10.0.0.0/8",
    "RegionSelection": "us-west-2, us-east-1",
    "IpamScope": "ipam-scope-1",
    "NetworkAccountId": "222222222222",
}
UNREAD = "1 of 3 accounts could not be read, and may have overlapping VPCs: 111122223333 (AssumeRole: AccessDenied)."


def existing(*cidrs: str, unread: tuple[str, ...] = ()) -> Existing:
    return Existing(tuple(Vpc(IPv4Network(cidr)) for cidr in cidrs), "CIDRs in 3 accounts", unread)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let both ways to read find two VPCs; return what they are called with."""
    called: list[Any] = []

    def reader(name: str) -> Any:
        def answer(*arguments: str) -> Existing:
            called.append((name, *arguments))
            return existing("10.1.0.0/16", "192.168.0.0/16")

        return answer

    monkeypatch.setattr(organization_vpcs, "read", reader("organization"))
    monkeypatch.setattr(ipam_vpcs, "read", reader("ipam"))
    return called


def test_without_the_word_nothing_is_read_and_nothing_is_set(read: list[Any]) -> None:
    assert reserve.reserved_cidrs({}, PROPERTIES) is None
    assert read == []


@pytest.mark.parametrize(
    ("source", "called"),
    [
        ("organization", ("organization", "us-west-2", "222222222222", "aws --profile m")),
        ("ipam", ("ipam", "us-west-2", "ipam-scope-1", "aws --profile m")),
    ],
)
def test_the_addresses_of_existing_vpcs_are_reserved(read: list[Any], source: str, called: tuple[str, ...]) -> None:
    """The AWS CLI that deploys them may have a profile of its own, and so another organization than the default one."""
    assert reserve.reserved_cidrs({"RESERVE": source, "AWS": "aws --profile m"}, PROPERTIES) == "10.1.0.0/16"
    assert read == [called]


@pytest.mark.parametrize(
    ("given", "found", "value"),
    [
        ("", (), ""),
        ("192.168.4.0/24", ("10.1.0.0/16",), "192.168.4.0/24,10.1.0.0/16"),
        ("10.0.0.0/12", ("10.1.0.0/16", "10.64.0.0/16"), "10.0.0.0/12,10.64.0.0/16"),
        ("10.1.0.0/24", ("10.1.0.0/16",), "10.1.0.0/24,10.1.0.0/16"),
        ("10.0.0.0/16", ("10.0.0.0/16", "10.1.0.0/16"), "10.0.0.0/16,10.1.0.0/16"),
        ("10.0.0.0/16,10.1.0.0/16", ("10.0.0.0/15",), "10.0.0.0/16,10.1.0.0/16"),
        ("10.1.0.0/16", (), "10.1.0.0/16"),
    ],
    ids=["nothing", "beside an office", "already within it", "larger", "next to it", "in two of it", "VPC is deleted"],
)
def test_what_is_given_or_was_deployed_stays(given: str, found: tuple[str, ...], value: str) -> None:
    assert reserve.with_existing(PROPERTIES | {"ReservedCidrs": given}, existing(*found)) == value


def test_several_cidrs_of_the_top_level_pool_count() -> None:
    properties = PROPERTIES | {"TopLevelPoolCidr": "10.0.0.0/16, 10.64.0.0/16"}

    assert reserve.with_existing(properties, existing("10.0.0.0/8")) == "10.0.0.0/16,10.64.0.0/16"


def test_after_an_incomplete_answer_of_all_accounts_there_is_only_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(organization_vpcs, "read", lambda *_: existing(unread=(UNREAD,)))

    with pytest.raises(Refused, match="Try again when all can be read, or reserve only what is known"):
        reserve.reserved_cidrs({"RESERVE": "organization"}, PROPERTIES)


def test_an_incomplete_answer_stops_the_command_unless_it_is_accepted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ipam_vpcs, "read", lambda *_: existing("10.1.0.0/16", unread=(UNREAD,)))

    with pytest.raises(Refused) as refusal:
        reserve.reserved_cidrs({"RESERVE": "ipam"}, PROPERTIES)
    assert str(refusal.value).splitlines() == [
        "Nothing was changed, because not all VPCs are known:",
        UNREAD,
        "Try RESERVE=organization, which reads each account and Region itself, or reserve only what is known: "
        "INCOMPLETE=accept",
    ]
    assert capsys.readouterr().err == ""

    assert reserve.reserved_cidrs({"RESERVE": "ipam", "INCOMPLETE": "accept"}, PROPERTIES) == "10.1.0.0/16"
    assert capsys.readouterr() == ("", UNREAD + "\n"), "what is not known is told all the same"


@pytest.mark.parametrize("options", [{"RESERVE": "all"}, {"RESERVE": "ipam", "INCOMPLETE": "yes"}])
def test_other_values_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(Refused, match="is not supported; give"):
        reserve.refuse_unsupported(options)
    for supported in ({}, {"RESERVE": "organization"}, {"RESERVE": "ipam", "INCOMPLETE": "accept"}):
        reserve.refuse_unsupported(supported)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"ReservedCidrs": "10.1.0.1/16"}, "did you mean 10.1.0.0/16"),
        ({"TopLevelPoolCidr": "10.0.0.1/8"}, "did you mean 10.0.0.0/8"),
    ],
)
def test_a_wrong_cidr_is_told_before_anything_is_read(read: list[Any], wrong: dict[str, str], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        reserve.reserved_cidrs({"RESERVE": "organization"}, PROPERTIES | wrong)

    assert read == []


def test_more_than_cloudformation_takes_is_refused() -> None:
    many = existing(*(f"10.{second}.{third}.0/24" for second in range(3) for third in range(0, 256, 2)))

    with pytest.raises(Refused, match="CloudFormation allows 4,096"):
        reserve.with_existing(PROPERTIES, many)
    assert not reserve.too_long("x" * 4096)
    assert reserve.too_long("x" * 4097)
