"""Answers in the shapes of OpenAI: whole, and in pieces."""

from __future__ import annotations

import codecs
import secrets
import string
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any

from schemask.chat import ArgumentDelta, CallStarted, Event, Reasoning, Text
from schemask.core.logprobs import TokenLogprobs
from schemask.core.vocabulary import Vocabulary
from schemask.serve.requests import Generation
from schemask.serve.turns import Finished, TurnPiece

_LEAST = -9999.0  # JSON has no infinity
_LETTERS = string.ascii_letters + string.digits


class Answer(ABC):
    """One answer.

    Args:
        asked: What it answers.
        vocabulary: The vocabulary of its tokens.
    """

    prefix: str
    kind: str
    kind_of_chunk: str

    def __init__(self, asked: Generation, vocabulary: Vocabulary) -> None:
        self._asked = asked
        self._vocabulary = vocabulary
        self._head = {
            "id": f"{self.prefix}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": asked.model,
        }

    @abstractmethod
    def chunks(self, pieces: list[TurnPiece]) -> Iterator[dict[str, Any]]:
        """Pieces as chunks of a stream."""

    @abstractmethod
    def whole(self, pieces: list[TurnPiece], end: Finished) -> dict[str, Any]:
        """All of it."""

    @abstractmethod
    def first(self) -> list[dict[str, Any]]:
        """The chunks with which a stream begins."""

    def last(self, end: Finished) -> Iterator[dict[str, Any]]:
        """The chunks with which a stream ends."""
        yield self._chunk(self._empty(), None, end.reason)
        if self._asked.include_usage:
            yield {**self._chunk_head, "choices": [], "usage": _usage(end)}

    @property
    def _chunk_head(self) -> dict[str, Any]:
        return {**self._head, "object": self.kind_of_chunk}

    @abstractmethod
    def _empty(self) -> dict[str, Any]:
        """What a chunk without text has."""

    def _chunk(
        self, held: dict[str, Any], logprobs: Any = None, reason: str | None = None
    ) -> dict[str, Any]:
        choice = {"index": 0, **held, "logprobs": logprobs, "finish_reason": reason}
        chunk = {**self._chunk_head, "choices": [choice]}
        if self._asked.include_usage:
            chunk["usage"] = None
        return chunk

    def _answer(self, held: dict[str, Any], logprobs: Any, end: Finished) -> dict[str, Any]:
        choice = {"index": 0, **held, "logprobs": logprobs, "finish_reason": end.reason}
        answer = {**self._head, "object": self.kind, "choices": [choice]}
        return {**answer, "usage": _usage(end)}


class ChatAnswer(Answer):
    """A turn."""

    prefix = "chatcmpl"
    kind = "chat.completion"
    kind_of_chunk = "chat.completion.chunk"

    def first(self) -> list[dict[str, Any]]:
        return [self._chunk({"delta": {"role": "assistant", "content": ""}})]

    def chunks(self, pieces: list[TurnPiece]) -> Iterator[dict[str, Any]]:
        tokens = _tokens(pieces)
        deltas = [delta for event in joined(_events(pieces)) if (delta := _delta(event))]
        for number, delta in enumerate(deltas or [{}] if tokens else deltas):
            told = self._logprobs(tokens if number == 0 else [])
            yield self._chunk({"delta": delta}, told)

    def whole(self, pieces: list[TurnPiece], end: Finished) -> dict[str, Any]:
        content, reasoning = "", ""
        calls: list[dict[str, Any]] = []
        for event in joined(_events(pieces)):
            if isinstance(event, Text):
                content += event.text
            elif isinstance(event, Reasoning):
                reasoning += event.text
            elif isinstance(event, CallStarted):
                calls.append(_call(event.name))
            elif isinstance(event, ArgumentDelta):
                calls[event.index]["function"]["arguments"] += event.text
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content if content or not calls else None,
            "refusal": None,
        }
        if reasoning:
            message["reasoning_content"] = reasoning
        if calls:
            message["tool_calls"] = calls
        return self._answer({"message": message}, self._logprobs(_tokens(pieces)), end)

    def _empty(self) -> dict[str, Any]:
        return {"delta": {}}

    def _logprobs(self, tokens: list[TokenLogprobs]) -> dict[str, Any] | None:
        if self._asked.logprobs is None:
            return None
        content = [
            {
                **self._token(token.token_id, token.logprob),
                "top_logprobs": [self._token(*likely) for likely in token.top],
            }
            for token in tokens
        ]
        return {"content": content, "refusal": None}

    def _token(self, token_id: int, logprob: float) -> dict[str, Any]:
        data = self._vocabulary.token(token_id)
        return {
            "token": data.decode(errors="replace"),
            "logprob": max(logprob, _LEAST),
            "bytes": list(data),
        }


