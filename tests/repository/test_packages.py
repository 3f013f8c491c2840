"""The zips that Lambda runs match the sources, and run with only the packages that Lambda has."""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

ROOT = Path(__file__).parents[2]
LAMBDA_PYTHON = ROOT / ".venv/lambda-runtime/bin/python"
SOURCES = ["ct-integration-lambda", "ipam-pool-lambda", "libraries"]

# Zip -> the handlers in index.py that the templates name.
HANDLERS = {
    "ctipam_ct_integration_1.0.0.zip": ["lambda_handler", "organization_setup", "share_existing_accounts"],
    "ctipam_helper_1.0.0.zip": ["lambda_handler", "measure_utilization"],
}

# Every entry of both zips, listed here so that a stray file in the sources fails a test.
ENTRIES = """
    crhelper-2.0.12.dist-info/LICENSE
    crhelper-2.0.12.dist-info/METADATA
    crhelper-2.0.12.dist-info/NOTICE
    crhelper/__init__.py
    crhelper/log_helper.py
    crhelper/resource_helper.py
    crhelper/utils.py
    ctipam/__init__.py
    ctipam/client_tokens.py
    ctipam/cloudformation/__init__.py
    ctipam/cloudformation/custom_resource.py
    ctipam/cloudformation/deletion.py
    ctipam/cloudformation/described.py
    ctipam/cloudformation/latecomers.py
    ctipam/cloudformation/leftovers.py
    ctipam/cloudformation/other_stacks.py
    ctipam/cloudformation/outputs.py
    ctipam/cloudformation/own_stack.py
    ctipam/cloudformation/request.py
    ctipam/environment_names.py
    ctipam/errors.py
    ctipam/findings.py
    ctipam/invocation.py
    ctipam/ipam/__init__.py
    ctipam/ipam/changes.py
    ctipam/ipam/cost_controls.py
    ctipam/ipam/discovered.py
    ctipam/ipam/discovery.py
    ctipam/ipam/existing.py
    ctipam/ipam/listing.py
    ctipam/ipam/preconditions.py
    ctipam/ipam/reader.py
    ctipam/ipam/reconcile.py
    ctipam/ipam/spec.py
    ctipam/ipam/trouble.py
    ctipam/logs.py
    ctipam/messages.py
    ctipam/metrics.py
    ctipam/names.py
    ctipam/networking_account.py
    ctipam/organization/__init__.py
    ctipam/organization/deployments.py
    ctipam/organization/environments.py
    ctipam/organization/events.py
    ctipam/organization/excluded_ous.py
    ctipam/organization/leftover_stack_set.py
    ctipam/organization/monitoring.py
    ctipam/organization/preconditions.py
    ctipam/organization/reader.py
    ctipam/organization/session_policies.py
    ctipam/organization/setup.py
    ctipam/organization/tree.py
    ctipam/phrases.py
    ctipam/pools/__init__.py
    ctipam/pools/addresses.py
    ctipam/pools/apply.py
    ctipam/pools/change_kinds.py
    ctipam/pools/changes.py
    ctipam/pools/concurrency.py
    ctipam/pools/custom_resources.py
    ctipam/pools/deletion.py
    ctipam/pools/environment_pools.py
    ctipam/pools/existing.py
    ctipam/pools/existing_vpcs.py
    ctipam/pools/feasibility.py
    ctipam/pools/late_failures.py
    ctipam/pools/matching.py
    ctipam/pools/overlaps.py
    ctipam/pools/pace.py
    ctipam/pools/parameters.py
    ctipam/pools/placement.py
    ctipam/pools/preconditions.py
    ctipam/pools/reader.py
    ctipam/pools/recognition.py
    ctipam/pools/reconcile.py
    ctipam/pools/record.py
    ctipam/pools/removals.py
    ctipam/pools/reserved.py
    ctipam/pools/reserving.py
    ctipam/pools/room.py
    ctipam/pools/rounds.py
    ctipam/pools/spec.py
    ctipam/pools/surplus.py
    ctipam/pools/wanted.py
    ctipam/sessions.py
    ctipam/settings.py
    ctipam/sharing/__init__.py
    ctipam/sharing/apply.py
    ctipam/sharing/brake.py
    ctipam/sharing/changes.py
    ctipam/sharing/doubtful.py
    ctipam/sharing/environment_ous.py
    ctipam/sharing/existing.py
    ctipam/sharing/existing_accounts.py
    ctipam/sharing/lifecycle.py
    ctipam/sharing/notices.py
    ctipam/sharing/notify.py
    ctipam/sharing/ownership.py
    ctipam/sharing/places.py
    ctipam/sharing/reader.py
    ctipam/sharing/reconcile.py
    ctipam/sharing/report.py
    ctipam/sharing/report_rows.py
    ctipam/sharing/result_log.py
    ctipam/sharing/results.py
    ctipam/sharing/rounds.py
    ctipam/sharing/run.py
    ctipam/sharing/session_policy.py
    ctipam/sharing/spec.py
    ctipam/sharing/unlisted.py
    ctipam/tags.py
    ctipam/upkeep/__init__.py
    ctipam/upkeep/drift.py
    ctipam/upkeep/growing.py
    ctipam/upkeep/growth.py
    ctipam/upkeep/growth_messages.py
    ctipam/upkeep/measurement.py
    ctipam/upkeep/mending.py
    ctipam/upkeep/schedule.py
    ctipam/upkeep/utilization.py
    ctipam/upkeep/watch.py
    ctipam/waiting.py
    index.py
""".split()
MODULES = [entry.removesuffix(".py").replace("/", ".") for entry in ENTRIES if entry.startswith("ctipam/")]
WINGS = ["ctipam", *sorted({name.rpartition(".")[0] for name in MODULES} - {"ctipam"})]


