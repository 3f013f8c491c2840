"""Where what the statements say is written."""

from aws_models.contract.statement import ASSUMED

GUIDE = "https://docs.aws.amazon.com/vpc/latest/ipam/"
API = "https://docs.aws.amazon.com/AWSEC2/latest/APIReference/"
RAM_API = "https://docs.aws.amazon.com/ram/latest/APIReference/"
RAM_GUIDE = "https://docs.aws.amazon.com/ram/latest/userguide/"
CLI = "https://github.com/aws/aws-cli/blob/develop/awscli/examples/ec2/"
PROVIDER = "https://github.com/hashicorp/terraform-provider-aws/"
PROVIDER_CODE = f"{PROVIDER}blob/main/internal/service/"
MODULE = "https://github.com/aws-ia/terraform-aws-ipam/"
ELSEWHERE = "https://github.com/aws-ia/terraform-aws-vpc/issues/65"
FINDINGS = "https://github.com/tfstack/terraform-aws-ipam/blob/main/examples/multi-account/FINDINGS.md"

__all__ = [
    "API",
    "ASSUMED",
    "CLI",
    "ELSEWHERE",
    "FINDINGS",
    "GUIDE",
    "MODULE",
    "PROVIDER",
    "PROVIDER_CODE",
    "RAM_API",
    "RAM_GUIDE",
]
