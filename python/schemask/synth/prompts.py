"""How a teacher is asked for a conversation.

The prompt is a document with a gap at its end, which base models continue as well as chat models
answer.
"""

from __future__ import annotations

import json

from schemask.synth.kinds import Kind
from schemask.synth.worked_examples import WORKED_EXAMPLES, Scene
from schemask.tools import Tool

_INTRODUCTION = """\
Conversations between a user and an assistant that can call tools. Each is one JSON object on one
line: what the user says, the calls with all their arguments, what the tools give back, and the
answer to the user, which rests on the results. Only the last conversation is missing; write it and
nothing else.
"""


def teacher_prompt(kind: Kind, scene: Scene) -> str:
    """The text to be continued with one JSON object: instructions, worked examples, the gap."""
    shown = [_scene_text(kind, example) for example in WORKED_EXAMPLES[kind]]
    return "\n".join([_INTRODUCTION, *shown, _scene_text(kind, scene)])


def _scene_text(kind: Kind, scene: Scene) -> str:
    """A conversation with what it was asked to be; without one, the place where it goes."""
    lines = ["Tools:", *map(_listed, scene.tools)]
    if scene.withheld is not None:
        lines += ["Not offered:", _listed(scene.withheld)]
    lines += [
        f"The user: {'; '.join([*scene.hints, *_asked_of_user(kind, scene)])}",
        f"The assistant: {_asked_of_assistant(kind, scene)}",
        "Conversation:",
    ]
    text = "\n".join(lines)
    if scene.example is None:
        return text
    return f"{text} {json.dumps(scene.example, ensure_ascii=False)}\n"


def _listed(tool: Tool) -> str:
    return json.dumps(tool.definition["function"], ensure_ascii=False)


def _asked_of_user(kind: Kind, scene: Scene) -> list[str]:
    if kind == "missing_value":
        return [f"does not say {scene.missing} at first"]
    if scene.withheld is not None:
        return [f"wants what only {scene.withheld.name} could do"]
    return []


def _asked_of_assistant(kind: Kind, scene: Scene) -> str:
    names = scene.targets
    if kind == "missing_tool":
        return "says that it cannot do this, calls nothing"
    if kind == "words":
        return "answers in words, no tool helps"
    if kind == "missing_value":
        return f"asks for {scene.missing}, and then calls {names[0]}"
    if kind == "chain":
        then = "with something from its result" if len(names) == 2 else "with something from before"
        return f"calls {f', then {then} '.join(names)}"
    return f"calls {' and then '.join(names)}"
