"""What reading shows, without making anything."""

from __future__ import annotations

from aws_models.contract.aws import Unsettled, every, expect
from aws_models.contract.ground import Ground
from aws_models.contract.sources import API, ASSUMED, GUIDE, PROVIDER_CODE, RAM_API
from aws_models.contract.statement import Group

READS = Group("reads", makes="")

POOL = "ipam-pool-0123456789abcdef0"
SHARE = "arn:aws:ram:{}:{}:resource-share/01234567-89ab-cdef-0123-456789abcdef"


@READS.states("An id that does not exist is refused as Invalid<type>Id.NotFound.", f"{PROVIDER_CODE}ec2/errors.go")
def unknown_ids(aws: Ground) -> None:
    ec2 = aws.ec2()
    aws.expect_refusal("InvalidIpamPoolId.NotFound", ec2.describe_ipam_pools, IpamPoolIds=[POOL])
    aws.expect_refusal("InvalidIpamPoolId.NotFound", ec2.get_ipam_pool_cidrs, IpamPoolId=POOL)
    aws.expect_refusal("InvalidIpamPoolId.NotFound", ec2.get_ipam_pool_allocations, IpamPoolId=POOL)
    scope, ipam = "ipam-scope-0123456789abcdef0", "ipam-0123456789abcdef0"
    aws.expect_refusal("InvalidIpamScopeId.NotFound", ec2.describe_ipam_scopes, IpamScopeIds=[scope])
    aws.expect_refusal("InvalidIpamId.NotFound", ec2.describe_ipams, IpamIds=[ipam])


@READS.states("A filter that nobody knows is refused.", ASSUMED, settles="ipam.pages.filtered")
def unknown_filter(aws: Ground) -> None:
    made_up = [{"Name": "no-such-filter", "Values": ["a"]}]
    aws.expect_refusal("InvalidParameterValue", aws.ec2().describe_ipam_pools, Filters=made_up)


@READS.states("Pools cannot be filtered by source-ipam-pool-id.", ASSUMED, settles="ipam.pages.filtered")
def filter_by_source(aws: Ground) -> None:
    by_source = [{"Name": "source-ipam-pool-id", "Values": [POOL]}]
    aws.expect_refusal("InvalidParameterValue", aws.ec2().describe_ipam_pools, Filters=by_source)


@READS.states("A NextToken that AWS has not given is refused.", f"{API}errors-overview.html")
def invalid_token(aws: Ground) -> None:
    aws.expect_refusal("InvalidNextToken", aws.ec2().describe_ipam_pools, NextToken="bm90aGluZw==")


@READS.states(
    "A share that does not exist is refused as UnknownResourceException, an ARN that is none as MalformedArnException.",
    f"{RAM_API}API_GetResourceShares.html",
)
def unknown_share(aws: Ground) -> None:
    look = aws.ram().get_resource_shares
    unknown = SHARE.format(aws.home, aws.owner.id)
    aws.expect_refusal("UnknownResourceException", look, resourceOwner="SELF", resourceShareArns=[unknown])
    aws.expect_refusal("MalformedArnException", look, resourceOwner="SELF", resourceShareArns=["arn:aws:ram:a"])


@READS.states(
    "The associations of resources cannot be asked for by principal.",
    f"{RAM_API}API_GetResourceShareAssociations.html",
)
def principal_of_resources(aws: Ground) -> None:
    ask = aws.ram().get_resource_share_associations
    aws.expect_refusal("InvalidParameterException", ask, associationType="RESOURCE", principal=aws.owner.id)


@READS.states(
    "The default permission of a pool is AWSRAMDefaultPermissionsIpamPool.",
    f"{GUIDE}share-pool-ipam.html",
    modeled=False,
)
def default_permission(aws: Ground) -> None:
    permissions = aws.ram().list_permissions(resourceType="ec2:IpamPool")["permissions"]
    default = [one for one in permissions if one["isResourceTypeDefault"]]
    expect("names", [one["name"] for one in default], ["AWSRAMDefaultPermissionsIpamPool"])
    aws.note(f"it allows: {aws.ram().get_permission(permissionArn=default[0]['arn'])['permission']['permission']}")


@READS.states(
    "IPAM's metrics have no other dimensions than AddressFamily, Locale, PoolID and ScopeID.",
    f"{GUIDE}cloudwatch-ipam-ip-address-usage.html",
    modeled=False,
)
def metrics(aws: Ground) -> None:
    cloudwatch = aws.owner.client("cloudwatch", aws.home)
    found = every(cloudwatch, "list_metrics", "Metrics", Namespace="AWS/IPAM")
    if not found:
        raise Unsettled("IPAM has published no metrics here; they need an IPAM that is some hours old")
    together = {(one["MetricName"], tuple(sorted(each["Name"] for each in one["Dimensions"]))) for one in found}
    aws.note(
        "metrics and their dimensions: " + "; ".join(f"{name} {', '.join(names)}" for name, names in sorted(together))
    )
    unknown = {name for _, names in together for name in names} - {"AddressFamily", "Locale", "PoolID", "ScopeID"}
    expect("other dimensions", unknown, set())
