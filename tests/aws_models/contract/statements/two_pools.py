"""What pools show that have a parent pool."""

from __future__ import annotations

from aws_models.contract.aws import BUSY, Differs, code_of, every, expect, expect_all
from aws_models.contract.ground import Ground
from aws_models.contract.sources import API, ASSUMED, ELSEWHERE, FINDINGS, GUIDE, MODULE, PROVIDER
from aws_models.contract.statement import Group

POOLS = Group(
    "pools", makes="about a dozen pools, most of them below each other, and blocks that are allocated by hand"
)

PARALLEL = f"{MODULE}issues/55"


@POOLS.states(
    "Below a pool without a locale, a pool may have any; it is one level deeper.",
    f"{GUIDE}create-reg-ipam.html",
    seconds=45,
)
def locale_below_none(aws: Ground) -> None:
    (pool,) = aws.ec2().describe_ipam_pools(IpamPoolIds=[aws.region])["IpamPools"]
    expect_all(pool, Locale=aws.elsewhere, PoolDepth=2, SourceIpamPoolId=aws.top)


@POOLS.states("A child pool cannot have another locale than its parent pool.", FINDINGS, "two regions")
def another_locale(aws: Ground) -> None:
    wanted = {"IpamScopeId": aws.scope, "AddressFamily": "ipv4", "SourceIpamPoolId": aws.region, "Locale": aws.home}
    words = "with a different region from input locale"
    aws.expect_refusal("InvalidParameterCombination", aws.ec2().create_ipam_pool, words, **wanted)


@POOLS.states(
    "A child pool does not inherit the locale of its parent pool: it must name it.",
    ASSUMED,
    settles="ipam.pools.check_locale",
)
def omitted_locale(aws: Ground) -> None:
    wanted = {"IpamScopeId": aws.scope, "AddressFamily": "ipv4", "SourceIpamPoolId": aws.region}
    aws.expect_refusal("InvalidParameterCombination", aws.ec2().create_ipam_pool, **wanted)


@POOLS.states("The CIDR of a child pool is an allocation of its parent pool.", f"{GUIDE}tutorials-create-vpc-ipam.html")
def allocation_of_a_pool(aws: Ground) -> None:
    region = aws.region
    rows = [row for row in aws.allocations(aws.top, aws.home) if row.get("ResourceId") == region]
    expect("allocations", len(rows), 1)
    expect_all(rows[0], ResourceType="ipam-pool", Cidr="10.0.0.0/20", ResourceOwner=aws.owner.id)


@POOLS.states(
    "A netmask length alone gets an answer without a CIDR; once provisioned, the row shows it.",
    f"{API}API_IpamPoolCidr.html",
    seconds=45,
)
def netmask_of_a_child(aws: Ground) -> None:
    answer = aws.patiently(aws.ec2().provision_ipam_pool_cidr, IpamPoolId=aws.spare, NetmaskLength=24)
    expect_all(answer["IpamPoolCidr"], Cidr=None, NetmaskLength=24, State="pending-provision")
    row = aws.outcome(aws.spare, answer)
    expect("state", row["State"], "provisioned")
    expect("ends with /24", row["Cidr"].endswith("/24"), True)


@POOLS.states(
    "A CIDR outside the parent pool, or one that a sibling has, is accepted, and fails later as cidr-not-available.",
    f"{PROVIDER}issues/25192",
    seconds=60,
)
def unavailable_cidr(aws: Ground) -> None:
    for cidr in ("172.16.0.0/24", "10.0.0.0/24"):
        answer = aws.patiently(aws.ec2().provision_ipam_pool_cidr, IpamPoolId=aws.spare, Cidr=cidr)
        row = aws.outcome(aws.spare, answer)
        expect("state", row["State"], "failed-provision")
        expect("code of the reason", row.get("FailureReason", {}).get("Code"), "cidr-not-available")


@POOLS.states(
    "Pools of one scope without a parent pool do not overlap: the later one fails as cidr-not-available.",
    f"{GUIDE}how-it-works-ipam.html",
    seconds=30,
)
def overlapping_top_pools(aws: Ground) -> None:
    _ = aws.top
    answer = aws.patiently(aws.ec2().provision_ipam_pool_cidr, IpamPoolId=aws.bare, Cidr="10.0.128.0/17")
    row = aws.outcome(aws.bare, answer)
    expect("state", row["State"], "failed-provision")
    expect("code of the reason", row.get("FailureReason", {}).get("Code"), "cidr-not-available")


@POOLS.states(
    "A pool can be created below one without a CIDR, and is in the way of the deletion of that one.",
    ASSUMED,
    seconds=30,
    settles="ipam.pools.delete_ipam_pool",
)
def parent_of_an_empty_pool(aws: Ground) -> None:
    _ = aws.bare_child
    aws.expect_refusal("DependencyViolation", aws.ec2().delete_ipam_pool, IpamPoolId=aws.bare)


@POOLS.states("A block that the parent pool is still being given is not available yet.", ASSUMED, seconds=45)
def pending_parent(aws: Ground) -> None:
    _ = aws.bare_child
    aws.patiently(aws.ec2().provision_ipam_pool_cidr, IpamPoolId=aws.bare, Cidr="10.3.0.0/16")
    answer = aws.ec2().provision_ipam_pool_cidr(IpamPoolId=aws.bare_child, Cidr="10.3.0.0/24")
    expect("state", aws.outcome(aws.bare_child, answer)["State"], "failed-provision")


@POOLS.states(
    f"Of two pools that are created below one at the same time, the second may be refused, always as {BUSY}.",
    PARALLEL,
    seconds=30,
)
def siblings(aws: Ground) -> None:
    wanted = {"IpamScopeId": aws.scope, "AddressFamily": "ipv4", "SourceIpamPoolId": aws.top}
    aws.asked_for(SourceIpamPoolId=aws.top)
    aws.note(f"the second: {_accepted_or(aws, BUSY, **wanted)}")


