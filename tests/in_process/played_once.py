"""Stacks that many tests begin with: played once, and copied for each test.

@played_once
def built() -> DirectStack: ...

built()     plays it
built()     is a copy, some hundred times faster
"""

from __future__ import annotations

import functools
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from landing_zone.direct_stack import handler_of

Arguments = ParamSpec("Arguments")
World = TypeVar("World")

LOCK = type(threading.RLock())


def played_once(play: Callable[Arguments, World]) -> Callable[Arguments, World]:
    """Let a function be called once for the same arguments, and return copies of what it returned then.

    What it returns may be on its way still: to a copy happens what would have happened to the original.
    """
    saved: dict[str, bytes] = {}

    @functools.wraps(play)
    def copy(*arguments: Arguments.args, **named: Arguments.kwargs) -> World:
        key = repr((arguments, named))
        if key not in saved:
            saved[key] = _save(play(*arguments, **named))
        world: World = pickle.loads(saved[key])  # noqa: S301 - it was saved here
        return world

    return copy


def _save(world: Any) -> bytes:
    stream = io.BytesIO()
    _Saver(stream).dump(world)
    return stream.getvalue()


class _Saver(pickle.Pickler):
    """Saves also locks, which nobody holds, and our handler, whose module cannot be imported by its name."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, LOCK):
            return threading.RLock, ()
        if value is handler_of(0):
            return handler_of, (0,)
        return NotImplemented
