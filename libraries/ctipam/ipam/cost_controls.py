"""What limits the bill for IPAM, if somebody wants that. "leave" leaves each as it is, and is the default.

    IpamTier            "advanced"                 an IPAM in the free tier is moved; "leave": it is refused
    IpamMeteredAccount  "resource-owner"           each account pays for its own addresses
                        "ipam-owner"               the Networking account pays for all, AWS's default
    IpamExclusions      "o-1/r-1/ou-1/*,o-1/..."   OUs that IPAM does not monitor, and so does not bill; "none"

The user gives the last as IpamExcludedOus, ids of OUs; the management account sees where they are, and makes paths of
them. Nothing here touches AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEAVE, NONE = "leave", "none"

OWNER_PAYS = "ipam-owner"
"""https://docs.aws.amazon.com/vpc/latest/ipam/ipam-enable-cost-distro.html"""


@dataclass(frozen=True)
class CostControls:
    """exclusions   Organizations entity paths, as AWS::EC2::IPAM takes them; None: left as they are"""

    tier: str = LEAVE
    metered_account: str = LEAVE
    exclusions: frozenset[str] | None = None

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any]) -> CostControls:
        """A template from before there were these properties does not send them."""
        return cls(
            tier=properties.get("IpamTier", LEAVE),
            metered_account=properties.get("IpamMeteredAccount", LEAVE),
            exclusions=paths_of(properties.get("IpamExclusions", LEAVE)),
        )


LEFT_AS_THEY_ARE = CostControls()


def paths_of(text: str) -> frozenset[str] | None:
    if text == LEAVE:
        return None
    return frozenset() if text == NONE else frozenset(text.split(","))


def exclusions_property(paths: frozenset[str] | None) -> str:
    """As IpamExclusions, which `from_properties` reads."""
    return LEAVE if paths is None else ",".join(sorted(paths)) or NONE
