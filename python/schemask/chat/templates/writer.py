"""Conversations as a model's own template writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.messages import Message, check_messages
from schemask.chat.renderer import Renderer
from schemask.chat.spec import FormatSpec
from schemask.chat.templates.shape import MessageShape
from schemask.chat.templates.template import ChatTemplate
from schemask.errors import FormatError
from schemask.tools import ToolSet


@dataclass(frozen=True)
class TemplateWriter:
    """Writes conversations by a template.

    Attributes:
        template: The template.
        shape: The shape of messages that it wants.
        spec: The format of the assistant's turns.
        calls_in_words: Whether calls, their results and the descriptions of tools are words to the
            template, since it writes none of them itself.
    """

    template: ChatTemplate
    shape: MessageShape
    spec: FormatSpec
    calls_in_words: bool

    def text(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: ToolSet,
        add_generation_prompt: bool = False,
    ) -> str:
        """The conversation as text; arguments and errors as of `ChatFormat.render`."""
        checked = check_messages(messages)
        definitions: list[Any] | None = list(tools.definitions) or None
        if self.calls_in_words:
            checked, definitions = self._in_words(checked, tools), None
        shaped = self.shape.of(checked)
        return self.template.render(
            shaped, definitions, add_generation_prompt=add_generation_prompt
        )

    def spans(
        self, messages: Sequence[Mapping[str, Any]], tools: ToolSet
    ) -> tuple[str, list[tuple[int, int]]]:
        """The conversation, and where the model speaks; as `ChatFormat.render_spans`."""
        checked = check_messages(messages)
        text = self.text(checked, tools)
        renderer = Renderer(self.spec)
        spans: list[tuple[int, int]] = []
        called = 0
        for index, message in enumerate(checked):
            if message["role"] != "assistant":
                continue
            prompt = self.text(checked[:index], tools, add_generation_prompt=True)
            opened = self.spec.opened_by(prompt)
            written = renderer.assistant(message, tools, opened, called)
            called += len(message.get("tool_calls", ()))
            if not text.startswith(prompt + written):
                raise FormatError(
                    f"message {index}: in the whole conversation the template does not write this "
                    "turn as it follows its prompt, so no span of it can be trained"
                )
            start, end = len(prompt), len(prompt) + len(written)
            marker = self.spec.calls_end if "tool_calls" in message else ""
            for mark in (marker, self.spec.turn_end):
                if mark and text.startswith(mark, end):
                    end += len(mark)
                    break
            spans.append((start, end))
        return text, spans

    def _in_words(self, messages: list[Message], tools: ToolSet) -> list[Message]:
        """The conversation with tools, calls and results written into what is said."""
        renderer = Renderer(self.spec)
        spec = self.spec
        made: list[Message] = []
        if tools.definitions:
            system = ""
            if messages and messages[0]["role"] == "system":
                system = messages[0]["content"] + "\n\n"
                messages = messages[1:]
            made.append({"role": "system", "content": system + renderer.described(tools)})
        results: list[str] = []
        for index, message in enumerate(messages):
            if message["role"] == "tool":
                results.append(renderer.result(message))
                following = messages[index + 1 : index + 2]
                if not following or following[0]["role"] != "tool":
                    made.append({"role": "user", "content": spec.result_separator.join(results)})
                    results = []
            elif "tool_calls" in message:
                made.append({"role": "assistant", "content": renderer.assistant(message, tools)})
            else:
                made.append(message)
        return made
