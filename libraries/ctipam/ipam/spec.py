"""The wanted IPAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ctipam.ipam.cost_controls import LEFT_AS_THEY_ARE, CostControls
from ctipam.ipam.existing import ExistingIpam


@dataclass(frozen=True)
class IpamSpec:
    """What a stack wants of IPAM.

    scope_id   a private scope to use, with its IPAM; empty: the account's IPAM and its private default scope
    regions    the Regions of the pools
    """

    scope_id: str
    regions: Sequence[str] = ()
    costs: CostControls = LEFT_AS_THEY_ARE

    def scope_id_in(self, ipam: ExistingIpam) -> str:
        """Return the id of the scope for the pools."""
        return self.scope_id or ipam.private_scope_id
