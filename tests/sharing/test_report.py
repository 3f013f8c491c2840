"""The report for operators: what the lifecycle function reads, and the text that `make report` prints of it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from commands.report import text as report_text
from ctipam import findings
from ctipam.findings import Finding
from ctipam.sharing import report
from in_process.fixtures import NETWORKING, STACK_ID, LandingZone, of_management
from in_process.lifecycle_events import ONE, ZERO

WEST = "us-west-2"
LOG_GROUP = "StackSet-ipam-PoolUtilizationLogGroup-1"
DASHBOARD = "https://console.example/dashboard"


def to_outputs(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"OutputKey": key, "OutputValue": value} for key, value in values.items()]


@pytest.fixture
def zone(cloud: Any, networking: Any, answers: Any, monkeypatch: pytest.MonkeyPatch) -> LandingZone:
    """Return a landing zone with the pools that the Networking account's stack builds, and shares."""
    zone = LandingZone(cloud, answers, monkeypatch)
    for name, account_id in (("Prod OU", ZERO), ("SDLC OU", ONE)):
        cloud.add_account(account_id, cloud.add_ou(name))
    networking.create()
    zone.clock.advance(60)  # RAM is ready now
    cloud.stacks[networking.cloudformation.stack_id] |= {
        "Outputs": to_outputs({"PoolUtilizationLogGroupName": LOG_GROUP, "DashboardUrl": DASHBOARD})
    }
    zone.invoke({"action": "reconcile"})
    zone.clock.advance(60)
    return zone


def make_vpc(zone: LandingZone) -> dict[str, Any]:
    ec2 = zone.cloud.client("ec2", ZERO, WEST)
    (pool,) = ec2.describe_ipam_pools(Filters=[{"Name": "locale", "Values": [WEST]}])["IpamPools"]
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": "Prod OU"}]}]
    vpc: dict[str, Any] = ec2.create_vpc(
        Ipv4IpamPoolId=pool["IpamPoolId"], Ipv4NetmaskLength=24, TagSpecifications=tags
    )["Vpc"]
    return vpc


def log(zone: LandingZone, *texts: str) -> None:
    """Write these lines into the log of the watch, a second after each other."""
    logs = zone.cloud.client("logs", NETWORKING)
    logs.create_log_group(logGroupName=LOG_GROUP)
    logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName="1")
    now = int(time.time() * 1000) - 60_000
    events = [{"timestamp": now + 1000 * number, "message": text} for number, text in enumerate(texts)]
    logs.put_log_events(logGroupName=LOG_GROUP, logStreamName="1", logEvents=events)


def test_the_report_draws_the_pools_and_names_accounts_users_and_findings(zone: LandingZone) -> None:
    vpc = make_vpc(zone)
    sdlc = zone.pool_arns()[f"{WEST} SDLC OU"].rpartition("/")[2]
    manual = zone.cloud.client("ec2", NETWORKING, WEST).allocate_ipam_pool_cidr(IpamPoolId=sdlc, NetmaskLength=25)
    allocation_id = manual["IpamPoolAllocation"]["IpamPoolAllocationId"]
    zone.cloud.clock.advance(1)
    gone, found = (
        Finding("OverlappingVpcs", "vpc-1", "It is gone."),
        Finding("OverlappingVpcs", "vpc-2", "It overlaps."),
    )
    log(zone, *findings.lines([gone], 0), "START RequestId", *findings.lines([found], 0))

    answer = zone.invoke({"action": "report"})
    lines = report_text.to_lines(answer)

    tree = {row["name"]: row for row in answer["tree"]}
    prod = tree[f"{WEST} Prod OU"]["poolId"]
    assert lines[:4] == [
        "landing-zone             192.168.0.0/16    █░░░░░░░░░  12.5 %",
        "├─ us-west-2             192.168.0.0/20    ██████████ 100.0 %",
        "│  ├─ us-west-2 Prod OU  192.168.0.0/21    █░░░░░░░░░  12.5 %  Env=Prod OU",
        "│  └─ us-west-2 SDLC OU  192.168.8.0/21    █░░░░░░░░░   6.2 %  Env=SDLC OU",
    ]
    assert f"    {ZERO}  {ZERO}  Prod OU  shared" in lines
    in_use = lines.index("In use (a pool or Region that holds one of these is not removed)")
    assert lines[in_use + 1 : lines.index("", in_use)] == [
        f"  us-west-2 Prod OU ({prod})",
        f"    addresses: {ZERO} 256",
        f"    VPC {vpc['VpcId']}, 192.168.0.0/24, account {ZERO} ({ZERO}), us-west-2",
        f"  us-west-2 SDLC OU ({sdlc})",
        f"    addresses: {NETWORKING} 128",
        f"    manual allocation {allocation_id}, 192.168.8.0/25, account {NETWORKING} ({NETWORKING}), us-west-2",
        "  To free a VPC's block, delete the VPC in its account and Region. If the account is closed, see "
        "templates/TROUBLESHOOTING.md.",
        "  To free a manual allocation, run in the Networking account:",
        f"    aws ec2 release-ipam-pool-allocation --region us-west-2 --ipam-pool-id {sdlc} --cidr 192.168.8.0/25 "
        f"--ipam-pool-allocation-id {allocation_id}",
    ]
    assert [line for line in lines if line.startswith("  - It")] == ["  - It overlaps."]
    assert lines[-1] == f"Dashboard, in the Networking account: {DASHBOARD}"


