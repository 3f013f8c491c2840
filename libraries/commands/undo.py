"""`make undo`: say what the deletion of the stack would leave behind, ask, delete the stack, and say what is left.

    make undo                 ask before the deletion
    make undo dry=yes         only say what would stay, and why
    make undo yes=yes         delete without a question, for scripts

    stack=ipam-controltower   the name of the stack
    AWS=aws                   your AWS CLI; without it, the one that make installs

Uses credentials of the management account, in Control Tower's home Region. To read the pools, it assumes
AWSControlTowerExecution in the Networking account with a session policy that only allows reading.

A pool from which a VPC has its addresses stays, with its parent pools and the IPAM; the deletion succeeds all the same.
So do all pools if somebody has deleted their stack, or the StackSet without that stack, which must then be deleted by
hand.
If the command is interrupted, CloudFormation continues on its own; `make undo` again follows the deletion.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from commands import make_words, program, stack_options, terminal
from commands.arguments import ROOT, STACK, yes_or_no
from commands.aws_cli import AwsCli, AwsCliError, assume_role, chosen_aws_cli
from commands.described_stack import find_stack, get_stack
from commands.leftovers import (
    Allocation,
    Leftovers,
    Pool,
    Stray,
    describe_after,
    describe_before,
    find_leftovers,
    pools_of_others,
    to_allocation,
    to_pools,
)
from commands.stack_events import (
    before_deletion,
    failure_text,
    first_failure,
    new_events,
    recent_events,
    to_line,
)
from commands.stack_state import REVIEWED, force_deletion, refuse_stack_of_others
from ctipam.cloudformation.described import has_functions, is_stack_arn, parameters_of, split_arn
from ctipam.errors import Refused
from ctipam.ipam.listing import with_hidden_tags
from ctipam.names import STACK_TAG, execution_role_arn
from ctipam.pools.reserved import is_reservation

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "ReadPoolsAndStacks",
            "Effect": "Allow",
            "Action": [
                "cloudformation:DescribeStacks",
                "ec2:DescribeIpamPools",
                "ec2:GetIpamPoolAllocations",
                "ec2:GetIpamPoolCidrs",
            ],
            "Resource": "*",
        }
    ],
}
"""The session policy. The role itself is an administrator."""

CONCURRENT_READS = 8
POLL_EVERY_S = 5.0
REMARK_EVERY_S = 60.0


def main(words: Sequence[str], root: Path = ROOT) -> int:
    options = stack_options.read("undo", words)
    return 0 if undo(options, chosen_aws_cli(options, root)) else 1


def undo(options: Mapping[str, str], aws: AwsCli, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Delete the stack, or only say what would stay. Return whether it succeeded. Raises Refused.

    sleep   waits between two looks at the stack, seconds
    """
    dry, sure = yes_or_no(options, "dry"), yes_or_no(options, "yes")
    with terminal.progress() as progress:
        progress("the stack")
        stack = get_stack(aws, options.get("stack", STACK))
    name, stack_id, status = stack["StackName"], stack["StackId"], stack["StackStatus"]
    if status == REVIEWED:
        raise Refused(
            f"Stack {name} is {REVIEWED}: it has a change set and no resources. To remove it, run "
            f"`aws cloudformation delete-stack --stack-name {name}`."
        )
    network_account_id = _network_account_id(stack)
    leftovers = _print_leftovers(aws, stack_id, network_account_id, ended=False)
    if dry:
        return leftovers is not None
    if status == "DELETE_IN_PROGRESS":
        print(f"Stack {name} is already being deleted.")
        with _saying_how_to_follow(name):
            earlier = before_deletion(_events(aws, stack_id, name), stack_id)
        seen = {event["EventId"] for event in earlier}
    elif status.endswith("_IN_PROGRESS"):
        raise Refused(f"Stack {name} is {status}; wait until that has ended, and try again.")
    else:
        if leftovers and leftovers.protected:
            raise Refused("Nothing was deleted: a stack has termination protection, see above.")
        if not sure:
            _confirm(name)
        seen = {event["EventId"] for event in _events(aws, stack_id, name)}
        _start_deletion(aws, name, stack_id, protected=bool(stack.get("EnableTerminationProtection")))
    print("While a pool is in use, the deletion waits up to 40 minutes for it. Each event is shown here.")
    with _saying_how_to_follow(name):
        deleted = _follow(aws, name, stack_id, seen, sleep)
    _print_leftovers(aws, stack_id, network_account_id, ended=True)
    return deleted


