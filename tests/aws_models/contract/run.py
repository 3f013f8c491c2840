"""`make contract`: try the contract's statements on an account, and report where AWS differs from what we assume.

    make contract dry=yes                     only list the statements; needs no account
    make contract                             with the current credentials, in their Region
    make contract profile=NAME member=NAME    as the IPAM administrator, with a member account of its organization

    region=us-east-1    the home Region of the IPAM; by default that of the credentials
    other=us-west-2     the second Region of an IPAM that the contract creates
    only=reads,pool     some groups of statements: reads, pool, pools, vpcs, sharing, last
    yes=yes             no question, for scripts
    clean=yes           only delete what an interrupted run left

Everything that it creates carries the tag aws-models-contract, and is deleted at the end, also after Ctrl-C; what a
killed run left is deleted by the next. Exit code 1: AWS differs, or something is left.
"""

from __future__ import annotations

import io
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from aws_models.contract import cleaning, report
from aws_models.contract.aws import Account, Differs, every
from aws_models.contract.cleaning import Leftovers
from aws_models.contract.ground import Ground
from aws_models.contract.guard import Guard
from aws_models.contract.statement import Outcome, Statement, judge
from aws_models.contract.statements import GROUPS, STATEMENTS

WORDS = ("clean", "dry", "member", "only", "other", "profile", "region", "yes")
MAKE_VARIABLES = ("PYTHON",)
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2")
REGIONS_OF_OTHERS = {"us-gov-": ("us-gov-west-1", "us-gov-east-1"), "cn-": ("cn-north-1", "cn-northwest-1")}
INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ends."""


class Refused(Exception):
    """The words or the account do not permit a run; nothing was created."""


@dataclass(frozen=True)
class Options:
    words: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.words.get(name, "")

    def is_yes(self, name: str) -> bool:
        if self[name] not in ("", "no", "yes"):
            raise Refused(f"{name}={self[name]} is neither yes nor no.")
        return self[name] == "yes"

    def command(self, *more: str) -> str:
        """Return the command with the words that choose accounts and Regions."""
        kept = [f"{name}={self[name]}" for name in ("profile", "member", "region", "other") if self[name]]
        return shlex.join(["make", "contract", *more, *kept])


def connect(profile: str) -> Any:
    return boto3.Session(profile_name=profile or None)


def main(
    words: Sequence[str],
    connect: Callable[[str], Any] = connect,
    ask: Callable[[str], str] | None = None,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    statements: Sequence[Statement] = STATEMENTS,
) -> int:
    """Return the exit code.

    ask   asks the person; None if there is nobody to ask
    """
    try:
        options = read(words)
        chosen = choose(options, statements)
        if options.is_yes("dry"):
            say(*report.listed(chosen))
            return 0
        aws = reach(options, connect, now, sleep)
        left = cleaning.find(aws)
        say(*report.plan(aws, chosen, left.ids()))
        if (left.ids() or report.creates(chosen)) and not options.is_yes("yes"):
            confirm(aws, ask)
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    except (BotoCoreError, ClientError) as error:
        remedy = "Sign in, or name a profile of the AWS CLI: make contract profile=NAME"
        print(f"AWS cannot be read, so nothing was created: {error}. {remedy}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return run(aws, chosen, left, options)


def say(*lines: str) -> None:
    """Print, unless nobody reads any more: a closed pipe or terminal must not keep a run from its cleaning."""
    try:
        print("\n".join(lines), flush=True)
    except OSError:
        sys.stdout = io.StringIO()


def words_of_make(environment: Mapping[str, str]) -> list[str]:
    """Return the words that make passes in the environment. It lists their names in WORDS."""
    return [f"{name}={environment.get(name, '')}" for name in environment.get("WORDS", "").split()]


def read(words: Sequence[str]) -> Options:
    """words   ["dry=yes", ...]"""
    options = {name: value for name, _, value in (word.partition("=") for word in words)}
    for name in options:
        if name not in WORDS + MAKE_VARIABLES:
            raise Refused(f"{name} is not an argument of make contract; use {', '.join(WORDS)}.")
    return Options(options)


def choose(options: Options, statements: Sequence[Statement]) -> list[Statement]:
    if options.is_yes("clean"):
        return []
    known = [group.name for group in GROUPS]
    names = options["only"].replace(",", " ").split() or known
    if unknown := [name for name in names if name not in known]:
        raise Refused(f"There is no group {unknown[0]}. Choose from {', '.join(known)}.")
    return [statement for statement in statements if statement.group in names]


def reach(
    options: Options, connect: Callable[[str], Any], now: Callable[[], float], sleep: Callable[[float], None]
) -> Ground:
    """Return the accounts of the run. Reads, and creates nothing."""
    guard, session = Guard(), connect(options["profile"])
    home = options["region"] or session.region_name
    if not home:
        raise Refused("In which Region? Give region=us-east-1, or set AWS_REGION.")
    owner = Account(session, guard, home)
    member = Account(connect(options["member"]), guard, home) if options["member"] else None
    if member and member.id == owner.id:
        raise Refused(f"member={options['member']} is account {owner.id} again; name another account.")
    ipams = every(owner.client("ec2", home), "describe_ipams", "Ipams")
    ipam = next((one for one in ipams if one["IpamRegion"] == home and one["State"] != cleaning.GONE), None)
    if ipam and ipam.get("Tier") == "free":
        raise Refused(
            f"{ipam['IpamId']} in {home} is of the free tier, which has no further scopes; use another Region."
        )
    operating = [one["RegionName"] for one in ipam["OperatingRegions"]] if ipam else []
    others = operating or [options["other"], *_neighbors(home)]
    elsewhere = next((region for region in others if region not in (home, "")), home)
    outside = next((one for one in _neighbors(home) if one not in {home, elsewhere, *operating}), "")
    regions = {"home": home, "elsewhere": elsewhere, "outside": outside}
    return Ground(owner, member, guard, **regions, now=now, sleep=sleep)


def _neighbors(home: str) -> Sequence[str]:
    """Return Regions of the same partition that every account has."""
    return next((regions for prefix, regions in REGIONS_OF_OTHERS.items() if home.startswith(prefix)), REGIONS)


def confirm(aws: Ground, ask: Callable[[str], str] | None) -> None:
    """Raises Refused unless the person agrees."""
    if ask is None:
        raise Refused("There is no terminal to ask on; nothing was created. To run without a question, add yes=yes.")
    try:
        answer = ask(f"Do this in account {' and '.join(account.id for account in aws.accounts)}? Type yes: ")
    except (EOFError, KeyboardInterrupt):
        answer = ""
    if answer.strip() != "yes":
        raise Refused("That is not yes; nothing was created.")


def run(aws: Ground, statements: Sequence[Statement], left: Leftovers, options: Options) -> int:
    """Clean up, try the statements, clean up again, and report. Return the exit code.

    left   what an earlier run left
    """
    outcomes: list[Outcome] = []
    interrupted = False
    try:
        cleaning.clean(aws, left)
        for statement in statements:
            outcomes.append(judge(statement, aws))
            say(*report.described(outcomes[-1]))
    except KeyboardInterrupt:
        interrupted = True
        say("Interrupted. Please wait while everything is deleted.")
    except (Differs, ClientError, BotoCoreError) as stuck:
        say(f"What an earlier run left cannot be deleted: {stuck}")
    finally:
        cleaned = clean(aws, options)
    say(*report.summary(outcomes))
    if interrupted:
        return INTERRUPTED
    return 0 if cleaned and all(outcome.verdict != "differs" for outcome in outcomes) else 1


def clean(aws: Ground, options: Options) -> bool:
    """Delete everything with the tag. Return False, and say what to do, if something stays."""
    say("Deleting what was created ...")
    try:
        aws.sleep(cleaning.LISTED_S)
        cleaning.clean(aws, cleaning.find(aws))
        trouble = ", ".join(cleaning.find(aws).ids())
    except (Differs, ClientError, BotoCoreError, KeyboardInterrupt) as error:
        trouble = f"{type(error).__name__} {error}".strip()
    if trouble:
        say(f"Not everything is deleted: {trouble}. To delete it: {options.command('clean=yes')}")
        return False
    say("Nothing is left.")
    return True


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # they end a run as Ctrl-C does
    words = sys.argv[1:] or words_of_make(os.environ)
    sys.exit(main(words, ask=input if sys.stdin.isatty() else None))
