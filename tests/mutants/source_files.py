"""Lets Python import another source in the place of a file's own."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
OURS = tuple(f"{ROOT / folder}/" for folder in ("libraries", "tests", "ct-integration-lambda", "ipam-pool-lambda"))


@contextmanager
def replaced(sources: Mapping[Path, str | ast.Module]) -> Iterator[None]:
    """Import these sources, or trees, and not what the files contain."""
    loader: Any = SourceFileLoader
    original = loader.get_code

    def get_code(self: SourceFileLoader, name: str) -> CodeType | None:
        source = sources.get(Path(self.path))
        return original(self, name) if source is None else compile(source, self.path, "exec")

    loader.get_code = get_code
    try:
        yield
    finally:
        loader.get_code = original


def forget() -> None:
    """Have our own modules imported again when they are next needed, but not these, which are at work."""
    for name, module in [*sys.modules.items()]:
        if _place_of(module).startswith(OURS) and name.partition(".")[0] != "mutants":
            del sys.modules[name]


def _place_of(module: ModuleType) -> str:
    """Return its file; of a folder without an __init__, which would keep its modules as attributes, the folder."""
    return getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), "")