def _network_account_id(stack: Mapping[str, Any]) -> str:
    parameters = parameters_of(stack)
    refuse_stack_of_others(stack["StackName"], parameters)
    return str(parameters["NetworkAccountId"])


def _print_leftovers(aws: AwsCli, stack_id: str, network_account_id: str, *, ended: bool) -> Leftovers | None:
    """Print what stays, and return it. Return None, and print why, if the Networking account cannot be read."""
    try:
        with terminal.progress() as progress:
            progress("the pools, and what is allocated from them")
            leftovers = read_leftovers(aws, stack_id, network_account_id, ended=ended)
    except AwsCliError as error:
        terminal.show([f"Cannot read the pools in account {network_account_id}, so what stays is unknown: {error}"])
        return None
    terminal.show(describe_after(leftovers) if ended else describe_before(leftovers))
    return leftovers


def read_leftovers(aws: AwsCli, stack_id: str, network_account_id: str, *, ended: bool) -> Leftovers:
    """Return what a deletion leaves behind, as of now. Raises AwsCliError.

    stack_id   arn:aws:cloudformation:us-east-1:111122223333:stack/name/...
    ended      the deletion has ended: pools whose stack is gone are what it has left
    """
    partition, home, *_ = split_arn(stack_id)
    networking = assume_role(aws, execution_role_arn(partition, network_account_id), "undo", POLICY)
    rows = _list_pools(networking, home)
    find = functools.cache(lambda one: _find(networking, one, home))
    deleted = {one: find(one) for one in sorted(_stacks_of_stack_set(aws, stack_id))}
    others = pools_of_others(rows, [one for one, found in deleted.items() if has_functions(found)])
    strays = [Stray(one, number, has_functions(find(one))) for one, number in others.items()]
    if ended:
        strays = [stray for stray in strays if stray.lives]
    pools = to_pools(rows, {one.stack_id for one in strays})
    ours = [pool for pool in pools if pool.ours]
    with ThreadPoolExecutor(CONCURRENT_READS) as workers:
        parts = workers.map(lambda pool: _allocations(networking, pool, home), ours)
        allocations = [allocation for part in parts for allocation in part]
    protected = [one for one, found in deleted.items() if found and found.get("EnableTerminationProtection")]
    return replace(find_leftovers(pools, allocations, strays), protected=tuple(protected))


def _list_pools(networking: AwsCli, region: str) -> list[dict[str, Any]]:
    """Return the pools as AWS lists them."""

    def ask(*options: str) -> list[dict[str, Any]]:
        return list(networking.ask("ec2", "describe-ipam-pools", "--region", region, *options)["IpamPools"])

    return with_hidden_tags(ask(), lambda: ask("--filters", f"Name=tag:{STACK_TAG},Values=*"))


def _stacks_of_stack_set(aws: AwsCli, stack_id: str) -> set[str]:
    """Return the ARNs of the stacks that are deleted with the stack: none if somebody has deleted the StackSet."""
    stack = split_arn(stack_id)
    options = ["--region", stack.region, "--stack-set-name", f"{stack.name}-networking"]
    try:
        answer = aws.ask("cloudformation", "list-stack-instances", *options)
    except AwsCliError as error:
        if error.has_code("StackSetNotFoundException"):
            return set()
        raise
    return {instance["StackId"] for instance in answer["Summaries"] if instance.get("StackId")}


def _find(networking: AwsCli, stack_id: str, region: str) -> dict[str, Any] | None:
    """Return a stack in the Networking account; None if it does not exist. stack_id: its ARN, or what a tag says."""
    return find_stack(networking, stack_id, "--region", region) if is_stack_arn(stack_id) else None


def _allocations(networking: AwsCli, pool: Pool, home: str) -> list[Allocation]:
    """Return the allocations of a pool, which only its locale Region knows.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetIpamPoolAllocations.html
    """
    region = pool.locale or home
    options = ["--region", region, "--ipam-pool-id", pool.pool_id]
    try:
        answer = networking.ask("ec2", "get-ipam-pool-allocations", *options)
    except AwsCliError as error:
        if error.has_code("InvalidIpamPoolId.NotFound"):  # deleted since it was listed
            return []
        raise AwsCliError(f"{pool.pool_id} in {region}: {error}") from None
    rows = answer["IpamPoolAllocations"]
    return [to_allocation(pool.pool_id, row, region) for row in rows if not is_reservation(row)]


