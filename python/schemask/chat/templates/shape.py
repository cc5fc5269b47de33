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
        waiting: list[str] = []
        counted = 0
        for message in messages:
            made = dict(message)
            if message["role"] == "assistant" and "tool_calls" in message:
                made["content"] = message["content"] or self.no_content
                made["tool_calls"] = []
                waiting = []
                for call in message["tool_calls"]:
                    waiting.append(call.get("id") or f"call{counted:05d}")
                    counted += 1
                    made["tool_calls"].append(self._call(call, waiting[-1]))
            elif message["role"] == "tool":
                answered = waiting.pop(0) if waiting else f"call{counted:05d}"
                made.setdefault("tool_call_id", answered)
            shaped.append(made)
        return shaped

    def _call(self, call: Mapping[str, Any], call_id: str) -> dict[str, Any]:
        function = dict(call["function"])
        if self.arguments_as_text:
            function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
        return {"type": "function", "id": call_id, "function": function}
