"""`make plan`: show what a first deployment would build, decided by the Lambda's own code.

    make plan CIDR=10.0.0.0/8 REGIONS=us-west-2,us-east-1 ENVS='Prod OU,SDLC OU' REGION_PREFIX=12 ENV_PREFIX=14

    CIDR, REGIONS, ENVS, REGION_PREFIX, ENV_PREFIX, VPC_PREFIX, QUOTA    default: as in the template
    ACTIVE_IPS=1000     the number of addresses in use, for the cost
    VPCS=file           existing VPCs, see commands.vpcs
    VPCS=organization   the VPCs of all accounts, see commands.organization_vpcs; a file of this name is ./organization
    FORMAT=svg          draw the address space to scale; save it with `> plan.svg`

All arguments are optional. Input that the Lambda would refuse is refused with the Lambda's message. Only
VPCS=organization calls AWS.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from commands import drawing, make_words, program, report, vpcs
from commands.arguments import (
    SHORT,
    Arguments,
    known_names,
    read,
    refuse_impossible,
    short_names,
    shortened,
    template_parameters,
    whole_number,
)
from commands.regions import regions_of_partition
from commands.simulation import build
from ctipam.errors import Refused
from ctipam.pools.spec import TOP_LEVEL, PoolSpec

ACTIVE_IPS = 1000

FIRST_DEPLOYMENT = "This is the plan of a first deployment. An existing stack keeps the blocks of its pools."


def main() -> None:
    words = make_words.read("plan", known_names())
    if "FORMAT=svg" in words:
        make_words.refuse_lines_of_make()
    print(planned(words))


def planned(arguments: Sequence[str]) -> str:
    """Return the output of `make plan`. Raises Refused, as the Lambda would."""
    defaults = template_parameters()
    given = read(arguments, [*defaults])
    properties = {name: default for name, default in defaults.items() if default is not None} | given.parameters
    spec = _spec(properties)
    refuse_impossible(given.parameters)  # after the Lambda's own checks, whose messages say more
    blocks = {key: cidr for key, cidr in build(spec).items() if key != TOP_LEVEL}
    active_ips, output = _active_ips(given), given.options.get("FORMAT", "text")
    if output not in ("text", "svg"):
        raise Refused(f"FORMAT={shortened(output)} is not supported; give text or svg.")
    existing = _existing(given.options.get("VPCS", ""), spec)  # last: it may take minutes
    if output == "svg":
        return drawing.draw(spec, blocks, existing)
    lines = report.report(spec, blocks, active_ips)
    lines += ["", *report.report_vpcs(spec, blocks, existing)] if existing.vpcs or existing.what else []
    return "\n".join([*lines, "", FIRST_DEPLOYMENT, _deploy_command(arguments)])


def _spec(properties: Mapping[str, str]) -> PoolSpec:
    """Raises Refused."""
    with short_names():
        return PoolSpec.from_properties(properties, regions_of_partition(properties["RegionSelection"]))


def _existing(source: str, spec: PoolSpec) -> vpcs.Existing:
    if source == "organization":
        from commands import organization_vpcs  # imported here because other plans need no boto3

        return organization_vpcs.read(spec.regions[0])
    return vpcs.Existing(tuple(vpcs.read(Path(source)))) if source else vpcs.Existing()


def _active_ips(given: Arguments) -> int:
    text = given.options.get("ACTIVE_IPS", str(ACTIVE_IPS))
    number = whole_number(text)
    if number is None:
        raise Refused(
            f"ACTIVE_IPS={shortened(text)} is not a number of addresses; give one in digits, for example {ACTIVE_IPS}."
        )
    return number


def _deploy_command(arguments: Sequence[str]) -> str:
    """Return the `make deploy` command with the same arguments, quoted for a shell."""
    not_deployed = ("FORMAT", "ACTIVE_IPS", "VPCS", "PYTHON")
    kept = [argument for argument in arguments if argument.partition("=")[0] not in not_deployed]
    names = {argument.partition("=")[0] for argument in kept}
    missing = [f"{short}=..." for short in ("BUCKET", "NETWORK_ACCOUNT_ID") if not names & {short, SHORT[short]}]
    return "To deploy it: make deploy " + " ".join([*missing, *map(_quoted, kept)])


def _quoted(argument: str) -> str:
    name, _, value = argument.partition("=")
    return f"{name}={shlex.quote(value)}"


if __name__ == "__main__":
    program.run(main)
