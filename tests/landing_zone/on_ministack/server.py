"""The engine's process, which landing_zone.engine starts.

Serves HTTPS on 127.0.0.1 and nothing else: no Docker, no other listener, no file outside its temporary folder.
ministack reads its settings from the environment, which the starter makes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from aws_models.clock import RunningClock
from aws_models.models import Models
from aws_models.organization import Organization
from aws_models.protocol import HttpAnswer
from landing_zone import quick_botocore
from landing_zone.functions import Functions
from landing_zone.on_ministack import (
    authorization,
    change_sets,
    cloudformation,
    events,
    lambda_code,
    query_definitions,
    s3,
    service_control,
    stack_operations,
    stack_sets,
    templates,
    topics,
)
from landing_zone.on_ministack.authorization import RolePermissions, UsedPermissions
from landing_zone.on_ministack.control import Control
from landing_zone.on_ministack.control_tower import ControlTower
from landing_zone.on_ministack.control_tower_api import ControlTowerApi
from landing_zone.on_ministack.ec2 import Ec2, Handler
from landing_zone.on_ministack.engine_time import Time
from landing_zone.on_ministack.internals import app, container_reaper, organizations, responses, router
from landing_zone.on_ministack.metrics import Metrics
from landing_zone.on_ministack.organizations import Organizations
from landing_zone.on_ministack.ram import Ram
from landing_zone.on_ministack.role_principals import RolePrincipals
from landing_zone.on_ministack.service_control import ServiceControlPolicies
from landing_zone.on_ministack.stack_set_api import StackSetApi

UNSET = "000000000000"  # the management account's id, until the landing zone is set up


def install(models: Models, functions: Functions, speed: float) -> Control:
    """Plug the models into ministack in this process, and return the application to serve.

    speed   of the clock of the models and of functions that sleep
    """
    used, clock, tower = UsedPermissions(), Time(), ControlTower(models)
    metrics = Metrics(clock)
    ec2 = Ec2(models, app.SERVICE_HANDLERS["ec2"])
    app.SERVICE_HANDLERS["ec2"] = _without_request_id(ec2.handle_request)
    app.SERVICE_HANDLERS["ram"] = _without_request_id(Ram(models).handle_request)
    app.SERVICE_HANDLERS["controltower"] = _without_request_id(ControlTowerApi(models).handle_request)
    app.SERVICE_HANDLERS["s3"] = s3.hide_missing_keys(app.SERVICE_HANDLERS["s3"])
    rest = app.SERVICE_HANDLERS["organizations"]
    app.SERVICE_HANDLERS["organizations"] = Organizations(
        models, rest, tower.organization_changed, tower.membership_changed
    ).handle_request
    _route("ram", "controltower")
    policies = ServiceControlPolicies(models.organization)
    service_control.install(policies)  # first: what it denies, a role has not used
    authorization.install(models.organization, used, lambda service, params: service == "ec2" and ec2.answers(params))
    stack_operations.install()
    change_sets.install()
    cloudformation.install(models)
    query_definitions.install()
    templates.install()
    RolePrincipals().install()
    StackSetApi(stack_sets.install()).install()
    topics.install()
    lambda_code.install(functions, speed, RolePermissions(used, policies), metrics)
    events.install(clock, metrics)
    metrics.install()
    _leave_docker_alone()
    return Control(models, tower, policies, clock, metrics, used, app.app)


def _without_request_id(handle: Handler) -> Handler:
    """Return the handler without its request id: ministack adds its own to every answer."""

    async def handler(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> HttpAnswer:
        status, answered, content = await handle(method, path, headers, body, query)
        kept = {name: value for name, value in answered.items() if name.lower() != "x-amzn-requestid"}
        return status, kept, content

    return handler


def members(organization: Organization) -> list[str]:
    with responses.request_scope(organization.management_account_id, responses.get_region()):
        return list(organizations._accounts)


def path_of(organization: Organization, account_id: str) -> str:
    with responses.request_scope(organization.management_account_id, responses.get_region()):
        _account, *units = service_control.path(account_id)
    return "/".join([organization.organization_id, *reversed(units), ""])


def _route(*services: str) -> None:
    """Route requests that are signed for these services, which ministack does not know."""
    detect = router.detect_service

    def detect_service(method: str, path: str, headers: dict[str, str], params: dict[str, list[str]]) -> str:
        signed = headers.get("authorization", "")
        ours = next((service for service in services if f"/{service}/aws4_request" in signed), "")
        return ours or str(detect(method, path, headers, params))

    router.detect_service = app.detect_service = detect_service
    # Whatever a request is signed for is a service of AWS: only AWS's clients ask. To tell, ministack would read
    # botocore's models of all services, which takes longer than a deployment.
    router._is_aws_service_name = lambda _name: True


def _leave_docker_alone() -> None:
    def nothing(*_arguments: Any, **_named: Any) -> None:
        return None

    container_reaper.start = nothing
    app._stop_docker_containers = nothing
    app._docker_socket_present = nothing


async def serve(application: Control, port: int) -> None:
    from hypercorn.asyncio import serve as hypercorn
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.certfile, config.keyfile = os.environ["MINISTACK_SSL_CERT"], os.environ["MINISTACK_SSL_KEY"]
    config.keep_alive_timeout = 75
    config.loglevel = app.LOG_LEVEL
    config.errorlog = None if app.LOG_LEVEL == "ERROR" else "-"
    _end_with_the_starter()
    await hypercorn(application, config)  # type: ignore[arg-type]  # ASGI, in other words


def _end_with_the_starter() -> None:
    """Remove the folder and kill this process and the Lambda functions' when the starter ends, however it ends.

    Standard input is a pipe of the starter that ends with it. This process leads the group of all of them.
    """
    folder = Path.cwd()

    def watch() -> None:
        sys.stdin.buffer.read()
        shutil.rmtree(folder, ignore_errors=True)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--runtime", default=sys.executable, help="Python interpreter for Lambda functions")
    parser.add_argument("--functions", type=Path, help="folder of functions that several engines share")
    parser.add_argument("--speed", type=float, default=1.0, help="of the clock of the models and functions")
    arguments = parser.parse_args()
    if os.getpgrp() != os.getpid():
        os.setsid()
    # Functions run with this process's environment around them.
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"):
        os.environ.pop(name, None)
    organization = Organization(UNSET, lambda: members(organization))
    organization.path_of = lambda account_id: path_of(organization, account_id)
    quick_botocore.install()
    models = Models(RunningClock(arguments.speed), organization)
    if arguments.functions:
        functions = Functions.shared(arguments.runtime, arguments.functions)
    else:
        functions = Functions.own(arguments.runtime)
    application = install(models, functions, arguments.speed)
    gc.freeze()  # modules live as long as this process; not to look at them again saves a tenth of its time
    gc.enable()  # see __main__
    asyncio.run(serve(application, arguments.port))
