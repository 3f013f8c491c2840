"""AWS::CloudFormation::StackSet with self-managed permissions, deployed with ministack's own stacks.

As on AWS: the template is read in the management account; the administration role assumes the execution role in each
target account; a target stack is named StackSet-<name>-<uuid>, and has the StackSet's tags, which have the tags of the
stack that made it; the resource fails if an instance fails, and says why in at most 850 characters; deleting it deletes
the stacks, for which it needs the execution role too; a name that exists is refused; an update compares the template
with the one before, and creates no instance that somebody has deleted; an update and a deletion wait for an operation
that somebody else has begun.

Left out: service-managed permissions. A StackSet whose stack is deleted during its creation stops at once and is
deleted with the instances that are still being made: AWS documents nothing of that, and so functions have least time.
Source  https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-cloudformation
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlparse

from landing_zone.on_ministack import cloudformation as types
from landing_zone.on_ministack import stack_operations
from landing_zone.on_ministack.cloudformation import HandlerFailure, Properties, Provisioned
from landing_zone.on_ministack.internals import app, handlers, iam, iam_evaluator, provisioners, responses, s3
from landing_zone.on_ministack.internals import cloudformation as service

CREATE_ONLY = ("PermissionModel", "StackSetName")
UNMODELED = ("AutoDeployment",)
REASON_LENGTH = 850
TEMPLATE_BYTES = 1_000_000  # as an S3 object
PATIENCE_S = 3700  # real time: the longest that one custom resource may take, and a little
DEFAULT_ADMINISTRATION = "AWSCloudFormationStackSetAdministrationRole"
DEFAULT_EXECUTION = "AWSCloudFormationStackSetExecutionRole"
FAILED_CREATE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED")  # passed on the way to DELETE_*
SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
PATH_STYLE = re.compile(r"(s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com|localhost|127\.0\.0\.1)$")
VIRTUAL_HOST = re.compile(r"(?P<bucket>.+?)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com$")

Target = tuple[str, str]  # account, Region


@dataclass
class Operation:
    """An operation on a StackSet.

    results   why each target failed; an empty text if it did not
    """

    action: str
    id: str = field(default_factory=responses.new_uuid)
    begun: str = field(default_factory=responses.now_iso)
    results: dict[Target, str] = field(default_factory=dict)
    running: bool = True

    @property
    def status(self) -> str:
        if self.running:
            return "RUNNING"
        return "FAILED" if any(self.results.values()) else "SUCCEEDED"


@dataclass
class StackSet:
    name: str
    id: str
    properties: Properties
    instances: dict[Target, str] = field(default_factory=dict)  # name of the stack there
    operations: list[Operation] = field(default_factory=list)  # the newest first

    def begin(self, action: str, operation_id: str = "") -> Operation:
        self.operations.insert(0, Operation(action, operation_id or responses.new_uuid()))
        return self.operations[0]

    @property
    def is_busy(self) -> bool:
        return any(one.running for one in self.operations)


StackSets = dict[tuple[str, str, str], StackSet]
"""By account, Region and id."""


class InstanceFailure(Exception):
    """A stack instance could not be created, updated or deleted; the text says why."""


class StackSetType:
    def __init__(self) -> None:
        self.sets: StackSets = {}

    def create(self, _logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        name = properties["StackSetName"]
        if any(one.name == name for key, one in self.sets.items() if key[:2] == place_of_request()):
            raise HandlerFailure(f"StackSet {name} already exists", "AlreadyExists")
        body = checked_template(properties)
        made = StackSet(name, f"{name}:{responses.new_uuid()}", properties)
        self.sets[(*place_of_request(), made.id)] = made
        home = place_of_request()

        def cancelled() -> bool:
            with responses.request_scope(*home):
                return stack_operations.is_being_deleted(stack_name)

        try:
            self._deploy(made, body, _targets(properties), cancelled)
        except HandlerFailure as failure:
            failure.physical_id = made.id
            raise
        return made.id, {"StackSetId": made.id}

    def update(self, set_id: str, old: Properties, new: Properties, _stack_name: str) -> Provisioned:
        stack_set = self.sets.get((*place_of_request(), set_id))
        if stack_set is None:
            raise HandlerFailure(f"StackSet {set_id} not found", "NotFound")
        _wait_for_operation(stack_set)
        stack_set.properties = new
        body = checked_template(new)
        targets, before = _targets(new), _targets(old)
        self._remove(
            stack_set, [target for target in before if target in stack_set.instances and target not in targets]
        )
        # One that was in the template before, and that somebody deleted, is not created again.
        self._deploy(stack_set, body, [one for one in targets if one in stack_set.instances or one not in before])
        return set_id, {"StackSetId": set_id}

    def delete(self, set_id: str, _properties: Properties) -> None:
        stack_set = self.sets.get((*place_of_request(), set_id))
        if stack_set is None:
            return
        _wait_for_operation(stack_set)
        self._remove(stack_set, list(stack_set.instances))
        del self.sets[(*place_of_request(), set_id)]

    def _deploy(
        self, stack_set: StackSet, body: str, targets: list[Target], cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        operation = stack_set.begin("UPDATE" if stack_set.instances else "CREATE")
        bring_about(stack_set, operation, body, targets, cancelled)

    def _remove(self, stack_set: StackSet, targets: list[Target]) -> None:
        if targets:
            take_away(stack_set, stack_set.begin("DELETE"), targets, retain=False)


def _wait_for_operation(stack_set: StackSet) -> None:
    """Wait until no operation is in progress: AWS refuses the resource's own, and its handler tries again."""
    types.wait(lambda: not stack_set.is_busy, f"StackSet {stack_set.name} to be free", PATIENCE_S)


