"""What the functions read from their environment."""

from __future__ import annotations

import pytest

from ctipam.settings import SharingSettings, UtilizationSettings

GIVEN = {
    "STACK_ID": "arn:stack",
    "TOPIC_ARN": "arn:topic",
    "POOL_UTILISATION_THRESHOLD": "80",
    "MENDING_FUNCTION": "mender",
}


@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("value", [None, ""], ids=["missing", "empty"])
def test_a_variable_that_is_missing_is_named(name: str, value: str | None) -> None:
    given = {key: text for key, text in (GIVEN | {name: value}).items() if text is not None}

    with pytest.raises(KeyError, match=f"{name} is missing; the template of this version sets it"):
        UtilizationSettings.from_environment(given)


SHARING = {"NETWORK_ACCOUNT_ID": "222222222222", "STACK_ID": "arn:stack"}


def test_pools_are_shared_with_defaults_unless_the_template_says_otherwise() -> None:
    more = {
        "OU_MATCH": "exact",
        "SHARE_WITH_EXISTING_ACCOUNTS": "false",
        "UNSHARE_LIMIT": "0",
        "TOPIC_ARN": "arn:topic",
        "NOTICES_PARAMETER": "/notices",
    }

    assert SharingSettings.from_environment(SHARING) == SharingSettings(
        "222222222222", "arn:stack", False, True, 10, "", ""
    )
    assert SharingSettings.from_environment(
        SHARING | {"OU_MATCH": "nearest", "SHARE_WITH_EXISTING_ACCOUNTS": "true"}
    ) == SharingSettings.from_environment(SHARING)
    assert SharingSettings.from_environment(SHARING | more) == SharingSettings(
        "222222222222", "arn:stack", True, False, 0, "arn:topic", "/notices"
    )
    for name in SHARING:
        with pytest.raises(KeyError, match=name):
            SharingSettings.from_environment(SHARING | {name: ""})


@pytest.mark.parametrize(("text", "limit"), [("10", 10), ("10.0", 10), ("10.5", 10), ("1e3", 1000)])
def test_the_limit_is_a_number_as_cloudformation_takes_it(text: str, limit: int) -> None:
    """Of more than 10.5 accounts there are at least 11.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
    """
    assert SharingSettings.from_environment(SHARING | {"UNSHARE_LIMIT": text}).unshare_limit == limit


@pytest.mark.parametrize(("growth", "grow"), [("on", True), ("off", False), (None, False)])
def test_the_watch_grows_pools_only_if_it_is_told_to(growth: str | None, grow: bool) -> None:
    given = GIVEN | ({"POOL_GROWTH": growth} if growth else {})

    assert UtilizationSettings.from_environment(given) == UtilizationSettings(
        "arn:stack", "arn:topic", 80.0, grow, "mender"
    )
