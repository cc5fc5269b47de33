"""The shape in which a template wants its messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MessageShape:
    """What templates differ in as to the messages that they take.

    Attributes:
        arguments_as_text: Whether the arguments of calls are JSON text, and not objects.
        no_content: What the content of a turn of calls without words is.
    """

    arguments_as_text: bool = False
    no_content: str | None = ""

    def of(self, messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The messages in this shape; calls and their results get ids if they have none.

        Args:
            messages: Messages as `check_messages` returns them.
        """
        shaped = []
        for message in with_ids(messages):
            made = dict(message)
            if "tool_calls" in message:
                made["content"] = message["content"] or self.no_content
                made["tool_calls"] = [self._call(call) for call in message["tool_calls"]]
            shaped.append(made)
        return shaped

    def _call(self, call: Mapping[str, Any]) -> dict[str, Any]:
        function = dict(call["function"])
        if self.arguments_as_text:
            function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
        return {"type": "function", "id": call["id"], "function": function}


def with_ids(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages with an id for each call and for its result, where they have none.

    Args:
        messages: Messages as `check_messages` returns them.
    """
    made = []
    counted = 0
    waiting: list[str] = []
    for message in map(dict, messages):
        if "tool_calls" in message:
            calls = [dict(call) for call in message["tool_calls"]]
            for call in calls:
                call.setdefault("id", f"call{counted:05d}")
                counted += 1
            message["tool_calls"] = calls
            waiting = [call["id"] for call in calls]
        elif message["role"] == "tool":
            answered = waiting.pop(0) if waiting else f"call{counted:05d}"
            message.setdefault("tool_call_id", answered)
        made.append(message)
    return made
