"""The parser of tool calls that vLLM's server knows as `schemask`."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from vllm.entrypoints.generate.base.protocol import (
    DeltaFunctionCall,
    DeltaMessage,
    DeltaToolCall,
    ExtractedToolCallInformation,
    FunctionCall,
    ToolCall,
)
from vllm.exceptions import VLLMValidationError
from vllm.sampling_params import StructuredOutputsParams
from vllm.tool_parsers.abstract_tool_parser import ToolParser

from schemask.chat.events import (
    ArgumentDelta,
    CallFailed,
    CallFinished,
    CallStarted,
    Event,
    Text,
)
from schemask.chat.reader import TurnReader
from schemask.errors import Error, FormatError
from schemask.tools import ToolSet
from schemask.vllm.formats import as_format, choice_of, definitions_of, format_of, turns_of

_log = logging.getLogger("vllm.schemask")


class SchemaskToolParser(ToolParser):  # type: ignore[misc]
    """Reads calls in the format of the model's own template, and constrains them to it.

    Where a request offers tools, its text is bound to the turns of the format, also with
    `tool_choice="auto"`: words as the model likes, and calls that are exact. With a
    `response_format` beside them, the text is calls or such a value.

    Args:
        tokenizer: vLLM's tokenizer of the model.
        tools: The tools of the request, if they are known.

    Raises:
        FormatError: As `ChatFormat.from_template`.
    """

    # The model's own notation is read, whatever the choice.
    supports_required_and_named = False

    def __init__(self, tokenizer: Any, tools: Any = None) -> None:
        super().__init__(tokenizer, tools)
        self._format = format_of(tokenizer)
        self._reader: TurnReader | None = None
        self._ids: dict[int, str] = {}

    def adjust_request(self, request: Any) -> Any:
        """Binds a request that offers tools to the turns of the format.

        Args:
            request: Of chat completions or of responses.

        Raises:
            VLLMValidationError: The tools, or what is asked for beside them, cannot be kept
                exactly.
        """
        if not request.tools or request.tool_choice == "none":
            return request
        wanted = request.extract_structured_outputs()
        if wanted is not None and wanted.structural_tag is not None:
            return request
        try:
            tag = turns_of(
                self._format,
                definitions_of(request.tools),
                choice_of(request.tool_choice),
                request.parallel_tool_calls is not False,
                None if wanted is None else as_format(wanted),
            )
        except Error as error:
            raise VLLMValidationError(f"schemask: {error}", parameter="tools") from error
        request.structured_outputs = StructuredOutputsParams(structural_tag=json.dumps(tag))
        if hasattr(request, "response_format"):
            request.response_format = None
        else:
            request.text = None
        request.skip_special_tokens = False  # tags of calls may be such
        return request

    def extract_tool_calls(self, model_output: str, request: Any) -> ExtractedToolCallInformation:
        """The calls of a whole turn, and its words; what cannot be read is among the words.

        Args:
            model_output: The turn.
            request: The request.
        """
        reader = self._new_reader(request, model_output)
        words, calls = "", []
        for event in _read(reader, [model_output], is_last=True):
            match event:
                case Text(text=text):
                    words += text
                case CallFailed(text=text, problem=problem):
                    _log.warning("a call that cannot be read: %s", problem)
                    words += text
                case CallFinished(call=call):
                    arguments = json.dumps(call.arguments, ensure_ascii=False)
                    calls.append(
                        ToolCall(function=FunctionCall(name=call.name, arguments=arguments))
                    )
        return ExtractedToolCallInformation(
            tools_called=bool(calls), tool_calls=calls, content=words or None
        )

    def extract_tool_calls_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
        request: Any,
    ) -> DeltaMessage | None:
        """What the next piece of a turn brings.

        Args:
            previous_text: The text before it.
            current_text: The text with it.
            delta_text: The piece.
            previous_token_ids: The tokens of the text before it.
            current_token_ids: The tokens of the text with it.
            delta_token_ids: The tokens of the piece.
            request: The request.
        """
        if self._reader is None:
            self._reader = self._new_reader(request, "")
        is_last = self.model_tokenizer.eos_token_id in delta_token_ids
        return self._delta(_read(self._reader, [delta_text], is_last))

    def _new_reader(self, request: Any, text: str) -> TurnReader:
        tools = ToolSet.of(definitions_of(request.tools or self.tools))
        spec = self._format.spec
        # Without a parser of reasoning, what the prompt has opened is closed in the text.
        opened = spec.reasoning_open if spec.closes_reasoning(text) else ""
        return TurnReader(spec, tools, opened)

    def _delta(self, events: Iterable[Event]) -> DeltaMessage | None:
        words = ""
        calls: dict[int, DeltaToolCall] = {}
        for event in events:
            match event:
                case Text(text=text):
                    words += text
                case CallFailed(text=text, problem=problem):
                    _log.warning("a call that cannot be read: %s", problem)
                    words += "" if event.index in self._ids else text
                case CallStarted(index=index, name=name):
                    self._ids[index] = ToolCall(function=FunctionCall(name=name, arguments="")).id
                    function = DeltaFunctionCall(name=name, arguments="")
                    calls[index] = DeltaToolCall(
                        id=self._ids[index], type="function", index=index, function=function
                    )
                    self.prev_tool_call_arr.append({"name": name, "arguments": ""})
                    self.streamed_args_for_tool.append("")
                case ArgumentDelta(index=index, text=text):
                    function = DeltaFunctionCall(arguments="")
                    call = calls.setdefault(index, DeltaToolCall(index=index, function=function))
                    call.function.arguments += text
                    self._streamed(text)
        if not words and not calls:
            return None
        return DeltaMessage(content=words or None, tool_calls=list(calls.values()))

    def _streamed(self, text: str) -> None:
        """Keeps what vLLM compares at the end, to send what has not been sent."""
        self.streamed_args_for_tool[-1] += text
        self.prev_tool_call_arr[-1]["arguments"] = self.streamed_args_for_tool[-1]


def _read(reader: TurnReader, pieces: Sequence[str], is_last: bool) -> list[Event]:
    """The events of pieces of a turn; what comes after its end is read as words."""
    events: list[Event] = []
    for piece in pieces:
        try:
            events += reader.feed(piece)
        except FormatError as error:
            _log.warning("text after the end of a turn: %s", error)
            events.append(Text(piece))
    if is_last:
        try:
            events += reader.finish()
        except FormatError as error:
            _log.warning("%s", error)
    return events