class TextAnswer(Answer):
    """A text that goes on."""

    prefix = "cmpl"
    kind = "text_completion"
    kind_of_chunk = "text_completion"

    def __init__(self, asked: Generation, vocabulary: Vocabulary) -> None:
        super().__init__(asked, vocabulary)
        self._offset = 0
        # Characters may be spread over tokens.
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def first(self) -> list[dict[str, Any]]:
        return []

    def chunks(self, pieces: list[TurnPiece]) -> Iterator[dict[str, Any]]:
        yield self._chunk({"text": _text(pieces)}, self._logprobs(_tokens(pieces)))

    def whole(self, pieces: list[TurnPiece], end: Finished) -> dict[str, Any]:
        return self._answer({"text": _text(pieces)}, self._logprobs(_tokens(pieces)), end)

    def _empty(self) -> dict[str, Any]:
        return {"text": ""}

    def _logprobs(self, tokens: list[TokenLogprobs]) -> dict[str, Any] | None:
        if self._asked.logprobs is None:
            return None
        offsets = []
        for token in tokens:
            offsets.append(self._offset)
            self._offset += len(self._decoder.decode(self._vocabulary.token(token.token_id)))
        return {
            "tokens": [self._spelt(token.token_id) for token in tokens],
            "token_logprobs": [max(token.logprob, _LEAST) for token in tokens],
            "top_logprobs": [
                # The token itself is told also where it is none of the likeliest.
                {
                    self._spelt(token_id): max(logprob, _LEAST)
                    for token_id, logprob in (*token.top, (token.token_id, token.logprob))
                }
                for token in tokens
            ],
            "text_offset": offsets,
        }

    def _spelt(self, token_id: int) -> str:
        """A token as text, in the way of OpenAI's also where it is a part of a character."""
        data = self._vocabulary.token(token_id)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def joined(events: Iterable[Event]) -> Iterator[Event]:
    """Events in which text that goes on is one piece."""
    held: Event | None = None
    for event in events:
        if held is not None and (both := _both(held, event)) is not None:
            held = both
            continue
        if held is not None:
            yield held
        held = event
    if held is not None:
        yield held


def _both(one: Event, other: Event) -> Event | None:
    if isinstance(one, Text) and isinstance(other, Text):
        return Text(one.text + other.text)
    if isinstance(one, Reasoning) and isinstance(other, Reasoning):
        return Reasoning(one.text + other.text)
    if isinstance(one, ArgumentDelta) and isinstance(other, ArgumentDelta):
        return ArgumentDelta(one.index, one.text + other.text) if one.index == other.index else None
    return None


def _delta(event: Event) -> dict[str, Any]:
    if isinstance(event, Text):
        return {"content": event.text}
    if isinstance(event, Reasoning):
        return {"reasoning_content": event.text}
    if isinstance(event, CallStarted):
        return {"tool_calls": [{"index": event.index, **_call(event.name)}]}
    if isinstance(event, ArgumentDelta):
        return {"tool_calls": [{"index": event.index, "function": {"arguments": event.text}}]}
    return {}


def _call(name: str) -> dict[str, Any]:
    # Nine letters and digits: the one form of id that every chat template takes.
    made = "".join(secrets.choice(_LETTERS) for _ in range(9))
    return {"id": made, "type": "function", "function": {"name": name, "arguments": ""}}


def _events(pieces: list[TurnPiece]) -> list[Event]:
    return [event for piece in pieces for event in piece.events]


def _tokens(pieces: list[TurnPiece]) -> list[TokenLogprobs]:
    return [token for piece in pieces for token in piece.tokens]


def _text(pieces: list[TurnPiece]) -> str:
    return "".join(event.text for event in _events(pieces) if isinstance(event, Text))


def _usage(end: Finished) -> dict[str, int]:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": end.prompt_tokens + end.completion_tokens,
    }
