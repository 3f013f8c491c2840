"""SNS: an AWS service may publish to a topic only if the policies of the topic and of its key allow it, and nobody may
with a subject that is too long.

ministack lets every service publish, takes every subject, and drops the key of topics in templates. To go when it does
none of this.

Left out: cross-account topics, and grants. EventBridge tells KMS neither aws:SourceAccount nor aws:SourceArn.
Source  https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from __future__ import annotations

from typing import Any

from aws_models.errors import AwsError
from landing_zone.on_ministack.cloudformation import Properties, Provisioned
from landing_zone.on_ministack.internals import iam_evaluator, kms, provisioners, responses, sns
from landing_zone.subjects import check_subject

CLOUDWATCH, EVENTBRIDGE = "cloudwatch.amazonaws.com", "events.amazonaws.com"
KEY = "KmsMasterKeyId"


class TopicType:
    """ministack's AWS::SNS::Topic, with its key."""

    def __init__(self, own: dict[str, Any]) -> None:
        self._create, self._update = own["create"], own["update"]

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return self._keep_key(properties, self._create(logical_id, properties, stack_name))

    def update(
        self, arn: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
    ) -> Provisioned:
        return self._keep_key(new, self._update(arn, old, new, stack, logical_id))

    def _keep_key(self, properties: Properties, made: Provisioned) -> Provisioned:
        sns._topics[made[0]]["attributes"][KEY] = properties.get(KEY, "")
        return made


def install() -> None:
    own = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    topic = TopicType(own)
    provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"] = own | {"create": topic.create, "update": topic.update}
    publish = sns._publish

    def publish_if_subject_is_valid(params: dict[str, Any]) -> Any:
        try:
            check_subject(sns._p(params, "Subject") or "")
        except AwsError as refused:
            return sns._error(refused.code, refused.message, refused.status)
        return publish(params)

    sns._publish = publish_if_subject_is_valid


def refusal(service: str, topic_arn: str, source_arn: str) -> str:
    """Return why the service may not publish, as an alarm's history words it; an empty text if it may.

    source_arn   the alarm or rule on whose behalf it publishes
    """
    topic = sns._topics.get(topic_arn)
    if topic is None:
        return f"Topic {topic_arn} does not exist"
    source = {"aws:sourcearn": source_arn, "aws:sourceaccount": responses.get_account_id()}
    attributes = topic["attributes"]
    if not _allows(attributes.get("Policy"), service, "sns:Publish", topic_arn, source):
        return f"Resource: {source_arn} is not authorized to perform: SNS:Publish on resource: {topic_arn}"
    if not attributes.get(KEY):
        return ""
    key = kms._resolve_key(attributes[KEY])  # none for alias/aws/sns, whose policy names no such service either
    context = {"kms:encryptioncontext:aws:sns:topicarn": topic_arn} | ({} if service == EVENTBRIDGE else source)
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        if key is None or not _allows(key["Policy"], service, action, key["Arn"], context):
            return f"{service} does not have authorization to access the SNS topic encryption key."
    return ""


def _allows(policy: Any, service: str, action: str, resource_arn: str, service_context: dict[str, str]) -> bool:
    context = iam_evaluator.EvalContext(
        principal_arn="",
        principal_type="Service",
        principal_account=responses.get_account_id(),
        action=action,
        resource_arn=resource_arn,
        region=responses.get_region(),
        secure_transport=True,
        service_context=service_context,
    )
    verdict = iam_evaluator.evaluate_resource_policy(policy, context, service=service)
    return bool(verdict.decision == "Allow")