def bring_about(
    stack_set: StackSet,
    operation: Operation,
    body: str,
    targets: list[Target],
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Create or update the stack of each target with the properties of the StackSet."""
    request = _request(stack_set.properties, body)

    def deploy(target: Target) -> None:
        _assume(stack_set.properties, target[0])
        _bring_about(stack_set, target, request, cancelled)

    _carry_out(operation, targets, deploy)


def take_away(stack_set: StackSet, operation: Operation, targets: list[Target], retain: bool) -> None:
    """Take the instances out of the StackSet, and delete their stacks unless they are retained."""

    def remove(target: Target) -> None:
        if not retain:
            _assume(stack_set.properties, target[0])
            _delete_stack(stack_set.instances[target], target)
        del stack_set.instances[target]

    _carry_out(operation, targets, remove)


def own_tags(properties: Properties) -> list[dict[str, str]]:
    """Return the tags, except those that CloudFormation sets itself."""
    return [tag for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:")]


def _carry_out(operation: Operation, targets: list[Target], act: Callable[[Target], None]) -> None:
    """Act on each target, and note how it ended. Raises HandlerFailure with all that failed."""
    try:
        for target in targets:
            try:
                act(target)
                operation.results[target] = ""
            except InstanceFailure as failure:
                operation.results[target] = str(failure)
    finally:
        operation.running = False
    if operation.status == "FAILED":
        reasons = ", ".join(why for why in operation.results.values() if why)
        text = f"Stack set operation [{operation.id}] was unexpectedly stopped or failed. status reason(s): [{reasons}]"
        raise HandlerFailure(text[:REASON_LENGTH])


def install() -> StackSets:
    """Make the resource type known, and return where its StackSets are kept."""
    stack_sets = StackSetType()
    types.register("AWS::CloudFormation::StackSet", stack_sets, CREATE_ONLY)
    provisioners._STACK_TAG_PROPERTY["AWS::CloudFormation::StackSet"] = ("Tags", "list")
    resolve = handlers._resolve_template
    # The template of an instance is handed over as text, which may be longer than a request's TemplateBody.
    handlers._resolve_template = lambda params: (
        (params["StackSetTemplate"][0], None) if "StackSetTemplate" in params else resolve(params)
    )
    return stack_sets.sets


def place_of_request() -> Target:
    """Return the account and Region that the request under way is for."""
    return responses.get_account_id(), responses.get_region()


def _targets(properties: Properties) -> list[Target]:
    return [
        (str(account_id), region)
        for group in properties.get("StackInstancesGroup", [])
        for account_id in group["DeploymentTargets"]["Accounts"]
        for region in group["Regions"]
    ]


def checked_template(properties: Properties) -> str:
    """Return the template's text. Raises HandlerFailure for what AWS refuses before it touches an account."""
    if properties.get("PermissionModel") != "SELF_MANAGED" or any(name in properties for name in UNMODELED):
        raise NotImplementedError("Only stack sets with SELF_MANAGED permissions are emulated")
    if ("TemplateURL" in properties) == ("TemplateBody" in properties):
        raise HandlerFailure("Exactly one of TemplateBody and TemplateURL must be given", "InvalidRequest")
    body = properties["TemplateBody"] if "TemplateBody" in properties else _from_s3(properties["TemplateURL"])
    try:
        template = handlers._parse_template(body)
    except Exception as error:  # whatever the parser raises, CloudFormation words it so
        raise HandlerFailure(f"Template format error: {error}", "InvalidRequest") from error
    missing = handlers._missing_capabilities(
        set(properties.get("Capabilities", [])), handlers._required_iam_capabilities(template)
    )
    if missing:
        raise HandlerFailure(handlers._insufficient_capabilities_message(missing), "InvalidRequest")
    return str(body)


def _from_s3(url: str) -> str:
    """Return the object behind a template URL. Raises HandlerFailure unless this account owns it."""
    parsed = urlparse(url)
    host, path = parsed.hostname or "", unquote(parsed.path.lstrip("/"))
    if PATH_STYLE.match(host):
        bucket, _, key = path.partition("/")
    elif virtual := VIRTUAL_HOST.match(host):
        bucket, key = virtual["bucket"], path
    else:
        raise HandlerFailure(f"S3 error: Domain name specified in {host} is not a valid S3 domain", "InvalidRequest")
    if s3._bucket_owner_account(bucket) != responses.get_account_id():
        raise HandlerFailure("S3 error: Access Denied", "InvalidRequest")
    found = s3._get_object_data(bucket, key)
    if found is None:
        raise HandlerFailure("S3 error: The specified key does not exist.", "InvalidRequest")
    if len(found) > TEMPLATE_BYTES:
        raise HandlerFailure(f"Template may not exceed {TEMPLATE_BYTES} bytes in size.", "InvalidRequest")
    return str(found.decode())


def _assume(properties: Properties, account_id: str) -> None:
    """Raise InstanceFailure unless CloudFormation may assume the administration role, and that the execution role.

    Source  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-prereqs-self-managed.html
    """
    home = responses.get_account_id()
    execution = properties.get("ExecutionRoleName", DEFAULT_EXECUTION)
    administration = properties.get("AdministrationRoleARN", f"arn:aws:iam::{home}:role/{DEFAULT_ADMINISTRATION}")
    name = administration.rsplit("/", 1)[-1]
    administrator = iam._roles.get_scoped(home, None, name)
    if administrator is None or administrator["Arn"] != administration or not _trusts_cloudformation(administrator):
        raise InstanceFailure(
            f"Account {home} should have '{name}' role with trust relationship to CloudFormation service."
        )
    role = iam._roles.get_scoped(account_id, None, execution)
    if role is None or not _may_assume(administrator, role, home):
        raise InstanceFailure(
            f"Account {account_id} should have '{execution}' role with trust relationship to Role '{name}'."
        )


def _trusts_cloudformation(role: dict[str, Any]) -> bool:
    return '"cloudformation.amazonaws.com"' in str(role["AssumeRolePolicyDocument"])


def _may_assume(administrator: dict[str, Any], role: dict[str, Any], home: str) -> bool:
    context = iam_evaluator.EvalContext(
        principal_arn=administrator["Arn"],
        principal_type="AssumedRole",
        principal_account=home,
        action="sts:AssumeRole",
        resource_arn=role["Arn"],
        region=responses.get_region(),
    )
    allowed = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(administrator["RoleName"], home))
    trusted = iam_evaluator.evaluate_trust_policy(role["AssumeRolePolicyDocument"], administrator["Arn"], context)
    return bool(allowed.decision == "Allow" and trusted)


