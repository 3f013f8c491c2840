"""The models without HTTP: an account as `ctipam.sessions` has it, whose clients ask the models themselves.

For tests and measurements that make very many calls. What goes over the wire is not looked at here; the tests on moto
and on the engine do that. Every call passes a Wire, which counts it, lets time pass for it, and can end the function.

    wire = Wire(models)
    account = DirectAccount(wire, "222222222222", "us-east-1")
    account.ec2("us-west-2").create_ipam_pool(...)
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

import botocore.session
from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from aws_models.errors import AwsError
from aws_models.models import Models
from aws_models.organization import Caller
from landing_zone.subjects import check_subject

Result = TypeVar("Result")

REGIONS = frozenset(
    "us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 eu-north-1 "
    "ap-northeast-1 ap-southeast-1 ap-southeast-2 ap-south-1 sa-east-1".split()
)


class Killed(BaseException):
    """Lambda has ended the function: no code of ours can catch it."""


class Wire:
    """What lies between a function and AWS.

    reads_s, changes_s   seconds that a call takes; a change happens when half of them have passed
    lists_late_s         for how long DescribeIpamPools leaves out a new pool
    counted, actions     calls by action, and in their order
    in_progress          stack id -> status that its present operation gives it
    stacks               stack id -> what else DescribeStacks answers, or answers instead: {"StackStatus", "Tags", ...}
    published            what was published to SNS topics
    unusable             Region -> what every call in it is answered, as by a service control policy
    refuse(action, ...)  answer the next call of that action with this error, AWS's or one of the way there
    kill(at, after)      end the function at its at-th call from now on (of that action, if one is named), before the
                         call reaches AWS or after AWS did it
    """

    def __init__(self, models: Models, *, reads_s: float = 0.0, changes_s: float = 0.0) -> None:
        self.models = models
        self.lists_late_s = 0.0
        self.made_at: dict[str, float] = {}  # pool id -> when
        self.counted: Counter[str] = Counter()
        self.actions: list[str] = []
        self.in_progress: dict[str, str] = {}
        self.stacks: dict[str, dict[str, Any]] = {}
        self.published: list[dict[str, str]] = []
        self.unusable: dict[str, AwsError] = {}
        self.invocations: list[dict[str, Any]] = []  # events with which the function has invoked itself
        self._refusals: dict[str, AwsError | BotoCoreError] = {}
        self._seconds = {True: reads_s, False: changes_s}
        self._kill = ("", 0, False)
        self._dead = False

    def refuse(self, action: str, error: AwsError | BotoCoreError) -> None:
        self._refusals[action] = error

    def kill(self, at: int, *, after: bool, action: str = "") -> None:
        self._kill = (action, self._count(action) + at, after)

    def _count(self, action: str) -> int:
        return self.counted[action] if action else self.counted.total()

    def describe_stack(self, stack_id: str) -> dict[str, Any]:
        if stack_id not in self.in_progress.keys() | self.stacks.keys():
            raise AwsError("ValidationError", f"Stack with id {stack_id} does not exist")
        status = self.in_progress.get(stack_id, "CREATE_COMPLETE")
        return {"StackId": stack_id, "StackStatus": status, "Tags": []} | self.stacks.get(stack_id, {})

    def revive(self) -> None:
        """The next invocation begins."""
        self._dead = False

    def carry(self, action: str, act: Callable[[], Result], caller: Caller) -> Result:
        if self._dead:
            raise Killed
        self.counted[action] += 1
        self.actions.append(action)
        named, number, after = self._kill
        self._dead = named in ("", action) and number == self._count(named)
        if self._dead and not after:
            raise Killed
        half = self._seconds[action.startswith(("Describe", "Get"))] / 2
        self.models.clock.advance(half)
        try:
            if caller.region in self.unusable:
                raise self.unusable[caller.region]
            if action in self._refusals:
                raise self._refusals.pop(action)
            result = act()
        except AwsError as error:
            self.models.clock.advance(half)
            where = {"Region": caller.region, "AccountId": caller.account_id}
            answer: Any = {"Error": {"Code": error.code, "Message": error.message}, "Ctipam": where}
            raise ClientError(answer, action) from error
        self.models.clock.advance(half)
        if self._dead:
            raise Killed
        return result


class DirectAccount:
    """As ctipam.sessions.Account."""

    partition = "aws"

    def __init__(self, wire: Wire, account_id: str, region: str) -> None:
        self.region = region
        self.account_id = account_id
        self._wire = wire
        self._caller = Caller(account_id, region)

    def known_regions(self) -> frozenset[str]:
        return REGIONS

    def ec2(self, region: str | None = None) -> DirectEc2:
        return DirectEc2(self._wire, Caller(self.account_id, region or self.region))

    def lambda_client(self) -> DirectFunctions:
        return DirectFunctions(self._wire, self._caller)

    def cloudformation(self) -> DirectStacks:
        return DirectStacks(self._wire, self._caller)

    def sns(self) -> DirectTopics:
        return DirectTopics(self._wire, self._caller)


class DirectClient:
    """What the clients of an account have in common."""

    def __init__(self, wire: Wire, caller: Caller) -> None:
        self._wire = wire
        self._caller = caller


class DirectEc2(DirectClient):
    """As boto3's client, for IPAM's actions and for the tags of what is IPAM's."""

    def __getattr__(self, method: str) -> Callable[..., dict[str, Any]]:
        if method not in _actions():
            raise AttributeError(method)
        return lambda **params: self._ask(_actions()[method], params)

    def _ask(self, action: str, params: dict[str, Any]) -> dict[str, Any]:
        return self._wire.carry(action, lambda: self._answer(action, params), self._caller)

    def _answer(self, action: str, params: dict[str, Any]) -> dict[str, Any]:
        answer = self._wire.models.ipam.call(action, params, self._caller)
        now, made_at = self._wire.models.clock.now(), self._wire.made_at
        if action == "CreateIpamPool":
            made_at.setdefault(answer["IpamPool"]["IpamPoolId"], now)
        if action == "DescribeIpamPools":
            late = {pool_id for pool_id, made in made_at.items() if now < made + self._wire.lists_late_s}
            answer["IpamPools"] = [pool for pool in answer["IpamPools"] if pool["IpamPoolId"] not in late]
        return answer

    def get_paginator(self, method: str) -> DirectPaginator:
        return DirectPaginator(getattr(self, method))

    def create_tags(self, Resources: list[str], Tags: list[dict[str, str]]) -> None:  # noqa: N803 - boto3's names
        def act() -> None:
            for resource_id in Resources:
                tags = {tag["Key"]: tag["Value"] for tag in Tags}
                self._wire.models.ipam.tag(resource_id, tags, self._caller)

        self._wire.carry("CreateTags", act, self._caller)

    def delete_tags(self, Resources: list[str], Tags: list[dict[str, str]]) -> None:  # noqa: N803 - boto3's names
        def act() -> None:
            for resource_id in Resources:
                self._wire.models.ipam.untag(resource_id, [tag["Key"] for tag in Tags], self._caller)

        self._wire.carry("DeleteTags", act, self._caller)


