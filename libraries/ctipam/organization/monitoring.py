"""Decides whether IPAM still monitors the accounts of the organization.

It does only for its delegated administrator, which anybody may have changed since Custom::OrganizationSetup has seen to
it, and an update that changes nothing of that resource does not ask again. An account that IPAM does not monitor gets
no addresses from a pool that is shared with it.
https://docs.aws.amazon.com/vpc/latest/ipam/enable-integ-ipam.html
https://github.com/hashicorp/terraform-provider-aws/pull/26943
"""

from __future__ import annotations

from collections.abc import Sequence


def not_monitored(administrators: Sequence[str], network_account_id: str, region: str) -> str:
    """Return why IPAM does not monitor the organization for the Networking account, with the way out; empty if it does.

    administrators   see reader.find_ipam_administrators
    region           the home Region
    """
    if network_account_id in administrators:
        return ""
    command = (
        f"`aws ec2 enable-ipam-organization-admin-account --region {region} "
        f"--delegated-admin-account-id {network_account_id}`"
    )
    if not administrators:
        return (
            "IPAM has no delegated administrator any more, so other accounts cannot create VPCs from the pools, and "
            f"IPAM does not see those that they have. In the management account, run {command}."
        )
    return (
        f"IPAM's delegated administrator is account {administrators[0]}, but the pools are in {network_account_id}, "
        f"so other accounts cannot create VPCs from them, and IPAM does not see those that they have. Disable "
        f"{administrators[0]} in IPAM's settings, then run {command} in the management account."
    )