def _request(properties: Properties, body: str) -> dict[str, list[str]]:
    """Return the parameters of CreateStack or UpdateStack in the query protocol."""
    request = {"StackSetTemplate": [body]}
    for number, parameter in enumerate(properties.get("Parameters", []), 1):
        value = parameter["ParameterValue"]
        if not isinstance(value, str):
            raise HandlerFailure(f"ParameterValue of {parameter['ParameterKey']} must be a string", "InvalidRequest")
        request[f"Parameters.member.{number}.ParameterKey"] = [parameter["ParameterKey"]]
        request[f"Parameters.member.{number}.ParameterValue"] = [value]
    for number, tag in enumerate(own_tags(properties), 1):
        request[f"Tags.member.{number}.Key"] = [tag["Key"]]
        request[f"Tags.member.{number}.Value"] = [tag["Value"]]
    for number, capability in enumerate(properties.get("Capabilities", []), 1):
        request[f"Capabilities.member.{number}"] = [capability]
    return request


def _bring_about(
    stack_set: StackSet, target: Target, request: dict[str, list[str]], cancelled: Callable[[], bool]
) -> None:
    name = stack_set.instances.get(target)
    if name and _status(name, target) == "UPDATE_ROLLBACK_FAILED":
        raise InstanceFailure(f"Stack {name} is in UPDATE_ROLLBACK_FAILED state and can not be updated.")
    if name is None or _status(name, target) == "DELETE_COMPLETE":
        name = stack_set.instances[target] = f"StackSet-{stack_set.name}-{responses.new_uuid()}"
        answer = _call("CreateStack", {**request, "StackName": [name], "OnFailure": ["DELETE"]}, target)
    else:
        answer = _call("UpdateStack", {**request, "StackName": [name]}, target)
        if "No updates are to be performed" in answer:
            return
    if answer:
        raise InstanceFailure(answer)
    if _settle(name, target, cancelled) not in SETTLED:
        raise InstanceFailure(_reasons(name, target))


