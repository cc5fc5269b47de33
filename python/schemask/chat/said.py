"""What was said to a model: the texts from which it may take arguments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from schemask.chat.messages import Message
from schemask.schemas.strings import strings_of


def said_to_model(messages: Iterable[Message]) -> list[str]:
    """The texts of a conversation that are not the model's own.

    Of a result in JSON, the strings in it and the spellings of its numbers are texts, too.

    Args:
        messages: The conversation, as `check_messages` gives it.
    """
    return list(dict.fromkeys(_said(messages)))


def _said(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        if message["role"] == "assistant":
            continue
        yield message["content"]
        if message["role"] == "tool":
            try:
                value = json.loads(message["content"], parse_int=str, parse_float=str)
            except (ValueError, RecursionError):
                continue
            yield from strings_of(value, keys=True)
