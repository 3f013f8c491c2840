"""`make demo`: deploy to a landing zone on this machine, create an account and a VPC, and delete the stack.

Deploys the real templates and zips with the real AWS CLI. Reads everything that it shows through the AWS APIs.
"""

from __future__ import annotations

import re
import sys
import time
from functools import partial

from commands import program
from commands.aws_cli import to_text
from commands.report.pool_tree import DrawnPool, draw
from landing_zone import deployment, reading
from landing_zone.cli import AwsCli, AwsCliFailed, preloaded
from landing_zone.company import APPS, MANAGEMENT, NETWORKING, ORGANIZATIONAL_UNITS, SHOP, STACK
from landing_zone.engine import Engine
from landing_zone.isolation import isolate

WEST = "us-west-2"
SPEED = 20
"""How much faster than on AWS IPAM and RAM change state and functions pause. Everything else takes its real time."""

MILESTONES = {
    "CopyZips": "both zips copied to the stack's bucket",
    "OrganizationSetup": "RAM sharing enabled, IPAM delegated to the Networking account",
    "Ipam": "an IPAM with both Regions as operating Regions",
    "InitPools": "the top-level pool, and a pool for each Region and environment",
    "NetworkingStackSet": "the Networking account's stack is complete",
    "ShareExistingAccounts": "pools shared with existing accounts",
}


def main() -> None:
    began = time.monotonic()
    isolate()
    try:
        with Engine.start(speed=SPEED) as engine:
            engine.set_up(MANAGEMENT, ORGANIZATIONAL_UNITS)
            say(
                f"Organization: management account {MANAGEMENT}, Networking account {NETWORKING}, "
                f"account {APPS} (apps) in SDLC OU"
            )
            deploy(engine)
            show_pools(engine)
            vend_account(engine)
            make_vpcs(engine)
            show_pools(engine)
            take_down(engine)
    except AwsCliFailed as error:
        sys.exit(f"The AWS CLI failed:\n{error}")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The landing zone is removed.")
    say()
    say(f"Done in {time.monotonic() - began:.0f} seconds.")


def say(text: str = "") -> None:
    """Print a line without the ids of pools and VPCs, which differ in each run."""
    print(re.sub(r"(ipam-pool|vpc)-[0-9a-f]{8,}", r"\1-…", text), flush=True)


def title(text: str) -> None:
    say()
    say(f"── {text} " + "─" * (76 - len(text)))


def deploy(engine: Engine) -> None:
    title("Deploy with the AWS CLI")
    cli = AwsCli(engine, MANAGEMENT)
    for command in deployment.upload_commands():
        type_in(*command)
        cli.run(*command)
    type_in(*deployment.deploy_command())
    deployment.deploy(engine, told=tell_milestone)


def tell_milestone(account: str, resource: str, status: str) -> None:
    if resource in MILESTONES and status == "CREATE_COMPLETE":
        say(f"    {account:10}  {resource:21}  {MILESTONES[resource]}")
    elif status == "CREATE_COMPLETE" and account == "management" and resource == STACK:
        say(f"    {account:10}  {resource:21}  the stack is complete (the AWS CLI polls every 30 s)")
    elif status.endswith("_FAILED"):
        say(f"    {account:10}  {resource:21}  {status}")


def type_in(*words: str) -> None:
    """Print a command as a user types it."""
    say("$ " + to_text(words))


def show_pools(engine: Engine) -> None:
    title("Pools and their utilization")
    pools = [
        DrawnPool(
            pool.pool_id, pool.source_pool_id, pool.name, pool.cidr.split(", "), pool.used_percent, pool.required_tags
        )
        for pool in reading.pools(engine)
    ]
    for line in draw(pools):
        say(line)


def vend_account(engine: Engine) -> None:
    title(f"Account Factory creates account {SHOP} (shop) in Prod OU")
    engine.vend(SHOP, "shop", "Prod OU")
    say("Control Tower sends CreateManagedAccount, and the rule invokes CTIPAMLifeCycleLambda.")
    cidrs = {pool.name: pool.cidr for pool in reading.pools(engine)}
    for account_id in (SHOP, APPS):
        for share in reading.eventually(partial(reading.shares, engine, account_id)):
            external = "allowed" if share.external_principals else "not allowed"
            say(f"RAM share {share.name} (external principals {external}):")
            for name in share.pools:
                say(f"    {name}  {cidrs[name]}")


def make_vpcs(engine: Engine) -> None:
    title(f"Account {SHOP} creates a VPC")
    shop = AwsCli(engine, SHOP, WEST)
    found = shop.ask("ec2", "describe-ipam-pools", "--filters", f"Name=locale,Values={WEST}")["IpamPools"]
    own = found[0]["IpamPoolId"]
    sdlc = reading.pool(engine, f"{WEST} SDLC OU").pool_id
    tag = ["--tag-specifications", "ResourceType=vpc,Tags=[{Key=Env,Value=Prod OU}]"]
    size = ["--ipv4-netmask-length", "24"]
    attempts = {
        "Without the Env tag": ["--ipv4-ipam-pool-id", own, *size],
        "From another OU's pool": ["--ipv4-ipam-pool-id", sdlc, *size, *tag],
        f"From its own OU's pool in {WEST}, the only pool it can see there": ["--ipv4-ipam-pool-id", own, *size, *tag],
    }
    for what, words in attempts.items():
        try:
            vpc = shop.ask("ec2", "create-vpc", *words)["Vpc"]
            reading.eventually(lambda: reading.pool(engine, f"{WEST} Prod OU").used_percent)
            say(f"{what}: {vpc['CidrBlock']}")
        except AwsCliFailed as refusal:
            say(f"{what}: refused")
            say(f"    {str(refusal).splitlines()[-1]}")


def take_down(engine: Engine) -> None:
    title("Delete the stack")
    shop = engine.client("ec2", SHOP, WEST)
    for vpc in shop.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]:
        shop.delete_vpc(VpcId=vpc["VpcId"])
        say(
            f"Deleted VPC {vpc['CidrBlock']}. IPAM can take 30 minutes to free its block, "
            "so the clock moves forward 30 minutes."
        )
    engine.advance(1800)
    type_in("cloudformation", "delete-stack", "--stack-name", STACK)
    status = deployment.delete(engine)
    say(f"    {status}")
    if status != "DELETE_COMPLETE":
        sys.exit("\n".join(deployment.failures(engine)))
    say("Remaining: " + ", ".join(f"{count} {what}" for what, count in reading.left_over(engine).items()))


def main_with_fast_cli() -> None:
    with preloaded() as AwsCli.server:
        main()


if __name__ == "__main__":
    program.run(main_with_fast_cli, only_prints=True)
