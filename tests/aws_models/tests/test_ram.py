"""RAM's model is as strict and as slow as RAM.

Source  https://docs.aws.amazon.com/ram/latest/APIReference/Welcome.html unless a test says more
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aws_models.clock import ManualClock
from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller, Organization
from aws_models.ram import Timings

HOME, ELSEWHERE = "us-east-1", "eu-west-1"
MANAGEMENT, NETWORKING, MEMBER, OTHER_MEMBER = "111122223333", "444455556666", "012345678901", "777788889999"
STRANGER = "999999999999"
OWNER = Caller(NETWORKING, HOME)

Answer = dict[str, Any]


class World:
    """RAM as the Networking account sees it, with what the tests need around it."""

    def __init__(self) -> None:
        self.members = {MANAGEMENT, NETWORKING, MEMBER, OTHER_MEMBER}
        self.clock = ManualClock()
        self.organization = Organization(MANAGEMENT, lambda: self.members)
        self.models = Models(self.clock, self.organization)
        self.ram = self.models.ram
        self.organization.delegated_administrators["ipam.amazonaws.com"] = NETWORKING
        self.organization.ram_sharing_enabled = True

    def __call__(self, action: str, caller: Caller = OWNER, **params: Any) -> Answer:
        return self.ram.call(action, params, caller)

    def refused(self, action: str, caller: Caller = OWNER, **params: Any) -> AwsError:
        with pytest.raises(AwsError) as raised:
            self(action, caller, **params)
        return raised.value

    def ipam(self, action: str, caller: Caller = OWNER, **params: Any) -> Answer:
        answer = self.models.ipam.call(action, params, caller)
        self.clock.advance(30)
        return answer

    def new_ipam(self) -> str:
        """Return the id of its private scope."""
        regions = [{"RegionName": HOME}, {"RegionName": ELSEWHERE}]
        scope: str = self.ipam("CreateIpam", OperatingRegions=regions)["Ipam"]["PrivateDefaultScopeId"]
        return scope

    def new_pool(self, scope: str, caller: Caller = OWNER, locale: str = HOME) -> str:
        """Return its ARN."""
        answer = self.ipam("CreateIpamPool", caller, IpamScopeId=scope, AddressFamily="ipv4", Locale=locale)
        arn: str = answer["IpamPool"]["IpamPoolArn"]
        return arn

    def new_share(self, **params: Any) -> str:
        """Return the ARN of a share whose associations are final."""
        request: dict[str, Any] = {"name": "share", "allowExternalPrincipals": False} | params
        arn: str = self("CreateResourceShare", **request)["resourceShare"]["resourceShareArn"]
        self.settle()
        return arn

    def settle(self) -> None:
        self.clock.advance(30)

    def shares(self, caller: Caller = OWNER, **params: Any) -> list[Answer]:
        return self.all("GetResourceShares", "resourceShares", caller, **({"resourceOwner": "SELF"} | params))

    def statuses(self, share: str) -> dict[str, str]:
        """{pool or account: status of its association}"""
        return {
            one["associatedEntity"]: one["status"]
            for type_ in ("RESOURCE", "PRINCIPAL")
            for one in self.associations(associationType=type_, resourceShareArns=[share])
        }

    def associations(self, **params: Any) -> list[Answer]:
        return self.all("GetResourceShareAssociations", "resourceShareAssociations", OWNER, **params)

    def all(self, action: str, member: str, caller: Caller, **params: Any) -> list[Answer]:
        answer = self(action, caller, **params)
        items: list[Answer] = answer[member]
        while "nextToken" in answer:
            answer = self(action, caller, **params, nextToken=answer["nextToken"])
            items += answer[member]
        return items


@pytest.fixture
def ram() -> World:
    return World()


@pytest.fixture
def scope(ram: World) -> str:
    return ram.new_ipam()


@pytest.fixture
def pool(ram: World, scope: str) -> str:
    return ram.new_pool(scope)


# Creating


def test_a_new_share_is_active_at_once_and_its_associations_are_not(ram: World, pool: str) -> None:
    share = ram(
        "CreateResourceShare",
        name="ipamShare-012345678901",
        resourceArns=[pool],
        principals=[MEMBER],
        allowExternalPrincipals=False,
        tags=[{"key": "account", "value": MEMBER}],
    )["resourceShare"]

    assert share["status"] == "ACTIVE"
    assert share["owningAccountId"] == NETWORKING
    assert share["tags"] == [{"key": "account", "value": MEMBER}]
    assert share["allowExternalPrincipals"] is False
    assert share["resourceShareArn"].startswith(f"arn:aws:ram:{HOME}:{NETWORKING}:resource-share/")
    ram.clock.advance(Timings().listed)
    assert ram.statuses(share["resourceShareArn"]) == {pool: "ASSOCIATING", MEMBER: "ASSOCIATING"}


def test_a_new_share_and_its_associations_are_found_after_a_moment(ram: World, pool: str) -> None:
    answer = ram("CreateResourceShare", name="share", resourceArns=[pool], principals=[MEMBER])
    arns = [answer["resourceShare"]["resourceShareArn"]]
    asked: dict[str, Any] = {"resourceOwner": "SELF", "resourceShareArns": arns}

    assert ram.refused("GetResourceShares", **asked).code == "UnknownResourceException"
    assert ram.shares() == []
    assert ram("ListResources", resourceOwner="SELF")["resources"] == []
    assert ram("GetResourceShareAssociations", associationType="PRINCIPAL")["resourceShareAssociations"] == []

    ram.clock.advance(Timings().listed)
    assert len(ram("GetResourceShares", **asked)["resourceShares"]) == 1
    assert len(ram("ListResources", resourceOwner="SELF")["resources"]) == 1
    assert len(ram("GetResourceShareAssociations", associationType="PRINCIPAL")["resourceShareAssociations"]) == 1


def test_a_pool_that_is_added_to_a_share_is_found_after_a_moment(ram: World, pool: str) -> None:
    share = ram.new_share(principals=[MEMBER])
    ram("AssociateResourceShare", resourceShareArn=share, resourceArns=[pool])
    assert ram.statuses(share) == {MEMBER: "ASSOCIATED"}

    ram.clock.advance(Timings().listed)
    assert ram.statuses(share) == {MEMBER: "ASSOCIATED", pool: "ASSOCIATING"}


def test_associations_are_in_effect_after_a_while(ram: World, pool: str) -> None:
    ram("CreateResourceShare", name="share", resourceArns=[pool], principals=[MEMBER])
    assert ram.ram.pools_shared_with(MEMBER) == set()

    ram.clock.advance(Timings().associate)

    assert ram.ram.pools_shared_with(MEMBER) == {pool}
    assert ram.ram.pools_shared_with(OTHER_MEMBER) == set()


def test_names_are_not_unique(ram: World) -> None:
    assert ram.new_share(name="twin") != ram.new_share(name="twin")
    assert len(ram.shares(name="twin")) == 2


@pytest.mark.parametrize("resources", [{}, {"resourceArns": []}])
def test_a_share_may_be_empty(ram: World, resources: dict[str, Any]) -> None:
    assert ram.statuses(ram.new_share(**resources)) == {}


def test_external_principals_are_allowed_unless_the_request_says_otherwise(ram: World) -> None:
    assert ram("CreateResourceShare", name="share")["resourceShare"]["allowExternalPrincipals"] is True


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_name_that_cannot_be_is_refused(ram: World, name: str) -> None:
    assert ram.refused("CreateResourceShare", name=name).code == "InvalidParameterException"


def test_a_share_needs_a_name(ram: World) -> None:
    assert ram.refused("CreateResourceShare").code == "InvalidParameterException"


def test_a_refused_request_makes_nothing(ram: World, pool: str) -> None:
    ram.refused("CreateResourceShare", name="share", resourceArns=[pool], principals=["nobody"])

    assert ram.shares() == []


# Client tokens


def test_the_same_client_token_finds_the_same_share(ram: World) -> None:
    first = ram("CreateResourceShare", name="share", clientToken="token")
    second = ram("CreateResourceShare", name="share", clientToken="token")
    arn = first["resourceShare"].pop("resourceShareArn")  # an answer is the caller's own

    assert second["resourceShare"]["resourceShareArn"] == arn
    assert ram("CreateResourceShare", name="share", clientToken="token") == second
    ram.settle()
    assert len(ram.shares()) == 1


def test_a_client_token_with_other_parameters_is_refused(ram: World) -> None:
    ram("CreateResourceShare", name="share", clientToken="token")

    error = ram.refused("CreateResourceShare", name="other", clientToken="token")

    assert error.code == "IdempotentParameterMismatchException"


def test_a_client_token_that_was_refused_may_be_used_again(ram: World) -> None:
    ram.refused("CreateResourceShare", name="", clientToken="token")

    assert ram("CreateResourceShare", name="share", clientToken="token")["clientToken"] == "token"


def test_a_client_token_is_forgotten_in_time(ram: World) -> None:
    first = ram("CreateResourceShare", name="share", clientToken="token")
    ram.clock.advance(Timings().client_token)

    assert ram("CreateResourceShare", name="share", clientToken="token") != first


def test_client_tokens_of_accounts_and_regions_do_not_meet(ram: World) -> None:
    for caller in (OWNER, Caller(NETWORKING, ELSEWHERE), Caller(MEMBER, HOME)):
        ram("CreateResourceShare", caller, name=caller.region + caller.account_id, clientToken="token")


@pytest.mark.parametrize("token", ["", "x" * 65])
def test_a_client_token_has_1_to_64_characters(ram: World, token: str) -> None:
    error = ram.refused("CreateResourceShare", name="share", clientToken=token)

    assert error.code == "InvalidClientTokenException"


# Pools: https://docs.aws.amazon.com/vpc/latest/ipam/share-pool-ipam.html


def test_a_pool_of_another_region_is_shared_in_the_home_region(ram: World, scope: str) -> None:
    pool = ram.new_pool(scope, locale=ELSEWHERE)
    in_its_locale = ram.refused(
        "CreateResourceShare", Caller(NETWORKING, ELSEWHERE), name="share", resourceArns=[pool], principals=[MEMBER]
    )

    assert in_its_locale.code == "UnknownResourceException"
    assert set(ram.statuses(ram.new_share(resourceArns=[pool])).values()) == {"ASSOCIATED"}


def test_only_the_owner_shares_a_pool(ram: World, pool: str) -> None:
    ram.new_share(resourceArns=[pool], principals=[MEMBER])
    ram.organization.delegated_administrators["ipam.amazonaws.com"] = MEMBER

    error = ram.refused("CreateResourceShare", Caller(MEMBER, HOME), name="share", resourceArns=[pool])

    assert error.code == "OperationNotPermittedException"


def test_only_the_ipam_administrator_of_the_organization_shares_pools(ram: World, pool: str) -> None:
    ram.organization.delegated_administrators.clear()

    assert ram.refused("CreateResourceShare", name="s", resourceArns=[pool]).code == "OperationNotPermittedException"


def test_an_unknown_pool_is_refused(ram: World, pool: str) -> None:
    error = ram.refused("CreateResourceShare", name="share", resourceArns=[pool[:-4] + "0000"])

    assert error.code == "UnknownResourceException"


@pytest.mark.parametrize(
    "distort",
    [
        lambda arn: "nonsense",
        lambda arn: arn.split("/")[1],
        lambda arn: arn.replace(":ec2::", f":ec2:{HOME}:"),
        lambda arn: arn.replace("/ipam-pool-", "/"),
    ],
    ids=["no ARN", "an id", "with a Region", "without the id's prefix"],
)
def test_a_malformed_pool_arn_is_refused(ram: World, pool: str, distort: Callable[[str], str]) -> None:
    error = ram.refused("CreateResourceShare", name="share", resourceArns=[distort(pool)])

    assert error.code == "MalformedArnException"


def test_a_pool_that_is_not_finished_is_refused(ram: World, scope: str) -> None:
    params = {"IpamScopeId": scope, "AddressFamily": "ipv4", "Locale": HOME}
    pool = ram.models.ipam.call("CreateIpamPool", params, OWNER)["IpamPool"]["IpamPoolArn"]
    ram.clock.advance(1)

    assert ram.refused("CreateResourceShare", name="s", resourceArns=[pool]).code == "OperationNotPermittedException"


def test_resources_other_than_pools_are_not_modeled(ram: World) -> None:
    with pytest.raises(NotImplementedError, match="subnet"):
        ram("CreateResourceShare", name="s", resourceArns=[f"arn:aws:ec2:{HOME}:{NETWORKING}:subnet/subnet-1"])


# Principals


@pytest.mark.parametrize(
    "principal", ["12345678901", "0123456789012", "ou-abcd-12345678", "o-exampleorgid", "", "\u0661" * 12]
)
def test_a_principal_that_is_no_account_id_and_no_arn_is_refused(ram: World, principal: str) -> None:
    error = ram.refused("CreateResourceShare", name="share", principals=[principal])

    assert error.code == "InvalidParameterException"


def test_a_malformed_principal_arn_is_refused(ram: World) -> None:
    error = ram.refused("CreateResourceShare", name="share", principals=["arn:aws:organizations"])

    assert error.code == "MalformedArnException"


def test_organizational_units_are_not_modeled(ram: World) -> None:
    arn = f"arn:aws:organizations::{MANAGEMENT}:ou/o-exampleorgid/ou-abcd-12345678"

    with pytest.raises(NotImplementedError, match="ou-abcd-12345678"):
        ram("CreateResourceShare", name="share", principals=[arn])


def test_a_principal_keeps_its_leading_zero(ram: World) -> None:
    assert ram.statuses(ram.new_share(principals=[MEMBER])) == {"012345678901": "ASSOCIATED"}


def test_the_owner_is_no_principal_of_its_share(ram: World) -> None:
    assert ram.refused("CreateResourceShare", name="s", principals=[NETWORKING]).code == "InvalidParameterException"


def test_without_sharing_in_the_organization_no_account_is_known(ram: World) -> None:
    ram.organization.ram_sharing_enabled = False

    error = ram.refused("CreateResourceShare", name="s", principals=[MEMBER], allowExternalPrincipals=False)

    assert error.code == "UnknownResourceException"
    assert "does not exist in an AWS organization" in error.message


def test_trusted_access_alone_does_not_enable_sharing(ram: World) -> None:
    ram.organization.ram_sharing_enabled = False
    ram.organization.trusted_services.add("ram.amazonaws.com")

    ram.refused("CreateResourceShare", name="s", principals=[MEMBER], allowExternalPrincipals=False)


def test_an_account_outside_the_organization_is_refused(ram: World) -> None:
    error = ram.refused("CreateResourceShare", name="s", principals=[STRANGER], allowExternalPrincipals=False)

    assert error.code == "InvalidParameterException"
    assert f"Principal {STRANGER} is not in your AWS organization" in error.message


@pytest.mark.parametrize("enabled", [True, False], ids=["not in the organization", "sharing not enabled"])
def test_an_invited_principal_stays_associating_for_ever(ram: World, pool: str, enabled: bool) -> None:
    ram.organization.ram_sharing_enabled = enabled
    principal = STRANGER if enabled else MEMBER
    share = ram.new_share(resourceArns=[pool], principals=[principal], allowExternalPrincipals=True)

    ram.clock.advance(7 * 24 * 3600)

    assert ram.statuses(share) == {pool: "ASSOCIATED", principal: "ASSOCIATING"}
    assert ram.ram.pools_shared_with(principal) == set()
    assert [one["external"] for one in ram.associations(associationType="PRINCIPAL")] == [True]


def test_an_account_that_leaves_the_organization_loses_access(ram: World, pool: str) -> None:
    ram.new_share(resourceArns=[pool], principals=[MEMBER])

    ram.members.remove(MEMBER)

    assert ram.ram.pools_shared_with(MEMBER) == set()


# Enabling


def test_the_management_account_enables_sharing_as_often_as_it_likes(ram: World) -> None:
    ram.organization.ram_sharing_enabled = False

    for _ in range(2):
        assert ram("EnableSharingWithAwsOrganization", Caller(MANAGEMENT, ELSEWHERE)) == {"returnValue": True}

    assert ram.organization.ram_sharing_enabled
    assert "ram.amazonaws.com" in ram.organization.trusted_services


def test_sharing_works_only_some_time_after_it_was_enabled_for_the_first_time(ram: World, pool: str) -> None:
    ram.organization.ram_sharing_enabled = False
    for pause in (0, 59):
        ram.clock.advance(pause)
        ram("EnableSharingWithAwsOrganization", Caller(MANAGEMENT, HOME))
        refused = ram.refused("CreateResourceShare", name="share", resourceArns=[pool])
        assert (refused.code, refused.message[-21:]) == ("OperationNotPermittedException", "is still in progress.")

    ram.clock.advance(1)

    ram.new_share(resourceArns=[pool], principals=[MEMBER])


def test_other_accounts_do_not_enable_sharing(ram: World) -> None:
    ram.organization.ram_sharing_enabled = False

    assert ram.refused("EnableSharingWithAwsOrganization").code == "OperationNotPermittedException"
    assert not ram.organization.ram_sharing_enabled


# Associating and disassociating


def test_what_is_added_reaches_those_who_are_there(ram: World, scope: str, pool: str) -> None:
    share = ram.new_share(resourceArns=[pool], principals=[MEMBER])
    second = ram.new_pool(scope)

    begun = ram("AssociateResourceShare", resourceShareArn=share, resourceArns=[second], principals=[OTHER_MEMBER])[
        "resourceShareAssociations"
    ]
    ram.settle()

    assert {one["associatedEntity"]: one["status"] for one in begun} == dict.fromkeys(
        [second, OTHER_MEMBER], "ASSOCIATING"
    )
    assert ram.ram.pools_shared_with(MEMBER) == ram.ram.pools_shared_with(OTHER_MEMBER) == {pool, second}


def test_an_association_may_fail_late_and_says_why(ram: World, pool: str) -> None:
    ram.ram.faults.fail_next_associations("RAM could not do it.")
    share = ram.new_share(resourceArns=[pool], principals=[MEMBER])

    failed = ram.associations(associationType="RESOURCE", resourceShareArns=[share])[0]

    assert (failed["status"], failed["statusMessage"]) == ("FAILED", "RAM could not do it.")
    assert ram.ram.pools_shared_with(MEMBER) == set()


def test_what_has_failed_may_be_associated_again(ram: World, pool: str) -> None:
    ram.ram.faults.fail_next_associations("RAM could not do it.")
    share = ram.new_share(resourceArns=[pool], principals=[MEMBER])

    ram("AssociateResourceShare", resourceShareArn=share, resourceArns=[pool])
    ram.settle()

    assert ram.statuses(share) == {pool: "ASSOCIATED", MEMBER: "ASSOCIATED"}


def test_a_share_is_not_deleted_while_something_is_added(ram: World, pool: str) -> None:
    """Assumed, as far as RAM documents the exception and not when it is raised."""
    share = ram("CreateResourceShare", name="new", resourceArns=[pool])["resourceShare"]["resourceShareArn"]

    error = ram.refused("DeleteResourceShare", resourceShareArn=share)

    assert error.code == "InvalidStateTransitionException"
    ram.settle()
    ram("DeleteResourceShare", resourceShareArn=share)


def test_an_invitation_that_nobody_accepts_keeps_no_share(ram: World) -> None:
    share = ram("CreateResourceShare", name="new", principals=[STRANGER])["resourceShare"]["resourceShareArn"]

    ram("DeleteResourceShare", resourceShareArn=share)


def test_a_share_may_be_pending_at_first_and_takes_nothing_meanwhile(ram: World, pool: str) -> None:
    ram.ram._timings = Timings(share_create=20)
    created = ram("CreateResourceShare", name="new")["resourceShare"]
    share = created["resourceShareArn"]

    refused = [
        ram.refused("AssociateResourceShare", resourceShareArn=share, resourceArns=[pool]),
        ram.refused("DisassociateResourceShare", resourceShareArn=share, resourceArns=[pool]),
        ram.refused("DeleteResourceShare", resourceShareArn=share),
    ]

    assert created["status"] == "PENDING"
    assert {error.code for error in refused} == {"InvalidStateTransitionException"}
    ram.clock.advance(20)
    ram("AssociateResourceShare", resourceShareArn=share, resourceArns=[pool])


def test_a_share_may_fail_late_with_all_that_is_in_it(ram: World, pool: str) -> None:
    ram.ram.faults.fail_next_share("RAM could not do it.")
    created = ram("CreateResourceShare", name="new", resourceArns=[pool], principals=[MEMBER])["resourceShare"]
    share = created["resourceShareArn"]
    ram.settle()

    (failed,) = ram("GetResourceShares", resourceOwner="SELF")["resourceShares"]

    assert (created["status"], failed["status"], failed["statusMessage"]) == (
        "PENDING",
        "FAILED",
        "RAM could not do it.",
    )
    assert ram.statuses(share) == {pool: "FAILED", MEMBER: "FAILED"}
    error = ram.refused("AssociateResourceShare", resourceShareArn=share, resourceArns=[pool])
    assert error.code == "InvalidStateTransitionException"
    ram("DeleteResourceShare", resourceShareArn=share)


def test_what_is_associated_is_not_associated_again(ram: World, pool: str) -> None:
    share = ram.new_share(resourceArns=[pool])

    error = ram.refused("AssociateResourceShare", resourceShareArn=share, resourceArns=[pool])

    assert error.code == "InvalidParameterException"


def test_one_wrong_entity_spoils_the_request(ram: World, pool: str) -> None:
    share = ram.new_share(resourceArns=[pool])

    ram.refused("AssociateResourceShare", resourceShareArn=share, principals=[MEMBER], resourceArns=[pool])

    assert ram.statuses(share) == {pool: "ASSOCIATED"}


@pytest.mark.parametrize("action", ["AssociateResourceShare", "DisassociateResourceShare"])
def test_at_most_100_in_one_request(ram: World, action: str) -> None:
    share = ram.new_share()
    accounts = [f"{number:012}" for number in range(101)]

    error = ram.refused(action, resourceShareArn=share, principals=accounts)

    assert error.code == "ResourceShareLimitExceededException"


@pytest.mark.parametrize("action", ["AssociateResourceShare", "DisassociateResourceShare"])
@pytest.mark.parametrize("named", [{}, {"principals": [], "resourceArns": []}, {"principals": [MEMBER, MEMBER]}])
def test_a_request_names_something_and_nothing_twice(ram: World, action: str, named: dict[str, Any]) -> None:
    error = ram.refused(action, resourceShareArn=ram.new_share(), **named)

    assert error.code == "InvalidParameterException"


def test_disassociating_takes_access_away_at_once_and_ends_later(ram: World, pool: str) -> None:
    share = ram.new_share(resourceArns=[pool], principals=[MEMBER])

    ending = ram("DisassociateResourceShare", resourceShareArn=share, principals=[MEMBER])["resourceShareAssociations"]

    assert [one["status"] for one in ending] == ["DISASSOCIATING"]
    assert ram.ram.pools_shared_with(MEMBER) == set()
    ram.settle()
    assert ram.statuses(share) == {pool: "ASSOCIATED", MEMBER: "DISASSOCIATED"}


def test_what_is_disassociated_stays_listed_for_a_time(ram: World, pool: str) -> None:
    share = ram.new_share(resourceArns=[pool], principals=[MEMBER])
    ram("DisassociateResourceShare", resourceShareArn=share, principals=[MEMBER])

    ram.clock.advance(Timings().disassociate + Timings().disassociated_listed)

    assert ram.statuses(share) == {pool: "ASSOCIATED"}


def test_what_is_disassociated_may_be_associated_again(ram: World, pool: str) -> None:
    share = ram.new_share(resourceArns=[pool], principals=[MEMBER])
    ram("DisassociateResourceShare", resourceShareArn=share, principals=[MEMBER])
    too_early = ram.refused("AssociateResourceShare", resourceShareArn=share, principals=[MEMBER])
    ram.settle()

    ram("AssociateResourceShare", resourceShareArn=share, principals=[MEMBER])
    ram.settle()

    assert too_early.code == "InvalidStateTransitionException"
    assert ram.statuses(share) == {pool: "ASSOCIATED", MEMBER: "ASSOCIATED"}


def test_what_is_still_associating_cannot_be_disassociated(ram: World, pool: str) -> None:
    """https://github.com/hashicorp/terraform-provider-aws/issues/13458"""
    share = ram.new_share(principals=[MEMBER])
    ram("AssociateResourceShare", resourceShareArn=share, resourceArns=[pool])

    error = ram.refused("DisassociateResourceShare", resourceShareArn=share, resourceArns=[pool])

    assert error.code == "InvalidStateTransitionException"
    assert "is in ASSOCIATING status" in error.message


