"""Decide whether the Networking account is ready for a deployment. Pure: nothing here calls AWS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from commands.arguments import is_management_account
from commands.preflight.facts import Check, Facts, Unknown, unknown_check
from commands.preflight.service_control_policies import Call, Denial, denials
from ctipam.errors import Refused
from ctipam.ipam.cost_controls import CostControls
from ctipam.ipam.existing import ExistingIpam
from ctipam.ipam.preconditions import refuse_free_tier
from ctipam.names import EXECUTION_ROLE, STACK_SET_ROLE, execution_role_arn

HOME_CALLS = (
    "ec2:CreateIpam",
    "ec2:CreateIpamPool",
    "ec2:CreateTags",
    "ec2:DescribeIpamPools",
    "ec2:ModifyIpam",
    "ec2:ProvisionIpamPoolCidr",
)
"""Calls of the function that builds the pools, in the home Region."""

REGION_CALL = "ec2:GetIpamPoolAllocations"
"""Its call in each Region that has pools."""

STACK_CALLS = (
    "cloudformation:CreateStack",
    "iam:CreateRole",
    "kms:CreateKey",
    "lambda:CreateFunction",
    "ram:CreateResourceShare",
)
"""Calls of AWSControlTowerExecution: it creates the stack in the Networking account, and shares the pools."""

SHORTEST_RETENTION = 365
"""Days that CT.CLOUDWATCH.PR.2 requires."""


def account(facts: Facts) -> Iterator[Check]:
    account_id, location = facts.network_account_id, facts.location
    about = "Networking account"
    if account_id == facts.management_id:
        yield Check(about, "failed", str(is_management_account(account_id)))
    elif isinstance(location, Unknown):
        yield unknown_check(about, "organizations:DescribeAccount and ListParents", location)
    elif location is None or location.state != "ACTIVE":
        found = f"is {location.state} in" if location else "is no account of"
        yield Check(about, "failed", f"{account_id} {found} this organization. Name an active account.")
    elif not location.ou_path:
        yield Check(about, "warning", f"{account_id} is in no OU, so it is not enrolled. Enroll it in Control Tower.")
    else:
        yield Check(about, "ok", f"{account_id} is active, in OU {location.ou_path[0].ou_id}.")
    if isinstance(facts.stack, Mapping):
        yield from _same_account(account_id, facts.stack)


def _same_account(account_id: str, stack: Mapping[str, str]) -> Iterator[Check]:
    existing = stack.get("NetworkAccountId", account_id)
    if existing != account_id:
        yield Check(
            "Networking account",
            "failed",
            f"NetworkAccountId cannot change from {existing} to {account_id}: a deployment cannot move. Delete the "
            "stack (make undo), then deploy with the new account.",
        )


def roles(facts: Facts) -> Iterator[Check]:
    role = facts.stack_set_role
    if isinstance(role, Unknown):
        yield unknown_check("StackSet role", "iam:GetRole", role)
    elif role:
        yield Check("StackSet role", "ok", f"{STACK_SET_ROLE} exists in the management account.")
    else:
        yield Check(
            "StackSet role",
            "failed",
            f"The management account has no role {STACK_SET_ROLE}. Repair the landing zone in Control "
            "Tower's settings, which creates it.",
        )
    entered = facts.execution_role
    if isinstance(entered, Unknown):
        yield unknown_check("Execution role", "sts:AssumeRole", entered)
    elif entered:
        yield Check("Execution role", "ok", f"{EXECUTION_ROLE} in the Networking account can be assumed.")
    else:
        yield Check(
            "Execution role",
            "warning",
            f"These credentials may not assume {EXECUTION_ROLE} in the Networking account, or it does not exist. If "
            "the account is not enrolled in Control Tower, enroll it, which creates the role.",
        )


def enabled_regions(facts: Facts) -> Iterator[Check]:
    spec, enabled = facts.spec(), facts.regions
    if isinstance(spec, Refused):
        return
    if isinstance(enabled, Unknown):
        yield unknown_check("Enabled Regions", "ec2:DescribeRegions in the Networking account", enabled)
    elif disabled := [region for region in spec.regions if region not in enabled]:
        yield Check(
            "Enabled Regions",
            "failed",
            f"The Networking account has not enabled {', '.join(disabled)}. Enable it, or remove it from REGIONS.",
        )
    else:
        yield Check("Enabled Regions", "ok", f"The Networking account has enabled {', '.join(spec.regions)}.")


def policies(facts: Facts) -> Iterator[Check]:
    about = "Service control policies"
    if isinstance(facts.policies, Unknown):
        yield unknown_check(about, "organizations:ListRoots, ListPoliciesForTarget and DescribePolicy", facts.policies)
        return
    found = denials(facts.policies, calls(facts))
    for denial in _first_of_each_policy(found):
        yield Check(about, "failed" if denial.certain else "warning", _denied(denial))
    if not found:
        yield Check(about, "ok", "None denies a call of this solution in the Networking account.")


def calls(facts: Facts) -> Iterator[Call]:
    """Yield the calls in the Networking account that a policy must not deny."""
    spec, account_id = facts.spec(), facts.network_account_id
    if isinstance(spec, Refused):
        return
    partition, region = facts.partition, facts.region
    function_role = f"arn:{partition}:iam::{account_id}:role/StackSet-networking-IpamFunctionRole"
    execution_role = execution_role_arn(partition, account_id)
    pool = f"arn:{partition}:ec2::{account_id}:ipam-pool/ipam-pool-0123456789abcdef0"
    for action in HOME_CALLS:
        yield Call(action, region, function_role, pool)
    for each in spec.regions:
        yield Call(REGION_CALL, each, function_role, pool)
    for action in STACK_CALLS:
        service = action.partition(":")[0]
        yield Call(action, region, execution_role, f"arn:{partition}:{service}:{region}:{account_id}:*")


def _first_of_each_policy(found: Sequence[Denial]) -> Iterator[Denial]:
    seen = set()
    for denial in found:
        if (denial.by, denial.certain, denial.call.region) not in seen:
            seen.add((denial.by, denial.certain, denial.call.region))
            yield denial


def _denied(denial: Denial) -> str:
    call, who = denial.call, denial.call.principal_arn.rpartition("/")[2]
    role = EXECUTION_ROLE if who == EXECUTION_ROLE else "the function that builds the pools"
    if not denial.by:
        return f"No policy allows {call.action} in {call.region} to {role}. Allow it."
    verb = "denies" if denial.certain else "may deny, depending on a condition,"
    return f"{denial.by} {verb} {call.action} in {call.region} to {role}. Change that policy, or use another Region."


def ipam(facts: Facts) -> Iterator[Check]:
    for region, found in facts.ipams.items():
        if isinstance(found, Unknown):
            if region == facts.region:
                yield unknown_check("IPAM", "ec2:DescribeIpams in the Networking account", found)
        elif region == facts.region:
            yield _home_ipam(facts, found)
        elif found:
            yield Check(
                "IPAM",
                "warning",
                f"{found.ipam_id} in {region} is another IPAM, which the stack does not use. AWS bills both if "
                "both are in the advanced tier.",
            )


def _home_ipam(facts: Facts, ipam: ExistingIpam | None) -> Check:
    if ipam is None:
        return Check("IPAM", "ok", f"None in {facts.region}; the stack creates one in the advanced tier.")
    try:
        refuse_free_tier(CostControls.from_properties(facts.parameters), ipam)
    except Refused as refusal:
        return Check("IPAM", "failed", str(refusal))
    return Check("IPAM", "ok", f"The stack uses {ipam.ipam_id} in {facts.region}.")


def controls(facts: Facts) -> Iterator[Check]:
    about, controls = "Proactive controls", facts.controls
    if isinstance(controls, Unknown):
        yield unknown_check(about, "controltower:ListEnabledControls and controlcatalog:GetControl", controls)
        return
    failed = []
    if "CT.LAMBDA.PR.3" in controls:
        ou = controls["CT.LAMBDA.PR.3"]
        failed.append(f"CT.LAMBDA.PR.3 on {ou} rejects functions outside a VPC. Disable it there, or use another OU.")
    retention = facts.parameters.get("LogRetentionDays", "")
    if "CT.CLOUDWATCH.PR.2" in controls and retention.isdecimal() and int(retention) < SHORTEST_RETENTION:
        failed.append(f"CT.CLOUDWATCH.PR.2 rejects LogRetentionDays={retention}. Give {SHORTEST_RETENTION} or more.")
    for text in failed:
        yield Check(about, "failed", text)
    if not failed:
        yield Check(about, "ok", "None that rejects this stack is enabled on the Networking account's OUs.")
