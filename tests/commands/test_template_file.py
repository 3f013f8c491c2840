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
    text = "# about it\nCode: |\n  # code\n\n  run('#')\nName: a#b # a name\nTitle: \"a # b\"\n"

    assert template_file.without_comments(text) == "Code: |\n  # code\n\n  run('#')\nName: a#b\nTitle: \"a # b\"\n"


def test_a_small_template_is_sent_as_it_is(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("# small\nResources: {}\n")

    assert template_file.sent_template(template, tmp_path / "unused") == template
