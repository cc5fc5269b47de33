"""Calls as Python writes them, `[Get Weather(city="Oslo"), time()]`, of tools with any names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from schemask.synth.importers.conversation import GivenCall
from schemask.synth.importers.notes import ImportRefusal, Notes

_WORDS = {"true": True, "false": False, "null": None, "none": None}
_OPEN, _CLOSE = "([{", ")]}"
_KEY = re.compile(r"\s*([^\s=(),]+)\s*=\s*")


def looks_like_calls(text: str) -> bool:
    """Whether a turn is a list of calls, or was meant to be one."""
    return bool(re.match(r"\s*\[\s*[\w.:/ -]+\(", text))


def read_calls(text: str, names: Iterable[str], notes: Notes) -> list[GivenCall]:
    """The calls of a list.

    Args:
        text: The list.
        names: Names of tools, which may hold spaces and parentheses.
        notes: What is mended is told here.

    Raises:
        ImportRefusal: They cannot be read.
    """
    return _CallList(text, sorted(names, key=len, reverse=True), notes).read()


class _CallList:
    def __init__(self, text: str, names: list[str], notes: Notes) -> None:
        self._text = text
        self._names = names
        self._notes = notes
        self._place = 0

    def read(self) -> list[GivenCall]:
        self._take("[")
        calls = []
        while True:
            calls.append(self._call())
            if self._text[self._place :].lstrip().startswith(","):
                self._take(",")
                continue
            break
        self._take("]")
        if self._text[self._place :].strip():
            self._fail("text after the calls")
        return calls

    def _call(self) -> GivenCall:
        self._skip()
        rest = self._text[self._place :]
        name = next(
            (name for name in self._names if re.match(re.escape(name) + r"\s*\(", rest)), ""
        )
        if not name:
            name = rest.partition("(")[0].strip()
            if not re.fullmatch(r"[\w.:/ -]+", name):
                self._fail("no name of a tool")
        self._place += rest.index(name) + len(name)
        self._take("(")
        arguments: dict[str, Any] = {}
        while not self._text[self._place :].lstrip().startswith(")"):
            found = _KEY.match(self._text, self._place)
            if found is None:
                self._fail("no name of an argument")
            key = found[1].strip("\"'")
            if key in arguments:
                self._fail(f"the argument {key} twice")
            self._place = found.end()
            arguments[key] = self._value(key)
            if self._text[self._place : self._place + 1] == ",":
                self._place += 1
        self._take(")")
        return GivenCall(name, arguments)

    def _value(self, key: str) -> Any:
        """What stands up to the comma or parenthesis that is not inside of it."""
        start, depth, quote = self._place, 0, ""
        while True:
            mark = self._text[self._place : self._place + 1]
            if not mark:
                self._fail("a call without an end")
            if quote:
                if mark == "\\":
                    self._place += 1
                elif mark == quote:
                    quote = ""
            elif mark in "\"'":
                quote = mark
            elif mark in _OPEN:
                depth += 1
            elif not depth and mark in ",)":
                break
            elif mark in _CLOSE:
                depth -= 1
            self._place += 1
        text = self._text[start : self._place].strip()
        try:
            return _literal(ast.parse(text, mode="eval").body)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            if text and not re.search(r"[\[\]{}()\"'=]", text):
                self._notes.add("text without quotes", f"{key}={text}")
                return text
            self._fail(f"no value of {key}: {text!r}")

    def _skip(self) -> None:
        while self._text[self._place : self._place + 1].isspace():
            self._place += 1

    def _take(self, mark: str) -> None:
        self._skip()
        if not self._text.startswith(mark, self._place):
            self._fail(f"no {mark!r}")
        self._place += 1

    def _fail(self, problem: str) -> NoReturn:
        told = f"{problem} at character {self._place} of {self._text[:200]!r}"
        raise ImportRefusal("unreadable", told)


def _literal(tree: ast.expr) -> Any:
    """The value of an expression without names but those of constants.

    Raises:
        ValueError: It is another one.
    """
    if isinstance(tree, ast.Constant) and isinstance(tree.value, (str, int, float, type(None))):
        return tree.value
    if isinstance(tree, ast.Name) and tree.id.casefold() in _WORDS:
        return _WORDS[tree.id.casefold()]
    if isinstance(tree, (ast.List, ast.Tuple)):
        return [_literal(item) for item in tree.elts]
    if isinstance(tree, ast.Dict):
        keys = [None if key is None else _literal(key) for key in tree.keys]
        if not all(isinstance(key, str) for key in keys):
            raise ValueError("keys of objects are strings")
        return dict(zip(keys, map(_literal, tree.values), strict=True))
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, (ast.USub, ast.UAdd)):
        value = _literal(tree.operand)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return -value if isinstance(tree.op, ast.USub) else value
    raise ValueError("no value")
