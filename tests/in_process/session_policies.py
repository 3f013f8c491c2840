"""What session policies allow, as tests compare it."""

from __future__ import annotations

from typing import Any

import pytest

from ctipam.sessions import Account

Statement = tuple[str, str, dict[str, Any]]
"""Actions, resources and conditions."""


def statements(document: dict[str, Any]) -> list[Statement]:
    """Return the statements of a policy that only allows. Raises AssertionError if AWS would not take it."""
    assert document.keys() == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    return [_read(statement) for statement in document["Statement"]]


def _read(statement: dict[str, Any]) -> Statement:
    assert statement["Effect"] == "Allow"
    assert statement.keys() <= {"Effect", "Sid", "Action", "Resource", "Condition"}
    assert statement.get("Sid", "None").isalnum()
    actions, resources = (
        value if isinstance(value, str) else " ".join(value) for value in (statement["Action"], statement["Resource"])
    )
    return actions, resources, statement.get("Condition", {})


def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Statement]]]:
    """Return the list of the account and the policy of each session that begins from now on."""
    found: list[tuple[str, list[Statement]]] = []
    credentials_of = Account.credentials_of

    def record(self: Account, role_arn: str, session_name: str, policy: dict[str, Any]) -> Any:
        found.append((role_arn.split(":")[4], statements(policy)))
        return credentials_of(self, role_arn, session_name, policy)

    monkeypatch.setattr(Account, "credentials_of", record)
    return found
