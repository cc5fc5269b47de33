"""The model outputs of llama.cpp's `tests/test-chat.cpp`, read from its source."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_TOKENS = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*|/\*.*?\*/|^\s*\#[^\n]*)
    | (?P<raw>R"(?P<fence>[^\s()\\]*)\((?P<inside>.*?)\)(?P=fence)")
    | (?P<string>"(?:[^"\\]|\\.)*")
    | (?P<char>'(?:[^'\\]|\\.)+')
    | (?P<number>\d[\w.]*)
    | (?P<word>[A-Za-z_]\w*(?:::\w+)*)
    | (?P<mark>.)
    """,
    re.DOTALL | re.VERBOSE | re.MULTILINE,
)
_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]+)|([0-7]{1,3})|(.))", re.S
)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a"}


class Unread(Exception):
    """An expression of C++ that this does not read."""


@dataclass(frozen=True)
class OutputCase:
    """One output of a model, and what a project's tests read in it.

    Attributes:
        line: Where it stands.
        template: File of the chat template whose model writes so.
        text: The output.
        tools: Definitions of the tools.
        content: Words to the user.
        reasoning: The reasoning.
        calls: Names, and arguments as JSON text (of an unfinished output the beginning of one).
        is_partial: Whether the output is unfinished.
        settings: What the test asked of the parser.
    """

    line: int
    template: str
    text: str
    tools: list[dict[str, Any]]
    content: str
    reasoning: str
    calls: list[tuple[str, str]]
    is_partial: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Token:
    kind: str
    value: str
    line: int


@dataclass(frozen=True)
class _OneOf:
    """The values that a variable of a loop, or a parameter of a function, takes."""

    values: tuple[Any, ...]


def cases_of(source: Path) -> tuple[list[OutputCase], list[str]]:
    """The cases of a `test-chat.cpp`, and what of it was not read: a place and a reason each."""
    return _Reader(_tokens(source.read_text())).cases()


def _tokens(text: str) -> list[_Token]:
    tokens, line = [], 1
    for found in _TOKENS.finditer(text):
        kind = str(found.lastgroup)
        if found["raw"] is not None:
            tokens.append(_Token("string", found["inside"], line))
        elif kind == "string":
            tokens.append(_Token("string", _ESCAPE.sub(_unescaped, found[0][1:-1]), line))
        elif kind != "space":
            tokens.append(_Token(kind, found[0], line))
        line += found[0].count("\n")
    return tokens


def _unescaped(found: re.Match[str]) -> str:
    short, long, hexadecimal, octal, letter = found.groups()
    if number := short or long:
        return chr(int(number, 16))
    if hexadecimal or octal:  # a byte
        byte = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
        return bytes([byte]).decode("utf-8", "surrogateescape")
    return _LETTERS.get(letter, letter)


def _message(
    content: str = "", reasoning: str = "", name: str = "", arguments: str = "", id: str = ""
) -> dict[str, Any]:
    calls = [(name, arguments)] if name or id else []
    return {"content": content, "reasoning": reasoning, "calls": calls}


def _definition(name: str, description: str, parameters: str) -> dict[str, Any]:
    schema = json.loads(parameters) or {"type": "object", "properties": {}}
    held = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": held}


# What the helpers of the file make.
_MESSAGES: dict[str, Callable[..., dict[str, Any]]] = {
    "simple_assist_msg": _message,
    "message_with_tool_calls": lambda name, arguments: _message("", "", name, arguments),
    "message_with_tool_calls_and_reasoning": lambda name, arguments, reasoning: _message(
        "", reasoning, name, arguments
    ),
    "message_with_reasoning_and_tool_call": lambda reasoning, name, arguments: _message(
        "", reasoning, name, arguments
    ),
    "message_with_content_and_tool_call": lambda content, name, arguments: _message(
        content, "", name, arguments
    ),
    "message_with_reasoning_content_and_multiple_tool_calls": lambda reasoning, content, calls: {
        "content": content,
        "reasoning": reasoning,
        "calls": [(call[0], call[1]) for call in calls],
    },
}


