"""The connected models of one landing zone."""

from __future__ import annotations

from aws_models import ipam, ram
from aws_models.clock import Clock
from aws_models.organization import Organization

IPAM_AS_AWS, IPAM_QUOTAS, RAM_AS_AWS = ipam.Timings(), ipam.Quotas(), ram.Timings()


class Models:
    """A clock, an organization, IPAM and RAM. An account sees the pools that RAM shares with it."""

    def __init__(
        self,
        clock: Clock,
        organization: Organization,
        *,
        ipam_timings: ipam.Timings = IPAM_AS_AWS,
        ipam_quotas: ipam.Quotas = IPAM_QUOTAS,
        ram_timings: ram.Timings = RAM_AS_AWS,
        mutation_lock: ipam.MutationLock = "parent",
        page_size: int = 5,
    ) -> None:
        self.clock = clock
        self.organization = organization
        self.ipam = ipam.IpamModel(
            clock,
            organization,
            timings=ipam_timings,
            quotas=ipam_quotas,
            mutation_lock=mutation_lock,
            page_size=page_size,
        )
        self.ram = ram.RamModel(clock, organization, self.ipam, timings=ram_timings, page_size=page_size)
        self.ipam.visible_to = self.ram.pools_shared_with
