"""`make plan` says what the Lambda does: the same plan, printed and built."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

import pytest

from commands.plan.simulation import build
from ctipam.names import pool_name
from ctipam.pools.spec import TOP_LEVEL, PoolSpec


def listed(cidrs: Iterable[IPv4Network]) -> str:
    return ",".join(map(str, sorted(cidrs)))


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
        {
            "TopLevelPoolCidr": "10.0.0.0/12,172.16.0.0/14",
            "IpamPoolPrefixLength": "15",
            "AccPoolPrefixLength": "17",
            "RegionSelection": ["us-west-2", "us-east-1"],
            "AccEnvName": ["Prod OU", "SDLC OU"],
            "PoolSizes": "us-west-2=14+15,Prod OU=16,us-west-2/SDLC OU=18+16",
        },
    ],
    ids=["two Regions, two environments", "three Regions, four environments", "several blocks"],
)
def test_the_pools_have_the_blocks_that_the_plan_gave_them(networking: Any, properties: dict[str, Any]) -> None:
    planned = build(PoolSpec.from_properties(properties, properties["RegionSelection"]))

    networking.create(**properties)

    below = {
        pool_name(key.region, key.environment): listed(cidrs) for key, cidrs in planned.items() if key != TOP_LEVEL
    }
    built = networking.pools() | {"top": networking.cidrs(networking.top_pool_id)}
    assert in_order(built) == in_order(below | {"top": listed(planned[TOP_LEVEL])})


def in_order(cidrs: dict[str, str]) -> dict[str, list[str]]:
    """AWS lists the CIDRs of a pool in any order."""
    return {name: sorted(several.split(",")) for name, several in cidrs.items()}
