"""Which of schemask's errors a function can raise, as its source shows.

Followed are `raise` and the calls of functions and classes that a name leads to: a global, what a
module or class holds, a method of `self`. Calls of other values are not, nor is the extension. What
an `except` around a call takes is not counted.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

from schemask import Error

Function = Callable[..., Any]
# The functions that are being looked at: one that calls itself adds nothing.
Asked = frozenset[tuple[Function, type | None]]


def raised_errors(
    function: Function | None, owner: type | None = None, asked: Asked = frozenset()
) -> set[type[Error]]:
    """The errors that a function can raise; `owner` is the class whose `self` it gets."""
    function = function and inspect.unwrap(function)
    if (function, owner) in asked or not isinstance(function, FunctionType):
        return set()
    source = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    reader = _Reader(function, owner, asked | {(function, owner)})
    if isinstance(source, ast.FunctionDef):
        for statement in source.body:
            reader.visit(statement)
    return reader.errors


def constructor_of(owner: type) -> Function | None:
    """What a class runs when it is called, if it defines that itself."""
    for name in ("__post_init__", "__init__"):
        function = next((vars(base)[name] for base in owner.__mro__ if name in vars(base)), None)
        if isinstance(function, FunctionType) and function.__code__.co_filename != "<string>":
            return function
    return None


class _Reader(ast.NodeVisitor):
    def __init__(self, function: FunctionType, owner: type | None, asked: Asked) -> None:
        self.errors: set[type[Error]] = set()
        self._names = inspect.getclosurevars(function).nonlocals | function.__globals__
        self._owner = owner
        self._asked = asked
        self._packages = ("schemask", function.__module__)
        self._caught: list[type] = []

    def visit_Raise(self, node: ast.Raise) -> None:
        error = self._value(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
        if isinstance(error, FunctionType):  # one that makes the error
            made = error.__annotations__.get("return")
            error = error.__globals__.get(made, made) if isinstance(made, str) else made
        if inspect.isclass(error) and issubclass(error, Error):
            self._add(error)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = self._value(node.func)
        owner = self._owner_of(node.func)
        if inspect.isclass(called):
            called, owner = constructor_of(called), called
        if isinstance(called, FunctionType) and called.__module__.startswith(self._packages):
            for error in raised_errors(called, owner, self._asked):
                self._add(error)
        self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> None:
        before = len(self._caught)
        self._caught += [kind for handler in node.handlers for kind in self._kinds(handler.type)]
        for statement in node.body:
            self.visit(statement)
        del self._caught[before:]
        for statement in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(statement)

    def _add(self, error: type[Error]) -> None:
        if not any(issubclass(error, kind) for kind in self._caught):
            self.errors.add(error)

    def _kinds(self, node: ast.expr | None) -> Iterator[type]:
        nodes = node.elts if isinstance(node, ast.Tuple) else [node]
        yield from filter(inspect.isclass, map(self._value, nodes))

    def _owner_of(self, node: ast.expr) -> type | None:
        """The class of which a method is called, if it is one."""
        if not isinstance(node, ast.Attribute):
            return None
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
            return self._owner
        value = self._value(node.value)
        return value if inspect.isclass(value) else None

    def _value(self, node: ast.expr | None) -> Any:
        """What an expression stands for, if a name or a path of names leads to it."""
        if isinstance(node, ast.Name) and node.id == "cls":
            return self._owner
        if isinstance(node, ast.Name):
            return self._names.get(node.id, getattr(builtins, node.id, None))
        if not isinstance(node, ast.Attribute):
            return None
        holder = self._owner_of(node) or self._value(node.value)
        if not (inspect.isclass(holder) or inspect.ismodule(holder)):
            return None
        found = inspect.getattr_static(holder, node.attr, None)
        return getattr(found, "__func__", found)
