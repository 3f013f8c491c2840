"""`make undo`: the report and the question before the deletion, the progress, and the report at the end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from commands import program, stack_options, undo
from commands.aws_cli import AwsCli
from ctipam.errors import Refused
from ctipam.pools.reserved import DESCRIPTION
from in_process import session_policies
from in_process.stand_in_cli import StandInCli

MANAGEMENT, NETWORKING, SHOP = "111111111111", "222222222222", "012345678901"
STACK_ID = f"arn:aws-us-gov:cloudformation:us-gov-west-1:{MANAGEMENT}:stack/ipam-controltower/1"
OF_NETWORKING = f"arn:aws-us-gov:cloudformation:us-gov-west-1:{NETWORKING}:stack/StackSet-ipam-controltower-1/2"


def stack(status: str, **more: Any) -> dict[str, Any]:
    parameters = [{"ParameterKey": "NetworkAccountId", "ParameterValue": NETWORKING}]
    found = {"StackName": "ipam-controltower", "StackId": STACK_ID, "StackStatus": status, "Parameters": parameters}
    return {"Stacks": [found | {"EnableTerminationProtection": True} | more]}


def event(number: int, status: str, resource: str = "Warning", reason: str = "") -> dict[str, Any]:
    return {
        "EventId": str(number),
        "LogicalResourceId": resource,
        "ResourceType": "Custom::Thing",
        "ResourceStatus": status,
        "Timestamp": f"2026-11-25T14:05:{number:02}.123Z",
        "ResourceStatusReason": reason,
    }


def newest_first(*events: dict[str, Any]) -> dict[str, Any]:
    return {"StackEvents": [*reversed(events)]}


def pool(pool_id: str, parent_id: str = "", locale: str = "None", tag: str = "ctipam:stack-id") -> dict[str, Any]:
    return {
        "IpamPoolId": pool_id,
        "SourceIpamPoolId": parent_id,
        "IpamArn": f"arn:aws-us-gov:ec2::{NETWORKING}:ipam/ipam-1",
        "Locale": locale,
        "State": "create-complete",
        "Description": f"about {pool_id}",
        "Tags": [{"Key": tag, "Value": OF_NETWORKING}],
    }


POOLS = {"IpamPools": [pool("top"), pool("west", "top", "us-gov-east-1"), pool("theirs", tag="other")]}
OF_TOP = {"Cidr": "10.0.0.0/16", "ResourceType": "ipam-pool", "ResourceId": "west", "ResourceOwner": NETWORKING}
VPC = {
    "Cidr": "10.0.0.0/24",
    "ResourceType": "vpc",
    "ResourceId": "vpc-1",
    "ResourceOwner": SHOP,
    "ResourceRegion": "us-gov-east-1",
}
RESERVED = {"Cidr": "10.0.8.0/24", "ResourceType": "custom", "Description": DESCRIPTION}
"""For ReservedCidrs, of this solution: the deletion releases it."""

OLD = event(1, "CREATE_FAILED", reason="long ago")
DELETING, DELETED = event(2, "DELETE_IN_PROGRESS"), event(3, "DELETE_COMPLETE")

ANSWERS: dict[str, list[Any]] = {
    "cloudformation describe-stacks": [
        stack("CREATE_COMPLETE"),
        stack("DELETE_IN_PROGRESS"),
        stack("DELETE_IN_PROGRESS"),
        stack("DELETE_COMPLETE"),
    ],
    "cloudformation describe-stack-events": [
        newest_first(OLD),
        newest_first(OLD),
        newest_first(OLD, DELETING),
        newest_first(OLD, DELETING, DELETED),
    ],
    "sts assume-role": [
        {"Credentials": {"AccessKeyId": "key", "SecretAccessKey": "secret", "SessionToken": "networking-token"}}
    ],
    "networking describe-stacks": [{"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}],
    "cloudformation list-stack-instances": [
        {"Summaries": [{"Account": NETWORKING, "StackId": OF_NETWORKING}, {"Account": NETWORKING}]}
    ],
    "ec2 describe-ipam-pools": [POOLS],
    "top": [{"IpamPoolAllocations": [OF_TOP]}],
    "west": [{"IpamPoolAllocations": [VPC, RESERVED]}],
}


@dataclass
class Cli(StandInCli):
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.answer()

    def answer(self, changed: dict[str, list[Any]] | None = None) -> None:
        """Replace some answers. Text is an error."""
        self.set_answers(ANSWERS | (changed or {}))

    def changes(self) -> list[str]:
        reads = ("describe-", "get-", "list-", "assume-")
        return [" ".join(command) for command, _ in self.calls() if not command[1].startswith(reads)]

    def undo(self, *words: str) -> bool:
        return undo.undo(stack_options.read("undo", words), AwsCli([str(self.path)], self.folder), self.slept.append)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    found = Cli(tmp_path / "bin")
    yield found
    found.calls()  # asserts that the AWS CLI would take them


def type_answer(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: print(question) or answer)


# By the id: while the question is open, somebody else may delete the stack, and deploy another under its name.
UNPROTECT = f"cloudformation update-termination-protection --stack-name {STACK_ID} --no-enable-termination-protection"
PROTECT = UNPROTECT.replace("--no-", "--")
DELETE = f"cloudformation delete-stack --stack-name {STACK_ID}"


def test_a_dry_run_reports_the_pools_that_would_stay_and_changes_nothing(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.undo("dry=yes")

    assert capfd.readouterr().out.splitlines()[:5] == [
        "2 of 2 pools of this solution would stay, because they are in use:",
        "  about top (top): a parent of a pool in use",
        "  about west (west): in use by",
        f"    VPC vpc-1, 10.0.0.0/24, account {SHOP}, us-gov-east-1",
        "  IPAM ipam-1 would stay: it still has pools.",
    ]
    assert cli.changes() == []


@pytest.mark.parametrize(
    ("management", "reason"),
    [
        (MANAGEMENT, f"There is no stack ipam-controltower in {MANAGEMENT} in eu-west-1; use the management account"),
        (MANAGEMENT, "If its deletion left pools behind, deploy it again first."),
        (SHOP, f"The credentials are of account {MANAGEMENT}, and the organization's management account is {SHOP}"),
    ],
    ids=["the management account", "after a deletion", "another account"],
)
def test_where_there_is_no_stack_the_account_and_the_region_are_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, management: str, reason: str
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    cli.answer(
        {
            "cloudformation describe-stacks": ["(ValidationError) Stack with id ipam-controltower does not exist"],
            "sts get-caller-identity": [{"Account": MANAGEMENT}],
            "organizations describe-organization": [{"Organization": {"MasterAccountId": management}}],
        }
    )

    with pytest.raises(Refused, match=reason):
        cli.undo("dry=yes")


def test_each_pool_is_read_in_its_region_with_a_read_only_session(cli: Cli) -> None:
    cli.undo("dry=yes")

    (assumed,) = [command for command, _ in cli.calls() if command[:2] == ["sts", "assume-role"]]
    options = dict(zip(assumed[2::2], assumed[3::2], strict=False))
    policy = session_policies.statements(json.loads(options["--policy"]))
    reads = [(command[1:6], token) for command, token in cli.calls() if command[0] == "ec2"]
    assert options["--role-arn"] == f"arn:aws-us-gov:iam::{NETWORKING}:role/AWSControlTowerExecution"
    assert options["--role-session-name"] == "undo"
    read = "cloudformation:DescribeStacks ec2:DescribeIpamPools ec2:GetIpamPoolAllocations ec2:GetIpamPoolCidrs"
    assert policy == [(read, "*", {})]
    assert {token for _, token in reads} == {"networking-token"}
    assert sorted(command[2] + " " + command[-1] for command, _ in reads[1:]) == [
        "us-gov-east-1 west",
        "us-gov-west-1 top",
    ]
    assert reads[0][0][:3] == ["describe-ipam-pools", "--region", "us-gov-west-1"]


def test_typing_the_stack_name_deletes_the_stack_and_shows_progress_and_leftovers(
    cli: Cli, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    type_answer(monkeypatch, "ipam-controltower")

    assert cli.undo()

    output = capfd.readouterr().out
    assert cli.changes() == [UNPROTECT, DELETE]
    assert "Delete the stack ipam-controltower? Type its name: " in output
    assert (
        output.index("would stay") < output.index("Type its name") < output.index("$ aws cloudformation delete-stack")
    )
    assert output[output.index("14:05:02") :].splitlines()[:4] == [
        "14:05:02  delete in progress: Warning (Custom::Thing)",
        "14:05:03  delete done: Warning (Custom::Thing)",
        "Stack ipam-controltower is deleted.",
        "Pools left in the Networking account: 2",
    ]
    waiting = "While a pool is in use, the deletion waits up to 40 minutes for it. Each event is shown here."
    assert output.index("delete-stack") < output.index(waiting) < output.index("14:05:02")
    assert "long ago" not in output
    assert "secret" not in output
    assert "networking-token" not in output
    assert cli.slept == [undo.POLL_EVERY_S] * 2


@pytest.mark.parametrize(("role", "code"), [([], 0), (["An error occurred (AccessDenied) ..."], 1)])
def test_the_exit_code_says_whether_the_stack_that_is_named_could_be_read(cli: Cli, role: list[Any], code: int) -> None:
    cli.answer({"sts assume-role": role or ANSWERS["sts assume-role"]})

    assert undo.main(["dry=yes", "stack=second", f"AWS={shlex.quote(str(cli.path))}"]) == code
    assert cli.calls()[0][0][:4] == ["cloudformation", "describe-stacks", "--stack-name", "second"]


@pytest.mark.parametrize("answer", ["", "yes", "ipam"])
def test_any_answer_except_the_stack_name_changes_nothing(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    type_answer(monkeypatch, answer)

    with pytest.raises(Refused, match="That is not the name ipam-controltower; nothing was changed"):
        cli.undo()

    assert cli.changes() == []


def test_the_command_refuses_to_run_without_a_terminal_unless_yes_is_given(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)

    with pytest.raises(Refused, match=r"There is no terminal to ask on.*add yes=yes"):
        cli.undo()
    assert cli.changes() == []

    cli.answer()
    assert cli.undo("yes=yes")
    assert cli.changes() == [UNPROTECT, DELETE]


def test_an_unprotected_stack_is_deleted_without_changing_its_protection(cli: Cli) -> None:
    unprotected = stack("ROLLBACK_COMPLETE", EnableTerminationProtection=False)
    cli.answer({"cloudformation describe-stacks": [unprotected, stack("DELETE_COMPLETE")]})

    assert cli.undo("yes=yes")

    assert cli.changes() == [DELETE]


@pytest.mark.parametrize(
    ("protected", "changes"), [(True, [UNPROTECT, DELETE, PROTECT]), (False, [DELETE])], ids=["protected", "not"]
)
def test_a_denied_deletion_leaves_the_stack_as_protected_as_it_was(
    cli: Cli, capfd: pytest.CaptureFixture[str], protected: bool, changes: list[str]
) -> None:
    found = stack("CREATE_COMPLETE", EnableTerminationProtection=protected)
    cli.answer({"cloudformation delete-stack": ["AccessDenied"], "cloudformation describe-stacks": [found]})

    with pytest.raises(Refused, match="`aws cloudformation delete-stack` failed"):
        cli.undo("yes=yes")

    assert cli.changes() == changes
    assert capfd.readouterr().out.count("$ aws cloudformation") == len(changes), "each is shown"


def test_a_failed_deletion_reports_the_first_failure(cli: Cli, capfd: pytest.CaptureFixture[str]) -> None:
    failed = event(4, "DELETE_FAILED", "ABucket", "The bucket is not empty")
    cli.answer(
        {
            "cloudformation describe-stacks": [stack("CREATE_COMPLETE"), stack("DELETE_FAILED")],
            "cloudformation describe-stack-events": [newest_first(OLD), newest_first(OLD, DELETING, failed)],
        }
    )

    assert not cli.undo("yes=yes")

    output = capfd.readouterr().out
    assert "14:05:04  delete failed: ABucket (Custom::Thing): The bucket is not empty" in output
    assert (
        "is DELETE_FAILED. First failure: ABucket (Custom::Thing) is DELETE_FAILED: The bucket is not empty" in output
    )
    assert "To try again, run make undo stack=ipam-controltower." in output
    assert (
        "delete-stack --stack-name ipam-controltower --deletion-mode FORCE_DELETE_STACK`, then deploy again" in output
    )
    assert "Pools left in the Networking account" in output


def test_a_deletion_in_progress_is_followed_without_a_question(cli: Cli, capfd: pytest.CaptureFixture[str]) -> None:
    """Its events are told, and not those of earlier operations, which may have failed for other reasons."""
    began = event(5, "DELETE_IN_PROGRESS", "ipam-controltower") | {"PhysicalResourceId": STACK_ID}
    events = newest_first(event(1, "UPDATE_FAILED"), event(4, "UPDATE_COMPLETE"), began, event(6, "DELETE_FAILED"))
    cli.answer(
        {
            "cloudformation describe-stacks": [stack("DELETE_IN_PROGRESS"), stack("DELETE_FAILED")],
            "cloudformation describe-stack-events": [events],
        }
    )

    assert not cli.undo()

    told = capfd.readouterr().out
    assert "is already being deleted" in told
    assert "update" not in told
    assert "First failure: Warning (Custom::Thing) is DELETE_FAILED" in told
    assert cli.changes() == []


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_FAILED", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_a_stack_that_only_failed_is_deleted_like_any_other(cli: Cli, status: str) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""
    cli.answer({"cloudformation describe-stacks": [stack(status), *ANSWERS["cloudformation describe-stacks"][1:]]})

    assert cli.undo("yes=yes")

    assert cli.changes() == [UNPROTECT, DELETE]


def test_a_protected_stack_of_the_pools_is_told_before_anything_is_deleted(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    """The deletion would take the pools from the accounts, and then fail. Some tools protect every stack.

    https://github.com/cloud-custodian/cloud-custodian/issues/5633
    """
    protected = {"StackStatus": "CREATE_COMPLETE", "EnableTerminationProtection": True}
    cli.answer({"networking describe-stacks": [{"Stacks": [protected]}]})
    told = (
        f"  Stack StackSet-ipam-controltower-1 in account {NETWORKING} has termination protection: the deletion would "
        "fail there, after it has taken the pools from the accounts. Run there first: `aws cloudformation "
        "update-termination-protection --no-enable-termination-protection --region us-gov-west-1 --stack-name "
        "StackSet-ipam-controltower-1`."
    )

    assert cli.undo("dry=yes")
    assert told in capfd.readouterr().out.splitlines()

    cli.answer({"networking describe-stacks": [{"Stacks": [protected]}]})
    with pytest.raises(Refused, match="Nothing was deleted: a stack has termination protection"):
        cli.undo("yes=yes")
    assert told in capfd.readouterr().out.splitlines()
    assert cli.changes() == []


def test_pools_that_aws_lists_without_tags_are_asked_for_again(cli: Cli, capfd: pytest.CaptureFixture[str]) -> None:
    """EC2 may leave tags out unless the request names one: it was said that there are no pools.

    https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html
    """
    untagged = [{name: row[name] for name in row if name != "Tags"} for row in POOLS["IpamPools"]]
    ours = {"IpamPools": [row for row in POOLS["IpamPools"] if row["IpamPoolId"] != "theirs"]}
    cli.undo("dry=yes")
    as_usual = capfd.readouterr().out

    cli.answer({"ec2 describe-ipam-pools": [{"IpamPools": untagged}, ours]})
    cli.undo("dry=yes")

    assert capfd.readouterr().out == as_usual
    asked = [command for command, _ in cli.calls() if command[1] == "describe-ipam-pools"]
    assert "Name=tag:ctipam:stack-id,Values=*" in asked[-1]


def without_stack_set(*answers: Any) -> dict[str, list[Any]]:
    """Return answers after somebody has deleted the StackSet.

    answers   of DescribeStacks: about the stack, and then about that of the pools
    """
    gone = "An error occurred (StackSetNotFoundException) when calling the ListStackInstances operation: not found"
    return {
        "cloudformation list-stack-instances": [gone],
        "cloudformation describe-stacks": [*answers],
        "networking describe-stacks": [],
    }


def test_pools_whose_stack_is_kept_without_a_stack_set_stay_and_their_stack_is_named(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    cli.answer(without_stack_set(stack("CREATE_COMPLETE"), stack("CREATE_COMPLETE")))

    assert cli.undo("dry=yes")

    (told,) = capfd.readouterr().out.splitlines()
    assert told.startswith(f"  Stays: 2 pools of stack StackSet-ipam-controltower-1 in account {NETWORKING}, which no ")
    assert told.endswith("delete-stack --region us-gov-west-1 --stack-name StackSet-ipam-controltower-1`.")


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "ROLLBACK_FAILED"])
def test_pools_whose_stack_is_gone_stay_until_they_are_adopted(
    cli: Cli, capfd: pytest.CaptureFixture[str], status: str
) -> None:
    cli.answer(without_stack_set(stack("ROLLBACK_COMPLETE"), stack(status)))

    assert cli.undo("dry=yes")

    (told,) = capfd.readouterr().out.splitlines()
    assert told.startswith("  Stays: 2 pools whose stack is gone. ")


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "DELETE_FAILED"])
def test_pools_stay_whose_stack_is_gone_although_the_stack_set_still_lists_it(
    cli: Cli, capfd: pytest.CaptureFixture[str], status: str
) -> None:
    cli.answer({"networking describe-stacks": [stack(status, EnableTerminationProtection=False)]})

    assert cli.undo("dry=yes")

    (told,) = capfd.readouterr().out.splitlines()
    assert told.startswith("  Stays: 2 pools whose stack is gone. ")


def test_a_tag_of_a_pool_that_is_no_arn_names_no_stack(cli: Cli, capfd: pytest.CaptureFixture[str]) -> None:
    """A released pool has one, and somebody's stack may have that name."""
    released = pool("top") | {"Tags": [{"Key": "ctipam:stack-id", "Value": "released"}]}
    cli.answer({"ec2 describe-ipam-pools": [{"IpamPools": [released]}]})

    assert cli.undo("dry=yes")

    (told,) = capfd.readouterr().out.splitlines()
    assert told.startswith("  Stays: 1 pool whose stack is gone. ")


