"""What IPAM and RAM need of AWS Organizations, and what Control Tower's API returns."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from aws_models.errors import AwsError


@dataclass(frozen=True)
class Caller:
    """The calling account, and the Region of the endpoint."""

    account_id: str
    region: str


class Organization:
    """The organization's settings. Its accounts are read live from the engine that holds them.

    members   returns the ids of all the organization's accounts, the management account included
    """

    def __init__(
        self,
        management_account_id: str,
        members: Callable[[], Collection[str]],
        organization_id: str = "o-exampleorgid",
    ) -> None:
        self.management_account_id = management_account_id
        self.organization_id = organization_id
        self.members = members
        # Returns the account's place as Organizations does, for example o-exampleorgid/r-ab12/ou-ab12-11111111/.
        self.path_of: Callable[[str], str] = _nowhere
        self.trusted_services: set[str] = set()  # service principals, such as ram.amazonaws.com
        self.delegated_administrators: dict[str, str] = {}  # service principal -> account id
        self.home_region = ""  # Control Tower's
        self.governed_regions = ["us-east-1", "us-east-2", "us-west-2", "eu-central-1", "eu-west-1", "ap-southeast-2"]
        self.disabled_regions: set[Caller] = set()  # which account has not enabled which Region
        self.ram_sharing_enabled = False  # only ram:EnableSharingWithAwsOrganization sets it

    def is_member(self, account_id: str) -> bool:
        return account_id in self.members()

    def landing_zones(self, caller: Caller) -> list[dict[str, str]]:
        """Return ListLandingZones' answer: the landing zone in its home Region and account, else nothing. That is the
        answer of opt-in Regions; commercial Regions list the landing zone of another Region too. In other partitions,
        unverified.

        https://docs.aws.amazon.com/controltower/latest/userguide/lz-api-list.html
        """
        if caller != Caller(self.management_account_id, self.home_region):
            return []
        return [{"arn": f"arn:aws:controltower:{caller.region}:{caller.account_id}:landingzone/1A2B3C4D5E6F7G8H"}]

    def landing_zone(self, caller: Caller, identifier: str) -> dict[str, Any]:
        """Return GetLandingZone's answer. Raises AwsError unless the caller has a landing zone of this ARN.

        https://docs.aws.amazon.com/controltower/latest/APIReference/API_GetLandingZone.html
        https://docs.aws.amazon.com/controltower/latest/userguide/lz-api-launch.html (manifest)
        """
        if {"arn": identifier} not in self.landing_zones(caller):
            raise AwsError("ResourceNotFoundException", f"Landing zone {identifier} does not exist.", 404)
        return {
            "arn": identifier,
            "status": "ACTIVE",
            "version": "3.3",
            "latestAvailableVersion": "3.3",
            "driftStatus": {"status": "IN_SYNC"},
            "manifest": {} if self.governed_regions is None else {"governedRegions": list(self.governed_regions)},
        }


def _nowhere(_account_id: str) -> str:
    return ""
