"""`make deploy` with the real AWS CLI, a changed Lambda, and a team's own VPC. In this order, on one engine."""

from __future__ import annotations

import compileall
import json
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ctipam.errors import code_of
from landing_zone import deployment, existing_vpcs, reading
from landing_zone.cli import ROOT
from landing_zone.company import APPS, BUCKET, MANAGEMENT, NETWORKING, SHOP, STACK
from landing_zone.engine import Engine
from landing_zone.fork_server import ForkServer, command_at

WEST = "us-west-2"

EDIT = """

_handled = lambda_handler


def lambda_handler(event, context):
    return "edited" if event == "who are you?" else _handled(event, context)
"""

SERVICES = "cloudformation controltower ec2 iam lambda logs organizations ram service-quotas sts".split()
"""What our commands call, besides others once."""


@pytest.fixture(scope="module")
def address_of_tools() -> Iterator[str]:
    """Return the address at which others start our commands faster. They find boto3 imported, and nothing of ours."""
    with tempfile.TemporaryDirectory() as folder:
        address = str(Path(folder, "tools"))
        with ForkServer(sys.executable, modules=["boto3"], services=SERVICES, address=address):
            yield address


def python_at(address: str, program: Path) -> None:
    """Write a program that starts what a server at this address starts, as its Python would, but faster."""
    words = shlex.join(command_at(address))
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)


