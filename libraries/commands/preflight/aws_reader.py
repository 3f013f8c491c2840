"""An account that is read with boto3: any operation by its name, and every list to its end."""

from __future__ import annotations

from typing import Any, Self

from botocore.config import Config

from ctipam.sessions import CONFIG, Account

FEW_ATTEMPTS = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 5}))
"""Gives up after 15 seconds at most, where CONFIG takes a minute and more."""


class AwsReader(Account):
    def impatient(self) -> Self:
        """Return a reader of the same account that soon gives up if AWS throttles its calls."""
        reader = type(self)(self._session, self.account_id, self._credentials)
        reader._config = FEW_ATTEMPTS
        return reader

    def ask(self, service: str, operation: str, region: str = "", **parameters: Any) -> Any:
        """Return the answer of an operation that only reads. Raises the errors of botocore.

        service, operation, parameters   as boto3 names them: "organizations", "list_parents", ChildId="ou-..."
        region                           empty: that of the account
        """
        client = self._client(service, region or self.region)
        if client.can_paginate(operation):
            return client.get_paginator(operation).paginate(**parameters).build_full_result()
        return getattr(client, operation)(**parameters)