def _delete_stack(name: str, target: Target) -> None:
    if _status(name, target) == "DELETE_COMPLETE":
        return
    if answer := _call("DeleteStack", {"StackName": [name]}, target):
        raise InstanceFailure(answer)
    if _settle(name, target) != "DELETE_COMPLETE":
        raise InstanceFailure(_reasons(name, target, "DELETE_FAILED"))


def _call(action: str, request: dict[str, list[str]], target: Target) -> str:
    """Call CloudFormation in the target account. Return its error message, or an empty text."""

    async def asked(*_nothing: Any) -> Any:
        with responses.request_scope(*target):
            return handlers._ACTION_HANDLERS[action]({"Action": [action], **request})

    status, _, body = app.call_service_handler_sync(asked, "POST", "/", {}, b"", {})
    if status == 200:
        return ""
    found = re.search(r"<Message>(.*?)</Message>", body.decode(), re.DOTALL)
    return found[1] if found else body.decode()


def _settle(name: str, target: Target, cancelled: Callable[[], bool] = lambda: False) -> str:
    """Wait until the stack's operation has ended, and return its status. A failed creation deletes the stack.

    Raises HandlerFailure as soon as the StackSet's own stack is being deleted
    """

    def ended() -> bool:
        if cancelled():
            raise HandlerFailure(stack_operations.CREATION_CANCELLED)
        status = _status(name, target)
        return not status.endswith("_IN_PROGRESS") and status not in FAILED_CREATE

    types.wait(ended, f"stack {name} to settle", PATIENCE_S)
    return _status(name, target)


def _status(name: str, target: Target) -> str:
    stack = service._stacks.get_scoped(*target, name)
    return str(stack["StackStatus"]) if stack else "DELETE_COMPLETE"


def _reasons(name: str, target: Target, kind: str = "_FAILED") -> str:
    """Return the failed resources and their reasons, the cause first."""
    with responses.request_scope(*target):
        stack = service._stacks.get(name) or {}
        events = list(service._stack_events.get(stack.get("StackId"), []))
    return ", ".join(_told(events, kind)) or str(stack.get("StackStatusReason", ""))


def _told(events: list[dict[str, Any]], kind: str) -> Iterator[str]:
    started = [number for number, event in enumerate(events) if event.get("ResourceStatusReason") == "User Initiated"]
    for event in events[started[-1] if started else 0 :]:
        if event["ResourceStatus"].endswith(kind) and event["ResourceType"] != "AWS::CloudFormation::Stack":
            yield (
                f"ResourceLogicalId:{event['LogicalResourceId']}, ResourceType:{event['ResourceType']}, "
                f"ResourceStatusReason:{event['ResourceStatusReason']}"
            )
