"""Turns and texts as a model writes them for requests."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from schemask._native import CompiledGrammar
from schemask._turns import prompt_for, result_for, takes
from schemask.chat import CallFailed, CallFinished, ChatFormat, Event, Message, Text
from schemask.core.cache import CacheStats, GrammarCache
from schemask.core.generation import Completion, TextStream
from schemask.core.grammar import Grammar
from schemask.core.limits import Limits
from schemask.core.logprobs import TokenLogprobs
from schemask.core.vocabulary import Vocabulary
from schemask.errors import Error, FormatError, ModelError
from schemask.models.base import Model
from schemask.serve.errors import RequestError, blamed, of_generation
from schemask.serve.formats import JsonWords, WrittenWords
from schemask.serve.requests import ChatRequest, CompletionRequest, Generation
from schemask.serve.written import WrittenTurns
from schemask.tools import ToolSet

# Compiled grammars that are kept. Each may take tens of megabytes, if somebody wants it to.
_MOST_GRAMMARS = 64

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls"]


@dataclass(frozen=True)
class TurnPiece:
    """What has been written since the piece before.

    Attributes:
        events: What it completes.
        tokens: Its tokens, if they are asked for.
    """

    events: list[Event]
    tokens: list[TokenLogprobs]


@dataclass(frozen=True)
class Finished:
    """The end of a generation.

    Attributes:
        reason: Why it ended.
        prompt_tokens: Number of tokens of the prompt.
        completion_tokens: Number of tokens generated.
    """

    reason: FinishReason
    prompt_tokens: int
    completion_tokens: int


class Listener(Protocol):
    """Whom a generation is for."""

    @property
    def gone(self) -> threading.Event:
        """Set once nobody wants the generation any more."""

    def check(self) -> None:
        """Raises what ends the generation, if it is to end."""

    def tell(self, piece: TurnPiece) -> None:
        """Takes a piece."""


class Reader(Protocol):
    """Reads a turn as it is written."""

    def feed(self, text: str, /) -> list[Event]:
        """What the next piece completes."""

    def finish(self) -> list[Event]:
        """What the end completes."""


class Engine:
    """A model that writes for requests; threads may share it as far as they may share the model.

    Args:
        model: The model.
        form: How its turns are written.
        limits: Bounds of the work and memory that grammars may take.

    Attributes:
        vocabulary: Its vocabulary.

    Raises:
        ModelError: It has no vocabulary, so nothing could be promised of what it writes.
        LimitError: There is no such limit.
    """

    def __init__(self, model: Model, form: ChatFormat, limits: Limits) -> None:
        if model.vocabulary is None:
            raise ModelError("a model without a vocabulary cannot be constrained, so not served")
        self.vocabulary: Vocabulary = model.vocabulary
        Grammar.from_json_schema(True, limits=limits)  # refuses limits that there are not
        self._model = model
        self._form = form
        self._limits = limits
        self._cache = GrammarCache(model.vocabulary, _MOST_GRAMMARS)

    def tell_masks(self, on_masks: Callable[[int, float], None]) -> None:
        """Has it told what masks take, by models that measure that.

        Args:
            on_masks: Called with the number of masks of one pass, and the seconds that they took.
        """
        if hasattr(self._model, "on_masks"):
            self._model.on_masks = on_masks

    @property
    def cache(self) -> CacheStats:
        """What the cache of grammars did so far."""
        return self._cache.stats()

    def chat(self, asked: ChatRequest, listener: Listener) -> Finished:
        """Writes a turn.

        Args:
            asked: What is asked for.
            listener: Who asks.

        Raises:
            RequestError: The request cannot be served, or the generation failed.
        """
        context = getattr(self._model, "context_tokens", None)
        if context is not None and len(asked.messages) >= context:
            # Each takes a token at least, and to write so many takes long.
            raise RequestError(
                f"{len(asked.messages)} messages do not go into a context of {context} tokens",
                param="messages",
                code="context_length_exceeded",
            )
        with blamed("messages"):
            messages = list(map(self._shown, asked.messages))
            prompt, given = prompt_for(self._model, self._form, messages, asked.tools)
        opened = self._form.spec.opened_by(prompt)
        callable_tools = ToolSet() if asked.choice == "none" else asked.callable
        grammar = self._turn_grammar(asked, callable_tools, opened)
        reader = self._turn_reader(asked, callable_tools, opened)
        return self._generate(asked.generation, given, grammar, reader, listener)

    def complete(self, asked: CompletionRequest, listener: Listener) -> Finished:
        """Continues a text.

        Args:
            asked: What is asked for.
            listener: Who asks.

        Raises:
            RequestError: As of `chat`.
        """
        if isinstance(asked.prompt, list):
            too_large = [token for token in asked.prompt if token >= self.vocabulary.size]
            if too_large or not asked.prompt:
                wrong = f"{too_large[0]} is no token" if too_large else "there are no tokens"
                raise RequestError(f"prompt: {wrong}", param="prompt", code="invalid_value")
        grammar = None
        if (words := asked.generation.words) is not None:
            with blamed(words.param):
                grammar = self._cache.get(self._make_words, *_parts(words))
        return self._generate(asked.generation, asked.prompt, grammar, _PlainReader(), listener)

    def _shown(self, message: Message) -> Message:
        """A message that can be written, whatever a tool has returned."""
        if message["role"] != "tool":
            return message
        shown = result_for(self._model, self._form, message["name"], message["content"])
        return {**message, "content": shown["content"]}

    # What may be written.

    def _turn_grammar(self, asked: ChatRequest, tools: ToolSet, opened: str) -> CompiledGrammar:
        words = asked.generation.words
        make = self._make_turn
        if asked.choice == "required":
            words = None
        elif isinstance(words, WrittenWords):
            make = self._make_written_turn
        try:
            return self._cache.get(
                make, tools.definitions, asked.choice, asked.parallel, *_parts(words), opened
            )
        except Error as error:
            with blamed(self._at_fault(words, tools)):
                raise error

    def _at_fault(self, words: JsonWords | WrittenWords | None, tools: ToolSet) -> str:
        """The parameter of which no grammar could be made."""
        if words is None:
            return "tools" if len(tools) else "messages"
        if len(tools):
            try:
                Grammar.from_tools(tools, self._form, "required", limits=self._limits)
            except Error:
                return "tools"
        return words.param

    def _make_turn(
        self,
        definitions: list[Any],
        choice: str,
        parallel: bool,
        make: Any,
        source: Any,
        opened: str,
    ) -> Grammar:
        return Grammar.from_tools(
            definitions,
            format=self._form,
            tool_choice=choice,
            parallel=parallel,
            prompt=self._prompt_end(opened),
            limits=self._limits,
            response_schema=source if make is None else None,
        )

    def _make_written_turn(
        self,
        definitions: list[Any],
        choice: str,
        parallel: bool,
        make: Callable[[Any, Limits], Grammar],
        source: Any,
        opened: str,
    ) -> Grammar:
        words = make(source, self._limits)
        calls = None
        if definitions:
            calls = Grammar.from_tools(
                definitions,
                format=self._form,
                tool_choice="required",
                parallel=parallel,
                reasoning=False,
                prompt=self._prompt_end(opened),
                limits=self._limits,
            )
        return WrittenTurns(self._form, opened).grammar(words, calls)

    def _make_words(self, make: Any, source: Any) -> Grammar:
        if make is None:
            return Grammar.from_json_schema(source, whitespace="spaced", limits=self._limits)
        made: Grammar = make(source, self._limits)
        return made

    def _prompt_end(self, opened: str) -> str:
        """The end of a prompt that holds this part of the turn."""
        return self._form.spec.around("assistant")[0] + opened

    # How it is read.

    def _turn_reader(self, asked: ChatRequest, tools: ToolSet, opened: str) -> Reader:
        words = asked.generation.words
        is_json = isinstance(words, JsonWords) and asked.choice != "required"
        make = functools.partial(
            self._form.reader, tools, prompt=self._prompt_end(opened), json_response=is_json
        )
        if isinstance(words, WrittenWords) and asked.choice != "required":
            return WrittenTurns(self._form, opened).reader(make, may_call=len(tools) > 0)
        return make()

    def _generate(
        self,
        asked: Generation,
        prompt: str | list[int],
        grammar: CompiledGrammar | None,
        reader: Reader,
        listener: Listener,
    ) -> Finished:
        turn = _TurnReading(asked.stop, reader, listener)
        options: dict[str, Any] = {"grammar": grammar, "on_text": turn.feed}
        if grammar is None:
            options["stop"] = ()
        if takes(self._model.generate, "cancel"):
            options["cancel"] = listener.gone
        if asked.logprobs is not None:
            if not takes(self._model.generate, "on_token"):
                raise RequestError(
                    "this model does not tell the probabilities of its tokens",
                    param="logprobs",
                    code="unsupported_parameter",
                )
            options |= {"on_token": turn.tokens.append, "top_logprobs": asked.logprobs}
        try:
            listener.check()
            completion = self._model.generate(prompt, sampling=asked.sampling, **options)
            return turn.finish(completion)
        except RequestError:
            raise
        except Exception as error:
            raise of_generation(error, asked.limit_param) from error


class _TurnReading:
    """One turn as it is written: what is read of it is told, until the words hold a stop text.

    Args:
        stop: These texts. They end words, and not what calls or reasoning hold.
        reader: The reader.
        listener: Whom it is told.

    Attributes:
        tokens: The tokens that are still to be told.
    """

    def __init__(self, stop: list[str], reader: Reader, listener: Listener) -> None:
        self.tokens: list[TokenLogprobs] = []
        self._stop = stop
        self._words = self._stream()
        self._certain: list[Event] = []
        self._reader = reader
        self._listener = listener
        self._length = 0
        self._calls = 0

    def feed(self, piece: str) -> bool:
        """Reads more of the text; whether the words have come to a stop text."""
        self._listener.check()
        self._length += len(piece)
        self._read(self._reader.feed(piece))
        return self._words.stopped

    def finish(self, completion: Completion) -> Finished:
        """Reads the end."""
        if not self._words.stopped:
            self.feed(completion.text[self._length :])
        if not self._words.stopped:
            self._read(self._reader.finish())
            self._flush()
        self._tell()
        reason: FinishReason = "tool_calls" if self._calls else "stop"
        if completion.status == "max_tokens" and not self._words.stopped:
            reason = "length"
        return Finished(reason, completion.prompt_tokens, completion.completion_tokens)

    def _read(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, CallFailed):
                raise FormatError(event.problem, line=event.line, column=event.column)
            if isinstance(event, Text):
                self._words.feed(event.text.encode())
                if self._words.stopped:
                    break
                continue
            self._flush()
            self._calls += isinstance(event, CallFinished)
            self._certain.append(event)
        self._tell()

    def _stream(self) -> TextStream:
        return TextStream(self._stop, lambda text: self._certain.append(Text(text)))

    def _flush(self) -> None:
        """Tells words that might have become a stop text."""
        if not self._words.stopped:
            self._words.finish()
            self._words = self._stream()

    def _tell(self) -> None:
        events, self._certain = self._certain, []
        if events or self.tokens:
            tokens = self.tokens[:]
            self.tokens.clear()
            self._listener.tell(TurnPiece(events, tokens))


class _PlainReader:
    """Reads a text that is words alone."""

    def feed(self, text: str) -> list[Event]:
        return [Text(text)] if text else []

    def finish(self) -> list[Event]:
        return []


def _parts(words: JsonWords | WrittenWords | None) -> tuple[Any, Any]:
    """What tells words from others: who makes their grammar (nobody of JSON), and of what."""
    if isinstance(words, JsonWords):
        return None, words.schema
    return (None, None) if words is None else (words.make, words.source)
