"""What runs the Lambda functions of an engine: the server that starts their Python, and where their code is unpacked.

Engines may share both. To import boto3 takes most of a function's start, and to compile its code much of the rest.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from landing_zone.fork_server import ForkServer, ForkServerAt

MODULES = ["boto3", "urllib3"]
SERVICES = "cloudformation controltower ec2 iam lambda organizations ram s3 sns sqs sts".split()
"""What functions call. botocore reads the models of these once for all of them."""
SOCKET = "server"


@dataclass(frozen=True)
class Functions:
    """interpreter   path of the Python of an environment with what AWS's runtime has
    server        starts it
    code          folder with the content of each zip
    """

    interpreter: str
    server: ForkServer | ForkServerAt
    code: Path

    @classmethod
    def own(cls, interpreter: str) -> Self:
        """Return those of one engine."""
        server = ForkServer(interpreter, modules=MODULES, services=SERVICES)
        return cls(interpreter, server, Path(tempfile.mkdtemp(prefix="lambda-code-")))

    @classmethod
    def shared(cls, interpreter: str, folder: Path) -> Self:
        """Return those of an engine that uses a folder for which somebody serves."""
        return cls(interpreter, ForkServerAt(str(folder / SOCKET)), folder)


def serve(interpreter: str, folder: Path) -> ForkServer:
    """Return the server for all engines that use this folder."""
    return ForkServer(interpreter, modules=MODULES, services=SERVICES, address=str(folder / SOCKET))
