"""What the contract may do in an account: read, create with its tag, and change what it created.

    before a request is built    the tag is added to what it creates; anything else that it would change must be ours
    after the answer             the request is recorded, and what it created is ours from then on

Source  https://botocore.amazonaws.com/v1/documentation/api/latest/topics/events.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

TAG = "aws-models-contract"
VALUE = "delete me"

# action: where its answer has the new id, and the resource type of its tags
CREATIONS = {
    "CreateIpam": ("Ipam", "IpamId", "ipam"),
    "CreateIpamScope": ("IpamScope", "IpamScopeId", "ipam-scope"),
    "CreateIpamPool": ("IpamPool", "IpamPoolId", "ipam-pool"),
    "CreateVpc": ("Vpc", "VpcId", "vpc"),
    "CreateResourceShare": ("resourceShare", "resourceShareArn", ""),
}
CHANGES = frozenset(
    "ModifyIpam DeleteIpam DeleteIpamScope ModifyIpamPool DeleteIpamPool ProvisionIpamPoolCidr DeprovisionIpamPoolCidr "
    "AllocateIpamPoolCidr ReleaseIpamPoolAllocation CreateTags DeleteVpc "
    "AssociateResourceShare DisassociateResourceShare DeleteResourceShare TagResource".split()
)
NAMING = ("IpamId", "IpamScopeId", "IpamPoolId", "SourceIpamPoolId", "Ipv4IpamPoolId", "VpcId", "resourceShareArn")
NAMING_SEVERAL = ("Resources", "resourceArns", "principals")
READING = ("Describe", "Get", "List")
RECORDED = 200


class NotOurs(Exception):
    """A mistake in a statement: it would change what the contract has not created."""


@dataclass(frozen=True)
class Request:
    """A request that AWS has answered. `code` is empty if it was accepted."""

    account_id: str
    region: str
    action: str
    code: str
    message: str
    request_id: str
    at: datetime

    def __str__(self) -> str:
        answer = f"{self.code} ({self.message})" if self.code else "accepted"
        where = f"{self.region}, account {self.account_id}"
        return f"{self.action}: {answer}; request {self.request_id}, {where}, {self.at:%Y-%m-%dT%H:%M:%SZ}"


class Guard:
    """Watches the clients of all accounts of a run.

    accounts   ids of the accounts that shares may name
    """

    def __init__(self) -> None:
        self.accounts: set[str] = set()
        self.requests: deque[Request] = deque(maxlen=RECORDED)
        self._ours: set[str] = set()

    def adopt(self, resource_ids: Iterable[str]) -> None:
        """Count these as ours: an earlier run created them."""
        self._ours.update(resource_ids)

    def watch(self, client: Any, account_id: str, region: str) -> None:
        def before(params: dict[str, Any], model: Any, **_: Any) -> None:
            self._check(model.name, params)
            _add_tag(model.name, params)

        def after(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
            error = parsed.get("Error", {})
            code, message = error.get("Code", ""), error.get("Message", "")
            request_id = parsed.get("ResponseMetadata", {}).get("RequestId", "unknown")
            self.requests.append(Request(account_id, region, model.name, code, message, request_id, datetime.now(UTC)))
            if model.name in CREATIONS and not code:
                member, name, _type = CREATIONS[model.name]
                self._ours.add(parsed[member][name])
                self._ours.add(parsed[member].get("PrivateDefaultScopeId", ""))  # an IPAM brings its scopes

        client.meta.events.register("before-parameter-build", before)
        client.meta.events.register("after-call", after)

    def _check(self, action: str, params: Mapping[str, Any]) -> None:
        if action.startswith(READING):
            return
        if action not in CHANGES and action not in CREATIONS:
            raise NotOurs(f"{action} is not an action of the contract.")
        for name, value in _named(params):
            # A scope of its own is all that the contract makes in an IPAM that it found.
            if not self._is_ours(value) and (action, name) != ("CreateIpamScope", "IpamId"):
                raise NotOurs(f"{action} names {value}, which the contract has not created.")

    def _is_ours(self, value: str) -> bool:
        made_up = "0123456789abcdef0" in value
        return made_up or value in self.accounts or value in self._ours or value.rpartition("/")[2] in self._ours


def _named(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from ((name, params[name]) for name in NAMING if name in params)
    yield from ((name, value) for name in NAMING_SEVERAL for value in params.get(name, []))


def _add_tag(action: str, params: dict[str, Any]) -> None:
    """Add the contract's tag to the tags of the request, if it creates something."""
    if action == "CreateResourceShare":
        params["tags"] = [*params.get("tags", []), {"key": TAG, "value": VALUE}]
    elif action in CREATIONS:
        tags = [tag for one in params.get("TagSpecifications", []) for tag in one["Tags"]]
        tags.append({"Key": TAG, "Value": VALUE})
        params["TagSpecifications"] = [{"ResourceType": CREATIONS[action][2], "Tags": tags}]