def modules_named(wing: str, kind: str) -> list[str]:
    """Return the modules that a wing's docstring lists after "Pure:" or "AWS:"."""
    entry = re.compile(rf"^ *{kind}: " + r"(.*(?:\n {7,}.*)*)", re.MULTILINE)
    text = entry.search(importlib.import_module(wing).__doc__ or "")
    return re.findall(r"`(\w+)`", text[1]) if text else []


@pytest.fixture(autouse=True)
def _set_up() -> None:
    if not list(ROOT.glob(".venv/wheels/crhelper-*.whl")) or not LAMBDA_PYTHON.exists():
        pytest.fail("crhelper's wheel or the copy of Lambda's runtime is missing. `make test` sets up both.")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Copy everything that a build reads, and the committed zips, to a folder of its own."""
    for folder in SOURCES:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "packages", tmp_path / "packages")
    shutil.copytree(ROOT / ".venv/wheels", tmp_path / ".venv/wheels")
    return tmp_path


def build(
    root: Path, *options: str, umask: int = -1, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run root's packages/build.py without a network."""
    command = [sys.executable, str(root / "packages/build.py"), *options]
    settings = os.environ | {"PIP_NO_INDEX": "1"} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, umask=umask, cwd=cwd, env=settings)


def test_the_committed_zips_are_what_the_sources_build() -> None:
    checked = build(ROOT, "--check")

    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_build_elsewhere_with_other_settings_produces_the_same_bytes(copy: Path) -> None:
    build(copy)
    first = {name: (copy / "packages" / name).read_bytes() for name in HANDLERS}
    for path in copy.rglob("*.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        path.chmod(0o600)
        os.utime(path, (0, 2_000_000_000))

    built = build(copy, umask=0o077, cwd=Path("/"), LC_ALL="C", TZ="Asia/Tokyo", PYTHONHASHSEED="1", PYTHONUTF8="0")

    assert built.returncode == 0, built.stderr
    assert {name: (copy / "packages" / name).read_bytes() for name in HANDLERS} == first


@pytest.mark.parametrize("name", HANDLERS)
def test_a_zip_holds_exactly_these_files(name: str) -> None:
    with ZipFile(ROOT / "packages" / name) as archive:
        assert archive.namelist() == sorted(ENTRIES)


@pytest.mark.parametrize("wing", WINGS)
def test_the_library_and_each_wing_name_all_their_modules(wing: str) -> None:
    named = {f"{wing}.{name}" for kind in ("Pure", "AWS") for name in modules_named(wing, kind)}

    assert named == {name for name in MODULES if name.rpartition(".")[0] == wing} - {f"{wing}.__init__"}


def test_a_module_that_is_called_pure_needs_no_aws_library() -> None:
    """Pure modules import without AWS libraries, so you can read and run them without AWS."""
    pure = [f"{wing}.{name}" for wing in WINGS for name in modules_named(wing, "Pure")]
    blocked = "import sys; sys.modules |= dict.fromkeys(['boto3', 'botocore', 'crhelper'])"

    imported = subprocess.run(
        [sys.executable, "-c", "\n".join([blocked, *(f"import {module}" for module in pure)])],
        cwd=ROOT / "libraries",
        capture_output=True,
        text=True,
        check=False,
    )

    assert pure
    assert (imported.returncode, imported.stderr) == (0, "")


@pytest.mark.parametrize("name", HANDLERS)
def test_every_entry_is_stored_readable_and_without_a_date(name: str) -> None:
    with ZipFile(ROOT / "packages" / name) as archive:
        looks = {(e.compress_type, e.external_attr >> 16, e.create_system, e.date_time) for e in archive.infolist()}

    assert looks == {(ZIP_STORED, 0o644, 3, (1980, 1, 1, 0, 0, 0))}


def test_the_copy_of_lambdas_runtime_does_not_have_crhelper() -> None:
    looked = in_lambda("import importlib.util; print(importlib.util.find_spec('crhelper'))")

    assert looked.stdout.strip() == "None"


@pytest.mark.parametrize("name", HANDLERS)
def test_a_zip_runs_with_only_the_packages_that_lambda_has(name: str, tmp_path: Path) -> None:
    with ZipFile(ROOT / "packages" / name) as archive:
        archive.extractall(tmp_path)

    imported = in_lambda(
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import importlib, index; "
        f"[importlib.import_module(module) for module in {MODULES}]; "  # some are imported late
        f"print([handler for handler in {HANDLERS[name]} if callable(getattr(index, handler))])"
    )

    assert imported.stdout.strip() == str(HANDLERS[name]), imported.stderr


def in_lambda(code: str) -> subprocess.CompletedProcess[str]:
    """Run code as Lambda does: with its packages and environment, and without ours."""
    environment = {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_LAMBDA_FUNCTION_NAME": "ctipam"}
    command = [str(LAMBDA_PYTHON), "-I", "-B", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_check_names_every_entry_that_differs(copy: Path) -> None:
    build(copy)
    (copy / "ipam-pool-lambda/index.py").write_text("changed = True")
    (copy / "libraries/ctipam/added.py").write_text("")

    checked = build(copy, "--check")

    assert checked.returncode == 1
    assert checked.stderr.splitlines() == [
        "packages/ctipam_ct_integration_1.0.0.zip is not what the sources build: ctipam/added.py is missing.",
        "packages/ctipam_helper_1.0.0.zip is not what the sources build: index.py differs, ctipam/added.py is missing.",
        "Run `make package` and commit the zips.",
    ]


def test_a_source_that_is_not_python_is_not_packed(copy: Path) -> None:
    (copy / "ipam-pool-lambda/index.py").write_text("import os\nimport (\n")

    built = build(copy)

    assert built.returncode == 1
    assert built.stderr.startswith("ipam-pool-lambda/index.py, line 2: ")


def test_our_own_sources_can_be_checked_without_fetching_crhelper(copy: Path) -> None:
    build(copy)
    shutil.rmtree(copy / ".venv")
    as_built = build(copy, "--check-own")
    (copy / "ipam-pool-lambda/index.py").write_text("changed = True")

    changed = build(copy, "--check-own")

    assert (as_built.returncode, as_built.stderr) == (0, "")
    assert changed.returncode == 1
    assert "packages/ctipam_helper_1.0.0.zip is not what the sources build: index.py differs." in changed.stderr
    assert "ctipam_ct_integration" not in changed.stderr


def test_the_check_names_a_zip_that_is_missing_and_one_that_is_left_over(copy: Path) -> None:
    build(copy)
    (copy / "packages/ctipam_helper_1.0.0.zip").rename(copy / "packages/ctipam_helper_0.9.0.zip")

    checked = build(copy, "--check")

    assert "packages/ctipam_helper_1.0.0.zip does not exist." in checked.stderr
    assert "packages/ctipam_helper_0.9.0.zip has no source: delete it." in checked.stderr


def test_a_zip_of_the_right_files_in_another_order_is_not_the_same_zip(copy: Path) -> None:
    build(copy)
    committed = copy / "packages/ctipam_helper_1.0.0.zip"
    with ZipFile(committed) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(committed, "w") as archive:
        for name in reversed(entries):
            archive.writestr(name, entries[name])

    assert "order, times or modes differ" in build(copy, "--check").stderr


def test_a_wheel_with_another_hash_is_rejected(copy: Path) -> None:
    for wheel in copy.glob(".venv/wheels/*.whl"):
        wheel.write_bytes(b"not the wheel")

    refused = build(copy)

    assert refused.returncode == 1
    assert "does not match the hash in libraries/requirements.txt" in refused.stderr
