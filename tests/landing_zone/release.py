"""Make another version of this solution: the same templates and zips under other names, with a greeting."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from ctipam.waiting import RESERVE_S
from landing_zone import deployment
from landing_zone.cli import ROOT, AwsCli
from landing_zone.company import BUCKET, MANAGEMENT, NETWORKING
from landing_zone.engine import Engine

ZIPS = ("ctipam_ct_integration", "ctipam_helper")

SETUP_TIMEOUT, SHORT_SETUP_TIMEOUT = "Timeout: 900 # Lambda's maximum: RAM", f"Timeout: {RESERVE_S + 3:.0f} # RAM"


@dataclass(frozen=True)
class Release:
    """folder   holds templates/ and packages/, as the clone does
    code      SHA-256 of each zip, as Lambda tells it
    """

    version: str
    folder: Path
    code: set[str]

    @property
    def prefix(self) -> str:
        """Return the prefix of this version in the user's bucket."""
        return f"v{self.version}/"

    @property
    def parameters(self) -> dict[str, str]:
        """Return the parameters that a user changes to deploy it."""
        return {
            "PackageVersion": self.version,
            "LambdaPrefix": f"{self.prefix}packages/",
            "RepoRootURL": deployment.url(f"{self.prefix}templates/"),
        }

    @property
    def template(self) -> str:
        return f"{self.prefix}{deployment.TEMPLATE}"

    @property
    def greeting(self) -> str:
        """Return what each function logs when its code is loaded."""
        return f"this is version {self.version}"


def make(folder: Path, version: str, *, short_of_time: bool = False) -> Release:
    """Write a release into the folder.

    short_of_time   Custom::OrganizationSetup has three seconds for its pauses, so that a recovery goes on in further
                    invocations
    """
    made = Release(version, folder, set())
    for path in (ROOT / "templates").iterdir():
        text = path.read_text(encoding="utf-8")
        if short_of_time:
            text = text.replace(SETUP_TIMEOUT, SHORT_SETUP_TIMEOUT)
        _write(folder / "templates" / path.name, text.encode())
    for name in ZIPS:
        (path,) = (ROOT / "packages").glob(f"{name}_*.zip")
        target = folder / "packages" / f"{name}_{version}.zip"
        _write(target, path.read_bytes())
        _append(target, f"print({made.greeting!r})\n")
        made.code.add(base64.b64encode(hashlib.sha256(target.read_bytes()).digest()).decode())
    return made


def upload(engine: Engine, release: Release) -> None:
    words = ["s3", "cp", str(release.folder), f"s3://{BUCKET}/{release.prefix}", "--recursive"]
    AwsCli(engine, MANAGEMENT).run(*words)


def code_of_functions(engine: Engine) -> set[str]:
    """Return the SHA-256 of the code of every function in both accounts that runs a zip."""
    return {
        function["CodeSha256"]
        for account_id in (MANAGEMENT, NETWORKING)
        for function in engine.client("lambda", account_id).list_functions()["Functions"]
        if not function["Description"].startswith("Custom::CopyZips")  # its code stands in the template
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def _append(zipped: Path, code: str) -> None:
    with ZipFile(zipped) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["index.py"] += f"\n{code}".encode()
    with ZipFile(zipped, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
