"""Clients of botocore that are made quickly, for processes that make many.

A client reads what is known of its service from JSON, builds a method for each operation (of EC2, more than 700), and
copies all event handlers of its session. None of it differs between two clients, so each is made once. This changes
nothing that a program could see.

Needs nothing but botocore: fork_server.py imports it in other environments.
"""

from __future__ import annotations

import functools
from typing import Any

import botocore.client
import botocore.hooks
import botocore.loaders
import botocore.session
from botocore.hooks import NodeList
from botocore.model import ServiceModel

Creator: Any = botocore.client.ClientCreator
Aliaser: Any = botocore.hooks.EventAliaser


def install() -> None:
    """Replace, in this process and for good, what makes clients."""
    botocore.session.create_loader = functools.cache(botocore.loaders.create_loader)
    hooks: Any = botocore.hooks  # its type hints lack what is private
    hooks.accepts_kwargs = functools.lru_cache(maxsize=4096)(hooks.accepts_kwargs)
    Creator._load_service_model = functools.partialmethod(_service_model, Creator._load_service_model, {})
    Creator._create_methods = functools.partialmethod(_methods, Creator._create_methods, {})
    Aliaser.__init__ = functools.partialmethod(_aliaser, Aliaser.__init__, {})
    hooks._PrefixTrie._recursive_copy = _copy_of_trie


def _service_model(creator: Any, load: Any, known: dict[Any, ServiceModel], name: str, version: Any = None) -> Any:
    if (name, version) not in known:
        known[name, version] = load(creator, name, version)
    return known[name, version]


def _methods(creator: Any, create: Any, known: dict[str, dict[str, Any]], service: ServiceModel) -> dict[str, Any]:
    name = service.service_name
    if name not in known:
        known[name] = create(creator, service)
    return dict(known[name])


def _aliaser(aliaser: Any, make: Any, known: dict[str, str], *arguments: Any, **named: Any) -> None:
    make(aliaser, *arguments, **named)
    aliaser._alias_name_cache = known


def _copy_of_trie(trie: Any, node: dict[str, Any]) -> dict[str, Any]:
    """As botocore's, without copy.copy, which takes most of its time."""
    copied: dict[str, Any] = {}
    for key, value in node.items():
        if type(value) is dict:
            copied[key] = _copy_of_trie(trie, value)
        elif type(value) is NodeList:
            copied[key] = NodeList(value.first[:], value.middle[:], value.last[:])
        else:
            copied[key] = value
    return copied