def test_what_is_not_associated_cannot_be_disassociated(ram: World, pool: str) -> None:
    error = ram.refused("DisassociateResourceShare", resourceShareArn=ram.new_share(), resourceArns=[pool])

    assert error.code == "UnknownResourceException"


# Updating, tagging, deleting


def test_an_update_changes_the_name_and_who_may_be_a_principal(ram: World) -> None:
    share = ram.new_share()

    ram("UpdateResourceShare", resourceShareArn=share, name="new", allowExternalPrincipals=True)

    [updated] = ram.shares(name="new")
    assert updated["allowExternalPrincipals"] is True
    assert updated["lastUpdatedTime"] > updated["creationTime"]


def test_an_update_changes_something(ram: World) -> None:
    error = ram.refused("UpdateResourceShare", resourceShareArn=ram.new_share())

    assert error.code == "MissingRequiredParameterException"


def test_tags_are_added_replaced_and_removed(ram: World) -> None:
    share = ram.new_share(tags=[{"key": "kept", "value": "1"}, {"key": "gone", "value": "1"}])

    ram("TagResource", resourceShareArn=share, tags=[{"key": "kept", "value": "2"}, {"key": "new", "value": ""}])
    ram("UntagResource", resourceShareArn=share, tagKeys=["gone", "never there"])

    assert ram.shares()[0]["tags"] == [{"key": "kept", "value": "2"}, {"key": "new", "value": ""}]


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        ([{"key": "aws:cloudformation:stack-name", "value": ""}], "InvalidParameterException"),
        ([{"key": "", "value": "x"}], "InvalidParameterException"),
        ([{"key": "k" * 129, "value": ""}], "InvalidParameterException"),
        ([{"key": "k", "value": "v" * 257}], "InvalidParameterException"),
        ([{"key": str(n), "value": ""} for n in range(51)], "TagLimitExceededException"),
    ],
    ids=["reserved", "empty", "long key", "long value", "too many"],
)
def test_tags_that_cannot_be_are_refused(ram: World, tags: list[dict[str, str]], code: str) -> None:
    assert ram.refused("CreateResourceShare", name="share", tags=tags).code == code
    assert ram.refused("TagResource", resourceShareArn=ram.new_share(), tags=tags).code == code


