"""A message to a person, as SNS takes it."""

from __future__ import annotations

from dataclasses import dataclass

TITLE_LIMIT = 99
"""Characters of a subject: "less than 100 characters long". https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""


@dataclass(frozen=True)
class Message:
    title: str
    text: str


def ascii_title(title: str) -> str:
    """Return a title as SNS takes it: without control characters, which the name of an OU may hold."""
    text = "".join(char if char.isascii() and char.isprintable() else "?" for char in title)
    return text if len(text) <= TITLE_LIMIT else text[: TITLE_LIMIT - 3] + "..."
