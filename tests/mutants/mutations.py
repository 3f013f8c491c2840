"""Makes the mutants of a source file: each differs from it by one small fault, of the kinds that people make.

A condition that always or never holds, a comparison or a sign that is another, a number that is off by one, a
statement that is gone, a keyword or an entry of a table that is left out, a name in a string that is empty.

No mutants are made of texts for people (strings with spaces, f-strings), of log lines, of what only types need (aliases
too), of what a class or dataclass is declared with, of zip's strict, and of how many threads work side by side.
"""

from __future__ import annotations

import ast
import difflib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

OTHER_OPERATOR: dict[type[ast.AST], tuple[str, str]] = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.And: ("and", "or"),
    ast.Or: ("or", "and"),
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"),
    ast.Mod: ("%", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
OTHER_NAME = {"any": "all", "all": "any", "min": "max", "max": "min"}
REMOVABLE = (ast.Expr, ast.Raise, ast.Return, ast.AugAssign, ast.Continue, ast.Break, ast.Delete)
NOT_DECIDED = re.compile(r"[A-Z][a-z]\w*|WORKERS|CONCURRENT_\w+")
"""Names of aliases of types, and of numbers of threads."""

Position = tuple[int, int]
Change = tuple[Position, Position, str, str]
"""Where the change begins and ends, what is replaced there (all, if this is empty), and what takes its place."""


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int

    statement: int
    """The first line of the statement in which the fault is."""

    source: str
    """The whole file with the fault."""

    def compiles(self) -> bool:
        try:
            compile(self.source, self.path, "exec")
        except SyntaxError:
            return False
        return True

    def diff(self, original: str) -> list[str]:
        """Return the lines that differ, with - or + before each."""
        lines = difflib.unified_diff(original.splitlines(), self.source.splitlines(), n=0, lineterm="")
        return [line for line in lines if re.match(r"[+-](?![+-]{2} )", line)]


def mutants(path: str, source: str) -> list[Mutant]:
    """Return all mutants of a file, in the order of its lines. Of a few, the syntax may be wrong."""
    code, starts = source.encode(), [0]
    for line in code.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = {}
    for statement, (first, last, old, new) in _changes(ast.parse(source)):
        begin, end = (starts[line - 1] + column for line, column in (first, last))
        before, changed, after = (part.decode() for part in (code[:begin], code[begin:end], code[end:]))
        if not new:
            after = re.sub(r"^\s*,", "", after)
        mutated = before + (changed.replace(old, new, 1) if old else new) + after
        if mutated != source:
            found[mutated] = Mutant(path, first[0], statement.lineno, mutated)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _changes(tree: ast.Module) -> Iterator[tuple[Any, Change]]:
    """Yield the changes, each with its innermost statement."""
    below: list[tuple[Any, Any]] = [(tree, tree)]
    while below:
        statement, node = below.pop()
        for make in (_conditions, _operators, _constants, _entries):
            for change in make(node):
                yield statement, change
        for removed in _removable(node):
            yield removed, _whole(removed, "pass")
        below += [(child if isinstance(child, ast.stmt) else statement, child) for child in _children(node)]


def _children(node: Any) -> list[ast.AST]:
    """Return what may be changed in a node."""
    children: list[Any]
    match node:
        case ast.arg() | ast.JoinedStr():
            return []
        case ast.AnnAssign():
            children = [node.value]
        case ast.ClassDef():
            children = [*node.body]
        case ast.FunctionDef():
            children = [*node.decorator_list, node.args, *node.body]
        case ast.Subscript(slice=ast.Constant()):
            children = [node.value]  # an error follows from another key
        case _:
            children = [*ast.iter_child_nodes(node)]
    return [child for child in children if child is not None and not _decides_nothing(child)]


def _decides_nothing(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=value):
            return isinstance(value, ast.Constant) or _decides_nothing(value)
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]):
            return bool(NOT_DECIDED.fullmatch(name))
        case ast.keyword(arg="strict"):
            return True
        case ast.Call(func=ast.Name(id="cast" | "TypeVar" | "log_decision" | "ThreadPoolExecutor")):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Name(id="logger"))):
            return True
    return False


def _whole(first: Any, new: str, last: Any = None) -> Change:
    return _begin(first), _end(last or first), "", new


def _begin(node: Any) -> Position:
    return node.lineno, node.col_offset


def _end(node: Any) -> Position:
    return node.end_lineno, node.end_col_offset


def _conditions(node: Any) -> Iterator[Change]:
    """Conditions that always hold, and that never do."""
    match node:
        case ast.If() | ast.IfExp() | ast.While():
            conditions = [node.test]
        case ast.comprehension():
            conditions = node.ifs
        case ast.match_case(guard=ast.expr() as guard):
            conditions = [guard]
        case _:
            conditions = []
    for condition in conditions:
        yield _whole(condition, "True")
        yield _whole(condition, "False")


def _operators(node: Any) -> Iterator[Change]:
    operands: list[Any]
    operators: list[Any]
    match node:
        case ast.Compare():
            operands, operators = [node.left, *node.comparators], node.ops
        case ast.BoolOp():
            operands, operators = node.values, [node.op] * (len(node.values) - 1)
        case ast.BinOp():
            operands, operators = [node.left, node.right], [node.op]
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield _begin(node), _begin(node.operand), "not" if isinstance(node.op, ast.Not) else "-", " "
            return
        case ast.Call(func=ast.Name(id=name)) if name in OTHER_NAME:
            yield _whole(node.func, OTHER_NAME[name])
            return
        case _:
            return
    for operator, (left, right) in zip(operators, itertools.pairwise(operands), strict=True):
        if type(operator) in OTHER_OPERATOR:
            yield _end(left), _begin(right), *OTHER_OPERATOR[type(operator)]


def _constants(node: Any) -> Iterator[Change]:
    match node:
        case ast.Constant(value=bool(value)):
            yield _whole(node, repr(not value))
        case ast.Constant(value=int(value) | float(value)):
            yield _whole(node, repr(value + 1))
        case ast.Constant(value=str(value)) if value and " " not in value:
            yield _whole(node, '""')


def _removable(node: Any) -> Iterator[Any]:
    """Yield the statements of a block that may be gone: none that names a value, nor the last return of a function."""
    for name in ("body", "orelse", "finalbody"):
        statements: Any = getattr(node, name, None)
        for statement in statements if isinstance(statements, list) else []:
            match statement:
                case ast.Return() if isinstance(node, ast.FunctionDef) and statement is statements[-1]:
                    removable = False
                case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
                    removable = True
                case _:
                    removable = isinstance(statement, REMOVABLE) and not _decides_nothing(statement)
            if removable:
                yield statement


def _entries(node: Any) -> Iterator[Change]:
    """Keywords of calls, and entries of dictionaries, lists, sets and longer tuples, that are left out."""
    entries: list[tuple[Any, Any]]
    match node:
        case ast.Call():
            entries = [(keyword, keyword) for keyword in node.keywords if not _decides_nothing(keyword)]
        case ast.Dict():
            entries = [(key or value, value) for key, value in zip(node.keys, node.values, strict=True)]
        case ast.List(ctx=ast.Load()) | ast.Set():
            entries = [(entry, entry) for entry in node.elts]
        case ast.Tuple(ctx=ast.Load()) if len(node.elts) > 2:
            entries = [(entry, entry) for entry in node.elts]
        case _:
            entries = []
    for first, last in entries:
        yield _whole(first, "", last)
