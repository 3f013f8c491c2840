"""Shares that others change at the same time, and calls to AWS that are slow or fail."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aws_models.errors import AwsError
from ctipam import networking_account, sessions
from ctipam.errors import REASON_LIMIT, WHERE, AwsFailed, Refused, where_it_happened
from ctipam.names import execution_role_arn
from ctipam.sharing.rounds import RAM_PAUSE_S
from ctipam.sharing.session_policy import session_policy
from ctipam.waiting import RESERVE_S
from in_process.fixtures import MANAGEMENT, NETWORKING
from in_process.lifecycle_events import NEWCOMER, ONE, PROD, SCHEDULE, SDLC, ZERO, moved
from in_process.sharing_world import SharingWorld
from landing_zone.direct_stack import Context

SHARED = {f"ipamShare-{ZERO}": PROD}


@pytest.fixture
def ous(landing_zone: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Put ZERO into Prod OU, and let the pauses between boto3's retries advance the clock."""
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


# Existing shares


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_a_share_of_an_earlier_version_is_adopted_and_closed(landing_zone: Any, ous: Any, event: Any) -> None:
    arn = share_by_hand(landing_zone, f"ipamShare-{ZERO}", ["us-east-1 Prod OU", "us-east-1 SDLC OU"], [ZERO])

    landing_zone.invoke(event)

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
    ids=["another name", "a similar name", "our name with tags of others"],
)
def test_shares_of_others_are_never_changed(landing_zone: Any, ous: Any, name: str, settings: Any) -> None:
    share_by_hand(landing_zone, name, ["us-east-1 SDLC OU"], [ZERO], allowExternalPrincipals=False, **settings)
    before = [share for share in landing_zone.live_shares() if share["name"] == name]

    landing_zone.invoke(SCHEDULE)
    landing_zone.ask("Create")
    assert landing_zone.ask("Delete")["Status"] == "SUCCESS"

    assert landing_zone.live_shares() == before


