"""Test that each function is given every setting that its code reads, and no other."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checkers.template import Template
from ctipam.ipam.cost_controls import CostControls
from ctipam.organization.preconditions import SetupSpec
from ctipam.pools.spec import PoolSpec
from ctipam.settings import SharingSettings, UtilizationSettings

TEMPLATES = Path(__file__).parents[2] / "templates"
REGIONS = ("us-east-1", "us-west-2")
OF_EVERY_CUSTOM_RESOURCE = {"ServiceToken", "ServiceTimeout", "PackageVersion", "TopicArn"}


@pytest.fixture(scope="module")
def templates() -> list[Template]:
    return [Template.read(path) for path in sorted(TEMPLATES.glob("*.yaml"))]


class Remembering(dict[str, Any]):
    """Remembers the names that were read."""

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)


def required() -> Remembering:
    """Return what a custom resource with pools cannot do without."""
    return Remembering(
        NetworkAccountId="111122223333",
        RegionSelection=list(REGIONS),
        AccEnvName=["Prod OU"],
        TopLevelPoolCidr="192.168.0.0/16",
        IpamPoolPrefixLength="20",
        AccPoolPrefixLength="21",
    )


def of_the_pools() -> set[str]:
    properties = required()
    PoolSpec.from_properties(properties, REGIONS)
    return properties.read


def of_the_costs() -> set[str]:
    properties = Remembering()
    CostControls.from_properties(properties)
    return properties.read


def given(templates: list[Template], kind: str) -> set[str]:
    ((_, properties),) = (found for template in templates for found in template.of_type(kind))
    return set(properties) - OF_EVERY_CUSTOM_RESOURCE


def variables(templates: list[Template], function: str) -> set[str]:
    (found,) = (template.properties(function) for template in templates if function in template.resources)
    return set(found["Environment"]["Variables"])


def test_the_ipam_and_the_pools_get_what_their_code_reads(templates: list[Template]) -> None:
    """What the pools could be refused for fails before the IPAM changes."""
    assert given(templates, "Custom::InitPools") == of_the_pools() | {"ScopeId"}
    assert given(templates, "Custom::Ipam") == of_the_pools() | of_the_costs() | {"IpamScope"}


def test_the_setup_gets_what_its_code_reads(templates: list[Template]) -> None:
    """What the pools could be refused for fails before there is a stack in the Networking account."""
    properties = required()
    request: Any = SimpleNamespace(kind="Create", properties=properties, old_properties={}, is_rollback=False)
    SetupSpec.from_request(request, REGIONS)

    never_refused = {"AutoImport"}
    assert given(templates, "Custom::OrganizationSetup") == properties.read - never_refused


def test_a_change_of_what_decides_about_pools_shares_them_again(templates: list[Template]) -> None:
    """CloudFormation updates a custom resource only if one of its own properties changes."""
    decides = {"RegionSelection", "AccEnvName", "IpamScope", "TopLevelPoolCidr", "ReservedCidrs"}

    assert given(templates, "Custom::ShareExistingAccounts") >= decides | {"SetupWarnings"}


def test_the_functions_that_share_pools_get_what_their_code_reads(templates: list[Template]) -> None:
    environment = Remembering(NETWORK_ACCOUNT_ID="111122223333", STACK_ID="a stack")
    SharingSettings.from_environment(environment)

    told_by_the_schedule = {"TOPIC_ARN", "NOTICES_PARAMETER"}
    assert variables(templates, "CTIPAMLifeCycleLambda") == environment.read
    assert variables(templates, "ShareExistingAccountsFunction") == environment.read - told_by_the_schedule


def test_the_function_that_measures_pools_gets_what_its_code_reads(templates: list[Template]) -> None:
    environment = Remembering(
        STACK_ID="a stack", TOPIC_ARN="a topic", POOL_UTILISATION_THRESHOLD="80", MENDING_FUNCTION="a function"
    )
    UtilizationSettings.from_environment(environment)

    assert variables(templates, "PoolUtilizationFunction") == environment.read


def test_every_function_knows_its_stack_by_the_arn(templates: list[Template]) -> None:
    for template in templates:
        for name, function in template.of_type("AWS::Lambda::Function"):
            found = function.get("Environment", {}).get("Variables", {})
            assert found.get("STACK_ID", {"Ref": "AWS::StackId"}) == {"Ref": "AWS::StackId"}, name
