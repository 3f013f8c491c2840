"""The messages about what the deletion of a stack has left behind, and what an update had to keep."""

from __future__ import annotations

from collections.abc import Sequence

from ctipam.cloudformation.described import split_arn
from ctipam.messages import Message, ascii_title, listed

WHAT_TO_DO = (
    "What to do: delete what is in use, for example the VPCs named above. Then deploy the solution again, which takes "
    "over what was left, and delete it; or delete the pools and the IPAM by hand."
)


def message(stack_id: str, resource_type: str, left: Sequence[str]) -> Message:
    """Return what a person has to know about what was left behind.

    stack_id   ARN of the stack
    left       what was left and why, a sentence each
    """
    title = f"Left behind by the deletion of stack {split_arn(stack_id).name}"
    head = f"The stack {stack_id} is being deleted. Its {resource_type} has left this behind:"
    return Message(ascii_title(title), "\n\n".join([head, listed(left), WHAT_TO_DO]))


def message_of_update(stack_id: str, kept: Sequence[str]) -> Message:
    """Return what a person has to know about what an update should have removed and had to keep."""
    title = f"Not removed by the update of stack {split_arn(stack_id).name}"
    head = f"The update of stack {stack_id} could not remove everything that is no longer wanted:"
    what_to_do = (
        "What to do: delete what is in use, for example the VPCs named above. The next update that changes a parameter "
        "removes the rest. To keep these pools, put their Region or environment back."
    )
    return Message(ascii_title(title), "\n\n".join([head, listed(kept), what_to_do]))
