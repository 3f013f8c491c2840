"""`make plan` says what the Lambda does: the same plan, printed and built."""

from __future__ import annotations

from typing import Any

import pytest

from commands.simulation import build
from ctipam.names import pool_name
from ctipam.pools.spec import TOP_LEVEL, PoolSpec


@pytest.mark.parametrize(
    "properties",
    [
        {
            "TopLevelPoolCidr": "192.168.0.0/16",
            "IpamPoolPrefixLength": "20",
            "AccPoolPrefixLength": "21",
            "RegionSelection": ["us-west-2", "us-east-1"],
            "AccEnvName": ["Prod OU", "SDLC OU"],
        },
        {
            "TopLevelPoolCidr": "10.0.0.0/12",
            "IpamPoolPrefixLength": "15",
            "AccPoolPrefixLength": "19",
            "RegionSelection": ["eu-west-1", "us-west-2", "us-east-1"],
            "AccEnvName": ["Sandbox", "Prod OU", "SDLC OU", "Audit"],
        },
    ],
    ids=["two Regions, two environments", "three Regions, four environments"],
)
def test_the_pools_have_the_blocks_that_the_plan_gave_them(networking: Any, properties: dict[str, Any]) -> None:
    planned = build(PoolSpec.from_properties(properties, properties["RegionSelection"]))

    networking.create(**properties)

    below = {pool_name(key.region, key.environment): str(cidr) for key, cidr in planned.items() if key != TOP_LEVEL}
    assert networking.pools() == below
    assert networking.cidrs(networking.top_pool_id) == str(planned[TOP_LEVEL])
