"""Turns of each kind that real chat templates render, and what the derived formats make of them.

    python benches/template_turns.py [--list]

A turn is reasoning, words, and no, one or two calls. Each template of `templates.py` renders each
of the ten kinds after a question. What it writes of the turn has to be what the derived format
writes, be accepted by the grammar, and be read back equal; what the template drops of a turn, or
refuses to write, is counted by itself.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from typing import Any

from tqdm import tqdm

from schemask import Grammar
from schemask.chat import ChatFormat, ParsedTurn
from schemask.chat.renderer import Renderer
from schemask.chat.templates.template import ChatTemplate
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.errors import FormatError
from schemask.tools import ToolSet
from templates import default_folders, templates

QUESTION = {"role": "user", "content": "How is the weather in Rome?"}
REASONING, WORDS = "They ask for the weather.", "Let me look."
CALLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "id": "call00001",
        "function": {"name": "get_weather", "arguments": {"city": "Rome", "days": 2}},
    },
    {"type": "function", "id": "call00002", "function": {"name": "ping", "arguments": {}}},
]
TOOLS = ToolSet(
    [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "The weather in a city.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "city": {"type": "string", "description": "Where."},
                        "days": {"type": "integer", "description": "For how long."},
                    },
                    "required": ["city"],
                    "additionalProperties": False,
                },
            },
        },
        {
            "type": "function",
            "function": {
                "name": "ping",
                "description": "Answers.",
                "parameters": {
                    "type": "object",
                    "properties": {},
                    "required": [],
                    "additionalProperties": False,
                },
            },
        },
    ]
)


def turns() -> list[dict[str, Any]]:
    """A turn of each kind."""
    made = []
    for reasons, speaks, calls in itertools.product((False, True), (False, True), range(3)):
        if speaks or calls:
            message: dict[str, Any] = {"role": "assistant", "content": WORDS if speaks else ""}
            if reasons:
                message["reasoning_content"] = REASONING
            if calls:
                message["tool_calls"] = CALLS[:calls]
            made.append(message)
    return made


def outcome(form: ChatFormat, message: dict[str, Any]) -> tuple[str, str]:
    """What becomes of a turn: `held`, `dropped`, `refused` or `wrong`; and what is so."""
    assert form.derived is not None
    derived = form.derived.derived
    # With the variables that let the model reason, if it takes any.
    modes = [mode for mode in (derived.thinking, derived.plain) if mode is not None] or [{}]
    definitions = [dict(definition) for definition in TOOLS.definitions]
    shape, template = derived.shape, form.derived.template
    problem = ("refused", "")
    for variables in modes:
        try:
            whole = template.render(shape.of([QUESTION, message]), definitions, **variables)
        except FormatError as error:
            problem = ("refused", str(error))
            continue
        spoken = whole.rpartition(QUESTION["content"])[2]
        kept, dropped = _kept(message, spoken)
        if kept["content"] and "tool_calls" in kept and "reasoning_content" not in kept:
            thought = {**kept, "content": "", "reasoning_content": WORDS}
            if template.render(shape.of([QUESTION, thought]), definitions, **variables) == whole:
                kept, dropped = thought, [*dropped, "words, which become reasoning"]
        if not kept["content"] and not kept.get("tool_calls"):
            problem = ("dropped", " and ".join(dropped))
            continue
        wrong = _wrong(form, kept, spoken)
        if not wrong:
            return ("dropped", " and ".join(dropped)) if dropped else ("held", "")
        problem = ("wrong", wrong)
    return problem


def _kept(message: dict[str, Any], spoken: str) -> tuple[dict[str, Any], list[str]]:
    """The turn as far as the template writes it, and what it does not write."""
    kept, dropped = dict(message), []
    if REASONING not in spoken and kept.pop("reasoning_content", None):
        dropped.append("reasoning")
    if kept["content"] and WORDS not in spoken:
        kept["content"] = ""
        dropped.append("words")
    calls = message.get("tool_calls", [])
    written = [call for call in calls if call["function"]["name"] in spoken]
    if len(written) < len(calls):
        dropped.append(f"call {len(calls)}")
        kept["tool_calls"] = written
    if not kept.get("tool_calls"):
        kept.pop("tool_calls", None)
    return kept, dropped


def _wrong(form: ChatFormat, message: dict[str, Any], spoken: str) -> str:
    """What is wrong with a turn; nothing if it is held."""
    spec = form.spec
    problem = "written otherwise"
    bare = {**message, "tool_calls": [{"function": c["function"]} for c in CALLS]}
    bare["tool_calls"] = bare["tool_calls"][: len(message.get("tool_calls", []))]
    versions = [message, bare] if spec.optional_members and bare["tool_calls"] else [message]
    for version in versions:
        expected = ParsedTurn.from_message(version)
        for opened in dict.fromkeys(["", spec.thinking_prompt, spec.plain_prompt]):
            try:
                written = Renderer(spec).assistant(version, TOOLS, opened, 0)
            except FormatError as error:
                problem = f"not written: {error}"
                continue
            if written not in spoken:
                continue
            prompt = spec.around("assistant")[0] + opened
            tools = TOOLS if spec.max_calls != 0 else ToolSet([])
            reasons = "reasoning_content" in version
            grammar = Grammar.from_tools(
                tools, format=form, prompt=prompt, reasoning=reasons, spelling="any"
            )
            matcher = grammar.compile(byte_vocabulary()).matcher()
            if not (matcher.accept_bytes(written.encode()) and matcher.is_accepting):
                return f"not allowed: {written!r}"
            read = form.parse(written, TOOLS, prompt=prompt)
            return "" if read == expected else f"read as {read}"
    return problem


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="list what templates drop, too")
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    lines = []
    for name, text in tqdm(templates(default_folders()), unit="template"):
        try:
            form = ChatFormat.from_template(ChatTemplate(text, "<s>", "</s>"))
        except FormatError as error:
            lines.append(f"no format: {name}: {str(error)[:150]}")
            continue
        counts["templates"] += 1
        found: dict[tuple[str, str], int] = Counter()
        for message in turns():
            found[outcome(form, message)] += 1
        for (kind, what), number in found.items():
            counts[kind] += number
            if kind == "wrong" or (arguments.list and kind != "held"):
                lines.append(f"{kind}: {name}: {number} turns: {what[:300]}")
    print("\n".join(lines))
    print(", ".join(f"{kind} {number}" for kind, number in counts.items()))


if __name__ == "__main__":
    main()