@pytest.fixture(scope="module")
def clone(address: str, server: ForkServer, address_of_tools: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the repository for edits."""
    clone = tmp_path_factory.mktemp("clone")
    python_at(address, clone / ".venv/aws-cli/bin/python")
    python_at(address_of_tools, clone / ".venv/tools/bin/python")
    for folder in ("ct-integration-lambda", "ipam-pool-lambda", "libraries", "packages", "templates"):
        shutil.copytree(ROOT / folder, clone / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Makefile", clone)
    shutil.copytree(ROOT / "tests/requirements", clone / "tests/requirements")
    for name in ("wheels", "lambda-runtime"):
        (clone / ".venv" / name).symlink_to(ROOT / ".venv" / name)
    for name in ("aws-cli", "tools"):
        (clone / ".venv" / name / ".ready").touch()
    compileall.compile_dir(clone / "libraries", quiet=1)  # else each command would do it
    return clone


def impatient_cli(clone: Path) -> list[str]:
    return [str(clone / ".venv/aws-cli/bin/python"), str(ROOT / "tests/landing_zone/impatient_cli.py")]


def make(
    clone: Path, engine: Engine, *words: str, account_id: str = MANAGEMENT, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run make as that account's administrator does, or in this environment, with the existing tools."""
    there = [f"--old-file=.venv/{name}/.ready" for name in ("tools", "wheels", "aws-cli", "lambda-runtime")]
    return subprocess.run(
        ["make", *there, f"PYTHON={sys.executable}", *words],
        cwd=clone,
        env=environment or engine.environment(account_id),
        capture_output=True,
        text=True,
        check=False,
    )


def deploy(
    clone: Path, engine: Engine, *words: str, account_id: str = MANAGEMENT, bucket: str = BUCKET
) -> subprocess.CompletedProcess[str]:
    place = [f"BUCKET={bucket}", f"NETWORK_ACCOUNT_ID={NETWORKING}", f"AWS={shlex.join(impatient_cli(clone))}"]
    return make(clone, engine, "deploy", *place, *words, account_id=account_id)


@pytest.fixture(scope="module")
def made(clone: Path, uploaded: Engine) -> Engine:
    """Return a landing zone to which make has deployed the solution."""
    done = deploy(clone, uploaded, "ENVS=Prod OU,SDLC OU", "REGIONS=us-west-2,us-east-1")
    assert done.returncode == 0, [done.stderr, *deployment.failures(uploaded)]
    return uploaded


def test_credentials_of_another_account_and_a_bucket_that_is_not_there_are_told(clone: Path, uploaded: Engine) -> None:
    networking = deploy(clone, uploaded, account_id=NETWORKING)
    nowhere = deploy(clone, uploaded, bucket="nobodys-bucket")

    assert networking.stderr.startswith(f"The credentials are the Networking account's ({NETWORKING})")
    assert nowhere.stderr.startswith("There is no bucket nobodys-bucket; make it: aws s3 mb s3://nobodys-bucket")
    assert networking.returncode
    assert nowhere.returncode


def test_what_cloudformation_refuses_before_it_begins_is_told(clone: Path, uploaded: Engine) -> None:
    """The stack has only a change set then, and the next deployment creates it."""
    ssm, name = uploaded.client("ssm", MANAGEMENT), f"/ctipam/{STACK}/notices"
    ssm.put_parameter(Name=name, Value="of somebody else", Type="String")

    refused = deploy(clone, uploaded, "ENVS=Prod OU,SDLC OU", "REGIONS=us-west-2,us-east-1", "preflight=no")

    ssm.delete_parameter(Name=name)
    assert refused.returncode
    assert (
        "Refused: NoticesParameter (AWS::SSM::Parameter): Resource of type 'AWS::SSM::Parameter' with identifier "
        f"'{name}' already exists."
    ) in refused.stderr.splitlines()
    assert stack(uploaded)["StackStatus"] == "REVIEW_IN_PROGRESS"


@pytest.fixture(scope="module")
def operator(uploaded: Engine) -> dict[str, str]:
    """Return the environment of an operator with only the permissions of the policy for operators."""
    return uploaded.environment(MANAGEMENT) | credentials_of_operator(uploaded)


def test_a_preview_before_the_first_deployment_shows_all_pools_and_accounts(
    uploaded: Engine, clone: Path, operator: dict[str, str]
) -> None:
    words = [f"NETWORK_ACCOUNT_ID={NETWORKING}", "ENVS=Prod OU,SDLC OU"]

    done = make(clone, uploaded, "--silent", "preview", *words, environment=operator)

    lines = [line.strip() for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert "+ IPAM in us-east-1  + operating Regions us-west-2, us-east-1" in lines
    assert "+ us-west-2/Prod OU  192.168.0.0/21" in lines
    assert f"+ {APPS} (SDLC OU)  + us-east-1/SDLC OU; + us-west-2/SDLC OU" in lines
    assert (
        lines[-1] == "Pools and IPAM: 8 to add, 0 to change, 0 to remove. Accounts: 1 to gain pools, 0 to lose pools."
    )


def test_what_has_not_changed_is_not_deployed(made: Engine, clone: Path) -> None:
    before = stack(made)

    done = deploy(clone, made, "preflight=no")

    assert done.returncode == 0, done.stderr
    assert "No changes to deploy" in done.stdout
    assert stack(made) == before


def stack(engine: Engine) -> dict[str, Any]:
    """Return the stack without its change sets: an empty one may be left."""
    found: dict[str, Any] = engine.client("cloudformation", MANAGEMENT).describe_stacks(StackName=STACK)["Stacks"][0]
    return {name: found.get(name) for name in ("StackStatus", "LastUpdatedTime", "Parameters")}


REGION_DENY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "RegionDeny",
            "Effect": "Deny",
            "NotAction": ["iam:*", "organizations:*", "sts:*"],
            "Resource": "*",
            "Condition": {
                "StringNotEquals": {"aws:RequestedRegion": ["us-east-1"]},
                "ArnNotLike": {"aws:PrincipalARN": "arn:aws:iam::*:role/AWSControlTowerExecution"},
            },
        }
    ],
}


