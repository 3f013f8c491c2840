"""What an IPAM, a scope and single pools show."""

from __future__ import annotations

from uuid import uuid4

from aws_models.contract.aws import Differs, Unsettled, every, expect, expect_all
from aws_models.contract.ground import Ground
from aws_models.contract.guard import TAG
from aws_models.contract.sources import API, ASSUMED, CLI, GUIDE, MODULE, PROVIDER, PROVIDER_CODE
from aws_models.contract.statement import Group

POOL = Group("pool", makes="an IPAM if the Region has none, a scope, and six pools without a parent pool")


@POOL.states(
    "The home Region is an operating Region even if it is not asked for.",
    f"{CLI}create-ipam.rst",
    "own ipam",
    seconds=30,
)
def home_region(aws: Ground) -> None:
    regions = {region["RegionName"] for region in aws.ipam["OperatingRegions"]}
    expect("operating Regions", regions, {aws.home, aws.elsewhere})


@POOL.states(
    "A second IPAM in a Region is refused, with the code and in the words of the source.",
    "https://github.com/rebuy-de/aws-nuke/issues/834",
)
def second_ipam(aws: Ground) -> None:
    _ = aws.ipam
    words = "You've reached the limit for ipams."
    aws.expect_refusal("ResourceLimitExceeded", aws.ec2().create_ipam, words)


@POOL.states("A modification of an IPAM must change something.", ASSUMED, "own ipam", settles="ipam.ipams.modify_ipam")
def empty_modification_of_an_ipam(aws: Ground) -> None:
    aws.expect_refusal("InvalidParameterCombination", aws.ec2().modify_ipam, IpamId=aws.ipam["IpamId"])


@POOL.states(
    "A Region that is an operating Region already cannot be added.",
    ASSUMED,
    "own ipam",
    settles="ipam.ipams._check_added",
)
def known_region(aws: Ground) -> None:
    regions = [{"RegionName": aws.elsewhere}]
    modify = aws.ec2().modify_ipam
    aws.expect_refusal("InvalidParameterValue", modify, IpamId=aws.ipam["IpamId"], AddOperatingRegions=regions)


@POOL.states(
    "A new pool is create-in-progress; without a locale it shows the text None, and no ARN of IPAM has a Region.",
    f"{CLI}create-ipam-pool.rst",
    seconds=15,
)
def new_pool(aws: Ground) -> None:
    pool = aws.asked_for()
    arn = f"ipam-pool/{pool['IpamPoolId']}"
    expect_all(pool, State="create-in-progress", Locale="None", PoolDepth=1, AutoImport=False, IpamRegion=aws.home)
    expect("ARN", pool["IpamPoolArn"].split(":", 2)[2], f"ec2::{aws.owner.id}:{arn}")


@POOL.states(
    "A repeated ClientToken finds the first pool; with other parameters it is refused.",
    "https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html",
    seconds=15,
)
def client_token(aws: Ground) -> None:
    token = str(uuid4())
    first, second = (aws.asked_for(ClientToken=token)["IpamPoolId"] for _ in range(2))
    expect("pool of the second request", second, first)
    other = {"IpamScopeId": aws.scope, "AddressFamily": "ipv4", "ClientToken": token, "Description": "another"}
    aws.expect_refusal("IdempotentParameterMismatch", aws.ec2().create_ipam_pool, **other)


@POOL.states(
    "A deleted pool is delete-in-progress, then delete-complete or gone; its ClientToken finds it even so (assumed).",
    f"{CLI}delete-ipam-pool.rst",
    seconds=45,
)
def deleted_pool(aws: Ground) -> None:
    token = str(uuid4())
    pool_id = aws.new_pool(ClientToken=token)
    deleted = aws.patiently(aws.ec2().delete_ipam_pool, IpamPoolId=pool_id)["IpamPool"]
    expect("state", deleted["State"], "delete-in-progress")
    aws.timed("delete a pool", lambda: aws.state(pool_id) in ("delete-complete", "gone"))
    expect("pool of the repeated request", aws.asked_for(ClientToken=token)["IpamPoolId"], pool_id)