def test_deleting_a_share_takes_access_away_at_once_and_ends_later(ram: World, pool: str) -> None:
    share = ram.new_share(resourceArns=[pool], principals=[MEMBER])

    assert ram("DeleteResourceShare", resourceShareArn=share)["returnValue"] is True

    assert [one["status"] for one in ram.shares()] == ["DELETING"]
    assert ram.ram.pools_shared_with(MEMBER) == set()
    ram.settle()
    assert [one["status"] for one in ram.shares()] == ["DELETED"]
    assert set(ram.statuses(share).values()) == {"DISASSOCIATED"}
    assert ram.ipam("DescribeIpamPools")["IpamPools"][0]["IpamPoolArn"] == pool


def test_a_deleted_share_stays_listed_for_two_hours(ram: World) -> None:
    """https://docs.aws.amazon.com/ram/latest/userguide/working-with-sharing-delete.html"""
    share = ram.new_share()
    ram("DeleteResourceShare", resourceShareArn=share)
    ram.clock.advance(7200)
    assert len(ram.shares(resourceShareArns=[share])) == 1

    ram.clock.advance(Timings().share_delete)

    assert ram.refused("GetResourceShares", resourceOwner="SELF", resourceShareArns=[share]).code == (
        "UnknownResourceException"
    )


CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("DeleteResourceShare", {}),
    ("UpdateResourceShare", {"name": "new"}),
    ("AssociateResourceShare", {"principals": [MEMBER]}),
    ("DisassociateResourceShare", {"principals": [MEMBER]}),
    ("TagResource", {"tags": []}),
    ("UntagResource", {"tagKeys": []}),
]
for_each_change = pytest.mark.parametrize(("action", "params"), CHANGES, ids=[action for action, _ in CHANGES])


@for_each_change
def test_a_share_that_is_being_deleted_is_left_alone(ram: World, action: str, params: dict[str, Any]) -> None:
    share = ram.new_share()
    ram("DeleteResourceShare", resourceShareArn=share)

    assert ram.refused(action, resourceShareArn=share, **params).code == "InvalidStateTransitionException"


@for_each_change
def test_a_deleted_share_is_unknown_to_changes(ram: World, action: str, params: dict[str, Any]) -> None:
    share = ram.new_share()
    ram("DeleteResourceShare", resourceShareArn=share)
    ram.settle()

    assert ram.refused(action, resourceShareArn=share, **params).code == "UnknownResourceException"


@for_each_change
@pytest.mark.parametrize(
    "caller", [Caller(MEMBER, HOME), Caller(NETWORKING, ELSEWHERE)], ids=["another account", "another Region"]
)
def test_a_share_is_changed_by_its_owner_in_its_region(
    ram: World, action: str, params: dict[str, Any], caller: Caller
) -> None:
    share = ram.new_share(principals=[MEMBER])

    assert ram.refused(action, caller, resourceShareArn=share, **params).code == "UnknownResourceException"


