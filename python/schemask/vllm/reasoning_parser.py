"""The parser of reasoning that vLLM's server knows as `schemask`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vllm.entrypoints.generate.base.protocol import DeltaMessage
from vllm.reasoning.basic_parsers import BaseThinkingReasoningParser

from schemask.errors import FormatError
from schemask.vllm.formats import format_of


class SchemaskReasoningParser(BaseThinkingReasoningParser):  # type: ignore[misc]
    """Tells reasoning from the answer by the markers of the model's own template.

    Args:
        tokenizer: vLLM's tokenizer of the model.
        kwargs: What vLLM gives all parsers of reasoning; `chat_template_kwargs` may say that the
            model is not to reason.

    Raises:
        FormatError: The model does not reason, or its markers are not single tokens: vLLM looks for
            them among the tokens.
    """

    def __init__(self, tokenizer: Any, *args: Any, **kwargs: Any) -> None:
        form = format_of(tokenizer)
        spec = form.spec
        self._start, self._end = spec.reasoning_open.strip(), spec.reasoning_close.strip()
        if not self._start or not self._end or spec.has_channels:
            raise FormatError(f"reasoning is not found by one marker: {spec.no_reasoning_here}")
        vocabulary = tokenizer.get_vocab()
        if lacking := {self._start, self._end} - vocabulary.keys():
            raise FormatError(f"{', '.join(sorted(lacking))}: no single token of this model")
        super().__init__(tokenizer, *args, **kwargs)
        self._is_special = {self._start, self._end} <= set(tokenizer.all_special_tokens)
        self._reasons = spec.reasons
        if form.derived is not None:
            given = kwargs.get("chat_template_kwargs") or {}
            for on, variables in enumerate(
                (form.derived.derived.plain, form.derived.derived.thinking)
            ):
                if variables and variables.items() <= given.items():
                    self._reasons = bool(on)
        self._is_opened = self._reasons and self._start in spec.thinking_prompt

    @property
    def start_token(self) -> str:
        """The marker before reasoning."""
        return self._start

    @property
    def end_token(self) -> str:
        """The marker after reasoning."""
        return self._end

    def adjust_request(self, request: Any) -> Any:
        """Has the markers shown in the text, if they are special tokens.

        Args:
            request: Of chat completions or of responses.
        """
        if self._is_special:
            request.skip_special_tokens = False
        return request

    def is_reasoning_end(self, input_ids: Sequence[int]) -> bool:
        """Whether no reasoning follows a prompt: it is closed there, or the model does not reason
        unless told to, and is not.

        Args:
            input_ids: The prompt, or its beginning and some of the text.
        """
        markers = (self.start_token_id, self.end_token_id)
        last = next((token for token in reversed(input_ids) if token in markers), None)
        return last == self.end_token_id if last is not None else not self._reasons

    def extract_reasoning(self, model_output: str, request: Any) -> tuple[str | None, str | None]:
        """The reasoning of a whole turn, and what follows it.

        Args:
            model_output: The turn.
            request: The request.
        """
        reasoning, content = self._split(model_output)
        return reasoning or None, content or None

    def extract_reasoning_streaming(
        self,
        previous_text: str,
        current_text: str,
        delta_text: str,
        previous_token_ids: Sequence[int],
        current_token_ids: Sequence[int],
        delta_token_ids: Sequence[int],
    ) -> DeltaMessage | None:
        """What the next piece of a turn brings.

        Args:
            previous_text: The text before it.
            current_text: The text with it.
            delta_text: The piece.
            previous_token_ids: The tokens of the text before it.
            current_token_ids: The tokens of the text with it.
            delta_token_ids: The tokens of the piece.
        """
        before, now = self._split(previous_text), self._split(current_text)
        reasoning, content = (new[len(old) :] for old, new in zip(before, now, strict=True))
        if not reasoning and not content:
            return None
        return DeltaMessage(reasoning=reasoning or None, content=content or None)

    def _split(self, text: str) -> tuple[str, str]:
        """Reasoning, and what follows it."""
        begun = text.lstrip()
        if begun.startswith(self._start):
            reasoning, _, content = begun[len(self._start) :].partition(self._end)
            return reasoning, content
        if self._end in text or self._is_opened:
            reasoning, _, content = text.partition(self._end)
            return reasoning, content
        # White space may still be that before the marker.
        return "", text if begun else ""
