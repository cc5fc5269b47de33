"""Chat formats by name, and what messages and turns are made of."""

from schemask.chat.calls import call_schema
from schemask.chat.catalog import FORMATS, HERMES, TOOL_CODE, chat_format
from schemask.chat.format import ChatFormat
from schemask.chat.messages import (
    MAX_DIGITS,
    Message,
    ParsedTurn,
    ToolCall,
    check_messages,
    messages_from_example,
)
from schemask.chat.reader import (
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
