"""The template that `make deploy` sends: without comments if it would be too large for CloudFormation's API.

A larger template has to be in a bucket of the stack's Region, and the user's bucket may be in any:
https://github.com/aws/aws-cli/issues/4372
"""

from __future__ import annotations

import re
from pathlib import Path

LARGEST = 51_200
"""Bytes. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""

BLOCK = re.compile(r"(^|\s)[|>][-+]?$")
COMMENT = re.compile(r"(^| ) *#( |$)")


def sent_template(template: Path, folder: Path) -> Path:
    """Return the template itself, or the copy without comments that is written to the folder."""
    if template.stat().st_size <= LARGEST:
        return template
    copy = folder / template.name
    copy.write_text(without_comments(template.read_text(encoding="utf-8")), encoding="utf-8")
    return copy


def without_comments(text: str) -> str:
    """Return a template without comments and empty lines. Literal text, such as code, stays as it is."""
    kept = []
    block: int | None = None  # the indentation of the line that begins a literal text
    for line in text.splitlines():
        indentation = len(line) - len(line.lstrip())
        if block is not None and (indentation > block or not line.strip()):
            kept.append(line)
            continue
        block = None
        line = _without_comment(line)
        if line.strip():
            kept.append(line)
            block = indentation if BLOCK.search(line) else None
    return "\n".join([*kept, ""])


def _without_comment(line: str) -> str:
    for found in COMMENT.finditer(line):
        before = line[: found.start()]
        if before.count('"') % 2 == 0 and "'" not in before:  # else the # is in a text
            return before
    return line
