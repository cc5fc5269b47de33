"""The backend for structured outputs that vLLM's engine calls."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from typing import Any

import torch
from vllm.v1.structured_output.backend_types import (
    StructuredOutputBackend,
    StructuredOutputGrammar,
    StructuredOutputOptions,
)

from schemask._native import CompiledGrammar
from schemask.core.masking import WORD_BITS
from schemask.core.served import ServedText
from schemask.vllm.requests import Compiler, Constraint, budget_of

_log = logging.getLogger("vllm.schemask")


@functools.lru_cache(4)
def compiler_for(tokenizer: Any, vocab_size: int) -> Compiler:
    """The compiler of a model; where the engine runs in the process that checks requests, both
    have the same one."""
    return Compiler(tokenizer, vocab_size)


class SchemaskGrammar(StructuredOutputGrammar):  # type: ignore[misc]
    """One request: follows its text, and says which tokens may come next.

    Nothing that goes wrong here raises, since that would end vLLM's engine: a mask that takes too
    much work allows one token alone, which the grammar does not take, so that vLLM ends the request
    with an error.

    Args:
        compiled: The grammar, compiled for the vocabulary of the model.
        max_tokens: A budget: the text is finished and valid within it.
        room: How many tokens the request may write, if some of them come before the text: `begin`
            then says how many.

    Raises:
        LimitError: No valid text is so short.
    """

    def __init__(
        self, compiled: CompiledGrammar, max_tokens: int | None = None, room: int | None = None
    ) -> None:
        self._text = ServedText(compiled, _log, max_tokens)
        self._room = room

    def begin(self, before: int, unmasked: Sequence[int] = ()) -> None:
        """Says where the text begins, which gives it a budget; nothing changes if it has begun.

        Args:
            before: How many tokens the request has written before the text.
            unmasked: The first tokens of the text, where they were chosen without a mask: with a
                budget that they do not fit into there is none.
        """
        if self._room is None or self._text.matcher.token_count:
            return
        self._text.begin(self._room - before)
        if self.validate_tokens([*unmasked]) != [*unmasked]:
            self._text.begin(None)

    def accept_tokens(self, request_id: str, tokens: list[int]) -> bool:
        """Goes on with tokens. If one of them may not come, so that the answer is False, those
        before it are accepted.

        Args:
            request_id: Of the request, for the log.
            tokens: The tokens.
        """
        return all(self._text.accept(token, f"request {request_id}") for token in tokens)

    def validate_tokens(self, tokens: list[int]) -> list[int]:
        """The first of some tokens, up to one that may not come. Nothing is accepted.

        Args:
            tokens: Such as a speculation proposes.
        """
        count = 0
        while count < len(tokens) and self._text.accept(tokens[count], "a proposed token"):
            count += 1
        self._text.matcher.rollback(count)
        return tokens[:count]

    def rollback(self, num_tokens: int) -> None:
        """Takes back the last tokens.

        Args:
            num_tokens: How many.

        Raises:
            TokenError: Fewer have been accepted.
        """
        self._text.matcher.rollback(num_tokens)

    def fill_bitmask(self, bitmask: torch.Tensor, batch_index: int) -> None:
        """Writes which tokens may come next.

        Args:
            bitmask: int32 on the CPU, of shape `(rows, ceil(vocab_size / 32))`.
            batch_index: The row.
        """
        self._text.fill_mask(bitmask, batch_index)

    def is_terminated(self) -> bool:
        """Whether a stop token has ended the text."""
        return self._text.matcher.is_terminated

    def reset(self) -> None:
        """Back to the start of the text, with the whole budget."""
        self._text.matcher.reset()


class SchemaskBackend(StructuredOutputBackend):  # type: ignore[misc]
    """What vLLM's engine has of schemask; `structured_outputs_config.backend="schemask"` makes it.

    Args:
        vllm_config: vLLM's configuration.
        tokenizer: Its tokenizer of the model.
        vocab_size: Width of the model's logits.
    """

    def __init__(self, vllm_config: Any, tokenizer: Any, vocab_size: int) -> None:
        super().__init__(vllm_config, tokenizer, vocab_size)
        self._compiler = compiler_for(tokenizer, vocab_size)

    def compile_grammar(
        self,
        request_type: StructuredOutputOptions,
        grammar_spec: str,
        stop_token_ids: set[int] | None = None,
    ) -> SchemaskGrammar:
        """The grammar of a constraint, without a budget.

        Args:
            request_type: Which of vLLM's constraints it is.
            grammar_spec: The constraint, as vLLM writes it.
            stop_token_ids: The tokens that end the text; by default the tokenizer's.

        Raises:
            Error: It is refused; each kind of constraint has its own errors.
        """
        stops = frozenset(stop_token_ids or {self.tokenizer.eos_token_id} - {None})
        return SchemaskGrammar(
            self._compiler.compile(Constraint(request_type, grammar_spec), stops)
        )

    def compile_request(self, request: Any) -> SchemaskGrammar:
        """The grammar of a request, with all that the request says of it.

        Args:
            request: vLLM's `Request`.

        Raises:
            Error: It is refused; each kind of constraint has its own errors.
        """
        params = request.sampling_params
        stops = frozenset(params.all_stop_token_ids)
        compiled = self._compiler.compile(Constraint.of(params.structured_outputs), stops)
        config = self.vllm_config
        if request.resumable:
            return SchemaskGrammar(compiled)  # how many tokens are left is not known yet
        room = config.model_config.max_model_len - request.num_prompt_tokens
        budget = budget_of(params, room)
        if reasons_first(config.structured_outputs_config):
            return SchemaskGrammar(compiled, room=budget)
        return SchemaskGrammar(compiled, budget)

    def allocate_token_bitmask(self, max_num_seqs: int) -> torch.Tensor:
        """A bitmask of shape `(max_num_seqs, ceil(vocab_size / 32))`, int32, that allows all.

        Args:
            max_num_seqs: How many rows.
        """
        return torch.full((max_num_seqs, -(-self.vocab_size // WORD_BITS)), -1, dtype=torch.int32)

    def destroy(self) -> None:
        """Forgets what was compiled."""
        self._compiler.forget()


def reasons_first(config: Any) -> bool:
    """Whether reasoning comes before the constrained text, which then gets its budget where it
    begins: how many tokens reasoning leaves is not known when the grammar is made.

    Args:
        config: vLLM's `StructuredOutputsConfig`.
    """
    return bool(config.reasoning_parser) and not config.enable_in_reasoning
