"""Finds deployments of this solution: the stacks in the Networking account that manage pools, and the OUs of these."""

from __future__ import annotations

from collections.abc import Collection

from botocore.exceptions import BotoCoreError, ClientError

from ctipam import names
from ctipam.cloudformation.described import outputs_of
from ctipam.cloudformation.other_stacks import living
from ctipam.cloudformation.outputs import NO_WARNINGS
from ctipam.errors import Refused, explain
from ctipam.ipam.listing import list_pools
from ctipam.logs import log_decision
from ctipam.networking_account import assume_execution_role
from ctipam.organization.session_policies import read_policy
from ctipam.sessions import Account
from ctipam.tags import to_dict


def networking_account(management: Account, network_account_id: str) -> Account:
    """Return the Networking account, to read its pools and the stacks that they name.

    Raises   Refused if its execution role cannot be assumed
    """
    policy = read_policy(management.partition, management.region, network_account_id)
    return assume_execution_role(management, network_account_id, policy)


def deployments_in(networking: Account, ignored: Collection[str] = ()) -> list[str]:
    """Return the ARNs of the stacks that have pools in this account and can act.

    ignored   ARNs of stacks that do not count
    """
    stack_ids = {tags[names.STACK_TAG] for tags in _tags_of_pools(networking) if names.STACK_TAG in tags}
    return living(networking, sorted(stack_ids - {names.RELEASED, *ignored}))


def ous_of_pools(networking: Account) -> dict[str, set[str]]:
    """Return the ids of OUs that the pools in this account carry, by environment; see organization.environments."""
    known: dict[str, set[str]] = {}
    for tags in _tags_of_pools(networking):
        if names.POOL_ENVIRONMENT_TAG in tags and names.OU_TAG in tags:
            known.setdefault(tags[names.POOL_ENVIRONMENT_TAG], set()).add(tags[names.OU_TAG])
    return known


def warnings_of_networking(management: Account, network_account_id: str) -> str:
    """Return the output Warnings of the stack that has pools in the account; "none" too if it cannot be read."""
    try:
        networking = networking_account(management, network_account_id)
        outputs = {
            key: value
            for stack_id in deployments_in(networking)
            for stack in networking.cloudformation().describe_stacks(StackName=stack_id)["Stacks"]
            for key, value in outputs_of(stack).items()
        }
        return outputs.get("Warnings", NO_WARNINGS)
    except (BotoCoreError, ClientError, Refused) as error:  # nothing that a deployment should fail for
        log_decision("the warnings of the Networking account cannot be read", reason=explain(error))
        return NO_WARNINGS


def _tags_of_pools(networking: Account) -> list[dict[str, str]]:
    return [to_dict(pool.get("Tags", [])) for pool in list_pools(networking)]
