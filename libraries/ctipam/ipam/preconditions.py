"""Refuses what cannot be done with the IPAM, before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ctipam.errors import DENIED, Refused, attempt, cause_of, code_of, fit
from ctipam.ipam.cost_controls import LEAVE, CostControls
from ctipam.ipam.existing import ExistingIpam, ExistingScope
from ctipam.phrases import some

if TYPE_CHECKING:
    from botocore.exceptions import ClientError


def refuse_unusable_regions(unusable: Mapping[str, ClientError]) -> None:
    """Raise Refused if there are Regions that the function cannot use, with the first and its cause."""
    for error in unusable.values():
        denied = code_of(error) in DENIED
        head = f"Cannot use {some([*unusable], 1)}: {attempt(error)} {'was denied' if denied else 'failed'}: "
        way_out = "Change that policy, govern the Region" if denied else "Enable the Region"
        raise Refused(fit(head, cause_of(error), f"{way_out}, or remove it from RegionSelection.")) from error


def refuse_unusable_scope(
    scope_id: str, scope: ExistingScope | None, ipam: ExistingIpam | None, account_id: str, region: str
) -> None:
    """Raise Refused unless the scope is private, and in an IPAM of this account and Region.

    ipam   the IPAM of the scope, if the account has it in the Region
    """
    if scope is None or not scope.is_usable or ipam is None or ipam.is_being_deleted:
        raise Refused(
            f"IpamScope {scope_id} is not a scope of account {account_id} in {region}. "
            "Leave it empty to use the default scope."
        )
    if not scope.is_private:
        raise Refused(
            f"IpamScope {scope_id} is a public scope, and VPCs need a private one. "
            "Name a private scope, or leave it empty to use the default scope."
        )


def refuse_free_tier(costs: CostControls, ipam: ExistingIpam) -> None:
    """Raise Refused if the IPAM is in the free tier and is to stay there."""
    if ipam.tier == "free" and costs.tier == LEAVE:
        raise Refused(
            f"IPAM {ipam.ipam_id} is in the free tier, which has no pools for other Regions and accounts. "
            "Set IpamTier to advanced, which AWS bills per active IP address."
        )
