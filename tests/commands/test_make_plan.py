"""`make plan`: its output, which matches the pools that the function builds."""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import IPv4Network
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkers.template_reader import read_template
from commands.arguments import MANAGEMENT_TEMPLATE, SHORT, template_parameters
from commands.existing_vpcs.sources import MOST_CIDRS
from commands.plan import __main__ as plan_command
from commands.plan.__main__ import planned
from commands.plan.simulation import build, update, with_room_for
from commands.plan.text import MOST_OVERLAPS, vpc_counts
from commands.regions import PARTITIONS
from ctipam.errors import Refused
from ctipam.pools.existing import Block
from ctipam.pools.spec import PoolSpec, VpcSizes

ROOT = Path(__file__).parents[2]
REGIONS = tuple(PARTITIONS["aws"])
GOING = IPv4Network("10.9.0.0/20")

DEFAULT_PLAN = """\
top-level pool  192.168.0.0/16          65,536 addresses
├─ us-west-2    192.168.0.0/20           4,096 addresses
│  ├─ Prod OU   192.168.0.0/21           2,048 addresses  VPCs tagged Env=Prod OU
│  └─ SDLC OU   192.168.8.0/21           2,048 addresses  VPCs tagged Env=SDLC OU
└─ us-east-1    192.168.16.0/20          4,096 addresses
   ├─ Prod OU   192.168.16.0/21          2,048 addresses  VPCs tagged Env=Prod OU
   └─ SDLC OU   192.168.24.0/21          2,048 addresses  VPCs tagged Env=SDLC OU

VPCs that fit in an environment, in each Region (a VPC is a /24 by default)
  of size     /21  /22  /23  /24  /25  /26  /27  /28
  at most       1    2    4    8   16   32   64  128

Room left for           in the address space   in the pool quota
  more Regions                             14                  14
  more environments                         0                  21
  An environment added later also needs these arguments:
    POOL_SIZES=us-west-2=20+20,us-east-1=20+20
  To avoid that, choose a longer ENV_PREFIX or a shorter REGION_PREFIX now.

More blocks that fit (POOL_SIZES adds them to a pool, PoolGrowth=on to one that fills up)
  us-west-2       0 of /21
  us-east-1       0 of /21
  top-level pool  14 of /20, for Regions

Pools: 1 + 2 + 2 * 2 = 7, of the 50 that AWS allows in a scope

Cost: about US$ 197 a month for IPAM, if 1,000 addresses are in use (ACTIVE_IPS; US$ 0.00027 an hour for each,
  in all VPCs that IPAM monitors, including those outside these pools). The rest costs little.

This is the plan of a first deployment. An existing stack keeps the blocks of its pools.
To deploy it: make deploy BUCKET=... NETWORK_ACCOUNT_ID=..."""

WIDE = ("CIDR=10.0.0.0/8", "REGIONS=us-west-2,eu-west-1", "ENVS=Prod OU,SDLC OU", "REGION_PREFIX=12", "ENV_PREFIX=14")


def plan(*words: str) -> str:
    return planned(words)


def line(text: str, beginning: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(beginning))


def test_the_plan_shows_the_default_parameters() -> None:
    assert plan() == DEFAULT_PLAN
    assert plan("FORMAT=text", "PYTHON=python3") == DEFAULT_PLAN, "neither is a parameter"


