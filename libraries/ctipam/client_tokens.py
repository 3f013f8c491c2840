"""Client tokens, by which AWS recognizes a creation that is requested twice.

The same request makes the same tokens, so a function that was killed and invoked again finds what it created. A later
request makes other tokens. https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Created = TypeVar("Created", bound=Mapping[str, Any])

DEAD = frozenset({"create-failed", "delete-in-progress", "delete-complete"})
"""States of an IPAM or a pool that will never be usable."""


def client_token(request_id: str, *parts: object) -> str:
    """Return a token of 64 characters, the most that EC2 takes.

    request_id   CloudFormation's id of the request
    parts        what is created, for example ("create", "us-west-2/Prod OU")
    """
    return hashlib.sha256("\n".join([request_id, *map(str, parts)]).encode()).hexdigest()


def create_until_alive(create: Callable[[str], Created], id_key: str) -> Created:
    """Create with one token after the other until AWS returns a resource that is not DEAD; return it.

    A token returns what it created the first time, even if that has failed or been deleted since.

    create   takes a part of the token: empty, or the id of the dead resource that the last token returned
    id_key   for example "IpamPoolId"
    """
    dead_id = ""
    while True:
        created = create(dead_id)
        if created["State"] not in DEAD:
            return created
        dead_id = created[id_key]
