"""`make contract` on the models: what it creates, says and leaves."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aws_models.clients import Cloud, Session
from aws_models.clock import ManualClock
from aws_models.contract import cleaning, run
from aws_models.contract.ground import Ground
from aws_models.contract.guard import TAG, Guard, NotOurs
from aws_models.contract.statement import Statement
from aws_models.contract.statements import STATEMENTS
from aws_models.errors import AwsError
from aws_models.ipam import pools
from aws_models.models import Models
from aws_models.organization import Caller, Organization

MANAGEMENT, NETWORKING, MEMBER = "111122223333", "444455556666", "012345678901"
HOME = "us-east-1"
MODELED = [statement for statement in STATEMENTS if statement.modeled]


class Person:
    """Runs the command with two accounts, and answers its question."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.clock = ManualClock()
        organization = Organization(MANAGEMENT, lambda: [MANAGEMENT, NETWORKING, MEMBER])
        organization.ram_sharing_enabled = True
        self.cloud = Cloud(Models(self.clock, organization))
        management = self.cloud.session(MANAGEMENT).client("ec2", HOME)
        management.enable_ipam_organization_admin_account(DelegatedAdminAccountId=NETWORKING)
        self.statements: list[Statement] = MODELED
        self.answer = "yes"
        self.asked: list[str] = []
        self._capsys = capsys

    def runs(self, *words: str) -> int:
        return run.main(
            words,
            connect=self._session,
            ask=self._ask,
            now=self.clock.now,
            sleep=self.clock.advance,
            statements=self.statements,
        )

    def _session(self, profile: str) -> Session:
        return self.cloud.session({"": NETWORKING, "member": MEMBER}[profile], HOME)

    def _ask(self, question: str) -> str:
        self.asked.append(question)
        return self.answer

    def reads(self) -> str:
        """Return what was printed since the last look."""
        printed = self._capsys.readouterr()
        return printed.out + printed.err

    def pools(self) -> list[dict[str, Any]]:
        return self._living("DescribeIpamPools", "IpamPools", Caller(NETWORKING, HOME))

    def everything(self) -> list[str]:
        """Return the ids of all that the accounts have. Asks the models themselves."""
        found = [pool["IpamPoolId"] for pool in self.pools()]
        for caller in (Caller(account, region) for account in (NETWORKING, MEMBER) for region in (HOME, "us-west-2")):
            found += [ipam["IpamId"] for ipam in self._living("DescribeIpams", "Ipams", caller)]
            found += [vpc["VpcId"] for vpc in self._living("DescribeVpcs", "Vpcs", caller)]
            shares = self.cloud.call("ram", "GetResourceShares", {"resourceOwner": "SELF", "maxResults": 500}, caller)
            found += [share["name"] for share in shares["resourceShares"] if share["status"] == "ACTIVE"]
        return found

    def _living(self, action: str, member: str, caller: Caller) -> list[dict[str, Any]]:
        rows = self.cloud.call("ec2", action, {"MaxResults": 1000}, caller)[member]
        return [row for row in rows if row["State"] != "delete-complete"]


