"""What AWS refuses while it deploys a template, and what then silently does not work, where no linter looks.

Each check yields a sentence for each problem. The limits are AWS's defaults: what passes here deploys in a new account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from checkers.policies import OWN_ACCOUNT, Context, is_met, permits, text
from checkers.template import Template, listed, statements, target

ENABLED_BY_DEFAULT = frozenset(
    "us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 sa-east-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 "
    "eu-north-1 ap-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-southeast-1 ap-southeast-2".split()
)
"""The Regions of every account. https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html"""

LONGEST_SERVICE_TIMEOUT_S = 3600
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html"""

ALARM_SPAN_S, INSIGHTS_SPAN_S = 86_400, 10_800
"""The longest time that an alarm evaluates, and one on a Metrics Insights query.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html"""

LOGS_NEED = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey", "kms:DescribeKey")
TOPICS_NEED = ("kms:Decrypt", "kms:GenerateDataKey")
"""https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"""

TAKE_MINUTES = ("AWS::CloudFormation::StackSet",)
"""After these, every service knows a policy that CloudFormation created before or meanwhile. For some minutes, one may
still refuse what the policy allows, although CloudFormation says that it is complete.
https://github.com/aws/aws-cdk/issues/37675
https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/lambda/function_event_invoke_config.go"""

ALARM_ACTIONS = ("AlarmActions", "InsufficientDataActions")

ROOT = {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}
CLOUDWATCH = {"Service": "cloudwatch.amazonaws.com"}
EVENTS = {"Service": "events.amazonaws.com"}
LAMBDA = {"Service": "lambda.amazonaws.com"}
LOGS = {"Service": {"Fn::Sub": "logs.${AWS::Region}.${AWS::URLSuffix}"}}

FOREIGN = {
    "aws:SourceAccount": "another account",
    "aws:SourceArn": "an ARN in another account",
    "kms:EncryptionContext:aws:logs:arn": "an ARN in another account",
}
"""The condition keys of a request that a service makes for another account."""


def functions_have_a_role_that_lambda_can_assume(template: Template) -> Iterator[str]:
    for name, function in template.of_type("AWS::Lambda::Function"):
        if not _trusts(template, function["Role"], LAMBDA):
            yield f"{name}: Lambda refuses a role that does not trust {LAMBDA['Service']}."


def rules_can_reach_their_targets(template: Template) -> Iterator[str]:
    permissions = [found for _, found in template.of_type("AWS::Lambda::Permission")]
    for name, rule in template.of_type("AWS::Events::Rule"):
        if not rule["Targets"]:
            yield f"{name}: it has no target, so its events go nowhere."
        for to in rule["Targets"]:
            if "RoleArn" in to:
                if not _trusts(template, to["RoleArn"], EVENTS):
                    yield f"{name}: EventBridge cannot assume the role of target {to['Id']}."
                granted = list(template.role_statements(target(to["RoleArn"]) or ""))
                if not permits(granted, "events:PutEvents", text(to["Arn"])):
                    yield f"{name}: the role of target {to['Id']} may not put events on it."
            elif not any(_permits(permission, name, target(to["Arn"])) for permission in permissions):
                yield f"{name}: nothing allows the rule to invoke {target(to['Arn'])}."


def _trusts(template: Template, role: Any, service: Mapping[str, str]) -> bool:
    trust = template.properties(target(role) or "").get("AssumeRolePolicyDocument", {"Statement": []})
    return any(
        statement["Effect"] == "Allow" and statement["Principal"] == service and statement["Action"] == "sts:AssumeRole"
        for statement in statements(trust)
    )


def _permits(permission: Mapping[str, Any], rule: str, function: str | None) -> bool:
    return (
        permission["Principal"] == EVENTS["Service"]
        and permission["Action"] == "lambda:InvokeFunction"
        and target(permission["SourceArn"]) == rule
        and target(permission["FunctionName"]) == function
    )


def keys_can_be_managed_by_their_account(template: Template) -> Iterator[str]:
    for name, key in template.of_type("AWS::KMS::Key"):
        if not permits(statements(key["KeyPolicy"]), "kms:PutKeyPolicy", "*", principal=ROOT):
            yield f"{name}: KMS refuses a key policy that locks the account out."


def log_groups_can_use_their_key(template: Template) -> Iterator[str]:
    group_arn = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:any"
    context = {"kms:EncryptionContext:aws:logs:arn": group_arn}
    for name, group in template.of_type("AWS::Logs::LogGroup"):
        if missing := _missing(template, group.get("KmsKeyId"), LOGS_NEED, LOGS, context):
            yield f"{name}: CloudWatch Logs refuses a key that it may not use; the key policy lacks {missing}."