class DirectPaginator:
    def __init__(self, ask: Callable[..., dict[str, Any]]) -> None:
        self._ask = ask

    def paginate(self, PaginationConfig: Any = None, **params: Any) -> Iterator[dict[str, Any]]:  # noqa: N803 - boto3's
        page_size = (PaginationConfig or {}).get("PageSize")
        params |= {"MaxResults": page_size} if page_size else {}
        answer = self._ask(**params)
        yield answer
        while token := answer.get("NextToken"):
            answer = self._ask(**params, NextToken=token)
            yield answer


class DirectFunctions(DirectClient):
    """Lambda's Invoke, as a function asks for its next invocation."""

    def invoke(self, *, FunctionName: str, InvocationType: str, Payload: bytes) -> None:  # noqa: N803 - boto3's names
        assert InvocationType == "Event"
        self._wire.carry("Invoke", lambda: self._wire.invocations.append(json.loads(Payload)), self._caller)


class DirectStacks(DirectClient):
    """CloudFormation's DescribeStacks, answered from what the Wire says of stacks."""

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return self._wire.carry(
            "DescribeStacks", lambda: {"Stacks": [self._wire.describe_stack(StackName)]}, self._caller
        )


class DirectTopics(DirectClient):
    """SNS's Publish."""

    def publish(self, **message: str) -> None:
        def publish() -> None:
            check_subject(message["Subject"])
            self._wire.published.append(message)

        self._wire.carry("Publish", publish, self._caller)


class SideBySide:
    """As ThreadPoolExecutor: its workers take the items in turn, each worker in its own time, on a clock that moves.

    One thread plays all workers, an item from its begin to its end, so the clock is set back for the next. What is left
    out: that one item sees what another has done while it itself waits for an answer.
    """

    def __init__(self, clock: Any, workers: int) -> None:
        self._clock = clock
        self._workers = workers

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, act: Callable[..., Result], *items: Iterable[Any]) -> list[Result]:
        free_at = list(itertools.repeat(self._clock.now(), self._workers))
        results = []
        for arguments in zip(*items, strict=True):
            worker = free_at.index(min(free_at))
            self._clock.advance(free_at[worker] - self._clock.now())
            results.append(act(*arguments))
            free_at[worker] = self._clock.now()
        self._clock.advance(max(free_at) - self._clock.now())
        return results


@cache
def _actions() -> dict[str, str]:
    """boto3's names of EC2's actions."""
    model = botocore.session.get_session().get_service_model("ec2")
    return {xform_name(name): name for name in model.operation_names}