def test_the_command_prints_the_plan_but_no_picture_into_which_make_would_write(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEFLAGS", "w")
    plan_command.main()
    assert capsys.readouterr().out == DEFAULT_PLAN + "\n"

    monkeypatch.setenv("WORDS", "FORMAT")
    monkeypatch.setenv("FORMAT", "svg")
    with pytest.raises(Refused, match="add --no-print-directory"):
        plan_command.main()


def test_the_picture_of_the_default_parameters_is_the_one_in_the_readme() -> None:
    assert plan("FORMAT=svg") + "\n" == (ROOT / "libraries/commands/plan/plan.svg").read_text(encoding="utf-8")


def test_the_branches_of_a_tree_end_with_its_last_region() -> None:
    tree = plan("REGIONS=us-west-2,us-east-1,eu-west-1", "ENVS=a").splitlines()[:7]

    assert [line.partition("1")[0].rstrip() if "├─ a" in line else line[:6] for line in tree] == [
        *("top-le", "├─ us-", "│  └─ ", "├─ us-", "│  └─ ", "└─ eu-", "   └─ ")
    ]


def test_the_defaults_are_those_of_the_template() -> None:
    template = read_template(ROOT / MANAGEMENT_TEMPLATE)
    declared = template["Parameters"]

    read = template_parameters()

    assert list(read) == list(declared)
    assert read == {
        name: str(parameter["Default"]) if "Default" in parameter else None for name, parameter in declared.items()
    }
    assert set(SHORT.values()) <= set(declared)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_the_regions_are_those_of_boto3(partition: str) -> None:
    assert sorted(PARTITIONS[partition]) == sorted(boto3.Session().get_available_regions("ec2", partition))


def test_the_commands_need_no_installed_package() -> None:
    code = "import sys; sys.path.insert(0, 'libraries'); from commands import deploy; "
    code += "from commands.plan import __main__ as plan; plan.main()"

    run = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, cwd=ROOT)

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip() == DEFAULT_PLAN


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["CIDR=ten"], "CIDR 'ten' is not an IPv4 CIDR"),
        (["ENV_PREFIX=29"], "ENV_PREFIX 29 is not possible; give a prefix length from 2 to 28"),
        (["REGION_PREFIX=28"], "REGION_PREFIX 28 is not possible; give a prefix length from 1 to 27"),
        (["ENVS=a,b,c"], "Give POOL_SIZES us-west-2=20+20,us-east-1=20+20, or a longer ENV_PREFIX"),
        (
            ["CIDR=10.0.0.0/17", "REGION_PREFIX=18", "REGIONS=us-west-2,us-east-1,us-east-2"],
            "CIDR 10.0.0.0/17,10.0.128.0/17",
        ),
        (["POOL_SIZES=a=20"], "POOL_SIZES names 'a', which is no pool of this stack"),
        (["REGIONS=us-west-9"], "'us-west-9', which this Lambda runtime's boto3 does not know"),
        (["REGIONS=us-west-2,us-gov-west-1"], "'us-gov-west-1', which this Lambda runtime's boto3 does not know"),
        (["QUOTA=6"], "or have AWS raise the quota and give QUOTA 7"),
        (["VPC_PREFIX=29"], "VPC_PREFIX 29 is not between"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_invalid_parameters_are_refused_by_the_names_that_the_user_typed(words: Sequence[str], reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        plan(*words)

    assert reason in str(refusal.value)
    assert not [name for name in SHORT.values() if name in str(refusal.value)]


def test_regions_of_another_partition_are_accepted_together() -> None:
    assert "us-gov-east-1" in plan("REGIONS=us-gov-west-1,us-gov-east-1")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("ENV=a", "Did you mean ENVS?"),
        ("accenvname=a", "Did you mean AccEnvName?"),
        ("AWS_REGION=us-east-1", "is no argument, but a variable of the environment; write AWS_REGION=... before make"),
        ("xyzzy=1", "The valid names are NETWORK_ACCOUNT_ID, BUCKET, CIDR"),
        ("FORMAT=png", "give text or svg"),
        ("ACTIVE_IPS=many", "give one in digits"),
        (f"ACTIVE_IPS={'9' * 5000}", "999... is not a number of addresses"),
        (f"PoolUtilisationThreshold={'9' * 5000}", "999... is not valid; it must be a number from 1 to 100"),
        ("VPCS_A_MONTH=some", "give one in digits"),
        ("VPCS=/nowhere/at/all", "cannot be read"),
        (f"VPCS={'x' * 5000}", "xxx... cannot be read: File name too long"),
        ("VPCS=/dev/zero", "is not a file; save the list in a file first"),
    ],
)
def test_an_unknown_argument_or_value_is_refused_with_a_suggestion(word: str, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        plan(word)

    assert reason in str(refusal.value)


def test_a_parameter_can_be_given_by_either_name_but_not_by_both() -> None:
    assert plan("TopLevelPoolCidr=10.0.0.0/16").splitlines()[0] == plan("CIDR=10.0.0.0/16").splitlines()[0]
    with pytest.raises(Refused, match="TopLevelPoolCidr is given twice"):
        plan("TopLevelPoolCidr=10.0.0.0/16", "CIDR=10.0.0.0/16")


def test_the_plan_ends_with_its_make_deploy_command_quoted_for_a_shell() -> None:
    output = plan(*WIDE, "ACTIVE_IPS=5", "BUCKET=code", "NetworkAccountId=111122223333").splitlines()[-1]

    assert output == (
        "To deploy it: make deploy CIDR=10.0.0.0/8 REGIONS=us-west-2,eu-west-1 ENVS='Prod OU,SDLC OU' REGION_PREFIX=12 "
        "ENV_PREFIX=14 BUCKET=code NetworkAccountId=111122223333"
    )


def test_the_room_left_is_counted_in_addresses_and_in_pools() -> None:
    output = plan(*WIDE, "QUOTA=10")

    assert line(output, "more Regions").split()[-2:] == ["14", "1"]  # 16 - 2, and (10 - 1) // 3 - 2
    assert line(output, "more environments").split()[-2:] == ["2", "1"]  # 4 - 2, and (10 - 1 - 2) // 2 - 2
    assert "added later" not in output


@pytest.mark.parametrize(
    ("words", "addition"),
    [
        ([], "ENVS=Prod OU,SDLC OU,Test OU"),
        (["POOL_SIZES=us-west-2=20+20,us-west-2/Prod OU=21+21"], "ENVS=Prod OU,SDLC OU,Test OU"),
        (["CIDR=10.0.0.0/19"], "ENVS=Prod OU,SDLC OU,Test OU"),
        (["CIDR=10.0.0.0/19"], "REGIONS=us-west-2,us-east-1,eu-west-1"),
    ],
)
def test_the_arguments_that_a_plan_gives_for_an_addition_make_room_for_it(words: list[str], addition: str) -> None:
    what = "An environment added later" if addition.startswith("ENVS") else "A Region added later"
    lines = [text.strip() for text in plan(*words).splitlines()]
    given = shlex.split(lines[next(number for number, text in enumerate(lines) if text.startswith(what)) + 1])
    kept = [word for word in words if word.partition("=")[0] not in [one.partition("=")[0] for one in given]]

    with pytest.raises(Refused, match="No room for"):
        plan(*words, addition)
    plan(*kept, *given, addition)


def test_an_addition_names_only_the_arguments_that_it_needs() -> None:
    output = plan("CIDR=10.0.0.0/19").splitlines()

    region = output.index("  A Region added later also needs these arguments:")
    environment = output.index("  An environment added later also needs these arguments:")
    assert output[region + 1] == "    CIDR=10.0.0.0/19,10.0.32.0/19"
    assert output[environment + 1] == "    POOL_SIZES=us-west-2=20+20,us-east-1=20+20 CIDR=10.0.0.0/19,10.0.32.0/19"


def test_an_addition_for_which_nothing_makes_room_is_called_impossible() -> None:
    output = plan("CIDR=10.0.0.0/8", "REGION_PREFIX=9", "ENV_PREFIX=10")

    assert "  A Region cannot be added later; choose a longer REGION_PREFIX now." in output.splitlines()


def test_room_for_an_addition_is_made_beside_the_existing_pools() -> None:
    spec = PoolSpec((IPv4Network("10.0.0.0/19"),), 20, 21, ("us-west-2", "us-east-1"), ("Prod OU", "SDLC OU"))
    later = with_room_for(replace(spec, environments=(*spec.environments, "Test OU")), spec)

    assert later is not None
    assert len(update(later, update(spec, [], {}), {})) == len(later.pools)


def test_what_aws_is_still_doing_to_pools_counts_as_done_unless_it_ends_with_nothing_that_is_known() -> None:
    spec = PoolSpec((IPv4Network("10.0.0.0/19"),), 20, 21, ("us-west-2",), ("Prod OU", "SDLC OU"))
    done = update(spec, [], {})
    going = [
        replace(
            pool,
            state=state,
            blocks=(
                *(replace(block, state="pending-provision") for block in pool.blocks),
                Block(GOING, "pending-deprovision"),
            ),
        )
        for pool, state in zip(done, ["modify-in-progress", "create-in-progress"] * 2, strict=True)
    ]
    gone = replace(done[-1], pool_id="ipam-pool-1", state="delete-in-progress")

    assert update(spec, [*going, gone], {}) == [
        replace(pool, state=one.state.replace("in-progress", "complete")) for pool, one in zip(done, going, strict=True)
    ]
    with pytest.raises(Refused, match=r"Nothing can be done about us-west-2 \(isolate-in-progress\),"):
        update(spec, [done[0], replace(done[1], state="isolate-in-progress"), *done[2:]], {})


def test_the_plan_shows_every_block_and_for_how_long_they_last() -> None:
    sizes = "us-west-2=20+20,us-west-2/Prod OU=21+21,us-east-1/SDLC OU=22"

    output = plan(f"POOL_SIZES={sizes}", "VPCS_A_MONTH=8").splitlines()

    assert output[1:7] == [
        "├─ us-west-2    192.168.0.0/20           4,096 addresses",
        "│               192.168.16.0/20          4,096 addresses",
        "│  ├─ Prod OU   192.168.0.0/21           2,048 addresses  VPCs tagged Env=Prod OU",
        "│  │            192.168.8.0/21           2,048 addresses",
        "│  └─ SDLC OU   192.168.16.0/21          2,048 addresses  VPCs tagged Env=SDLC OU",
        "└─ us-east-1    192.168.32.0/20          4,096 addresses",
    ]
    assert "  in 21+21      2    4    8   16   32   64  128  256" in output
    assert [row[:10] for row in output if row.startswith(("  at most", "  in 2"))] == [
        "  at most ",
        "  in 21+21",
        "  in 22   ",
    ]
    assert "  us-west-2       1 of /21" in output
    assert "  us-east-1       0 of /21, or 1 of /22" in output
    assert "  top-level pool  13 of /20, for Regions" in output
    # 4 VPCs in the smallest of 4 pools; with growth 64 in each, 128 in the 8 /20 of either Region
    assert "spread evenly over 4 pools: 2.0 months until the" in "\n".join(output)
    assert f"first pool is full, {64 / 2:.1f} months until one is that can grow no more" in "\n".join(output)
    assert output[-1].endswith(f"POOL_SIZES='{sizes}'")


def test_the_default_size_is_told_before_sizes_of_single_pools() -> None:
    output = plan("POOL_SIZES=us-west-2=19,us-west-2/Prod OU=20").splitlines()

    assert [row.split("  ")[1] for row in output if row.startswith(("  at most", "  in 2"))] == ["at most", "in 20"]


def test_room_that_only_one_of_several_regions_can_get_does_not_make_all_last_longer() -> None:
    """Four /16: three Regions have one each, and the last goes to one of them. A /17 holds 128 VPCs."""
    words = ("CIDR=10.0.0.0/14", "REGIONS=us-west-2,us-east-1,eu-west-1", "ENVS=Prod OU", "REGION_PREFIX=16")

    output = plan(*words, "ENV_PREFIX=17", "VPCS_A_MONTH=3")

    assert "128.0 months until the\n  first pool is full, 256.0 months until one is" in output


def test_a_region_whose_default_size_does_not_hold_the_environments_needs_a_size_of_its_own() -> None:
    output = plan("POOL_SIZES=us-west-2=20+20,us-east-1=20+20", "ENVS=a,b,c").splitlines()

    assert "  more Regions                              0                  10" in output
    assert "    POOL_SIZES=us-west-2=20+20,us-east-1=20+20,another=20+20" in output
    assert "  top-level pool  12 of /20, for Regions" in output


def test_what_is_reserved_is_no_room() -> None:
    """Half of the space has no place for a Region. Of a Region that is new a part may be reserved, but not of a block
    that a pool gets later, from which a VPC could take reserved addresses at once."""
    output = plan("ReservedCidrs=192.168.128.0/17,192.168.32.0/24", "ENV_PREFIX=22", "VPCS_A_MONTH=4").splitlines()

    assert "  more Regions                              6                  14" in output
    assert "  top-level pool  5 of /20, for Regions" in output
    # with growth each of 2 Regions has 16 VPCs in its /20, and 32 in the 2 of the 5 /20 that either gets
    assert "4.0 months until the" in "\n".join(output)
    assert f"{(16 + 32) / 2:.1f} months until one is that can grow no more" in "\n".join(output)

    assert "  more Regions                             13                  14" in plan("ReservedCidrs=192.168.64.0/20")

    full = plan("CIDR=192.168.0.0/19", "ReservedCidrs=192.168.4.0/22,192.168.12.0/22", "ENV_PREFIX=22", "ENVS=a")
    assert "  us-east-1       1 of /22" in full.splitlines()


def test_less_than_a_month_is_no_month_and_no_vpc_a_month_is_refused() -> None:
    assert "less than 0.1 months until the" in plan("VPCS_A_MONTH=100000")
    with pytest.raises(Refused, match="VPCS_A_MONTH=0 fills no pool"):
        plan("VPCS_A_MONTH=0")


def test_the_cost_follows_the_addresses_in_use() -> None:
    assert "about US$ 0 a month" in plan("ACTIVE_IPS=0")
    assert "about US$ 19,710 a month for IPAM, if 100,000 addresses" in plan("ACTIVE_IPS=100000")  # 0.00027 * 730 * 1e5


def test_vpcs_are_counted_in_the_sizes_that_the_pool_allocates() -> None:
    assert vpc_counts([14], VpcSizes(24, 20, 26)) == {20: 64, 21: 128, 22: 256, 23: 512, 24: 1024, 25: 2048, 26: 4096}


@settings(max_examples=30)
@given(st.tuples(st.integers(8, 14), st.integers(1, 6), st.integers(1, 6)), st.integers(1, 8), st.integers(1, 8))
def test_each_pool_has_a_block_of_its_size_in_its_parent_that_overlaps_no_other(
    lengths: tuple[int, int, int], regions: int, environments: int
) -> None:
    top, region, environment = lengths[0], lengths[0] + lengths[1], sum(lengths)
    pools = PoolSpec(
        (IPv4Network(f"10.0.0.0/{top}"),),
        region,
        environment,
        REGIONS[: min(regions, 2 ** (region - top))],
        tuple(f"OU {number}" for number in range(min(environments, 2 ** (environment - region)))),
        quota=10_000,
    )

    blocks = build(pools)

    assert set(blocks) == set(pools.pools)
    for key, (block,) in blocks.items():
        assert (block.prefixlen,) == pools.sizes(key)
        assert block.subnet_of(blocks[key.parent][0] if key.parent else pools.top_cidrs[0])
    for depth in (region, environment):
        level = sorted(block for (block,) in blocks.values() if block.prefixlen == depth)
        assert not any(block.overlaps(following) for block, following in pairwise(level))


@pytest.fixture
def vpcs(tmp_path: Path) -> Path:
    path = tmp_path / "vpcs.txt"
    path.write_text(
        "10.1.0.0/16\tshop 111122223333\n"
        "\n"
        "# the next VPCs are not ours\n"
        "10.8.0.0/22, unused\n"
        "10.200.0.0/14\n"
        "10.0.0.0/12 datacenter # all of a Region\n"
        "172.16.0.0/12\n"
    )
    return path


def test_an_overlapping_vpc_is_listed_with_the_pool_that_contains_its_addresses(vpcs: Path) -> None:
    output = plan(*WIDE, f"VPCS={vpcs}").splitlines()

    found = output.index("Existing VPCs: 4 of 5 overlap 10.0.0.0/8")
    assert output[found + 1 : found + 6] == [
        "  10.0.0.0/12  datacenter         Prod OU in us-west-2: 262,144 addresses",
        "  10.0.0.0/12  datacenter         SDLC OU in us-west-2: 262,144 addresses",
        "  10.1.0.0/16  shop 111122223333  Prod OU in us-west-2: 65,536 addresses",
        "  10.8.0.0/22  unused             us-west-2, in space that no environment uses yet: 1,024 addresses",
        "  10.200.0.0/14                   in space that no Region uses yet",
    ]
    assert "Or choose space that none of them uses" not in output[-3]  # there is only one private /8


def test_reserved_cidrs_that_are_given_are_kept_and_need_nothing_more_if_they_have_every_vpc(vpcs: Path) -> None:
    some = plan(*WIDE, "ReservedCidrs=10.255.0.0/16,10.1.0.0/16", f"VPCS={vpcs}").splitlines()
    every = plan(*WIDE, "ReservedCidrs=10.0.0.0/12,10.200.0.0/14", f"VPCS={vpcs}").splitlines()

    assert "  ReservedCidrs=10.1.0.0/16,10.255.0.0/16,10.0.0.0/12,10.200.0.0/14" in some
    assert "  No VPC gets these addresses from the pools: ReservedCidrs has all of them." in every
    assert not any(line.startswith(("  ReservedCidrs=", "  IPAM would assign")) for line in every)


def test_the_command_for_the_deployment_keeps_the_vpcs_of_a_file_safe(vpcs: Path) -> None:
    vpcs.write_text("192.168.0.0/24\n192.168.7.0/24\n")

    def command(*words: str) -> str:
        return plan(f"VPCS={vpcs}", *words).splitlines()[-1]

    assert command().endswith("NETWORK_ACCOUNT_ID=... ReservedCidrs=192.168.0.0/24,192.168.7.0/24")
    assert command("ReservedCidrs=192.168.7.0/24").endswith("=... ReservedCidrs=192.168.7.0/24,192.168.0.0/24")
    assert "ReservedCidrs" not in command("CIDR=10.0.0.0/16"), "no VPC overlaps"


def test_address_space_that_no_vpc_uses_is_suggested(vpcs: Path) -> None:
    vpcs.write_text("10.0.0.0/13\n")

    output = plan("CIDR=10.0.0.0/12", "REGION_PREFIX=16", "ENV_PREFIX=18", f"VPCS={vpcs}")

    assert "  Or choose space that none of them uses: CIDR=10.16.0.0/12" in output.splitlines()
    several = plan("CIDR=10.0.0.0/12,10.64.0.0/12", "REGION_PREFIX=16", "ENV_PREFIX=18", f"VPCS={vpcs}")
    assert "choose space" not in several, "there may be a reason for each of several"


def test_each_line_of_a_file_is_a_vpc_even_if_two_are_alike(tmp_path: Path) -> None:
    """AWS CLI lists each default VPC with the same CIDR."""
    (tmp_path / "vpcs").write_text("192.168.0.0/24\n192.168.0.0/24\n10.0.0.0/16\n")

    assert "Existing VPCs: 2 of 3 overlap 192.168.0.0/16" in plan(f"VPCS={tmp_path / 'vpcs'}").splitlines()


def test_the_plan_reports_that_no_vpc_overlaps(vpcs: Path) -> None:
    assert "Existing VPCs: none of the 5 overlaps 192.168.0.0/16." in plan(f"VPCS={vpcs}").splitlines()


def test_every_cidr_of_a_line_is_a_vpc(vpcs: Path) -> None:
    """The AWS CLI writes Vpcs[].CidrBlock as one line."""
    vpcs.write_text("10.0.0.0/16\t192.168.0.0/24\t192.168.16.0/24\n172.16.0.0/16,192.168.32.0/24 shop 1111\n")

    output = plan(f"VPCS={vpcs}").splitlines()

    assert "Existing VPCs: 3 of 5 overlap 192.168.0.0/16" in output
    assert "  192.168.32.0/24  shop 1111  in space that no Region uses yet" in output


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("10.0.0.0/33", "is not an IPv4 CIDR; correct or remove it."),
        ("10.0.0.0", "has no prefix length; add it, as in 10.0.0.0/16."),
        ("[", "is not an IPv4 CIDR; correct or remove it."),
        ("2001:db8::/56", "is not an IPv4 CIDR; correct or remove it."),
        ("shop 10.0.0.0/16", "is not an IPv4 CIDR; correct or remove it."),
    ],
)
def test_a_line_that_begins_without_a_cidr_is_refused_with_its_number(vpcs: Path, line: str, why: str) -> None:
    vpcs.write_text(f"10.0.0.0/16\n{line}\n")

    with pytest.raises(Refused, match=re.escape(f"line 2: '{line.split()[0]}' {why}")):
        plan(f"VPCS={vpcs}")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"# nothing yet\n", "contains no CIDR; give a file with a CIDR on each line"),
        ("10.0.0.0/16 Z\u00fcrich".encode("latin-1"), "is not in UTF-8; save it as UTF-8"),
    ],
    ids=["nothing", "another encoding"],
)
def test_a_file_that_cannot_be_a_list_is_refused(vpcs: Path, content: bytes, why: str) -> None:
    vpcs.write_bytes(content)

    with pytest.raises(Refused, match=why):
        plan(f"VPCS={vpcs}")


