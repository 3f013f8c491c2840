"""The engine's control API for tests: JSON POSTed to /_landing-zone/<request> on loopback, without credentials.

A request is a JSON object of the arguments; the answer is a JSON object, or {"error": ...} with status 400.

    health            whether the engine runs
    set-up            ControlTower.set_up
    vend, update, move, close, emit      the methods of ControlTower
    make-execution-role, remove-execution-role      {"account_id": ...}: AWSControlTowerExecution
    attach-scp        {"target": ..., "policy": {...}}: attach a service control policy; returns policy_id. The
                      target is an account id, the root's id, or an OU's id or name
    detach-scp        {"target": ..., "policy_id": ...}: detach it and delete it
    govern            {"regions": [...]}: the landing zone governs these Regions
    disable-region    {"account_id": ..., "region": ...}: EC2 refuses the account's credentials there from now on
    accounts          every account of the organization: id, name, status, parent_id
    clock             {"advance": seconds}: for the models, for EventBridge's schedules, which then fire, and for
                      CloudWatch: queues then publish their length, and alarms are evaluated
    timings           {"provision": 5}: any of aws_models.ipam.settings.Timings
    fault             {"model": "ipam", "fault": "fail_next", "arguments": {...}}; an "error" in the arguments is
                      {"code", "message", "status"}. See aws_models.ipam.faults and aws_models.ram.faults
    delete-by-hand    {"resource_id": ...}: an operator deletes an IPAM or a pool
    wait-for-stack    {"account_id": ..., "name": ..., "seconds": 5}: answers when no operation is under way on the
                      stack in the home Region, and after these seconds at the latest
    idle              whether no invocation is under way or will be tried again: {"idle": true}
    used-permissions  by role ARN, the actions that the role has used and was allowed
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller
from landing_zone.on_ministack import events, lambda_code
from landing_zone.on_ministack.authorization import UsedPermissions
from landing_zone.on_ministack.control_tower import ControlTower
from landing_zone.on_ministack.engine_time import Time
from landing_zone.on_ministack.internals import cloudformation, organizations, responses
from landing_zone.on_ministack.metrics import Metrics
from landing_zone.on_ministack.service_control import ServiceControlPolicies

PREFIX = "/_landing-zone/"
LOOK_EVERY_S = 0.05
CLOUDFORMATION_RESPONSE = "/_ministack/cfn-response/"

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Control:
    """The ASGI application that answers control requests and passes the rest to ministack."""

    def __init__(
        self,
        models: Models,
        tower: ControlTower,
        policies: ServiceControlPolicies,
        clock: Time,
        metrics: Metrics,
        used: UsedPermissions,
        application: App,
    ) -> None:
        self._models, self._time, self._used, self._application = models, clock, used, application
        self._tower, self._policies, self._metrics = tower, policies, metrics
        self._requests: dict[str, Callable[..., Any]] = {
            "health": lambda: {"status": "ok"},
            "set-up": tower.set_up,
            "vend": tower.vend,
            "update": tower.update,
            "move": tower.move,
            "close": tower.close,
            "emit": tower.emit,
            "make-execution-role": tower.make_execution_role,
            "remove-execution-role": tower.remove_execution_role,
            "attach-scp": self._attach_scp,
            "detach-scp": self._detach_scp,
            "govern": self._govern,
            "disable-region": self._disable_region,
            "accounts": self._accounts,
            "clock": self._advance,
            "timings": self._set_timings,
            "fault": self._wish_fault,
            "delete-by-hand": models.ipam.delete_by_hand,
            "wait-for-stack": self._wait_for_stack,
            "idle": lambda: {"idle": lambda_code.is_idle()},
            "used-permissions": used.by_role,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] == "http" and path.startswith(PREFIX):
            await _answer(send, *await self._handle(path.removeprefix(PREFIX), await _read(receive)))
        elif path.startswith(CLOUDFORMATION_RESPONSE) and _content_type(scope):
            # The response URL is signed for an empty Content-Type.
            await _answer(send, 403, {"error": "SignatureDoesNotMatch"})
        else:
            await self._application(scope, receive, send)

    async def _handle(self, request: str, body: bytes) -> tuple[int, Any]:
        try:
            answer = self._requests[request](**json.loads(body or b"{}"))
            if inspect.isawaitable(answer):
                answer = await answer
        except Exception as error:  # the asker is a test, and wants to read whatever went wrong
            return 400, {"error": f"{type(error).__name__}: {error}"}
        return 200, {} if answer is None else answer

    def _accounts(self) -> list[dict[str, str]]:
        with responses.request_scope(self._models.organization.management_account_id, responses.get_region()):
            return [
                {"id": one["Id"], "name": one["Name"], "status": one["Status"], "parent_id": one["_ParentId"]}
                for one in organizations._accounts.values()
            ]

    def _attach_scp(self, target: str, policy: dict[str, Any]) -> dict[str, str]:
        return {"policy_id": self._policies.attach(self._target(target), policy)}

    def _detach_scp(self, policy_id: str, target: str) -> None:
        self._policies.detach(policy_id, self._target(target))

    def _target(self, target: str) -> str:
        """Return the id of a root, account or OU, which may be given by its name."""
        known = target.startswith("r-") or self._models.organization.is_member(target)
        return target if known else self._tower.find_ou(target)[0]

    def _govern(self, regions: list[str]) -> None:
        self._models.organization.governed_regions = regions

    def _disable_region(self, account_id: str, region: str) -> None:
        self._models.organization.disabled_regions.add(Caller(account_id, region))

    def _advance(self, advance: float) -> dict[str, float]:
        events.run_schedules()  # ministack counts a rule's time from when it first looks at it, AWS from its creation
        self._models.clock.advance(advance)
        self._time.advance(advance)
        events.run_schedules()
        self._metrics.publish_queues()
        return {"now": self._models.clock.now()}

    async def _wait_for_stack(self, account_id: str, name: str, seconds: float) -> None:
        def status() -> str:
            with responses.request_scope(account_id, self._models.organization.home_region):
                return str((cloudformation._stacks.get(name) or {}).get("StackStatus", ""))

        deadline = time.monotonic() + seconds
        while status().endswith("_IN_PROGRESS") and time.monotonic() < deadline:
            await asyncio.sleep(LOOK_EVERY_S)

    def _set_timings(self, **seconds: float) -> None:
        store = self._models.ipam._store
        store.timings = replace(store.timings, **seconds)

    def _wish_fault(self, model: str, fault: str, arguments: dict[str, Any]) -> None:
        if "error" in arguments:
            arguments = arguments | {"error": AwsError(**arguments["error"])}
        faults = {"ipam": self._models.ipam.faults, "ram": self._models.ram.faults}
        getattr(faults[model], fault)(**arguments)


def _content_type(scope: Scope) -> bytes:
    headers: dict[bytes, bytes] = dict(scope.get("headers", []))
    return headers.get(b"content-type", b"")


async def _read(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _answer(send: Send, status: int, content: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})
