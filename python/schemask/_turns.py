"""One turn of a model: what the loop of calls and an evaluation ask of it, and read of it."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

from schemask._native import CompiledGrammar
from schemask.chat import (
    TOOL_CODE,
    ChatFormat,
    ChatTemplate,
    Event,
    Message,
    ParsedTurn,
    TurnReader,
)
from schemask.chat.events import events_of, turn_of
from schemask.chat.said import said_to_model
from schemask.chat.templates.encoders import encoder_of
from schemask.chat.tokens import prompt_of, result_message
from schemask.core.generation import Completion
from schemask.core.grammar import Grammar
from schemask.core.mask_step import MaskObserver
from schemask.core.sampling import Sampling
from schemask.core.vocabulary import Vocabulary
from schemask.errors import FormatError, ModelError, SchemaError, shortened
from schemask.models.base import ChatModel, Model
from schemask.schemas.schema import Schema
from schemask.tools import ToolSet
from schemask.tools.provenance import taken_from

TurnStatus: TypeAlias = Literal["ok", "truncated", "malformed"]


@dataclass(frozen=True)
class WrittenTurn:
    """What a model wrote.

    Attributes:
        parsed: The turn as it was read, if it can be; of one that was cut, as far as it goes.
        text: What the model wrote; the words alone, if an endpoint keeps the rest to itself.
        status: "ok", "truncated" by the limit on tokens, or "malformed" if it cannot be read.
        error: What went wrong, in words.
        seconds: Time that it took.
        tokens: How many tokens the model generated.
        token_ids: These tokens, if the model tells.
        call_spans: Where each call, also one that cannot be read, begins and ends in the text.
    """

    parsed: ParsedTurn | None
    text: str
    status: TurnStatus
    error: str | None
    seconds: float
    tokens: int
    token_ids: list[int]
    call_spans: tuple[tuple[int, int], ...] = ()


class Thoughts(NamedTuple):
    """Words before a call: the text, how many tokens were generated for it, and the time."""

    text: str
    tokens: int
    seconds: float


class TurnWriter:
    """Gets the next turn from either kind of model.

    Args:
        model: The model.
        tools: The tools of the conversation.
        form: The format of a `Model`; a `ChatModel` brings its own.
        parallel: Whether one turn may hold several calls.
        sampling: How tokens are chosen.
        response_schema: What words must be, if they are JSON.
        provenance: Whether the strings of arguments stand in what was said to the model.
    """

    def __init__(
        self,
        model: Model | ChatModel,
        tools: ToolSet,
        form: ChatFormat,
        parallel: bool,
        sampling: Sampling,
        response_schema: Schema | bool | None = None,
        provenance: bool = False,
    ) -> None:
        if provenance and (isinstance(model, ChatModel) or model.vocabulary is None):
            raise ModelError("the model cannot be constrained, so its arguments can be anything")
        self._model = model
        self._tools = tools
        self._form = form
        self._parallel = parallel
        self._sampling = sampling
        self._response_schema = response_schema
        self._provenance = provenance
        self._compiled: dict[tuple[str, str, bool], CompiledGrammar] = {}

    def write(
        self,
        messages: list[Message],
        choice: str,
        *,
        constrained: bool = True,
        lead: str = "",
        reasons: bool = False,
        on_mask: MaskObserver | None = None,
        on_events: Callable[[list[Event]], None] | None = None,
    ) -> WrittenTurn:
        """The next turn.

        Args:
            messages: The conversation.
            choice: "auto", "required", "none" or the name of a tool.
            constrained: Whether a model that can be constrained is.
            lead: Words of the turn that are there already, and no part of what is read.
            reasons: Whether a block of reasoning may come first wherever the format has one.
            on_mask: Told of each mask, by models that tell.
            on_events: Told of each piece of text that the model writes: the events that it
                completes, if any. What it raises ends the generation.

        Raises:
            ModelError: The model failed, or should be bound to a choice and cannot be.
        """
        is_bound = isinstance(self._model, ChatModel) or (
            constrained and self._model.vocabulary is not None
        )
        if choice != "auto" and not is_bound:
            raise ModelError(
                f"the model cannot be constrained, so not to tool_choice={shortened(choice)}"
            )
        started = time.perf_counter()
        text, tokens, cut = "", 0, False
        token_ids: list[int] = []
        spans: tuple[tuple[int, int], ...] = ()
        parsed: ParsedTurn | None = None
        error: str | None = None
        if isinstance(self._model, ChatModel):
            try:
                answer = self._model.chat(
                    messages,
                    tools=self._tools,
                    tool_choice=choice,
                    parallel=self._parallel,
                    sampling=self._sampling,
                    **self._response_option(self._model),
                )
                parsed, text = answer.turn, answer.turn.content
                if on_events is not None:
                    on_events(events_of(parsed))
                tokens, cut = answer.completion_tokens, answer.status == "max_tokens"
            except FormatError as problem:
                error = str(problem)
        else:
            prompt, given = self._prompt(messages, lead)
            grammar = None
            if constrained and self._model.vocabulary is not None:
                grammar = self._grammar(self._model.vocabulary, messages, prompt, choice, reasons)
            is_json = grammar is not None and self._response_schema is not None
            reader = self._form.reader(self._tools, prompt=prompt, json_response=is_json)
            reading = _Reading(reader, on_events or (lambda events: None))
            on_text = None if on_events is None else reading.feed
            completion = self._complete(self._model, given, grammar, on_mask, on_text)
            text, token_ids = completion.text, completion.token_ids
            tokens, cut = completion.completion_tokens, completion.status == "max_tokens"
            try:
                parsed = reading.turn(text)
            except FormatError as problem:
                error = str(problem)
            spans = reading.call_spans
        status: TurnStatus = "ok" if parsed is not None else "malformed"
        if cut:
            status, error = "truncated", "the limit on tokens was reached"
        seconds = time.perf_counter() - started
        return WrittenTurn(parsed, text, status, error, seconds, tokens, token_ids, spans)

    def think(
        self, model: Model, messages: list[Message], nudge: str, sampling: Sampling
    ) -> Thoughts:
        """Words that the turn begins with, up to where a call would begin.

        There are none in a format that has a block for reasoning, if the prompt leaves room for it.

        Args:
            messages: The conversation.
            model: The model.
            nudge: What the words begin with.
            sampling: How tokens are chosen, and how many there may be.
        """
        started = time.perf_counter()
        prompt, given = self._prompt(messages, nudge)
        spec = self._form.spec
        if self._has_room_to_reason(prompt):
            return Thoughts("", 0, 0.0)
        marks = [spec.call_mark] if spec.call_mark else []
        words = model.generate(given, stop=[*self._form.stops, *marks], sampling=sampling)
        lead = (nudge + words.text).rstrip() + (spec.preamble_close or "\n")
        return Thoughts(lead, words.completion_tokens, time.perf_counter() - started)

    def result_message(self, name: str, text: str) -> Message:
        """The result of a tool as the model can be shown it."""
        return result_for(self._model, self._form, name, text)

    def _prompt(self, messages: list[Message], lead: str) -> tuple[str, str | list[int]]:
        """The conversation as text without the lead, and as what the model reads."""
        return prompt_for(self._model, self._form, messages, self._tools, lead)

    def _has_room_to_reason(self, prompt: str) -> bool:
        spec = self._form.spec
        return spec.left_of_opening(spec.opened_by(prompt))[0] is not None

    def _grammar(
        self,
        vocabulary: Vocabulary,
        messages: list[Message],
        prompt: str,
        choice: str,
        reasons: bool,
    ) -> CompiledGrammar:
        reasons = reasons and self._has_room_to_reason(prompt)
        key = choice, self._form.spec.opened_by(prompt), reasons
        if not self._provenance and key in self._compiled:
            return self._compiled[key]
        grammar = Grammar.from_tools(
            self._callable(messages, choice),
            format=self._form,
            tool_choice=choice,
            parallel=self._parallel,
            reasoning=True if reasons else "auto",
            prompt=prompt,
            response_schema=self._response_schema,
        )
        compiled = self._compiled[key] = grammar.compile(vocabulary)
        return compiled

    def _callable(self, messages: list[Message], choice: str) -> ToolSet:
        """The tools that can be called, with what their arguments may be."""
        if not self._provenance:
            return self._tools
        found = _possible(self._tools, said_to_model(messages))
        is_missing = choice in self._tools and choice not in found
        if is_missing or (choice == "required" and not len(found)):
            problem = "nothing that was said can be the arguments"
            raise ModelError(f"tool_choice={shortened(choice)}, and {problem}")
        return found

    def _complete(
        self,
        model: Model,
        given: str | list[int],
        grammar: CompiledGrammar | None,
        on_mask: MaskObserver | None,
        on_text: Callable[[str], None] | None,
    ) -> Completion:
        observed: dict[str, Any] = {} if on_text is None else {"on_text": on_text}
        if grammar is None:
            return model.generate(given, stop=self._form.stops, sampling=self._sampling, **observed)
        if on_mask is not None and tells_masks(model):
            observed["on_mask"] = on_mask
        return model.generate(given, grammar=grammar, sampling=self._sampling, **observed)

    def _response_option(self, model: ChatModel) -> dict[str, Any]:
        """The schema for an endpoint that takes one; of others, what they answer is checked."""
        if self._response_schema is None or not takes(model.chat, "response_schema"):
            return {}
        return {"response_schema": self._response_schema}


class _Reading:
    """A turn that is read while it is written.

    Args:
        reader: The reader.
        tell: Called for each piece with the events that it completes.
    """

    def __init__(self, reader: TurnReader, tell: Callable[[list[Event]], None]) -> None:
        self._reader = reader
        self._tell = tell
        self._events: list[Event] = []
        self._length = 0
        self._error: FormatError | None = None

    def feed(self, piece: str) -> None:
        """Reads more of it. What cannot be read ends the reading, not the generation."""
        self._length += len(piece)
        found: list[Event] = []
        if self._error is None:
            try:
                found = self._reader.feed(piece)
            except FormatError as error:
                self._error = error
        self._events += found
        self._tell(found)

    def turn(self, text: str) -> ParsedTurn:
        """The turn, once it is complete.

        Args:
            text: All of it, of which the end may not have been read.

        Raises:
            FormatError: It cannot be read.
        """
        self.feed(text[self._length :])
        if self._error is not None:
            raise self._error
        last = self._reader.finish()
        self._tell(last)
        return turn_of([*self._events, *last])

    @property
    def call_spans(self) -> tuple[tuple[int, int], ...]:
        """As of `TurnReader`."""
        return self._reader.call_spans


def _possible(tools: ToolSet, texts: list[str]) -> ToolSet:
    """The tools with arguments from the texts, but for those that these leave without arguments."""
    found = []
    for bound, tool in zip(taken_from(tools, texts), tools, strict=True):
        try:
            Grammar.from_json_schema(bound.parameters)
        except SchemaError:
            Grammar.from_json_schema(tool.parameters)  # raises what is wrong with the tool itself
        else:
            found.append(bound)
    return ToolSet(found)


def prompt_for(
    model: object, form: ChatFormat, messages: list[Message], tools: ToolSet, lead: str = ""
) -> tuple[str, str | list[int]]:
    """The conversation as text without the lead, and as what the model reads.

    Args:
        model: The model. If it has a tokenizer, it reads tokens.
        form: How turns are written.
        messages: The conversation.
        tools: The tools that the model is shown.
        lead: Words of the turn that are there already.

    Raises:
        FormatError: Messages that the format cannot write.
    """
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:
        text = form.render(messages, tools, add_generation_prompt=True)
        return text, text + lead
    prompt = prompt_of(messages, tokenizer, tools, format=form, add_generation_prompt=True)
    begun = encoder_of(tokenizer, "").encode(lead) if lead else []
    return prompt.text, [*prompt.token_ids, *begun]


def result_for(model: object, form: ChatFormat, name: str, text: str) -> Message:
    """The result of a tool as a message that a model can be shown, whatever the text holds.

    Args:
        model: The model.
        form: How turns are written.
        name: The tool.
        text: The result.
    """
    tokenizer = getattr(model, "tokenizer", None)
    if tokenizer is None:
        return form.tool_message(name, text)
    return result_message(form, name, text, tokenizer)


def tells_masks(model: object) -> bool:
    """Whether a model takes `on_mask`, as those do whose scores are at hand."""
    generate: Callable[..., Any] | None = getattr(model, "generate", None)
    return generate is not None and takes(generate, "on_mask")


def takes(function: Callable[..., Any], parameter: str) -> bool:
    """Whether a function has a parameter, as not all models have all of them.

    Args:
        function: The function.
        parameter: Its name.
    """
    return parameter in inspect.signature(function).parameters


def own_format(model: Model | ChatModel) -> ChatFormat:
    """The format of the model's own template, or "tool_code" if it brings none."""
    template: ChatTemplate | None = getattr(model, "template", None)
    return TOOL_CODE if template is None else ChatFormat.from_template(template)
