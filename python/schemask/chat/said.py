"""What was said to a model: the texts from which it may take arguments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemask.chat.messages import Message


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
            yield from _leaves(value)


def _leaves(value: Any) -> Iterator[str]:
    """Its strings and keys."""
    open_values = [value]
    while open_values:
        value = open_values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from value
            open_values += reversed([*value.values()])
        elif isinstance(value, list):
            open_values += reversed(value)