@pytest.fixture
def person(capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(capsys)


def named(*names: str) -> list[Statement]:
    """Return the statements that these functions check."""
    return [statement for statement in MODELED if statement.check.__name__ in names]


def with_check(check: Callable[[Ground], None]) -> list[Statement]:
    """Return a statement that needs a pool with a CIDR, and one that has this check."""
    return [*named("pool_with_a_cidr"), replace(MODELED[0], group="pool", check=check)]


def test_where_aws_agrees_the_exit_code_is_zero_and_nothing_is_left(person: Person) -> None:
    person.statements = named("second_cidr", "full_pool", "default_size", "same_name", "vpc_of_the_member")

    assert person.runs("member=member") == 0

    told = person.reads()
    assert "5 agrees, 0 differs, 0 unsettled" in told
    assert "Nothing is left." in told
    assert person.everything() == []


def test_it_says_beforehand_what_it_creates_costs_and_takes(person: Person) -> None:
    person.answer = "no"

    assert person.runs("member=member") == 1

    told = person.reads()
    assert f"Accounts  {NETWORKING}, {MEMBER}" in told
    for line in ("Creates   pool: an IPAM if the Region has none", "US$0.00027", "Takes     about"):
        assert line in told
    assert person.asked == [f"Do this in account {NETWORKING} and {MEMBER}? Type yes: "]


@pytest.mark.parametrize("answer", ["", "y", "no"])
def test_nothing_is_created_without_a_yes(person: Person, answer: str) -> None:
    person.answer = answer

    assert person.runs() == 1

    assert person.reads().endswith("That is not yes; nothing was created.\n")
    assert person.everything() == []


def test_nothing_is_created_if_there_is_nobody_to_ask(person: Person) -> None:
    assert run.main([], connect=lambda _: person.cloud.session(NETWORKING, HOME)) == 1

    assert "add yes=yes" in person.reads()
    assert person.everything() == []


def test_dry_only_lists_the_statements_and_needs_no_account(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(profile: str) -> Any:
        raise AssertionError("it signs in")

    assert run.main(["dry=yes"], connect=refuse) == 0

    told = capsys.readouterr().out
    assert all(f"  {statement.says}" in told for statement in STATEMENTS)
    assert all(f"      {statement.source}" in told for statement in STATEMENTS)


def test_what_creates_nothing_is_not_asked_for(person: Person) -> None:
    person.statements = named("unknown_filter", "new_pool")

    assert person.runs("only=reads") == 0

    assert person.asked == []


def test_a_difference_is_reported_with_its_request_and_the_exit_code_is_one(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_assumed = pools.check_locale

    def with_another_code(ipam: Any, source: Any, locale: str) -> None:
        if locale == "eu-west-1":
            raise AwsError("InvalidLocale", "Not there.")
        as_assumed(ipam, source, locale)

    monkeypatch.setattr(pools, "check_locale", with_another_code)

    person.statements = named("unknown_locale", "another_locale", "locale_below_none")

    assert person.runs() == 1

    told = person.reads()
    _, _, summary = told.partition("2 agrees, 1 differs, 0 unsettled")
    assert "differs   pool: A locale that is no operating Region is refused." in summary
    assert "code: AWS says 'InvalidLocale', we assume 'InvalidParameterValue'" in summary
    assert re.search(r"CreateIpamPool: InvalidLocale \(Not there\.\); request [0-9a-f-]{36}, us-east-1", summary)
    assert "GetLandingZone" in told
    assert person.everything() == []


def test_what_aws_should_refuse_and_accepts_is_a_difference_and_is_deleted_too(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "check_locale", lambda *_: None)
    person.statements = named("unknown_locale")

    assert person.runs() == 1

    assert re.search(r"CreateIpamPool is accepted\n.*\n +CreateIpamPool: accepted; request", person.reads())
    assert person.everything() == []


def test_a_missing_permission_is_no_difference(person: Person) -> None:
    denied = AwsError("UnauthorizedOperation", "You are not authorized.", 403)
    person.cloud.models.ipam.faults.refuse_next("CreateIpamScope", denied)
    person.statements = named("new_pool", "client_token")

    assert person.runs() == 0

    told = person.reads()
    assert "no permission: An error occurred (UnauthorizedOperation)" in told
    assert "there is no scope: An error occurred (UnauthorizedOperation)" in told


def test_ctrl_c_deletes_everything_first(person: Person) -> None:
    def interrupt(aws: Ground) -> None:
        aws.asked_for()
        raise KeyboardInterrupt

    person.statements = with_check(interrupt)

    assert person.runs() == 130

    assert "Nothing is left." in person.reads()
    assert person.everything() == []


def test_a_broken_statement_deletes_everything_first(person: Person) -> None:
    def break_down(aws: Ground) -> None:
        aws.asked_for()
        raise ZeroDivisionError

    person.statements = with_check(break_down)

    with pytest.raises(ZeroDivisionError):
        person.runs()

    assert person.everything() == []


def test_a_closed_pipe_deletes_everything_too(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def flush(self) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    person.statements = named("pool_with_a_cidr")

    assert person.runs() == 0

    assert person.everything() == []


@pytest.mark.parametrize(
    ("words", "checks"),
    [("only=reads", ("unknown_filter", "full_pool", "same_name")), ("clean=yes", ("default_size",))],
    ids=["next run", "clean=yes"],
)
def test_what_a_killed_run_left_is_shown_and_deleted_after_a_yes(
    person: Person, monkeypatch: pytest.MonkeyPatch, words: str, checks: tuple[str, ...]
) -> None:
    person.statements = named(*checks)
    with monkeypatch.context() as killed:
        killed.setattr(cleaning, "clean", lambda *_: None)
        assert person.runs("region=us-east-1") == 1
        assert "To delete it: make contract clean=yes region=us-east-1" in person.reads()
    left = person.everything()
    assert len(left) > 4

    person.answer = "no"
    assert person.runs(words) == 1
    told = person.reads()
    assert all(pool["IpamPoolId"] in told for pool in person.pools())
    assert person.everything() == left

    person.answer = "yes"
    assert person.runs(words) == 0
    assert person.everything() == []


def test_an_ipam_that_is_there_stays_as_it_is(person: Person) -> None:
    ec2 = person.cloud.session(NETWORKING).client("ec2")
    ipam = ec2.create_ipam(OperatingRegions=[{"RegionName": "eu-west-1"}])["Ipam"]
    person.clock.advance(30)
    wanted = {"IpamScopeId": ipam["PrivateDefaultScopeId"], "AddressFamily": "ipv4", "Locale": "eu-west-1"}
    pool_id = ec2.create_ipam_pool(**wanted)["IpamPool"]["IpamPoolId"]
    person.clock.advance(30)
    ec2.provision_ipam_pool_cidr(IpamPoolId=pool_id, Cidr="10.0.0.0/8")  # the contract's are in a scope of its own
    person.clock.advance(30)
    before = ec2.describe_ipams()["Ipams"], person.pools()

    person.statements = named("second_ipam", "known_region", "custom_allocation", "pools_elsewhere")
    assert person.runs() == 0

    assert (ec2.describe_ipams()["Ipams"], person.pools()) == before
    assert "needs a Region in which the account has no IPAM; in us-east-1 it has one" in person.reads()


def test_an_ipam_of_the_free_tier_is_refused(person: Person) -> None:
    person.cloud.session(NETWORKING).client("ec2").create_ipam(Tier="free")
    person.clock.advance(1)

    assert person.runs() == 1

    assert "of the free tier, which has no further scopes; use another Region" in person.reads()


def test_without_a_member_account_what_needs_one_is_unsettled(person: Person) -> None:
    person.statements = named("empty_share", "associated_again")

    assert person.runs() == 0

    assert "needs an account of the organization: member=PROFILE" in person.reads()


def test_words_come_as_arguments_or_in_the_environment() -> None:
    assert run.words_of_make({"WORDS": "dry only", "dry": "yes", "only": "a b", "HOME": "/"}) == ["dry=yes", "only=a b"]
    assert run.words_of_make({}) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["drY=yes"], "drY is not an argument of make contract; use clean, dry, member, only"),
        (["only=polls"], "There is no group polls. Choose from reads, pool, pools, vpcs, sharing, last."),
        (["dry=sure"], "dry=sure is neither yes nor no."),
    ],
)
def test_a_word_that_is_wrong_is_refused_in_a_sentence(person: Person, words: list[str], told: str) -> None:
    assert person.runs(*words) == 1

    assert person.reads().startswith(told)


def test_a_member_must_be_another_account(person: Person) -> None:
    assert run.main(["member=same"], connect=lambda _: person.cloud.session(NETWORKING, HOME)) == 1

    assert f"member=same is account {NETWORKING} again" in person.reads()


def test_a_share_in_the_second_region_is_deleted_too(person: Person) -> None:
    ram = person.cloud.session(NETWORKING).client("ram", "us-west-2")
    ram.create_resource_share(name="contract elsewhere", tags=[{"key": TAG, "value": "delete me"}])

    assert person.runs("clean=yes") == 0

    assert person.everything() == []


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("delete_ipam", {"IpamId": "ipam-1"}),
        ("delete_ipam_pool", {"IpamPoolId": "ipam-pool-1"}),
        ("create_ipam_pool", {"IpamScopeId": "ipam-scope-1", "AddressFamily": "ipv4"}),
        ("create_tags", {"Resources": ["i-1"], "Tags": []}),
        ("terminate_instances", {"InstanceIds": ["i-1"]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_statement_cannot_change_what_the_contract_has_not_created(
    person: Person, method: str, params: dict[str, Any]
) -> None:
    ec2, guard = person.cloud.session(NETWORKING).client("ec2"), Guard()
    guard.watch(ec2, NETWORKING, HOME)

    with pytest.raises(NotOurs):
        getattr(ec2, method)(**params)


def test_shares_name_only_the_accounts_of_the_run(person: Person) -> None:
    ram, guard = person.cloud.session(NETWORKING).client("ram"), Guard()
    guard.watch(ram, NETWORKING, HOME)

    with pytest.raises(NotOurs, match="999999999999"):
        ram.create_resource_share(name="a", principals=["999999999999"])


def test_all_that_is_created_carries_the_tag(person: Person) -> None:
    def look(aws: Ground) -> None:
        assert all({"Key": TAG, "Value": "delete me"} in pool["Tags"] for pool in person.pools())

    person.statements = with_check(look)

    assert person.runs() == 0
