"""The template that is sent to CloudFormation."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkers.template_reader import read_template
from commands import template_file

TEMPLATES = sorted((Path(__file__).parents[2] / "templates").glob("*.yaml"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_a_template_without_comments_says_the_same(template: Path, tmp_path: Path) -> None:
    copy = tmp_path / template.name
    copy.write_text(template_file.without_comments(template.read_text(encoding="utf-8")), encoding="utf-8")

    assert read_template(copy) == read_template(template)
    assert copy.stat().st_size <= template_file.LARGEST


def test_literal_text_keeps_what_looks_like_a_comment() -> None:
    text = """\
# about it
Code: |
  # code

  run('#')

A:
  Text: >- # folded
    # text
  # about B
  B: |+
     # more
  C: x | y
  # about D
  D: "a" # b
Name: a#b # a name
Title: "a # b"
Other: 'a # b'
End: a #
"""

    assert (
        template_file.without_comments(text)
        == """\
Code: |
  # code

  run('#')

A:
  Text: >-
    # text
  B: |+
     # more
  C: x | y
  D: "a"
Name: a#b
Title: "a # b"
Other: 'a # b'
End: a
"""
    )


def test_a_small_template_is_sent_as_it_is(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("# small\nResources: {}\n")

    assert template_file.sent_template(template, tmp_path / "unused") == template


def test_a_template_that_is_too_large_for_the_api_is_sent_without_its_comments(tmp_path: Path) -> None:
    """The API takes 51,200 bytes. https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html"""
    template, folder = tmp_path / "template.yaml", tmp_path / "sent"
    folder.mkdir()
    end = "Größe: 1\n"

    template.write_text("#" * (51_200 - len(end.encode()) - 1) + "\n" + end, encoding="utf-8")
    assert template_file.sent_template(template, folder) == template

    template.write_text("# " + "a" * 51_200 + "\n" + end, encoding="utf-8")
    assert template_file.sent_template(template, folder) == folder / "template.yaml"
    assert (folder / "template.yaml").read_text(encoding="utf-8") == end
