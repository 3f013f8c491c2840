"""Stack operations end as on AWS: failed deletions, cancelled and superseded requests, statuses, tags.

Sources  https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
         https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html
         https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requesttypes.html
         https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/852, 1508 and 1730
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from landing_zone.engine import Engine
from landing_zone.reading import eventually

MANAGEMENT, NETWORK = "111111111111", "222222222222"

# A custom resource that raises, waits for its gate, pauses, or fails, at the requests that its properties name. It
# notes each request, and the status of its own stack and the time at that moment, in an SQS queue.
CUSTOM = """
import boto3, cfnresponse, json, os, threading, time

def handler(event, context):
    request, wishes = event["RequestType"], event["ResourceProperties"]
    stack = boto3.client("cloudformation").describe_stacks(StackName=event["StackId"])["Stacks"][0]
    queue = boto3.client("sqs")
    note = {
        "request": request,
        "physical_id": event.get("PhysicalResourceId"),
        "status": stack["StackStatus"],
        "tags": {tag["Key"]: tag["Value"] for tag in stack["Tags"]},
        "wishes": wishes,
        "began": time.time(),
    }
    queue.send_message(QueueUrl=wishes["Queue"], MessageBody=json.dumps(note))
    if request in wishes.get("RaiseOn", ""):
        raise RuntimeError("no luck")
    gate = wishes["Gate"]
    while request in wishes.get("SlowOn", "") and not queue.list_queues(QueueNamePrefix=gate).get("QueueUrls"):
        threading.Event().wait(0.1)
    if request in wishes.get("PauseOn", ""):
        left = context.get_remaining_time_in_millis()
        time.sleep(600)
        paused = left - context.get_remaining_time_in_millis()
        queue.send_message(QueueUrl=wishes["Queue"], MessageBody=json.dumps({"request": request, "paused_ms": paused}))
    if request in wishes.get("FailOn", ""):
        cfnresponse.send(event, context, cfnresponse.FAILED, {}, "the-id", reason="still in use")
    else:
        cfnresponse.send(event, context, cfnresponse.SUCCESS, {}, event.get("PhysicalResourceId", "the-id"))
    queue.send_message(QueueUrl=wishes["Queue"], MessageBody=json.dumps({"request": request, "answered": True}))
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine.start(speed=1000) as engine:
        engine.set_up(MANAGEMENT, [{"name": "Infrastructure", "accounts": [{"id": NETWORK, "name": "network"}]}])
        yield engine


class Stack:
    """A stack with one custom resource, and the notes of its function."""

    def __init__(self, engine: Engine, name: str, account_id: str = MANAGEMENT) -> None:
        self.name = name
        self.cloudformation = engine.client("cloudformation", account_id)
        self._sqs = engine.client("sqs", account_id)
        self._gate = f"gate-of-{name}"
        self.queue: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]

    def template(self, **wishes: str) -> str:
        return json.dumps(template(Queue=self.queue, Gate=self._gate, **wishes))

    def create(self, tags: dict[str, str] | None = None, **wishes: str) -> None:
        self.id = self.cloudformation.create_stack(
            StackName=self.name,
            TemplateBody=self.template(**wishes),
            Capabilities=["CAPABILITY_IAM"],
            Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        )["StackId"]

    def update(self, **wishes: str) -> None:
        self.cloudformation.update_stack(
            StackName=self.name, TemplateBody=self.template(**wishes), Capabilities=["CAPABILITY_IAM"]
        )

    def change_set(self, name: str, kind: str, **wishes: str) -> dict[str, Any]:
        made: dict[str, Any] = self.cloudformation.create_change_set(
            StackName=self.name,
            ChangeSetName=name,
            ChangeSetType=kind,
            TemplateBody=self.template(**wishes),
            Capabilities=["CAPABILITY_IAM"],
        )
        self.id = made["StackId"]
        return made

    def execute(self, change_set: dict[str, Any]) -> None:
        self.cloudformation.execute_change_set(StackName=self.name, ChangeSetName=change_set["Id"])

    def delete(self, **how: Any) -> None:
        self.cloudformation.delete_stack(StackName=self.name, **how)

    def open_gate(self) -> None:
        """Let the waiting functions continue."""
        self._sqs.create_queue(QueueName=self._gate)

    def describe(self) -> dict[str, Any]:
        stack: dict[str, Any] = self.cloudformation.describe_stacks(StackName=self.id)["Stacks"][0]
        return stack

    def end(self) -> str:
        eventually(lambda: not self.describe()["StackStatus"].endswith("_IN_PROGRESS"))
        return str(self.describe()["StackStatus"])

    def left(self) -> set[str]:
        resources = self.cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        return {one["LogicalResourceId"] for one in resources}

    def reasons(self) -> str:
        events = self.cloudformation.describe_stack_events(StackName=self.id)["StackEvents"]
        return " ".join(one.get("ResourceStatusReason", "") for one in events)

    def notes(self, count: int = 0) -> list[dict[str, Any]]:
        """Wait for at least `count` new notes of the function, and return all new notes in order."""
        found: list[dict[str, Any]] = []

        def received() -> bool:
            answer = self._sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
            for message in answer.get("Messages", []):
                found.append(json.loads(message["Body"]))
                self._sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
            return len(found) >= count

        eventually(received)
        return found