def test_a_file_of_an_editor_that_marks_utf_8_is_read(vpcs: Path) -> None:
    vpcs.write_bytes("10.0.0.0/16 Z\u00fcrich".encode("utf-8-sig"))

    assert "Existing VPCs: the only one does not overlap 192.168.0.0/16." in plan(f"VPCS={vpcs}").splitlines()


@pytest.mark.parametrize("word", ["10.1.0.0/33", '"10.1.0.0/16"', "10.1.0.0/16;"])
def test_what_is_almost_a_cidr_is_refused_as_its_addresses_would_count_as_free(vpcs: Path, word: str) -> None:
    vpcs.write_text(f"10.0.0.0/16 shop 2001:db8::/56 10.2.0.1 {word}\n")

    with pytest.raises(Refused, match=re.escape(f"line 1: {word!r} is not an IPv4 CIDR; correct or remove it.")):
        plan(f"VPCS={vpcs}")


def test_a_reservation_that_is_longer_than_a_parameter_is_not_suggested(vpcs: Path) -> None:
    vpcs.write_text("".join(f"192.168.{number}.0/28\n" for number in range(256)))

    output = plan(f"VPCS={vpcs}")

    assert "ReservedCidrs would have 4,241 characters, and CloudFormation allows 4,096" in " ".join(output.split())
    assert "\n  ReservedCidrs=" not in output
    assert "\n  Space that none of them uses: CIDR=10.0.0.0/16\n" in output


