"""A function with one custom resource, and the CloudFormation that it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from ctipam.cloudformation.custom_resource import CustomResource, Data, Responder
from ctipam.cloudformation.request import ResourceRequest
from landing_zone.clock import ManualClock
from landing_zone.direct import Wire
from landing_zone.direct_stack import Context
from landing_zone.models import Models
from landing_zone.organization import Organization

STACK_ID = "arn:aws:cloudformation:us-east-1:222222222222:stack/networking/11111111-2222-3333-4444-555555555555"
PHYSICAL_ID = "Thing-11111111-2222-3333-4444-555555555555"
URL = "https://answers.example/presigned?signature=secret"
HOUR = 3600.0


class Answering:
    """What CloudFormation's end of the presigned URL does: the statuses of its next answers, or errors."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.next: list[int | Exception] = []

    def connect(self, host: str, **_: Any) -> Answering:
        assert host == "answers.example"
        return self

    def request(self, method: str, target: str, *, body: bytes, headers: dict[str, str]) -> None:
        assert (method, target.partition("&")[0], headers["content-type"]) == ("PUT", "/presigned?signature=secret", "")
        self._now = self.next.pop(0) if self.next else 200
        if isinstance(self._now, Exception):
            raise self._now
        if self._now == 200:
            self.bodies.append(body)

    def getresponse(self) -> Any:
        return type("Response", (), {"status": self._now})

    @property
    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]


class Function:
    """A function with one custom resource, which does what the test says."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.wire = Wire(Models(self.clock, Organization("111111111111", list)))
        self.cloudformation = Answering()
        self.act: Callable[[ResourceRequest], Data] = lambda _: {}
        self.left: Sequence[str] = ()
        ensure, delete = (lambda request: self.act(request)), (lambda request: self._delete(request))
        self.responder = Responder({"Custom::Thing": CustomResource(ensure, delete)})

    def _delete(self, request: ResourceRequest) -> Sequence[str]:
        self.act(request)
        return self.left

    def ask(self, kind: str = "Create", **event: Any) -> dict[str, Any]:
        """The only answer, after as many invocations as it takes."""
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
        """All answers, after as many invocations as it takes."""
        self.cloudformation.bodies.clear()
        self.wire.in_progress[STACK_ID] = f"{request['RequestType'].upper()}_IN_PROGRESS"
        self.wire.invocations[:] = [request]
        while self.wire.invocations:
            self.responder(self.wire.invocations.pop(0), Context(self.clock))
        return self.cloudformation.answers

    def raising(self, error: Exception) -> dict[str, Any]:
        def act(_: ResourceRequest) -> Data:
            raise error

        self.act = act
        return self.ask()
