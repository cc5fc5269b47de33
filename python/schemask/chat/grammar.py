"""The turns that a chat format allows, as the tree that the engine compiles."""

from __future__ import annotations

import re
from typing import Any

from schemask.chat.arguments import (
    Argument,
    MarkedTrees,
    Tree,
    declared_arguments,
    raw_tree,
    refuse,
    separated,
    string_or_json_tree,
)
from schemask.chat.calls import call_schema
from schemask.chat.spec import PLACEHOLDER, TAG, FormatSpec
from schemask.errors import FormatError, check_flags, shortened
from schemask.tools import Tool, ToolSet

INDEX_PATTERN = "0|[1-9][0-9]{0,3}"


def turn_tree(
    form: FormatSpec,
    tools: ToolSet,
    tool_choice: str = "auto",
    parallel: bool = True,
    min_calls: int = 1,
    max_calls: int | None = None,
    reasoning: bool = False,
) -> dict[str, Any]:
    """The assistant's turns that are allowed; see `ChatFormat.tree`."""
    for name, count in (("min_calls", min_calls), ("max_calls", max_calls)):
        if count is None and name == "max_calls":
            continue
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count < 2**32:
            raise FormatError(f"{name} is a number of calls from 1 on, not {shortened(count)}")
    check_flags(FormatError, parallel=parallel, reasoning=reasoning)
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
    limits = [limit for limit in (max_calls, form.max_calls, None if parallel else 1) if limit]
    most = min(limits) if limits else None
    if most is not None and most < min_calls:
        raise FormatError(f"a turn cannot hold at least {min_calls} and at most {most} calls")
    return _TurnTree(form).turn(callable_tools, tool_choice, min_calls, most, reasoning)


