"""Templates in YAML, read with libyaml: in Python alone, that takes a third of a second for each of ours."""

from __future__ import annotations

import yaml

from landing_zone.on_ministack.internals import template_parser


def install() -> None:
    """Replace ministack's loader with one that constructs and resolves the same on libyaml's parser."""
    own = template_parser.CfnLoader

    class Loader(yaml.CSafeLoader):
        yaml_constructors = own.yaml_constructors
        yaml_implicit_resolvers = own.yaml_implicit_resolvers

    template_parser.CfnLoader = Loader
