"""Shares, when somebody else is at work on them, AWS is slow, or AWS says no."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ctipam import sessions
from ctipam.errors import REASON_LIMIT, WHERE, AwsFailed, Refused, where_it_happened
from ctipam.sharing import networking_account
from ctipam.sharing.session_policy import session_policy
from in_process.fixtures import NETWORKING
from in_process.lifecycle_events import NEWCOMER, ONE, PROD, SCHEDULE, SDLC, ZERO, moved
from landing_zone.errors import AwsError

SHARED = {f"ipamShare-{ZERO}": PROD}


@pytest.fixture
def ous(landing_zone: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """ZERO is in Prod OU, and boto3's own waiting moves the clock."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", landing_zone.clock.advance)
    cloud = landing_zone.cloud
    ous = {name: cloud.add_ou(name) for name in ("Prod OU", "SDLC OU")}
    cloud.add_account(ZERO, ous["Prod OU"])
    return ous


def share_by_hand(landing_zone: Any, name: str, pools: list[str], principals: list[str], **settings: Any) -> str:
    arns = [landing_zone.pool_arns()[pool] for pool in pools]
    share = landing_zone.networking_ram.create_resource_share(
        name=name, resourceArns=arns, principals=principals, **settings
    )["resourceShare"]
    landing_zone.clock.advance(60)
    return str(share["resourceShareArn"])


# Shares that are there already


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_a_share_of_an_earlier_version_is_adopted_and_closed(landing_zone: Any, ous: Any, event: Any) -> None:
    arn = share_by_hand(landing_zone, f"ipamShare-{ZERO}", ["us-east-1 Prod OU", "us-east-1 SDLC OU"], [ZERO])

    landing_zone.tell(event)

    assert landing_zone.shared() == SHARED
    (share,) = landing_zone.live_shares()
    assert (share["resourceShareArn"], share["allowExternalPrincipals"]) == (arn, False)
    assert {"key": "ctipam:account-id", "value": ZERO} in share["tags"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("their own", {}),
        ("ipamShare-everybody", {}),
        (f"ipamShare-{ONE}", {"tags": [{"key": "owner", "value": "another team"}]}),
    ],
    ids=["of another name", "of nearly our name", "of our name, with tags of others"],
)
def test_shares_of_others_are_never_touched(landing_zone: Any, ous: Any, name: str, settings: Any) -> None:
    share_by_hand(landing_zone, name, ["us-east-1 SDLC OU"], [ZERO], allowExternalPrincipals=False, **settings)
    before = [share for share in landing_zone.live_shares() if share["name"] == name]

    landing_zone.tell(SCHEDULE)
    landing_zone.ask("Create")
    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"

    assert landing_zone.live_shares() == before


