"""The Regions that boto3 knows, listed here so that `make plan` needs no boto3. A test compares the two."""

from __future__ import annotations

PARTITIONS = {
    "aws": """
        af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2
        ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7
        ca-central-1 ca-west-1 eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3
        il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-west-1 us-west-2
        """.split(),
    "aws-cn": "cn-north-1 cn-northwest-1".split(),
    "aws-eusc": "eusc-de-east-1".split(),
    "aws-us-gov": "us-gov-east-1 us-gov-west-1".split(),
}

URL_SUFFIX = {"aws-cn": "amazonaws.com.cn", "aws-eusc": "amazonaws.eu"}
"""Of a partition's endpoints; amazonaws.com in the others."""


def s3_host(region: str, partition: str) -> str:
    return f"s3.{region}.{URL_SUFFIX.get(partition, 'amazonaws.com')}"


def region_of_bucket(location_constraint: str | None) -> str:
    """Return the Region that GetBucketLocation means: us-east-1 is null there, and eu-west-1 may be EU.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
    """
    region = location_constraint or "us-east-1"
    return "eu-west-1" if region == "EU" else region


def regions_of_partition(selection: str) -> list[str]:
    """Return all Regions of the partition that has most Regions of a RegionSelection.

    The Lambda function knows the Regions of its own partition.
    """
    names = [name.strip() for name in selection.split(",")]
    return max(PARTITIONS.values(), key=lambda regions: sum(name in regions for name in names))
