"""IAM for the calls that the models answer. ministack's own evaluator decides.

A call needs the caller's policies, session policy and service control policies to allow every Check of it. The Service
Authorization Reference lists which action is checked on which resource:
https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aws_models.errors import AwsError
from aws_models.organization import Caller, Organization
from landing_zone.on_ministack import service_control
from landing_zone.on_ministack.internals import app, iam, iam_actions, iam_evaluator, organizations, responses, router
from landing_zone.on_ministack.service_control import ServiceControlPolicies

Headers = Mapping[str, str]
Query = Mapping[str, list[str]]


@dataclass(frozen=True)
class Check:
    """One question to IAM.

    resource  an ARN; a star for an action that takes no resource, or that creates one whose name is not known yet
    context   condition keys and their values, for example ec2:CreateAction or aws:RequestTag/Env
    """

    action: str
    resource: str = "*"
    context: Mapping[str, Any] = field(default_factory=dict)


class UsedPermissions:
    """The actions that each role has used and was allowed. A role's policy needs no more than these."""

    def __init__(self) -> None:
        self._used: dict[str, set[str]] = {}

    def note(self, principal_arn: str, action: str) -> None:
        self._used.setdefault(role_arn(principal_arn), set()).add(action)

    def by_role(self) -> dict[str, list[str]]:
        return {role: sorted(actions) for role, actions in sorted(self._used.items()) if ":role/" in role}


def role_arn(principal_arn: str) -> str:
    """Return the role of an assumed-role session, or the ARN itself for any other principal."""
    if ":assumed-role/" not in principal_arn:
        return principal_arn
    account_id, name = principal_arn.split(":")[4], principal_arn.split("/")[1]
    role = iam._roles.get_scoped(account_id, None, name)
    return str(role["Arn"]) if role else f"arn:aws:iam::{account_id}:role/{name}"


def caller_of_request() -> Caller:
    return Caller(responses.get_account_id(), responses.get_region())


def require(checks: Iterable[Check], service: str, headers: Headers, query: Query) -> None:
    """Raise AwsError, worded as the service does, for the first check that the caller's policies do not allow."""
    if not app.AUTH:
        return
    access_key = router.extract_access_key_id(headers, query)
    for check in checks:
        verdict = iam_evaluator.enforce(
            access_key,
            check.action,
            service,
            responses.get_region(),
            resource_arn=check.resource,
            service_context=dict(check.context),
        )
        if verdict is not None:
            raise _refusal(check, service, verdict)


def _refusal(check: Check, service: str, verdict: Any) -> AwsError:
    if isinstance(verdict, iam_evaluator.AuthError):
        return AwsError(verdict.code, verdict.message, 403)
    if service_control.is_denial(verdict):
        policy = verdict.resource_policy_arn
        words = service_control.denial(service, check.action, verdict.principal_arn, check.resource, policy)
        return AwsError("UnauthorizedOperation" if service == "ec2" else "AccessDeniedException", words, 403)
    words = iam_actions.identity_denial_message(
        check.action, verdict.principal_arn, check.resource, verdict.decision == "Deny"
    )
    if service == "ec2":
        return AwsError("UnauthorizedOperation", f"You are not authorized to perform this operation. {words}", 403)
    return AwsError("AccessDeniedException", words, 403)


class RolePermissions:
    """Decide what AWS services may do with a role that was passed to them."""

    def __init__(self, used: UsedPermissions, policies: ServiceControlPolicies) -> None:
        self._used = used
        self._policies = policies

    def allow(self, role: str, action: str, resource: str) -> bool:
        if not app.AUTH:
            return True
        account_id = role.split(":")[4]
        context = iam_evaluator.EvalContext(
            principal_arn=role,
            principal_type="AssumedRole",
            principal_account=account_id,
            action=action,
            resource_arn=resource,
            region=responses.get_region(),
        )
        policies = iam_evaluator._gather_role_policies(role.rsplit("/", 1)[-1], account_id)
        allowed: bool = iam_evaluator.evaluate(context, policies).decision == "Allow"
        allowed = allowed and not self._policies.denying_policy(context)
        if allowed:
            self._used.note(role, action)
        return allowed


