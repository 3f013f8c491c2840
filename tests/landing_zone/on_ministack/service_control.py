"""Service control policies: what the organization denies to every principal of a member account.

They apply to each call that IAM decides, in ministack's services and in the models, and to what a service does with a
function's role. They do not apply to the management account and to service-linked roles; they do apply to the root user
of a member account. Organizations holds them (CreatePolicy, AttachPolicy), attached to the root, an OU or an account.

Left out: allow lists (FullAWSAccess counts as attached everywhere, so only Deny statements decide), the calls of
CloudFormation's own resource handlers, resource control policies, and the messages of Systems Manager and CloudWatch
Logs, which name an identity-based policy here.
Source  https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
        https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aws_models.organization import Organization
from landing_zone.on_ministack.internals import iam_actions, iam_evaluator, organizations, responses, tagging

TYPE = "SERVICE_CONTROL_POLICY"
POLICY = "/service_control_policy/"  # part of the ARN of every such policy
SERVICE_LINKED = ":role/aws-service-role/"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html, aws:RequestedRegion
GLOBAL_SERVICES, GLOBAL_REGION = ("iam", "organizations"), "us-east-1"
# EC2 adds the request, encoded, for sts:DecodeAuthorizationMessage; only its length matters here.
ENCODED = " Encoded authorization failure message: " + "Zm9yLXN0czpEZWNvZGVBdXRob3JpemF0aW9uTWVzc2FnZQ" * 12
OPERATORS = {*iam_evaluator._CONDITION_OPS, "null"}


class ServiceControlPolicies:
    """Attach policies to the organization's tree, and find the policy that denies a call."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization

    def attach(self, target_id: str, policy: Mapping[str, Any]) -> str:
        """Create a policy, attach it to a root, an OU or an account, and return its id.

        Raises ValueError if Organizations refuses, NotImplementedError for a condition operator that is not modeled
        """
        for statement in iam_evaluator.parse_policy_document(dict(policy)):
            for operator in statement.conditions:
                _require_known(operator)
        name = f"scp-{responses.new_uuid()}"
        wanted = {"Name": name, "Description": "", "Type": TYPE, "Content": json.dumps(policy)}
        policy_id: str = self._call("CreatePolicy", wanted)["Policy"]["PolicySummary"]["Id"]
        self._call("AttachPolicy", {"PolicyId": policy_id, "TargetId": target_id})
        return policy_id

    def detach(self, policy_id: str, target_id: str) -> None:
        """Detach the policy and delete it. Raises ValueError if Organizations refuses."""
        self._call("DetachPolicy", {"PolicyId": policy_id, "TargetId": target_id})
        self._call("DeletePolicy", {"PolicyId": policy_id})

    def denying_policy(self, context: Any) -> str:
        """Return the ARN of a policy that denies this call, or an empty text."""
        account_id = context.principal_account
        exempt = account_id == self._organization.management_account_id or SERVICE_LINKED in context.principal_arn
        if exempt or not self._organization.is_member(account_id):
            return ""
        for arn, content in self._attached_above(account_id):
            statements = iam_evaluator.parse_policy_document(content)
            if iam_evaluator._names_condition_key([statements], "aws:resourcetag/"):
                for name, value in (tagging.resource_tags(context.resource_arn) or {}).items():
                    context.service_context.setdefault(f"aws:resourcetag/{name}".lower(), value)
            if iam_evaluator._first_match(context, statements, "Deny"):
                return arn
        return ""

    def _attached_above(self, account_id: str) -> list[tuple[str, str]]:
        """ARN and content of every policy that is attached to the account, its OUs or the root."""
        with responses.request_scope(self._organization.management_account_id, responses.get_region()):
            above = set(_path(account_id))
            return [
                (policy["Arn"], policy["_Content"])
                for policy_id, policy in organizations._policies.items()
                if policy["Type"] == TYPE and not policy["AwsManaged"]
                if above & set(organizations._attachments.get(policy_id) or [])
            ]

    def _call(self, action: str, request: dict[str, Any]) -> dict[str, Any]:
        with responses.request_scope(self._organization.management_account_id, responses.get_region()):
            status, _, body = organizations._DISPATCH[action](request)
        if status != 200:
            raise ValueError(f"{action}: {body.decode() if isinstance(body, bytes) else body}")
        answer: dict[str, Any] = json.loads(body or b"{}")
        return answer


