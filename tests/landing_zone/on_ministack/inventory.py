"""Read what IAM needs to know of existing resources.

It reads the models' stores: a call would use up the faults that a test has ordered for the caller's next call.
"""

from __future__ import annotations

from aws_models.ipam import IpamModel
from aws_models.ram import RamModel
from aws_models.ram.records import Share


def ipam_resource(ipam: IpamModel, resource_id: str) -> tuple[str, dict[str, str]] | None:
    """Return ARN and tags of an IPAM, a discovery, a scope or a pool, in any account and Region, or None."""
    store = ipam._store
    things = (store.ipams, store.discoveries, store.scopes, store.pools)
    found = next((found for one in things if (found := one.get(resource_id))), None)
    return (found.arn, dict(found.tags)) if found else None


def share(ram: RamModel, share_arn: str) -> Share | None:
    return ram._shares.get(share_arn)


def pools_in(share: Share) -> list[str]:
    """Return the ARNs of the pools that the share still has."""
    gone = ("DISASSOCIATING", "DISASSOCIATED", "FAILED")
    return [one.entity for one in list(share.associations) if one.type == "RESOURCE" and one.status not in gone]