def test_a_reservation_that_leaves_no_room_is_not_suggested(vpcs: Path) -> None:
    vpcs.write_text("192.168.0.0/17\n192.168.128.0/18\n192.168.192.0/19\n192.168.224.0/20\n")

    output = plan(f"VPCS={vpcs}")

    assert "IPAM would assign these addresses to other VPCs too, and there is no room for the pools beside" in output
    assert "\n  ReservedCidrs=" not in output
    assert "\n  Space that none of them uses: CIDR=10.0.0.0/16\n" in output


def test_a_pipe_is_refused_because_it_may_never_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(Refused, match="is not a file"):
        plan(f"VPCS={tmp_path / 'pipe'}")


def test_a_file_with_too_many_cidrs_is_refused_and_many_overlaps_are_counted(vpcs: Path) -> None:
    vpcs.write_text("10.0.0.0/24\n" * (MOST_CIDRS + 1))
    with pytest.raises(Refused, match="has more than 100,000 CIDRs; give each once"):
        plan(*WIDE, f"VPCS={vpcs}")

    vpcs.write_text("10.0.0.0/24\n" * (MOST_OVERLAPS + 2))
    assert "  and 2 more overlaps" in plan(*WIDE, f"VPCS={vpcs}").splitlines()


def rectangles(svg: str) -> list[tuple[str, float, float]]:
    """Return title, x and width of each area of a bar, from the top down. Raises if the text is not XML."""
    found = []
    for shape in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}rect"):  # noqa: S314 - our own text
        title = shape.find("{http://www.w3.org/2000/svg}title")
        if title is not None and title.text:
            found.append((title.text, float(shape.attrib["x"]), float(shape.attrib["width"])))
    return found


