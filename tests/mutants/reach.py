"""Finds out which tests reach which statements of the product, in one run of the tests.

Each statement of a function is imported with a call before it that notes its file and line. That costs much less time
than a tracer, which Python would call in each function of the AWS libraries too.
"""

from __future__ import annotations

import ast
import builtins
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

NOTE = "__reached__"
LIMIT_S = 20
"""How long the tests of one mutant may compute: a fault that only the slowest tests notice is as good as unnoticed."""

Place = tuple[str, int]


def noting(path: str, source: str) -> ast.Module:
    """Return the tree of a source, in whose functions the statements note that they are reached."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in dict.fromkeys(inside for function in functions for inside in ast.walk(function)):
        for name in ("body", "orelse", "finalbody"):
            statements = getattr(node, name, None)
            if isinstance(statements, list):
                setattr(node, name, [both for one in statements for both in _with_note(path, one)])
    return ast.fix_missing_locations(tree)


def _with_note(path: str, statement: Any) -> Iterator[ast.stmt]:
    if isinstance(statement, ast.stmt) and not _must_come_first(statement):
        place = ast.Tuple([ast.Constant(path), ast.Constant(statement.lineno)], ast.Load())
        note = ast.Expr(ast.Call(ast.Name(NOTE, ast.Load()), [place], []))
        yield ast.copy_location(note, statement)
    yield statement


def _must_come_first(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.ImportFrom(module="__future__"):
            return True
    return False


def importers(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Return by file the files that import it, or names from it.

    sources   path -> source
    """
    found: dict[str, set[str]] = defaultdict(set)
    for path, source in sources.items():
        for imported in _imported(source):
            found[imported].add(path)
    return found


def _imported(source: str) -> set[str]:
    """Return the files of the product that a source imports, or names from them."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    modules = {name for node in nodes for name in (node.module, *(f"{node.module}.{one.name}" for one in node.names))}
    paths = [f"libraries/{module.replace('.', '/')}" for module in modules if module]
    return {f"{path}{end}" for path in paths for end in (".py", "/__init__.py")}


@dataclass
class Reach:
    """A plugin of pytest that notes what each test reaches.

    importers   see there
    subjects    the files of the product that a file of tests imports
    """

    importers: Mapping[str, Collection[str]] = field(default_factory=dict)
    tests: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    subjects: dict[str, set[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._now: set[Place] = set()
        setattr(builtins, NOTE, self._now.add)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._now.clear()
        file = _file(item.nodeid)
        if file not in self.subjects:
            self.subjects[file] = _imported(item.path.read_text(encoding="utf-8"))
        began = time.process_time()
        result = yield
        self.seconds[item.nodeid] = time.process_time() - began
        for place in self._now:
            self.tests[place].add(item.nodeid)
        return result

    def of(self, path: str, statement: int) -> list[str]:
        """Return tests that reach a statement, up to LIMIT_S: the fastest, of each function rather than its variants.
        Half of the time at most is for tests whose file imports the module, as its unit tests do; they come first.

        Of a statement that runs when its module is imported, return those that reach any function of the module, or of
        those that import it, and those whose file imports it, which may read only what it defines; of a module of which
        there are none, all tests.
        """
        reaching = (
            self.tests.get((path, statement))
            or self._of_files({path, *self.importers.get(path, ())}) | self._importing(path)
            or set().union(*self.tests.values())
        )
        ranked = self._ranked(reaching)
        own = self._within(LIMIT_S / 2, (test for test in ranked if path in self.subjects.get(_file(test), ())))
        left_s = LIMIT_S - sum(self.seconds[test] for test in own)
        return _by_file([*own, *self._within(left_s, (test for test in ranked if test not in own))])

    def _within(self, limit_s: float, tests: Iterable[str]) -> list[str]:
        """Return the first tests, until the limit is passed."""
        found: list[str] = []
        for test in tests:
            if limit_s <= 0:
                break
            found.append(test)
            limit_s -= self.seconds[test]
        return found

    def _of_files(self, paths: Collection[str]) -> set[str]:
        return set().union(*(tests for (path, _), tests in self.tests.items() if path in paths))

    def _importing(self, path: str) -> set[str]:
        return {test for test in self.seconds if path in self.subjects.get(_file(test), ())}

    def _ranked(self, tests: Collection[str]) -> list[str]:
        variants: dict[str, int] = defaultdict(int)
        ranked = []
        for test in sorted(tests, key=lambda test: (self.seconds[test], test)):
            function = test.partition("[")[0]
            variants[function] += 1
            ranked.append((self.seconds[test] * variants[function], test))
        return [test for _, test in sorted(ranked)]


def _by_file(tests: list[str]) -> list[str]:
    """Keep the tests of a file together: they may share a fixture that no other test must meet."""
    files = list(dict.fromkeys(map(_file, tests)))
    return sorted(tests, key=lambda test: files.index(_file(test)))


def _file(test: str) -> str:
    return test.partition("::")[0]
