"""Read the VPCs that IPAM has discovered, with the user's credentials of the management account.

IPAM's administrator is read through Control Tower's execution role, with a session policy that allows only the calls
made there. No other account is entered. IPAM shows a VPC 15 to 60 minutes after its creation, and looks only at its
operating Regions. An account or Region that it has not looked at is reported with the reason, so that it never looks
like free space.

Our pools show at once which VPCs have their addresses from them; what IPAM has discovered shows that later.

Requires boto3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from commands.aws_errors import why_of
from commands.existing_vpcs import allocated as allocated_vpcs
from commands.existing_vpcs.organization import SESSION_NAME, find_accounts, ipam_administrator
from commands.existing_vpcs.summary import Unread, VpcCidr, of_organization, some_of
from commands.existing_vpcs.vpcs import Existing
from commands.sign_in import sign_in
from ctipam.errors import Refused
from ctipam.ipam.discovered import NEVER_SEEN, DiscoveredAccount
from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.reader import find_ipam, read_accounts, read_vpcs
from ctipam.names import execution_role_arn
from ctipam.sessions import Account

LAG = (
    "IPAM shows a VPC up to an hour after its creation, so VPCs that were created since may be missing, and so are "
    "those in Regions that are enabled for their account but not for IPAM's."
)
"""IPAM discovers nothing where it does not operate, and only Regions that its account has enabled can be compared with
those where it does. https://docs.aws.amazon.com/vpc/latest/ipam/create-ipam.html"""

BEFORE = "before the first deployment use VPCS=organization or RESERVE=organization"

READ_DISCOVERED: dict[str, Any] = {
    "Sid": "ReadWhatIpamHasDiscovered",
    "Effect": "Allow",
    "Action": [
        "ec2:DescribeIpams",
        "ec2:DescribeRegions",
        "ec2:GetIpamDiscoveredAccounts",
        "ec2:GetIpamResourceCidrs",
    ],
    "Resource": "*",
}
"""Of the session policy. The role itself is an administrator."""


def read(region: str, scope_id: str = "", aws: str = "") -> Existing:
    """Return the VPCs that IPAM has discovered.

    region     the home Region of IPAM, unless the user's configuration names a Region
    scope_id   the pools' scope; empty: the private default scope, which is read in any case: IPAM puts there what it
               discovers, and somebody may move it to the pools' scope
    aws        see sign_in
    Raises     Refused unless the organization has an IPAM in the home Region that can be read
    """
    management = sign_in(region, aws)
    account_ids, _ = find_accounts(management)
    networking = _administrator(management)
    try:
        ipam = find_ipam(networking)
        if ipam is None:
            raise Refused(
                f"Account {networking.account_id} has no IPAM in {networking.region}; set AWS_REGION to Control "
                f"Tower's home Region, or {BEFORE}."
            )
        rows: list[VpcCidr | Unread] = [*_vpcs(networking, ipam.private_scope_id, scope_id or ipam.private_scope_id)]
        rows += _unread(networking, ipam, account_ids)
        held, not_known = allocated_vpcs.read(networking)
        others = _not_operating(networking, ipam)
    except (BotoCoreError, ClientError) as error:
        raise Refused(f"IPAM in account {networking.account_id} cannot be read: {why_of(error)}.") from None
    existing = of_organization(allocated_vpcs.marked(rows, held), len(account_ids), not_known)
    return replace(existing, unread=(*existing.unread, *others), note=LAG)


def _administrator(management: Account) -> Account:
    """Return the account that administers IPAM. Raises Refused."""
    try:
        account_id = ipam_administrator(management)
        if not account_id:
            raise Refused(f"No account administers IPAM yet; {BEFORE}.")
        partition = management.partition
        statements = [READ_DISCOVERED, *allocated_vpcs.statements(partition, account_id)]
        policy = {"Version": "2012-10-17", "Statement": statements}
        return management.assume(execution_role_arn(partition, account_id), SESSION_NAME, policy)
    except (BotoCoreError, ClientError) as error:
        raise Refused(f"The account that administers IPAM cannot be read ({why_of(error)}).") from None


def _vpcs(account: Account, default_scope_id: str, scope_id: str) -> Iterator[VpcCidr]:
    for read_id in sorted({default_scope_id, scope_id}):
        for vpc in read_vpcs(account, read_id):
            where = (vpc.account_id, vpc.region, vpc.vpc_id)
            allocated = vpc.allocated and read_id == scope_id  # the pools of another scope do not keep it from ours
            yield VpcCidr(vpc.cidr, *where, environment=vpc.environment, allocated=allocated)


def _unread(account: Account, ipam: ExistingIpam, account_ids: Collection[str]) -> Iterator[Unread]:
    """Yield what IPAM has not looked at in its operating Regions: whole accounts once, others for each Region."""
    regions = sorted(ipam.operating_regions)
    found = {(one.account_id, one.region): one for one in read_accounts(account, ipam)}
    for account_id in account_ids:
        reasons = {region: _why_unread(found.get((account_id, region))) for region in regions}
        if len(set(reasons.values())) == 1:
            reasons = {"": reasons[regions[0]]}
        yield from (Unread(account_id, region, why) for region, why in reasons.items() if why)


def _not_operating(account: Account, ipam: ExistingIpam) -> list[str]:
    """Return a sentence if Regions are enabled in which IPAM does not operate. A VPC there can overlap as any other."""
    enabled = {region["RegionName"] for region in account.ec2().describe_regions()["Regions"]}
    others = sorted(enabled - ipam.operating_regions)
    if not others:
        return []
    return [
        f"IPAM operates only in {some_of(sorted(ipam.operating_regions))}: VPCs in other enabled Regions are not "
        f"known, and may overlap too ({some_of(others)}). VPCS=organization and RESERVE=organization look there."
    ]


def _why_unread(discovered: DiscoveredAccount | None) -> str:
    return discovered.why_unread if discovered else NEVER_SEEN
