"""How the places of many accounts are read again with few calls."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ctipam.organization import reader
from ctipam.organization.tree import AccountLocation, OrganizationalUnit, OrganizationTree
from ctipam.sharing.places import Places
from ctipam.sharing.reader import FoundPools
from ctipam.sharing.spec import Rules, SharedPool

PROD = OrganizationalUnit("ou-ab12-00000001", "Prod OU")
POOL = SharedPool("arn:aws:ec2::222222222222:ipam-pool/ipam-pool-0123456789abcdef0", "us-west-2", ou_id=PROD.ou_id)


@pytest.mark.parametrize(("members", "asked", "listed"), [(20, 2, False), (20, 3, True), (40, 3, False), (40, 4, True)])
def test_the_accounts_of_an_ou_are_listed_only_if_there_are_fewer_pages_than_accounts_in_question(
    monkeypatch: pytest.MonkeyPatch, members: int, asked: int, listed: bool
) -> None:
    there = {f"{number:012}": AccountLocation(f"{number:012}", "ACTIVE", None, (PROD,)) for number in range(members)}
    calls: list[str] = []

    def find_accounts_in(*_: object) -> dict[str, AccountLocation]:
        calls.append("list")
        return there

    def locate(_organizations: object, account_id: str, _is_enough: object) -> AccountLocation:
        calls.append("describe")
        return there[account_id]

    monkeypatch.setattr(reader, "find_accounts_in", find_accounts_in)
    monkeypatch.setattr(reader, "locate", locate)
    run: Any = SimpleNamespace(
        management=SimpleNamespace(organizations=lambda: None),
        pools=FoundPools({}),
        environments={"Prod OU": [POOL]},
        rules=Rules(never=frozenset()),
        deadline=SimpleNamespace(pause=lambda _seconds: None),
        by_hand=False,
    )

    places = Places(run, lambda: OrganizationTree((PROD,), tuple(there.values())))
    places.read_again(sorted(there)[:asked])

    assert calls == (["list"] if listed else ["describe"] * asked)
    assert places.fresh == set(sorted(there)[:asked]), "they need not be read again"