def test_the_report_tells_what_the_next_run_changes_and_what_needs_a_decision(zone: LandingZone) -> None:
    organizations = of_management("organizations")
    units = organizations.list_organizational_units_for_parent(ParentId=zone.cloud.root)["OrganizationalUnits"]
    ids = {unit["Name"]: unit["Id"] for unit in units}
    zone.cloud.move(ONE, ids["Prod OU"])
    zone.cloud.remove_ou(ids["SDLC OU"])
    zone.cloud.rename(ids["Prod OU"], "Production")
    lost = zone.pool_arns()[f"{WEST} Prod OU"].rpartition("/")[2]
    zone.cloud.client("ec2", NETWORKING).delete_tags(Resources=[lost], Tags=[{"Key": "ctipam:stack-id"}])

    answer = zone.invoke({"action": "report"})
    lines = report_text.to_lines(answer)

    assert f"  Prod OU ({ids['Prod OU']}, now named Production)" in lines
    assert f"    {ONE}  {ONE}  Production  outdated (the next run changes it)" in lines
    assert "  SDLC OU, which has no OU" in lines
    assert any(line.startswith("│  ├─ us-west-2 Prod OU (lost its tag)  192.168.0.0/21") for line in lines)
    assert any(f"create-tags --region us-east-1 --resources {lost} " in line for line in lines)
    assert answer["allocations"] == []
    assert any(line.startswith(f"  - OU {ids['SDLC OU']} of environment 'SDLC OU' is not in") for line in lines)
    assert {row["accountId"]: row["share"] for row in answer["accountDetails"]} == {
        zone.cloud.management: "none",
        NETWORKING: "none",
        ZERO: "shared",
        ONE: "outdated",
    }
    assert answer["watch"].pop("problem").startswith("The log of the watch cannot be read: ")
    assert answer["watch"] == {"at": None, "findings": [], "dashboardUrl": ""}


def test_the_report_knows_the_pools_even_if_all_have_lost_their_tag(zone: LandingZone) -> None:
    pool_ids = [arn.rpartition("/")[2] for arn in zone.pool_arns().values()]
    zone.cloud.client("ec2", NETWORKING).delete_tags(Resources=pool_ids, Tags=[{"Key": "ctipam:stack-id"}])

    answer = zone.invoke({"action": "report"})

    told = [line for line in report_text.to_lines(answer) if "has lost the tag that marks it as ours" in line]
    assert {row["poolId"] for row in answer["tree"] if row["lostTag"]} == set(pool_ids)
    assert len(told) == len(pool_ids)
    assert all("with the ARN of its stack StackSet-...-networking-..." in line for line in told)


NOT_YET = "The watch has not looked in the last two hours. It looks once an hour, so a new stack has to wait."
ANOTHER_VERSION = (
    "The log of the watch cannot be found: the stack of the pools in the Networking account has no output "
    "PoolUtilizationLogGroupName. If another version deployed it, run `make deploy stack=ipam`."
)
NO_STACK_NAMED = "The log of the watch cannot be found: no pool has a tag that names its stack."
OUTPUTS = {"PoolUtilizationLogGroupName": LOG_GROUP, "DashboardUrl": DASHBOARD}


def unwatched(state: str) -> str:
    return (
        f"Nothing watches or corrects the pools: their stack in the Networking account {state}; see `make preview "
        "stack=ipam`."
    )


def watch(zone: LandingZone) -> dict[str, Any]:
    answer: dict[str, Any] = zone.invoke({"action": "report"})["watch"]
    return answer


