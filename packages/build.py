"""Builds the two zips that AWS Lambda runs. Every build produces the same bytes.

    python packages/build.py                write packages/<name>_<version>.zip
    python packages/build.py --check        fail if the committed zips are not what the sources build
    python packages/build.py --check-own    the same, but take crhelper from the committed zips and fetch nothing
    python packages/build.py --fetch        only fetch crhelper's wheel, so that the first two commands work offline

Root of a zip:

    index.py                 the function's entry points
    ctipam/                  libraries/ctipam
    crhelper/                from the wheel in libraries/requirements.txt; the only third-party code
    crhelper-….dist-info/    its license, notice and metadata

The version is `__version__` in libraries/ctipam/__init__.py. Needs only the standard library, and pip to fetch.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "packages"
LIBRARY = ROOT / "libraries" / "ctipam"
REQUIREMENTS = ROOT / "libraries" / "requirements.txt"
WHEELS = ROOT / ".venv" / "wheels"
FUNCTIONS = {"ctipam_ct_integration": "ct-integration-lambda", "ctipam_helper": "ipam-pool-lambda"}

# The modules of crhelper, and the files that its license requires us to pass on. Omits type stubs and pip's records.
FROM_WHEEL = re.compile(r"crhelper/.*\.py|crhelper-[^/]+\.dist-info/(LICENSE|NOTICE|METADATA)")


class CannotBuild(Exception):
    """Says what is missing or wrong, and what to do."""


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description="Build the two zips that AWS Lambda runs.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="only compare the committed zips with the sources")
    choice.add_argument("--check-own", action="store_true", help="the same, without crhelper's part")
    choice.add_argument("--fetch", action="store_true", help="only fetch crhelper's wheel")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.check_own:
            check(rebuilt())
            return
        wheel = fetched_wheel()
        if chosen.check:
            check(built(wheel))
        elif not chosen.fetch:
            write(built(wheel))
    except CannotBuild as refusal:
        sys.exit(str(refusal))


def built(wheel: Path) -> dict[str, bytes]:
    """Return file name -> bytes of each zip, built from the sources and the wheel."""
    library = library_files()
    return {
        zip_name(name): archive(own_files(folder) | library | wheel_files(wheel)) for name, folder in FUNCTIONS.items()
    }


def rebuilt() -> dict[str, bytes]:
    """Return the same as built(), with crhelper from the committed zips."""
    zips = {}
    for name, folder in FUNCTIONS.items():
        there = PACKAGES / zip_name(name)
        zips[there.name] = archive(own_files(folder) | (third_party(there.read_bytes()) if there.exists() else {}))
    return zips


def write(zips: dict[str, bytes]) -> None:
    for name, content in zips.items():
        (PACKAGES / name).write_bytes(content)
        print(f"packages/{name}  {len(content):,} bytes  sha256 {hashlib.sha256(content).hexdigest()}")


def check(zips: dict[str, bytes]) -> None:
    """Raise CannotBuild with a line for each difference between packages/ and these zips."""
    committed = {path.name: path.read_bytes() for path in PACKAGES.glob("*.zip")}
    faults = [
        f"packages/{name} {difference(committed.get(name), zips.get(name))}."
        for name in sorted(committed.keys() | zips.keys())
        if committed.get(name) != zips.get(name)
    ]
    if faults:
        raise CannotBuild("\n".join([*faults, "Run `make package` and commit the zips."]))


def difference(committed: bytes | None, fresh: bytes | None) -> str:
    """Return how a committed zip differs from a fresh zip, entry by entry. Either may be missing."""
    if committed is None:
        return "does not exist"
    if fresh is None:
        return "has no source: delete it"
    old, new = entries(committed), entries(fresh)
    names = [
        *(f"{name} differs" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]),
        *(f"{name} is missing" for name in sorted(new.keys() - old.keys())),
        *(f"{name} does not belong" for name in sorted(old.keys() - new.keys())),
    ]
    return "is not what the sources build: " + (", ".join(names) or "order, times or modes differ")


def entries(archived: bytes) -> dict[str, bytes]:
    with ZipFile(io.BytesIO(archived)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as target:  # stored: zlib's output differs between builds
        for name in sorted(files):
            entry = ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16  # Lambda's user cannot read zipfile's default
            entry.create_system = 3  # Unix, on any system
            target.writestr(entry, files[name])
    return buffer.getvalue()


def zip_name(function: str) -> str:
    return f"{function}_{version()}.zip"


def own_files(folder: str) -> dict[str, bytes]:
    return {"index.py": source(ROOT / folder / "index.py")} | library_files()


def library_files() -> dict[str, bytes]:
    return {path.relative_to(LIBRARY.parent).as_posix(): source(path) for path in LIBRARY.rglob("*.py")}


def wheel_files(wheel: Path) -> dict[str, bytes]:
    return third_party(wheel.read_bytes())


def third_party(archived: bytes) -> dict[str, bytes]:
    return {name: content for name, content in entries(archived).items() if FROM_WHEEL.fullmatch(name)}


def source(path: Path) -> bytes:
    """Return a source file's bytes with LF line ends. Raises CannotBuild if it is not valid Python."""
    content = path.read_bytes().replace(b"\r\n", b"\n")
    try:
        ast.parse(content)
    except SyntaxError as error:
        raise CannotBuild(f"{path.relative_to(ROOT)}, line {error.lineno}: {error.msg}.") from None
    return content


def version() -> str:
    # Read, not imported: an import runs code and leaves bytecode.
    found = re.search(r'^__version__ = "([0-9][0-9.]*)"$', source(LIBRARY / "__init__.py").decode(), re.MULTILINE)
    if not found:
        raise CannotBuild('libraries/ctipam/__init__.py has no line like __version__ = "1.0.0".')
    return found[1]


def fetched_wheel() -> Path:
    """Return crhelper's wheel, from the cache or from pip. Raises CannotBuild if its hash is wrong."""
    pinned = re.search(r"^crhelper==(\S+)", REQUIREMENTS.read_text(), re.MULTILINE)
    if not pinned:
        raise CannotBuild("libraries/requirements.txt has no line like crhelper==2.0.12.")
    wheel = WHEELS / f"crhelper-{pinned[1]}-py3-none-any.whl"
    if not wheel.exists():
        download()
    if f"sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}" not in REQUIREMENTS.read_text():
        raise CannotBuild(f"{wheel} does not match the hash in libraries/requirements.txt. Delete it and try again.")
    return wheel


def download() -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
    pinned = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--dest", str(WHEELS), "-r", str(REQUIREMENTS)]
    if subprocess.run([*pip, *pinned], check=False).returncode:
        raise CannotBuild("pip could not fetch crhelper's wheel. Its message above gives the reason.")


if __name__ == "__main__":
    main(sys.argv[1:])
