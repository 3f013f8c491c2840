"""The environment pools among all pools that AWS lists. A tag of ours tells them, whatever rules they have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ctipam import names
from ctipam.tags import to_dict

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamPoolTypeDef


@dataclass(frozen=True)
class EnvironmentPool:
    """environment      as the tag of the pool names it
    region           the pool's locale
    required_value   of the tag that a VPC must carry: the environment, unless somebody changed the rule
    ou_id            the OU that the environment is; empty: its OU has not been found yet
    """

    pool_id: str
    environment: str
    region: str
    arn: str = ""
    stack_id: str = ""
    state: str = ""
    required_value: str = ""
    ou_id: str = ""


def environment_pools(listed: Iterable[IpamPoolTypeDef]) -> Iterator[EnvironmentPool]:
    """Yield the environment pools among those listed, whoever owns them, but those that nobody may use yet."""
    for pool in listed:
        tags = to_dict(pool.get("Tags", []))
        environment = tags.get(names.POOL_ENVIRONMENT_TAG)
        if environment and names.PREPARING_TAG not in tags:
            yield EnvironmentPool(
                pool_id=pool["IpamPoolId"],
                environment=environment,
                region=pool["Locale"],
                arn=pool["IpamPoolArn"],
                stack_id=tags.get(names.STACK_TAG, ""),
                state=pool["State"],
                required_value=to_dict(pool.get("AllocationResourceTags", [])).get(names.ENVIRONMENT_TAG, ""),
                ou_id=tags.get(names.OU_TAG, ""),
            )