def test_a_picture_is_to_scale_and_repeats_small_areas_larger() -> None:
    drawn = rectangles(plan("FORMAT=svg"))

    west = [(x, width) for title, x, width in drawn if title.startswith("us-west-2: 192.168.0.0/20")]
    east = [(x, width) for title, x, width in drawn if title.startswith("us-east-1: 192.168.16.0/20")]
    assert west == [(20, 60), (20, 480)]  # a sixteenth of 960, and eight times that
    assert east == [(80, 60), (500, 480)]
    assert ("Prod OU in us-east-1: 192.168.16.0/21, 2,048 addresses", 20, 480) in drawn


def test_a_picture_labels_ten_regions_and_four_environments_and_shows_vpcs(vpcs: Path) -> None:
    environments = "Prod OU,SDLC OU,Sandbox,<Audit> & 'Q'"
    words = ["CIDR=10.0.0.0/8", f"REGIONS={','.join(REGIONS[:10])}", f"ENVS={environments}", "QUOTA=60"]

    svg = plan(*words, "REGION_PREFIX=12", "ENV_PREFIX=16", "FORMAT=svg", f"VPCS={vpcs}")

    written = [text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314
    for region in REGIONS[:10]:
        assert region in written
    for environment in environments.split(","):
        assert written.count(environment) == 10 + 1  # and in the legend
    assert [width for title, _, width in rectangles(svg) if title == "existing VPC 10.200.0.0/14"] == [15]


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314


def test_the_name_of_a_vpc_neither_steers_the_terminal_nor_breaks_the_picture(tmp_path: Path) -> None:
    vpcs = tmp_path / "vpcs"
    vpcs.write_text("192.168.0.0/20 shop\033[2J 111122223333\n")

    assert "\033" not in plan(f"VPCS={vpcs}")
    assert any(r"shop\u001b[2J" in text for text in texts(plan("FORMAT=svg", f"VPCS={vpcs}")))


def test_a_picture_names_the_existing_vpcs_that_have_room_for_it(tmp_path: Path) -> None:
    vpcs = tmp_path / "vpcs"
    vpcs.write_text("192.168.0.0/20 shop 111122223333\n192.168.20.0/24\n192.168.20.0/28 tiny\n")

    written = texts(plan("FORMAT=svg", f"VPCS={vpcs}"))

    assert "shop 111122223333" in written  # in the bar of the Region, whose name is long enough
    assert "tiny" in written  # beside the VPC that contains it, whose name has no room
    assert "192.168.20.0/24" not in written


def test_the_legend_of_a_picture_cuts_what_is_longer_than_its_room() -> None:
    """250 pixels are 39 letters."""
    written = texts(plan("FORMAT=svg", f"ENVS={'a' * 39},{'b' * 40},{'c' * 41}", "ENV_PREFIX=22"))

    assert {"a" * 39, "b" * 38 + "…", "c" * 38 + "…"} <= {*written}


def test_a_picture_draws_the_vpcs_below_the_blocks_in_which_they_are_and_lists_empty_blocks(tmp_path: Path) -> None:
    """The names are cut to the room before the next VPC: a quarter of a bar is 240 pixels, or 45 letters."""
    names = {"10.64.0.0/16": "x" * 200, "10.68.0.0/16": "y" * 45, "10.72.0.0/16": "z" * 46, "10.76.0.0/16": "short"}
    (tmp_path / "vpcs").write_text("".join(f"{cidr} {name}\n" for cidr, name in names.items()) + "10.0.0.0/10 wide\n")
    words = ("CIDR=10.0.0.0/12,10.64.0.0/12,10.128.0.0/12,10.160.0.0/12", "REGION_PREFIX=16", "ENV_PREFIX=18")

    svg = plan(*words, "FORMAT=svg", f"VPCS={tmp_path / 'vpcs'}")

    written = texts(svg)
    assert {"x" * 44 + "…", "y" * 45, "z" * 44 + "…", "short", "existing VPC"} <= {*written}
    assert "empty: 10.128.0.0/12 + 10.160.0.0/12" in written
    assert "10.64.0.0/12: 1,048,576 addresses" in written
    assert "10.128.0.0/12: 1,048,576 addresses" not in written
    drawn = rectangles(svg)
    assert ("existing VPC 10.68.0.0/16 " + "y" * 45, 260, 60) in drawn
    assert ("existing VPC 10.0.0.0/10 wide", 20, 960) in drawn
    red = [shape for shape in ElementTree.fromstring(svg).iter() if shape.attrib.get("fill") == "#d1242f"]  # noqa: S314
    lanes = {float(shape.attrib["y"]): float(shape.attrib["height"]) for shape in red if shape.tag.endswith("rect")}
    bars = [
        float(shape.attrib["y"]) + float(shape.attrib["height"])
        for shape in ElementTree.fromstring(svg).iter()  # noqa: S314
        if shape.attrib.get("fill") == "url(#free)"
    ]
    assert len(lanes) > 2
    assert {y for y, height in lanes.items() if height == 6} <= {*bars}
    assert len([shape for shape in red if shape.tag.endswith("text")]) >= len(names)


def boxes(svg: str) -> list[tuple[float, float, float, float, str]]:
    """Return left, top, right and bottom of each text, by the average width of a character."""
    found = []
    for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314 - our own text
        x, y, line = float(text.attrib["x"]), float(text.attrib["y"]), text.text or ""
        height = float(text.attrib.get("font-size", 11))
        width = len(line) * height * (0.63 if "font-weight" in text.attrib else 0.57)
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[text.attrib.get("text-anchor", "start")]
        if turn := re.fullmatch(r"rotate\(-90 (\S+) (\S+)\)", text.attrib.get("transform", "")):
            across, along = map(float, turn.groups())
            left, top, width, height = across + y - height - along, along - width / 2, height, width
        else:
            top = y - height
        found.append((left, top, left + width, top + height, line))
    return found


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["CIDR=10.0.0.0/8", f"REGIONS={','.join(REGIONS[:10])}", "ENVS=Prod OU,SDLC OU,Sandbox", "QUOTA=60"],
        [
            "CIDR=10.0.0.0/12,10.64.0.0/12",
            f"POOL_SIZES=us-east-1=16{'+20' * 40},us-west-2=16+16,us-west-2/Prod OU=18+18+18+19+20+24",
        ],
        [
            "CIDR=10.0.0.0/12",
            f"ENVS={','.join(f'An environment with a long name {number}' for number in range(4))}",
        ],
    ],
    ids=["default", "ten Regions", "several blocks", "a long legend"],
)
def test_the_texts_of_a_picture_lie_within_it_and_on_no_other_text(words: list[str], tmp_path: Path) -> None:
    cidrs = [f"10.{second}.{third}.0/22" for second in (0, 1, 16, 64) for third in range(0, 256, 32)]
    lines = [f"{cidr} VPC of a team whose name is long, {number}" for number, cidr in enumerate(cidrs)]
    (tmp_path / "vpcs").write_text("\n".join(lines))
    sizes = [] if not words else ["REGION_PREFIX=16", "ENV_PREFIX=18"]

    svg = plan(*words, *sizes, "FORMAT=svg", f"VPCS={tmp_path / 'vpcs'}")

    width, height = (float(ElementTree.fromstring(svg).attrib[name]) for name in ("width", "height"))  # noqa: S314
    found = boxes(svg)
    for left, top, right, bottom, text in found:
        assert 0 <= left < right <= width, text
        assert 0 <= top < bottom <= height, text
    assert found[-1][3] == max(bottom for _, _, _, bottom, _ in found), "the legend grows downward"
    for one, other in combinations(found, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] + 2 or other[3] <= one[1] + 2
        assert apart, (one, other)