@for_each_change
def test_a_malformed_share_arn_is_refused(ram: World, action: str, params: dict[str, Any]) -> None:
    assert ram.refused(action, resourceShareArn="share", **params).code == "MalformedArnException"


# Reading


def test_shares_are_found_by_exact_name_status_arn_and_tags(ram: World) -> None:
    one = ram.new_share(name="one", tags=[{"key": "team", "value": "a"}, {"key": "env", "value": "x"}])
    two = ram.new_share(name="one more", tags=[{"key": "team", "value": "b"}])
    gone = ram.new_share(name="gone")
    ram("DeleteResourceShare", resourceShareArn=gone)

    def found(**params: Any) -> set[str]:
        return {share["resourceShareArn"] for share in ram.shares(**params)}

    assert found() == {one, two, gone}
    assert found(name="one") == {one}
    assert found(resourceShareStatus="ACTIVE") == {one, two}
    assert found(resourceShareArns=[two, gone]) == {two, gone}
    assert found(tagFilters=[{"tagKey": "team", "tagValues": ["a", "b"]}]) == {one, two}
    assert found(tagFilters=[{"tagKey": "team", "tagValues": ["A"]}]) == set()
    assert found(tagFilters=[{"tagKey": "team"}, {"tagKey": "env", "tagValues": ["x"]}]) == {one}


