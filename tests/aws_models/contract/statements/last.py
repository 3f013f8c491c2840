"""How long things take, and what uses up what the other statements need."""

from __future__ import annotations

from aws_models.contract.aws import Differs, expect
from aws_models.contract.ground import Ground
from aws_models.contract.sources import ASSUMED, GUIDE, PROVIDER, PROVIDER_CODE
from aws_models.contract.statement import Group

LAST = Group("last", makes="no more than the groups before it")

OPERATION_S = 60.0
RECYCLE_S = 900.0
VPC_RELEASE_S = 2400.0


@LAST.states("Pools, CIDRs and associations each take less than a minute.", ASSUMED, seconds=30)
def durations(aws: Ground) -> None:
    _ = aws.top
    longest = {what: max(seconds) for what, seconds in aws.durations.items()}
    aws.note("longest: " + ", ".join(f"{what} {seconds:.0f} s" for what, seconds in sorted(longest.items())))
    expect("longer than a minute", {what for what, seconds in longest.items() if seconds > OPERATION_S}, set())


@LAST.states(
    "A block that was released by hand is free again within minutes.", f"{GUIDE}release-alloc-ipam.html", seconds=300
)
def recycling(aws: Ground) -> None:
    ec2 = aws.ec2(aws.elsewhere)
    made = ec2.allocate_ipam_pool_cidr(IpamPoolId=aws.leaf, NetmaskLength=28)["IpamPoolAllocation"]
    ec2.release_ipam_pool_allocation(
        IpamPoolId=aws.leaf, IpamPoolAllocationId=made["IpamPoolAllocationId"], Cidr=made["Cidr"]
    )
    began = aws.now()

    def free() -> bool:
        try:
            return bool(ec2.allocate_ipam_pool_cidr(IpamPoolId=aws.leaf, Cidr=made["Cidr"]))
        except ec2.exceptions.ClientError:
            return False

    aws.until("the block is free", free, RECYCLE_S, every=15)
    aws.note(f"after {aws.now() - began:.0f} s")


@LAST.states(
    "A CIDR from which something was released a moment ago cannot be deprovisioned yet.",
    ASSUMED,
    "two regions",
    seconds=60,
    settles="ipam.cidrs.in_use",
)
def deprovisioning_after_a_release(aws: Ground) -> None:
    pool_id = aws.pool_with("10.0.15.0/28", SourceIpamPoolId=aws.region, Locale=aws.elsewhere)
    ec2 = aws.ec2(aws.elsewhere)
    made = ec2.allocate_ipam_pool_cidr(IpamPoolId=pool_id, NetmaskLength=28)["IpamPoolAllocation"]
    ec2.release_ipam_pool_allocation(
        IpamPoolId=pool_id, IpamPoolAllocationId=made["IpamPoolAllocationId"], Cidr=made["Cidr"]
    )
    answer = aws.patiently(aws.ec2().deprovision_ipam_pool_cidr, IpamPoolId=pool_id, Cidr="10.0.15.0/28")
    expect("state at the end", aws.outcome(pool_id, answer)["State"], "failed-deprovision")


@LAST.states(
    "Deprovisioning a CIDR with allocations is accepted, ends as failed-deprovision, and can be asked for again.",
    f"{PROVIDER}issues/30165",
    seconds=45,
)
def deprovisioning_in_use(aws: Ground) -> None:
    _ = aws.leaf
    for _attempt in range(2):
        named = {"IpamPoolId": aws.region, "Cidr": "10.0.0.0/20"}
        answer = aws.patiently(aws.ec2().deprovision_ipam_pool_cidr, **named)
        expect("state", answer["IpamPoolCidr"]["State"], "pending-deprovision")
        row = aws.outcome(aws.region, answer)
        expect("state at the end", row["State"], "failed-deprovision")
        expect("reason", row.get("FailureReason", {}).get("Message"), "The CIDR has one or more allocations.")


@LAST.states(
    "The allocation of a deleted VPC stays listed, and ends within 40 minutes.",
    f"{PROVIDER_CODE}ec2/vpc_ipam_pool_cidr.go",
    seconds=1800,
)
def vpc_release(aws: Ground) -> None:
    vpc_id = aws.vpc["VpcId"]

    def listed() -> bool:
        return any(row.get("ResourceId") == vpc_id for row in aws.allocations(aws.leaf, aws.elsewhere))

    aws.until("the allocation", listed)
    aws.ec2(aws.elsewhere).delete_vpc(VpcId=vpc_id)
    if not listed():
        raise Differs("the allocation ends with its VPC")
    began = aws.now()
    aws.until("the end of the allocation", lambda: not listed(), VPC_RELEASE_S, every=30)
    aws.note(f"after {aws.now() - began:.0f} s")


@LAST.states(
    "An operating Region that is a pool's locale cannot be removed, nor the home Region.",
    ASSUMED,
    "own ipam",
    seconds=5,
    settles="ipam.ipams._check_removed",
)
def regions_in_use(aws: Ground) -> None:
    _ = aws.region
    for code, region in (("DependencyViolation", aws.elsewhere), ("InvalidParameterValue", aws.home)):
        removed = [{"RegionName": region}]
        modify = aws.ec2().modify_ipam
        aws.expect_refusal(code, modify, IpamId=aws.ipam["IpamId"], RemoveOperatingRegions=removed)


@LAST.states(
    "An IPAM with pools and scopes cannot change to the free tier, nor be deleted; the codes are assumed.",
    f"{GUIDE}mod-ipam-tier.html",
    "own ipam",
    seconds=5,
    settles="ipam.ipams._check_free ipam.ipams.delete_ipam",
)
def ipam_in_use(aws: Ground) -> None:
    _ = aws.top
    ipam_id = aws.ipam["IpamId"]
    aws.expect_refusal("InvalidParameterValue", aws.ec2().modify_ipam, IpamId=ipam_id, Tier="free")
    aws.expect_refusal("DependencyViolation", aws.ec2().delete_ipam, IpamId=ipam_id)