@POOL.states(
    "A locale that is no operating Region is refused.",
    f"{GUIDE}create-reg-ipam.html",
    settles="ipam.pools.check_locale",
)
def unknown_locale(aws: Ground) -> None:
    if not aws.outside:
        raise Unsettled("needs a Region that is no operating Region of the IPAM")
    wanted = {"IpamScopeId": aws.scope, "AddressFamily": "ipv4", "Locale": aws.outside}
    aws.expect_refusal("InvalidParameterValue", aws.ec2().create_ipam_pool, **wanted)


@POOL.states("The largest block that a pool gives must be larger than the smallest.", f"{API}API_CreateIpamPool.html")
def sizes_in_order(aws: Ground) -> None:
    sizes = {"AllocationMinNetmaskLength": 24, "AllocationMaxNetmaskLength": 24}
    wanted = {"IpamScopeId": aws.scope, "AddressFamily": "ipv4", **sizes}
    aws.expect_refusal("InvalidParameterValue", aws.ec2().create_ipam_pool, **wanted)


@POOL.states(
    "A pool that is still being created can be given no CIDR, and cannot be modified.",
    ASSUMED,
    seconds=15,
    settles="ipam.store.incorrect_state",
)
def unfinished_pool(aws: Ground) -> None:
    pool_id = aws.unfinished_pool()["IpamPoolId"]
    aws.expect_refusal("IncorrectState", aws.ec2().provision_ipam_pool_cidr, IpamPoolId=pool_id, Cidr="10.9.0.0/24")
    aws.expect_refusal("IncorrectState", aws.ec2().modify_ipam_pool, IpamPoolId=pool_id, Description="b")


@POOL.states(
    "A pool without a parent pool cannot be given a netmask length alone.",
    f"{API}API_ProvisionIpamPoolCidr.html",
    seconds=30,
    settles="ipam.cidrs._wanted",
)
def netmask_of_a_top_pool(aws: Ground) -> None:
    provision = aws.ec2().provision_ipam_pool_cidr
    aws.expect_refusal("InvalidParameterValue", provision, IpamPoolId=aws.top, NetmaskLength=24)


@POOL.states("A CIDR or a netmask length is needed, and not both.", ASSUMED, settles="ipam.cidrs._wanted")
def cidr_or_netmask(aws: Ground) -> None:
    provision = aws.ec2().provision_ipam_pool_cidr
    aws.expect_refusal("InvalidParameterCombination", provision, IpamPoolId=aws.top)
    both = {"Cidr": "10.1.0.0/24", "NetmaskLength": 24}
    aws.expect_refusal("InvalidParameterCombination", provision, IpamPoolId=aws.top, **both)


@POOL.states("A CIDR with host bits is refused.", ASSUMED, settles="ipam.addresses.parse")
def host_bits(aws: Ground) -> None:
    provision = aws.ec2().provision_ipam_pool_cidr
    aws.expect_refusal("InvalidParameterValue", provision, IpamPoolId=aws.top, Cidr="10.1.0.1/24")


@POOL.states(
    "A pool takes a second CIDR, which the answer names while it is pending-provision.",
    f"{GUIDE}prov-cidr-ipam.html",
    seconds=20,
)
def second_cidr(aws: Ground) -> None:
    answer = aws.patiently(aws.ec2().provision_ipam_pool_cidr, IpamPoolId=aws.top, Cidr="10.1.0.0/24")
    expect_all(answer["IpamPoolCidr"], Cidr="10.1.0.0/24", State="pending-provision")
    expect("state", aws.outcome(aws.top, answer)["State"], "provisioned")