def alarms_can_publish(template: Template) -> Iterator[str]:
    context = {"aws:SourceAccount": OWN_ACCOUNT, "aws:SecureTransport": "true"}
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm"):
        for topic in filter(None, map(target, [one for key in ALARM_ACTIONS for one in alarm.get(key, [])])):
            policy = template.statements_about("AWS::SNS::TopicPolicy", "Topics", topic)
            if not permits(policy, "sns:Publish", f"${{{topic}}}", principal=CLOUDWATCH, context=context):
                yield f"{name}: the policy of {topic} does not allow alarms to publish."
            key = template.properties(topic).get("KmsMasterKeyId")
            if missing := _missing(template, key, TOPICS_NEED, CLOUDWATCH, context):
                yield f"{name}: alarms cannot encrypt messages to {topic}; the key policy lacks {missing}."


def _missing(template: Template, key: Any, actions: tuple[str, ...], principal: object, context: Context) -> list[str]:
    """Return the actions that the policy of a key of this template does not allow to a service."""
    if not key:
        return []
    document = template.properties(target(key) or "").get("KeyPolicy", {"Statement": []})
    policy = list(statements(document))
    return [action for action in actions if not permits(policy, action, "*", principal=principal, context=context)]


def publishers_can_use_the_key_of_the_topic(template: Template) -> Iterator[str]:
    for role, _ in template.of_type("AWS::IAM::Role"):
        granted = list(template.role_statements(role))
        for topic, found in template.of_type("AWS::SNS::Topic"):
            key = target(found.get("KmsMasterKeyId"))
            if key and permits(granted, "sns:Publish", f"${{{topic}}}"):
                for action in TOPICS_NEED:
                    if not permits(granted, action, f"${{{key}.Arn}}"):
                        yield f"{role}: publishing to {topic} needs {action} on {key}."


def failed_events_reach_their_queue(template: Template) -> Iterator[str]:
    for name, rule in template.of_type("AWS::Events::Rule"):
        for to in rule["Targets"]:
            queue = target(to.get("DeadLetterConfig", {}).get("Arn"))
            if queue and not _queue_takes_from(template, queue, name):
                yield f"{name}: the policy of {queue} does not let the rule send to it, so failed events are lost."


def _queue_takes_from(template: Template, queue: str, rule: str) -> bool:
    policy = template.statements_about("AWS::SQS::QueuePolicy", "Queues", queue)
    context = {"aws:SourceArn": f"${{{rule}.Arn}}"}
    return permits(policy, "sqs:SendMessage", f"${{{queue}.Arn}}", principal=EVENTS, context=context)


