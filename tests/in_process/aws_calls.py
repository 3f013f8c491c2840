"""The one place that intercepts boto3's calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.client import BaseClient

Call = Callable[[Any, str, Any], Any]
"""client, operation name, parameters -> the answer"""


def intercept(monkeypatch: pytest.MonkeyPatch, answer: Callable[[Call, Any, str, Any], Any]) -> None:
    """Let `answer` take each call of boto3 from now on, with the call that it replaces as its first argument.

    The last of several takes a call first.
    """
    replaced: Call = vars(BaseClient)["_make_api_call"]

    def intercepted(client: Any, operation: str, parameters: Any) -> Any:
        return answer(replaced, client, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", intercepted)


@contextmanager
def intercepting(answer: Callable[[Call, Any, str, Any], Any]) -> Iterator[None]:
    """`intercept`, until the end of a with statement."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        intercept(monkeypatch, answer)
        yield