def template(**wishes: str) -> dict[str, Any]:
    def statements(*actions: str) -> dict[str, Any]:
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}

    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    allowed = statements("cloudformation:DescribeStacks", "sqs:SendMessage", "sqs:ListQueues")
    return {
        "Resources": {
            "Role": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                    "Policies": [{"PolicyName": "p", "PolicyDocument": allowed}],
                },
            },
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "index.handler",
                    "Timeout": 900,
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": CUSTOM},
                },
            },
            "Wished": {
                "Type": "Custom::Wish",
                "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}, **wishes},
            },
        }
    }


def requests(notes: list[dict[str, Any]]) -> list[str]:
    return [note["request"] for note in notes if "status" in note]


def test_a_failed_delete_takes_the_function_away_and_can_only_be_ended_by_retaining_the_resource(
    engine: Engine,
) -> None:
    stack = Stack(engine, "fails-to-delete")
    stack.create(FailOn="Delete")
    assert stack.end() == "CREATE_COMPLETE"

    stack.delete()
    assert stack.end() == "DELETE_FAILED"
    assert "still in use" in stack.reasons()
    assert stack.left() == {"Wished"}

    stack.delete()
    assert stack.end() == "DELETE_FAILED"
    assert "ServiceToken" in stack.reasons()
    assert "not found" in stack.reasons()

    stack.delete(RetainResources=["Wished"])
    assert stack.end() == "DELETE_COMPLETE"


def test_a_forced_deletion_leaves_what_failed_and_needs_a_failed_deletion(engine: Engine) -> None:
    stack = Stack(engine, "forced")
    stack.create(FailOn="Delete")
    stack.end()
    with pytest.raises(ClientError, match="only when the stack is in the DELETE_FAILED state"):
        stack.delete(DeletionMode="FORCE_DELETE_STACK")

    stack.delete()
    assert stack.end() == "DELETE_FAILED"
    stack.delete(DeletionMode="FORCE_DELETE_STACK")
    assert stack.end() == "DELETE_COMPLETE"


def test_a_stack_is_not_deleted_while_its_termination_protection_is_on(engine: Engine) -> None:
    stack = Stack(engine, "protected")
    stack.create()
    stack.end()
    protect = stack.cloudformation.update_termination_protection
    protect(StackName=stack.name, EnableTerminationProtection=True)
    assert stack.describe()["EnableTerminationProtection"]
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        stack.delete()
    assert stack.describe()["StackStatus"] == "CREATE_COMPLETE"

    protect(StackName=stack.name, EnableTerminationProtection=False)
    stack.delete()
    assert stack.end() == "DELETE_COMPLETE"


def test_a_stack_that_is_deleted_during_its_creation_sends_delete_while_the_function_still_works(
    engine: Engine,
) -> None:
    stack = Stack(engine, "deleted-early")
    stack.create(SlowOn="Create")
    [first] = stack.notes(1)

    stack.delete()
    assert stack.describe()["StackStatus"] == "DELETE_IN_PROGRESS"
    [second, *notes] = stack.notes(1)

    assert (first["request"], first["status"]) == ("Create", "CREATE_IN_PROGRESS")
    assert (second["request"], second["status"]) == ("Delete", "DELETE_IN_PROGRESS")
    assert second["physical_id"] not in ("the-id", None)  # CloudFormation invents one: there was no answer
    assert {"request": "Create", "answered": True} not in notes  # the gate is closed
    assert stack.end() == "DELETE_COMPLETE"
    assert "Resource creation cancelled" in stack.reasons()
    assert "ROLLBACK" not in {event["ResourceStatus"].split("_")[0] for event in events(stack)}


