"""The turns that a chat format allows, as the tree that the engine compiles."""

from __future__ import annotations

import re
from typing import Any, Literal

from schemask.chat.calls import call_schema
from schemask.chat.spec import FormatSpec, WordsWithCalls
from schemask.chat.texts import INDEX_PATTERN
from schemask.chat.trees import Tree, Trees, either, optional
from schemask.errors import FormatError, check_flags, shortened
from schemask.schemas.schema import Schema
from schemask.tools import Tool, ToolSet


def turn_tree(
    spec: FormatSpec,
    tools: ToolSet,
    tool_choice: str = "auto",
    parallel: bool = True,
    min_calls: int = 1,
    max_calls: int | None = None,
    reasoning: bool | Literal["auto"] = "auto",
    opened: str = "",
    response_schema: Schema | bool | None = None,
) -> dict[str, Any]:
    """The assistant's turns that are allowed; see `ChatFormat.tree`.

    `opened` is the part of the turn that the prompt holds.
    """
    for name, count in (("min_calls", min_calls), ("max_calls", max_calls)):
        if count is None and name == "max_calls":
            continue
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count < 2**32:
            raise FormatError(f"{name} is a number of calls from 1 on, not {shortened(count)}")
    thinks = _thinks(spec, reasoning, opened)
    check_flags(FormatError, parallel=parallel, reasoning=thinks)
    if not isinstance(tool_choice, str):
        raise FormatError(f"tool_choice is a string, not {shortened(tool_choice)}")
    if tool_choice in ("auto", "required", "none"):
        callable_tools = tools
    elif tool_choice in tools:
        callable_tools = ToolSet([tools[tool_choice]])
        parallel = False
    else:
        known = ", ".join(["auto", "required", "none", *tools.names])
        raise FormatError(f"tool_choice {shortened(tool_choice)} is none of {known}")
    if tool_choice == "required" and not len(tools):
        raise FormatError("tool_choice 'required' needs at least one tool")
    limits = [limit for limit in (max_calls, spec.max_calls, None if parallel else 1) if limit]
    most = min(limits) if limits else None
    if most is not None and most < min_calls:
        raise FormatError(f"a turn cannot hold at least {min_calls} and at most {most} calls")
    if not isinstance(response_schema, (dict, bool, type(None))):
        what = shortened(response_schema)
        raise FormatError(f"response_schema is a JSON Schema as a dict or a bool, not {what}")
    may_call = tool_choice != "none" and len(callable_tools) > 0
    is_like_calls = bool(spec.bare) or spec.arguments.python_literals
    if response_schema is not None and may_call and is_like_calls:
        raise FormatError(f"{spec.name} writes calls as it would write a response in JSON")
    turns = _TurnTree(spec, opened, response_schema)
    return turns.turn(callable_tools, tool_choice, min_calls, most, thinks)


def _thinks(spec: FormatSpec, reasoning: bool | str, opened: str) -> bool:
    """Whether reasoning may come first."""
    if reasoning != "auto":
        return reasoning  # type: ignore[return-value]
    return spec.left_of_opening(opened)[0] is not None and (spec.reasons or bool(opened))


