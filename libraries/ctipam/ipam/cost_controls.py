"""The settings that limit the bill for IPAM. "leave", the default, leaves a setting as it is.

    IpamTier            "advanced"                 an IPAM in the free tier is moved; with "leave" it is refused
    IpamMeteredAccount  "resource-owner"           each account pays for its own addresses
                        "ipam-owner"               the Networking account pays for all addresses; AWS's default
    IpamExclusions      "o-1/r-1/ou-1/*,o-1/..."   OUs that IPAM does not monitor and AWS does not bill; or "none"

The user gives the last as IpamExcludedOus, a list of OU ids. The management account turns the ids into paths.
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
    """exclusions   Organizations entity paths, as AWS::EC2::IPAM takes them; None: leave them as they are"""

    tier: str = LEAVE
    metered_account: str = LEAVE
    exclusions: frozenset[str] | None = None

    @classmethod
    def from_properties(cls, properties: Mapping[str, Any]) -> CostControls:
        """Return the settings. An older template does not send these properties."""
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
    """Return the property IpamExclusions, which `from_properties` reads."""
    return LEAVE if paths is None else ",".join(sorted(paths)) or NONE
