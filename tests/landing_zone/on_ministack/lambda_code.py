"""Lambda: the interpreter and environment of functions, where their code comes from, and what their roles must allow.

Functions run in ministack's worker processes. Their interpreter has what AWS's runtime has: boto3, and cfnresponse for
code in templates. Nothing of the host's environment reaches them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import tempfile
import zipfile
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4
from weakref import WeakSet

from landing_zone.fork_server import Forked
from landing_zone.functions import Functions
from landing_zone.on_ministack import function_clock
from landing_zone.on_ministack.authorization import RolePermissions
from landing_zone.on_ministack.cloudformation import HandlerFailure, Properties, Provisioned
from landing_zone.on_ministack.internals import (
    app,
    cloudwatch_logs,
    iam_evaluator,
    lambda_runtime,
    lambda_svc,
    provisioners,
    responses,
    s3,
)
from landing_zone.on_ministack.metrics import Metrics

EXECUTION_ROLE = "AWSControlTowerExecution"  # with whose credentials CloudFormation reads code in a StackSet's account
KEPT_VARIABLES = (
    "AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION AWS_ENDPOINT_URL "
    "AWS_CA_BUNDLE SSL_CERT_FILE REQUESTS_CA_BUNDLE AWS_DISABLE_HOST_PREFIX_INJECTION LAMBDA_TASK_ROOT "
    "_LAMBDA_FUNCTION_ARN _LAMBDA_TIMEOUT _LAMBDA_LAYERS_DIRS PATH LANG TZ TMPDIR NO_PROXY".split()
)
END_OF_LOG = f"{uuid4()}\n"  # follows an invocation's log, before its answer; no function can print it
# Runs before ministack's own worker script, which answers through the sys.stdout that it finds. AWS's runtime too gives
# the root logger a handler, which writes JSON with the fields of `extra` beside the message, from INFO on, for
# functions with LogFormat JSON. That is each of ours.
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
PRELUDE = f"""
import json, logging, os, sys
sys.dont_write_bytecode = False
for name in list(os.environ):
    if name not in {KEPT_VARIABLES!r} and not name.startswith("AWS_LAMBDA_"):
        del os.environ[name]
class ToStandardError(logging.StreamHandler):
    def __init__(self):
        super().__init__(sys.stderr)
class ToJson(logging.Formatter):
    usual = {{*logging.makeLogRecord({{}}).__dict__, "message", "asctime"}}
    def format(self, record):
        own = {{"level": record.levelname, "message": record.getMessage(), "logger": record.name}}
        if record.exc_info:
            own["stackTrace"] = self.formatException(record.exc_info).splitlines()
        extra = {{key: value for key, value in record.__dict__.items() if key not in self.usual}}
        return json.dumps({{**extra, **own}})
logging.getLogger().addHandler(ToStandardError())
logging.getLogger().handlers[0].setFormatter(ToJson())
logging.getLogger().setLevel(logging.INFO)
class Answers:
    def __init__(self, stream):
        self.stream, self.flush, self.log = stream, stream.flush, sys.stderr
    def write(self, answer):
        if json.loads(answer)["status"] != "ready":
            print({END_OF_LOG!r}, end="", file=self.log, flush=True)
        self.stream.write(answer)
sys.stdout = Answers(sys.stdout)
"""


def install(functions: Functions, speed: float, roles: RolePermissions, metrics: Metrics) -> None:
    """Replace ministack's runtime, code download and permissions.

    speed   how many seconds a function pauses in one
    """
    detect = lambda_runtime._detect_runtime_binary
    prelude = PRELUDE + function_clock.prelude(speed)

    def detect_runtime_binary(name: str) -> tuple[str, str]:
        if not name.startswith("python"):
            raise NotImplementedError(f"A function of another runtime than Python's: {name}")
        return functions.interpreter, prelude + detect(name)[1]

    lambda_runtime._detect_runtime_binary = detect_runtime_binary
    lambda_runtime.Worker._read_stderr = _read_log
    lambda_runtime.Worker._drain_stderr = lambda_runtime.Worker._drain_stderr_bounded = _whole_log
    lambda_runtime.subprocess = WorkerProcesses(functions)
    lambda_runtime.zipfile = SimpleNamespace(**vars(zipfile) | {"ZipFile": partial(SharedCode, functions.code)})
    _read_code_of_other_accounts()
    _ask_the_role(roles, metrics)
    _count_asynchronous_invocations()


def _read_log(worker: Any) -> None:
    """Take over what a worker's process logs, in a thread of its own, until the process ends."""
    lines = worker._stderr_queue
    try:
        for line in worker._proc.stderr:
            text, end, _ = line.partition(END_OF_LOG)
            lines.put(text)
            if end:
                lines.put(end)
    finally:
        lines.put(END_OF_LOG)