def is_denial(verdict: Any) -> bool:
    """Return whether a service control policy decided this verdict of the evaluator."""
    return POLICY in getattr(verdict, "resource_policy_arn", "")


def denial(service: str, action: str, principal_arn: str, resource: str, policy_arn: str) -> str:
    """Return AWS's words for a denial by this policy."""
    words = (
        f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource} "
        f"with an explicit deny in a service control policy: {policy_arn}"
    )
    if service == "ec2":
        return f"You are not authorized to perform this operation. {words}.{ENCODED}"
    return words


def install(policies: ServiceControlPolicies) -> None:
    """Make ministack's evaluator ask the policies too, and refuse condition operators that it does not know."""
    _enforce(policies)
    _word_denials()
    evaluate = iam_evaluator._evaluate_single_condition

    def evaluate_single_condition(operator: str, actual: Any, expected: list[str]) -> bool:
        _require_known(operator)
        return bool(evaluate(operator, actual, expected))

    iam_evaluator._evaluate_single_condition = evaluate_single_condition


def _enforce(policies: ServiceControlPolicies) -> None:
    enforce = iam_evaluator.enforce

    def enforce_with_policies(
        access_key_id: str,
        iam_action: str,
        service: str,
        region: str,
        resource_arn: str = "*",
        service_context: dict[str, Any] | None = None,
    ) -> Any:
        verdict = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        spared = not access_key_id or iam_action in iam_evaluator._ALWAYS_ALLOWED_ACTIONS
        if spared or isinstance(verdict, iam_evaluator.AuthError):
            return verdict
        principal = iam_evaluator.resolve_principal(access_key_id, responses.get_account_id())
        if isinstance(principal, iam_evaluator.AuthError):
            return verdict
        keys = {key.lower(): value for key, value in (service_context or {}).items()}
        keys.setdefault("aws:tagkeys", None)
        context = iam_evaluator.EvalContext(
            principal_arn=principal.arn,
            principal_type=principal.type,
            principal_account=principal.account,
            action=iam_action,
            resource_arn=resource_arn,
            region=GLOBAL_REGION if iam_action.split(":")[0] in GLOBAL_SERVICES else region,
            service_context=keys,
            principal_keys=principal.keys,
        )
        if policy := policies.denying_policy(context):
            return iam_evaluator.EvalResult("Deny", principal.arn, resource_policy_arn=policy)
        return verdict

    iam_evaluator.enforce = enforce_with_policies


def _word_denials() -> None:
    respond = iam_actions.access_denied_response

    def access_denied_response(service: str, action: str, principal_arn: str, request_id: str, **named: Any) -> Any:
        policy = named.get("resource_policy_arn", "")
        if POLICY in policy:
            words = denial(service, action, principal_arn, named.get("resource_arn", "*"), policy)
            named |= {"message": words, "resource_policy_arn": ""}
        return respond(service, action, principal_arn, request_id, **named)

    iam_actions.access_denied_response = access_denied_response


def _path(account_id: str) -> Iterator[str]:
    """Yield the ids of the account, its OUs and the root."""
    step = account_id
    while step:
        yield step
        record = organizations._accounts.get(step) or organizations._ous.get(step) or {}
        step = record.get("_ParentId", "")


def _require_known(operator: str) -> None:
    """Raise NotImplementedError for a condition operator that the evaluator does not know."""
    plain = operator.lower().removeprefix("forallvalues:").removeprefix("foranyvalue:")
    if plain.removesuffix("ifexists") not in OPERATORS:
        raise NotImplementedError(f"The condition operator {operator} is not modeled")
