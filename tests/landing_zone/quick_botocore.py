"""Clients of botocore that are made quickly, for processes that make many.

A client reads what is known of its service from JSON, builds a method for each operation (of EC2, more than 700) and a
tree of the rules for its endpoints, and copies all event handlers of its session. None of it differs between two
clients, so each is made once. It also reads the certificates of all authorities, which only a client needs that calls
over HTTPS. This changes nothing that a program could see.

Needs nothing but botocore: fork_server.py imports it in other environments.
"""

from __future__ import annotations

import functools
import os
from typing import Any, ClassVar

import botocore.client
import botocore.endpoint
import botocore.hooks
import botocore.loaders
import botocore.regions
import botocore.session
from botocore.hooks import NodeList
from botocore.httpsession import URLLib3Session
from botocore.model import ServiceModel

MIDDLE = 1  # of the first, middle and last handlers for a key; botocore's default
Creator: Any = botocore.client.ClientCreator
Endpoints: Any = botocore.endpoint.EndpointCreator
Aliaser: Any = botocore.hooks.EventAliaser


def install() -> None:
    """Replace, in this process and for good, what makes clients."""
    if hasattr(botocore.session.create_loader, "cache_info"):
        return  # done, perhaps by the process that this one is a copy of
    botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)
    hooks: Any = botocore.hooks  # its type hints lack what is private
    hooks.accepts_kwargs = functools.partial(_of_function, functools.lru_cache(maxsize=4096)(hooks.accepts_kwargs))
    regions: Any = botocore.regions
    regions.EndpointProvider = functools.partial(_endpoints, regions.EndpointProvider, {})
    Creator._load_service_model = functools.partialmethod(_service_model, Creator._load_service_model, {})
    Creator._create_methods = functools.partialmethod(_of_service, Creator._create_methods, {})
    Creator._create_name_mapping = functools.partialmethod(_of_service, Creator._create_name_mapping, {})
    Endpoints.create_endpoint = functools.partialmethod(Endpoints.create_endpoint, http_session_cls=HttpSession)
    Aliaser.__init__ = functools.partialmethod(_aliaser, Aliaser.__init__, {})
    trie = hooks._PrefixTrie
    trie.__copy__, trie.append_item = _share, _append
    trie.remove_item = functools.partialmethod(_remove, trie.remove_item, trie._recursive_copy)


class HttpSession:
    """botocore's, made for the first request. Clients of the same settings share it, and so its connections; a copy of
    the process opens its own."""

    _made: ClassVar[dict[tuple[int, str], URLLib3Session]] = {}

    def __init__(self, **settings: Any) -> None:
        self._settings = settings
        self._described = repr(settings)

    def send(self, request: Any) -> Any:
        key = os.getpid(), self._described
        if key not in self._made:
            self._made[key] = URLLib3Session(**self._settings)
        return self._made[key].send(request)

    def close(self) -> None:
        """Leave the connections to the other clients."""


def _of_function(ask: Any, handler: Any) -> Any:
    """Ask about the function of a method: each client has methods of its own."""
    return ask(getattr(handler, "__func__", handler))


def _endpoints(make: Any, known: dict[tuple[int, int], Any], **named: Any) -> Any:
    """The loader, which stays, has read the rules, so an id stands for them."""
    rules = id(named["ruleset_data"]), id(named["partition_data"])
    if rules not in known:
        known[rules] = make(**named)
    return known[rules]


def _service_model(creator: Any, load: Any, known: dict[Any, ServiceModel], name: str, version: Any = None) -> Any:
    if (name, version) not in known:
        known[name, version] = load(creator, name, version)
    return known[name, version]


def _of_service(creator: Any, create: Any, known: dict[str, dict[str, Any]], service: ServiceModel) -> dict[str, Any]:
    name = service.service_name
    if name not in known:
        known[name] = create(creator, service)
    return dict(known[name])


def _aliaser(aliaser: Any, make: Any, known: dict[str, str], *arguments: Any, **named: Any) -> None:
    make(aliaser, *arguments, **named)
    aliaser._alias_name_cache = known


# The handlers of a session stand in a tree of dictionaries, of which each client changes a few. So a client shares the
# tree, and whoever changes it copies the nodes on the way to what changes.


def _share(trie: Any) -> Any:
    shared = type(trie)()
    shared._root = trie._root
    return shared


def _append(trie: Any, key: str, value: Any, section: int = MIDDLE) -> None:
    node = trie._root = _copy(trie._root)
    for part in key.split("."):
        child = node["children"].get(part)
        child = _copy(child) if child else {"chunk": part, "values": None, "children": {}}
        node["children"][part] = child
        node = child
    if node["values"] is None:
        node["values"] = NodeList([], [], [])
    node["values"][section].append(value)


def _copy(node: dict[str, Any]) -> dict[str, Any]:
    values = node["values"]
    return {
        "chunk": node["chunk"],
        "values": values and NodeList(values.first[:], values.middle[:], values.last[:]),
        "children": dict(node["children"]),
    }


def _remove(trie: Any, remove: Any, copy_of: Any, key: str, value: Any) -> None:
    trie._root = copy_of(trie, trie._root)
    remove(trie, key, value)
