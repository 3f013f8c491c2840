"""What is wrong with the IPAM itself: without its tier and Regions, pools give no addresses and VPCs stay unseen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from ctipam.findings import Finding
from ctipam.ipam.discovered import DiscoveredAccount
from ctipam.ipam.existing import ExistingIpam
from ctipam.phrases import some

METRIC = "IpamTrouble"
ADVANCED = "advanced"
LISTED = 3
"""Accounts that a message names."""

RUN = "In the Networking account and the home Region, run"

GONE = (
    "The IPAM is gone, and its pools with it. `make deploy RESERVE=organization` keeps the addresses of existing VPCs "
    "from new ones and creates both again. If nothing has to be kept, change a parameter of the stack, for example "
    "IpamPoolQuota: an update without a change does nothing."
)


def find_trouble(
    ipam: ExistingIpam | None, regions: Iterable[str], accounts: Iterable[DiscoveredAccount]
) -> Iterator[Finding]:
    """Yield what is wrong, one finding for each thing to repair.

    ipam       None: there is no IPAM in the home Region
    regions    those that have pools
    accounts   as IPAM sees them; those that IPAM has merely not looked at yet are not trouble
    """
    if ipam is None:
        yield Finding(METRIC, "IPAM", GONE)
        return
    if ipam.tier and ipam.tier != ADVANCED:
        yield Finding(
            METRIC,
            "tier",
            f"{ipam.ipam_id} is in the {ipam.tier} tier, which has no pools for other Regions and accounts. "
            f"{RUN} `aws ec2 modify-ipam --ipam-id {ipam.ipam_id} --tier {ADVANCED}`.",
        )
    for region in sorted(set(regions) - ipam.operating_regions):
        yield Finding(
            METRIC,
            f"operating Region {region}",
            f"{region} is not an operating Region of {ipam.ipam_id}, so its pools give out no addresses. {RUN} "
            f"`aws ec2 modify-ipam --ipam-id {ipam.ipam_id} --add-operating-regions RegionName={region}`.",
        )
    yield from _failures(accounts)


def _failures(accounts: Iterable[DiscoveredAccount]) -> Iterator[Finding]:
    """Yield one finding for each account, whatever the number of Regions."""
    failing = sorted(account for account in accounts if account.failure)
    for account_id, rows in groupby(failing, lambda account: account.account_id):
        found = [*rows]
        where = some([account.region for account in found], LISTED)
        yield Finding(
            METRIC,
            f"discovery of {account_id}",
            f"IPAM cannot discover VPCs of account {account_id} in {where} ({found[0].failure}). They may "
            "overlap the pools unseen. Check that the role AWSServiceRoleForIPAM exists there and no policy denies it.",
        )
