"""What IPAM and RAM ask of AWS Organizations, and everybody of Control Tower."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """Who calls, and the Region of the endpoint that was called."""

    account_id: str
    region: str


class Organization:
    """The trust that services have in the organization; who belongs to it is read live from the engine that holds it.

    members   answers the ids of all the organization's accounts, the management account included
    """

    def __init__(
        self,
        management_account_id: str,
        members: Callable[[], Collection[str]],
        organization_id: str = "o-exampleorgid",
    ) -> None:
        self.management_account_id = management_account_id
        self.organization_id = organization_id
        self._members = members
        self.trusted_services: set[str] = set()  # service principals, such as ram.amazonaws.com
        self.delegated_administrators: dict[str, str] = {}  # service principal -> account id
        self.home_region = ""  # Control Tower's
        self.ram_sharing_enabled = False  # only ram:EnableSharingWithAwsOrganization sets it

    def is_member(self, account_id: str) -> bool:
        return account_id in self._members()

    def landing_zones(self, caller: Caller) -> list[dict[str, str]]:
        """ListLandingZones: one, or none, as we take it, where there is none.

        https://docs.aws.amazon.com/controltower/latest/APIReference/API_ListLandingZones.html
        """
        if caller != Caller(self.management_account_id, self.home_region):
            return []
        return [{"arn": f"arn:aws:controltower:{caller.region}:{caller.account_id}:landingzone/1A2B3C4D5E6F7G8H"}]
