"""Runs a function with one custom resource, and receives its responses in the place of CloudFormation."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from aws_models.clock import ManualClock
from aws_models.models import Models
from aws_models.organization import Organization
from ctipam.cloudformation.custom_resource import ATTEMPTS, CustomResource, Data, Responder
from ctipam.cloudformation.request import ResourceRequest
from landing_zone.direct import Wire
from landing_zone.direct_stack import Context

STACK_ID = "arn:aws:cloudformation:us-east-1:222222222222:stack/networking/11111111-2222-3333-4444-555555555555"
PHYSICAL_ID = "Thing-11111111-2222-3333-4444-555555555555"
URL = "https://answers.example/presigned?signature=secret"
HOUR = 3600.0


class ResponseServer:
    """The server of the presigned URL. next has the status, or the error, of each next request."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.next: list[int | Exception] = []

    def connect(self, host: str, *, timeout: float) -> ResponseServer:
        assert host == "answers.example"
        assert timeout * ATTEMPTS < 60
        return self

    def request(self, method: str, target: str, *, body: bytes, headers: dict[str, str]) -> None:
        assert (method, target.partition("&")[0], headers["content-type"]) == ("PUT", "/presigned?signature=secret", "")
        self._status = self.next.pop(0) if self.next else 200
        if isinstance(self._status, Exception):
            raise self._status
        if self._status == 200:
            self.bodies.append(body)

    def getresponse(self) -> Any:
        return type("Response", (), {"status": self._status})

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


def _fail(_request: ResourceRequest, error: Exception) -> Data:
    raise error


class Function:
    """A function with one custom resource, whose work the test defines: `act` runs, `left` is left behind."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.wire = Wire(Models(self.clock, Organization("111111111111", list)))
        self.cloudformation = ResponseServer()
        self.act: Callable[[ResourceRequest], Data] = lambda _: {}
        self.left: Sequence[str] = ()
        ensure, delete = (lambda request: self.act(request)), (lambda request: self._delete(request))
        self.responder = Responder({"Custom::Thing": CustomResource(ensure, delete, _fail)})

    def _delete(self, request: ResourceRequest) -> Sequence[str]:
        self.act(request)
        return self.left

    def ask(self, kind: str = "Create", **event: Any) -> dict[str, Any]:
        """Send a request, run all invocations that it needs, and return the only response."""
        (answer,) = self.send(self.request(kind) | event)
        return answer

    def request(self, kind: str = "Create") -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": URL,
            "StackId": STACK_ID,
            "RequestId": "request-1",
            "ResourceType": "Custom::Thing",
            "LogicalResourceId": "Thing",
            "ResourceProperties": {},
        }

    def send(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        """Run all invocations that a request needs, and return all responses."""
        self.cloudformation.bodies.clear()
        self.wire.in_progress[STACK_ID] = f"{request['RequestType'].upper()}_IN_PROGRESS"
        self.wire.invocations[:] = [request]
        while self.wire.invocations:
            self.responder(self.wire.invocations.pop(0), Context(self.clock))
        return self.cloudformation.answers

    def raising(self, error: Exception) -> dict[str, Any]:
        """Return the response to a Create whose work raises the error."""

        def act(_: ResourceRequest) -> Data:
            raise error

        self.act = act
        return self.ask()