def destinations_of_functions_are_allowed_when_they_are_set(template: Template) -> Iterator[str]:
    for name, config in template.of_type("AWS::Lambda::EventInvokeConfig"):
        queue = target(config.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination"))
        if not queue:
            continue
        role = target(template.properties(target(config["FunctionName"]) or "").get("Role")) or ""
        granting = [
            policy
            for policy in template.policies_of(role)
            if permits(
                statements(template.properties(policy)["PolicyDocument"]), "sqs:SendMessage", f"${{{queue}.Arn}}"
            )
        ]
        if not granting:
            yield f"{name}: {role} may not send to {queue}; Lambda refuses the destination."
            continue
        if not set(granting) & template.depends_on(name):
            yield f"{name}: Lambda refuses the destination unless {granting[0]} exists; name it in DependsOn."
        if not any(template.resources[one]["Type"] in TAKE_MINUTES for one in template.depends_on(name)):
            yield f"{name}: Lambda may not know {granting[0]} yet; name in DependsOn what takes minutes to create, too."


def custom_resources_outlive_what_they_need(template: Template) -> Iterator[str]:
    """CloudFormation deletes a policy before the custom resource that needs it, unless the resource depends on it."""
    for name, resource in template.resources.items():
        if not resource["Type"].startswith("Custom::"):
            continue
        function = template.properties(target(resource["Properties"]["ServiceToken"]) or "")
        needed = {*template.policies_of(target(function["Role"]) or ""), target(function["LoggingConfig"]["LogGroup"])}
        for missing in sorted(filter(None, needed - template.depends_on(name))):
            yield f"{name}: name {missing} in DependsOn, or it is deleted while {name} still needs it."


def custom_resources_have_a_timeout_that_cloudformation_takes(template: Template) -> Iterator[str]:
    for name, resource in template.resources.items():
        if resource["Type"].startswith("Custom::"):
            timeout = resource["Properties"].get("ServiceTimeout")
            if not (isinstance(timeout, int) and 1 <= timeout <= LONGEST_SERVICE_TIMEOUT_S):
                yield f"{name}: ServiceTimeout {timeout}; give 1 to {LONGEST_SERVICE_TIMEOUT_S} seconds."


def alarms_evaluate_a_time_that_cloudwatch_takes(template: Template) -> Iterator[str]:
    for name, alarm in template.of_type("AWS::CloudWatch::Alarm"):
        queries = alarm.get("Metrics", [])
        of_insights = any(str(query.get("Expression", "")).lstrip().startswith("SELECT") for query in queries)
        limit = INSIGHTS_SPAN_S if of_insights else ALARM_SPAN_S
        if [query.get("ReturnData", True) for query in queries].count(True) != 1 and queries:
            yield f"{name}: CloudWatch refuses an alarm unless exactly one of its queries returns data."
        for period in [query.get("Period", 0) for query in queries] or [alarm["Period"]]:
            span = period * alarm["EvaluationPeriods"]
            if not 0 < span <= limit or (period % 60 and period not in (10, 20, 30)):
                times = alarm["EvaluationPeriods"]
                yield f"{name}: {times} periods of {period} s; CloudWatch evaluates at most {limit} s."


def functions_leave_the_concurrency_of_the_account(template: Template) -> Iterator[str]:
    """Lambda keeps 100 for the other functions, and a new account may have 10 in all."""
    for name, function in template.of_type("AWS::Lambda::Function"):
        if "ReservedConcurrentExecutions" in function:
            yield f"{name}: reserves concurrency, which Lambda refuses in an account with a low limit."


def default_regions_are_enabled_in_every_account(template: Template) -> Iterator[str]:
    for region in str(template.parameters.get("RegionSelection", {}).get("Default", "us-east-1")).split(","):
        if region not in ENABLED_BY_DEFAULT:
            yield f"RegionSelection: an account has to enable {region} first, so it cannot be a default."


def services_act_only_for_this_account(template: Template) -> Iterator[str]:
    """Otherwise anybody's rules, alarms and log groups may use it. Lambda assumes roles for its own account only."""
    for name, resource in template.resources.items():
        properties = resource.get("Properties", {})
        for document in filter(None, map(properties.get, ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument"))):
            for statement in statements(document):
                principal = statement.get("Principal", LAMBDA)
                foreign = is_met(statement, FOREIGN) and "Service" in principal and principal != LAMBDA
                if statement["Effect"] == "Allow" and (foreign or principal == "*"):
                    yield f"{name}: a statement allows {text(principal)} to act for any account; give a Condition."


def principals_of_resource_policies_survive_a_role_that_is_made_anew(template: Template) -> Iterator[str]:
    """AWS keeps the id of a role that a policy names, and a role of the same name made later has another id."""
    for name, resource in template.resources.items():
        properties = resource.get("Properties", {})
        document = properties.get("PolicyDocument", properties.get("KeyPolicy", {"Statement": []}))
        for statement in statements(document):
            principal = statement.get("Principal")
            for arn in listed(principal.get("AWS", [])) if isinstance(principal, Mapping) else []:
                text = arn.get("Fn::Sub", "") if isinstance(arn, Mapping) else arn
                if not str(text).endswith(":root"):
                    yield f"{name}: {text or arn} is lost when the role is made anew; use aws:PrincipalArn."


def parameters_have_a_name_that_ssm_takes(template: Template) -> Iterator[str]:
    """A stack may be called aws-ipam, but Systems Manager keeps names that begin with aws or ssm to itself.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
    """
    for name, parameter in template.of_type("AWS::SSM::Parameter"):
        given = parameter.get("Name", {})  # without one, CloudFormation makes one that begins with the stack's
        text = given.get("Fn::Sub", "${}") if isinstance(given, Mapping) else given
        if text.lstrip("/").lower().startswith(("${", "aws", "ssm")):
            yield f"{name}: SSM refuses a name that begins with aws or ssm, as a stack's may; begin with a word."


Check = Callable[[Template], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    functions_have_a_role_that_lambda_can_assume,
    rules_can_reach_their_targets,
    keys_can_be_managed_by_their_account,
    log_groups_can_use_their_key,
    alarms_can_publish,
    publishers_can_use_the_key_of_the_topic,
    failed_events_reach_their_queue,
    destinations_of_functions_are_allowed_when_they_are_set,
    custom_resources_outlive_what_they_need,
    custom_resources_have_a_timeout_that_cloudformation_takes,
    alarms_evaluate_a_time_that_cloudwatch_takes,
    functions_leave_the_concurrency_of_the_account,
    default_regions_are_enabled_in_every_account,
    services_act_only_for_this_account,
    principals_of_resource_policies_survive_a_role_that_is_made_anew,
    parameters_have_a_name_that_ssm_takes,
)
