"""A message to a person, as SNS takes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TITLE_LIMIT = 99
"""Characters of a subject: "less than 100 characters long". https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

TEXT_LIMIT = 200_000
"""Bytes of the sentences. SNS takes 256 KiB of text. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""


@dataclass(frozen=True)
class Message:
    title: str
    text: str


def ascii_title(title: str) -> str:
    """Return a title as SNS takes it: without control characters, which the name of an OU may hold."""
    text = "".join(char if char.isascii() and char.isprintable() else "?" for char in title)
    return text if len(text) <= TITLE_LIMIT else text[: TITLE_LIMIT - 3] + "..."


def listed(sentences: Sequence[str]) -> str:
    """Return a line for each sentence, as far as SNS has room for them, and how many more there are."""
    lines: list[str] = []
    size = 0
    for number, sentence in enumerate(sentences):
        line = f"- {sentence}"
        size += len(line.encode()) + 1
        if size > TEXT_LIMIT:
            return "\n".join([*lines, f"- and {len(sentences) - number} more, which the function's log lists."])
        lines.append(line)
    return "\n".join(lines)