@POOL.states(
    "A CIDR that is not in use goes by way of pending-deprovision; a second request is refused as IncorrectState.",
    f"{PROVIDER_CODE}ec2/vpc_ipam_pool_cidr.go",
    seconds=45,
)
def deprovisioning(aws: Ground) -> None:
    aws.provision(aws.top, Cidr="10.2.0.0/24")
    named = {"IpamPoolId": aws.top, "Cidr": "10.2.0.0/24"}
    answer = aws.patiently(aws.ec2().deprovision_ipam_pool_cidr, **named)
    expect("state", answer["IpamPoolCidr"]["State"], "pending-deprovision")
    aws.expect_refusal("IncorrectState", aws.ec2().deprovision_ipam_pool_cidr, **named)
    expect("state at the end", aws.outcome(aws.top, answer)["State"], "deprovisioned")


@POOL.states("A CIDR that the pool does not have cannot be deprovisioned.", ASSUMED, settles="ipam.cidrs._row_of")
def foreign_cidr(aws: Ground) -> None:
    deprovision = aws.ec2().deprovision_ipam_pool_cidr
    aws.expect_refusal("InvalidParameterValue", deprovision, IpamPoolId=aws.top, Cidr="172.16.0.0/24")


@POOL.states("A pool that has a CIDR cannot be deleted.", f"{PROVIDER}issues/22328")
def pool_with_a_cidr(aws: Ground) -> None:
    words = "There are one or more pool cidrs provisioned in the pool."
    aws.expect_refusal("DependencyViolation", aws.ec2().delete_ipam_pool, words, IpamPoolId=aws.top)


@POOL.states("A modification of a pool must change something.", f"{MODULE}issues/65")
def empty_modification_of_a_pool(aws: Ground) -> None:
    words = "The request must contain a modification to the ipam pool"
    aws.expect_refusal("InvalidParameterCombination", aws.ec2().modify_ipam_pool, words, IpamPoolId=aws.top)


@POOL.states("Tags that are put on a pool later are listed with it.", f"{API}API_CreateTags.html")
def tags(aws: Ground) -> None:
    aws.ec2().create_tags(Resources=[aws.top], Tags=[{"Key": "contract", "Value": "Added"}])

    def are_listed() -> bool:
        (pool,) = aws.ec2().describe_ipam_pools(IpamPoolIds=[aws.top])["IpamPools"]
        return {tag["Key"] for tag in pool["Tags"]} == {TAG, "contract"}

    aws.until("the tags are listed", are_listed)


@POOL.states(
    "Filters tell capitals from small letters, and take wildcards.",
    f"{API}API_Filter.html",
)
def filters(aws: Ground) -> None:
    for value, found in (("Contract t?p", [aws.top]), ("Contract*", [aws.top]), ("contract top", [])):
        wishes = [{"Name": "description", "Values": [value]}, {"Name": "ipam-scope-id", "Values": [aws.scope]}]
        pools = every(aws.ec2(), "describe_ipam_pools", "IpamPools", Filters=wishes)
        expect(f"pools described as {value!r}", [pool["IpamPoolId"] for pool in pools], found)


@POOL.states(
    "An added allocation tag whose key the pool has already replaces the value.",
    ASSUMED,
    seconds=20,
    modeled=False,
)
def changed_allocation_tag(aws: Ground) -> None:
    def required() -> list[dict[str, str]]:
        (pool,) = aws.ec2().describe_ipam_pools(IpamPoolIds=[aws.bare])["IpamPools"]
        tags: list[dict[str, str]] = pool.get("AllocationResourceTags", [])
        return tags

    for value in ("a", "b"):
        added = [{"Key": "Env", "Value": value}]
        aws.patiently(aws.ec2().modify_ipam_pool, IpamPoolId=aws.bare, AddAllocationResourceTags=added)
        aws.until("the modification", lambda: aws.state(aws.bare) == "modify-complete")
    if required() != [{"Key": "Env", "Value": "b"}]:
        raise Differs(f"the pool asks for {required()}")