def request_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the condition keys of a request that sets these tags."""
    keys: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return keys | ({"aws:TagKeys": list(tags)} if tags else {})


def resource_tags(tags: Mapping[str, str], *prefixes: str) -> dict[str, str]:
    """Return the condition keys of a resource that has these tags; EC2 also has ec2:ResourceTag."""
    return {f"{prefix}:ResourceTag/{key}": value for prefix in ("aws", *prefixes) for key, value in tags.items()}


def install(organization: Organization, used: UsedPermissions, answered_here: Callable[[str, Query], bool]) -> None:
    """Make ministack's enforcement know the organization, record used actions, and skip the models' calls.

    answered_here  returns, for a service's name and a request's parameters, whether `require` checks the request
    """
    _ask_about_the_targets_of_stack_sets()
    _record_what_is_used(used)
    _leave_to_us(answered_here)
    _name_resources_as_aws_does()
    # ministack answers aws:PrincipalOrgID from the caller's own account, as if each had an organization of its own.
    iam_evaluator._principal_org_id = lambda account_id: (
        organization.organization_id if organization.is_member(account_id) else None
    )
    _compare_principals_by_role()


def _ask_about_the_targets_of_stack_sets() -> None:
    # AWS asks about the StackSet, and also about each account and each type of resource in its template. To go when
    # ministack's evaluator does. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/security_iam_id-based-policy-examples.html
    enforce = iam_evaluator.enforce

    def asking(
        access_key_id: str, iam_action: str, service: str, region: str, resource_arn: str = "*", **kwargs: Any
    ) -> Any:
        resources = [resource_arn]
        if iam_action == "cloudformation:DeleteStackInstances":
            target = resource_arn.replace(":stackset/", ":stackset-target/")
            resources += [
                f"{target}/111122223333",
                f"arn:aws:cloudformation:{region}::type/resource/AWS-Lambda-Function",
            ]
        verdicts = (enforce(access_key_id, iam_action, service, region, one, **kwargs) for one in resources)
        return next((verdict for verdict in verdicts if verdict is not None), None)

    iam_evaluator.enforce = asking


def _record_what_is_used(used: UsedPermissions) -> None:
    enforce = iam_evaluator.enforce

    def recording(access_key_id: str, iam_action: str, *args: Any, **kwargs: Any) -> Any:
        verdict = enforce(access_key_id, iam_action, *args, **kwargs)
        if verdict is None:
            credential = iam_evaluator.resolve_credential(access_key_id or "")
            if isinstance(credential, iam_evaluator.ResolvedCredential):
                used.note(credential.principal_arn, iam_action)
        return verdict

    iam_evaluator.enforce = recording


def _leave_to_us(answered_here: Callable[[str, Query], bool]) -> None:
    extract = iam_actions.extract_iam_action

    def extracted(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, params: dict[str, list[str]]
    ) -> Any:
        # No action: ministack checks the signature and asks no policy.
        return None if answered_here(service, params) else extract(service, method, path, headers, body, params)

    iam_actions.extract_iam_action = extracted


def _compare_principals_by_role() -> None:
    # aws:PrincipalArn of a session is its role's ARN. To go when ministack's evaluator says so too.
    resolve = iam_evaluator._resolve_condition_key

    def resolved(key: str, context: Any) -> Any:
        return role_arn(context.principal_arn) if key.lower() == "aws:principalarn" else resolve(key, context)

    iam_evaluator._resolve_condition_key = resolved


def _name_resources_as_aws_does() -> None:
    # ministack asks on organization/* for every Organizations call, on rule/default/<name> for a rule of the default
    # bus, on role/<name> for a role with a path, and on a star for a StackSet and for a new VPC. To go when its
    # extract_resource_arn names all of them.
    extract = iam_actions.extract_resource_arn

    def extracted(
        service: str,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        params: dict[str, list[str]],
        region: str,
        account_id: str,
    ) -> str:
        if service == "organizations":
            return _organizations_resource(_json(body))
        if service == "events" and (rule := _rule(_json(body))):
            return f"arn:aws:events:{region}:{account_id}:rule/{rule}"
        if service == "iam" and (role := _role(params, body)):
            return role
        if service == "cloudformation" and (stack_set := _form(params, body).get("StackSetName")):
            return _stack_set(stack_set[0], region, account_id)
        if service == "ec2" and _form(params, body).get("Action") == ["CreateVpc"]:
            return f"arn:aws:ec2:{region}:{account_id}:vpc/*"
        return str(extract(service, method, path, headers, body, params, region, account_id))

    iam_actions.extract_resource_arn = extracted


def _organizations_resource(payload: Mapping[str, Any]) -> str:
    if account_id := payload.get("AccountId"):  # asked about by its ARN even if there is no such account
        organization = organizations._orgs["self"]
        return f"{organization['MasterAccountArn'].rpartition('/')[0]}/{account_id}"
    if ou_id := payload.get("OrganizationalUnitId"):  # likewise
        organization = organizations._orgs["self"]
        return f"{organization['MasterAccountArn'].rpartition('/')[0].replace(':account/', ':ou/')}/{ou_id}"
    for name in ("ChildId", "ParentId", "ResourceId", "TargetId"):
        record = payload.get(name) and organizations._target(payload[name])[0]
        if record:
            return str(record["Arn"])
    return "*"


def _stack_set(name: str, region: str, account_id: str) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:aws:cloudformation:{region}:{account_id}:stackset/{name if ':' in name else name + ':*'}"


def _role(params: Query, body: bytes) -> str:
    """Return the ARN of the role that the request names, or an empty text if there is none."""
    (name, *_) = _form(params, body).get("RoleName", [""])
    role = iam._roles.get(name)
    return str(role["Arn"]) if role else ""


def _form(params: Query, body: bytes) -> dict[str, list[str]]:
    """Return the parameters of a call in the query protocol, from the URL and the body."""
    return dict(params) | parse_qs(body.decode())


def _rule(payload: Mapping[str, Any]) -> str:
    name = payload.get("Rule") or payload.get("Name") or payload.get("RuleName") or ""
    bus = str(payload.get("EventBusName") or "default").rsplit("/", 1)[-1]
    return name if bus == "default" or not name else f"{bus}/{name}"


def _json(body: bytes) -> Mapping[str, Any]:
    try:
        payload = json.loads(body or b"{}")
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}
