"""The message about what the deletion of a stack has left behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TITLE_LIMIT = 99
"""Characters of a subject: "less than 100 characters long". https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

MESSAGE_LIMIT = 200_000
"""Bytes. SNS takes 256 KiB. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

WHAT_TO_DO = (
    "What to do: delete what is in use, for example the VPCs named above. Then deploy the solution again, which takes "
    "over what was left, and delete it; or delete the pools and the IPAM by hand."
)


@dataclass(frozen=True)
class Message:
    title: str
    text: str


def message(stack_id: str, resource_type: str, left: Sequence[str]) -> Message:
    """Return what a person has to know about what was left behind.

    stack_id   ARN of the stack
    left       what was left and why, a sentence each
    """
    name = stack_id.split("/")[1]
    title = f"Left behind by the deletion of stack {name}"
    head = f"The stack {stack_id} is being deleted. Its {resource_type} has left this behind:"
    return Message(ascii_title(title), "\n\n".join([head, listed(left), WHAT_TO_DO]))


def message_of_update(stack_id: str, kept: Sequence[str]) -> Message:
    """Return what a person has to know about what an update should have removed and had to keep."""
    name = stack_id.split("/")[1]
    head = f"The update of stack {stack_id} could not remove everything that is no longer wanted:"
    what_to_do = (
        "What to do: delete what is in use, for example the VPCs named above. The next update that changes a parameter "
        "removes the rest. To keep these pools, put their Region or environment back."
    )
    return Message(
        ascii_title(f"Not removed by the update of stack {name}"), "\n\n".join([head, listed(kept), what_to_do])
    )


def listed(sentences: Sequence[str]) -> str:
    """Return a line for each sentence, as far as SNS has room for them, and how many more there are."""
    lines: list[str] = []
    size = 0
    for number, sentence in enumerate(sentences):
        line = f"- {sentence}"
        size += len(line.encode()) + 1
        if size > MESSAGE_LIMIT:
            return "\n".join([*lines, f"- and {len(sentences) - number} more, which the function's log lists."])
        lines.append(line)
    return "\n".join(lines)


def ascii_title(title: str) -> str:
    """Return a title as SNS takes it: without control characters, which the name of an OU may hold."""
    text = "".join(char if char.isascii() and char.isprintable() else "?" for char in title)
    return text if len(text) <= TITLE_LIMIT else text[: TITLE_LIMIT - 3] + "..."
