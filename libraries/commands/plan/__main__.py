"""`make plan`: show what a first deployment would build, decided by the Lambda's own code.

    make plan CIDR=10.0.0.0/8 REGIONS=us-west-2,us-east-1 ENVS='Prod OU,SDLC OU' REGION_PREFIX=12 ENV_PREFIX=14

    CIDR, REGIONS, ENVS, REGION_PREFIX, ENV_PREFIX, POOL_SIZES, VPC_PREFIX, QUOTA    default: as in the template
    VPCS_A_MONTH=20     new VPCs in all pools, to see for how long the pools last
    ACTIVE_IPS=1000     the number of addresses in use, for the cost
    VPCS=file           existing VPCs, see existing_vpcs.sources
    VPCS=organization   the VPCs of all accounts, see existing_vpcs.organization; a file of this name is ./organization
    VPCS=ipam           the VPCs that IPAM has discovered, see existing_vpcs.ipam; a file of this name is ./ipam
    FORMAT=svg          draw the address space to scale; save it with `> plan.svg`

All arguments are optional. Input that the Lambda would refuse is refused with the Lambda's message. Only
VPCS=organization and VPCS=ipam call AWS.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from commands import make_words, program, terminal
from commands.arguments import (
    SHORT,
    Arguments,
    known_names,
    output_format,
    read,
    refuse_impossible,
    shortened,
    template_defaults,
    template_parameters,
    whole_number,
)
from commands.existing_vpcs import sources
from commands.existing_vpcs.vpcs import Existing
from commands.plan import drawing as plan_drawing
from commands.plan import text as plan_text
from commands.plan.simulation import build
from commands.pool_spec import pool_spec
from ctipam.errors import Refused

ACTIVE_IPS = 1000

FIRST_DEPLOYMENT = "This is the plan of a first deployment. An existing stack keeps the blocks of its pools."


def main() -> None:
    words = make_words.read("plan", known_names())
    if "FORMAT=svg" in words:
        make_words.refuse_lines_of_make()
    print(planned(words))


def planned(arguments: Sequence[str]) -> str:
    """Return the output of `make plan`. Raises Refused, as the Lambda would."""
    given = read(arguments, template_parameters())
    properties = template_defaults() | given.parameters
    spec = pool_spec(properties, new=True)
    refuse_impossible(given.parameters)  # after the Lambda's own checks, whose messages say more
    blocks = build(spec)
    active_ips = _count(given, "ACTIVE_IPS", ACTIVE_IPS, "addresses")
    vpcs_a_month = _count(given, "VPCS_A_MONTH", 0, "VPCs")
    if "VPCS_A_MONTH" in given.options and not vpcs_a_month:
        raise Refused("VPCS_A_MONTH=0 fills no pool; give how many VPCs are created a month, or leave it out.")
    output = output_format(given.options, "svg")
    existing = _existing(given.options, properties)  # last: it may take minutes
    if output == "svg":
        return plan_drawing.draw(spec, blocks, existing)
    lines = plan_text.to_lines(spec, blocks, active_ips, vpcs_a_month)
    reserved = plan_text.with_existing(spec, existing)
    lines += ["", *plan_text.vpcs_to_lines(spec, blocks, existing, reserved)] if existing.vpcs or existing.what else []
    lines += ["", FIRST_DEPLOYMENT, _deploy_command(arguments, plan_text.to_deploy(spec, reserved))]
    return "\n".join(map(terminal.plain, lines))


def _existing(options: Mapping[str, str], properties: Mapping[str, str]) -> Existing:
    source = options.get("VPCS", "")
    if source in ("organization", "ipam"):
        return sources.read_organization(source, properties, options.get("AWS", ""))
    return Existing(tuple(sources.read_file(Path(source)))) if source else Existing()


def _count(given: Arguments, name: str, default: int, what: str) -> int:
    text = given.options.get(name, str(default))
    number = whole_number(text)
    if number is None:
        raise Refused(
            f"{name}={shortened(text)} is not a number of {what}; give one in digits, for example {ACTIVE_IPS}."
        )
    return number


def _deploy_command(arguments: Sequence[str], reserved: str) -> str:
    """Return the `make deploy` command with the same arguments, quoted for a shell.

    reserved   ReservedCidrs that keep the addresses of existing VPCs free; empty: those among the arguments do
    """
    not_deployed = ["FORMAT", "ACTIVE_IPS", "VPCS", "VPCS_A_MONTH", "PYTHON"]
    reserve = [f"RESERVE={source}" for source in ("organization", "ipam") if f"VPCS={source}" in arguments]
    if reserved and not reserve:
        reserve = [f"ReservedCidrs={reserved}"]
        not_deployed.append("ReservedCidrs")
    kept = [argument for argument in arguments if argument.partition("=")[0] not in not_deployed]
    names = {argument.partition("=")[0] for argument in kept}
    missing = [f"{short}=..." for short in ("BUCKET", "NETWORK_ACCOUNT_ID") if not names & {short, SHORT[short]}]
    return "To deploy it: make deploy " + " ".join([*missing, *map(_quoted, kept), *reserve])


def _quoted(argument: str) -> str:
    name, _, value = argument.partition("=")
    return f"{name}={shlex.quote(value)}"


if __name__ == "__main__":
    program.run(main, only_prints=True)
