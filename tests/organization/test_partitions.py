"""AWS GovCloud: the code builds each ARN in the partition in which it runs."""

from __future__ import annotations

import boto3
import pytest

from ctipam import sessions
from ctipam.organization import setup as organization_setup

GOVCLOUD = "us-gov-west-1"


def test_partition_and_regions_follow_from_the_region_of_the_function() -> None:
    account = sessions.Account(boto3.Session(region_name=GOVCLOUD), "111111111111")

    assert account.partition == "aws-us-gov"
    assert account.known_regions() == {"us-gov-west-1", "us-gov-east-1"}


def test_the_arn_of_the_role_in_the_networking_account_has_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    assumed: list[str] = []

    class Client:
        def get_role(self, **_: str) -> None:
            """Find every role."""

    management = sessions.Account(boto3.Session(region_name=GOVCLOUD), "111111111111")
    monkeypatch.setattr(management, "_client", lambda *_: Client())
    monkeypatch.setattr(management, "assume", lambda role_arn, *_: assumed.append(role_arn))
    organization_setup._refuse_without_roles(management, "222222222222")

    assert assumed == ["arn:aws-us-gov:iam::222222222222:role/AWSControlTowerExecution"]
