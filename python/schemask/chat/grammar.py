"""The turns that a chat format allows, as the tree that the engine compiles."""

from __future__ import annotations

import re
from typing import Any

from schemask.chat.calls import call_schema
from schemask.chat.spec import FormatSpec
from schemask.chat.texts import INDEX_PATTERN
from schemask.chat.trees import Tree, Trees, optional
from schemask.errors import FormatError, check_flags, shortened
from schemask.tools import Tool, ToolSet


def turn_tree(
    spec: FormatSpec,
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
    limits = [limit for limit in (max_calls, spec.max_calls, None if parallel else 1) if limit]
    most = min(limits) if limits else None
    if most is not None and most < min_calls:
        raise FormatError(f"a turn cannot hold at least {min_calls} and at most {most} calls")
    return _TurnTree(spec).turn(callable_tools, tool_choice, min_calls, most, reasoning)


class _TurnTree:
    def __init__(self, spec: FormatSpec) -> None:
        self.spec = spec
        self.trees = Trees(spec.tokens)
        self.text = self.trees.text

    def turn(
        self, tools: ToolSet, tool_choice: str, min_calls: int, max_calls: int | None, thinks: bool
    ) -> dict[str, Any]:
        spec = self.spec
        end = optional(self.text(spec.turn_end))
        can_call = tool_choice != "none" and len(tools) > 0
        ways: list[Tree] = []
        if can_call:
            called = [self.calls(tools, min_calls, max_calls), self.end_of_calls()]
            if tool_choice != "auto" or spec.bare:
                ways.append({"all": called})
            elif spec.words_open:
                ways.append({"all": [*self.preamble(), *called]})
            else:
                after: Tree = {"any": [{"all": called}, end]}
                ways.append({"all": [self.words(), after]})
        if tool_choice in ("auto", "none") and not (can_call and ways and self.covers_words):
            words = [self.text(spec.words_open), self.words(), self.text(spec.words_close), end]
            ways.append({"all": words})
        start: Tree = ways[0] if len(ways) == 1 else {"any": ways}
        if thinks:
            start = {"all": [optional(self.reasoning()), start]}
        return {"start": start, "rules": self.trees.rules}

    def preamble(self) -> list[Tree]:
        opening, closing = self.spec.preamble_open, self.spec.preamble_close
        if not opening:
            return []
        return [optional({"all": [self.text(opening), self.words(), self.text(closing)]})]

    @property
    def covers_words(self) -> bool:
        return not self.spec.bare and not self.spec.words_open

    def end_of_calls(self) -> Tree:
        return optional(self.text(self.spec.calls_end or self.spec.turn_end))

    def words(self) -> Tree:
        stops = list(self.spec.word_stops)
        if not self.spec.bare:
            return {"free": stops}
        start = f"^[ \\t\\n\\r]*[{re.escape(self.spec.bare)}]"
        return {"strings": {"type": "string", "not": {"pattern": start}}, "stops": stops}

    def reasoning(self) -> Tree:
        spec = self.spec
        if not spec.reasoning_open:
            raise FormatError(f"{spec.name} has no notation of reasoning")
        stops = [spec.reasoning_close.strip(), *spec.stops]
        return {
            "all": [
                self.text(spec.reasoning_open),
                {"free": list(dict.fromkeys(stops))},
                self.text(spec.reasoning_close),
            ]
        }

    def calls(self, tools: ToolSet, least: int, most: int | None) -> Tree:
        spec = self.spec
        call = {"all": [self.text(spec.call_open + spec.call_padding), self.call(tools)]}
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
            return {"json": call_schema(tools, spec.call_members, patterns)}
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