def _whole_log(worker: Any) -> str:
    """Return what an invocation logged, when all of it is there.

    ministack waits 50 ms for it. What comes later on a busy machine, it takes for the log of the next invocation.
    """
    return "".join(iter(worker._stderr_queue.get, END_OF_LOG)).removesuffix("\n")


class SharedCode(zipfile.ZipFile):
    """A function's zip. All functions with the same code read it in one folder, where Python keeps it compiled.

    folder   for those of all zips; engines may share it
    """

    def __init__(self, folder: Path, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._folder = folder

    def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
        code = self._folder / hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        if not code.exists():
            extracted = tempfile.mkdtemp(dir=self._folder)
            super().extractall(extracted, members, pwd)
            with contextlib.suppress(OSError):  # another engine, or another function's start, was faster
                Path(extracted).rename(code)
        Path(path).rmdir()
        Path(path).symlink_to(code)


class WorkerProcesses:
    """The module subprocess, for ministack's workers: they find boto3 imported, which takes longest."""

    PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL

    def __init__(self, functions: Functions) -> None:
        self._server = functions.server

    def Popen(self, command: list[str], **options: Any) -> Forked:  # noqa: N802 - its name there
        return self._server.start(command[1:], env=options["env"], cwd=options["cwd"])


def _read_code_of_other_accounts() -> None:
    # ministack looks for a bucket only in the function's own account, and runs a mock if there is no code.
    fetch, region_message = lambda_svc._fetch_code_from_s3, lambda_svc.s3_code_region_message

    def fetch_code_from_s3(bucket: str, key: str, version_id: str | None = None) -> bytes | None:
        owner = s3._bucket_owner_account(bucket)
        if owner is None or _refusal(bucket, key, owner):
            return None
        with responses.request_scope(owner, responses.get_region()):
            code: bytes | None = fetch(bucket, key, version_id=version_id)
            return code

    def s3_code_region_message(bucket: str, layer: bool = False) -> Any:
        region, owner = responses.get_region(), s3._bucket_owner_account(bucket)
        with responses.request_scope(owner or responses.get_account_id(), region):
            return region_message(bucket, layer)

    lambda_svc._fetch_code_from_s3 = fetch_code_from_s3
    lambda_svc.s3_code_region_message = s3_code_region_message
    own = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    function = FunctionType(own)
    provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"] = own | {
        "create": function.create,
        "update": function.update,
    }


class FunctionType:
    """ministack's AWS::Lambda::Function, after a check that its code can be read."""

    def __init__(self, own: dict[str, Any]) -> None:
        self._create, self._update = own["create"], own["update"]

    def create(self, logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        _require_code(properties.get("Code", {}))
        created: Provisioned = self._create(logical_id, properties, stack_name)
        return created

    def update(
        self, name: str, old: Properties, new: Properties, stack: str, logical_id: str | None = None
    ) -> Provisioned:
        if new.get("Code") != old.get("Code"):
            _require_code(new.get("Code", {}))
        updated: Provisioned = self._update(name, old, new, stack, logical_id)
        return updated


def _require_code(code: dict[str, Any]) -> None:
    if "S3Bucket" not in code:
        return
    bucket, key = code["S3Bucket"], code.get("S3Key", "")
    owner = s3._bucket_owner_account(bucket)
    if owner is None:
        raise _unreadable("NoSuchBucket", "The specified bucket does not exist")
    if refusal := _refusal(bucket, key, owner):
        raise HandlerFailure(refusal, "AccessDenied")
    if lambda_svc._fetch_code_from_s3(bucket, key, version_id=code.get("S3ObjectVersion")) is None:
        raise _unreadable("NoSuchKey", "The specified key does not exist.")


def _unreadable(code: str, message: str) -> HandlerFailure:
    return HandlerFailure(
        f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}", "InvalidRequest"
    )