class _TurnTree:
    def __init__(
        self, spec: FormatSpec, opened: str, response_schema: Schema | bool | None
    ) -> None:
        self.spec = spec
        self.response_schema = response_schema
        self.thinking, self.plain = spec.left_of_opening(opened)
        self.plain_calls = spec.left_of_opening(opened, calls_follow=True)[1]
        self.trees = Trees(spec.tokens)
        self.text = self.trees.text

    def turn(
        self, tools: ToolSet, tool_choice: str, min_calls: int, max_calls: int | None, thinks: bool
    ) -> dict[str, Any]:
        spec = self.spec
        if thinks and self.thinking is None:
            raise FormatError(spec.no_reasoning_here)
        called: Tree | None = None
        if tool_choice != "none" and len(tools) > 0:
            called = {"all": [self.calls(tools, min_calls, max_calls)]}
            if self.words_with_calls == "after" and tool_choice == "auto":
                called["all"].append(self.words())
            called["all"].append(self.end_of_calls())
        # What follows reasoning, and what follows where there is none.
        ways: list[Tree] = []
        if self.plain is not None and self.plain_calls is not None:
            ways.append(self.answer(called, tool_choice, self.plain, self.plain_calls))
        if self.thinking is not None and (thinks or self.plain is None):
            after = [spec.after_reasoning(calls_follow) for calls_follow in (False, True)]
            answer = self.answer(called, tool_choice, *after)
            thoughts = {"free": list(spec.reasoning_stops)}
            ways.append(
                {"all": [self.text(self.thinking), *([thoughts] if thinks else []), answer]}
            )
        return {"start": either(ways), "rules": self.trees.rules}

    def answer(
        self, called: Tree | None, tool_choice: str, before_words: str, before_calls: str
    ) -> Tree:
        """Words, calls or both, each after a text that leads to it."""
        spec = self.spec
        ways: list[Tree] = []
        end = optional(self.text(spec.turn_end))
        # Between words that no marker wraps and calls, white space is a part of the words.
        joined = (
            called is not None
            and tool_choice == "auto"
            and self.words_with_calls == "before"
            and not spec.bare
            and not spec.wraps_words
            and not spec.preamble_close.strip()
        )
        if called is not None and not (joined and before_words == before_calls + spec.words_open):
            opening = self.text(before_calls + spec.no_preamble)
            ways.append({"all": [opening, called]})
        if tool_choice in ("auto", "none"):
            opening = self.text(before_words + spec.words_open)
            closing = [self.text(spec.words_close), end]
            if joined:
                ends: Tree = {"any": [called, {"all": closing}]}
                ways.append({"all": [opening, self.words(), ends]})
            else:
                ways.append({"all": [opening, self.words(), *closing]})
                ways += self.preamble(called, tool_choice, before_words)
        return either(ways)

    def preamble(self, called: Tree | None, tool_choice: str, before: str) -> list[Tree]:
        """Words and then calls, where something of its own is between them."""
        spec = self.spec
        if called is None or tool_choice != "auto" or self.words_with_calls != "before":
            return []
        opening, closing = before + spec.preamble_open, spec.preamble_close
        return [{"all": [self.text(opening), self.words(), self.text(closing), called]}]

    def end_of_calls(self) -> Tree:
        return optional(self.text(self.spec.end_of(has_calls=True)))

    @property
    def words_with_calls(self) -> WordsWithCalls:
        """Where words may stand beside calls. A response is a turn of its own: words before calls
        would let a model that begins to answer in words end with a call alone."""
        return self.spec.words_with_calls if self.response_schema is None else "none"

    def words(self) -> Tree:
        if self.response_schema is not None:
            return {"json": self.response_schema}
        stops = list(self.spec.word_stops)
        if not self.spec.bare:
            return {"free": stops}
        start = f"^[ \\t\\n\\r]*[{re.escape(self.spec.bare)}]"
        return {"strings": {"type": "string", "not": {"pattern": start}}, "stops": stops}

    def calls(self, tools: ToolSet, least: int, most: int | None) -> Tree:
        spec = self.spec
        call: dict[str, list[Tree]] = {
            "all": [self.text(spec.call_open + spec.call_padding), self.call(tools)]
        }
        call["all"].append(self.text(spec.call_padding + spec.call_close))
        again: dict[str, Tree] = {
            "repeat": {"all": [self.text(spec.call_separator), call]},
            "min": least - 1,
        }
        if most is not None:
            again["max"] = most - 1
        more = [again] if most != 1 else []
        return {"all": [self.text(spec.calls_open), call, *more, self.text(spec.calls_close)]}

    def call(self, tools: ToolSet) -> Tree:
        spec = self.spec
        if spec.call == "{call}":
            patterns = {"{id}": spec.id_pattern, "{index}": INDEX_PATTERN}
            members, optional_members = spec.call_members, spec.optional_members
            return {"json": call_schema(tools, members, patterns, optional_members)}
        return {"any": [self.call_of(tool) for tool in tools]}

    def call_of(self, tool: Tool) -> Tree:
        spec = self.spec
        held = {
            "{name}": tool.name,
            "{id}": {"pattern": spec.id_pattern},
            "{index}": {"pattern": INDEX_PATTERN},
            "{arguments}": spec.arguments.grammar(tool, self.trees, spec),
        }
        return self.trees.filled(spec.call, held)