def test_the_preflight_needs_only_a_read_only_operator_and_finds_a_region_that_is_denied(
    made: Engine, clone: Path, operator: dict[str, str]
) -> None:
    words = [
        f"NETWORK_ACCOUNT_ID={NETWORKING}",
        f"BUCKET={BUCKET}",
        f"AWS={shlex.join(impatient_cli(clone))}",
        "FORMAT=json",
    ]

    ready = make(clone, made, "--silent", "preflight", *words, environment=operator)
    policy_id = made.attach_scp(NETWORKING, REGION_DENY)
    denied = make(clone, made, "--silent", "preflight", *words, environment=operator)
    made.detach_scp(policy_id, NETWORKING)

    found = {one["about"]: one["result"] for one in json.loads(ready.stdout)["checks"]}
    not_emulated = {"Quota of pools", "Quota of shares", "Proactive controls"}
    assert ready.returncode == 0, ready.stdout + ready.stderr
    assert {about for about, result in found.items() if result == "unknown"} == not_emulated
    assert {about for about, result in found.items() if result in ("warning", "failed")} == {"Trail"}
    assert "Denied" not in ready.stdout
    (failed,) = [one["text"] for one in json.loads(denied.stdout)["checks"] if one["result"] == "failed"]
    assert " denies ec2:GetIpamPoolAllocations in us-west-2 to the function that builds the pools" in failed
    assert denied.returncode != 0


def test_a_preview_shows_what_an_update_would_do(made: Engine, clone: Path, operator: dict[str, str]) -> None:
    words = ["ENVS=SDLC OU,Sandbox", "FORMAT=json"]
    changed = without_make(clone, "preview", *words, environment=operator)
    same = make(clone, made, "--silent", "preview", environment=operator)

    found = json.loads(changed.stdout)
    assert (changed.returncode, found["exitCode"]) == (2, 2), changed.stderr
    assert [(one["action"], one["name"], one["cidrs"]) for one in found["pools"]] == [
        ("add", "us-west-2/Sandbox", ["192.168.0.0/21"]),  # of the pool that is removed first, to make room
        ("add", "us-east-1/Sandbox", ["192.168.16.0/21"]),
        ("remove", "us-east-1/Prod OU", ["192.168.16.0/21"]),
        ("remove", "us-west-2/Prod OU", ["192.168.0.0/21"]),
    ]
    assert same.returncode == 0, same.stdout + same.stderr
    assert same.stdout.splitlines()[-1] == "Nothing to do: everything is as it should be."


