"""The engine as its users see it: start it, call AWS APIs on it, vend accounts, move its clock, stop it.

    with Engine.start() as engine:
        engine.set_up("111111111111", [{"name": "Prod OU", "accounts": [{"id": "222222222222", "name": "network"}]}])
        engine.client("organizations", "111111111111").list_accounts()
        engine.vend("000000000042", "shop", "Prod OU")
        subprocess.run(["aws", "ec2", "describe-vpcs"], env=engine.environment("000000000042", "eu-west-1"))

An account's id as the access key makes the caller that account's root user.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import IO, Any, ClassVar, Self

import boto3
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from landing_zone import functions
from landing_zone.fork_server import Forked, ForkServer

TESTS = Path(__file__).resolve().parents[1]
LAMBDA_RUNTIME = TESTS.parent / ".venv/lambda-runtime/bin/python"
CONTROL = "/_landing-zone/"
HOST = "127.0.0.1"  # an address, not a name: so S3 clients put the bucket into the path
SECRET = "test"
MODULES = "boto3 cryptography.x509 hypercorn.asyncio hypercorn.protocol.h11 moto.core.serialize xmltodict yaml".split()
SERVICES = "cloudformation ec2 iam lambda organizations ram s3 sts".split()
"""What engines need most. ministack's own modules are not among them: each is of one engine once it is imported."""
START_S = 60
LOG_LINES = 30
SERVER = ["-m", "landing_zone.on_ministack"]
HOME_REGION = "us-east-1"

Account = dict[str, str]


class Preloaded:
    """Starts engines, and their functions, from processes that have imported what both need.

    with Preloaded() as Engine.preloaded:
        ...
    """

    def __init__(self) -> None:
        self._servers = contextlib.ExitStack()
        self._engines: ForkServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._servers.close()

    def start(self, words: list[str], environment: dict[str, str], folder: Path, log: IO[bytes]) -> Forked:
        if self._engines is None:
            self._folder = self._servers.enter_context(tempfile.TemporaryDirectory())
            self._servers.enter_context(functions.serve(str(LAMBDA_RUNTIME), Path(self._folder)))
            self._engines = self._servers.enter_context(ForkServer(sys.executable, modules=MODULES, services=SERVICES))
        shared = ["--functions", self._folder]
        return self._engines.start([*words, *shared], env=environment, cwd=str(folder), log=log.fileno())


class EngineFailed(Exception):
    """The engine's process did not start, or it refused a request to its control API."""


