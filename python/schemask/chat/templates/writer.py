"""Conversations as a model's own template writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.messages import Message, check_messages
from schemask.chat.renderer import Renderer, arranged_calls
from schemask.chat.spec import FormatSpec
from schemask.chat.templates.shape import MessageShape
from schemask.chat.templates.template import ChatTemplate
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
        else:
            checked = arranged_calls(checked, tools)
        shaped = self.shape.of(checked)
        return self.template.render(
            shaped, definitions, add_generation_prompt=add_generation_prompt
        )

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
