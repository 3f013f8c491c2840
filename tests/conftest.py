"""For every test: no settings of the user, the same examples each time, and no work twice with the same result."""

from __future__ import annotations

import functools
import os
from typing import Any

import _pytest.mark.expression
import botocore.client
import botocore.hooks
import botocore.loaders
import botocore.session
import pytest
from botocore.model import ServiceModel
from hypothesis import settings

from landing_zone.isolation import isolate

isolate()

# No time limit: a busy machine could miss it.
settings.register_profile("project", derandomize=True, deadline=None, database=None)
settings.load_profile("project")

# Each session would read AWS's models of its services again, and moto describe hundreds of machine images for each
# account: together, two thirds of the time of the tests in process.
botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

_CREATOR: Any = botocore.client.ClientCreator
_create_methods = _CREATOR._create_methods
_methods_by_service: dict[str, dict[str, Any]] = {}


def _methods_created_once(creator: botocore.client.ClientCreator, service_model: ServiceModel) -> dict[str, Any]:
    name = service_model.service_name
    if name not in _methods_by_service:
        _methods_by_service[name] = _create_methods(creator, service_model)
    return dict(_methods_by_service[name])


# Each client would make the methods of its class again, for EC2 more than 700: a fifth of the time that was left.
_CREATOR._create_methods = _methods_created_once

_ALIASER: Any = botocore.hooks.EventAliaser
_make_aliaser = _ALIASER.__init__
_alias_names: dict[str, str] = {}


def _aliaser_that_remembers(aliaser: Any, *arguments: Any, **named: Any) -> None:
    _make_aliaser(aliaser, *arguments, **named)
    aliaser._alias_name_cache = _alias_names


# Each client would look up the names of its events again, each in a list of two hundred: a tenth of what was left then.
_ALIASER.__init__ = _aliaser_that_remembers


def pytest_configure(config: pytest.Config) -> None:
    """Refuse an invalid -k, which pytest-xdist would report as an internal error of pytest."""
    try:
        _pytest.mark.expression.Expression.compile(config.option.keyword)
    except SyntaxError as error:
        raise pytest.UsageError(
            f"{config.option.keyword!r} selects no tests: {error}; give names joined by and, or, not."
        ) from None