def _confirm(name: str) -> None:
    """Raise Refused unless the user types the name of the stack."""
    if not sys.stdin.isatty():
        raise Refused(f"There is no terminal to ask on. To delete stack {name} without a question, add yes=yes.")
    try:
        answer = input(f"Delete the stack {name}? Type its name: ")
    except EOFError:
        answer = ""
    except KeyboardInterrupt:
        print()
        raise Refused("Interrupted at the question; nothing was changed.") from None
    if answer.strip() != name:
        raise Refused(f"That is not the name {name}; nothing was changed.")


def _start_deletion(aws: AwsCli, name: str, stack_id: str, protected: bool) -> None:
    """Start the deletion. Switch termination protection on again if CloudFormation does not accept it."""
    # by its id: while the question was open, somebody else may have deployed another stack under the name
    protection = ["cloudformation", "update-termination-protection", "--stack-name", stack_id]
    try:
        if protected:
            aws.run([*protection, "--no-enable-termination-protection"])
        with _saying_how_to_follow(name):
            aws.run(["cloudformation", "delete-stack", "--stack-name", stack_id])
    except (Refused, KeyboardInterrupt, BrokenPipeError) as error:
        if isinstance(error, BrokenPipeError):
            program.discard_output()
        if protected:
            with suppress(Refused):  # if the deletion has started all the same
                aws.run([*protection, "--enable-termination-protection"])
        raise


@contextmanager
def _saying_how_to_follow(name: str) -> Iterator[None]:
    """Say that the deletion goes on if the command is interrupted meanwhile."""
    try:
        yield
    except (KeyboardInterrupt, BrokenPipeError):
        command = f"make undo stack={name}"
        print(
            f"\nCloudFormation continues a deletion that has started; to follow it: {command}\n"
            "If that finds no stack, the deletion has succeeded.",
            file=sys.stderr,
        )
        raise


def _follow(aws: AwsCli, name: str, stack_id: str, seen: set[str], sleep: Callable[[float], None]) -> bool:
    """Print the events of the deletion until it ends. Return whether the stack is deleted."""
    events: list[Mapping[str, Any]] = []
    silent_s = 0.0
    while True:
        status = _status(aws, name, stack_id)  # before the events, so that they are complete when it has ended
        latest = new_events(_events(aws, stack_id, name), seen)
        for event in latest:
            terminal.show([to_line(event)])
        seen |= {event["EventId"] for event in latest}
        events += latest
        if not status.endswith("_IN_PROGRESS"):
            break
        silent_s = 0 if latest else silent_s + POLL_EVERY_S
        if silent_s and silent_s % REMARK_EVERY_S == 0:
            terminal.remark(f"still deleting ({silent_s:.0f} s without an event)")
        sleep(POLL_EVERY_S)
    if status == "DELETE_COMPLETE":
        print(f"Stack {name} is deleted.")
        return True
    failure = first_failure(events)
    reason = f" First failure: {failure_text(failure)}" if failure else ""
    terminal.show([f"Stack {name} is {status}.{reason}", f"To try again, run make undo stack={name}."])
    if status == "DELETE_FAILED":
        print(f"If that fails too: {force_deletion(name)}")
    return False


def _status(aws: AwsCli, name: str, stack_id: str) -> str:
    try:
        # by its id: a deleted stack has no name
        (stack,) = aws.ask("cloudformation", "describe-stacks", "--stack-name", stack_id)["Stacks"]
    except AwsCliError as error:
        raise _cannot_follow(name, error) from None
    return str(stack["StackStatus"])


def _events(aws: AwsCli, stack_id: str, name: str) -> list[dict[str, Any]]:
    try:
        return recent_events(aws, stack_id)
    except AwsCliError as error:
        raise _cannot_follow(name, error) from None


def _cannot_follow(name: str, error: AwsCliError) -> Refused:
    return Refused(
        f"Cannot read the progress of stack {name}: {error}. A deletion that has started continues without this "
        f"command; run make undo stack={name} to follow it."
    )


if __name__ == "__main__":
    program.run(lambda: main(make_words.read("undo", stack_options.KNOWN["undo"])))
