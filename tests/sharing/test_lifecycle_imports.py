"""The modules that the lifecycle function imports at a cold start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROBE = """
import sys
import boto3, botocore.config, botocore.exceptions, concurrent.futures.thread
floor = set(sys.modules) | set(sys.builtin_module_names)
sys.path[:0] = [{function!r}, {libraries!r}]
import index
print(*sorted(set(sys.modules) - floor))
"""


def test_the_lifecycle_function_imports_only_its_own_modules_besides_boto3() -> None:
    probe = PROBE.format(function=str(ROOT / "ct-integration-lambda"), libraries=str(ROOT / "libraries"))

    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)

    others = [name for name in run.stdout.split() if name != "index" and name.partition(".")[0] != "ctipam"]
    assert others == []
    needless = {
        "ctipam.cloudformation.custom_resource",
        "ctipam.pools.parameters",
        "ctipam.pools.reconcile",
        "ctipam.pools.spec",
    }
    assert not needless & set(run.stdout.split())