def test_a_late_answer_to_a_cancelled_request_is_ignored(engine: Engine) -> None:
    stack = Stack(engine, "late-answer")
    stack.create()
    stack.end()
    stack.notes(2)
    stack.update(SlowOn="Update", FailOn="Update", Wish="new")
    stack.notes(1)

    stack.cloudformation.cancel_update_stack(StackName=stack.name)

    [back, *notes] = stack.notes(1)
    assert (back["request"], back["status"]) == ("Update", "UPDATE_ROLLBACK_IN_PROGRESS")
    assert "Wish" not in back["wishes"]
    assert stack.end() == "UPDATE_ROLLBACK_COMPLETE"
    assert "Resource update cancelled" in stack.reasons()
    stack.open_gate()
    assert len([*notes, *stack.notes(2 - len(notes))]) == 2  # the first function too has answered now: FAILED
    assert stack.describe()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "still in use" not in stack.reasons()


def test_a_stack_is_not_deleted_while_it_is_updated(engine: Engine) -> None:
    stack = Stack(engine, "updating")
    stack.create()
    stack.end()
    stack.update(SlowOn="Update")

    with pytest.raises(ClientError, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        stack.delete()
    stack.open_gate()
    assert stack.end() == "UPDATE_COMPLETE"


def test_of_two_change_sets_that_create_one_stack_only_one_is_executed(engine: Engine) -> None:
    stack = Stack(engine, "created-twice")
    first, second = stack.change_set("first", "CREATE", SlowOn="Create"), stack.change_set("second", "CREATE")
    assert first["StackId"] == second["StackId"] == stack.id

    stack.execute(first)

    with pytest.raises(ClientError, match="does not exist"):
        stack.execute(second)
    with pytest.raises(ClientError, match="already exists and cannot be created again with the changeSet"):
        stack.change_set("third", "CREATE")
    stack.open_gate()
    assert stack.end() == "CREATE_COMPLETE"


def test_a_change_set_that_is_refused_leaves_the_stack_that_another_would_create(engine: Engine) -> None:
    stack = Stack(engine, "refused")
    first = stack.change_set("first", "CREATE")

    with pytest.raises(ClientError, match="Template format error"):
        stack.cloudformation.create_change_set(
            StackName=stack.name, ChangeSetName="second", ChangeSetType="CREATE", TemplateBody="[", Capabilities=[]
        )

    stack.execute(first)
    assert stack.end() == "CREATE_COMPLETE"


def test_a_change_set_that_would_create_what_exists_fails_and_its_arn_says_why(engine: Engine) -> None:
    engine.client("ssm", MANAGEMENT).put_parameter(Name="/taken/notices", Value="none", Type="String")
    properties = {"Name": {"Fn::Sub": "/${AWS::StackName}/notices"}, "Type": "String", "Value": "none"}
    content = {"Resources": {"Notices": {"Type": "AWS::SSM::Parameter", "Properties": properties}}}
    cloudformation = engine.client("cloudformation", MANAGEMENT)

    made = cloudformation.create_change_set(
        StackName="taken", ChangeSetName="first", ChangeSetType="CREATE", TemplateBody=json.dumps(content)
    )

    [row] = cloudformation.list_change_sets(StackName="taken")["Summaries"]
    assert (row["ChangeSetId"], row["Status"], row["ExecutionStatus"]) == (made["Id"], "FAILED", "UNAVAILABLE")
    assert "use the DescribeEvents API" in row["StatusReason"]
    [found] = cloudformation.describe_events(ChangeSetName=made["Id"])["OperationEvents"]
    assert found["LogicalResourceId"] == "Notices"
    assert found["ValidationStatusReason"] == (
        "Resource of type 'AWS::SSM::Parameter' with identifier '/taken/notices' already exists."
    )


def test_a_change_set_for_a_stack_whose_operation_has_not_ended_is_refused(engine: Engine) -> None:
    stack = Stack(engine, "changed-meanwhile")
    stack.execute(stack.change_set("first", "CREATE"))
    stack.end()
    earlier = stack.change_set("earlier", "UPDATE", Wish="another")
    stack.update(SlowOn="Update", Wish="new")

    with pytest.raises(ClientError, match="is in UPDATE_IN_PROGRESS state and can not be updated"):
        stack.change_set("late", "UPDATE", Wish="late")
    with pytest.raises(ClientError, match="OBSOLETE"):
        stack.execute(earlier)
    stack.open_gate()
    assert stack.end() == "UPDATE_COMPLETE"


def test_a_function_sees_the_status_of_its_stack_at_each_request(engine: Engine) -> None:
    stack = Stack(engine, "statuses")
    stack.create(FailOn="Create")
    assert stack.end() == "ROLLBACK_COMPLETE"
    assert seen(stack) == [("Create", "CREATE_IN_PROGRESS"), ("Delete", "ROLLBACK_IN_PROGRESS")]
    stack.delete()
    stack.end()

    stack.create()
    stack.end()
    stack.update(FailOn="Update", Wish="new")
    assert stack.end() == "UPDATE_ROLLBACK_COMPLETE"
    assert seen(stack) == [
        ("Create", "CREATE_IN_PROGRESS"),
        ("Update", "UPDATE_IN_PROGRESS"),
        ("Update", "UPDATE_ROLLBACK_IN_PROGRESS"),
    ]

    without = json.loads(stack.template())
    del without["Resources"]["Wished"]
    stack.cloudformation.update_stack(
        StackName=stack.name, TemplateBody=json.dumps(without), Capabilities=["CAPABILITY_IAM"]
    )
    assert stack.end() == "UPDATE_COMPLETE"
    assert seen(stack) == [("Delete", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")]


def test_a_function_reads_the_tags_of_its_stack(engine: Engine) -> None:
    stack = Stack(engine, "tagged")
    stack.create(tags={"CostCenter": "42"})
    stack.end()

    assert stack.notes(1)[0]["tags"] == {"CostCenter": "42"}


def test_describing_a_stack_takes_permission(engine: Engine) -> None:
    stack = Stack(engine, "permission")
    document = json.loads(stack.template())
    policy = document["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    policy["Statement"][0]["Resource"] = "arn:aws:cloudformation:*:*:stack/another/*"
    document["Resources"]["Wished"]["Properties"]["ServiceTimeout"] = "2"
    stack.id = stack.cloudformation.create_stack(
        StackName=stack.name, TemplateBody=json.dumps(document), Capabilities=["CAPABILITY_IAM"], OnFailure="DO_NOTHING"
    )["StackId"]

    assert stack.end() == "CREATE_FAILED"  # the function could neither read nor answer


def test_a_function_that_raises_is_tried_again_and_the_resource_fails_after_service_timeout(engine: Engine) -> None:
    stack = Stack(engine, "raises")
    stack.create(RaiseOn="Create", ServiceTimeout="8")
    assert stack.end() == "ROLLBACK_COMPLETE"
    assert requests(stack.notes(4)) == ["Create"] * 3 + ["Delete"]
    assert "did not receive a response from your Custom Resource" in stack.reasons()


def test_the_pause_of_a_function_is_short_and_counts_in_full_also_for_the_next_invocation(engine: Engine) -> None:
    stack, began = Stack(engine, "pause"), time.monotonic()
    stack.create(PauseOn="Create")
    assert stack.end() == "CREATE_COMPLETE"
    stack.delete()
    assert stack.end() == "DELETE_COMPLETE"

    created, pause, _, deleted, *_ = stack.notes(4)
    assert 600_000 <= pause["paused_ms"] < 660_000
    assert deleted["began"] - created["began"] > 600
    assert time.monotonic() - began < 60


def test_a_function_that_pauses_beyond_its_timeout_is_killed(engine: Engine) -> None:
    stack, lambdas = Stack(engine, "killed"), engine.client("lambda", MANAGEMENT)
    stack.create()
    assert stack.end() == "CREATE_COMPLETE"
    (function,) = [one for one in lambdas.list_functions()["Functions"] if "killed" in one["FunctionName"]]
    stack.notes(1)
    wishes = {"Queue": stack.queue, "Gate": "none", "PauseOn": "Update"}
    event = {"RequestType": "Update", "StackId": stack.id, "ResourceProperties": wishes}

    lambdas.update_function_configuration(FunctionName=function["FunctionName"], Timeout=599)
    answer = lambdas.invoke(FunctionName=function["FunctionName"], Payload=json.dumps(event))

    assert "FunctionError" in answer
    assert "paused_ms" not in json.dumps(stack.notes(1))


def test_an_answer_after_service_timeout_is_too_late_in_the_functions_own_time(engine: Engine) -> None:
    stack = Stack(engine, "late")
    stack.create(PauseOn="Create", ServiceTimeout="590")
    assert stack.end() == "ROLLBACK_COMPLETE"
    assert "did not receive a response from your Custom Resource" in stack.reasons()


def seen(stack: Stack) -> list[tuple[str, str]]:
    return [(note["request"], note["status"]) for note in stack.notes() if "status" in note]


def events(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.cloudformation.describe_stack_events(StackName=stack.id)["StackEvents"]
    return found
