"""Finds deployments of this solution: the stacks in the Networking account that manage pools."""

from __future__ import annotations

from collections.abc import Collection

from ctipam import names
from ctipam.cloudformation.other_stacks import living
from ctipam.networking_account import assume_execution_role
from ctipam.organization.session_policies import read_policy
from ctipam.sessions import Account
from ctipam.tags import to_dict


def living_deployments(management: Account, network_account_id: str, ignored: Collection[str] = ()) -> list[str]:
    """Return the ARNs of the stacks that have pools in the account and can act.

    ignored   ARNs of stacks that do not count
    Raises    Refused if the execution role cannot be assumed
    """
    policy = read_policy(management.partition, management.region, network_account_id)
    networking = assume_execution_role(management, network_account_id, policy)
    pages = networking.ec2().get_paginator("describe_ipam_pools").paginate()
    tags = [to_dict(pool.get("Tags", [])) for page in pages for pool in page["IpamPools"]]
    stack_ids = {of_pool[names.STACK_TAG] for of_pool in tags if names.STACK_TAG in of_pool}
    return living(networking, sorted(stack_ids - {names.RELEASED, *ignored}))
