"""A bucket policy that names a role applies to that role only, not to a later role of the same name.

AWS stores the unique id of a role that a policy names as its Principal. When the role is deleted and made again, the
policy no longer matches, until somebody writes it again. A Principal that names the account, with a condition on
aws:PrincipalArn, goes on matching. A policy that names a role that does not exist is refused.

Left out: the same for users, for policies of queues, topics, keys and functions, and for trust policies.
GetBucketPolicy goes on showing the ARN, where AWS shows the id. To go when ministack compares ids.
Source  https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-bucket-user-policy-specifying-principal-intro.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from landing_zone.on_ministack.cloudformation import HandlerFailure, Properties, Provisioned
from landing_zone.on_ministack.internals import iam, iam_evaluator, provisioners, responses, s3

BUCKET_ARN = "arn:aws:s3:::"
INVALID = "Invalid principal in policy"
RESOURCE_TYPE = "AWS::S3::BucketPolicy"

Policy = dict[str, Any]


class RolePrincipals:
    """The roles that each bucket's policy named when it was written."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], dict[str, str]] = {}  # account and bucket -> ARN of a role -> its id

    def install(self) -> None:
        self._note_what_the_api_writes()
        self._note_what_templates_write()
        evaluate = iam_evaluator.evaluate_resource_policy

        def evaluate_resource_policy(doc: Any, context: Any, *rest: Any, **named: Any) -> Any:
            return evaluate(self._as_stored(doc, context.resource_arn), context, *rest, **named)

        iam_evaluator.evaluate_resource_policy = evaluate_resource_policy

    def _note_what_the_api_writes(self) -> None:
        put = s3._put_bucket_policy

        def put_bucket_policy(name: str, body: bytes) -> Any:
            ids = _role_ids(_policy(body.decode()))
            if "" in ids.values():
                return s3._error("MalformedPolicy", INVALID, 400)
            answer = put(name, body)
            if answer[0] == 204:
                self._ids[responses.get_account_id(), name] = ids
            return answer

        s3._put_bucket_policy = put_bucket_policy

    def _note_what_templates_write(self) -> None:
        own = provisioners._RESOURCE_HANDLERS[RESOURCE_TYPE]

        def note(properties: Properties) -> None:
            ids = _role_ids(_policy(properties.get("PolicyDocument")))
            if "" in ids.values():
                raise HandlerFailure(f"{INVALID} (Service: S3, Status Code: 400)", "InvalidRequest")
            self._ids[responses.get_account_id(), properties["Bucket"]] = ids

        def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
            note(properties)
            made: Provisioned = own["create"](logical_id, properties, stack_name)
            return made

        def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
            note(new)
            updated: Provisioned = own["update"](physical_id, old, new, stack_name)
            return updated

        provisioners._RESOURCE_HANDLERS[RESOURCE_TYPE] = own | {"create": create, "update": update}

    def _as_stored(self, doc: Any, resource_arn: str) -> Any:
        """Return a bucket's policy in which ids stand for the roles that no longer exist."""
        bucket = resource_arn.removeprefix(BUCKET_ARN).split("/")[0]
        owner = s3._bucket_owner_account(bucket) if resource_arn.startswith(BUCKET_ARN) else None
        meant = self._ids.get((owner or "", bucket), {})
        gone = {arn: role_id for arn, role_id in meant.items() if _role_id(arn) != role_id}
        if not gone:
            return doc
        policy = _policy(doc)
        for statement in _statements(policy):
            named = _named(statement)
            if gone.keys() & set(named):
                statement["Principal"] = {**statement["Principal"], "AWS": [gone.get(one, one) for one in named]}
        return policy


def _role_ids(policy: Policy) -> dict[str, str]:
    """Return the id of every role that the policy names; an empty text if there is no such role."""
    return {arn: _role_id(arn) for statement in _statements(policy) for arn in _named(statement) if ":role/" in arn}


def _role_id(arn: str) -> str:
    role = iam._roles.get_scoped(arn.split(":")[4], None, arn.rsplit("/", 1)[-1])
    return str(role["RoleId"]) if role and role["Arn"] == arn else ""


def _named(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    named = principal.get("AWS", []) if isinstance(principal, dict) else []
    return [named] if isinstance(named, str) else list(named)


def _statements(policy: Policy) -> Iterator[dict[str, Any]]:
    statements = policy.get("Statement", [])
    yield from [statements] if isinstance(statements, dict) else statements


def _policy(document: Any) -> Policy:
    """Return a copy of the policy, whether it is text or not."""
    text = document if isinstance(document, str) else json.dumps(document or {})
    try:
        policy = json.loads(text or "{}")
    except ValueError:
        return {}  # ministack refuses it, or takes it as no policy
    return policy if isinstance(policy, dict) else {}
