"""What is wanted, and what is refused before AWS is asked for anything."""

from __future__ import annotations

from typing import Any

import pytest

from ctipam.errors import Refused
from ctipam.plan import PoolKey, PoolPlan

REGIONS = {"us-west-2", "us-east-1", "eu-west-1", "eu-central-1"}
DEFAULTS: dict[str, Any] = {
    "TopLevelPoolCidr": "192.168.0.0/16",
    "IpamPoolPrefixLength": "20",
    "AccPoolPrefixLength": "21",
    "RegionSelection": ["us-west-2", "us-east-1"],
    "AccEnvName": ["Prod OU", "SDLC OU"],
}


def plan(**changed: Any) -> PoolPlan:
    return PoolPlan.from_properties(DEFAULTS | changed, REGIONS)


def test_the_pools_of_a_plan_are_the_regions_and_then_the_environments_of_each_in_the_users_order() -> None:
    assert plan().pools == (
        PoolKey("us-west-2"),
        PoolKey("us-east-1"),
        PoolKey("us-west-2", "Prod OU"),
        PoolKey("us-west-2", "SDLC OU"),
        PoolKey("us-east-1", "Prod OU"),
        PoolKey("us-east-1", "SDLC OU"),
    )


def test_lists_are_read_whether_they_come_as_lists_or_as_text_and_names_are_trimmed() -> None:
    assert plan(RegionSelection="us-west-2, us-east-1", AccEnvName="Prod OU,SDLC OU ") == plan()


def test_a_number_may_come_as_text_or_as_a_number() -> None:
    assert plan(IpamPoolPrefixLength=20) == plan(IpamPoolPrefixLength="20")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"TopLevelPoolCidr": "ten"}, "'ten' is not an IPv4 CIDR"),
        ({"TopLevelPoolCidr": "fd00::/8"}, "'fd00::/8' is not an IPv4 CIDR"),
        ({"TopLevelPoolCidr": "192.168.5.0/16"}, "did you mean 192.168.0.0/16?"),
        ({"TopLevelPoolCidr": "10.0.0.0"}, "did you mean 10.0.0.0/32?"),
        ({"TopLevelPoolCidr": "8.0.0.0/8"}, "not private address space"),
        ({"TopLevelPoolCidr": "192.0.0.0/8"}, "not private address space"),
        ({"IpamPoolPrefixLength": "twenty"}, "IpamPoolPrefixLength 'twenty' is not a prefix length"),
        ({"IpamPoolPrefixLength": "33"}, "from 1 to 32"),
        ({"IpamPoolPrefixLength": "16"}, "must be longer than the /16"),
        ({"AccPoolPrefixLength": "20"}, "AccPoolPrefixLength 20 must be longer than IpamPoolPrefixLength 20"),
        ({"IpamPoolPrefixLength": "28", "AccPoolPrefixLength": "29"}, "whose smallest block is a /28"),
        ({"RegionSelection": []}, "RegionSelection is empty"),
        ({"AccEnvName": " "}, "AccEnvName is empty"),
        ({"AccEnvName": ["Prod OU", ""]}, "has an empty name in it"),
        ({"AccEnvName": ["Prod OU", "SDLC OU", "Prod OU"]}, "lists 'Prod OU' twice"),
        ({"RegionSelection": ["us-west-9"]}, "'us-west-9', which is not a Region"),
        ({"AccEnvName": ["x" * 129]}, "an OU's name has at most 128"),
        ({"AccEnvName": ["a", "b", "c"]}, "a Region's /20 has room for 2 blocks of /21"),
        (
            {"IpamPoolPrefixLength": "17", "RegionSelection": ["us-west-2", "us-east-1", "eu-west-1"]},
            "192.168.0.0/16 has room for 2 blocks of /17",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_plan_that_cannot_be_built_is_refused_with_the_way_out(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        plan(**changed)

    assert reason in str(refusal.value)
    assert len(str(refusal.value)) <= 240
