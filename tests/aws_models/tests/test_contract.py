"""The models do what the contract says of AWS."""

from __future__ import annotations

import pytest

from aws_models.clients import Cloud
from aws_models.clock import ManualClock
from aws_models.contract.aws import Account
from aws_models.contract.ground import Ground
from aws_models.contract.guard import Guard
from aws_models.contract.statement import Statement, judge
from aws_models.contract.statements import STATEMENTS
from aws_models.models import Models
from aws_models.organization import Organization

MANAGEMENT, NETWORKING, MEMBER = "111122223333", "444455556666", "012345678901"
HOME, WEST, OUTSIDE = "us-east-1", "us-west-2", "eu-west-1"


@pytest.fixture(scope="module")
def aws() -> Ground:
    """AWS as the statements see it: the models, with the organization's IPAM administrator and a member."""
    organization = Organization(MANAGEMENT, lambda: [MANAGEMENT, NETWORKING, MEMBER])
    organization.ram_sharing_enabled = True
    clock = ManualClock()
    cloud, guard = Cloud(Models(clock, organization)), Guard()
    management = cloud.session(MANAGEMENT).client("ec2", HOME)
    management.enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
    owner, member = (Account(cloud.session(account_id), guard, HOME) for account_id in (NETWORKING, MEMBER))
    regions = {"home": HOME, "elsewhere": WEST, "outside": OUTSIDE}
    return Ground(owner, member, guard, **regions, now=clock.now, sleep=clock.advance)


@pytest.mark.parametrize(
    "statement", STATEMENTS, ids=lambda statement: f"{statement.group}: {statement.check.__name__}"
)
def test_the_models_agree(aws: Ground, statement: Statement) -> None:
    if not statement.modeled:
        with pytest.raises(NotImplementedError):
            statement.check(aws)
        return

    outcome = judge(statement, aws)

    assert outcome.verdict == "agrees", "\n".join([outcome.reason, *map(str, outcome.requests)])
