"""Which OU the tags of an environment's pools name: the one that the user names by its id, or the one that it was."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from ctipam import names
from ctipam.pools import record
from ctipam.pools.existing import ExistingPool
from ctipam.pools.spec import TOP_LEVEL, PoolKey, PoolSpec
from ctipam.pools.wanted import own_tags, wanted_tags, with_known_ous

WEST, WEST_PROD, EAST_PROD = PoolKey("us-west-2"), PoolKey("us-west-2", "Prod OU"), PoolKey("us-east-1", "Prod OU")
SPEC = PoolSpec((IPv4Network("10.0.0.0/16"),), 20, 21, ("us-west-2",), ("Prod OU",), stack_id="arn:stack")
PINNED = replace(SPEC, pinned_ous={"Prod OU": "ou-pin"})


def ou_tags(ou_id: str = "", replaced: str = "") -> dict[str, str]:
    tags = {names.OU_TAG: ou_id, names.REPLACED_OU_TAG: replaced}
    return {tag: value for tag, value in tags.items() if value}


def ou_of(tags: dict[str, str]) -> dict[str, str]:
    return {tag: value for tag, value in tags.items() if tag in (names.OU_TAG, names.REPLACED_OU_TAG)}


@pytest.mark.parametrize(
    ("spec", "existing", "wanted"),
    [
        (SPEC, ou_tags(), ou_tags()),
        (SPEC, ou_tags("ou-1"), ou_tags("ou-1")),
        (SPEC, ou_tags("ou-pin", "ou-1"), ou_tags("ou-1")),
        (SPEC, ou_tags("ou-pin", "none"), ou_tags()),
        (PINNED, ou_tags(), ou_tags("ou-pin", "none")),
        (PINNED, ou_tags("ou-1"), ou_tags("ou-pin", "ou-1")),
        (PINNED, ou_tags("ou-pin"), ou_tags("ou-pin")),
        (PINNED, ou_tags("ou-pin", "ou-1"), ou_tags("ou-pin", "ou-1")),
        (PINNED, ou_tags("ou-other-pin", "ou-1"), ou_tags("ou-pin", "ou-1")),
        (PINNED, ou_tags("ou-other-pin", "none"), ou_tags("ou-pin", "none")),
    ],
    ids=[
        "not found yet",
        "found by its name",
        "no longer named by its id",
        "no longer named by its id, and not known before",
        "named by its id before it was found",
        "named by another id",
        "named by the id that it has",
        "still named by the id",
        "named by a third id",
        "named by another id, and not known before",
    ],
)
def test_an_environment_is_the_ou_that_is_named_by_its_id_and_without_that_again_the_one_before(
    spec: PoolSpec, existing: dict[str, str], wanted: dict[str, str]
) -> None:
    assert ou_of(own_tags(spec, WEST_PROD, existing)) == wanted


def test_a_new_pool_has_just_the_tags_that_tell_what_it_is() -> None:
    assert wanted_tags(SPEC, TOP_LEVEL) == {
        "Name": "landing-zone",
        names.STACK_TAG: "arn:stack",
        names.BLOCK_TAG: record.EVERYTHING,
    }
    assert wanted_tags(PINNED, WEST_PROD) == {
        "Name": "us-west-2 Prod OU",
        names.STACK_TAG: "arn:stack",
        names.REGION_TAG: "us-west-2",
        names.POOL_ENVIRONMENT_TAG: "Prod OU",
        names.OU_TAG: "ou-pin",
        names.BLOCK_TAG: record.EVERYTHING,
    }
    assert ou_of(wanted_tags(PINNED, WEST)) == {}


def pool(key: PoolKey | None, **tags: str) -> ExistingPool:
    return ExistingPool(f"ipam-pool-{key}", "", "create-complete", key, tags=ou_tags(**tags))


@pytest.mark.parametrize(
    ("pools", "known"),
    [
        ([pool(WEST_PROD, ou_id="ou-1", replaced="ou-0")], ou_tags("ou-1", "ou-0")),
        ([pool(WEST_PROD, ou_id="ou-1"), pool(EAST_PROD)], ou_tags("ou-1")),
        ([pool(WEST_PROD, ou_id="ou-1"), pool(EAST_PROD, ou_id="ou-1", replaced="ou-0")], ou_tags("ou-1", "ou-0")),
        ([pool(WEST_PROD, ou_id="ou-1", replaced="ou-0"), pool(EAST_PROD, ou_id="ou-2")], ou_tags(replaced="ou-0")),
        ([pool(WEST, ou_id="ou-1"), pool(None, ou_id="ou-2"), pool(PoolKey("us-west-2", "x"), ou_id="ou-3")], {}),
    ],
    ids=["one pool", "another without tags", "another with more", "another that contradicts", "none of its pools"],
)
def test_a_new_pool_of_an_environment_is_for_the_ou_that_its_other_pools_name(
    pools: list[ExistingPool], known: dict[str, str]
) -> None:
    spec = with_known_ous(SPEC, pools)

    assert spec.known_ous.get("Prod OU", {}) == known
    assert "" not in spec.known_ous
    assert ou_of(wanted_tags(spec, WEST_PROD)) == ou_of(own_tags(spec, WEST_PROD, known))
