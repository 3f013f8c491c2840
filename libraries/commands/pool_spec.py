"""The spec of the pools, made of parameters as the Lambda makes it."""

from __future__ import annotations

from collections.abc import Mapping

from commands.arguments import short_names
from commands.regions import regions_of_partition
from ctipam.pools.room import refuse_without_room
from ctipam.pools.spec import PoolSpec


def pool_spec(parameters: Mapping[str, str], *, new: bool) -> PoolSpec:
    """Return the spec. Raises Refused for what the Lambda would refuse.

    new   the stack does not exist. Later, pools may have more room than the parameters give them.
    """
    with short_names():
        spec = PoolSpec.from_properties(parameters, regions_of_partition(parameters["RegionSelection"]))
        if new:
            refuse_without_room(spec, [], {})
        return spec
