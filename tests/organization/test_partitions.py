"""AWS GovCloud: every ARN that the code makes is of the partition that it runs in."""

from __future__ import annotations

import boto3
import pytest

from ctipam import sessions
from ctipam.organization import setup as organization_setup

GOVCLOUD = "us-gov-west-1"


def test_the_partition_and_its_regions_follow_from_the_region_of_the_function() -> None:
    account = sessions.Account(boto3.Session(region_name=GOVCLOUD), "111111111111")

    assert account.partition == "aws-us-gov"
    assert account.known_regions() == {"us-gov-west-1", "us-gov-east-1"}


def test_the_role_in_the_networking_account_is_named_in_this_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    assumed: list[str] = []

    class Client:
        def get_role(self, **_: str) -> None:
            """It is there."""

    here = sessions.Account(boto3.Session(region_name=GOVCLOUD), "111111111111")
    monkeypatch.setattr(here, "_client", lambda *_: Client())
    monkeypatch.setattr(here, "assume", lambda role_arn, *_: assumed.append(role_arn))
    organization_setup._refuse_without_roles(here, "222222222222")

    assert assumed == ["arn:aws-us-gov:iam::222222222222:role/AWSControlTowerExecution"]
