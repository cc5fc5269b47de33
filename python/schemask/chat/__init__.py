"""Chat formats by name, and what messages and turns are made of."""

from schemask.chat.calls import call_schema
from schemask.chat.catalog import FORMATS, HERMES, TOOL_CODE, chat_format
from schemask.chat.events import (
    ArgumentDelta,
    CallFailed,
    CallFinished,
    CallStarted,
    Event,
    Reasoning,
    Text,
    turn_of,
)
from schemask.chat.format import ChatFormat
from schemask.chat.messages import (
    MAX_DIGITS,
    Message,
    ParsedTurn,
    ToolCall,
    check_messages,
    messages_from_example,
)
from schemask.chat.notations.base import Notation
from schemask.chat.notations.elements import ElementArguments
from schemask.chat.notations.json import JsonArguments
from schemask.chat.notations.marked import MarkedArguments
from schemask.chat.notations.python import PythonArguments
from schemask.chat.notations.raw import RawArguments
from schemask.chat.notations.typed import TypedArguments
from schemask.chat.notations.values import Styles
from schemask.chat.printed import as_python
from schemask.chat.reader import TurnReader
from schemask.chat.spec import FormatSpec
from schemask.chat.templates.template import ChatTemplate
from schemask.chat.tokens import render_tokens

__all__ = [
    "FORMATS",
    "HERMES",
    "MAX_DIGITS",
    "TOOL_CODE",
    "ArgumentDelta",
    "CallFailed",
    "CallFinished",
    "CallStarted",
    "ChatFormat",
    "ChatTemplate",
    "ElementArguments",
    "Event",
    "FormatSpec",
    "JsonArguments",
    "MarkedArguments",
    "Message",
    "Notation",
    "ParsedTurn",
    "PythonArguments",
    "RawArguments",
    "Reasoning",
    "Styles",
    "Text",
    "ToolCall",
    "TurnReader",
    "TypedArguments",
    "as_python",
    "call_schema",
    "chat_format",
    "check_messages",
    "messages_from_example",
    "render_tokens",
    "turn_of",
]
