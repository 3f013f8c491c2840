"""AWS as statements see it: clients of each account, time, and refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError

from aws_models.contract.guard import Guard

Found = TypeVar("Found")

# What boto3 retries is AWS's business here too, but a run must not fail for a throttled call.
PATIENT = Config(retries={"mode": "standard", "max_attempts": 8})
BUSY = "ConcurrentMutationLimitExceeded"
SETTLED_S = 300.0  # the longest that a mutation of a pool is waited for


class Session(Protocol):
    """The part of boto3.Session that is used."""

    region_name: str

    def client(self, service_name: str, *, region_name: str, config: Config) -> Any: ...


class Differs(Exception):
    """AWS does something else than the statement says."""


class Unsettled(Exception):
    """The statement cannot be tried here."""


class Account:
    """An account with its clients, all of which the guard watches."""

    def __init__(self, session: Session, guard: Guard, region: str) -> None:
        """Raises BotoCoreError or ClientError if the credentials are not valid."""
        self._session = session
        self._guard = guard
        self._clients: dict[tuple[str, str], Any] = {}
        identity = session.client("sts", region_name=region, config=PATIENT).get_caller_identity()
        self.id: str = identity["Account"]
        guard.accounts.add(self.id)

    def client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            client = self._session.client(service, region_name=region, config=PATIENT)
            self._guard.watch(client, self.id, region)
            self._clients[service, region] = client
        return self._clients[service, region]


class Aws:
    """The accounts and Regions of a run.

    owner      the account of the IPAM
    member     another account of its organization, or None
    home       the IPAM's Region
    elsewhere  another operating Region of the IPAM, or home if it has none
    outside    a Region that is no operating Region, or empty if all are
    now sleep  the time in seconds, and how to let it pass: on the models, sleep moves their clock
    """

    def __init__(
        self,
        owner: Account,
        member: Account | None,
        guard: Guard,
        *,
        home: str,
        elsewhere: str,
        outside: str,
        now: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.owner, self.guard = owner, guard
        self._member = member
        self.home, self.elsewhere, self.outside = home, elsewhere, outside
        self.now, self.sleep = now, sleep
        self.notes: list[str] = []

    @property
    def accounts(self) -> list[Account]:
        return [self.owner, *([self._member] if self._member else [])]

    @property
    def member(self) -> Account:
        if self._member is None:
            raise Unsettled("needs an account of the organization: member=PROFILE")
        return self._member

    def ec2(self, region: str = "", account: Account | None = None) -> Any:
        return (account or self.owner).client("ec2", region or self.home)

    def ram(self, account: Account | None = None, region: str = "") -> Any:
        return (account or self.owner).client("ram", region or self.home)

    def note(self, text: str) -> None:
        """Report a figure that no statement fixes."""
        self.notes.append(text)

    def until(
        self, what: str, look: Callable[[], Found | None], seconds: float = SETTLED_S, every: float = 5.0
    ) -> Found:
        """Return what `look` returns as soon as that is something. Raises Differs after some seconds."""
        end = self.now() + seconds
        while not (found := look()):
            if self.now() >= end:
                raise Differs(f"{what}: not within {seconds:.0f} s")
            self.sleep(every)
        return found

    def patiently(self, call: Callable[..., dict[str, Any]], /, **params: Any) -> dict[str, Any]:
        """Call, and call again as long as another mutation is in the way."""

        def attempt() -> dict[str, Any] | None:
            try:
                return call(**params)
            except ClientError as error:
                if code_of(error) != BUSY:
                    raise
                return None

        return self.until("a mutation of a pool", attempt)

    def refusal(self, call: Callable[..., dict[str, Any]], /, **params: Any) -> tuple[str, str]:
        """Return code and message of the refusal. Raises Differs if AWS accepts the call."""

        def attempt() -> tuple[str, str] | None:
            try:
                call(**params)
            except ClientError as error:
                code = code_of(error)
                return None if code == BUSY else (code, error.response["Error"].get("Message", ""))
            raise Differs(f"{self.guard.requests[-1].action} is accepted")

        return self.until("a mutation of a pool", attempt)

    def expect_refusal(self, code: str, call: Callable[..., dict[str, Any]], words: str = "", /, **params: Any) -> None:
        """Raise Differs unless AWS refuses the call with this code, and these words in its message."""
        found, message = self.refusal(call, **params)
        expect("code", found, code)
        if words and words not in message:
            raise Differs(f"message: AWS says {message!r}, without {words!r}")


def every(client: Any, method: str, member: str, **params: Any) -> list[dict[str, Any]]:
    """Return all pages of a list."""
    return [item for page in client.get_paginator(method).paginate(**params) for item in page[member]]


def code_of(error: ClientError) -> str:
    return str(error.response["Error"].get("Code", ""))


def expect(what: str, found: object, assumed: object) -> None:
    if found != assumed:
        raise Differs(f"{what}: AWS says {found!r}, we assume {assumed!r}")


def expect_all(found: Mapping[str, Any], **assumed: object) -> None:
    """Raise Differs unless these members of an answer have these values; None stands for a member that is absent."""
    for name, value in assumed.items():
        expect(name, found.get(name), value)