def test_a_picture_gives_each_of_forty_environments_a_color_of_its_own() -> None:
    environments = ",".join(f"OU {number}" for number in range(40))
    words = ["CIDR=10.0.0.0/8", f"ENVS={environments}", "QUOTA=100", "REGION_PREFIX=12", "ENV_PREFIX=20", "FORMAT=svg"]

    svg = plan(*words)

    legend = re.findall(r'<rect [^>]*width="12" height="12" fill="#(\w+)">', svg)
    colors = [tuple(bytes.fromhex(color)) for color in legend]
    assert len(set(colors)) == 40
    assert min(math.dist(one, other) for one, other in combinations(colors, 2)) > 20


def test_a_region_with_many_empty_blocks_makes_the_picture_hardly_higher() -> None:
    words = ["CIDR=10.0.0.0/8", "REGION_PREFIX=12", "ENV_PREFIX=14", "FORMAT=svg"]
    sizes = "+".join(["12", *["16"] * 49])

    heights = [
        float(ElementTree.fromstring(plan(*words, *more)).attrib["height"])  # noqa: S314
        for more in ([], [f"POOL_SIZES=us-east-1={sizes}"])
    ]

    assert heights[1] < heights[0] + 100


def test_a_picture_shows_every_block_of_a_pool_and_the_room_left() -> None:
    svg = plan("FORMAT=svg", "POOL_SIZES=us-west-2=20+20,us-west-2/Prod OU=21+21", "CIDR=192.168.0.0/16,10.0.0.0/16")

    written = [text.text or "" for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314
    assert "us-west-2: 10.0.0.0/20 + 10.0.16.0/20: 8,192 addresses, room for 1 more of /21" in written
    assert "us-east-1: 10.0.32.0/20: 4,096 addresses, no room for more" in written
    assert any(text.startswith("Address space: 192.168.0.0/16 + 10.0.0.0/16: 131,072 addresses") for text in written)
    drawn = [title for title, _, _ in rectangles(svg)]
    assert "Prod OU in us-west-2: 10.0.8.0/21, 2,048 addresses" in drawn
    assert {"10.0.0.0/20: 4,096 addresses", "10.0.16.0/20: 4,096 addresses"} <= {*written}


def make(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "-s", *words, f"PYTHON={sys.executable}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_make_passes_each_argument_on_unchanged() -> None:
    names = """R&D 'x',$HOME;"q" `a`|*$(shell touch x),(b) $$1 #c\\"""

    run = make("plan", f"ENVS={names}", "ENV_PREFIX=22")

    assert run.returncode == 0, run.stderr
    first = [entry.partition("Env=")[2] for entry in run.stdout.splitlines() if "Env=" in entry][:3]
    assert ",".join(first) == names


@pytest.mark.parametrize(
    "locale",
    [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=str,
)
def test_a_plan_is_in_utf_8_in_every_locale(monkeypatch: pytest.MonkeyPatch, locale: dict[str, str]) -> None:
    for name, value in locale.items():
        monkeypatch.setenv(name, value)

    command = ["make", "-s", "plan", "ENVS=Zürich,生産", f"PYTHON={sys.executable}"]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, cwd=ROOT)

    assert run.stderr == ""
    assert "├─ Zürich" in run.stdout
    assert "Env=生産" in run.stdout


def test_a_plan_whose_reader_stops_ends_without_a_message() -> None:
    command = ["bash", "-c", 'set -o pipefail; make -s plan PYTHON="$0" | true', sys.executable]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert (run.returncode, run.stderr) == (0, "")


def test_make_plan_fails_with_only_the_reason() -> None:
    run = make("plan", "CIDR=10.0.0.0/8", "REGION_PREFIX=8")

    assert run.returncode != 0
    assert run.stdout == ""
    assert run.stderr.startswith("REGION_PREFIX 8 is not longer than the /8 of CIDR; give 9 to 27.")