def test_shares_of_other_regions_and_accounts_are_not_listed(ram: World) -> None:
    ram.new_share()

    assert ram.shares(Caller(NETWORKING, ELSEWHERE)) == ram.shares(Caller(MEMBER, HOME)) == []


@pytest.mark.parametrize(
    ("action", "params"),
    [
        ("GetResourceShares", {}),
        ("GetResourceShares", {"resourceOwner": "ME"}),
        ("GetResourceShares", {"resourceOwner": "SELF", "resourceShareStatus": "GONE"}),
        ("GetResourceShares", {"resourceOwner": "SELF", "maxResults": 0}),
        ("GetResourceShares", {"resourceOwner": "SELF", "maxResults": 501}),
        ("GetResourceShareAssociations", {}),
        ("GetResourceShareAssociations", {"associationType": "resource"}),
        ("GetResourceShareAssociations", {"associationType": "RESOURCE", "principal": MEMBER}),
        ("GetResourceShareAssociations", {"associationType": "PRINCIPAL", "resourceArn": "arn"}),
        ("GetResourceShareAssociations", {"associationType": "PRINCIPAL", "associationStatus": "GONE"}),
        ("ListResources", {}),
        ("ListPrincipals", {}),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(ram: World, action: str, params: dict[str, Any]) -> None:
    assert ram.refused(action, **params).code == "InvalidParameterException"


def test_associations_are_found_by_share_entity_and_status(ram: World, pool: str) -> None:
    first = ram.new_share(resourceArns=[pool], principals=[MEMBER])
    second = ram.new_share(resourceArns=[pool], principals=[OTHER_MEMBER])
    ram("DisassociateResourceShare", resourceShareArn=second, resourceArns=[pool])

    def found(type_: str, **params: Any) -> set[str]:
        return {one["resourceShareArn"] for one in ram.associations(associationType=type_, **params)}

    assert found("RESOURCE") == found("PRINCIPAL") == found("RESOURCE", resourceArn=pool) == {first, second}
    assert found("RESOURCE", resourceArn=pool, associationStatus="ASSOCIATED") == {first}
    assert found("PRINCIPAL", principal=OTHER_MEMBER) == {second}
    assert found("PRINCIPAL", resourceShareArns=[first]) == {first}


def test_pages_hold_few_and_lead_to_the_rest_newest_first(ram: World) -> None:
    arns = [ram.new_share() for _ in range(12)]

    pages = [ram("GetResourceShares", resourceOwner="SELF")]
    while "nextToken" in pages[-1]:
        pages.append(ram("GetResourceShares", resourceOwner="SELF", nextToken=pages[-1]["nextToken"]))

    assert [len(page["resourceShares"]) for page in pages] == [5, 5, 2]
    assert [share["resourceShareArn"] for page in pages for share in page["resourceShares"]] == arns[::-1]
    assert len(ram("GetResourceShares", resourceOwner="SELF", maxResults=500)["resourceShares"]) == 12


def test_an_empty_page_may_be_followed_by_another(ram: World) -> None:
    wanted = ram.new_share(name="wanted")
    for _ in range(5):
        ram.new_share()

    first = ram("GetResourceShares", resourceOwner="SELF", name="wanted")
    second = ram("GetResourceShares", resourceOwner="SELF", name="wanted", nextToken=first["nextToken"])

    assert first["resourceShares"] == []
    assert [share["resourceShareArn"] for share in second["resourceShares"]] == [wanted]
    assert "nextToken" not in second


@pytest.mark.parametrize("token", ["nonsense", "", "MSAy"])
def test_a_token_that_ram_did_not_give_is_refused(ram: World, token: str) -> None:
    error = ram.refused("GetResourceShares", resourceOwner="SELF", nextToken=token)

    assert error.code == "InvalidNextTokenException"


def test_a_token_is_good_for_one_question_only(ram: World) -> None:
    for _ in range(6):
        ram.new_share()
    token = ram("GetResourceShares", resourceOwner="SELF")["nextToken"]

    error = ram.refused("GetResourceShares", resourceOwner="SELF", name="share", nextToken=token)

    assert error.code == "InvalidNextTokenException"


# The other side


def test_a_member_sees_the_share_without_its_tags_in_the_home_region_only(ram: World, pool: str) -> None:
    ram.new_share(name="shared", resourceArns=[pool], principals=[MEMBER], tags=[{"key": "secret", "value": "1"}])

    [share] = ram.shares(Caller(MEMBER, HOME), resourceOwner="OTHER-ACCOUNTS")

    assert (share["name"], share["owningAccountId"]) == ("shared", NETWORKING)
    assert "tags" not in share
    assert ram.shares(Caller(MEMBER, ELSEWHERE), resourceOwner="OTHER-ACCOUNTS") == []
    assert ram.shares(Caller(OTHER_MEMBER, HOME), resourceOwner="OTHER-ACCOUNTS") == []


def test_resources_are_listed_to_both_sides(ram: World, scope: str, pool: str) -> None:
    second = ram.new_pool(scope)
    share = ram.new_share(resourceArns=[pool, second], principals=[MEMBER])
    ram.new_share(resourceArns=[second], principals=[OTHER_MEMBER])

    def listed(caller: Caller, owner: str, **params: Any) -> set[tuple[str, str]]:
        resources = ram.all("ListResources", "resources", caller, resourceOwner=owner, **params)
        return {(one["arn"], one["type"]) for one in resources}

    both = {(pool, "ec2:IpamPool"), (second, "ec2:IpamPool")}
    assert listed(Caller(MEMBER, HOME), "OTHER-ACCOUNTS") == listed(OWNER, "SELF", resourceShareArns=[share]) == both
    assert listed(OWNER, "SELF", principal=OTHER_MEMBER) == {(second, "ec2:IpamPool")}
    assert listed(OWNER, "SELF", resourceArns=[pool]) == {(pool, "ec2:IpamPool")}
    assert listed(OWNER, "OTHER-ACCOUNTS") == listed(Caller(MEMBER, ELSEWHERE), "OTHER-ACCOUNTS") == set()


def test_principals_are_listed_to_both_sides(ram: World, pool: str) -> None:
    ram.new_share(resourceArns=[pool], principals=[MEMBER])
    ram.new_share(principals=[OTHER_MEMBER])

    def listed(caller: Caller, owner: str, **params: Any) -> set[str]:
        return {one["id"] for one in ram.all("ListPrincipals", "principals", caller, resourceOwner=owner, **params)}

    assert listed(OWNER, "SELF") == {MEMBER, OTHER_MEMBER}
    assert listed(OWNER, "SELF", resourceArn=pool) == {MEMBER}
    assert listed(OWNER, "SELF", principals=[OTHER_MEMBER]) == {OTHER_MEMBER}
    assert listed(Caller(MEMBER, HOME), "OTHER-ACCOUNTS") == {NETWORKING}


@pytest.mark.parametrize("action", ["ListResources", "ListPrincipals"])
def test_an_unknown_resource_type_is_refused(ram: World, action: str) -> None:
    error = ram.refused(action, resourceOwner="SELF", resourceType="ec2:ipam-pool")

    assert error.code == "InvalidResourceTypeException"


def test_ipam_shows_a_shared_pool_to_the_member_that_holds_it(ram: World, pool: str) -> None:
    ram.new_share(resourceArns=[pool], principals=[MEMBER])

    assert [one["IpamPoolArn"] for one in ram.ipam("DescribeIpamPools", Caller(MEMBER, HOME))["IpamPools"]] == [pool]
    assert ram.ipam("DescribeIpamPools", Caller(OTHER_MEMBER, HOME))["IpamPools"] == []


# Faults, and what is left out


def test_the_next_calls_are_refused_on_request(ram: World) -> None:
    ram.ram.faults.refuse_next("GetResourceShares", AwsError("ThrottlingException", "Rate exceeded", 429), times=2)

    for _ in range(2):
        assert ram.refused("GetResourceShares", resourceOwner="SELF").status == 429
    assert ram.shares() == []


def test_an_answer_is_lost_on_request_and_a_client_token_finds_it(ram: World) -> None:
    ram.ram.faults.lose_next_answer("CreateResourceShare")
    assert ram.refused("CreateResourceShare", name="share", clientToken="token").status == 500

    share = ram("CreateResourceShare", name="share", clientToken="token")["resourceShare"]

    ram.settle()
    assert [one["resourceShareArn"] for one in ram.shares()] == [share["resourceShareArn"]]


@pytest.mark.parametrize(
    ("action", "params", "named"),
    [
        ("AcceptResourceShareInvitation", {}, "AcceptResourceShareInvitation"),
        ("CreateResourceShare", {"name": "s", "permissionArns": []}, "permissionArns"),
        ("CreateResourceShare", {"name": "s", "sources": []}, "sources"),
        ("GetResourceShareAssociations", {"associationType": "SOURCE"}, "SOURCE"),
    ],
)
def test_what_is_not_modeled_is_named(ram: World, action: str, params: dict[str, Any], named: str) -> None:
    with pytest.raises(NotImplementedError, match=named):
        ram(action, **params)
