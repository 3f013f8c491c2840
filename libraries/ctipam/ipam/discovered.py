"""What IPAM has discovered in the accounts of the organization, as far as decisions need it.

IPAM shows a VPC 15 to 60 minutes after its creation. Until it has looked at an account, that it shows nothing there
means nothing.

Source  https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamResourceCidr.html
        https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpamDiscoveredAccount.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from ctipam.names import ENVIRONMENT_TAG
from ctipam.tags import to_dict

if TYPE_CHECKING:
    from types_boto3_ec2.type_defs import IpamDiscoveredAccountTypeDef

NEVER_SEEN = "IPAM does not monitor it, or has not found it yet"
NOT_LOOKED = "IPAM has not looked there yet; that takes up to an hour"


@dataclass(frozen=True, order=True)
class DiscoveredCidr:
    """An IPv4 CIDR of a VPC.

    environment   the value of the VPC's tag Env; empty without one
    allocated     a pool of IPAM has allocated the CIDR
    ignored       somebody has told IPAM not to monitor it, for example to release the addresses of a closed account
    """

    cidr: IPv4Network
    account_id: str
    region: str
    vpc_id: str
    environment: str = ""
    allocated: bool = False
    ignored: bool = False

    @classmethod
    def from_answer(cls, row: Mapping[str, Any]) -> DiscoveredCidr | None:
        """Read a row of GetIpamResourceCidrs; return None for an IPv6 CIDR.

        row   {"ResourceId": "vpc-...", "ResourceOwnerId": "111122223333", "ResourceRegion": "us-west-2",
               "ResourceCidr": "10.0.0.0/16", "ManagementState": "unmanaged", "ResourceTags": [{"Key": "Env", ...}]}
        """
        if ":" in row["ResourceCidr"]:
            return None
        return cls(
            cidr=IPv4Network(row["ResourceCidr"]),
            account_id=row["ResourceOwnerId"],
            region=row["ResourceRegion"],
            vpc_id=row["ResourceId"],
            environment=to_dict(row.get("ResourceTags", [])).get(ENVIRONMENT_TAG, ""),
            allocated=row["ManagementState"] == "managed",
            ignored=row["ManagementState"] == "ignored",
        )

    def __str__(self) -> str:
        return f"{self.vpc_id} ({self.cidr}, account {self.account_id}, {self.region})"


@dataclass(frozen=True, order=True)
class DiscoveredAccount:
    """An account in a Region, as IPAM sees it.

    looked    IPAM has read it at least once
    failure   code of the reason why the last attempt failed; empty if it did not
    """

    account_id: str
    region: str
    looked: bool
    failure: str = ""

    @classmethod
    def from_answer(cls, row: IpamDiscoveredAccountTypeDef) -> DiscoveredAccount:
        failure = row.get("FailureReason", {})
        return cls(
            account_id=row["AccountId"],
            region=row["DiscoveryRegion"],
            looked="LastSuccessfulDiscoveryTime" in row,
            failure=(failure.get("Code") or "unknown") if "FailureReason" in row else "",
        )

    @property
    def why_unread(self) -> str:
        """Return why what IPAM shows of the account cannot be relied on; empty if it can."""
        if self.failure:
            return f"IPAM's discovery fails: {self.failure}"
        return "" if self.looked else NOT_LOOKED
