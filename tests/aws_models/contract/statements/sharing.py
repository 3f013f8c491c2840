"""What shares show: empty ones, and with a member account one of a pool."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from aws_models.contract.aws import Differs, every, expect, expect_all
from aws_models.contract.ground import VPC_TAGS, Ground
from aws_models.contract.guard import TAG
from aws_models.contract.sources import API, ASSUMED, GUIDE, PROVIDER, RAM_API, RAM_GUIDE
from aws_models.contract.statement import Group

SHARING = Group(
    "sharing",
    makes="ten shares without a pool; with a member account, six more, two of them of pools, and a VPC there",
)

TWINS = f"{PROVIDER}issues/25157"


@SHARING.states(
    "A share can be empty; it is ACTIVE at once, and admits external principals unless asked not to.",
    f"{RAM_API}API_CreateResourceShare.html",
)
def empty_share(aws: Ground) -> None:
    share = aws.ram().create_resource_share(name="contract empty")["resourceShare"]
    expect_all(share, status="ACTIVE", allowExternalPrincipals=True, owningAccountId=aws.owner.id)


@SHARING.states("Two shares may have one name.", TWINS)
def same_name(aws: Ground) -> None:
    first, second = (aws.new_share("contract twins") for _ in range(2))
    expect("the ARNs are different", first != second, True)


@SHARING.states("A name with a slash is refused.", ASSUMED)
def slash(aws: Ground) -> None:
    aws.expect_refusal("InvalidParameterException", aws.ram().create_resource_share, name="contract/slash")


@SHARING.states(
    "A repeated clientToken finds the first share; with other parameters it is refused.",
    f"{RAM_API}API_CreateResourceShare.html",
)
def client_token(aws: Ground) -> None:
    token = str(uuid4())
    first, second = (aws.new_share("contract token", clientToken=token) for _ in range(2))
    expect("ARN of the second request", second, first)
    other = {"name": "contract other", "clientToken": token}
    aws.expect_refusal("IdempotentParameterMismatchException", aws.ram().create_resource_share, **other)


@SHARING.states("A new share is found by its tag.", f"{RAM_API}API_GetResourceShares.html", seconds=10)
def found_by_tag(aws: Ground) -> None:
    arn = aws.new_share("contract tagged", tags=[{"key": "contract", "value": "found"}])
    wish = [{"tagKey": "contract", "tagValues": ["found"]}]
    shares = aws.until("the share", lambda: _own_shares(aws, tagFilters=wish, resourceShareStatus="ACTIVE"))
    expect("shares", [share["resourceShareArn"] for share in shares], [arn])


@SHARING.states(
    "A deleted share stays listed, and a new one can have its name at once.",
    f"{RAM_GUIDE}working-with-sharing-delete.html",
    seconds=5,
)
def same_name_again(aws: Ground) -> None:
    first = aws.new_share("contract again")
    aws.ram().delete_resource_share(resourceShareArn=first)
    second = aws.new_share("contract again")

    def statuses() -> dict[str, str] | None:
        found = {share["resourceShareArn"]: share["status"] for share in _own_shares(aws, name="contract again")}
        return found if found.keys() >= {first, second} else None

    found = aws.until("both shares", statuses)
    expect("statuses", (found[first] in ("DELETING", "DELETED"), found[second]), (True, "ACTIVE"))


@SHARING.states("A share that is being deleted cannot be changed.", ASSUMED, settles="ram.model.RamModel._own_share")
def share_in_deletion(aws: Ground) -> None:
    arn = aws.new_share("contract deleted")
    aws.ram().delete_resource_share(resourceShareArn=arn)
    tags = [{"key": "contract", "value": "late"}]
    code, _ = aws.refusal(aws.ram().tag_resource, resourceShareArn=arn, tags=tags)
    if code not in ("InvalidStateTransitionException", "UnknownResourceException"):
        raise Differs(f"code: AWS says {code}")
    aws.note(code)


@SHARING.states(
    "A request must name something to associate, and what it no longer shares must have been shared.",
    ASSUMED,
    seconds=30,
    settles="ram.requests.some_entities ram.model._association_to_end",
)
def nothing_to_associate(aws: Ground) -> None:
    arn = aws.new_share("contract nothing")
    aws.expect_refusal("InvalidParameterException", aws.ram().associate_resource_share, resourceShareArn=arn)
    pools = [aws.pool_arn(aws.leaf)]
    end = aws.ram().disassociate_resource_share
    aws.expect_refusal("UnknownResourceException", end, resourceShareArn=arn, resourceArns=pools)


@SHARING.states("The owner of a share cannot be its principal.", ASSUMED, settles="ram.model.RamModel._is_external")
def owner_as_principal(aws: Ground) -> None:
    arn = aws.new_share("contract owner")
    associate = aws.ram().associate_resource_share
    aws.expect_refusal("InvalidParameterException", associate, resourceShareArn=arn, principals=[aws.owner.id])


@SHARING.states(
    "A pool that is still being created, and one through another Region than the IPAM's home, cannot be shared.",
    f"{GUIDE}share-pool-ipam.html",
    "member",
    "two regions",
    seconds=20,
    settles="ram.model.RamModel._check_pool",
)
def unshareable(aws: Ground) -> None:
    unfinished = aws.unfinished_pool()["IpamPoolArn"]
    arn = aws.new_share("contract unfinished")
    associate = aws.ram().associate_resource_share
    aws.expect_refusal("OperationNotPermittedException", associate, resourceShareArn=arn, resourceArns=[unfinished])
    wanted = {"name": "contract elsewhere", "resourceArns": [aws.pool_arn(aws.leaf)]}
    aws.expect_refusal("UnknownResourceException", aws.ram(region=aws.elsewhere).create_resource_share, **wanted)


@SHARING.states("A request names a principal once.", ASSUMED, "member", settles="ram.requests.entities")
def named_twice(aws: Ground) -> None:
    arn = aws.new_share("contract twice")
    twice = [aws.member.id, aws.member.id]
    aws.expect_refusal(
        "InvalidParameterException", aws.ram().associate_resource_share, resourceShareArn=arn, principals=twice
    )


@SHARING.states(
    "Associations begin as ASSOCIATING, cannot be ended before they are ASSOCIATED, and are listed within a minute.",
    f"{PROVIDER}issues/13458",
    "member",
    seconds=30,
    settles="ram.model.RamModel._is_known",
)
def associating(aws: Ground) -> None:
    arn = aws.new_share("contract begin")
    begun = aws.ram().associate_resource_share(resourceShareArn=arn, principals=[aws.member.id])
    expect("status", begun["resourceShareAssociations"][0]["status"], "ASSOCIATING")
    end = aws.ram().disassociate_resource_share
    named = {"resourceShareArn": arn, "principals": [aws.member.id]}
    aws.expect_refusal("InvalidStateTransitionException", end, **named)
    aws.until("the association", lambda: aws.statuses(arn), seconds=60)


@SHARING.states(
    "A share cannot be deleted while one of its associations begins.",
    ASSUMED,
    "member",
    seconds=30,
    settles="ram.model._check_deletable",
)
def deleted_while_associating(aws: Ground) -> None:
    arn = aws.new_share("contract begun", principals=[aws.member.id])
    aws.expect_refusal("InvalidStateTransitionException", aws.ram().delete_resource_share, resourceShareArn=arn)


@SHARING.states(
    "What is associated already cannot be associated again.",
    ASSUMED,
    "member",
    seconds=30,
    settles="ram.model.RamModel._begun_association",
)
def associated_again(aws: Ground) -> None:
    named = {"resourceShareArn": aws.share, "principals": [aws.member.id]}
    aws.expect_refusal("InvalidParameterException", aws.ram().associate_resource_share, **named)


@SHARING.states(
    "The member sees a shared pool in its locale and in the home Region, without its tags or those that it asks for.",
    ASSUMED,
    "member",
    seconds=30,
    settles="ipam.pools.described_to_others",
)
def seen_by_the_member(aws: Ground) -> None:
    _ = aws.share
    for region in dict.fromkeys((aws.elsewhere, aws.home)):
        pool = aws.until(f"the pool in {region}", lambda region=region: _seen(aws, region))  # type: ignore[misc]
        expect_all(pool, OwnerId=aws.owner.id, Locale=aws.elsewhere, AllocationResourceTags=None)
        expect("tags", pool.get("Tags", []), [])


@SHARING.states("The member sees the share, without its tags.", ASSUMED, "member", settles="ram.records.Share.shown")
def share_of_another(aws: Ground) -> None:
    asked = {"resourceOwner": "OTHER-ACCOUNTS", "resourceShareArns": [aws.share]}
    (share,) = aws.until(
        "the share", lambda: every(aws.ram(aws.member), "get_resource_shares", "resourceShares", **asked)
    )
    expect("the contract's tag", [tag for tag in share.get("tags", []) if tag["key"] == TAG], [])


@SHARING.states(
    "The member's VPC draws from the pool; everybody who may use the pool sees all its allocations.",
    f"{API}API_GetIpamPoolAllocations.html",
    "member",
    seconds=15,
)
def vpc_of_the_member(aws: Ground) -> None:
    ec2 = aws.ec2(aws.elsewhere, aws.member)
    aws.until("the pool", lambda: aws.share and _seen(aws, aws.elsewhere))
    vpc = ec2.create_vpc(Ipv4IpamPoolId=aws.leaf, Ipv4NetmaskLength=28, TagSpecifications=VPC_TAGS)["Vpc"]

    def listed(account: Any) -> str | None:
        rows = aws.allocations(aws.leaf, aws.elsewhere, account)
        return next((row["ResourceOwner"] for row in rows if row.get("ResourceId") == vpc["VpcId"]), None)

    for account in (aws.owner, aws.member):
        owner = aws.until("the allocation", lambda account=account: listed(account))  # type: ignore[misc]
        expect("owner of the allocation", owner, aws.member.id)
    ec2.delete_vpc(VpcId=vpc["VpcId"])  # now, since its block is taken for long


@SHARING.states(
    "A pool that is no longer shared is not found by the member.",
    f"{RAM_GUIDE}working-with-sharing-update.html",
    "member",
    seconds=60,
)
def no_longer_shared(aws: Ground) -> None:
    arn = aws.new_share("contract end", resourceArns=[aws.pool_arn(aws.full)], principals=[aws.member.id])
    aws.timed("associate", lambda: aws.statuses(arn) == {"ASSOCIATED"})
    ec2 = aws.ec2(aws.elsewhere, aws.member)
    by_id = {"IpamPoolIds": [aws.full]}
    aws.until("the pool", lambda: _found(ec2, **by_id))
    aws.ram().disassociate_resource_share(resourceShareArn=arn, principals=[aws.member.id])
    aws.until("the end of the share", lambda: not _found(ec2, **by_id))


def _own_shares(aws: Ground, **asked: Any) -> list[dict[str, Any]]:
    return every(aws.ram(), "get_resource_shares", "resourceShares", resourceOwner="SELF", **asked)


def _seen(aws: Ground, region: str) -> dict[str, Any] | None:
    pools = every(aws.ec2(region, aws.member), "describe_ipam_pools", "IpamPools")
    return next((pool for pool in pools if pool["IpamPoolId"] == aws.leaf), None)


def _found(ec2: Any, **asked: Any) -> bool:
    try:
        return bool(ec2.describe_ipam_pools(**asked)["IpamPools"])
    except ec2.exceptions.ClientError as error:
        expect("code", error.response["Error"]["Code"], "InvalidIpamPoolId.NotFound")
        return False
