"""What several statements stand on. Each thing is made when it is first needed, and stays until the run is cleaned up.

IPAM of the account in the home Region, or one of the contract's own
  scope             of the contract's own, so that nobody else's pools are touched
    top             10.0.0.0/16, no locale
      region        10.0.0.0/20, locale elsewhere
        leaf        10.0.0.0/22, asks for Env=Contract, blocks from /24 to /28, /26 unless asked for another
        full        10.0.4.0/28, all of it allocated
        spare       without a CIDR
    bare            without a CIDR and without a locale; bare_child has it as its source
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from uuid import uuid4

from botocore.exceptions import ClientError

from aws_models.contract.aws import Account, Aws, Differs, Unsettled, code_of, every
from aws_models.contract.guard import TAG

Thing = TypeVar("Thing")

READY = ("create-complete", "modify-complete")
ENV = {"Key": "Env", "Value": "Contract"}
VPC_TAGS = [{"ResourceType": "vpc", "Tags": [ENV]}]


class Once(Generic[Thing]):
    """An attribute that is made when it is first read. If that fails, it is not tried again."""

    def __init__(self, make: Callable[[Any], Thing]) -> None:
        self._make = make
        self._name = make.__name__

    def __get__(self, aws: Ground, _: type[Ground] | None = None) -> Thing:
        if self._name in aws.failed:
            raise Unsettled(f"there is no {self._name}: {aws.failed[self._name]}")
        if self._name not in aws.made:
            try:
                aws.made[self._name] = self._make(aws)
            except (Differs, Unsettled, ClientError) as error:
                aws.failed[self._name] = str(error)
                raise
        made: Thing = aws.made[self._name]
        return made


class Ground(Aws):
    def __init__(self, *accounts: Any, **settings: Any) -> None:
        """Takes what Aws takes."""
        super().__init__(*accounts, **settings)
        self.made: dict[str, Any] = {}
        self.failed: dict[str, str] = {}
        self.durations: dict[str, list[float]] = {}

    def require(self, need: str) -> None:
        """Raises Unsettled if the run does not have what a statement needs."""
        if need == "member":
            _ = self.member
        if need == "two regions" and self.elsewhere == self.home:
            raise Unsettled("needs an IPAM with a second operating Region")
        if need == "own ipam" and not self.owns_ipam:
            raise Unsettled(f"needs a Region in which the account has no IPAM; in {self.home} it has one")

    # The IPAM and its scope

    @Once
    def ipam(self) -> dict[str, Any]:
        """The IPAM that was found, or a new one."""
        for ipam in every(self.ec2(), "describe_ipams", "Ipams"):
            if ipam["State"] in READY and ipam["IpamRegion"] == self.home:
                return ipam
        regions = [{"RegionName": self.elsewhere}]
        new: dict[str, Any] = self.ec2().create_ipam(OperatingRegions=regions, Tier="advanced")["Ipam"]

        by_id = {"IpamIds": [new["IpamId"]]}
        self.timed("create an IPAM", lambda: _state(self.ec2().describe_ipams, "Ipams", **by_id) in READY)
        return new

    @Once
    def owns_ipam(self) -> bool:
        return any(tag["Key"] == TAG for tag in self.ipam.get("Tags", []))

    @Once
    def scope(self) -> str:
        scope_id: str = self.ec2().create_ipam_scope(IpamId=self.ipam["IpamId"])["IpamScope"]["IpamScopeId"]
        by_id = {"IpamScopeIds": [scope_id]}
        self.timed("create a scope", lambda: _state(self.ec2().describe_ipam_scopes, "IpamScopes", **by_id) in READY)
        return scope_id

    # Pools

    @Once
    def top(self) -> str:
        return self.pool_with("10.0.0.0/16", Description="Contract top")

    @Once
    def region(self) -> str:
        return self.pool_with("10.0.0.0/20", SourceIpamPoolId=self.top, Locale=self.elsewhere)

    @Once
    def leaf(self) -> str:
        return self.pool_with(
            "10.0.0.0/22",
            SourceIpamPoolId=self.region,
            Locale=self.elsewhere,
            AllocationResourceTags=[ENV],
            AllocationMinNetmaskLength=24,
            AllocationMaxNetmaskLength=28,
            AllocationDefaultNetmaskLength=26,
        )

    @Once
    def full(self) -> str:
        pool_id = self.pool_with("10.0.4.0/28", SourceIpamPoolId=self.region, Locale=self.elsewhere)
        self.ec2(self.elsewhere).allocate_ipam_pool_cidr(IpamPoolId=pool_id, NetmaskLength=28)
        return pool_id

    @Once
    def spare(self) -> str:
        _ = self.leaf, self.full  # their blocks come first
        return self.new_pool(SourceIpamPoolId=self.region, Locale=self.elsewhere)

    @Once
    def bare(self) -> str:
        return self.new_pool()

    @Once
    def bare_child(self) -> str:
        return self.new_pool(SourceIpamPoolId=self.bare)

    @Once
    def vpc(self) -> dict[str, Any]:
        """A VPC from leaf, of the default size."""
        vpc: dict[str, Any] = self.ec2(self.elsewhere).create_vpc(Ipv4IpamPoolId=self.leaf, TagSpecifications=VPC_TAGS)[
            "Vpc"
        ]
        return vpc

    def asked_for(self, **params: Any) -> dict[str, Any]:
        """Return AWS's answer to the request of a pool in the contract's scope."""
        wanted = {"IpamScopeId": self.scope, "AddressFamily": "ipv4", "ClientToken": str(uuid4())} | params
        pool: dict[str, Any] = self.patiently(self.ec2().create_ipam_pool, **wanted)["IpamPool"]
        return pool

    def unfinished_pool(self) -> dict[str, Any]:
        """Return AWS's answer to the request of a pool, as soon as AWS knows the pool."""
        pool = self.asked_for()
        self.until("a new pool is known", lambda: self.state(pool["IpamPoolId"]) != "gone", every=1)
        return pool

    def new_pool(self, **params: Any) -> str:
        """Create a pool and return its id once it is complete."""
        pool_id: str = self.asked_for(**params)["IpamPoolId"]
        self.timed("create a pool", lambda: self.state(pool_id) in READY)
        return pool_id

    def pool_with(self, cidr: str, **params: Any) -> str:
        pool_id = self.new_pool(**params)
        self.provision(pool_id, Cidr=cidr)
        return pool_id

    def state(self, pool_id: str) -> str:
        """Return the state of a pool, "gone" if AWS does not know it."""
        return _state(self.ec2().describe_ipam_pools, "IpamPools", IpamPoolIds=[pool_id])

    def provision(self, pool_id: str, **what: Any) -> dict[str, Any]:
        """Return the row of the new CIDR once it is provisioned. Raises Differs if that fails."""
        row = self.outcome(pool_id, self.patiently(self.ec2().provision_ipam_pool_cidr, IpamPoolId=pool_id, **what))
        if row["State"] != "provisioned":
            raise Differs(f"{what} ends as {row['State']}: {row.get('FailureReason')}")
        return row

    def outcome(self, pool_id: str, answer: dict[str, Any]) -> dict[str, Any]:
        """Return the row of a CIDR once it is no longer pending.

        answer   that of ProvisionIpamPoolCidr or DeprovisionIpamPoolCidr
        """
        asked = answer["IpamPoolCidr"]

        def settled() -> dict[str, Any] | None:
            row = self.row(pool_id, asked["IpamPoolCidrId"])
            return row if row and not row["State"].startswith("pending-") else None

        return self.timed(asked["State"].removeprefix("pending-") + " a CIDR", settled)

    def row(self, pool_id: str, cidr_id: str) -> dict[str, Any] | None:
        rows = every(self.ec2(), "get_ipam_pool_cidrs", "IpamPoolCidrs", IpamPoolId=pool_id)
        return next((row for row in rows if row["IpamPoolCidrId"] == cidr_id), None)

    def allocations(self, pool_id: str, region: str, account: Account | None = None) -> list[dict[str, Any]]:
        ec2 = self.ec2(region, account)
        return every(ec2, "get_ipam_pool_allocations", "IpamPoolAllocations", IpamPoolId=pool_id)

    # Shares

    def new_share(self, name: str = "contract", **params: Any) -> str:
        """Return the ARN of a new share, which admits nobody outside the organization."""
        wanted = {"name": name, "allowExternalPrincipals": False} | params
        arn: str = self.ram().create_resource_share(**wanted)["resourceShare"]["resourceShareArn"]
        return arn

    def pool_arn(self, pool_id: str) -> str:
        (pool,) = self.ec2().describe_ipam_pools(IpamPoolIds=[pool_id])["IpamPools"]
        return str(pool["IpamPoolArn"])

    @Once
    def share(self) -> str:
        """A share of leaf with the member, once it is in effect."""
        arn = self.new_share("contract leaf", resourceArns=[self.pool_arn(self.leaf)], principals=[self.member.id])
        self.timed("associate", lambda: self.statuses(arn) == {"ASSOCIATED"})
        return arn

    def statuses(self, share_arn: str) -> set[str]:
        """Return the statuses of all associations of a share; none of one so new that RAM does not find it yet."""
        try:
            return {
                row["status"]
                for kind in ("RESOURCE", "PRINCIPAL")
                for row in every(
                    self.ram(),
                    "get_resource_share_associations",
                    "resourceShareAssociations",
                    associationType=kind,
                    resourceShareArns=[share_arn],
                )
            }
        except ClientError as error:
            if code_of(error) != "UnknownResourceException":
                raise
            return set()

    def timed(self, what: str, look: Callable[[], Thing | None]) -> Thing:
        """Wait as `until` does, and keep how long it took."""
        began = self.now()
        found = self.until(what, look)
        self.durations.setdefault(what, []).append(self.now() - began)
        return found


def _state(describe: Callable[..., dict[str, Any]], member: str, **by_id: list[str]) -> str:
    try:
        (found,) = describe(**by_id)[member]
    except ClientError as error:
        if not code_of(error).endswith(".NotFound"):
            raise
        return "gone"
    return str(found["State"])
