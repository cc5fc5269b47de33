"""What a teacher is asked for: a conversation of some kind, as one JSON object."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat import Message, call_schema
from schemask.schemas.schema import Schema
from schemask.synth.kinds import Kind
from schemask.synth.prompts import teacher_prompt
from schemask.synth.worked_examples import Scene
from schemask.tools import Tool, ToolSet


@dataclass(frozen=True)
class TeacherRequest:
    """What a teacher is asked to write: one conversation, as a JSON object.

    What it is about depends on its kind, and so do the members of the object. Each of them is one
    text if nothing else is said, and they come in this order:

    - "call": the user wants what one of the tools does. `user`, `tool_calls` (a list of one
      `{"name", "arguments"}`), `results` (a list of one text, what the tool gave back), `answer`
      (which rests on the results).
    - "parallel": two calls in one turn, which need nothing of each other. The same members, with
      two calls and two results.
    - "chain": each call after the first takes something from an earlier result that the user has
      not said. `user`, `steps` (a list of `{"call": {"name", "arguments"}, "result"}`, one for each
      of the targets), `answer`.
    - "missing_tool": the user wants what only the tool `withheld` does, which is not offered; the
      answer says so. `user`, `answer`.
    - "missing_value": the user wants a call, and does not say the value of its argument `missing`;
      the model asks, the user tells. `user`, `question`, `reply`, `tool_calls`, `results`,
      `answer`.
    - "words": small talk, or a question that no tool has to do with. `user`, `answer`.

    Attributes:
        index: The line, from 0.
        attempt: 0, or how many answers for this line were refused before.
        seed: A number below 2**31 to sample with; each attempt has its own.
        kind: The kind of conversation.
        tools: The tools that the conversation offers; at least one.
        targets: Names of the tools to call, in this order; none for "missing_tool" and "words".
        hints: Who asks, how, and what makes it hard or easy.
        missing: For "missing_value", the required parameter whose value is not in the request.
        withheld_tool: For "missing_tool", the tool that would be needed; else None.
    """

    index: int
    attempt: int
    seed: int
    kind: Kind
    tools: ToolSet
    targets: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    missing: str | None = None
    withheld_tool: Tool | None = None

    @property
    def withheld(self) -> str | None:
        """For "missing_tool", the name of the tool that would be needed; else None."""
        return None if self.withheld_tool is None else self.withheld_tool.name

    @property
    def prompt(self) -> str:
        """The request in words, to be continued with the JSON object; base models can do it too."""
        scene = Scene(
            self.tools,
            self.targets,
            self.hints,
            missing=self.missing,
            withheld=self.withheld_tool,
        )
        return teacher_prompt(self.kind, scene)

    @functools.cached_property
    def schema(self) -> Schema:
        """The JSON Schema of the answer."""
        # No maximal length: at that length a text would end in the middle, and nobody would see.
        text: Schema = {"type": "string", "minLength": 1}
        calls, definitions = self._calls()
        properties: Schema = {"user": text}
        if self.kind == "missing_value":
            properties |= {"question": text, "reply": text}
        if self.kind == "chain":
            properties["steps"] = _list([_object({"call": call, "result": text}) for call in calls])
        elif calls:
            properties |= {"tool_calls": _list(calls), "results": _list([text] * len(calls))}
        properties["answer"] = text
        return {**_object(properties), **definitions}

    def _calls(self) -> tuple[list[Schema], Schema]:
        """The schemas of the calls, and the definitions to which they refer."""
        if not self.targets:
            return [], {}
        called = ToolSet(self.tools[name] for name in dict.fromkeys(self.targets))
        schema = call_schema(called)
        by_name = dict(zip(called.names, schema["anyOf"], strict=True))
        return [by_name[name] for name in self.targets], {"$defs": schema["$defs"]}


def _list(items: list[Schema]) -> Schema:
    return {"type": "array", "prefixItems": items, "minItems": len(items), "items": False}


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def steps_of(answer: Mapping[str, Any]) -> list[list[tuple[dict[str, Any], str]]]:
    """The calls of an answer with their results, turn by turn."""
    if "steps" in answer:
        return [[(step["call"], step["result"])] for step in answer["steps"]]
    if "tool_calls" in answer:
        return [list(zip(answer["tool_calls"], answer["results"], strict=True))]
    return []


def messages_of(answer: Mapping[str, Any]) -> list[Message]:
    """The conversation that an answer of a teacher tells."""
    messages: list[Message] = [{"role": "user", "content": answer["user"]}]
    if "question" in answer:
        messages.append({"role": "assistant", "content": answer["question"]})
        messages.append({"role": "user", "content": answer["reply"]})
    for step in steps_of(answer):
        messages += _turn(step)
    messages.append({"role": "assistant", "content": answer["answer"]})
    return messages


def _turn(step: Sequence[tuple[dict[str, Any], str]]) -> list[Message]:
    calls = [{"type": "function", "function": call} for call, _ in step]
    results = [{"role": "tool", "name": call["name"], "content": text} for call, text in step]
    return [{"role": "assistant", "content": "", "tool_calls": calls}, *results]
