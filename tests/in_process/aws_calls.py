"""Intercepts the calls of boto3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient

Call = Callable[[Any, str, Any], Any]
"""(client, operation name, parameters) -> response"""


def intercept(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Call, Any, str, Any], Any]) -> None:
    """Call `answer` instead of each call of boto3 from now on. Its first argument is the call that it replaces.

    If several are installed, the last one is called first.
    """
    replaced: Call = vars(BaseClient)["_make_api_call"]

    def intercepted(client: Any, operation: str, parameters: Any) -> Any:
        return answer(replaced, client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", intercepted)


@contextmanager
def intercepting(answer: Callable[[Call, Any, str, Any], Any]) -> Iterator[None]:
    """Intercept calls until the end of a with statement."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        intercept(monkeypatch, answer)
        yield
