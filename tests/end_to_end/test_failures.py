"""What a user sees when a parameter is wrong: the stack says so, and takes back what it had begun."""

from __future__ import annotations

import pytest

from landing_zone import deployment, reading
from landing_zone.company import MANAGEMENT
from landing_zone.engine import Engine


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"LambdaPrefix": "nowhere/"}, "check LambdaBucket and LambdaPrefix"),
        ({"NetworkAccountId": "999999999999"}, "999999999999 is not an active account of o-"),
        ({"NetworkAccountId": MANAGEMENT}, "is the management account, which cannot administer IPAM"),
        ({"AccEnvName": "a,b,c"}, "a Region's /20 has room for 2 blocks of /21"),
    ],
    ids=["no zips there", "no such account", "the management account", "more environments than fit"],
)
def test_a_wrong_parameter_is_told_and_nothing_is_left(
    uploaded: Engine, parameters: dict[str, str], reason: str
) -> None:
    status = deployment.apply(uploaded, "create-stack", **parameters)

    assert status == "ROLLBACK_COMPLETE", deployment.failures(uploaded)
    assert any(reason in failure for failure in deployment.failures(uploaded))
    assert deployment.delete(uploaded) == "DELETE_COMPLETE"
    assert set(reading.left_over(uploaded).values()) == {0}, reading.left_over(uploaded)