def test_a_share_that_has_lost_its_account_or_a_pool_or_gained_others_is_mended(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account(ONE)
    landing_zone.tell(SCHEDULE)
    landing_zone.clock.advance(60)
    ram, (share,) = landing_zone.networking_ram, landing_zone.live_shares()
    arn, pools = share["resourceShareArn"], landing_zone.pool_arns()
    ram.disassociate_resource_share(resourceShareArn=arn, resourceArns=[pools[PROD[0]]], principals=[ZERO])
    ram.associate_resource_share(resourceShareArn=arn, resourceArns=[pools[SDLC[0]]], principals=[ONE])
    landing_zone.clock.advance(60)

    landing_zone.tell(SCHEDULE)

    assert landing_zone.shared() == SHARED


def test_of_two_shares_of_one_account_the_older_is_kept(landing_zone: Any, ous: Any) -> None:
    older = share_by_hand(landing_zone, f"ipamShare-{ZERO}", ["us-east-1 Prod OU"], [ZERO])
    share_by_hand(landing_zone, f"ipamShare-{ZERO}", ["us-west-2 Prod OU"], [ZERO])

    landing_zone.tell(moved(ZERO))

    assert landing_zone.shared() == SHARED
    assert [share["resourceShareArn"] for share in landing_zone.live_shares()] == [older]


def test_a_pool_that_is_being_modified_stays_shared_and_is_given_to_nobody_new(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account(ONE, ous["Prod OU"])
    landing_zone.tell(moved(ZERO))
    landing_zone.clock.advance(60)
    pool_id = landing_zone.pool_arns()["us-west-2 Prod OU"].rpartition("/")[2]
    landing_zone.networking_ec2.modify_ipam_pool(IpamPoolId=pool_id, Description="changed")

    kept = landing_zone.tell(moved(ZERO))["reconciled"][0]
    given = landing_zone.tell(moved(ONE), ends=landing_zone.clock.now() + 40)["reconciled"][0]

    assert (kept["removed"], kept["changed"]) == ([], False)
    assert len(given["added"]) == 1
    assert given["pending"]
    landing_zone.clock.advance(60)
    landing_zone.tell(SCHEDULE)
    assert landing_zone.shared() == SHARED | {f"ipamShare-{ONE}": PROD}


# Two handlers at the same moment


def test_two_handlers_that_both_see_no_share_leave_one(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ram = landing_zone.cloud.models.ram
    call_model, others = ram.call, iter([moved(ZERO)])

    def meanwhile(action: str, params: Any, caller: Any) -> Any:
        if action == "CreateResourceShare" and (event := next(others, None)):
            landing_zone.tell(event)  # a whole other invocation, between this one's look and its act
        return call_model(action, params, caller)

    monkeypatch.setattr(ram, "call", meanwhile)
    answer = landing_zone.tell(moved(ZERO))

    assert answer["failed"] == 0
    assert landing_zone.shared() == SHARED


def test_two_handlers_that_both_see_the_old_pools_leave_the_new_ones(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing_zone.tell(moved(ZERO))
    landing_zone.clock.advance(60)
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    ram = landing_zone.cloud.models.ram
    call_model, others = ram.call, {"AssociateResourceShare": moved(ZERO), "DisassociateResourceShare": SCHEDULE}

    def meanwhile(action: str, params: Any, caller: Any) -> Any:
        if event := others.pop(action, None):
            landing_zone.tell(event)
        return call_model(action, params, caller)

    monkeypatch.setattr(ram, "call", meanwhile)
    answer = landing_zone.tell(moved(ZERO))

    assert answer["failed"] == 0
    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}


def test_eight_events_at_once_leave_one_share_for_each_account(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account(ONE, ous["SDLC OU"])
    errors: list[BaseException] = []
    start = threading.Barrier(8)

    def handle(account_id: str) -> None:
        start.wait()
        try:
            landing_zone.index.lambda_handler(moved(account_id), landing_zone.context())
        except BaseException as error:
            errors.append(error)

    with landing_zone.cloud.running_in(landing_zone.cloud.management):
        handlers = [threading.Thread(target=handle, args=[account_id]) for account_id in [ZERO, ONE] * 4]
        for handler in handlers:
            handler.start()
        for handler in handlers:
            handler.join()
    landing_zone.clock.advance(60)
    landing_zone.tell(SCHEDULE)

    assert errors == []
    assert landing_zone.shared() == SHARED | {f"ipamShare-{ONE}": SDLC}


def test_an_account_that_moves_while_everybody_is_listed_keeps_what_its_event_gave_it(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    landing_zone.tell(moved(ZERO))
    ram, adding = landing_zone.cloud.models.ram, []
    call_model, moves = ram.call, iter([ZERO])

    def meanwhile(action: str, params: Any, caller: Any) -> Any:
        if action == "GetResourceShares" and (account_id := next(moves, None)):
            landing_zone.cloud.move(account_id, ous["SDLC OU"])  # after the organization was listed
            landing_zone.tell(moved(account_id))
            landing_zone.clock.advance(60)
        elif action == "AssociateResourceShare":
            adding.extend(params["resourceArns"])
        return call_model(action, params, caller)

    monkeypatch.setattr(ram, "call", meanwhile)
    landing_zone.tell(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}
    assert sorted(adding) == sorted(landing_zone.pool_arns()[name] for name in SDLC)


def test_an_account_that_is_new_since_everybody_was_listed_keeps_its_share(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ram = landing_zone.cloud.models.ram
    call_model, arrivals = ram.call, iter([ONE])

    def meanwhile(action: str, params: Any, caller: Any) -> Any:
        if action == "GetResourceShares" and (account_id := next(arrivals, None)):
            landing_zone.cloud.add_account(account_id, ous["SDLC OU"])
            landing_zone.tell(moved(account_id))
            landing_zone.clock.advance(60)
        return call_model(action, params, caller)

    monkeypatch.setattr(ram, "call", meanwhile)
    landing_zone.tell(SCHEDULE)

    assert landing_zone.shared() == SHARED | {f"ipamShare-{ONE}": SDLC}


# AWS is slow, or says no


def test_associations_that_outlast_the_waiting_are_said_to_be_pending_and_the_next_run_finds_them(
    landing_zone: Any, ous: Any
) -> None:
    landing_zone.cloud.set_ram_timings(associate=3600)

    answer = landing_zone.tell(moved(ZERO))

    assert (answer["pending"], answer["reconciled"][0]["pending"]) == (1, True)
    landing_zone.clock.advance(3600)
    assert landing_zone.tell(SCHEDULE)["changed"] == 0
    assert landing_zone.shared() == SHARED


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_an_association_that_fails_late_is_a_failure_and_is_asked_for_anew_by_the_next_event(
    landing_zone: Any, ous: Any, event: Any
) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_associations("quota of nothing exceeded")

    with pytest.raises(AwsFailed, match=f"{ZERO}: AWS could not share arn:.*: quota of nothing exceeded"):
        landing_zone.tell(event)

    landing_zone.tell(event)
    assert landing_zone.shared() == SHARED


def test_one_account_that_fails_does_not_keep_the_others_waiting(landing_zone: Any, ous: Any) -> None:
    for account_id in (ONE, NEWCOMER):
        landing_zone.cloud.add_account(account_id, ous["SDLC OU"])
    landing_zone.cloud.models.ram.faults.fail_next_associations("no")

    with pytest.raises(AwsFailed, match=r"^1 of 5 accounts"):
        landing_zone.tell(SCHEDULE)

    done = [name for name, pools in landing_zone.shared_as_it_is().items() if len(pools) == 2]
    assert len(done) == 2


@pytest.mark.parametrize(
    ("service", "action", "error"),
    [
        ("ram", "CreateResourceShare", AwsError("ThrottlingException", "Rate exceeded", 429)),
        ("ram", "GetResourceShares", AwsError("ServiceUnavailableException", "Later", 503)),
        ("ram", "GetResourceShareAssociations", AwsError("ServerInternalException", "Oh", 500)),
        ("ipam", "DescribeIpamPools", AwsError("RequestLimitExceeded", "Request limit exceeded.", 503)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_throttling_and_faults_of_aws_are_waited_out(
    landing_zone: Any, ous: Any, service: str, action: str, error: AwsError
) -> None:
    getattr(landing_zone.cloud.models, service).faults.refuse_next(action, error, times=4)

    landing_zone.tell(moved(ZERO))

    assert landing_zone.shared() == SHARED


def test_a_share_whose_answer_is_lost_is_not_made_twice(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.lose_next_answer("CreateResourceShare")

    landing_zone.tell(moved(ZERO))

    assert landing_zone.shared() == SHARED


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_an_event_that_failed_for_an_hour_is_applied_by_the_schedule(landing_zone: Any, ous: Any, event: Any) -> None:
    throttled = AwsError("ThrottlingException", "Rate exceeded", 429)
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", throttled, times=9)  # boto3 asks as often
    with pytest.raises(AwsFailed, match="the next scheduled run goes on"):
        landing_zone.tell(event)

    landing_zone.tell(SCHEDULE)

    assert landing_zone.shared() == SHARED


def test_ram_sharing_that_is_off_is_told_with_the_command_that_switches_it_on(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.organization.ram_sharing_enabled = False

    with pytest.raises(AwsFailed, match=r"UnknownResourceException.*aws ram enable-sharing-with-aws-organization"):
        landing_zone.tell(moved(ZERO))


@pytest.mark.parametrize("action", ["CreateResourceShare", "GetResourceShares"])
def test_a_denied_call_is_told_in_a_sentence(landing_zone: Any, ous: Any, action: str) -> None:
    denied = AwsError("AccessDeniedException", "explicit deny in a service control policy", 403)
    landing_zone.cloud.models.ram.faults.refuse_next(action, denied)

    with pytest.raises(AwsFailed, match=f"{action} .*was denied: explicit deny in a service control policy"):
        landing_zone.tell(SCHEDULE)


def test_a_role_that_cannot_be_assumed_is_told_with_its_account_and_the_fix(
    landing_zone: Any, ous: Any, refuse_calls: Any
) -> None:
    refuse_calls("AssumeRole", "AccessDenied")

    with pytest.raises(Refused, match=r"Cannot assume AWSControlTowerExecution in 222222222222.*Enroll the account"):
        landing_zone.tell(moved(ZERO))


@pytest.mark.parametrize(
    ("denial", "cause"),
    [
        ("", "AccessDenied: User: arn"),
        (" with an explicit deny in a service control policy", "explicit deny in a service control policy"),
    ],
    ids=["no cause", "a policy"],
)
def test_the_way_out_stays_when_aws_denies_the_role_at_length(
    monkeypatch: pytest.MonkeyPatch, denial: str, cause: str
) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html"""
    function = "ipam-controltower-OrganizationSetupFunction-QwErTyUiOpAs"
    role_arn = networking_account.execution_role("aws", NETWORKING)
    message = (
        "User: arn:aws:sts::111122223333:assumed-role/ipam-controltower-OrganizationSetupRole-1ABCDEFGHIJKL/"
        f"{function} is not authorized to perform: sts:AssumeRole on resource: {role_arn}{denial}"
    )
    response: Any = {"Error": {"Code": "AccessDenied", "Message": message}}
    response[WHERE] = where_it_happened("ap-southeast-1", "111122223333")

    def assume(*_: object) -> None:
        raise ClientError(response, "AssumeRole")

    monkeypatch.setattr(sessions.Account, "assume", assume)
    with pytest.raises(Refused) as refusal:
        networking_account.assume_with(sessions.current_account("111122223333"), NETWORKING, {})

    assert cause in str(refusal.value)
    assert str(refusal.value).endswith("Enroll the account in Control Tower, or change the policy that denies it.")
    assert len(str(refusal.value)) <= REASON_LIMIT


@pytest.mark.parametrize("name", ["DescribeAccount", "ListParents"])
def test_organizations_that_fails_makes_the_event_fail_so_that_it_is_kept(
    landing_zone: Any, ous: Any, refuse_calls: Any, name: str
) -> None:
    refuse_calls(name, "TooManyRequestsException")

    with pytest.raises(AwsFailed, match=f"{name} failed: TooManyRequestsException"):
        landing_zone.tell(moved(ZERO))


# More than fits in one invocation


def test_what_does_not_fit_is_handed_on_and_nothing_is_lost(
    landing_zone: Any, ous: Any, handed_on: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = [f"4444444444{number:02}" for number in range(12)]
    for account_id in accounts:
        landing_zone.cloud.add_account(account_id, ous["SDLC OU"])
    ram = landing_zone.cloud.models.ram
    call_model = ram.call

    def slow(action: str, params: Any, caller: Any) -> Any:
        if action == "CreateResourceShare":
            landing_zone.clock.advance(200)
        return call_model(action, params, caller)

    monkeypatch.setattr(ram, "call", slow)
    events: list[dict[str, Any]] = [SCHEDULE]
    for event in events:  # it grows
        landing_zone.tell(event)
        events += handed_on
        handed_on.clear()

    assert [event.get("CtipamInvocation", {}).get("number") for event in events] == [None, *range(2, len(events) + 1)]
    assert len(events) in range(2, 8)
    assert landing_zone.shared() == SHARED | {f"ipamShare-{account_id}": SDLC for account_id in accounts}


def test_handing_on_ends(landing_zone: Any, ous: Any, handed_on: list[Any]) -> None:
    with pytest.raises(Exception, match="the schedule continues"):
        landing_zone.tell(SCHEDULE | {"CtipamInvocation": {"number": 8}}, ends=landing_zone.clock.now() + 1)

    assert handed_on == []


# What a session in the Networking account may do


@pytest.mark.parametrize("purpose", ["read", "share", "unshare"])
def test_the_session_policy_fits_and_names_partition_region_and_account(purpose: Any) -> None:
    policy = session_policy("aws-us-gov", "us-gov-west-1", "222222222222", purpose)

    assert len(json.dumps(policy, separators=(",", ":"))) <= 2048
    for statement in policy["Statement"]:
        if statement["Resource"] == "*":
            assert statement["Condition"]["StringEquals"] == {"aws:RequestedRegion": "us-gov-west-1"}
        else:
            assert statement["Resource"].startswith("arn:aws-us-gov:")
            assert ":222222222222:" in statement["Resource"]


def test_looking_may_change_nothing() -> None:
    (statement,) = session_policy("aws", "us-east-1", "222222222222", "read")["Statement"]

    assert all(action.partition(":")[2].startswith(("Get", "Describe")) for action in statement["Action"])
