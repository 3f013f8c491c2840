"""The arguments of the commands: names, values, and what is said of those that nothing accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from checkers.template_reader import read_template
from commands import arguments
from ctipam.errors import Refused

IN_TEMPLATE = read_template(Path(__file__).parents[2] / arguments.MANAGEMENT_TEMPLATE)["Parameters"]
OU = "ou-ab12-34567890"


def test_the_parameters_are_those_of_the_template_which_is_read_without_a_parser() -> None:
    defaults = {name: str(one["Default"]) if "Default" in one else None for name, one in IN_TEMPLATE.items()}

    assert arguments.template_parameters() == defaults
    assert arguments.known_names() == [*arguments.SHORT, *arguments.OPTIONS, *defaults]
    numbers = [one for one in IN_TEMPLATE.values() if one["Type"] == "Number"]
    assert all("MinValue" in one or "AllowedValues" in one for one in numbers), "or any text would be accepted"


@pytest.mark.parametrize(
    ("name", "value", "must_be"),
    [
        ("NetworkAccountId", "12", IN_TEMPLATE["NetworkAccountId"]["ConstraintDescription"]),
        ("IpamPoolPrefixLength", "0", "a number from 1 to 27."),
        ("IpamPoolPrefixLength", "28", "a number from 1 to 27."),
        ("IpamPoolPrefixLength", "", "a number from 1 to 27."),
        ("IpamPoolQuota", "2", "a number from 3 up."),
        ("UnshareLimit", "12345678901", "a number from 0 up."),
        ("AutoImport", "perhaps", "one of off, on."),
        ("IpamMeteredAccount", "owner", "one of leave, ipam-owner, resource-owner."),
    ],
)
def test_a_value_that_cloudformation_would_reject_is_refused_with_what_it_must_be(
    name: str, value: str, must_be: str
) -> None:
    short = {
        "NetworkAccountId": "NETWORK_ACCOUNT_ID",
        "IpamPoolPrefixLength": "REGION_PREFIX",
        "IpamPoolQuota": "QUOTA",
    }

    with pytest.raises(Refused) as refused:
        arguments.refuse_impossible({name: value})

    assert str(refused.value) == f"{short.get(name, name)}={value} is not valid; it must be {must_be}"


def test_values_at_the_ends_of_what_cloudformation_accepts_are_accepted() -> None:
    arguments.refuse_impossible(arguments.template_defaults())
    for name, value in [("IpamPoolPrefixLength", "1"), ("IpamPoolPrefixLength", "27"), ("UnshareLimit", "0")]:
        arguments.refuse_impossible({name: value})
    arguments.refuse_impossible({"UnshareLimit": "9999999999", "LogRetentionDays": "1", "AutoImport": "on"})


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("BUKET=a", "Did you mean BUCKET?"),
        ("FORMATT=a", "Did you mean FORMAT?"),
        ("alertmail=a", "Did you mean AlertEmail?"),
        ("xyzzy=a", f"The valid names are {', '.join([*arguments.SHORT, *arguments.OPTIONS, *IN_TEMPLATE])}."),
    ],
)
def test_of_an_unknown_name_the_nearest_or_all_that_are_known_are_told(word: str, hint: str) -> None:
    with pytest.raises(Refused) as refused:
        arguments.read([word], IN_TEMPLATE)

    assert str(refused.value) == (
        f"{word[:-2]} is neither an argument of this command nor a parameter of the template. {hint}"
    )


def test_a_parameter_and_its_short_name_are_one() -> None:
    words = ["CIDR=10.0.0.0/8", "PoolGrowth=on", "stack=a=b", "PYTHON=python3.13"]

    assert arguments.read(words, IN_TEMPLATE) == arguments.Arguments(
        {"TopLevelPoolCidr": "10.0.0.0/8", "PoolGrowth": "on"}, {"stack": "a=b"}
    )
    with pytest.raises(Refused, match="TopLevelPoolCidr is given twice, once as CIDR; give it once"):
        arguments.read([*words, "TopLevelPoolCidr=10.0.0.0/9"], IN_TEMPLATE)


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("Prod OU", "Prod OU"),
        ("Team ", f"Team ({OU})"),
        (OU, f"{OU} ({OU})"),
        (f"Prod ({OU})", ""),
        ("Prod,Test", ""),
        (" ", ""),
    ],
)
def test_an_ou_is_named_by_its_id_too_where_its_name_would_be_misread(name: str, item: str) -> None:
    assert arguments.item_of_environments(name, OU) == item