def without_make(
    clone: Path, command: str, *words: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command as a pipeline does that needs its exit code."""
    program = [str(clone / ".venv/tools/bin/python"), "-B", "-m", f"commands.{command}", *words]
    paths = {"PYTHONPATH": "libraries"}
    return subprocess.run(program, cwd=clone, env=environment | paths, capture_output=True, text=True, check=False)


def credentials_of_operator(engine: Engine) -> dict[str, str]:
    """Create a role with the policy for operators, and return variables with its credentials."""
    iam, policy = engine.client("iam", MANAGEMENT), ROOT / "libraries/commands/read-only-policy.json"
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="operator", AssumeRolePolicyDocument=document)["Role"]
    iam.put_role_policy(RoleName="operator", PolicyName="preflight", PolicyDocument=policy.read_text())
    sts = engine.client("sts", MANAGEMENT)
    credentials = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def test_a_team_makes_its_vpc_with_the_two_commands_of_the_template(made: Engine, clone: Path) -> None:
    made.vend(SHOP, "shop", "Prod OU")
    reading.eventually(lambda: reading.shares(made, SHOP))
    find, create = commands_of_the_template()

    pool_id = aws(clone, made, SHOP, find).strip()
    aws(clone, made, SHOP, [word.replace("ipam-pool-0123456789abcdef0", pool_id) for word in create])

    ec2 = made.client("ec2", SHOP, WEST)
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "tag:Env", "Values": ["Prod OU"]}])["Vpcs"]
    subnets = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc["VpcId"]]}])["Subnets"]
    assert vpc["CidrBlock"] == "192.168.0.0/24"
    assert sorted((subnet["AvailabilityZone"], subnet["CidrBlock"]) for subnet in subnets) == [
        ("us-west-2a", "192.168.0.0/26"),
        ("us-west-2b", "192.168.0.64/26"),
    ]


def test_a_vpc_and_its_account_are_explained(made: Engine, clone: Path, operator: dict[str, str]) -> None:
    (vpc,) = made.client("ec2", SHOP, WEST).describe_vpcs(Filters=[{"Name": "tag:Env", "Values": ["Prod OU"]}])["Vpcs"]

    reading.eventually(made.is_idle)  # the log of an invocation is there when it has ended

    of_vpc = make(clone, made, "--silent", "explain", f"vpc={vpc['VpcId']}", environment=operator)
    of_pool = make(clone, made, "--silent", "explain", "pool=us-west-2/Prod OU", environment=operator)

    assert (of_vpc.returncode, of_pool.returncode) == (0, 0), of_vpc.stderr + of_pool.stderr
    told = [" ".join(line.split()) for line in (of_vpc.stdout + of_pool.stdout).splitlines()]
    assert any(
        re.match(rf"Addresses 192.168.0.0/24 from us-west-2/Prod OU \(.*\), for account {SHOP}", line) for line in told
    )
    assert any(
        re.match(r"Matched environment 'Prod OU' is Prod OU \(ou-.*\), the account's own OU", line) for line in told
    )
    assert any(re.match(r"us-west-2/Prod OU 192.168.0.0/21 ipam-pool-\w+ shared", line) for line in told)
    assert any(re.match(r"Log .* reconciled account ou_id=ou-", line) for line in told), "\n".join(told)
    assert any(re.match(r"Log .* creating pool key=us-west-2/Prod OU", line) for line in told)
    assert f"Accounts 1: {SHOP}" in told


def test_a_plan_sees_the_vpcs_of_the_organization_and_says_where_it_could_not_look(
    made: Engine, clone: Path, operator: dict[str, str]
) -> None:
    """It lists those that need a reservation, and not the team's, which has its addresses from a pool."""
    organizations = made.client("organizations", MANAGEMENT)
    invited = organizations.create_account(AccountName="invited", Email="invited@example.com")["CreateAccountStatus"]
    accounts = (APPS, NETWORKING, MANAGEMENT)
    existing = existing_vpcs.inside(*accounts) | existing_vpcs.outside(*accounts)
    for cidr, (account_id, region) in existing.items():
        made.client("ec2", account_id, region).create_vpc(CidrBlock=cidr)

    done = make(clone, made, "--silent", "plan", "VPCS=organization", environment=operator)
    member = make(clone, made, "--silent", "plan", "VPCS=organization", account_id=SHOP)

    assert done.returncode == 0, done.stderr
    told = [" ".join(line.split()) for line in done.stdout.splitlines()]
    (found,) = [number for number, line in enumerate(told) if re.match(r"Existing VPCs: 11 of .* in 4 accounts", line)]
    assert f"ReservedCidrs={existing_vpcs.RESERVED}" in told
    last = " ".join(told[found:-2])
    unread = "1 of 5 accounts could not be read, and may have overlapping VPCs"
    assert f"{unread}: {invited['AccountId']} (AssumeRole:" in last
    assert member.returncode != 0
    assert member.stderr.startswith(f"The credentials are of account {SHOP}, and the organization's management account")


def aws(clone: Path, engine: Engine, account_id: str, words: list[str]) -> str:
    command = [*impatient_cli(clone), *words]
    done = subprocess.run(
        command, cwd=ROOT, env=engine.environment(account_id), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands_of_the_template() -> list[list[str]]:
    """Return the words after `aws` of each command in the comment at the template's top."""
    text = (ROOT / "templates/workload-vpc.template.yaml").read_text(encoding="utf-8")
    comment = re.sub(r"^# ?", "", text.partition("\n\n")[0], flags=re.MULTILINE).replace("\\\n", "")
    return [shlex.split(line)[1:] for line in comment.splitlines() if line.strip().startswith("aws ")]


def test_a_lambda_that_was_changed_is_packaged_deployed_and_runs(made: Engine, clone: Path) -> None:
    for folder in ("ct-integration-lambda", "ipam-pool-lambda"):
        with (clone / folder / "index.py").open("a") as source:
            source.write(EDIT)

    packaged = make(clone, made, "package")
    done = deploy(clone, made, "preflight=no", "RESERVE=organization", "INCOMPLETE=accept")  # see the test below

    assert packaged.returncode == 0, packaged.stderr
    assert done.returncode == 0, [done.stderr, *deployment.failures(made)]
    assert f"ReservedCidrs={existing_vpcs.RESERVED}\n" in done.stdout
    assert "1 of 5 accounts could not be read" in done.stderr
    assert who_answers(made, MANAGEMENT, "LifeCycleFunctionName") == "edited"
    assert who_answers(made, NETWORKING, "IpamFunctionName") == "edited"


def test_no_address_of_an_existing_vpc_is_given_out_until_the_pools_are_full(made: Engine) -> None:
    created = list(vpcs_from_pools(made))

    for ec2, vpc in created:
        ec2.delete_vpc(VpcId=vpc["VpcId"])
    made.advance(1800)  # as long as IPAM takes to let go of a VPC's block
    given = [vpc["CidrBlock"] for _, vpc in created]
    assert len(given) > 50
    assert not any(map(existing_vpcs.is_in_use, given))


def vpcs_from_pools(engine: Engine) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Create VPCs until each environment's pool is full; yield each with a client."""
    accounts = {"Prod OU": SHOP, "SDLC OU": APPS}
    for pool in reading.pools(engine):
        if environment := pool.required_tags.get("Env"):
            ec2 = engine.client("ec2", accounts[environment], pool.locale)
            tags = [{"ResourceType": "vpc", "Tags": [{"Key": "Env", "Value": environment}]}]
            asked = {"Ipv4IpamPoolId": pool.pool_id, "Ipv4NetmaskLength": 26, "TagSpecifications": tags}
            try:
                while True:
                    yield ec2, ec2.create_vpc(**asked)["Vpc"]
            except ClientError as full:
                assert code_of(full) == "InsufficientCidrBlocks"  # noqa: PT017 - the next pool has room


def test_code_can_be_tried_without_a_deployment(made: Engine, clone: Path) -> None:
    name = function_name(made, MANAGEMENT, "LifeCycleFunctionName")
    place = ["--s3-bucket", BUCKET, "--s3-key", "packages/ctipam_ct_integration_1.0.0.zip"]

    aws(clone, made, MANAGEMENT, ["lambda", "update-function-code", "--function-name", name, *place])

    assert "refused" in who_answers(made, MANAGEMENT, "LifeCycleFunctionName")


def who_answers(engine: Engine, account_id: str, output: str) -> Any:
    name = function_name(engine, account_id, output)
    answer = engine.client("lambda", account_id).invoke(FunctionName=name, Payload=b'"who are you?"')
    return json.loads(answer["Payload"].read())


def function_name(engine: Engine, account_id: str, output: str) -> str:
    stacks = engine.client("cloudformation", account_id).describe_stacks()["Stacks"]
    outputs = [one for found in stacks for one in found.get("Outputs", [])]
    return str(next(one["OutputValue"] for one in outputs if one["OutputKey"] == output))


def test_undo_says_what_would_stay_and_then_takes_everything_down(made: Engine, clone: Path) -> None:
    ec2, of_team = made.client("ec2", SHOP, WEST), [{"Name": "tag:Env", "Values": ["Prod OU"]}]
    (vpc,) = ec2.describe_vpcs(Filters=of_team)["Vpcs"]

    dry = make(clone, made, "--silent", "undo", "dry=yes")
    aws(clone, made, SHOP, ["cloudformation", "delete-stack", "--region", WEST, "--stack-name", "workload-vpc"])
    reading.eventually(lambda: not ec2.describe_vpcs(Filters=of_team)["Vpcs"])
    made.advance(1800)  # as long as IPAM takes to let go of a VPC's block
    done = make(clone, made, "--silent", "undo", "yes=yes")

    assert dry.returncode == 0, dry.stderr
    assert all(word in dry.stdout for word in (vpc["VpcId"], SHOP, vpc["CidrBlock"]))
    assert done.returncode == 0, [done.stdout, done.stderr]
    assert f"Stack {STACK} is deleted." in done.stdout
    assert not any(reading.left_over(made).values())