def test_after_a_deletion_that_had_to_leave_a_stack_its_pools_are_told_apart(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    created = stack("CREATE_COMPLETE")
    cli.answer(without_stack_set(created, created, stack("DELETE_COMPLETE"), created))

    assert cli.undo("yes=yes")

    told = capfd.readouterr().out.splitlines()
    assert told[-1].startswith("  Stays: 2 pools of stack StackSet-ipam-controltower-1 in account ")
    assert "deploy again" not in told[-1]


def test_after_a_deletion_pools_whose_stack_is_gone_are_what_it_has_left(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    created, gone = stack("CREATE_COMPLETE"), stack("DELETE_COMPLETE")
    cli.answer(without_stack_set(created, created, gone, gone))

    assert cli.undo("yes=yes")

    assert "Pools left in the Networking account: 2" in capfd.readouterr().out.splitlines()


def test_a_stack_set_that_may_not_be_read_is_not_called_deleted(cli: Cli, capfd: pytest.CaptureFixture[str]) -> None:
    cli.answer({"cloudformation list-stack-instances": ["An error occurred (AccessDenied) ..."]})

    assert not cli.undo("dry=yes")

    assert "so what stays is unknown: An error occurred (AccessDenied)" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (stack("UPDATE_IN_PROGRESS"), "is UPDATE_IN_PROGRESS; wait until that has ended"),
        (stack("REVIEW_IN_PROGRESS", Parameters=[]), "it has a change set and no resources. To remove it, run"),
    ],
)
def test_a_stack_that_cannot_be_deleted_now_is_refused(cli: Cli, answer: dict[str, Any], reason: str) -> None:
    cli.answer({"cloudformation describe-stacks": [answer]})

    with pytest.raises(Refused, match=reason):
        cli.undo("yes=yes")

    assert cli.changes() == []


