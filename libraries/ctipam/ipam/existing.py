"""The IPAM and the scopes that exist, as far as decisions need them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MODIFY_FAILED = "modify-failed"
DELETE_FAILED = "delete-failed"

IPAM_READY = frozenset({"create-complete", "modify-complete", MODIFY_FAILED, DELETE_FAILED})
"""States in which an IPAM can be used: after a failed change it is what it was before."""


@dataclass(frozen=True)
class ExistingIpam:
    """message        AWS's reason for a state that ends in -failed
    metered_account   as IpamMeteredAccount
    private_scope_id  its private default scope
    discovery_id      the resource discovery that came with the IPAM, through which it monitors the organization
    """

    ipam_id: str
    state: str
    message: str = ""
    tier: str = ""
    metered_account: str = ""
    operating_regions: frozenset[str] = frozenset()
    private_scope_id: str = ""
    discovery_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_being_deleted(self) -> bool:
        return self.state == "delete-in-progress"

    @property
    def is_ready(self) -> bool:
        return self.state in IPAM_READY

    @property
    def has_failed(self) -> bool:
        """Whether its last change or deletion failed."""
        return self.state in (MODIFY_FAILED, DELETE_FAILED)


@dataclass(frozen=True)
class ExistingScope:
    scope_id: str
    ipam_id: str
    state: str
    is_private: bool
    is_default: bool

    @property
    def is_being_deleted(self) -> bool:
        return self.state in ("delete-in-progress", "delete-complete")

    @property
    def is_usable(self) -> bool:
        """Whether pools can be created in it. Of one that could not be deleted, that is not documented."""
        return not self.state.startswith("delete-")