class _Reader:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.values: dict[str, Any] = {}
        self.unread: list[str] = []
        self.arguments = self._arguments_of_functions()

    def cases(self) -> tuple[list[OutputCase], list[str]]:
        found: list[OutputCase] = []
        while self.at < len(self.tokens):
            start = self.at
            try:
                found += self._statement()
            except Unread as error:
                if self._is_test(start):
                    self.unread.append(f"line {self.tokens[start].line}: {error}")
                self.at = start
            if self.at == start:
                self.at += 1
        return found, self.unread

    # Statements.

    def _statement(self) -> list[OutputCase]:
        """Reads a definition, a loop's head, or a test that begins here; else nothing."""
        words = [token.value for token in self.tokens[self.at : self.at + 3]]
        if self._is_test(self.at):
            return self._test()
        if words[0] == "common_chat_tool" and len(words) > 2 and words[2] == "{":
            self.at += 2
            self.values[words[1]] = self._expression()
        elif words[1:] and words[1] == "=" and self._is_word(self.at):
            name = words[0]
            self.at += 2
            self.values[name] = self._expression()
        elif words[0] == "const" or words[0] == "static":
            self._parameter(words)
        elif words[0] == "for":
            self._loop()
        return []

    def _parameter(self, words: list[str]) -> None:
        """A function `static void NAME(const std::string & PARAMETER, …` is run for each call."""
        values = [token.value for token in self.tokens[self.at : self.at + 8]]
        if values[:2] == ["static", "void"] and values[3:7] == ["(", "const", "std::string", "&"]:
            self.values[values[7]] = _OneOf(tuple(self.arguments.get(values[2], ())))

    def _loop(self) -> None:
        start = self.at + 2
        depth, at = 1, start
        while depth and at < len(self.tokens):
            value = self.tokens[at].value
            if value == ":" and depth == 1:
                self.at = at + 1
                self.values[self.tokens[at - 1].value] = _OneOf(tuple(self._expression()))
                return
            depth += (value in "([{") - (value in ")]}") if self.tokens[at].kind == "mark" else 0
            at += 1

    def _is_test(self, at: int) -> bool:
        values = [token.value for token in self.tokens[at : at + 4]]
        return (
            len(values) == 4
            and values[1:] == [".", "test", "("]
            and self.tokens[at].kind == "word"
            and values[0] != "peg_test_builder"
        )

    def _test(self) -> list[OutputCase]:
        tester, line = self.tokens[self.at].value, self.tokens[self.at].line
        self.at += 1
        settings: dict[str, list[Any]] = {}
        while self._take("."):
            method = self._next().value
            settings[method] = self._call(lenient=method in ("messages",))
        if "run" not in settings:
            raise Unread("a test that does not run")
        templates = self.values.get(tester)
        if templates is None:
            raise Unread(f"{tester} is not known")
        many = templates.values if isinstance(templates, _OneOf) else (templates,)
        return [self._case(line, template, settings) for template in many]

    def _case(self, line: int, template: str, settings: dict[str, list[Any]]) -> OutputCase:
        expected = dict(settings["expect"][0]) if "expect" in settings else _message()
        for part in ("content", "reasoning"):
            if f"expect_{part}" in settings:
                expected[part] = settings[f"expect_{part}"][0]
        if "expect_tool_calls" in settings:
            calls = settings["expect_tool_calls"][0]
            expected["calls"] = [(call[0], call[1]) for call in calls]
        tools = settings.get("tools", [[]])[0]
        return OutputCase(
            line=line,
            template=Path(template).name,
            text=settings["test"][0],
            tools=[_definition(*tool) for tool in tools],
            content=expected["content"],
            reasoning=expected["reasoning"],
            calls=expected["calls"],
            is_partial=settings.get("is_partial", ["false"])[0] == "true",
            settings={
                name: values[0] if values else True
                for name, values in settings.items()
                if not name.startswith(("expect", "test", "run", "tools", "is_partial"))
            },
        )

    # Expressions.

    def _expression(self) -> Any:
        value = self._term()
        while self._peek() == "+":
            self.at += 1
            value = value + self._term()
        return value

    def _term(self) -> Any:
        token = self._next()
        if token.kind == "string":
            text = token.value
            while self.at < len(self.tokens) and self.tokens[self.at].kind == "string":
                text += self._next().value
            return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if token.value == "{":
            return self._list("}")
        if token.kind == "number":
            return token.value
        if token.kind != "word":
            raise Unread(f"{token.value!r} in an expression")
        return self._named(token)

    def _named(self, token: _Token) -> Any:
        name = token.value
        if self._peek() == "<":
            while self._next().value != ">":
                pass
            if self._peek() == ">":
                self.at += 1
        if self._peek() == "{":
            self.at += 1
            return self._list("}")
        if self._peek() == "(":
            values = self._call()
            if name == "peg_tester":
                return values[0]
            if name in _MESSAGES:
                return _MESSAGES[name](*values)
            if name == "std::string":
                return values[0]
            raise Unread(f"the function {name}")
        if name in self.values:
            return self.values[name]
        if name in ("true", "false", "detailed_debug") or name.startswith("COMMON_"):
            return name
        raise Unread(f"the name {name}")

    def _call(self, lenient: bool = False) -> list[Any]:
        if not self._take("("):
            raise Unread("no call")
        if not lenient:
            return self._list(")")
        depth = 1
        while depth:
            value = self._next()
            if value.kind == "mark":
                depth += (value.value in "([{") - (value.value in ")]}")
        return []

    def _list(self, closing: str) -> list[Any]:
        values: list[Any] = []
        while not self._take(closing):
            values.append(self._expression())
            if not self._take(",") and self._peek() != closing:
                raise Unread(f"{self._peek()!r} in a list")
        return values

    # Tokens.

    def _peek(self) -> str:
        token = self.tokens[self.at] if self.at < len(self.tokens) else _Token("end", "", 0)
        return token.value if token.kind == "mark" else ""

    def _take(self, mark: str) -> bool:
        found = self._peek() == mark
        self.at += found
        return found

    def _next(self) -> _Token:
        if self.at >= len(self.tokens):
            raise Unread("the end of the file")
        self.at += 1
        return self.tokens[self.at - 1]

    def _is_word(self, at: int) -> bool:
        return self.tokens[at].kind == "word"

    def _arguments_of_functions(self) -> dict[str, list[str]]:
        """The paths of templates with which functions of the file are called, in loops as well."""
        found: dict[str, list[str]] = {}
        for at, values in self._windows(4):
            if values[0].startswith("test_") and values[1] == "(" and values[3] == ",":
                argument = self.tokens[at + 2]
                if argument.kind == "string":
                    found.setdefault(values[0], []).append(argument.value)
                elif paths := self._paths_before(at, argument.value):
                    found.setdefault(values[0], []).extend(paths)
        return found

    def _paths_before(self, at: int, name: str) -> list[str]:
        """The texts of the loop over `name` that stands before."""
        while at > 0 and self.tokens[at].value != "for":
            at -= 1
        paths = []
        while self.tokens[at].value != ")":
            if self.tokens[at].kind == "string":
                paths.append(self.tokens[at].value)
            at += 1
        return paths

    def _windows(self, size: int) -> Iterator[tuple[int, list[str]]]:
        for at in range(len(self.tokens) - size):
            yield at, [token.value for token in self.tokens[at : at + size]]