class Engine:
    """A running engine. Its folder holds the certificate and the log; stop() deletes it.

    preloaded   starts every engine; None: each is started anew
    """

    preloaded: ClassVar[Preloaded | None] = None

    def __init__(self, process: subprocess.Popen[bytes] | Forked, port: int, folder: Path) -> None:
        self._process, self._port, self._folder = process, port, folder
        self.management_account_id = ""
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._tls = ssl.create_default_context(cafile=str(self.certificate))

    @classmethod
    def start(cls, *, speed: float = 100) -> Self:
        """Start the server, and return once it is ready.

        speed     how many seconds of the models' time pass in a second, and how many a function pauses in one
        Raises    EngineFailed with the end of its log
        """
        if not LAMBDA_RUNTIME.exists():
            raise EngineFailed(f"No Python for Lambda functions at {LAMBDA_RUNTIME}; `make test` makes it")
        folder = Path(tempfile.mkdtemp(prefix="landing-zone-"))
        certificate, key = make_certificate(folder)
        port = _free_port()
        words = [*SERVER, "--port", str(port), "--speed", str(speed), "--runtime", str(LAMBDA_RUNTIME)]
        environment = _server_environment(folder, port, certificate, key)
        with (folder / "log").open("wb") as log:
            process: subprocess.Popen[bytes] | Forked
            if cls.preloaded:
                process = cls.preloaded.start(words, environment, folder, log)
            else:
                process = subprocess.Popen(
                    [sys.executable, *words],
                    env=environment,
                    cwd=folder,
                    stdin=subprocess.PIPE,  # its end tells the server that we are gone
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        engine = cls(process, port, folder)
        try:
            engine._wait_until_healthy()
        except BaseException:
            engine.stop()
            raise
        return engine

    def stop(self) -> None:
        with self._process:
            if self._process.poll() is None:
                with contextlib.suppress(ProcessLookupError):  # it does not lead its group yet
                    os.killpg(self._process.pid, signal.SIGKILL)  # the functions' processes too; nothing is to be saved
                self._process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self._port}"

    @property
    def certificate(self) -> Path:
        return self._folder / "certificate.pem"

    def log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")

    def environment(self, account_id: str, region: str = "") -> dict[str, str]:
        """Return an environment that makes the AWS CLI and boto3 this account's root, without the host's variables."""
        region = region or HOME_REGION
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self._folder),
            "LANG": "C.UTF-8",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.certificate),
            "AWS_ACCESS_KEY_ID": account_id,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "NO_PROXY": "*",  # as in landing_zone.isolation
        }

    def session(self, account_id: str, region: str = "") -> boto3.Session:
        """Return a session as this account's root. Its clients need the endpoint too: see client()."""
        return boto3.Session(
            aws_access_key_id=account_id, aws_secret_access_key=SECRET, region_name=region or HOME_REGION
        )

    def client(self, service: str, account_id: str, region: str = "") -> Any:
        """Return the client of this account's root. Each is made once, because that takes longer than most calls."""
        key = (service, account_id, region or HOME_REGION)
        if key not in self._clients:
            self._clients[key] = self.client_of(self.session(account_id, region), service)
        return self._clients[key]

    def client_as(self, service: str, credentials: dict[str, Any], region: str = "") -> Any:
        """Return a client with the Credentials that sts:AssumeRole returned."""
        session = boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=region or HOME_REGION,
        )
        return self.client_of(session, service)

    def client_of(self, session: boto3.Session, service: str) -> Any:
        config = Config(retries={"mode": "standard", "max_attempts": 1}, s3={"addressing_style": "path"})
        return session.client(  # type: ignore[call-overload]  # the service is known at run time only
            service, endpoint_url=self.url, verify=str(self.certificate), config=config
        )

    # What the engine itself can do: see landing_zone.on_ministack.control

    def set_up(self, management_account_id: str, organizational_units: list[dict[str, Any]]) -> dict[str, Any]:
        """Create the landing zone, once per engine. Return organization_id, root_id and organizational_units."""
        made: dict[str, Any] = self.control(
            "set-up",
            management_account_id=management_account_id,
            home_region=HOME_REGION,
            organizational_units=organizational_units,
        )
        self.management_account_id = management_account_id
        return made

    def vend(self, account_id: str, name: str, ou: str, state: str = "SUCCEEDED") -> dict[str, Any]:
        """Create an account in the OU with this name or id, as Account Factory does, or report that it FAILED."""
        return self._told("vend", account_id=account_id, name=name, ou=ou, state=state)

    def update(self, account_id: str, ou: str | None = None, state: str = "SUCCEEDED") -> dict[str, Any]:
        return self._told("update", account_id=account_id, ou=ou, state=state)

    def move(self, account_id: str, to: str) -> dict[str, Any]:
        """Move the account to an OU or the root."""
        return self._told("move", account_id=account_id, to=to)

    def close(self, account_id: str) -> dict[str, Any]:
        return self._told("close", account_id=account_id)

    def emit(self, source: str, detail_type: str, detail: dict[str, Any]) -> None:
        """Send an event of an AWS service in the management account's home Region."""
        self.control("emit", source=source, detail_type=detail_type, detail=detail)

    def make_execution_role(self, account_id: str) -> None:
        """Create AWSControlTowerExecution in the account, as enrollment does."""
        self.control("make-execution-role", account_id=account_id)

    def remove_execution_role(self, account_id: str) -> None:
        """Delete AWSControlTowerExecution. When it is made again it is another role, with another unique id."""
        self.control("remove-execution-role", account_id=account_id)

    def attach_scp(self, target: str, policy: dict[str, Any]) -> str:
        """Attach a service control policy to an account id, the root's id, or an OU's id or name; return its id."""
        return str(self.control("attach-scp", target=target, policy=policy)["policy_id"])

    def detach_scp(self, policy_id: str, target: str) -> None:
        """Detach the policy from its target and delete it."""
        self.control("detach-scp", policy_id=policy_id, target=target)

    def govern(self, regions: list[str]) -> None:
        """Set the Regions that the landing zone governs, as GetLandingZone returns them."""
        self.control("govern", regions=regions)

    def disable_region(self, account_id: str, region: str) -> None:
        """Make the Region one that the account has not enabled: EC2 refuses its credentials there from now on."""
        self.control("disable-region", account_id=account_id, region=region)

    def accounts(self) -> list[Account]:
        accounts: list[Account] = self.control("accounts")
        return accounts

    def advance(self, seconds: float) -> None:
        """Let these seconds pass for IPAM, RAM and EventBridge schedules; schedules that are then due fire.

        Each fires once, at the end, however often it would have fired meanwhile: what it does only at some times, as
        the watch does in the first five minutes of an hour, needs steps as short as its period. Logs and the clocks of
        functions do not move.
        """
        self.control("clock", advance=seconds)

    def set_timings(self, **seconds: float) -> None:
        """Change fields of aws_models.ipam.settings.Timings from now on."""
        self.control("timings", **seconds)

    def fault(self, model: str, fault: str, **arguments: Any) -> None:
        """Order a fault, for example fault("ipam", "fail_next", action="ProvisionIpamPoolCidr", message="no")."""
        self.control("fault", model=model, fault=fault, arguments=arguments)

    def delete_by_hand(self, resource_id: str) -> None:
        self.control("delete-by-hand", resource_id=resource_id)

    def wait_for_stack(self, account_id: str, name: str, seconds: float) -> None:
        """Return when no operation is under way on the stack in the home Region; after these seconds at the latest."""
        self.control("wait-for-stack", account_id=account_id, name=name, seconds=seconds)

    def is_idle(self) -> bool:
        """Return whether no invocation of a function is under way, or waits to be tried again."""
        return bool(self.control("idle")["idle"])

    def used_permissions(self) -> dict[str, list[str]]:
        """Return, by role ARN, the actions that the role has used and was allowed, for example ec2:CreateIpamPool."""
        used: dict[str, list[str]] = self.control("used-permissions")
        return used

    def _told(self, request: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.control(request, **arguments)
        return answer

    def control(self, request: str, **arguments: Any) -> Any:
        """Send a request to the control API and return its answer. Raises EngineFailed if the engine refuses."""
        connection = http.client.HTTPSConnection(HOST, self._port, context=self._tls, timeout=START_S)
        try:
            connection.request("POST", CONTROL + request, json.dumps(arguments))
            response = connection.getresponse()
            content = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise EngineFailed(f"{request}: {content.get('error', content)}")
        return content

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            if self._process.poll() is not None:
                raise EngineFailed(f"ended with {self._process.returncode}:\n{self._log_tail()}")
            try:
                self.control("health")
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise EngineFailed(f"{error} after {START_S} s:\n{self._log_tail()}") from error
            time.sleep(0.05)

    def _log_tail(self) -> str:
        return "\n".join(self.log().splitlines()[-LOG_LINES:])


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Create a self-signed certificate for this machine, and return its path and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())  # a handshake costs a tenth of that with RSA
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address(HOST))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=2))
        .add_extension(hosts, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate_file, key_file


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _server_environment(folder: Path, port: int, certificate: Path, key: Path) -> dict[str, str]:
    """Return the server's whole environment. Its Lambda functions see less."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LANG": "C.UTF-8",
        "NO_PROXY": "*",
        "PYTHONPATH": str(TESTS),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificate),
        "MINISTACK_SSL_KEY": str(key),
        "AWS_CA_BUNDLE": str(certificate),
        "SSL_CERT_FILE": str(certificate),
        "REQUESTS_CA_BUNDLE": str(certificate),
        "AUTH": "true",
        "LOG_LEVEL": "WARNING",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",  # AWS waits one and two minutes
    }
