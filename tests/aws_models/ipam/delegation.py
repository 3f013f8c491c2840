"""The organization's delegated IPAM administrator.

An account that is only registered with Organizations (RegisterDelegatedAdministrator) is listed as the administrator,
but IPAM has no role in the other accounts and sees nothing of them. It can be named to IPAM afterwards.

Source  https://docs.aws.amazon.com/vpc/latest/ipam/enable-integ-ipam.html
        https://github.com/BinHsu/aegis-aws-landing-zone, docs/incidents.md, incident 7
"""

from __future__ import annotations

from typing import Any

from aws_models.errors import AwsError
from aws_models.ipam.requests import Call
from aws_models.ipam.store import Store

SERVICE = "ipam.amazonaws.com"


def enable_ipam_organization_admin_account(store: Store, call: Call) -> dict[str, Any]:
    organization, account_id = store.organization, call.params["DelegatedAdminAccountId"]
    _require_management_account(store, call)
    if account_id == organization.management_account_id:
        # https://github.com/tfstack/terraform-aws-ipam, examples/multi-account/FINDINGS.md
        message = "The management account cannot be the delegated IPAM administrator."
        raise AwsError("IpamOrganizationDelegatedAdminCannotBeRootAccount", message)
    if not organization.is_member(account_id):
        raise _not_found(account_id)
    administrator = organization.delegated_administrators.get(SERVICE)
    if administrator and (administrator != account_id or store.integrated_at is not None):
        # Also for the account that already is the administrator: what AWS says then is unverified.
        message = "The organization already has a delegated IPAM administrator."
        raise AwsError("IpamOrganizationDelegatedAdminLimitExceeded", message)
    organization.delegated_administrators[SERVICE] = account_id
    organization.trusted_services.add(SERVICE)
    store.integrated_at = store.agenda.now
    for member in organization.members():
        store.member_since.setdefault(member, store.agenda.now)
    return {"Success": True}


def disable_ipam_organization_admin_account(store: Store, call: Call) -> dict[str, Any]:
    organization, account_id = store.organization, call.params["DelegatedAdminAccountId"]
    _require_management_account(store, call)
    if not organization.is_member(account_id):
        raise _not_found(account_id)
    if organization.delegated_administrators.get(SERVICE) != account_id:
        message = f"Account {account_id} is not the delegated IPAM administrator."
        raise AwsError("IpamOrganizationAccountNotRegistered", message)
    del organization.delegated_administrators[SERVICE]
    store.integrated_at = None
    return {"Success": True}


def _require_management_account(store: Store, call: Call) -> None:
    """Raise AwsError for other accounts than the management account (the code is unverified)."""
    if call.caller.account_id != store.organization.management_account_id:
        raise AwsError("UnauthorizedOperation", "You are not authorized to perform this operation.", 403)


def _not_found(account_id: str) -> AwsError:
    return AwsError("IpamOrganizationAccountNotFound", f"Account {account_id} is not in the organization.")
