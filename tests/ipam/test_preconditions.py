"""Which scopes are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctipam.errors import Refused
from ctipam.ipam.existing import ExistingIpam, ExistingScope
from ctipam.ipam.preconditions import refuse_unusable_scope

IPAM = ExistingIpam("ipam-1", "create-complete")
SCOPE = ExistingScope("ipam-scope-1", "ipam-1", "create-complete", is_private=True, is_default=False)


@pytest.mark.parametrize(
    ("scope", "ipam", "reason"),
    [
        (None, IPAM, "is not a scope of account 222222222222 in us-east-1"),
        (SCOPE, None, "is not a scope of account 222222222222 in us-east-1"),
        (replace(SCOPE, state="delete-in-progress"), IPAM, "is not a scope of account 222222222222 in us-east-1"),
        (replace(SCOPE, state="delete-failed"), IPAM, "is not a scope of account 222222222222 in us-east-1"),
        (SCOPE, replace(IPAM, state="delete-in-progress"), "is not a scope of account 222222222222 in us-east-1"),
        (replace(SCOPE, is_private=False), IPAM, "is a public scope"),
    ],
    ids=[
        "no such scope",
        "of another account's IPAM",
        "being deleted",
        "could not be deleted",
        "its IPAM is being deleted",
        "public",
    ],
)
def test_a_scope_that_pools_cannot_use_is_refused_with_the_way_out(
    scope: ExistingScope | None, ipam: ExistingIpam | None, reason: str
) -> None:
    with pytest.raises(
        Refused, match=f"IpamScope ipam-scope-1 {reason}.*(?i:leave it empty) to use the default scope"
    ) as it:
        refuse_unusable_scope("ipam-scope-1", scope, ipam, "222222222222", "us-east-1")

    assert len(str(it.value)) < 240


def test_a_private_scope_is_used() -> None:
    refuse_unusable_scope("ipam-scope-1", SCOPE, IPAM, "222222222222", "us-east-1")