def networking_stack(zone: LandingZone) -> str:
    (stack_id,) = [one for one in zone.cloud.stacks if f":{NETWORKING}:stack/" in one]
    return stack_id


@pytest.mark.parametrize("status", ["DELETE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_stack_that_cannot_act_watches_nothing(zone: LandingZone, status: str) -> None:
    zone.cloud.stacks[networking_stack(zone)]["StackStatus"] = status

    assert (watch(zone)["problem"], watch(zone)["dashboardUrl"]) == (unwatched(f"is {status}"), "")


def test_a_stack_that_somebody_deleted_watches_nothing(zone: LandingZone) -> None:
    del zone.cloud.stacks[networking_stack(zone)]

    assert watch(zone)["problem"] == unwatched("does not exist")


def test_a_complete_stack_that_names_no_log_is_not_said_to_watch_nothing(zone: LandingZone) -> None:
    outputs = to_outputs({"DashboardUrl": DASHBOARD})
    zone.cloud.stacks[networking_stack(zone)] |= {"StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}

    assert (watch(zone)["problem"], watch(zone)["dashboardUrl"]) == (ANOTHER_VERSION, DASHBOARD)


@pytest.mark.parametrize("lacks", [{"Outputs": []}, {"StackStatus": "DELETE_FAILED"}], ids=str)
@pytest.mark.parametrize("asked", [0, 1])
def test_of_two_stacks_that_have_pools_the_one_that_can_act_and_names_the_log_is_asked(
    zone: LandingZone, asked: int, lacks: dict[str, Any]
) -> None:
    first = networking_stack(zone)
    both = [first, f"{first}-2"]
    (pool_id, *_) = [arn.rpartition("/")[2] for arn in zone.pool_arns().values()]
    zone.networking_ec2.create_tags(Resources=[pool_id], Tags=[{"Key": "ctipam:stack-id", "Value": both[1]}])
    zone.cloud.stacks[both[1]] = {**zone.cloud.stacks[first]}
    zone.cloud.stacks[both[1 - asked]] |= lacks
    log(zone, "START RequestId")

    assert watch(zone)["problem"] == NOT_YET


def test_a_stack_that_is_being_created_has_to_be_waited_for(zone: LandingZone) -> None:
    zone.cloud.stacks[networking_stack(zone)] |= {"StackStatus": "CREATE_IN_PROGRESS", "Outputs": []}

    assert watch(zone)["problem"].endswith("is CREATE_IN_PROGRESS; try again when that has ended.")


def test_pools_that_name_no_stack_say_nothing_of_it(zone: LandingZone) -> None:
    pool_ids = [arn.rpartition("/")[2] for arn in zone.pool_arns().values()]
    zone.cloud.client("ec2", NETWORKING).delete_tags(Resources=pool_ids, Tags=[{"Key": "ctipam:stack-id"}])

    assert watch(zone)["problem"] == NO_STACK_NAMED


FOUND = Finding("OverlappingVpcs", "vpc-1", "It overlaps.")


@pytest.mark.parametrize(
    ("outputs", "lines", "watched"),
    [
        (OUTPUTS, ["START RequestId"], {"problem": NOT_YET}),
        (OUTPUTS, [*findings.lines([], 0)], {"at": "2026-01-01T00:00:00+00:00"}),
        (
            OUTPUTS,
            [*findings.lines([FOUND], 0)],
            {
                "at": "2026-01-01T00:00:00+00:00",
                "findings": [{"metric": "OverlappingVpcs", "subject": "vpc-1", "message": "It overlaps."}],
            },
        ),
    ],
    ids=["not yet", "nothing found", "something found"],
)
def test_what_the_watch_has_found_or_why_that_is_not_known(
    monkeypatch: pytest.MonkeyPatch, outputs: dict[str, str], lines: list[str], watched: dict[str, Any]
) -> None:
    at = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000)
    stack = {"StackStatus": "CREATE_COMPLETE", "Outputs": to_outputs(outputs)}
    monkeypatch.setattr(report, "_stack_of_pools", lambda *_: stack)
    monkeypatch.setattr(report, "_lines", lambda *_: [(at, line) for line in lines])
    nothing: dict[str, Any] = {"at": None, "findings": [], "problem": "", "dashboardUrl": DASHBOARD}

    assert report._read_watch(None, frozenset({STACK_ID}), "ipam") == nothing | watched  # type: ignore[arg-type]