def _refusal(bucket: str, key: str, owner: str) -> str:
    """Return why this account's execution role may not read the object, in AWS's words; an empty text if it may."""
    account_id = responses.get_account_id()
    if owner == account_id or not app.AUTH:
        return ""
    reader = f"arn:aws:iam::{account_id}:role/{EXECUTION_ROLE}"
    context = iam_evaluator.EvalContext(
        principal_arn=reader,
        principal_type="AssumedRole",
        principal_account=account_id,
        action="s3:GetObject",
        resource_arn=f"arn:aws:s3:::{bucket}/{key}",
        region=responses.get_region(),
        secure_transport=True,
    )
    policy = s3._bucket_policies.get_scoped(owner, None, bucket)
    identity = iam_evaluator.evaluate(context, iam_evaluator._gather_role_policies(EXECUTION_ROLE, account_id))
    resource = iam_evaluator.evaluate_resource_policy(policy, context)
    if identity.decision == resource.decision == "Allow":
        return ""
    return (
        "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for "
        f"{bucket}/{key}. S3 Error Code: AccessDenied. S3 Error Message: User: {reader} is not authorized to perform: "
        f's3:GetObject on resource: "arn:aws:s3:::{bucket}/{key}" because no resource-based policy allows the '
        "s3:GetObject action"
    )


def _ask_the_role(roles: RolePermissions, metrics: Metrics) -> None:
    # ministack writes a function's logs, into a log group that it makes if need be, and delivers its failures, whatever
    # the function's role allows.
    emit, route = lambda_svc._emit_lambda_logs, lambda_svc._route_async_failure

    def emit_lambda_logs(
        function: dict[str, Any], request_id: str, text: str, failed: bool, *rest: Any, **named: Any
    ) -> None:
        config = function.get("config") or function
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
        stream = f"arn:aws:logs:{responses.get_region()}:{responses.get_account_id()}:log-group:{group}:log-stream:*"
        groups = cloudwatch_logs._log_groups
        existing = groups.get(group)
        acts = ["CreateLogStream", "PutLogEvents", *(["CreateLogGroup"] if existing is None else [])]
        if all(roles.allow(config["Role"], f"logs:{act}", stream) for act in acts):
            emit(function, request_id, text, failed, *rest, **named)
            if existing is not None and groups.get(group) is not existing:  # deleted meanwhile, and so made again
                groups.pop(group, None)
            lines = (text or "").splitlines()
        else:
            lines = []
        metrics.function_ran(config["FunctionName"], failed, lines)

    def route_async_failure(target: str, name: str, event: Any, result: Any) -> None:
        action = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}.get(
            target.split(":")[2], "events:PutEvents"
        )
        if roles.allow(lambda_svc._functions[name]["config"]["Role"], action, target):
            route(target, name, event, result)

    lambda_svc._emit_lambda_logs = emit_lambda_logs
    lambda_svc._route_async_failure = route_async_failure


class Asynchronous:
    """An asynchronous invocation. The thread that runs it is the last to let go of this."""


_asynchronous: WeakSet[Asynchronous] = WeakSet()
_of_this_thread: ContextVar[Asynchronous | None] = ContextVar("asynchronous", default=None)


def _count_asynchronous_invocations() -> None:
    begin = lambda_svc.invoke_async_with_retry

    def invoke_async_with_retry(function: dict[str, Any], event: Any) -> None:
        invocation = Asynchronous()
        _asynchronous.add(invocation)
        before = _of_this_thread.set(invocation)
        begin(function, event)  # in a thread, which has a copy of this context
        _of_this_thread.reset(before)

    lambda_svc.invoke_async_with_retry = invoke_async_with_retry


def is_idle() -> bool:
    """Return whether no invocation is under way, has yet to begin, or waits to be tried again."""
    return not (_asynchronous or lambda_svc._inflight_total)


def invoke_later(function_arn: str, payload: str) -> bool:
    """Invoke as AWS services do: asynchronously, with retries, then the failure destination.

    Returns False if there is no such function.
    """
    function, config, _ = lambda_svc._get_func_record_for_ref(function_arn)
    if not function or not config:
        return False
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), json.loads(payload))
    return True
