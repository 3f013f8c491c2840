"""What the model remembers of each thing, and the ids that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

NO_LOCALE = "None"  # the literal text that AWS answers for a pool without a locale

FINISHED = ("create-complete", "modify-complete")


class Ids:
    """Ids of AWS's shape, the same in every run, and not in the order of creation: AWS's are not either."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, prefix: str, digits: int = 17) -> str:
        self._count += 1
        scattered = self._count * 0x9E3779B97F4A7C15 % 2**64  # odd factor: no two counts meet
        return f"{prefix}-{scattered:0{digits}x}"


@dataclass
class Lasting:
    """What IPAMs, scopes and pools have in common: an owner, tags, and a state that takes time to change."""

    id: str
    owner: str
    tags: dict[str, str]
    state: str = "create-in-progress"
    state_message: str = ""
    listed: bool = True  # False once a deleted thing has left the lists too
    known_from: float = 0.0  # until then, no call but the one that made it knows it
    tags_before: dict[str, str] = field(default_factory=dict)  # what lists show
    tags_known_from: float = 0.0  # ... until then

    @property
    def exists(self) -> bool:
        return self.state != "delete-complete"

    @property
    def ready(self) -> bool:
        return self.state in FINISHED

    @property
    def in_progress(self) -> bool:
        return self.state.endswith("-in-progress")


@dataclass
class Ipam(Lasting):
    region: str = ""  # the home Region
    description: str | None = None
    operating_regions: list[str] = field(default_factory=list)
    coming_regions: set[str] = field(default_factory=set)  # already listed, usable once the modification has ended
    watched_since: dict[str, float] = field(default_factory=dict)  # from when on it looks at each operating Region
    ignored: set[tuple[str, IPv4Network]] = field(default_factory=set)  # CIDRs of VPCs that nobody wants it to monitor
    tier: str = "advanced"
    metered_account: str = "ipam-owner"
    distributed_at: float = 0.0  # when resource owners began to be charged
    private_scope_id: str = ""
    public_scope_id: str = ""
    discovery_id: str = ""
    discovery_association_id: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:ec2::{self.owner}:ipam/{self.id}"  # no Region, as in all ARNs of IPAM


@dataclass
class Discovery(Lasting):
    """The resource discovery that comes with an IPAM and goes with it."""

    ipam_id: str = ""
    made_at: float = 0.0
    exclusions: list[str] = field(default_factory=list)  # Organizations entity paths

    @property
    def arn(self) -> str:
        return f"arn:aws:ec2::{self.owner}:ipam-resource-discovery/{self.id}"


@dataclass
class Scope(Lasting):
    ipam_id: str = ""
    type: Literal["private", "public"] = "private"
    is_default: bool = False
    description: str | None = None

    @property
    def arn(self) -> str:
        return f"arn:aws:ec2::{self.owner}:ipam-scope/{self.id}"


@dataclass(frozen=True)
class Rules:
    """What a pool asks of the resources that draw from it; its child pools are not asked.

    smallest, largest   netmask lengths: `smallest` is the smallest number, hence the largest block
    """

    smallest: int | None = None
    largest: int | None = None
    default: int | None = None


@dataclass
class Pool(Lasting):
    ipam_id: str = ""
    scope_id: str = ""
    source_pool_id: str | None = None
    depth: int = 1
    locale: str = NO_LOCALE
    family: str = "ipv4"
    description: str | None = None
    rules: Rules = Rules()
    required_tags: dict[str, str] = field(default_factory=dict)
    auto_import: bool = False
    imports_since: float = 0.0  # when automatic import was switched on

    @property
    def arn(self) -> str:
        return f"arn:aws:ec2::{self.owner}:ipam-pool/{self.id}"


@dataclass(frozen=True)
class Failure:
    """Why an asynchronous act ends badly. AWS leaves the code empty in some of them."""

    code: str
    message: str
    shown_early: bool = False  # AWS may name the reason while the state is still pending


@dataclass
class PoolCidr:
    """A CIDR of a pool, from request to the end. `network` is None as long as none has been found."""

    id: str
    pool_id: str
    netmask_length: int
    network: IPv4Network | None
    given: bool  # the caller named the CIDR, so it is shown from the first answer on
    listed_from: float
    state: str = "pending-provision"
    failure: Failure | None = None
    allocation_id: str | None = None  # in the source pool
    listed: bool = True

    @property
    def pending(self) -> bool:
        return self.state.startswith("pending-")

    @property
    def held(self) -> bool:
        """Does the pool still have it, or will it?"""
        return self.state in ("pending-provision", "provisioned", "pending-deprovision", "failed-deprovision")


@dataclass
class Allocation:
    id: str
    pool_id: str
    network: IPv4Network
    resource_type: Literal["ipam-pool", "vpc", "custom"]
    resource_owner: str
    made_at: float
    resource_id: str | None = None
    resource_region: str | None = None
    description: str | None = None
    tags: dict[str, str] = field(default_factory=dict)  # of a manual allocation
    awaits_vpc: bool = False  # reserved while the VPC is being made
    leaving: bool = False  # its VPC is deleted; it stays listed and taken
    recycling: bool = False  # released; its space is not free yet
    listed: bool = True


@dataclass(frozen=True)
class VpcAllocation:
    """The address of a VPC to be made: answer it with vpc_created or vpc_refused. tags are those of the VPC."""

    pool_id: str
    cidr: str
    allocation_id: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class VpcCidr:
    """A CIDR of a VPC in EC2, whether a pool gave it or not. gone_at: when it was deleted."""

    vpc_id: str
    owner: str
    region: str
    network: IPv4Network
    tags: Mapping[str, str]
    made_at: float
    gone_at: float | None = None

    @property
    def key(self) -> tuple[str, IPv4Network]:
        return self.vpc_id, self.network