def test_the_deletion_continues_if_the_networking_account_cannot_be_read(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    cli.answer({"sts assume-role": ["An error occurred (AccessDenied) ..."]})

    assert not cli.undo("dry=yes")
    assert "so what stays is unknown: An error occurred (AccessDenied)" in capfd.readouterr().out

    cli.answer({"sts assume-role": ["An error occurred (AccessDenied) ..."]})
    assert cli.undo("yes=yes")


def test_a_pool_that_is_deleted_after_it_was_listed_has_no_allocations(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    cli.answer({"west": ["An error occurred (InvalidIpamPoolId.NotFound) ..."]})

    assert cli.undo("dry=yes")

    assert "No pool of this solution is in use" in capfd.readouterr().out


def test_a_region_that_cannot_be_read_is_reported(cli: Cli, capfd: pytest.CaptureFixture[str]) -> None:
    cli.answer({"west": ["An error occurred (AuthFailure) ..."]})

    assert not cli.undo("dry=yes")

    assert "unknown: west in us-gov-east-1: An error occurred (AuthFailure)" in capfd.readouterr().out


def test_progress_that_cannot_be_read_ends_with_the_command_to_continue(cli: Cli) -> None:
    cli.answer({"cloudformation describe-stacks": [stack("CREATE_COMPLETE"), "An error occurred (ExpiredToken) ..."]})

    with pytest.raises(Refused, match="continues without this command; run make undo stack=ipam-controltower"):
        cli.undo("yes=yes")


def test_an_interrupt_at_the_question_says_that_nothing_was_changed(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    type_answer(monkeypatch, "ipam-controltower")
    monkeypatch.setattr("builtins.input", interrupt)

    with pytest.raises(Refused, match="nothing was changed"):
        cli.undo()

    assert cli.changes() == []
    assert capfd.readouterr().out.endswith("\n\n"), "the message begins a line"


@pytest.mark.parametrize(
    ("interrupted", "says"),
    [
        ("undo.get_stack", False),
        ("undo.read_leftovers", False),
        ("undo.recent_events", True),
    ],
)
def test_only_an_interrupted_deletion_is_said_to_continue(
    cli: Cli,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    interrupted: str,
    says: bool,
) -> None:
    def interrupt(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"commands.{interrupted}", interrupt)
    cli.answer({"cloudformation describe-stacks": [stack("DELETE_IN_PROGRESS")]})

    with pytest.raises(KeyboardInterrupt):
        undo.main([f"AWS={shlex.quote(str(cli.path))}"])

    continues = (
        "CloudFormation continues a deletion that has started; to follow it: make undo stack=ipam-controltower\n"
        "If that finds no stack, the deletion has succeeded."
    )
    assert (continues in capfd.readouterr().err) == says
    assert cli.changes() == []


def test_an_interruption_while_the_deletion_is_sent_says_that_it_may_continue(
    cli: Cli, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: AwsCli, arguments: list[str]) -> None:
        if "delete-stack" in arguments:
            raise KeyboardInterrupt

    monkeypatch.setattr(AwsCli, "run", interrupted)

    with pytest.raises(KeyboardInterrupt):
        cli.undo("yes=yes")

    assert "to follow it: make undo stack=ipam-controltower" in capfd.readouterr().err


def test_a_terminal_shows_what_is_read_and_that_a_long_deletion_goes_on(
    cli: Cli, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "POLL_EVERY_S", 15.0)
    waits = [stack("DELETE_IN_PROGRESS")] * 12
    answers = {"cloudformation describe-stacks": [*waits, stack("DELETE_COMPLETE")]}
    cli.answer(answers)
    assert cli.undo()
    assert capfd.readouterr().err == ""

    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    cli.answer(answers)
    assert cli.undo()

    assert capfd.readouterr().err.splitlines() == [
        "Reading the stack ...",
        "Reading the pools, and what is allocated from them ...",
        "still deleting (60 s without an event)",
        "still deleting (120 s without an event)",
        "Reading the pools, and what is allocated from them ...",
    ]


def test_an_interruption_while_the_deletion_starts_leaves_the_stack_protected(
    cli: Cli, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = AwsCli.run

    def interrupted(self: AwsCli, arguments: list[str]) -> None:
        run(self, arguments)
        if "--no-enable-termination-protection" in arguments:
            raise KeyboardInterrupt

    monkeypatch.setattr(AwsCli, "run", interrupted)

    with pytest.raises(KeyboardInterrupt):
        cli.undo("yes=yes")

    assert cli.changes() == [UNPROTECT, PROTECT]
    assert "continues" not in capfd.readouterr().err


def test_a_reader_of_the_output_that_stops_leaves_the_stack_protected(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in `make undo yes=yes | head`."""
    run, lost = AwsCli.run, list[bool]()

    def unread(self: AwsCli, arguments: list[str]) -> None:
        if "delete-stack" in arguments:
            raise BrokenPipeError
        run(self, arguments)

    monkeypatch.setattr(AwsCli, "run", unread)
    monkeypatch.setattr(program, "discard_output", lambda: lost.append(True))

    with pytest.raises(BrokenPipeError):
        cli.undo("yes=yes")

    assert cli.changes() == [UNPROTECT, PROTECT]
    assert lost, "or the last command could not be printed, and would not run"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["dry=maybe"], "dry=maybe is neither yes nor no."),
        (["dry="], "dry= is neither yes nor no."),
        (["yes=1"], "yes=1 is neither yes nor no."),
        (["stak=x"], "stak is not an argument of make undo; use dry, stack, yes, AWS."),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_invalid_argument_is_refused_before_any_call_to_aws(cli: Cli, words: list[str], reason: str) -> None:
    with pytest.raises(Refused) as refused:
        cli.undo(*words)

    assert str(refused.value) == reason
    assert cli.calls() == []


def test_a_stack_of_another_solution_is_refused(cli: Cli) -> None:
    cli.answer({"cloudformation describe-stacks": [stack("CREATE_COMPLETE", Parameters=[])]})

    with pytest.raises(Refused, match="is not this solution's: it names no Networking account"):
        cli.undo("yes=yes")
