"""`make plan`: what a deployment would build, decided by the Lambda's own code. Only VPCS=organization asks AWS.

    make plan CIDR=10.0.0.0/8 REGIONS=us-west-2,us-east-1 ENVS='Prod OU,SDLC OU' REGION_PREFIX=12 ENV_PREFIX=14

    CIDR, REGIONS, ENVS, REGION_PREFIX, ENV_PREFIX, VPC_PREFIX, QUOTA    what is not given has the template's default
    ACTIVE_IPS=1000     how many addresses are in use, for the cost
    VPCS=file           VPCs that are there already, see commands.vpcs
    VPCS=organization   those of all accounts, see commands.organization_vpcs; a file of that name is ./organization
    FORMAT=svg          draw the address space to scale; `> plan.svg` keeps it

Everything may be left out. What the Lambda would refuse, it refuses, in the Lambda's words.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from commands import drawing, report, vpcs
from commands.arguments import SHORT, Arguments, read, refuse_impossible, short_names, template_parameters
from commands.regions import known_beside
from commands.simulation import build
from ctipam.errors import Refused
from ctipam.pools.spec import PoolSpec

ACTIVE_IPS = 1000


def main(typed: Sequence[str]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # the tree and the picture, in any locale
    try:
        print(planned(typed), flush=True)
    except Refused as refusal:
        sys.exit(str(refusal))
    except BrokenPipeError:  # `make plan | head`: the reader has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def planned(typed: Sequence[str]) -> str:
    """What `make plan` prints; raises Refused, as the Lambda would."""
    defaults = template_parameters()
    words = read(typed, [*defaults])
    properties = {name: default for name, default in defaults.items() if default is not None} | words.parameters
    plan = _plan(properties)
    refuse_impossible(words.parameters)  # what the Lambda has no words for
    blocks, active_ips, wanted = build(plan), _active_ips(words), words.own.get("FORMAT", "text")
    if wanted not in ("text", "svg"):
        raise Refused(f"FORMAT={wanted} is not known; give text or svg.")
    existing = _existing(words.own.get("VPCS", ""), plan)  # last: it may take minutes
    if wanted == "svg":
        return drawing.draw(plan, blocks, existing)
    lines = report.report(plan, blocks, active_ips)
    lines += ["", *report.report_vpcs(plan, blocks, existing)] if existing.vpcs or existing.what else []
    return "\n".join([*lines, "", _deploy(typed)])


def _plan(properties: Mapping[str, str]) -> PoolSpec:
    """Raises Refused."""
    with short_names():
        return PoolSpec.from_properties(properties, known_beside(properties["RegionSelection"]))


def _existing(source: str, plan: PoolSpec) -> vpcs.Existing:
    if source == "organization":
        from commands import organization_vpcs  # boto3 need not be installed for any other plan

        return organization_vpcs.read(plan.regions[0])
    return vpcs.Existing(tuple(vpcs.read(Path(source)))) if source else vpcs.Existing()


def _active_ips(words: Arguments) -> int:
    text = words.own.get("ACTIVE_IPS", str(ACTIVE_IPS))
    if not (text.isascii() and text.isdecimal()):
        raise Refused(f"ACTIVE_IPS={text} is not a number of addresses; give one in digits, such as {ACTIVE_IPS}.")
    return int(text)


def _deploy(typed: Sequence[str]) -> str:
    """The same words again, for the shell."""
    only_here = ("FORMAT", "ACTIVE_IPS", "VPCS", "PYTHON")
    given = [word for word in typed if word.partition("=")[0] not in only_here]
    named = {word.partition("=")[0] for word in given}
    places = [f"{short}=..." for short in ("BUCKET", "NETWORK_ACCOUNT_ID") if not named & {short, SHORT[short]}]
    return "To deploy it: make deploy " + " ".join([*places, *map(_quoted, given)])


def _quoted(word: str) -> str:
    name, _, value = word.partition("=")
    return f"{name}={shlex.quote(value)}"


if __name__ == "__main__":
    main(sys.argv[1:])
