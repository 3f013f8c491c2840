"""Cold start of each function: the processor time to import it and to create its first clients.

Each start runs in a process of its own, from the unpacked zip, with only the packages that Lambda has. As in Lambda,
our modules are compiled at each start, because the zip has no bytecode, and boto3 is already compiled. The floor is
boto3 alone with the same clients.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from benchmarks import page
from benchmarks.packages import ZIPS
from benchmarks.page import Row, Section

ROOT = Path(__file__).parents[2]
LAMBDA_PYTHON = ROOT / ".venv/lambda-runtime/bin/python"
RUNS = 9
ACCOUNTS = 10_000
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "made",
    "AWS_SECRET_ACCESS_KEY": "up",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}

MEASURED = """
import re, sys, time
from pathlib import Path
sys.path[:0] = {path}
began = time.process_time()
{code}
took = time.process_time() - began
print(took, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""

FLOOR = """
import boto3
from botocore.config import Config
config = Config(retries={{"mode": "standard", "max_attempts": 8}})
for clients in {sessions}:
    session = boto3.Session(region_name="us-east-1")
    for service, region in clients:
        session.client(service, region_name=region, config=config)
"""
LIFECYCLE_FLOOR = FLOOR.format(
    sessions=[[("organizations", "us-east-1"), ("sts", "us-east-1")], [("ec2", "us-east-1"), ("ram", "us-east-1")]]
)
POOLS_FLOOR = FLOOR.format(sessions=[[("ec2", "us-east-1"), ("ec2", "us-west-2")]])

LIFECYCLE = """
import index
from ctipam import sessions
management = sessions.current_account("111111111111")
management.organizations(), management._client("sts", management.region)
sessions.Account.credentials_of = lambda *_: dict.fromkeys(("AccessKeyId", "SecretAccessKey", "SessionToken"), "made")
networking = management.assume("arn:aws:iam::222222222222:role/AWSControlTowerExecution", "share-ipam-pools", {})
networking.ec2(), networking.ram()
"""
CLIENTS = """
from ctipam import sessions
account = sessions.current_account("111111111111")
account.ec2(), account.ec2("us-west-2")
"""
UTILIZATION = f"import index{CLIENTS}"
# In the order of a request, which is checked against the Regions that boto3 knows.
POOLS = f"import index; index._responder(){CLIENTS}account.known_regions()"
ALL_ACCOUNTS = f"""{LIFECYCLE}
from benchmarks import many_accounts
many_accounts.reconcile({ACCOUNTS})
"""

CASES = {
    "lifecycle": ("ctipam_ct_integration", LIFECYCLE, LIFECYCLE_FLOOR),
    f"lifecycle, {ACCOUNTS:,} accounts": ("ctipam_ct_integration", ALL_ACCOUNTS, LIFECYCLE_FLOOR),
    "pools": ("ctipam_helper", POOLS, POOLS_FLOOR),
    "utilization": ("ctipam_helper", UTILIZATION, POOLS_FLOOR),
}
STARTED_OFTEN = frozenset({"lifecycle", "utilization"})
OFTEN = 1.1  # times the floor


def measure() -> Iterator[Row]:
    for name, (package, code, floor) in CASES.items():
        with TemporaryDirectory() as folder:
            with ZipFile(ZIPS[package]) as archive:
                archive.extractall(folder)
            # In turns, so that both meet the same machine.
            runs = [(_run(code, folder), _run(floor, folder)) for _ in range(RUNS)]
        (seconds, megabytes), (least_s, least_mb) = map(min, zip(*runs, strict=True))
        times = seconds / least_s
        figures = (f"{seconds:.2f} s", f"{least_s:.2f} s", f"{times:.2f}", f"{megabytes:.0f} MB", f"{least_mb:.0f} MB")
        yield Row(figures, page.true_faults({f"more than {OFTEN} times": name in STARTED_OFTEN and times > OFTEN}))


def _run(code: str, folder: str) -> tuple[float, float]:
    """Return the seconds of processor time and the peak memory, in MB, of a run."""
    program = MEASURED.format(code=code, path=[folder, str(ROOT / "tests")])
    command = [str(LAMBDA_PYTHON), "-I", "-B", "-c", program]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    seconds, megabytes = map(float, run.stdout.split()[-2:])
    return seconds, megabytes


SECTION = Section(
    title="Cold start: import and clients, in a process of its own",
    columns=("took", "floor", "ratio", "memory", "floor"),
    labels=tuple(CASES),
    measure=measure,
    notes=(
        f"Best of {RUNS}, with Lambda's own packages. Floor: boto3 alone, with the same clients. "
        f"Promise: {OFTEN} times the floor for lifecycle and utilization, which start often."
    ),
)
