"""What lines say of tools: their definitions, and the calls of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemask.errors import shortened
from schemask.lint.offers import OfferedTool, is_declared, null_paths, offered, without_nulls
from schemask.lint.rules import LintFinding, counted
from schemask.lint.samples import Dialogue
from schemask.schemas.pointer import pointer_of
from schemask.schemas.validator import validator_of


def look_at_tools(dialogue: Dialogue) -> Iterator[LintFinding]:
    """Definitions that are none, that Arrow rewrote, or that two tools share."""
    names: dict[str, int] = {}
    for at, definition in enumerate(dialogue.tools or ()):
        tool = offered(definition)
        place = f"/tools/{at}"
        if tool.problem is not None:
            problem, pointer = tool.problem
            yield LintFinding("bad-tool", dialogue.line, problem, pointer=place + pointer)
        if tool.nulls:
            message = f"{tool.name}: {counted(len(tool.nulls), 'null')}, the first at {place}"
            yield LintFinding(
                "null-definitions",
                dialogue.line,
                message + tool.nulls[0],
                pointer=place + tool.nulls[0],
            )
        if tool.name is not None and names.setdefault(tool.name, at) != at:
            message = f"two tools are called {tool.name!r}"
            yield LintFinding("bad-tool", dialogue.line, message, pointer=place)


def look_at_calls(dialogue: Dialogue) -> Iterator[LintFinding]:
    """Calls of tools that are not there, and arguments that are not valid."""
    tools = tools_of(dialogue)
    last = len(dialogue.messages) - 1
    for turn in dialogue.spoken:
        if dialogue.is_rejected and turn == last:
            continue  # it is meant to be wrong
        for at, call in enumerate(dialogue.messages[turn].get("tool_calls", ())):
            yield from _look_at_call(dialogue, tools, call["function"], turn, at)


def tools_of(dialogue: Dialogue) -> dict[str, OfferedTool]:
    """The tools of a dialogue by their names."""
    made = map(offered, dialogue.tools or ())
    return {tool.name: tool for tool in made if tool.name is not None}


def _look_at_call(
    dialogue: Dialogue,
    tools: Mapping[str, OfferedTool],
    function: Mapping[str, Any],
    turn: int,
    at: int,
) -> Iterator[LintFinding]:
    name, arguments = function["name"], function["arguments"]
    if name not in tools:
        known = ", ".join(tools) or "none at all"
        message = f"{shortened(name)} is not offered; there is {shortened(known, 200)[1:-1]}"
        yield dialogue.finding(
            "schema-violation", message, turn, "tool_calls", at, "function", "name"
        )
        return
    tool = tools[name]
    if tool.tool is None or tool.problem is not None:
        return
    validator = validator_of(tool.tool.parameters)
    place = ("tool_calls", at, "function", "arguments")
    problem = validator.problem_at(arguments)
    paths = [*null_paths(arguments)]
    unknown = [path for path in paths if not is_declared(tool.tool.parameters, path)]
    if paths and (problem is not None or unknown):
        rest = validator.problem_at(without_nulls(arguments))
        if rest is None or unknown:
            shown = [pointer_of(path) for path in (paths if rest is None else unknown)]
            message = f"{name}: {counted(len(shown), 'null')}: {', '.join(shown)}"
            path = (paths if rest is None else unknown)[0]
            yield dialogue.finding("null-arguments", message, turn, *place, *path)
            problem = rest
    if problem is not None:
        pointer, words = problem
        found = dialogue.finding("schema-violation", f"{name}: {words}", turn, *place)
        yield LintFinding(found.rule, found.line, found.message, turn, found.pointer + pointer)