class _TurnTree:
    def __init__(self, form: FormatSpec) -> None:
        self.form = form
        self.rules: dict[str, Tree] = {}
        self.tags = TAG
        if form.tokens:
            self.tags = re.compile("(" + "|".join(map(re.escape, form.tokens)) + ")")
        self.stops = form.value_stops
        self.texts: dict[str, Tree] = {}

    def turn(
        self, tools: ToolSet, tool_choice: str, min_calls: int, max_calls: int | None, thinks: bool
    ) -> dict[str, Any]:
        form = self.form
        end = _optional(self.text(form.turn_end))
        can_call = tool_choice != "none" and len(tools) > 0
        ways: list[Tree] = []
        if can_call:
            called = [self.calls(tools, min_calls, max_calls), self.end_of_calls()]
            if tool_choice != "auto" or form.bare:
                ways.append({"all": called})
            elif form.words_open:
                ways.append({"all": [*self.preamble(), *called]})
            else:
                after: Tree = {"any": [{"all": called}, end]}
                ways.append({"all": [self.words(), after]})
        if tool_choice in ("auto", "none") and not (can_call and ways and self.covers_words):
            words = [self.text(form.words_open), self.words(), self.text(form.words_close), end]
            ways.append({"all": words})
        start: Tree = ways[0] if len(ways) == 1 else {"any": ways}
        if thinks:
            start = {"all": [_optional(self.reasoning()), start]}
        return {"start": start, "rules": self.rules}

    def preamble(self) -> list[Tree]:
        opening, closing = self.form.preamble_open, self.form.preamble_close
        if not opening:
            return []
        return [_optional({"all": [self.text(opening), self.words(), self.text(closing)]})]

    @property
    def covers_words(self) -> bool:
        return not self.form.bare and not self.form.words_open

    def end_of_calls(self) -> Tree:
        return _optional(self.text(self.form.calls_end or self.form.turn_end))

    def words(self) -> Tree:
        stops = list(self.form.word_stops)
        if not self.form.bare:
            return {"free": stops}
        start = f"^[ \\t\\n\\r]*[{re.escape(self.form.bare)}]"
        return {"strings": {"type": "string", "not": {"pattern": start}}, "stops": stops}

    def reasoning(self) -> Tree:
        form = self.form
        if not form.reasoning_open:
            raise FormatError(f"{form.name} has no notation of reasoning")
        stops = [form.reasoning_close.strip(), *form.stops]
        return {
            "all": [
                self.text(form.reasoning_open),
                {"free": list(dict.fromkeys(stops))},
                self.text(form.reasoning_close),
            ]
        }

    def calls(self, tools: ToolSet, least: int, most: int | None) -> Tree:
        form = self.form
        call = {"all": [self.text(form.call_open + form.call_padding), self.call(tools)]}
        call["all"].append(self.text(form.call_padding + form.call_close))
        again: dict[str, Tree] = {
            "repeat": {"all": [self.text(form.call_separator), call]},
            "min": least - 1,
        }
        if most is not None:
            again["max"] = most - 1
        more = [again] if most != 1 else []
        return {"all": [self.text(form.calls_open), call, *more, self.text(form.calls_close)]}

    def call(self, tools: ToolSet) -> Tree:
        form = self.form
        if form.call == "{call}":
            patterns = {"{id}": form.id_pattern, "{index}": INDEX_PATTERN}
            return {"json": call_schema(tools, form.call_members, patterns)}
        return {"any": [self.call_of(tool) for tool in tools]}

    def call_of(self, tool: Tool) -> Tree:
        parts: list[Tree] = []
        for piece in PLACEHOLDER.split(self.form.call):
            if piece == "{name}":
                parts.append(tool.name)
            elif piece == "{arguments}":
                parts.append(self.arguments(tool))
            elif piece in ("{id}", "{index}"):
                pattern = self.form.id_pattern if piece == "{id}" else INDEX_PATTERN
                parts.append({"pattern": pattern})
            elif piece:
                parts.append(self.text(piece))
        return {"all": parts}

    def arguments(self, tool: Tool) -> Tree:
        form = self.form
        if form.values == "json":
            return {"json": tool.parameters}
        if form.values == "marked":
            declared_arguments(tool.parameters)
            trees = MarkedTrees(
                tool.parameters, form.string_mark, form.stops, form.sort_keys, tool.name, self.rules
            )
            return trees.arguments()
        arguments = declared_arguments(tool.parameters)
        written = [self.argument(argument) for argument in arguments]
        required = [argument.required for argument in arguments]
        return separated(written, required, form.argument_separator, self.rules)

    def argument(self, argument: Argument) -> Tree:
        form = self.form
        if not form.carries_key(argument.key):
            what = " (it could not be told from what is around it)"
            refuse(argument.path[:-1], argument.key, what)
        if form.values == "python":
            return self.filled(form.argument, argument.key, {"json": argument.schema})
        if form.argument_string:
            strings, others = string_or_json_tree(argument.schema, self.stops)
        else:
            strings, others = raw_tree(argument.schema, self.stops)
        if not form.argument_string and strings and others:
            return self.filled(form.argument, argument.key, {"any": [strings, others]})
        ways = []
        if strings:
            template = form.argument_string or form.argument
            ways.append(self.filled(template, argument.key, strings))
        if others:
            ways.append(self.filled(form.argument, argument.key, others))
        return ways[0] if len(ways) == 1 else {"any": ways}

    def filled(self, template: str, key: str, value: Tree) -> Tree:
        held = {"{key}": key, "{value}": value}
        pieces = [piece for piece in PLACEHOLDER.split(template) if piece]
        return {"all": [held[p] if p in held else self.text(p) for p in pieces]}

    def text(self, text: str) -> Tree:
        """Text whose tags may be special tokens."""
        if text not in self.texts:
            pieces = [piece for piece in self.tags.split(text) if piece]
            trees = [{"tag": piece} if self.tags.fullmatch(piece) else piece for piece in pieces]
            self.texts[text] = trees[0] if len(trees) == 1 else {"all": trees}
        return self.texts[text]


def _optional(tree: Tree) -> Tree:
    return {"repeat": tree, "max": 1}