@POOLS.states("Two pools can be created at the same time below different ones.", ASSUMED, seconds=30)
def cousins(aws: Ground) -> None:
    locale = {"SourceIpamPoolId": aws.region, "Locale": aws.elsewhere}
    aws.asked_for(SourceIpamPoolId=aws.top)
    aws.ec2().create_ipam_pool(IpamScopeId=aws.scope, AddressFamily="ipv4", **locale)


@POOLS.states("Two pools can be created at the same time in two scopes.", ASSUMED, "own ipam", seconds=30)
def pools_of_two_scopes(aws: Ground) -> None:
    aws.asked_for()
    aws.ec2().create_ipam_pool(IpamScopeId=aws.ipam["PrivateDefaultScopeId"], AddressFamily="ipv4")


def _accepted_or(aws: Ground, code: str, **wanted: str) -> str:
    """Return whether a pool's creation is accepted or refused. Raises Differs for a refusal of another code."""
    try:
        aws.ec2().create_ipam_pool(**wanted)
    except aws.ec2().exceptions.ClientError as error:
        expect("code", code_of(error), code)
        return "refused"
    return "accepted"


@POOLS.states(
    "Allocations are read in the pool's locale; in the home Region they are refused.",
    ELSEWHERE,
    "two regions",
    settles="ipam.store.pool_to_draw_from",
)
def allocations_at_home(aws: Ground) -> None:
    aws.allocations(aws.region, aws.elsewhere)
    aws.expect_refusal("InvalidParameterValue", aws.ec2().get_ipam_pool_allocations, IpamPoolId=aws.region)


@POOLS.states(
    "Outside the home Region, the owner sees only the pools with that locale.",
    ASSUMED,
    "two regions",
    settles="ipam.pools._sees",
)
def pools_elsewhere(aws: Ground) -> None:
    top, region = aws.top, aws.region
    seen = {pool["IpamPoolId"] for pool in every(aws.ec2(aws.elsewhere), "describe_ipam_pools", "IpamPools")}
    expect("top and region are seen", (top in seen, region in seen), (False, True))


@POOLS.states(
    "A block allocated by hand is custom, and its maker's; without sizes or a default, the request is refused.",
    "https://github.com/terraform-aws-modules/terraform-aws-vpc/issues/1135",
    seconds=30,
)
def custom_allocation(aws: Ground) -> None:
    allocate = aws.ec2(aws.elsewhere).allocate_ipam_pool_cidr
    made = allocate(IpamPoolId=aws.leaf, NetmaskLength=28)["IpamPoolAllocation"]
    expect_all(made, ResourceType="custom", ResourceOwner=aws.owner.id)
    words = (
        "The request cannot contain empty CIDR and Netmask Length for a pool with no default allocation netmask length"
    )
    aws.expect_refusal("InvalidParameterCombination", allocate, words, IpamPoolId=aws.region)


@POOLS.states("IPAM gives the lowest free block of a size.", ASSUMED)
def lowest_block(aws: Ground) -> None:
    ec2 = aws.ec2(aws.elsewhere)
    blocks = [ec2.allocate_ipam_pool_cidr(IpamPoolId=aws.leaf, NetmaskLength=28) for _ in range(2)]
    first, second = (block["IpamPoolAllocation"]["Cidr"] for block in blocks)
    aws.note(f"{first}, then {second}")
    expect("the second follows the first", _address(second) - _address(first), 16)


def _address(cidr: str) -> int:
    return int.from_bytes(bytes(map(int, cidr.partition("/")[0].split("."))), "big")


@POOLS.states(
    "A block larger than the pool gives is refused in the words of the source; those for one too small are assumed.",
    f"{PROVIDER}issues/39046",
    settles="ipam.allocations.wanted_block",
)
def sizes(aws: Ground) -> None:
    allocate = aws.ec2(aws.elsewhere).allocate_ipam_pool_cidr
    big, small = "The allocation size is too big for the pool.", "The allocation size is too small for the pool."
    aws.expect_refusal("InvalidParameterValue", allocate, big, IpamPoolId=aws.leaf, NetmaskLength=23)
    aws.expect_refusal("InvalidParameterValue", allocate, small, IpamPoolId=aws.leaf, NetmaskLength=29)


@POOLS.states(
    "A full pool gives no block: InsufficientCidrBlocks, or InvalidParameterValue for one by its CIDR.",
    ASSUMED,
    seconds=45,
    settles="ipam.allocations.carve",
)
def full_pool(aws: Ground) -> None:
    allocate = aws.ec2(aws.elsewhere).allocate_ipam_pool_cidr
    aws.expect_refusal("InsufficientCidrBlocks", allocate, IpamPoolId=aws.full, NetmaskLength=28)
    aws.expect_refusal("InvalidParameterValue", allocate, IpamPoolId=aws.full, Cidr="10.0.4.0/28")


@POOLS.states(
    "MaxResults=5 lists at most five pools, and a NextToken if there are more.", f"{API}API_DescribeIpamPools.html"
)
def pages(aws: Ground) -> None:
    in_scope = [{"Name": "ipam-scope-id", "Values": [aws.scope]}]
    while len(every(aws.ec2(), "describe_ipam_pools", "IpamPools", Filters=in_scope)) < 6:
        aws.new_pool()
    page = aws.ec2().describe_ipam_pools(Filters=in_scope, MaxResults=5)
    if len(page["IpamPools"]) > 5 or "NextToken" not in page:
        raise Differs(f"a page has {len(page['IpamPools'])} pools, and the token {page.get('NextToken')}")
