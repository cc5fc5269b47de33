"""Renders probes by a template: short conversations of words that occur nowhere else."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemask.chat.messages import Message
from schemask.chat.templates.shape import MessageShape
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError

USER, NEXT, RESULT = "Qzuserq", "Qznextq", "Qzresultq"
WORDS, REASONING = "Qzwordsq", "Qzthoughtq"
NAMES = ("qz_one", "qz_two")
IDS = ("qzcallida", "qzcallidb")
KEYS = ("qzka", "qzkb")
VALUES = ("Qzvala", "Qzvalb")

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "Does something.",
            "parameters": {
                "type": "object",
                "properties": {key: {"description": "Some value."} for key in KEYS},
                "required": [],
            },
        },
    }
    for name in NAMES
]


@dataclass(frozen=True)
class Turn:
    """A turn of the assistant to be rendered.

    Attributes:
        reasoning: Whether it holds reasoning.
        words: Whether it holds words.
        calls: The arguments of its calls, the first of the first tool.
    """

    reasoning: bool = False
    words: bool = False
    calls: tuple[Mapping[str, Any], ...] = ()

    @property
    def message(self) -> Message:
        """The turn as a message."""
        message: Message = {"role": "assistant", "content": WORDS if self.words else ""}
        if self.reasoning:
            message["reasoning_content"] = REASONING
        if self.calls:
            message["tool_calls"] = [
                {"id": call_id, "function": {"name": name, "arguments": dict(arguments)}}
                for call_id, name, arguments in zip(IDS, NAMES, self.calls, strict=False)
            ]
        return message


@dataclass(frozen=True, eq=False)
class Prober:
    """Renders probes.

    Attributes:
        template: The template.
        shape: The shape of messages.
        variables: Variables of the template for all renderings.
    """

    template: ChatTemplate
    shape: MessageShape = field(default_factory=MessageShape)
    variables: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def prompt(self) -> str:
        """What follows the user's words, up to where the model speaks.

        Raises:
            FormatError: The template does not render a question.
        """
        text = self._render([], add_generation_prompt=True)
        if text is None:
            # The error that the template raises says more than that it raised one.
            self.template.render([_user(USER)], TOOLS, add_generation_prompt=True)
            raise FormatError("the template drops what the user says")
        return text

    def turn(self, turn: Turn) -> str | None:
        """What follows the user's words, with a turn at the end; None if the template refuses."""
        return self._render([turn.message])

    def renders(self, message: Message) -> bool:
        """Whether the template takes a message after the user's words."""
        return self._render([message]) is not None

    def before(self, turn: Turn) -> tuple[str, str] | None:
        """What stands before the user's first words, and from there to the next ones.

        None if the template refuses.
        """
        messages = [_user(USER), turn.message, _user(NEXT)]
        text = self._text(messages)
        if text is None or NEXT not in text:
            return None
        start, end = text.find(USER), text.rfind(NEXT)
        return text[:start], text[start + len(USER) : end]

    def before_result(self, turn: Turn) -> str | None:
        """From the user's words to the result of the turn's first call; None if refused."""
        results = [
            {"role": "tool", "name": name, "tool_call_id": call_id, "content": RESULT + name}
            for call_id, name, _ in zip(IDS, NAMES, turn.calls, strict=False)
        ]
        text = self._render([turn.message, *results])
        return None if text is None or RESULT not in text else text[: text.find(RESULT)]

    def again(self, turn: Turn) -> str | None:
        """From the user's words on, a turn of calls, its results and the turn again."""
        results = [
            {"role": "tool", "name": name, "tool_call_id": call_id, "content": RESULT}
            for call_id, name, _ in zip(IDS, NAMES, turn.calls, strict=False)
        ]
        return self._render([turn.message, *results, turn.message])

    def _render(self, messages: list[Message], **options: Any) -> str | None:
        text = self._text([_user(USER), *messages], **options)
        if text is None or USER not in text:
            return None
        return text[text.rfind(USER) + len(USER) :]

    def _text(self, messages: list[Message], **options: Any) -> str | None:
        try:
            shaped = self.shape.of(messages)
            return self.template.render(shaped, TOOLS, **self.variables, **options)
        except FormatError:
            return None


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


def shape_of(template: ChatTemplate) -> MessageShape | None:
    """The shape in which a template writes calls; None if it writes none in any.

    Args:
        template: The template.
    """
    turn = Turn(calls=({KEYS[0]: VALUES[0]},))
    found: MessageShape | None = None
    for shape in (
        MessageShape(),
        MessageShape(arguments_as_text=True),
        MessageShape(no_content=None),
        MessageShape(arguments_as_text=True, no_content=None),
    ):
        text = Prober(template, shape).turn(turn)
        if text is None or NAMES[0] not in text or VALUES[0] not in text:
            continue
        # A text of JSON that is written as JSON once more, or an object as Python shows it.
        if json.dumps(f'"{KEYS[0]}"')[1:-1] in text or f"{{'{KEYS[0]}'" in text:
            found = found or shape
            continue
        return shape
    return found
