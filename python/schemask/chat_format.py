"""Chat formats by name, and what messages and turns are made of."""

from __future__ import annotations

from schemask.call_schema import call_schema
from schemask.chat_spec import ChatFormat
from schemask.errors import FormatError, shortened
from schemask.formats import FORMATS, HERMES, TOOL_CODE
from schemask.messages import (
    MAX_DIGITS,
    Message,
    ParsedTurn,
    ToolCall,
    check_messages,
    messages_from_example,
)
from schemask.turn_reader import (
    ArgumentDelta,
    CallFinished,
    CallStarted,
    Event,
    Reasoning,
    Text,
    TurnReader,
    turn_of,
)

__all__ = [
    "FORMATS",
    "HERMES",
    "MAX_DIGITS",
    "TOOL_CODE",
    "ArgumentDelta",
    "CallFinished",
    "CallStarted",
    "ChatFormat",
    "Event",
    "Message",
    "ParsedTurn",
    "Reasoning",
    "Text",
    "ToolCall",
    "TurnReader",
    "call_schema",
    "chat_format",
    "check_messages",
    "messages_from_example",
    "turn_of",
]


def chat_format(name_or_format: str | ChatFormat) -> ChatFormat:
    """The format of that name, or the format itself.

    Raises:
        FormatError: No format has that name.
    """
    if isinstance(name_or_format, ChatFormat):
        return name_or_format
    if not isinstance(name_or_format, str) or name_or_format not in FORMATS:
        raise FormatError(
            f"no chat format {shortened(name_or_format)}; there is {', '.join(FORMATS)}"
        )
    return FORMATS[name_or_format]
