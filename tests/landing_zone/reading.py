"""Read through AWS's API what a person would look up after a deployment."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from landing_zone.company import MANAGEMENT, NETWORKING
from landing_zone.engine import Engine

PATIENCE_S = 240  # a busy machine takes its time, and whoever waits goes on at once
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 0.5  # between two looks, which cost more than a wait


@dataclass(frozen=True)
class ReadPool:
    """A pool of IPAM. used_percent: of its addresses, by pools below it or by VPCs."""

    pool_id: str
    source_pool_id: str
    name: str
    description: str
    locale: str
    cidr: str
    used_percent: float
    required_tags: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True)
class ReadShare:
    """A RAM share, when RAM is done with it. pools: their names, sorted."""

    name: str
    external_principals: bool
    pools: list[str]
    principals: list[str]


def eventually(question: Callable[[], Any]) -> Any:
    """Return the first true answer; the effects of an event come some time after it."""
    deadline, pause_s = time.monotonic() + PATIENCE_S, FIRST_PAUSE_S
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"it has not happened within {PATIENCE_S} seconds")
        time.sleep(pause_s)
        pause_s = min(1.5 * pause_s, LONGEST_PAUSE_S)
    return answer


def pool_ids(engine: Engine) -> dict[str, str]:
    """Return the id of each pool by its name."""
    return {pool.name: pool.pool_id for pool in pools(engine)}


def pools(engine: Engine) -> list[ReadPool]:
    """Return every pool of the Networking account that is not deleted."""
    ec2 = engine.client("ec2", NETWORKING)
    return [_read_pool(engine, ec2, pool) for pool in _existing_pools(engine)]


def pool(engine: Engine, name: str) -> ReadPool:
    """Return the pool of this name."""
    (found,) = [one for one in _existing_pools(engine) if _name(one) == name]
    return _read_pool(engine, engine.client("ec2", NETWORKING), found)


def _existing_pools(engine: Engine) -> list[dict[str, Any]]:
    pages = engine.client("ec2", NETWORKING).get_paginator("describe_ipam_pools").paginate()
    found = [pool for page in pages for pool in page["IpamPools"]]
    return [pool for pool in found if not pool["State"].startswith("delete")]


def _tags(pool: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in pool.get("Tags", [])}


def _name(pool: dict[str, Any]) -> str:
    return _tags(pool).get("Name", str(pool["IpamPoolId"]))


def _read_pool(engine: Engine, home: Any, pool: dict[str, Any]) -> ReadPool:
    cidrs = [
        row["Cidr"]
        for page in home.get_paginator("get_ipam_pool_cidrs").paginate(IpamPoolId=pool["IpamPoolId"])
        for row in page["IpamPoolCidrs"]
        if row["State"] == "provisioned"
    ]
    ec2 = home if pool["Locale"] == "None" else engine.client("ec2", NETWORKING, pool["Locale"])
    used = [
        ip_network(row["Cidr"]).num_addresses
        for page in ec2.get_paginator("get_ipam_pool_allocations").paginate(IpamPoolId=pool["IpamPoolId"])
        for row in page["IpamPoolAllocations"]
    ]
    size = sum(ip_network(cidr).num_addresses for cidr in cidrs)
    tags = _tags(pool)
    return ReadPool(
        pool_id=pool["IpamPoolId"],
        source_pool_id=pool.get("SourceIpamPoolId", ""),
        name=_name(pool),
        description=pool.get("Description", ""),
        locale=pool["Locale"],
        cidr=", ".join(sorted(cidrs, key=ip_network)),
        used_percent=100 * sum(used) / size if size else 0.0,
        required_tags={tag["Key"]: tag["Value"] for tag in pool.get("AllocationResourceTags", [])},
        tags=tags,
    )


def shares(engine: Engine, account_id: str) -> list[ReadShare]:
    """Return the shares named for an account, or none while RAM still works on them."""
    ram = engine.client("ram", NETWORKING)
    pages = ram.get_paginator("get_resource_shares").paginate(
        resourceOwner="SELF", resourceShareStatus="ACTIVE", name=f"ipamShare-{account_id}"
    )
    found = [share for page in pages for share in page["resourceShares"]]
    if not found:
        return []
    rows = {share["resourceShareArn"]: _associations(ram, share["resourceShareArn"]) for share in found}
    if any(row["status"] not in ("ASSOCIATED", "DISASSOCIATED") for of_share in rows.values() for row in of_share):
        return []
    names = {pool["IpamPoolId"]: _name(pool) for pool in _existing_pools(engine)}
    return [_read_share(share, rows[share["resourceShareArn"]], names) for share in found]


def addresses(engine: Engine, account_id: str, region: str) -> dict[str, Any]:
    """Return by id all that an update must not touch: pools with their blocks and tags, shares, an account's VPCs."""
    ram, ec2 = engine.client("ram", NETWORKING), engine.client("ec2", account_id, region)
    pages = ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF", resourceShareStatus="ACTIVE")
    arns = [share["resourceShareArn"] for page in pages for share in page["resourceShares"]]
    return {
        "pools": {pool.pool_id: pool for pool in pools(engine)},
        "associations": {arn: _associations(ram, arn) for arn in arns},
        "vpcs": ec2.describe_vpcs()["Vpcs"],
    }


def log(engine: Engine, group: str, account_id: str = MANAGEMENT) -> str:
    """Return the whole text of a log group."""
    pages = engine.client("logs", account_id).get_paginator("filter_log_events").paginate(logGroupName=group)
    return "\n".join(event["message"] for page in pages for event in page["events"])


def _associations(ram: Any, share_arn: str) -> list[dict[str, Any]]:
    paginator = ram.get_paginator("get_resource_share_associations")
    return [
        row
        for kind in ("RESOURCE", "PRINCIPAL")
        for page in paginator.paginate(associationType=kind, resourceShareArns=[share_arn])
        for row in page["resourceShareAssociations"]
    ]


def _read_share(share: dict[str, Any], rows: list[dict[str, Any]], names: dict[str, str]) -> ReadShare:
    associated = [row for row in rows if row["status"] == "ASSOCIATED"]
    return ReadShare(
        name=share["name"],
        external_principals=share["allowExternalPrincipals"],
        pools=sorted(
            names[row["associatedEntity"].rpartition("/")[2]]
            for row in associated
            if row["associationType"] == "RESOURCE"
        ),
        principals=sorted(row["associatedEntity"] for row in associated if row["associationType"] == "PRINCIPAL"),
    )


def left_over(engine: Engine) -> dict[str, int]:
    """Count what costs money or holds addresses in both accounts, except the user's own bucket."""
    counts = {"stacks": 0, "functions": 0, "log groups": 0}
    for account_id in (MANAGEMENT, NETWORKING):
        stacks = engine.client("cloudformation", account_id).list_stacks()["StackSummaries"]
        counts["stacks"] += sum(stack["StackStatus"] != "DELETE_COMPLETE" for stack in stacks)
        counts["functions"] += len(engine.client("lambda", account_id).list_functions()["Functions"])
        counts["log groups"] += len(engine.client("logs", account_id).describe_log_groups()["logGroups"])
    ec2, ram = engine.client("ec2", NETWORKING), engine.client("ram", NETWORKING)
    active = ram.get_paginator("get_resource_shares").paginate(resourceOwner="SELF", resourceShareStatus="ACTIVE")
    return counts | {
        "shares": sum(len(page["resourceShares"]) for page in active),
        "pools": len(pools(engine)),
        "IPAMs": sum(not ipam["State"].startswith("delete") for ipam in ec2.describe_ipams()["Ipams"]),
    }