def test_a_share_that_somebody_changed_is_corrected(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account(ONE)
    landing_zone.invoke(SCHEDULE)
    landing_zone.clock.advance(60)
    ram, (share,) = landing_zone.networking_ram, landing_zone.live_shares()
    arn, pools = share["resourceShareArn"], landing_zone.pool_arns()
    ram.disassociate_resource_share(resourceShareArn=arn, resourceArns=[pools[PROD[0]]], principals=[ZERO])
    ram.associate_resource_share(resourceShareArn=arn, resourceArns=[pools[SDLC[0]]], principals=[ONE])
    landing_zone.clock.advance(60)

    landing_zone.invoke(SCHEDULE)

    assert landing_zone.shared() == SHARED


def test_the_older_of_two_shares_of_an_account_is_kept(landing_zone: Any, ous: Any) -> None:
    older = share_by_hand(landing_zone, f"ipamShare-{ZERO}", ["us-east-1 Prod OU"], [ZERO])
    share_by_hand(landing_zone, f"ipamShare-{ZERO}", ["us-west-2 Prod OU"], [ZERO])

    landing_zone.invoke(moved(ZERO))

    assert landing_zone.shared() == SHARED
    assert [share["resourceShareArn"] for share in landing_zone.live_shares()] == [older]


def test_a_run_that_deletes_a_share_too_many_waits_for_what_it_takes_from_the_other(
    landing_zone: Any, ous: Any
) -> None:
    kept = share_by_hand(landing_zone, f"ipamShare-{ZERO}", [*PROD, "us-east-1 SDLC OU"], [ZERO])
    share_by_hand(landing_zone, f"ipamShare-{ZERO}", ["us-west-2 Prod OU"], [ZERO])

    landing_zone.invoke(moved(ZERO))

    leaving = landing_zone.networking_ram.get_resource_share_associations(
        associationType="RESOURCE", associationStatus="DISASSOCIATING", resourceShareArns=[kept]
    )
    assert leaving["resourceShareAssociations"] == []


def test_a_run_does_not_wait_for_an_account_that_has_failed(landing_zone: Any, ous: Any) -> None:
    refused = AwsError("TagPolicyViolationException", "The tags do not comply.", 400)
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", refused)
    began = landing_zone.clock.now()

    with pytest.raises(AwsFailed, match="TagPolicyViolationException"):
        landing_zone.invoke(moved(ZERO))

    assert landing_zone.clock.now() == began


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_a_share_that_ram_cannot_delete_yet_is_deleted_when_it_can(landing_zone: Any, ous: Any, event: Any) -> None:
    landing_zone.cloud.set_ram_timings(associate=100)
    assert landing_zone.invoke(moved(ZERO))["pending"] == 1
    landing_zone.cloud.move(ZERO, landing_zone.cloud.root)

    landing_zone.invoke(event)

    assert landing_zone.live_shares() == []


def test_a_share_that_ram_cannot_delete_is_not_reported_as_deleted(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.set_ram_timings(associate=1000)
    landing_zone.invoke(moved(ZERO))
    landing_zone.cloud.move(ZERO, landing_zone.cloud.root)

    (account,) = landing_zone.invoke(moved(ZERO))["reconciled"]

    assert (account["changed"], account["removed"], account["pending"]) == (False, [], True)
    landing_zone.clock.advance(1000)
    landing_zone.invoke(SCHEDULE)
    assert landing_zone.live_shares() == []


def test_a_share_that_ram_answers_not_to_have_deleted_is_a_failure_of_its_account(
    landing_zone: Any, ous: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """returnValue: false, without an error."""
    landing_zone.invoke(moved(ZERO))
    landing_zone.cloud.move(ZERO, landing_zone.cloud.root)
    ram = landing_zone.cloud.models.ram
    call_model = ram.call

    def unsuccessful(action: str, params: Any, caller: Any) -> Any:
        return {"returnValue": False} if action == "DeleteResourceShare" else call_model(action, params, caller)

    with monkeypatch.context() as patched:
        patched.setattr(ram, "call", unsuccessful)
        with pytest.raises(AwsFailed, match=f"AWS did not delete share ipamShare-{ZERO}, and gave no reason"):
            landing_zone.invoke(moved(ZERO))

    landing_zone.invoke(SCHEDULE)
    assert landing_zone.live_shares() == []


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_an_account_gets_another_share_for_one_that_ram_could_not_create(
    landing_zone: Any, ous: Any, event: Any
) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_share("not today")
    with pytest.raises(AwsFailed, match="not today"):
        landing_zone.invoke(moved(ZERO))

    landing_zone.invoke(event)

    assert landing_zone.shared() == SHARED
    assert len(landing_zone.live_shares()) == 1, "the one that failed is deleted"


def test_a_run_creates_no_second_share_for_one_that_fails_meanwhile(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_share("not today", times=9)

    for _ in range(3):
        with pytest.raises(AwsFailed, match="not today"):
            landing_zone.invoke(moved(ZERO))

    assert len(landing_zone.live_shares()) == 1


def test_what_ram_adds_to_a_share_that_is_pending_is_waited_for(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.set_ram_timings(share_create=30)

    (account,) = landing_zone.invoke(moved(ZERO))["reconciled"]

    assert (len(account["added"]), account["pending"]) == (2, False)


def test_a_further_pool_that_a_pending_share_cannot_take_is_added_by_the_schedule(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.set_ram_timings(share_create=1000)
    landing_zone.invoke(moved(ZERO))
    landing_zone.add_pools("Prod OU", regions=("eu-west-1",))
    with pytest.raises(AwsFailed, match="InvalidStateTransitionException"):
        landing_zone.invoke(moved(ZERO))

    landing_zone.clock.advance(1000)
    landing_zone.invoke(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": ["eu-west-1 Prod OU", *PROD]}
    assert len(landing_zone.live_shares()) == 1


def test_a_pool_that_is_being_modified_stays_shared_but_gets_no_new_accounts(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account(ONE, ous["Prod OU"])
    landing_zone.invoke(moved(ZERO))
    landing_zone.clock.advance(60)
    pool_id = landing_zone.pool_arns()["us-west-2 Prod OU"].rpartition("/")[2]
    landing_zone.networking_ec2.modify_ipam_pool(IpamPoolId=pool_id, Description="changed")

    kept = landing_zone.invoke(moved(ZERO))["reconciled"][0]
    given = landing_zone.invoke(moved(ONE), ends=landing_zone.clock.now() + 40)["reconciled"][0]

    assert (kept["removed"], kept["changed"]) == ([], False)
    assert len(given["added"]) == 1
    assert given["pending"]
    landing_zone.clock.advance(60)
    landing_zone.invoke(SCHEDULE)
    assert landing_zone.shared() == SHARED | {f"ipamShare-{ONE}": PROD}


# Handlers that run at the same time


def test_two_handlers_that_both_find_no_share_create_one_share(landing_zone: Any, ous: Any) -> None:
    others = iter([moved(ZERO)])

    def meanwhile(action: str, _params: Any) -> None:
        if action == "CreateResourceShare" and (event := next(others, None)):
            landing_zone.invoke(event)  # another invocation, after this one has read and before it writes

    landing_zone.before_ram_calls(meanwhile)
    answer = landing_zone.invoke(moved(ZERO))

    assert answer["failed"] == 0
    assert landing_zone.shared() == SHARED


def test_two_handlers_that_both_find_the_old_pools_leave_only_the_new_pools(landing_zone: Any, ous: Any) -> None:
    landing_zone.invoke(moved(ZERO))
    landing_zone.clock.advance(60)
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    others = {"AssociateResourceShare": moved(ZERO), "DisassociateResourceShare": SCHEDULE}

    def meanwhile(action: str, _params: Any) -> None:
        if event := others.pop(action, None):
            landing_zone.invoke(event)

    landing_zone.before_ram_calls(meanwhile)
    answer = landing_zone.invoke(moved(ZERO))

    assert answer["failed"] == 0
    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}


# The Terraform provider looks for a new share again for a minute, and a reader of a share reports that RAM did not find
# it: resourceSharePropagationTimeout in
# https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/ram/resource_share.go
# https://github.com/hashicorp/terraform-provider-aws/issues/36791


@pytest.mark.parametrize("listed_s", [6, 20])
@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE], ids=["an event", "the schedule"])
def test_a_share_that_ram_lists_late_is_created_once(
    landing_zone: Any, ous: Any, calls: list[str], event: Any, listed_s: int
) -> None:
    landing_zone.cloud.set_ram_timings(listed=listed_s)

    answer = landing_zone.invoke(event)

    assert (answer["failed"], answer["pending"]) == (0, 0)
    assert (calls.count("ram:CreateResourceShare"), calls.count("ram:AssociateResourceShare")) == (1, 0)
    assert landing_zone.shared() == SHARED


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE], ids=["an event", "the schedule"])
def test_pools_that_ram_lists_late_are_added_once(landing_zone: Any, ous: Any, calls: list[str], event: Any) -> None:
    landing_zone.invoke(moved(ZERO))
    landing_zone.cloud.move(ZERO, ous["SDLC OU"])
    landing_zone.cloud.set_ram_timings(listed=20)
    calls.clear()

    answer = landing_zone.invoke(event)

    assert (answer["failed"], calls.count("ram:AssociateResourceShare")) == (0, 1)
    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}


@pytest.mark.parametrize(
    ("to", "shared"), [("SDLC OU", {f"ipamShare-{ZERO}": SDLC}), ("Sandbox", {})], ids=["other pools", "no pools"]
)
def test_an_account_that_moves_before_ram_lists_its_new_share_ends_with_the_pools_of_its_new_ou(
    landing_zone: Any, ous: Any, calls: list[str], to: str, shared: dict[str, list[str]]
) -> None:
    landing_zone.cloud.set_ram_timings(listed=20)
    ou_id = ous.get(to) or landing_zone.cloud.add_ou(to)
    after_creation = iter([lambda: landing_zone.cloud.move(ZERO, ou_id)])
    ram = landing_zone.cloud.models.ram
    call_model = ram.call

    def moving(action: str, params: Any, caller: Any) -> Any:
        answer = call_model(action, params, caller)
        if action == "CreateResourceShare" and (move := next(after_creation, None)):
            move()
        return answer

    ram.call = moving
    assert landing_zone.invoke(moved(ZERO))["failed"] == 0

    assert (calls.count("ram:CreateResourceShare"), calls.count("ram:DeleteResourceShare")) == (1, int(not shared))
    assert landing_zone.shared() == shared


def test_eight_simultaneous_events_leave_one_share_for_each_account(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.add_account(ONE, ous["SDLC OU"])
    errors: list[BaseException] = []
    start = threading.Barrier(8)

    def handle(account_id: str) -> None:
        start.wait()
        try:
            landing_zone.index.lambda_handler(moved(account_id), Context(landing_zone.clock, MANAGEMENT))
        except BaseException as error:
            errors.append(error)

    with landing_zone.cloud.running_in(landing_zone.cloud.management):
        handlers = [threading.Thread(target=handle, args=[account_id]) for account_id in [ZERO, ONE] * 4]
        for handler in handlers:
            handler.start()
        for handler in handlers:
            handler.join()
    landing_zone.clock.advance(60)
    landing_zone.invoke(SCHEDULE)

    assert errors == []
    assert landing_zone.shared() == SHARED | {f"ipamShare-{ONE}": SDLC}


def test_an_account_that_moves_during_a_scheduled_run_keeps_the_pools_of_its_new_ou(
    landing_zone: Any, ous: Any
) -> None:
    landing_zone.invoke(moved(ZERO))
    adding: list[str] = []
    moves = iter([ZERO])

    def meanwhile(action: str, params: Any) -> None:
        if action == "GetResourceShares" and (account_id := next(moves, None)):
            landing_zone.cloud.move(account_id, ous["SDLC OU"])  # after the organization was listed
            landing_zone.invoke(moved(account_id))
            landing_zone.clock.advance(60)
        elif action == "AssociateResourceShare":
            adding.extend(params["resourceArns"])

    landing_zone.before_ram_calls(meanwhile)
    landing_zone.invoke(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}
    assert sorted(adding) == sorted(landing_zone.pool_arns()[name] for name in SDLC)


def test_an_account_that_moved_while_ram_refused_its_share_is_given_only_the_pools_of_its_new_ou(
    landing_zone: Any, ous: Any
) -> None:
    given: list[str] = []
    moves = iter([ZERO])

    def meanwhile(action: str, params: Any) -> None:
        if action == "CreateResourceShare" and (account_id := next(moves, None)):
            landing_zone.cloud.move(account_id, ous["SDLC OU"])
            raise AwsError("InvalidParameterException", "Not now.", 400)
        if action in ("CreateResourceShare", "AssociateResourceShare"):
            given.extend(params["resourceArns"])

    landing_zone.before_ram_calls(meanwhile)
    landing_zone.invoke(SCHEDULE)

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}
    assert sorted(given) == sorted(landing_zone.pool_arns()[name] for name in SDLC)


def test_an_account_that_is_created_during_a_scheduled_run_keeps_its_share(landing_zone: Any, ous: Any) -> None:
    arrivals = iter([ONE])

    def meanwhile(action: str, _params: Any) -> None:
        if action == "GetResourceShares" and (account_id := next(arrivals, None)):
            landing_zone.cloud.add_account(account_id, ous["SDLC OU"])
            landing_zone.invoke(moved(account_id))
            landing_zone.clock.advance(60)

    landing_zone.before_ram_calls(meanwhile)
    landing_zone.invoke(SCHEDULE)

    assert landing_zone.shared() == SHARED | {f"ipamShare-{ONE}": SDLC}


# Calls to AWS that are slow or fail


def test_associations_that_take_too_long_are_pending_and_are_found_by_the_next_run(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.set_ram_timings(associate=3600)
    began = landing_zone.clock.now()

    answer = landing_zone.invoke(moved(ZERO))

    assert (answer["pending"], answer["reconciled"][0]["pending"]) == (1, True)
    assert landing_zone.clock.now() - began == 60
    landing_zone.clock.advance(3600)
    assert landing_zone.invoke(SCHEDULE)["changed"] == 0
    assert landing_zone.shared() == SHARED


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_an_association_that_fails_late_is_an_error_and_is_requested_again_by_the_next_event(
    landing_zone: Any, ous: Any, event: Any
) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_associations(f"quota {'of nothing ' * 30}exceeded")

    with pytest.raises(
        AwsFailed, match=rf"AWS could not share arn:.*: quota .* Try again, or wait for the next run\. .Account {ZERO};"
    ):
        landing_zone.invoke(event)

    landing_zone.invoke(event)
    assert landing_zone.shared() == SHARED


def test_what_failed_for_an_account_does_not_keep_it_from_the_pools_of_the_ou_to_which_it_has_moved_meanwhile(
    landing_zone: Any, ous: Any
) -> None:
    landing_zone.cloud.models.ram.faults.fail_next_associations("quota exceeded")
    moves = iter([ZERO])

    def meanwhile(action: str, _params: Any) -> None:
        if action == "GetResourceShareAssociations" and (account_id := next(moves, None)):
            landing_zone.cloud.move(account_id, ous["SDLC OU"])

    landing_zone.before_ram_calls(meanwhile)
    landing_zone.invoke(moved(ZERO))

    assert landing_zone.shared() == {f"ipamShare-{ZERO}": SDLC}


def test_a_pool_that_ram_could_not_add_to_a_share_that_was_there_is_an_error(landing_zone: Any, ous: Any) -> None:
    share_by_hand(landing_zone, f"ipamShare-{ZERO}", ["us-east-1 Prod OU"], [ZERO])
    landing_zone.cloud.models.ram.faults.fail_next_associations("quota exceeded")

    with pytest.raises(AwsFailed, match=r"AWS could not share arn:.*: quota exceeded\. Try again"):
        landing_zone.invoke(moved(ZERO))


def test_an_account_that_ram_could_not_add_to_its_share_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SharingWorld({"ou-ab12-00000001": "Prod OU"}, {"Prod OU": "ou-ab12-00000001"})
    world.places[ZERO] = ("ACTIVE", "ou-ab12-00000001")
    call = world.models.ram.call

    def fail(action: str, params: Any, caller: Any) -> Any:
        answer = call(action, params, caller)
        for row in answer.get("resourceShareAssociations", []):
            if row["associatedEntity"] == ZERO:
                row |= {"status": "FAILED", "statusMessage": "not a member"}
        return answer

    monkeypatch.setattr(world.models.ram, "call", fail)

    assert [one.failed for one in world.run(ZERO).accounts] == [
        f"AWS could not share {ZERO}: not a member. Try again, or wait for the next run."
    ]


def test_what_failed_earlier_in_a_second_share_is_no_failure_of_this_run() -> None:
    world = SharingWorld({"ou-ab12-00000001": "Prod OU"}, {"Prod OU": "ou-ab12-00000001"})
    world.places[ZERO] = ("ACTIVE", "ou-ab12-00000001")
    share = {"name": f"ipamShare-{ZERO}", "principals": [ZERO]}
    world.ram("CreateResourceShare", **share)
    world.clock.advance(60)
    world.models.ram.faults.fail_next_associations("once")
    world.ram("CreateResourceShare", **share)
    world.clock.advance(60)

    assert [(one.failed, len(one.added)) for one in world.run().accounts if one.spec.account_id == ZERO] == [("", 1)]
    assert world.shared() == {ZERO: ["Prod OU"]}


def test_an_account_that_fails_does_not_block_the_others(landing_zone: Any, ous: Any) -> None:
    for account_id in (ONE, NEWCOMER):
        landing_zone.cloud.add_account(account_id, ous["SDLC OU"])
    landing_zone.cloud.models.ram.faults.fail_next_associations("no")

    with pytest.raises(AwsFailed, match=r"1 of 5 accounts failed"):
        landing_zone.invoke(SCHEDULE)

    complete = [name for name, pools in landing_zone.shared_now().items() if len(pools) == 2]
    assert len(complete) == 2


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
def test_throttling_and_service_errors_are_retried(
    landing_zone: Any, ous: Any, service: str, action: str, error: AwsError
) -> None:
    landing_zone.cloud.over_http = True
    getattr(landing_zone.cloud.models, service).faults.refuse_next(action, error, times=4)

    landing_zone.invoke(moved(ZERO))

    assert landing_zone.shared() == SHARED


def test_a_share_whose_creation_gets_no_response_is_not_created_twice(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.over_http = True
    landing_zone.cloud.models.ram.faults.lose_next_answer("CreateResourceShare")

    landing_zone.invoke(moved(ZERO))

    assert landing_zone.shared() == SHARED


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_the_schedule_applies_an_event_whose_handling_failed(landing_zone: Any, ous: Any, event: Any) -> None:
    throttled = AwsError("ThrottlingException", "Rate exceeded", 429)
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", throttled)
    with pytest.raises(AwsFailed, match="the next scheduled run goes on"):
        landing_zone.invoke(event)

    landing_zone.invoke(SCHEDULE)

    assert landing_zone.shared() == SHARED


def test_disabled_ram_sharing_is_an_error_with_the_command_that_enables_it(landing_zone: Any, ous: Any) -> None:
    landing_zone.cloud.models.organization.ram_sharing_enabled = False
    began = landing_zone.clock.now()

    with pytest.raises(AwsFailed, match=r"UnknownResourceException.*aws ram enable-sharing-with-aws-organization"):
        landing_zone.invoke(moved(ZERO))

    assert landing_zone.clock.now() - began < RAM_PAUSE_S, "only a stack operation waits until RAM is ready"


@pytest.mark.parametrize("action", ["CreateResourceShare", "GetResourceShares"])
def test_a_denied_call_is_an_error_with_action_and_reason(landing_zone: Any, ous: Any, action: str) -> None:
    denied = AwsError("AccessDeniedException", "explicit deny in a service control policy", 403)
    landing_zone.cloud.models.ram.faults.refuse_next(action, denied)

    with pytest.raises(AwsFailed, match=f"{action} .*was denied: explicit deny in a service control policy"):
        landing_zone.invoke(SCHEDULE)


def test_a_role_that_cannot_be_assumed_is_an_error_with_its_account_and_a_fix(
    landing_zone: Any, ous: Any, refuse_calls: Any
) -> None:
    refuse_calls("AssumeRole", "AccessDenied")

    with pytest.raises(Refused, match=r"Cannot assume AWSControlTowerExecution in 222222222222.*Enroll the account"):
        landing_zone.invoke(moved(ZERO))


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
    role_arn = execution_role_arn("aws", NETWORKING)
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
        networking_account.assume_execution_role(sessions.current_account("111122223333"), NETWORKING, {})

    assert cause in str(refusal.value)
    assert str(refusal.value).endswith("Enroll the account in Control Tower, or change the policy that denies it.")
    assert len(str(refusal.value)) <= REASON_LIMIT


@pytest.mark.parametrize("name", ["DescribeAccount", "DescribeOrganizationalUnit"])
def test_a_failed_call_to_organizations_fails_the_event_so_that_lambda_keeps_it(
    landing_zone: Any, ous: Any, refuse_calls: Any, name: str
) -> None:
    refuse_calls(name, "TooManyRequestsException")

    with pytest.raises(AwsFailed, match=f"{name} failed: TooManyRequestsException"):
        landing_zone.invoke(moved(ZERO))


# Runs of several invocations


def test_a_long_run_continues_in_further_invocations_and_shares_with_all_accounts(
    landing_zone: Any, ous: Any, continuations: list[dict[str, Any]]
) -> None:
    accounts = [f"4444444444{number:02}" for number in range(12)]
    for account_id in accounts:
        landing_zone.cloud.add_account(account_id, ous["SDLC OU"])
    landing_zone.make_creating_shares_slow(200)
    events: list[dict[str, Any]] = [SCHEDULE]
    for event in events:  # grows in this loop
        landing_zone.invoke(event)
        events += continuations
        continuations.clear()

    assert [event.get("CtipamInvocation", {}).get("number") for event in events] == [None, *range(2, len(events) + 1)]
    assert len(events) in range(2, 8)
    assert landing_zone.shared() == SHARED | {f"ipamShare-{account_id}": SDLC for account_id in accounts}


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
def test_what_an_invocation_has_added_last_is_not_added_again_by_the_next(
    landing_zone: Any, ous: Any, continuations: list[dict[str, Any]], calls: list[str], event: Any
) -> None:
    landing_zone.make_creating_shares_slow(890)
    landing_zone.invoke(event)

    landing_zone.invoke(continuations[0])

    assert calls.count("ram:CreateResourceShare") == 1
    assert landing_zone.shared() == SHARED


def test_an_invocation_without_the_time_to_wait_for_what_was_added_last_leaves_it_to_the_next(
    landing_zone: Any, ous: Any, continuations: list[dict[str, Any]], calls: list[str]
) -> None:
    landing_zone.make_creating_shares_slow(890)
    landing_zone.invoke(SCHEDULE)

    landing_zone.invoke(continuations[0], ends=landing_zone.clock.now() + RESERVE_S)
    landing_zone.invoke(continuations[1])

    assert calls.count("ram:CreateResourceShare") == 1
    assert landing_zone.shared() == SHARED


def test_the_number_of_invocations_of_a_run_is_limited(landing_zone: Any, ous: Any, continuations: list[Any]) -> None:
    with pytest.raises(Exception, match="the schedule continues"):
        landing_zone.invoke(SCHEDULE | {"CtipamInvocation": {"number": 8}}, ends=landing_zone.clock.now() + 1)

    assert continuations == []


# Permissions of a session in the Networking account


@pytest.mark.parametrize("purpose", ["read", "report", "share", "unshare"])
def test_a_session_policy_names_the_partition_in_every_arn(purpose: Any) -> None:
    for statement in session_policy("aws-us-gov", "us-gov-west-1", "222222222222", purpose)["Statement"]:
        assert statement["Resource"] == "*" or statement["Resource"].startswith("arn:aws-us-gov:")


@pytest.mark.parametrize("purpose", ["read", "report"])
def test_a_read_session_allows_only_reads(purpose: Any) -> None:
    for statement in session_policy("aws", "us-east-1", "222222222222", purpose)["Statement"]:
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        assert all(action.partition(":")[2].startswith(("Get", "Describe", "Filter")) for action in actions)


# Shares that somebody has renamed or untagged, and policies of the company


@pytest.mark.parametrize("event", [moved(ZERO), SCHEDULE])
@pytest.mark.parametrize("change", ["renamed", "untagged"])
def test_a_share_that_was_renamed_or_lost_its_account_tag_stays_the_only_one(
    landing_zone: Any, ous: Any, event: Any, change: str
) -> None:
    landing_zone.invoke(SCHEDULE)
    landing_zone.clock.advance(60)
    ram, (share,) = landing_zone.networking_ram, landing_zone.live_shares()
    arn = share["resourceShareArn"]
    if change == "renamed":
        ram.update_resource_share(resourceShareArn=arn, name="for the shop", allowExternalPrincipals=True)
    else:
        ram.untag_resource(resourceShareArn=arn, tagKeys=["ctipam:account-id"])

    landing_zone.invoke(event)

    assert landing_zone.shared() == SHARED
    (kept,) = landing_zone.live_shares()
    assert (kept["resourceShareArn"], kept["allowExternalPrincipals"]) == (arn, False)
    assert {"key": "ctipam:account-id", "value": ZERO} in kept["tags"]


def test_a_policy_of_the_company_that_demands_other_shares_is_explained(landing_zone: Any, ous: Any) -> None:
    denied = AwsError("AccessDeniedException", "explicit deny in a service control policy", 403)
    landing_zone.cloud.models.ram.faults.refuse_next("CreateResourceShare", denied)

    with pytest.raises(AwsFailed, match=r"Exempt AWSControlTowerExecution.*retainSharingOnAccountLeaveOrganization"):
        landing_zone.invoke(moved(ZERO))
